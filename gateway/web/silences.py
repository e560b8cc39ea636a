"""The pages of silences: the ledger, one silence with what it has held back, and the form to set one.

Rules
    Everybody with a role sees what will not call them. Ending is one button, wherever a silence is shown: it is the way back
    to hearing everything. Setting one says first what it will not hold back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from alerts.model import Track
from alerts.render import translations
from alerts.silence import REASONS, Kind
from alerts.silence_ends import BACK_ASKED, CONSENT_ASKED, ENDS_SOON, IN_FORCE, SOMEBODY_THERE, WITHOUT_OWNER
from alerts.silence_words import REASONS as REASON_WORDS
from devices.words import N_
from gateway.access import OVERSEERS
from gateway.api import schemas
from gateway.errors import Invalid, NotSignedIn, Problem
from gateway.web import views, words
from gateway.web.html import OSLO
from gateway.web.part import SEE_OTHER, Part
from gateway.web.seam import Who

PER_PAGE = 100

ROUTES = (
    ("GET", "/silences", "silences"),
    ("GET", "/silences/new", "new_silence"),
    ("POST", "/silences/new", "set_silence"),
    ("GET", "/silences/{uid}", "silence"),
    ("POST", "/silences/{uid}/end", "end_silence"),
    ("POST", "/silences/{uid}/extend", "extend_silence"),
    ("POST", "/silences/{uid}/consent", "consent_to_silence"),
)
"""Method, path and the name of the page's method."""

ABOUT_SILENCES = frozenset({IN_FORCE, CONSENT_ASKED, ENDS_SOON, WITHOUT_OWNER, BACK_ASKED, SOMEBODY_THERE})
"""Conditions of alerts that lead to the ledger."""
SCOPES = {
    "zone": N_("Zone: {name}"),
    "resident": N_("Resident: {name}"),
    "device": N_("Device: {name}"),
}
TRACKS = {Track.CARE: N_("What calls care staff"), Track.TECHNICAL: N_("What calls technical services")}
SPANS = {
    Kind.SILENCE: (2, 8, 24, 72, 168, 720),
    Kind.AWAY: (24, 72, 168, 336, 720),
}
"""Hours to choose from."""

REFUSED = {
    "stale": N_("This silence has changed since you looked at it. Look again."),
    "same_person": N_("It takes a second person to agree to this. Ask another lead."),
    "not_asked": N_("Nobody waits for consent to this any more."),
    "over": N_("The time that was asked for is over. Ask for another one."),
    "away_already": N_("This resident is away already. Change the day of return there."),
    "until": N_("Choose an end that is later than now, and not later than you may set."),
    "note": N_("Say in the note what the reason is."),
    "reason": N_("Choose a reason."),
    "role": N_("You may not do this here. Ask a lead of the zone."),
    "choose": N_("Not sent: something has to be chosen first."),
}
"""Why something was not done, by a problem's reason."""


class SilencePages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    # Looking ----------------------------------------------------------------------------------------------------------

    async def silences(self, request: Request) -> Response:
        who = await self._signed_in(request)
        query = _query(request.query_params)
        page = await self._front.silences(who, query)
        zones = await self._front.device_zones(who) if who.roles & OVERSEERS else []
        kept = {"zone": str(query.zone) if query.zone else None}
        return self._page(
            request,
            "silences.html",
            page=page,
            silences=sorted(page.silences, key=_weight) if query.state == "current" else page.silences,
            query=query,
            zones=zones,
            kept=kept,
            may_set=bool(who.roles & OVERSEERS),
            **about_silences(who),
        )

    async def silence(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        return await self._silence_page(request, who, uid)

    async def _silence_page(self, request: Request, who: Who, uid: UUID, refused: Problem | None = None) -> Response:
        detail = await self._front.silence(who, uid)
        spans = _spans(detail.kind, 24 * 31 if detail.kind is Kind.SILENCE else 24 * 92)
        told = _refusal(refused, who) if refused else None
        status = refused.status if refused else 200
        return self._page(
            request, "silence.html", status, silence=detail, refused=told, spans=spans, **about_silences(who)
        )

    # Setting ----------------------------------------------------------------------------------------------------------

    async def new_silence(self, request: Request) -> Response:
        who = await self._signed_in(request)
        return await self._silence_form(request, who, request.query_params)

    async def set_silence(self, request: Request) -> Response:
        who, form = await self._signed_form(request, back="/silences")
        try:
            made = await self._front.set_silence(who, _request(form, self._now()))
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._silence_form(request, who, form, refused)
        return RedirectResponse(f"/silences/{made.id}", SEE_OTHER)

    async def _silence_form(
        self, request: Request, who: Who, given: Mapping[str, str], refused: Problem | None = None
    ) -> Response:
        draft = await self._front.silence_draft(who, _for(given))
        away = given.get("kind") == Kind.AWAY and draft.may_away
        kind = Kind.AWAY if away or not draft.may_silence else Kind.SILENCE
        hours = draft.longest_away_hours if kind is Kind.AWAY else draft.longest_hours
        return self._page(
            request,
            "silence_form.html",
            refused.status if refused else 200,
            draft=draft,
            kind=kind,
            given=given,
            reasons={each.value: REASON_WORDS[each] for each in REASONS[kind]},
            spans=_spans(kind, hours),
            tracks=TRACKS,
            refused=_refusal(refused, who) if refused else None,
            still=True,
            **about_silences(who),
        )

    # Changing ---------------------------------------------------------------------------------------------------------

    async def end_silence(self, request: Request, uid: UUID) -> Response:
        who, form = await self._signed_form(request, back=f"/silences/{uid}")
        try:
            await self._front.end_silence(who, uid, _seen(form))
        except Problem as refused:
            return await self._again(request, who, uid, refused)
        return RedirectResponse(f"/silences/{uid}", SEE_OTHER)

    async def extend_silence(self, request: Request, uid: UUID) -> Response:
        who, form = await self._signed_form(request, back=f"/silences/{uid}")
        try:
            until = _until(form, self._now())
            longer = schemas.SilenceLonger(until=until, version=_seen(form).version)
            await self._front.extend(who, uid, longer)
        except Problem as refused:
            return await self._again(request, who, uid, refused)
        return RedirectResponse(f"/silences/{uid}", SEE_OTHER)

    async def consent_to_silence(self, request: Request, uid: UUID) -> Response:
        who, form = await self._signed_form(request, back=f"/silences/{uid}")
        try:
            await self._front.consent(who, uid, _seen(form))
        except Problem as refused:
            return await self._again(request, who, uid, refused)
        return RedirectResponse(f"/silences/{uid}", SEE_OTHER)

    async def _again(self, request: Request, who: Who, uid: UUID, refused: Problem) -> Response:
        """The silence as it is now, and why nothing was done."""
        if isinstance(refused, NotSignedIn) or refused.status == 404:
            raise refused
        return await self._silence_page(request, who, uid, refused)


# Parts ----------------------------------------------------------------------------------------------------------------


def about_silences(who: Who) -> dict[str, Any]:
    """What the templates say of a silence."""
    gettext = translations(who.language).gettext
    return {
        "scope": lambda scope: gettext(SCOPES[scope.name]).format(name=scope.text),
        "what": lambda silence: what_it_holds(silence, who.language),
        "address": views.address,
    }


def what_it_holds(silence: schemas.SilenceView, language: str) -> str:
    """What is held back, in a few words."""
    _ = translations(language).gettext
    if silence.kind is Kind.AWAY:
        return _(N_("What waits for life at home: missed doses, not back, the door at night"))
    if silence.condition_text:
        return silence.condition_text
    text = {
        Track.CARE: N_("Everything that calls care staff"),
        Track.TECHNICAL: N_("Everything that calls technical services"),
        None: N_("Everything"),
    }[silence.track]
    return _(text) if silence.vital else _(N_("{all}, but nothing that is critical")).format(all=_(text))


def _weight(silence: schemas.SilenceView) -> tuple[bool, datetime]:
    """What waits for somebody first, then what ends first."""
    return silence.state not in ("asked", "overdue") and silence.asked_until is None, silence.until


def _query(asked: Mapping[str, str]) -> schemas.SilenceQuery:
    """What an address asks for; what makes no sense is not asked for."""
    return schemas.SilenceQuery(
        state="ended" if asked.get("state") == "ended" else "current",
        zone=_uid(asked.get("zone", "")),
        cursor=asked.get("cursor", "")[:64] or None,
        limit=PER_PAGE,
    )


def _for(given: Mapping[str, str]) -> schemas.SilenceFor:
    named = {name: given[name] for name in ("zone", "resident", "device") if given.get(name)}
    try:
        return schemas.SilenceFor.model_validate(named)
    except ValidationError as wrong:
        raise Invalid("choose", "no such zone, resident or device") from wrong


def _request(form: Mapping[str, str], now: datetime) -> schemas.SilenceRequest:
    names = ("zone", "resident", "device", "kind", "condition", "track", "reason", "note")
    given: dict[str, Any] = {name: form[name] for name in names if form.get(name)}
    if not given.get("reason"):
        raise Invalid("reason", "a reason has to be chosen")
    until = _until(form, now)
    try:
        return schemas.SilenceRequest.model_validate({**given, "vital": form.get("vital") == "on", "until": until})
    except ValidationError as wrong:
        raise Invalid("choose", "the form cannot be read") from wrong


def _until(form: Mapping[str, str], now: datetime) -> datetime:
    """A time that was typed counts before a span that was chosen. Local, as the clock on the wall has it."""
    typed, hours = form.get("until", ""), form.get("hours", "")
    if typed:
        try:
            return datetime.fromisoformat(typed[:16]).replace(tzinfo=OSLO)
        except ValueError as wrong:
            raise Invalid("until", "this is no time") from wrong
    if not hours.isdecimal() or not 1 <= int(hours[:5]) <= 24 * 92:
        raise Invalid("until", "an end has to be chosen")
    return now + timedelta(hours=int(hours))


def _seen(form: Mapping[str, str]) -> schemas.SilenceSeen:
    version = form.get("version", "")
    if not version.isdecimal() or len(version) > 9 or int(version) < 1:
        raise Invalid("choose", "the form cannot be read")
    return schemas.SilenceSeen(version=int(version))


def _spans(kind: Kind, most: int) -> dict[int, tuple[int, int]]:
    """Hours to choose from, as days and hours."""
    return {each: divmod(each, 24) if each >= 72 else (0, each) for each in SPANS[kind] if each <= most}


def _refusal(refused: Problem, who: Who) -> str:
    gettext = translations(who.language).gettext
    if refused.reason in REFUSED:
        return gettext(REFUSED[refused.reason])
    return words.refusal(refused.reason, refused.status, refused.detail, gettext)


def _uid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
