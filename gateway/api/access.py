"""Who may call an endpoint, as it declares: dependencies, and the parameters that endpoints share."""

from __future__ import annotations

from secrets import compare_digest
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from gateway.access import (
    ANYBODY,
    AUDITORS,
    CONSENTERS,
    KEEPERS,
    LEADERS,
    OVERSEERS,
    PLANNERS,
    POLICY_MAKERS,
    RESPONDERS,
    RULERS,
    SESSION_COOKIE,
    Role,
    Who,
)
from gateway.api import schemas
from gateway.errors import NotAllowed, NotSignedIn
from gateway.front import Front

CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Cursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]


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
Keeper = Annotated[Who, Depends(Access(KEEPERS))]
Planner = Annotated[Who, Depends(Access(PLANNERS))]
Responder = Annotated[Who, Depends(Access(RESPONDERS))]
Consenter = Annotated[Who, Depends(Access(CONSENTERS))]
Auditor = Annotated[Who, Depends(Access(AUDITORS))]
Leader = Annotated[Who, Depends(Access(LEADERS))]
PolicyMaker = Annotated[Who, Depends(Access(POLICY_MAKERS))]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem, "content": {"application/problem+json": {}}}
    for status in (400, 401, 403, 404, 409, 422, 429, 503)
}


def _token(request: Request) -> tuple[str | None, bool]:
    """The session's token, and whether it came by cookie."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token, False
    return request.cookies.get(SESSION_COOKIE), True
