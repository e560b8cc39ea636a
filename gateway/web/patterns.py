"""The pages of what recurs in a roster: weekly patterns of one or several weeks, and turns – which there are, setting one, its end.

Rules
    Each is set in one form without any script. Before it is saved, who would be on duty is shown for four weeks, by the code by which
    alerts find people. A change is a new plan from a day on, which ends the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_date, get_day_names
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from alerts.holidays import NAMES
from alerts.render import translations
from alerts.schedule import ONE_DAY, local
from devices.words import N_
from gateway.api import schemas
from gateway.errors import Invalid, NotAllowed, NotFound, NotSignedIn, Problem
from gateway.web import patternform, rosterview
from gateway.web.part import SEE_OTHER, Part
from gateway.web.patternform import Pattern, Turns
from gateway.web.rosters import ROLES, address_of, chosen_zone, role_of
from gateway.web.rosterview import ZoneOption
from gateway.web.seam import Who

AHEAD = 4
"""Weeks that are shown before something is set."""
PATTERNS = "/rosters/patterns"

ROUTES = (
    ("GET", PATTERNS, "patterns"),
    ("POST", PATTERNS, "end_patterns"),
    ("GET", "/rosters/patterns/edit", "edit_pattern"),
    ("POST", "/rosters/patterns/edit", "set_pattern"),
    ("GET", "/rosters/rotations/edit", "edit_rotation"),
    ("POST", "/rosters/rotations/edit", "set_rotation"),
)
"""Method, path and the name of the page's method."""

REFUSED = {
    "stale": N_("Somebody else has changed this plan meanwhile. Look at what there is now, and begin again."),
    "begun": N_("That has begun already. Give a later day: what was served stays as it was."),
    "person": N_("They do not work in this zone now, or not in this role. Choose one of its staff."),
    "persons": N_("One of them does not work in this zone now, or not in this role. Choose from its staff."),
    "last_day": N_("It has not begun by then. Give a later day."),
    "fields": N_("Not saved: something is wrong in the form, see below."),
    "day": N_("This is no day. Give one, as 2026-11-30."),
    "shift": N_("This plan is not there any more. Look at what there is now."),
    "rotation": N_("This plan is not there any more. Look at what there is now."),
}
"""Why something was not done, by a problem's reason."""


class Place:
    """A zone whose roster somebody plans, and a role in it."""

    def __init__(self, zone: ZoneOption, role: schemas.Serving, roster: schemas.RosterView) -> None:
        self.zone, self.role, self.roster = zone, role, roster
        self.clock = ZoneInfo(roster.time_zone)

    @property
    def asked(self) -> dict[str, str]:
        return {"zone": str(self.zone.id), "role": self.role}

    @property
    def staff(self) -> list[schemas.Colleague]:
        return [each for each in self.roster.staff if self.role in each.roles]


class PatternPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    # Looking, and an end ----------------------------------------------------------------------------------------------

    async def patterns(self, request: Request) -> Response:
        who = await self._signed_in(request)
        return await self._patterns_page(request, who, request.query_params)

    async def end_patterns(self, request: Request) -> Response:
        """A pattern or a rotation goes on until a day."""
        who, form = await self._signed_form(request, back=PATTERNS)
        try:
            await self._end(who, form)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._patterns_page(request, who, form, refused)
        return RedirectResponse(address_of(PATTERNS, form), SEE_OTHER)

    async def _end(self, who: Who, form: Mapping[str, str]) -> None:
        try:
            last = date.fromisoformat(form.get("last_day", ""))
            seen = [schemas.Seen.model_validate(each) for each in patternform.seen(form.get("seen", "").split())]
        except ValueError as wrong:
            raise Invalid("day", "that is no day", "give a day") from wrong
        if not seen:
            raise Invalid("choose", "nothing is chosen")
        if form.get("do") == "rotation":
            await self._front.end_rotation(who, seen[0].id, schemas.EndRequest(last_day=last, version=seen[0].version))
        else:
            end = schemas.PatternEnd(shifts=tuple(seen), last_day=last)
            await self._front.end_pattern(who, _uuid(form.get("zone")), end)

    async def _patterns_page(
        self, request: Request, who: Who, asked: Mapping[str, str], refused: Problem | None = None
    ) -> Response:
        zones = rosterview.zone_options(await self._front.zones(who))
        if not zones:
            raise NotFound("not_found", "there is no zone of yours")
        place = await self._place(who, zones, asked)
        today = self._now().astimezone(place.clock).date()
        mine = [each for each in place.roster.shifts if each.role == place.role]
        groups = patternform.groups(mine)
        rotations = [each for each in place.roster.rotations if each.role == place.role]
        shown: dict[str, Any] = {
            "zones": zones,
            "place": place,
            "roles": ROLES,
            "groups": [each for each in groups if not _is_over(each.to_date, today)],
            "rotations": [each for each in rotations if not _is_over(each.to_date, today)],
            "holidays": [each for each in mine if each.on_days and not _is_over(each.to_date, today)],
            "holiday_names": NAMES,
            "days": get_day_names("abbreviated", locale=who.language),
            "today": today,
            "day": lambda each: format_date(each, "d. MMM y", locale=who.language),
            "refused": _refusal(refused, who.language),
        }
        return self._page(request, "patterns.html", refused.status if refused else 200, still=True, **shown)

    # A pattern --------------------------------------------------------------------------------------------------------

    async def edit_pattern(self, request: Request) -> Response:
        """The form: of a pattern that stands, by one of its shifts, or of a new one."""
        who, place = await self._planner(request)
        today = self._now().astimezone(place.clock).date()
        asked = request.query_params.get("pattern")
        if not asked:
            return await self._pattern_form(request, who, place, Pattern(from_date=(today + ONE_DAY).isoformat()))
        for group in patternform.groups(each for each in place.roster.shifts if each.role == place.role):
            if asked in [str(each.id) for each in group.shifts] and group.zone.id == place.zone.id:
                return await self._pattern_form(request, who, place, patternform.of(group, today))
        raise NotFound("shift", "there is no such pattern in this zone", "choose one from the list")

    async def set_pattern(self, request: Request) -> Response:
        """Save what is in the form, show what it would come to, or give it back with other weeks."""
        who, answers = await self._answers(request, PATTERNS)
        place = await self._planner_of(who, _flat(answers))
        form, what = patternform.read(answers), answers.get("do", ["preview"])[-1]
        if what not in ("save", "preview"):
            return await self._pattern_form(request, who, place, patternform.copied(form) if what == "copy" else form)
        read = patternform.pattern(form, place.role)
        if read.request is None:
            return await self._pattern_form(request, who, place, form, Invalid("fields", "see below"), read.wrong)
        try:
            if what == "save":
                await self._front.add_pattern(who, place.zone.id, read.request)
                return RedirectResponse(address_of(PATTERNS, place.asked), SEE_OTHER)
            plan = schemas.PlanPreview(pattern=read.request)
            weeks = await self._preview(who, place, plan, read.request.from_date)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._pattern_form(request, who, place, form, refused, _beside(refused, "from_date"))
        return await self._pattern_form(request, who, place, form, weeks=weeks)

    async def _pattern_form(
        self,
        request: Request,
        who: Who,
        place: Place,
        form: Pattern,
        refused: Problem | None = None,
        wrong: Mapping[str, str] | None = None,
        weeks: list[Any] | None = None,
    ) -> Response:
        if request.method == "POST":
            request.state.here = address_of("/rosters/patterns/edit", place.asked)
        shown = {"form": form, "day_names": get_day_names("wide", locale=who.language), "most": schemas.MOST_WEEKS}
        return self._plan_form(request, who, place, "pattern_form.html", shown, refused, wrong, weeks)

    # A rotation -------------------------------------------------------------------------------------------------------

    async def edit_rotation(self, request: Request) -> Response:
        """The form: of turns that stand, or of new ones."""
        who, place = await self._planner(request)
        today = self._now().astimezone(place.clock).date()
        asked = request.query_params.get("rotation")
        if not asked:
            return await self._rotation_form(request, who, place, Turns(first_day=(today + ONE_DAY).isoformat()))
        for each in place.roster.rotations:
            if str(each.id) == asked and (each.zone.id, each.role) == (place.zone.id, place.role):
                return await self._rotation_form(request, who, place, patternform.turns_of(each, today))
        raise NotFound("rotation", "there is no such rotation in this zone", "choose one from the list")

    async def set_rotation(self, request: Request) -> Response:
        """The same of turns; its buttons move persons."""
        who, answers = await self._answers(request, PATTERNS)
        place = await self._planner_of(who, _flat(answers))
        form, what = patternform.read_turns(answers), answers.get("do", ["preview"])[-1]
        if what not in ("save", "preview"):
            return await self._rotation_form(request, who, place, patternform.done(form, what))
        read = patternform.turns(form, place.role)
        if read.request is None:
            return await self._rotation_form(request, who, place, form, Invalid("fields", "see below"), read.wrong)
        try:
            if what == "save":
                await self._front.add_rotation(who, place.zone.id, read.request)
                return RedirectResponse(address_of(PATTERNS, place.asked), SEE_OTHER)
            plan = schemas.PlanPreview(rotation=read.request)
            weeks = await self._preview(who, place, plan, read.request.first_day)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._rotation_form(request, who, place, form, refused, _beside(refused, "first_day"))
        return await self._rotation_form(request, who, place, form, weeks=weeks)

    async def _rotation_form(
        self,
        request: Request,
        who: Who,
        place: Place,
        form: Turns,
        refused: Problem | None = None,
        wrong: Mapping[str, str] | None = None,
        weeks: list[Any] | None = None,
    ) -> Response:
        if request.method == "POST":
            request.state.here = address_of("/rosters/rotations/edit", place.asked)
        names = get_day_names("abbreviated", locale=who.language)
        shown = {"form": form, "days": [(day, names[day]) for day in range(7)]}
        return self._plan_form(request, who, place, "rotation_form.html", shown, refused, wrong, weeks)

    # Shared -----------------------------------------------------------------------------------------------------------

    def _plan_form(
        self,
        request: Request,
        who: Who,
        place: Place,
        template: str,
        shown: Mapping[str, Any],
        refused: Problem | None,
        wrong: Mapping[str, str] | None,
        weeks: list[Any] | None,
    ) -> Response:
        gettext = translations(who.language).gettext
        return self._page(
            request,
            template,
            refused.status if refused else 200,
            place=place,
            roles=ROLES,
            wrong={name: gettext(text) for name, text in (wrong or {}).items()},
            refused=_refusal(refused, who.language),
            weeks=weeks,
            still=True,
            **shown,
        )

    async def _preview(self, who: Who, place: Place, plan: schemas.PlanPreview, first: date) -> list[Any]:
        """Four weeks from when it begins, or from this one where that is over, day by day."""
        now = self._now()
        begins = max(first, now.astimezone(place.clock).date())
        monday = begins - ONE_DAY * begins.weekday()
        since, until = (local(day, time(0), place.clock) for day in (monday, monday + timedelta(weeks=AHEAD)))
        duty = await self._front.preview_plan(
            who, place.zone.id, plan.model_copy(update={"since": since, "until": until})
        )
        mondays = [monday + timedelta(weeks=number) for number in range(AHEAD)]
        return [rosterview.days(duty.spans, each, now, place.clock, who.language) for each in mondays]

    async def _planner(self, request: Request) -> tuple[Who, Place]:
        """Whoever plans, and the zone that is asked for, else one of theirs."""
        who: Who = await self._signed_in(request)
        return who, await self._place(who, await self._planned_zones(who), request.query_params)

    async def _planner_of(self, who: Who, form: Mapping[str, str]) -> Place:
        """The zone that a form is for. NotFound for one that is not theirs: nothing is set elsewhere instead."""
        zones = [each for each in await self._planned_zones(who) if str(each.id) == form.get("zone")]
        if not zones:
            raise NotFound("zone", "there is no such zone, or you do not plan its roster", "choose one that you lead")
        return await self._place(who, zones, form)

    async def _planned_zones(self, who: Who) -> list[ZoneOption]:
        zones = [
            each for each in rosterview.zone_options(await self._front.zones(who)) if each.roles & {"lead", "admin"}
        ]
        if not zones:
            raise NotAllowed("role", "rosters are planned by leads and administrators")
        return zones

    async def _place(self, who: Who, zones: list[ZoneOption], asked: Mapping[str, str]) -> Place:
        zone = chosen_zone(zones, asked.get("zone", ""))
        return Place(zone, role_of(asked.get("role")), await self._front.roster(who, zone.id))


def _is_over(to_date: date | None, today: date) -> bool:
    return to_date is not None and to_date < today


def _flat(answers: Mapping[str, Any]) -> dict[str, str]:
    return {name: values[-1] for name, values in answers.items() if values}


def _beside(refused: Problem, first: str) -> dict[str, str]:
    """The field that a refusal is about."""
    name = {"begun": first}.get(refused.reason, refused.reason)
    return {name: REFUSED[refused.reason]} if refused.reason in ("begun", "person", "persons") else {}


def _uuid(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError:
        raise Invalid("choose", "something has to be chosen first") from None


def _refusal(refused: Problem | None, language: str) -> str | None:
    if refused is None:
        return None
    words = REFUSED.get(refused.reason)
    return translations(language).gettext(words) if words else refused.detail
