"""The pages: sign-in, the list of alerts, an alert and its answers, quarantine, hearing, and the live stream.

Rules
    A page that is not for everybody asks who is signed in; nobody is: to the sign-in, and back afterwards.
    A form is answered with "see other"; an answer that is refused shows the alert as it is now, and why.
    What is shown is about people: nothing is kept in any cache.

Theory
    Each page is a method: gather (ask the gateway), then render. A :class:`~gateway.errors.Problem` raised on the way
    is turned into a page in one place, :class:`PageRoute`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn
from urllib.parse import quote
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from alerts.checkin import Presence
from alerts.closing import cause_codes
from alerts.model import Track
from alerts.render import LANGUAGES, translations
from alerts.timeline import ACTIONS, CAUSES, COMMAND_REASONS, PAUSE_REASONS
from gateway.access import AUDITORS, LEADERS, OVERSEERS, SESSION_COOKIE
from gateway.api.schemas import AlertDetail
from gateway.clock import Clock, SystemClock
from gateway.errors import Invalid, NotSignedIn, Problem
from gateway.log import without_key
from gateway.store.db import DatabaseGone
from gateway.web import (
    answerform,
    contacts,
    desk,
    devices,
    figures,
    guard,
    how,
    lists,
    live,
    paths,
    patterns,
    phone,
    policies,
    quarantine,
    residents,
    rosters,
    rules,
    silences,
    teams,
    views,
    words,
)
from gateway.web.contacts import ContactPages
from gateway.web.desk import DeskPages
from gateway.web.devices import DevicePages
from gateway.web.figures import FigurePages
from gateway.web.how import HowPages
from gateway.web.html import STATIC, Times, environment, guest_language
from gateway.web.maps import map_link
from gateway.web.paths import PathPages
from gateway.web.patterns import PatternPages
from gateway.web.phone import PhonePages
from gateway.web.policies import PolicyPages
from gateway.web.quarantine import QuarantinePages
from gateway.web.residents import ResidentPages
from gateway.web.rosters import RosterPages
from gateway.web.rosterview import PRESENCE
from gateway.web.rules import RulePages
from gateway.web.seam import Front, Who
from gateway.web.silences import ABOUT_SILENCES, SilencePages
from gateway.web.teams import TeamPages

log = structlog.get_logger()

__all__ = ["STATIC", "router"]

PER_PAGE = 50
MAX_KEY = 64
SEE_OTHER = 303
KEPT = frozenset(
    [
        "state",
        "cursor",
        "next",
        "q",
        "reason",
        "site",
        "kind",
        "name",
        "zone",
        "resident",
        "device",
        "range",
        "type",
        "before",
        "after",
        "severity",
        "track",
        "waiting",
        "sort",
        "week",
        "role",
        "policy",
        "day",
        "condition",
        "at",
        "period",
        "team",
        "pattern",
        "rotation",
    ]
)
"""What of an address leads back to the same page."""
Form = Mapping[str, str]


def router(front: Front[Any], clock: Clock | None = None) -> APIRouter:
    """The pages' routes. ``clock``: what "how long ago" is reckoned from."""
    clock = clock or SystemClock()
    pages = Pages(front, clock)
    made = APIRouter(include_in_schema=False, route_class=page_route(clock))
    for method, path, handler in (
        ("GET", "/", pages.home),
        ("GET", "/sign-in", pages.sign_in_form),
        ("POST", "/sign-in", pages.sign_in),
        ("POST", "/sign-out", pages.sign_out),
        ("POST", "/language", pages.language),
        ("GET", "/alerts", pages.alerts),
        ("GET", "/alerts/{uid}", pages.alert),
        ("GET", "/alerts/{uid}/answer", pages.after_answer),
        ("POST", "/alerts/{uid}/answer", pages.answer),
        ("GET", "/alerts/{uid}/command", pages.after_answer),
        ("POST", "/alerts/{uid}/command", pages.command),
        ("GET", "/sites", pages.sites),
        ("GET", "/events", pages.events),
    ):
        made.add_api_route(path, handler, methods=[method])
    parts = (
        contacts,
        rules,
        policies,
        desk,
        devices,
        figures,
        how,
        paths,
        phone,
        quarantine,
        residents,
        rosters,
        patterns,
        silences,
        teams,
    )
    for method, path, name in (each for part in parts for each in part.ROUTES):
        made.add_api_route(path, getattr(pages, name), methods=[method])
    return made


async def missing(front: Front[Any], clock: Clock, request: Request) -> Response | None:
    """The page for an address that nothing has, where a browser asks for it; None where a program does."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return None
    request.state.who = await front.who(token_of(request))
    return _problem_page(request, clock, _problem(404, "not_found"))


class Pages(
    RulePages,
    PolicyPages,
    DevicePages,
    DeskPages,
    FigurePages,
    HowPages,
    PathPages,
    PhonePages,
    QuarantinePages,
    ResidentPages,
    RosterPages,
    PatternPages,
    SilencePages,
    TeamPages,
    ContactPages,
):
    """Every page; each method answers one request."""

    def __init__(self, front: Front[Any], clock: Clock) -> None:
        self._front = front
        self._clock = clock

    async def home(self) -> Response:
        return RedirectResponse(guard.HOME, SEE_OTHER)

    # Sign-in and settings ---------------------------------------------------------------------------------------------

    async def sign_in_form(self, request: Request) -> Response:
        target = guard.safe_next(request.query_params.get("next"))
        if await self._front.who(token_of(request)) is not None:
            return RedirectResponse(target, SEE_OTHER)
        return self._page(request, "sign_in.html", next=target)

    async def sign_in(self, request: Request) -> Response:
        guard.check_same_origin(request)
        form = await form_of(request)
        target = guard.safe_next(form.get("next"))
        agent = request.headers.get("user-agent", "")
        try:
            session = await self._front.sign_in(form.get("username", ""), form.get("password", ""), agent)
        except Problem as refused:
            failed = {"next": target, "username": form.get("username", ""), "failed": refused.status}
            return self._page(request, "sign_in.html", refused.status, **failed)
        response = RedirectResponse(target, SEE_OTHER)
        guard.set_session(request, response, session.token, session.expires_at)
        return response

    async def sign_out(self, request: Request) -> Response:
        who, _ = await self._signed_form(request)
        await self._front.sign_out(who)
        response = RedirectResponse("/sign-in", SEE_OTHER)
        response.delete_cookie(SESSION_COOKIE, path="/")
        return response

    async def language(self, request: Request) -> Response:
        guard.check_same_origin(request)
        form = await form_of(request)
        chosen = form.get("language", "")
        if chosen not in LANGUAGES:
            raise Invalid("choose", "no such language")
        who = await self._front.who(token_of(request))
        if who is not None:
            guard.check_csrf(form.get("csrf_token", ""), who.csrf_token)
            await self._front.set_language(who, chosen)
        response = RedirectResponse(guard.safe_next(form.get("next")), SEE_OTHER)
        guard.set_language(request, response, chosen)
        return response

    # Alerts -----------------------------------------------------------------------------------------------------------

    async def alerts(self, request: Request) -> Response:
        who = await self._signed_in(request)
        state: Literal["open", "closed"] = "closed" if request.query_params.get("state") == "closed" else "open"
        page = await self._front.alert_list(who, state, request.query_params.get("cursor"), PER_PAGE)
        deaf = [site for site in await self._front.sites(who) if site.deaf]
        silenced = await self._front.silence_count(who)
        mine, others = lists.sections(page.alerts)
        check_in = await self._front.check_in_due(who) if "responder" in who.roles else []
        waiting = sum(lists.waits(each) for each in page.alerts)
        return self._page(
            request,
            "alerts.html",
            state=state,
            page=page,
            deaf=deaf,
            waiting=waiting,
            mine=mine,
            others=others,
            check_in=check_in,
            presence=PRESENCE,
            there=Presence.CHECKED_IN,
            silenced=silenced,
        )

    async def alert(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        return self._alert_page(request, who, await self._front.alert_detail(who, uid))

    async def after_answer(self, uid: UUID) -> Response:
        """Somebody reloads the page that told of a refusal."""
        return RedirectResponse(f"/alerts/{uid}", SEE_OTHER)

    async def answer(self, request: Request, uid: UUID) -> Response:
        try:
            who, form = await self._signed_form(request, back=f"/alerts/{uid}")
            await self._front.answer(who, uid, answerform.read(form), form.get("key", "")[:MAX_KEY] or str(uuid4()))
        except Problem as refused:
            if isinstance(refused, NotSignedIn) or refused.reason == "origin":
                raise
            return await self._refused(request, uid, refused)
        return RedirectResponse(f"/alerts/{uid}", SEE_OTHER)

    async def command(self, request: Request, uid: UUID) -> Response:
        try:
            who, form = await self._signed_form(request, back=f"/alerts/{uid}")
            await self._front.command(
                who, uid, answerform.read_command(form), form.get("key", "")[:MAX_KEY] or str(uuid4())
            )
        except Problem as refused:
            if isinstance(refused, NotSignedIn) or refused.reason == "origin":
                raise
            return await self._refused(request, uid, refused)
        return RedirectResponse(f"/alerts/{uid}", SEE_OTHER)

    async def _refused(self, request: Request, uid: UUID, refused: Problem) -> Response:
        """The alert as it is now, and why the answer was not taken."""
        who = request.state.who
        detail = await self._front.alert_detail(who, uid)
        told = words.refusal(refused.reason, refused.status, refused.detail, translations(who.language).gettext)
        return self._alert_page(request, who, detail, refused.status, told)

    def _alert_page(
        self, request: Request, who: Who, detail: AlertDetail, status: int = 200, refused: str | None = None
    ) -> Response:
        times, agent = Times(self._clock.now(), who.language), request.headers.get("user-agent", "")
        shown = {
            "alert": detail,
            "refused": refused,
            "buttons": views.buttons(detail, who.uid, who.language),
            "locks": views.locks(detail),
            "reasons": COMMAND_REASONS,
            "evidence": views.evidence(detail, who.language, times),
            "places": views.places(detail, agent, who.language, times),
            "away": views.away(detail),
            "map_link": lambda latitude, longitude: map_link(latitude, longitude, agent),
            "about_silences": detail.condition in ABOUT_SILENCES,
            "may_silence": bool(who.roles & LEADERS) and detail.track is Track.CARE,
            "timeline": detail.timeline,
            "may_see_path": bool(who.roles & OVERSEERS),
            "holds": detail.holder is not None and detail.holder.id == who.uid,
            "offered": detail.offered_to is not None and detail.offered_to.id == who.uid,
            "causes": CAUSES,
            "actions": ACTIONS,
            "cause_codes": cause_codes(detail.vkp_code),
            "pause_reasons": PAUSE_REASONS,
            "pauses": answerform.PAUSES,
        }
        return self._page(request, "alert.html", status, **shown)

    async def sites(self, request: Request) -> Response:
        who = await self._signed_in(request)
        return self._page(
            request, "sites.html", sites=await self._front.sites(who), **paths.about_canaries(who.language)
        )

    # The live stream --------------------------------------------------------------------------------------------------

    async def events(self, request: Request) -> Response:
        who = await self._front.who(token_of(request))
        if who is None:
            return Response(status_code=401)
        return live.stream(self._front, who, token_of(request))

    # Shared -----------------------------------------------------------------------------------------------------------

    async def _who(self, request: Request) -> Any:
        """Whoever is signed in; None where nobody is."""
        request.state.who = await self._front.who(token_of(request))
        return request.state.who

    async def _signed_in(self, request: Request, back: str | None = None) -> Any:
        """Whoever is signed in; NotSignedIn where nobody is."""
        who = await self._front.who(token_of(request))
        if who is None:
            request.state.back = back
            _nobody()
        request.state.who = who
        return who

    async def _signed_form(self, request: Request, back: str = guard.HOME) -> tuple[Any, Form]:
        """Whoever is signed in, and a form that they themselves sent."""
        guard.check_same_origin(request)
        who = await self._signed_in(request, back)
        form = await form_of(request)
        guard.check_csrf(form.get("csrf_token", ""), who.csrf_token)
        return who, form

    def _page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        return _render(request, self._clock, template, status, **shown)


# Requests -------------------------------------------------------------------------------------------------------------


def token_of(request: Request) -> str | None:
    return request.cookies.get(SESSION_COOKIE)


async def form_of(request: Request) -> Form:
    """A form's texts; an empty one counts as not given."""
    async with request.form(max_files=0, max_fields=20) as form:
        return {name: value for name, value in form.items() if isinstance(value, str) and value}


def _nobody() -> NoReturn:
    raise NotSignedIn("session", "nobody is signed in")


# Answers --------------------------------------------------------------------------------------------------------------


def _render(request: Request, clock: Clock, template: str, status: int = 200, **shown: Any) -> Response:
    who: Who | None = getattr(request.state, "who", None)
    language = who.language if who is not None and who.language in LANGUAGES else guest_language(request)
    page = environment(language).get_template(template)
    context = {
        "language": language,
        "who": who,
        "demo": getattr(request.app.state, "demo", None),
        "demo_words": getattr(request.app.state, "demo_words", None),
        "at": Times(clock.now(), language),
        "fragment": request.query_params.get("fragment") == "1",
        "here": _here(request),
        "sees_quarantine": who is not None and bool(who.roles & OVERSEERS),
        "sees_looks": who is not None and bool(who.roles & AUDITORS),
        "translate": translations(language).gettext,
        "words": words,
        "phone_words_at": phone.words_address(language),
        "views": views,
        "lists": lists,
    }
    headers = {"Cache-Control": "no-store", "Vary": "Cookie, Accept-Language"}
    return HTMLResponse(page.render(**context, **shown), status, headers)


def _here(request: Request) -> str:
    """This page's own address, to come back to; after a form, the page that it was on."""
    known: str | None = getattr(request.state, "here", None)
    if known is not None:
        return known
    path = request.url.path
    for done in ("/answer", "/command", "/withdraw", "/end", "/extend", "/consent"):
        path = path.removesuffix(done)
    kept = {name: value for name, value in request.query_params.items() if name in KEPT}
    return path + ("?" + "&".join(f"{name}={quote(value)}" for name, value in kept.items()) if kept else "")


def page_route(clock: Clock) -> type[APIRoute]:
    """Routes whose problems are pages."""

    class PageRoute(APIRoute):
        """A route that shows a problem as a page, and leads to the sign-in where nobody is signed in."""

        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()

            async def handle_and_tell(request: Request) -> Response:
                try:
                    response: Response = await handle(request)
                except NotSignedIn:
                    return _to_sign_in(request)
                except Problem as problem:
                    return _problem_page(request, clock, problem)
                except DatabaseGone as gone:
                    log.error("database.away", path=without_key(request.url.path), error=str(gone).strip())
                    return _problem_page(request, clock, _problem(503, "database"))
                except (RequestValidationError, HTTPException):
                    return _problem_page(request, clock, _problem(404, "not_found"))
                return response

            return handle_and_tell

    return PageRoute


def _to_sign_in(request: Request) -> Response:
    back = getattr(request.state, "back", None) or _here(request)
    return RedirectResponse(f"/sign-in?next={quote(back)}", SEE_OTHER)


def _problem(status: int, reason: str) -> Problem:
    problem = Problem(reason, reason)
    problem.status = status
    return problem


def _problem_page(request: Request, clock: Clock, problem: Problem) -> Response:
    return _render(request, clock, "problem.html", problem.status, problem=problem)
