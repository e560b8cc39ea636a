"""The pages of policies: which there are, setting one, who would be paged, and the week to come.

Rules
    A policy is set in one form without any script: its buttons send it, and it comes back with a step more, less or moved. What
    is saved is what is in the form, against the version that was there when it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from babel.dates import format_date, get_day_names
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from alerts.contacts import State
from alerts.describe import span
from alerts.model import Track
from alerts.policywords import TRACKS
from alerts.reach import ENOUGH, HOUR, MOST_PERSONS
from alerts.render import SEVERITIES, translations
from alerts.timeline import CHANNELS, TARGETS, channel_text
from devices.words import N_
from gateway.access import LEADERS, OVERSEERS, POLICY_MAKERS
from gateway.api import schemas
from gateway.errors import Invalid, NotAllowed, NotSignedIn, Problem
from gateway.policing import conditions
from gateway.web import policyform
from gateway.web.contacts import ICONS, STATES
from gateway.web.html import OSLO
from gateway.web.part import SEE_OTHER, Part
from gateway.web.policyform import Spec
from gateway.web.seam import Who

MOST_COLLEAGUES = 200

ROUTES = (
    ("GET", "/policies", "policies"),
    ("GET", "/policies/edit", "edit_policy"),
    ("POST", "/policies/edit", "set_policy"),
    ("GET", "/policies/{uid}", "policy"),
    ("POST", "/policies/{uid}/withdraw", "withdraw_policy"),
    ("GET", "/rehearsal", "rehearsal"),
    ("GET", "/reach", "reach"),
)
"""Method, path and the name of the page's method."""

ASKED = ("zone", "resident", "q", "condition", "severity", "track", "at")
"""What the form of a rehearsal asks."""
SCOPES = {"whole": N_("Everywhere"), "zone": N_("Zone: {name}"), "resident": N_("Resident: {name}")}
REFUSED = {
    "stale": N_("Somebody else has changed this policy meanwhile. Open it again, and look before you save."),
    "name": N_("There is already a policy of this name here. Choose another name."),
    "zone": N_("You may not set policies here."),
    "policy": N_("Something is wrong with the policy; see below."),
    "last": N_("Without this one some alerts would have no policy. Set another one for everywhere first."),
    "reach": N_("This ladder reaches fewer than two persons: {detail}"),
    "condition": N_("No rule raises that. Choose something from the list."),
    "scope": N_("There is no such place, or it is not yours."),
}
"""Why something was not done, by a problem's reason."""
WRONG = {
    "wait": N_("For something serious at most 15 minutes. Or let the policy be for less serious alerts alone."),
    "repeat": N_("What is serious is repeated every 5 minutes at least."),
    "range": N_("The number is too small or too large."),
    "code": N_("One of these codes does not exist."),
    "contact": N_("There is no such kind of contact."),
    "unknown": N_("Nobody of these is there any more."),
    "missing": N_("This is missing."),
}
LIMIT_WORDS = {
    "claimed": N_("Taken, minutes"),
    "on_way": N_("On the way, minutes"),
    "arrived": N_("On site, minutes"),
    "accept": N_("A hand-over to be accepted, minutes"),
}
CANNOT_BE_READ = N_("This cannot be read.")


@dataclass(frozen=True, slots=True)
class Edited:
    """A policy in the form. ``uid`` and ``version``: of the one that is changed; None and 0 for a new one. ``at``: what it is
    for, as ``zone:…``."""

    spec: Spec
    at: str
    uid: UUID | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour of a zone: how many persons, and how bad that is: 0 nobody, 1 one, 2 enough; None where nothing is for it."""

    hour: str
    persons: int
    level: int | None


class PolicyPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    # Looking ----------------------------------------------------------------------------------------------------------

    async def policies(self, request: Request) -> Response:
        who = await self._signed_in(request)
        found = await self._front.policies(who)
        zones = [each for each in _flat(await self._front.zones(who)) if set(each.roles) & POLICY_MAKERS]
        whole = any(each.scope.name == "whole" and each.may_change for each in found)
        return self._page(
            request, "policies.html", found=found, zones=zones, whole=whole, scope=_scope_text(who), still=True
        )

    async def policy(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        return await self._policy_page(request, who, uid)

    async def withdraw_policy(self, request: Request, uid: UUID) -> Response:
        who, answers = await self._answers(request, f"/policies/{uid}")
        version = answers.get("version", [""])[-1]
        try:
            await self._front.withdraw_policy(who, uid, int(version) if version.isdigit() else 0)
        except Problem as refused:
            if refused.status == 404:
                raise
            return await self._policy_page(request, who, uid, refused)
        return RedirectResponse("/policies", SEE_OTHER)

    async def _policy_page(self, request: Request, who: Who, uid: UUID, refused: Problem | None = None) -> Response:
        detail = await self._front.policy(who, uid)
        told = _refusal(refused, who) if refused else None
        status = refused.status if refused else 200
        return self._page(
            request, "policy.html", status, policy=detail, refused=told, scope=_scope_text(who), still=True
        )

    # Setting ----------------------------------------------------------------------------------------------------------

    async def edit_policy(self, request: Request) -> Response:
        """The form: of a policy as it stands, or of a new one for a zone, a resident or everywhere."""
        who = await self._signed_in(request)
        if not who.roles & POLICY_MAKERS:
            raise NotAllowed("role", "policies are set by leads and administrators")
        asked = request.query_params
        if (uid := _uid(asked.get("policy"))) is not None:
            there = await self._front.policy(who, uid)
            at = f"{there.scope.name}:{there.scope.id}" if there.scope.id else ""
            return await self._policy_form(
                request, who, Edited(policyform.spec_of(there.policy), at, uid, there.version)
            )
        at = next((f"{name}:{asked[name]}" for name in ("zone", "resident") if asked.get(name)), "")
        return await self._policy_form(request, who, Edited(policyform.fresh(), at))

    async def set_policy(self, request: Request) -> Response:
        """Save what is in the form, or give it back with a step more, less or moved."""
        who, answers = await self._answers(request, "/policies")
        uid, version = _uid(answers.get("policy", [""])[-1]), answers.get("version", ["0"])[-1]
        before = policyform.spec_of((await self._front.policy(who, uid)).policy) if uid else policyform.fresh()
        spec, at = policyform.read(answers, before), answers.get("at", [""])[-1]
        edited = Edited(spec, at, uid, int(version) if version.isdigit() else 0)
        what = answers.get("do", ["save"])[-1]
        if what != "save":
            again = Edited(policyform.done(spec, what), at, uid, edited.version)
            return await self._policy_form(request, who, again)
        try:
            saved = await self._save(who, edited)
        except Problem as refused:
            if isinstance(refused, NotSignedIn) or refused.status == 404:
                raise
            return await self._policy_form(request, who, edited, refused)
        return RedirectResponse(f"/policies/{saved.id}", SEE_OTHER)

    async def _save(self, who: Who, edited: Edited) -> schemas.PolicyView:
        if edited.uid is not None:
            change = schemas.PolicyChange(policy=edited.spec, version=max(1, edited.version))
            return await self._front.change_policy(who, edited.uid, change)
        return await self._front.add_policy(who, schemas.PolicyRequest(scope=_scope(edited.at), policy=edited.spec))

    async def _policy_form(
        self, request: Request, who: Who, edited: Edited, refused: Problem | None = None
    ) -> Response:
        options = await self._front.policy_options(who, _scope(edited.at))
        offered = [each.condition for each in options.conditions]
        request.state.here = f"/policies/edit?{_edit_query(edited)}"
        shown: dict[str, Any] = {
            "edited": edited,
            "spec": edited.spec,
            "options": options,
            "vkp": policyform.vkp(edited.spec, offered),
            "days": _days(who.language),
            "form": policyform,
            "targets": {each: text for each, text in TARGETS.items() if each not in ("person", "team")},
            "tracks": TRACKS,
            "severities": SEVERITIES,
            "limit_words": LIMIT_WORDS,
            "channels": CHANNELS,
            "wrong": _wrong(refused, who) if refused else {},
            "refused": _refusal(refused, who) if refused else None,
            "scope": _scope_text(who),
        }
        return self._page(request, "policy_form.html", refused.status if refused else 200, still=True, **shown)

    # Before it matters ------------------------------------------------------------------------------------------------

    async def rehearsal(self, request: Request) -> Response:
        """Who would be paged: the form, and below it what it asks for."""
        who = await self._signed_in(request)
        if not who.roles & OVERSEERS:
            raise NotAllowed("role", "this is for leads, the response centre, technical services and administrators")
        asked = {name: request.query_params.get(name, "") for name in ASKED}
        zones = [each for each in _flat(await self._front.zones(who)) if set(each.roles) & OVERSEERS]
        found, refused = None, None
        if asked["zone"] or asked["resident"]:
            try:
                found = await self._front.rehearsal(who, _rehearsal_query(asked))
            except Invalid as problem:
                refused = problem
        name = asked["q"].replace("\x00", "").strip()
        residents = (
            (await self._front.residents(who, schemas.ResidentQuery(q=name[:100], limit=10))).residents if name else []
        )
        shown: dict[str, Any] = {
            "zones": zones,
            "asked": asked,
            "at_local": _local_at(asked, self._now()),
            "conditions": conditions(who.language),
            "severities": SEVERITIES,
            "tracks": TRACKS,
            "residents": residents,
            "found": found,
            "chained": any(any(each.after_seconds) for rung in found.rungs for each in rung.called) if found else False,
            "refused": _refusal(refused, who) if refused else None,
            "span": span,
            "may_set": bool(who.roles & POLICY_MAKERS),
            "scope": _scope_text(who),
        }
        return self._page(request, "rehearsal.html", 422 if refused else 200, still=True, **shown)

    async def reach(self, request: Request) -> Response:
        """Hour by hour and zone by zone, for a day of the week to come."""
        who = await self._signed_in(request)
        found = await self._front.reach(who)
        track = Track.TECHNICAL if request.query_params.get("track") == "technical" else Track.CARE
        gaps = [each for each in found.gaps if each.track is track]
        days = _days_of(found)
        day = next((each for each in days if each.isoformat() == request.query_params.get("day")), None)
        day = day or (days[0] if days else None)
        rows = [(zone, list(_cells(zone, day, track))) for zone in found.zones] if day else []
        shown: dict[str, Any] = {
            "found": found,
            "track": track,
            "tracks": TRACKS,
            "day": day,
            "days": [(each, _day_text(each, who.language), _weak_hours(found, each, track)) for each in days],
            "rows": rows,
            "gaps": [each for each in gaps if day and _falls_on(each, day)],
            "local_at": lambda moment: f"{max(moment, self._now()).astimezone(OSLO):%Y-%m-%dT%H:%M}",
            "severities": SEVERITIES,
            "colleagues": await self._colleagues(who),
            "headed": partial(channel_text, language=who.language, heads=True),
            "contact_states": STATES,
            "contact_icons": ICONS,
        }
        return self._page(request, "reach.html", still=True, **shown)

    async def _colleagues(self, who: Who) -> list[schemas.StaffItem]:
        """The staff of the zones that the reader leads, those first who nothing is known to reach."""
        if not who.roles & LEADERS:
            return []
        staff = (await self._front.people(who, schemas.StaffQuery(limit=MOST_COLLEAGUES))).people
        return sorted(staff, key=lambda each: any(way.state is State.WORKS for way in each.contacts))


# Parts ----------------------------------------------------------------------------------------------------------------


def _flat(zones: Sequence[schemas.ZoneView]) -> Iterator[schemas.ZoneView]:
    for each in zones:
        yield each
        yield from _flat(each.below)


def _scope_text(who: Who) -> Any:
    gettext = translations(who.language).gettext

    def told(scope: schemas.PolicyScope) -> str:
        return gettext(SCOPES[scope.name]).format(name=scope.text)

    return told


def _refusal(refused: Problem, who: Who) -> str:
    message = REFUSED.get(refused.reason)
    return translations(who.language).gettext(message).format(detail=refused.detail) if message else refused.detail


def _wrong(refused: Problem, who: Who) -> Mapping[str, str]:
    """What is wrong, by the field of the form; a step's by its number."""
    gettext = translations(who.language).gettext
    told: dict[str, str] = {}
    for each in refused.errors:
        parts = each["field"].split(".")
        name = ".".join(parts[:2]) if parts[0] == "steps" and len(parts) > 1 else parts[0]
        told[name] = gettext(WRONG.get(each["code"], CANNOT_BE_READ))
    return told


def _uid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid("scope", "no such policy", "choose one from the list") from None


def _scope(at: str) -> schemas.PolicyScopeRequest:
    """What a form's value says, as ``zone:…``; everywhere for an empty one."""
    name, _, uid = at.partition(":")
    try:
        return schemas.PolicyScopeRequest.model_validate({name: uid} if uid else {})
    except ValidationError as error:
        raise Invalid("scope", "no such zone or resident", "choose one from a list") from error


def _edit_query(edited: Edited) -> str:
    name, _, uid = edited.at.partition(":")
    return urlencode({"policy": str(edited.uid)} if edited.uid else {name: uid} if uid else {})


def _days(language: str) -> list[tuple[int, str]]:
    names = get_day_names("abbreviated", locale=language)
    return [(day, names[day]) for day in range(7)]


def _rehearsal_query(asked: Mapping[str, str]) -> schemas.RehearsalQuery:
    """As the form has it: a resident that was chosen before the zone; local time."""
    given: dict[str, Any] = {name: asked[name] for name in ("condition", "severity", "track") if asked.get(name)}
    where = "resident" if asked.get("resident") else "zone"
    try:
        at = datetime.fromisoformat(asked["at"]).replace(tzinfo=OSLO) if asked.get("at") else None
        return schemas.RehearsalQuery.model_validate({**given, where: asked[where], "at": at})
    except ValueError as error:
        raise Invalid(
            "scope", "the form cannot be read", "choose from the lists, and give a date and a time"
        ) from error


def _local_at(asked: Mapping[str, str], now: datetime) -> str:
    return asked["at"] or f"{now.astimezone(OSLO):%Y-%m-%dT%H:%M}"


# The week to come -----------------------------------------------------------------------------------------------------


def _hours(zone: schemas.ReachZone) -> list[datetime]:
    return [zone.since + number * HOUR for number in range(len(zone.care))]


def _days_of(found: schemas.ReachView) -> list[date]:
    """The local days that are looked at."""
    hours = _hours(found.zones[0]) if found.zones else []
    return sorted({each.astimezone(OSLO).date() for each in hours})


def _cells(zone: schemas.ReachZone, day: date, track: Track) -> Iterator[Cell]:
    persons = zone.care if track is Track.CARE else zone.technical
    for hour, number in zip(_hours(zone), persons, strict=True):
        local = hour.astimezone(OSLO)
        if local.date() == day:
            yield Cell(f"{local:%H}", number, _level(number))


def _level(persons: int) -> int | None:
    return None if persons == MOST_PERSONS else min(persons, ENOUGH)


def _weak_hours(found: schemas.ReachView, day: date, track: Track) -> int:
    return sum(cell.level in (0, 1) for zone in found.zones for cell in _cells(zone, day, track))


def _falls_on(gap: schemas.ReachGap, day: date) -> bool:
    last = (gap.until - timedelta(seconds=1)).astimezone(OSLO).date()
    return gap.since.astimezone(OSLO).date() <= day <= last


def _day_text(day: date, language: str) -> str:
    return format_date(day, "EEE d.", locale=language)
