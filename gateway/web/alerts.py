"""The list of alerts, an alert and its answers, how sites are heard, and the live stream.

An answer that is refused shows the alert as it is now, and why.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID, uuid4

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from alerts.checkin import Presence
from alerts.closing import cause_codes
from alerts.model import Track
from alerts.render import translations
from alerts.timeline import ACTIONS, CAUSES, COMMAND_REASONS, PAUSE_REASONS
from gateway.access import LEADERS, OVERSEERS
from gateway.api.schemas import AlertDetail
from gateway.errors import NotSignedIn, Problem
from gateway.web import answerform, guard, lists, live, paths, views, words
from gateway.web.html import Times
from gateway.web.maps import map_link
from gateway.web.part import SEE_OTHER, Part
from gateway.web.rosterview import PRESENCE
from gateway.web.seam import Who
from gateway.web.silences import ABOUT_SILENCES

PER_PAGE = 50
MAX_KEY = 64

ROUTES = (
    ("GET", "/alerts", "alerts"),
    ("GET", "/alerts/{uid}", "alert"),
    ("GET", "/alerts/{uid}/answer", "after_answer"),
    ("POST", "/alerts/{uid}/answer", "answer"),
    ("GET", "/alerts/{uid}/command", "after_answer"),
    ("POST", "/alerts/{uid}/command", "command"),
    ("GET", "/sites", "sites"),
    ("GET", "/events", "events"),
)


class AlertPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

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

    async def events(self, request: Request) -> Response:
        who = await self._front.who(guard.token_of(request))
        if who is None:
            return Response(status_code=401)
        return live.stream(self._front, who, guard.token_of(request))
