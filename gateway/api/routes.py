"""The endpoints of /api/v1. Each declares who may call it; one that does not is refused when the app is built."""

from __future__ import annotations

from collections.abc import AsyncIterator
from secrets import compare_digest
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from sse_starlette import EventSourceResponse

from devices.model import Reason as Unreadable
from gateway import ruling
from gateway.access import ANYBODY, OVERSEERS, RULERS, SESSION_COOKIE, Role, Who
from gateway.api import schemas
from gateway.errors import NotAllowed, NotSignedIn
from gateway.front import Front

CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Cursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]


class Language(BaseModel):
    """The language that somebody reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Literal["nb", "nn", "en"]


class Access:
    """A dependency: whoever calls, if they have one of the roles. What it allows can be read off the route.

    None: whoever is signed in, also when they have no role any more.
    """

    def __init__(self, roles: frozenset[Role] | None) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Who:
        token, by_cookie = _token(request)
        who = await front_of(request).who(token)
        if who is None:
            raise NotSignedIn("session", "sign in first", "POST /api/v1/sessions with user name and password")
        given = request.headers.get(CSRF_HEADER, "")
        ours = not by_cookie or compare_digest(given.encode(), who.csrf_token.encode())
        if not ours and request.method not in SAFE_METHODS:
            raise NotAllowed(
                "csrf", f"a session by cookie needs the header {CSRF_HEADER}", "use a Bearer token instead"
            )
        if self.roles is not None:
            who.require(self.roles)
        return who


class Public:
    """A dependency that only says: whoever asks may have this."""

    async def __call__(self) -> None:
        return None


def front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


TheFront = Annotated[Front, Depends(front_of)]
Anybody = Annotated[Who, Depends(Access(ANYBODY))]
Overseer = Annotated[Who, Depends(Access(OVERSEERS))]
Ruler = Annotated[Who, Depends(Access(RULERS))]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem, "content": {"application/problem+json": {}}}
    for status in (401, 403, 404, 409, 422, 429)
}

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.post("/sessions", status_code=201, dependencies=[Depends(Public())], tags=["sessions"])
async def sign_in(body: schemas.SignIn, request: Request, front: TheFront) -> schemas.SessionView:
    """Sign in with a local account. The token goes into `Authorization: Bearer` of every other call."""
    begun = await front.sign_in(body.username, body.password, request.headers.get("User-Agent", ""))
    return schemas.SessionView(id=begun.session_id, token=begun.token, expires_at=begun.expires_at, person=begun.person)


@router.delete("/sessions/current", status_code=204, tags=["sessions"])
async def sign_out(who: Annotated[Who, Depends(Access(None))], front: TheFront) -> Response:
    """End this session."""
    await front.sign_out(who)
    return Response(status_code=204)


@router.get("/me", tags=["sessions"])
async def me(who: Anybody, front: TheFront) -> schemas.Me:
    """Who is signed in, with which roles and zones."""
    return await front.me(who)


@router.put("/me/language", status_code=204, tags=["sessions"])
async def set_language(body: Language, who: Anybody, front: TheFront) -> Response:
    """The language that texts come in."""
    await front.set_language(who, body.language)
    return Response(status_code=204)


@router.get("/alerts", tags=["alerts"])
async def alerts(
    who: Anybody,
    front: TheFront,
    state: Literal["open", "closed"] = "open",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.AlertPage:
    """The alerts you may see. Open: yours first, then the severest, then the oldest. Closed: the newest first."""
    return await front.alert_list(who, state, cursor, limit)


@router.get("/alerts/{uid}", tags=["alerts"])
async def alert(uid: UUID, who: Anybody, front: TheFront) -> schemas.AlertDetail:
    """One alert: who, where, how to get in, what the device said, and all that has happened since."""
    return await front.alert_detail(who, uid)


@router.post("/alerts/{uid}/answers", tags=["alerts"])
async def answer(
    uid: UUID,
    body: schemas.AnswerRequest,
    who: Anybody,
    front: TheFront,
    idempotency_key: Annotated[
        str, Header(min_length=1, max_length=128, description="One for each answer; a repeated one is the same answer")
    ],
) -> schemas.AnswerReply:
    """Answer an alert: claim, on_way, arrived, close, undo_close, hand_over, release, need_help, take_over."""
    return await front.answer(who, uid, body, idempotency_key)


@router.post("/alerts/{uid}/commands", status_code=202, tags=["alerts"])
async def command(
    uid: UUID,
    body: schemas.CommandRequest,
    who: Anybody,
    front: TheFront,
    idempotency_key: Annotated[
        str,
        Header(min_length=1, max_length=128, description="One for each command; a repeated one is the same command"),
    ],
) -> schemas.CommandView:
    """Ask a lock in the alert's home to lock, unlock or unlatch. For whoever holds the alert, or was paged for it and is on
    duty. It is done when the alert's `locks` say so."""
    return await front.command(who, uid, body, idempotency_key)


@router.get("/changes", tags=["alerts"], response_class=EventSourceResponse)
async def changes(who: Anybody, front: TheFront) -> EventSourceResponse:
    """Server-sent events: `changed` whenever something in what you may see has changed. Then ask again."""

    async def events() -> AsyncIterator[dict[str, str]]:
        async for _ in front.changes(who):
            yield {"event": "changed", "data": ""}

    return EventSourceResponse(events(), ping=15)


def quarantine_query(
    q: Annotated[
        str | None, Query(max_length=200, description="A part of topic, detail, site or the message itself")
    ] = None,
    reason: Unreadable | None = None,
    site: Annotated[str | None, Query(max_length=64)] = None,
    state: schemas.QuarantineState = "waiting",
) -> schemas.QuarantineQuery:
    """Which messages in quarantine."""
    return schemas.QuarantineQuery(q=q, reason=reason, site=site, state=state)


QuarantineQuery = Annotated[schemas.QuarantineQuery, Depends(quarantine_query)]


@router.get("/quarantine", tags=["technical"])
async def quarantine(
    who: Overseer, front: TheFront, query: QuarantineQuery, cursor: Cursor = None, limit: Limit = 50
) -> schemas.QuarantinePage:
    """Messages of your sites that could not be read, with raw bytes and reason; the newest first."""
    return await front.quarantine(who, query, cursor, limit)


@router.post("/quarantine/decode", tags=["technical"])
async def decode_all_again(
    who: Overseer, front: TheFront, query: QuarantineQuery, cursor: Cursor = None
) -> schemas.DecodedAgainAll:
    """Decode again all that wait and match, the oldest first, 200 at a time. Go on with `next_cursor`."""
    return await front.decode_all_again(who, query, cursor)


@router.post("/quarantine/{uid}/decode", tags=["technical"])
async def decode_again(uid: UUID, who: Overseer, front: TheFront) -> schemas.DecodedAgain:
    """Decode one message again. What can be read now is stored and judged, as late as it is."""
    return await front.decode_again(who, uid)


@router.get("/sites", tags=["technical"])
async def sites(who: Anybody, front: TheFront) -> list[schemas.SiteView]:
    """Every site and until when it has been heard."""
    return await front.sites(who)


# Rules and devices ----------------------------------------------------------------------------------------------------


@router.get("/rules", tags=["rules"])
async def rules(
    who: Anybody, front: TheFront, kind: Annotated[str | None, Query(max_length=64)] = None
) -> schemas.RuleList:
    """The rules in force that you may see, of a kind or of all. Of each name the nearest applies to a device."""
    return await front.rules(who, kind)


@router.put("/rules", tags=["rules"])
async def set_rule(body: schemas.RuleRequest, who: Ruler, front: TheFront) -> schemas.RuleView:
    """Set a rule for a zone, a resident or a device; what waits follows it at once. Preview it first."""
    return await front.set_rule(who, body)


@router.post("/rules/preview", tags=["rules"])
async def preview_rule(body: schemas.RuleRequest, who: Ruler, front: TheFront) -> schemas.Preview:
    """What the rule would have raised over the last 30 days of what is stored, beside what the rules as they are would have."""
    return await front.preview_rule(who, body)


@router.get("/rules/{uid}", tags=["rules"])
async def rule(uid: UUID, who: Anybody, front: TheFront) -> schemas.RuleDetail:
    """One rule with its versions, and who set each."""
    return await front.rule(who, uid)


@router.post("/rules/{uid}/withdraw", tags=["rules"])
async def withdraw_rule(uid: UUID, body: schemas.WithdrawRequest, who: Ruler, front: TheFront) -> schemas.RuleView:
    """Withdraw a rule: the next nearest of its name applies again, and what waits follows at once."""
    return await front.withdraw_rule(who, uid, body.version)


@router.get("/rule-types", tags=["rules"])
async def rule_types(_: Anybody) -> list[schemas.RuleType]:
    """Every type of rule, with the JSON Schema of its data."""
    return ruling.types()


@router.get("/devices", tags=["technical"])
async def devices(
    who: Overseer,
    front: TheFront,
    q: Annotated[str, Query(max_length=100, description="A part of address, model, home or resident's name")] = "",
    kind: Annotated[str | None, Query(max_length=64)] = None,
    zone: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.DevicePage:
    """The devices in your zones, in order of address."""
    return await front.devices(who, q, kind, zone, cursor, limit)


@router.get("/devices/{uid}", tags=["technical"])
async def device(uid: UUID, who: Overseer, front: TheFront) -> schemas.DeviceDetail:
    """One device: where it is fitted, how it is, and the rules that apply to it, with those that they hide."""
    return await front.device(who, uid)


def _token(request: Request) -> tuple[str | None, bool]:
    """The session's token, and whether it came by cookie."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token, False
    return request.cookies.get(SESSION_COOKIE), True
