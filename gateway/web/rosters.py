"""The pages of rosters: a zone's week with its changes, and one's own shifts with check-in, swaps and absences.

Rules
    Every form is one step, works without JavaScript, and leads back to where it was; what is refused is shown there with the
    reason, and nothing of the roster has changed.
    Who may plan sees the forms of planning. The page shows what is so; who is paged is decided by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from alerts.checkin import Presence
from alerts.render import translations
from alerts.schedule import ONE_DAY, local
from devices.words import N_
from gateway.api import schemas
from gateway.errors import Invalid, NotFound, NotSignedIn, Problem
from gateway.web import guard, rosterview
from gateway.web.html import OSLO
from gateway.web.part import SEE_OTHER, Part
from gateway.web.rosterview import ZoneOption
from gateway.web.seam import Who

A_WEEK = timedelta(days=7)
ROSTERS, MINE = "/rosters", "/my-shifts"
GRACES = (5, 10, 15, 30)
SWAPS_AHEAD = timedelta(days=28)

ROUTES = (
    ("GET", ROSTERS, "rosters"),
    ("POST", ROSTERS, "change_roster"),
    ("GET", "/rosters/import", "import_form"),
    ("POST", "/rosters/import", "import_roster"),
    ("GET", MINE, "my_shifts"),
    ("POST", MINE, "change_my_shifts"),
    ("GET", "/calendar/{token}.ics", "calendar"),
)
"""Method, path and the name of the page's method."""

ROLES = {"responder": N_("Home-care staff"), "technical": N_("Technical services")}
KINDS = {"sick": N_("Ill"), "leave": N_("Leave or holiday")}
SWAP_STATES = {"proposed": N_("waits for an answer"), "accepted": N_("agreed")}
SWAP_ANSWERS = {"accept": N_("Accept"), "decline": N_("Decline"), "withdraw": N_("Withdraw")}

REFUSED = {
    "same_person": N_("Nobody can serve instead of themselves. Choose somebody else."),
    "not_on_duty_then": N_("Whoever is to leave is not on duty all of that time. Look at the week again."),
    "two_places": N_("Whoever is to come is on duty then already. Choose somebody else, or another time."),
    "away_then": N_("Whoever is to come is away then. Choose somebody else."),
    "changes_nothing": N_("That would change nothing: a swap or an absence has the last word. Change that first."),
    "stale": N_("Somebody else has changed this meanwhile. Look at it again."),
    "answered": N_("That swap is answered already."),
    "withdrawn": N_("That is withdrawn already."),
    "away_already": N_("They are away then already. Change that instead."),
    "not_yours": N_("That is not for you to change. Ask your lead."),
    "no_shift": N_("You have no shift now, or within two hours, that is checked in to."),
    "begins": N_("It has begun already, or is over. Give a time that is still to come."),
    "ends": N_("The end is not later than the beginning, or is over already."),
    "leaves": N_("They do not work in this zone then. Choose one of its staff."),
    "comes": N_("They do not work in this zone then. Choose one of its staff."),
    "cover": N_("They do not serve where whoever is away does. Choose one of their colleagues."),
    "calendar": N_("This is no calendar that can be read. Export it as iCalendar (.ics) and put in its whole text."),
    "choose": N_("Not sent: something has to be chosen first."),
}
"""Why something of a roster was not changed, by a problem's reason."""

Form = Mapping[str, str]
Request_ = TypeVar("Request_", bound=BaseModel)


class RosterPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    # A zone -----------------------------------------------------------------------------------------------------------

    async def rosters(self, request: Request) -> Response:
        who = await self._signed_in(request)
        return await self._roster_page(request, who, request.query_params)

    async def change_roster(self, request: Request) -> Response:
        who, form = await self._signed_form(request, back=ROSTERS)
        try:
            await self._planned(who, form)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._roster_page(request, who, form, refused)
        return RedirectResponse(address_of(ROSTERS, form), SEE_OTHER)

    async def _roster_page(
        self, request: Request, who: Who, asked: Form | Mapping[str, str], refused: Problem | None = None
    ) -> Response:
        zones, now = rosterview.zone_options(await self._front.zones(who)), self._now()
        if not zones:
            raise NotFound("not_found", "there is no zone of yours")
        zone = chosen_zone(zones, asked.get("zone", ""))
        role = role_of(asked.get("role"))
        roster = await self._front.roster(who, zone.id)
        clock = ZoneInfo(roster.time_zone)
        monday = rosterview.week_of(asked.get("week"), now, clock)
        since, until = (local(each, time(0), clock) for each in (monday, monday + A_WEEK))
        duty = await self._front.duty(who, zone.id, schemas.DutyQuery(since=since, until=until, role=role))
        week = rosterview.days(duty.spans, monday, now, clock, who.language)
        gaps, only_one = rosterview.gaps(week)
        return self._page(
            request,
            "rosters.html",
            refused.status if refused else 200,
            zones=zones,
            zone=zone,
            roster=roster,
            role=role,
            roles=ROLES,
            staff=[each for each in roster.staff if role in each.roles],
            week=week,
            gaps=gaps,
            only_one=only_one,
            monday=monday,
            link=lambda weeks: address_of(
                ROSTERS, {"zone": str(zone.id), "role": role, "week": str(monday + weeks * A_WEEK)}
            ),
            stretch=lambda each: rosterview.stretch(each, who.language, clock),
            field=lambda each: rosterview.field(each, clock),
            now_field=rosterview.field(now, clock),
            kinds=KINDS,
            graces=GRACES,
            swap_states=SWAP_STATES,
            refused=_refusal(refused, who.language),
            still=True,
        )

    async def _planned(self, who: Who, form: Form) -> None:
        """What a form of the zone's page asks for."""
        zone, do = _uuid(form.get("zone")), form.get("do", "")
        clock = ZoneInfo((await self._front.roster(who, zone)).time_zone)
        if do == "override":
            await self._front.add_override(who, zone, _override(form, clock))
        elif do == "withdraw":
            await self._front.withdraw_override(who, _uuid(form.get("id")), _versioned(form))
        elif do == "withdraw_swap":
            answer = schemas.SwapAnswer(answer="withdraw", version=_number(form.get("version")))
            await self._front.answer_swap(who, _uuid(form.get("id")), answer)
        elif do == "absence":
            await self._front.report_absence(who, _absence(form, clock, _uuid(form.get("person"))))
        elif do == "change_absence":
            await self._front.change_absence(who, _uuid(form.get("id")), _changed_absence(form, clock))
        elif do == "check_in":
            minutes = {"": None}.get(form.get("minutes", ""), _number(form.get("minutes") or "0"))
            tests = {"yes": True, "no": False}.get(form.get("tests", ""))
            setting = _made(schemas.CheckInSetting, {"minutes": minutes, "tests": tests})
            await self._front.set_check_in(who, zone, setting)
        else:
            raise Invalid("choose", "the form asks for nothing that we know")

    # Imports ----------------------------------------------------------------------------------------------------------

    async def import_form(self, request: Request) -> Response:
        who = await self._signed_in(request)
        return await self._import_page(request, who, request.query_params, None)

    async def import_roster(self, request: Request) -> Response:
        """Look at what it would change, or do it."""
        who, form = await self._signed_form(request, back=ROSTERS)
        try:
            wanted = _made(
                schemas.ImportRequest,
                {
                    **{name: form.get(name, "") for name in ("calendar", "source", "since", "until")},
                    "role": role_of(form.get("role")),
                    "apply": form.get("do") == "apply",
                },
            )
            done = await self._front.import_calendar(who, _uuid(form.get("zone")), wanted)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._import_page(request, who, form, None, refused)
        if done.applied:
            return RedirectResponse(address_of(ROSTERS, {**form, "week": form.get("since", "")}), SEE_OTHER)
        return await self._import_page(request, who, form, done)

    async def _import_page(
        self,
        request: Request,
        who: Who,
        asked: Form | Mapping[str, str],
        done: schemas.ImportView | None,
        refused: Problem | None = None,
    ) -> Response:
        zones = [
            each for each in rosterview.zone_options(await self._front.zones(who)) if each.roles & {"lead", "admin"}
        ]
        if not zones:
            raise NotFound("not_found", "there is no zone whose roster you plan")
        zone, today = chosen_zone(zones, asked.get("zone", "")), self._now().astimezone(OSLO).date()
        return self._page(
            request,
            "roster_import.html",
            refused.status if refused else 200,
            zones=zones,
            zone=zone,
            role=role_of(asked.get("role")),
            roles=ROLES,
            given={name: asked.get(name, "") for name in ("calendar", "source")},
            since=asked.get("since") or today.isoformat(),
            until=asked.get("until") or (today + ONE_DAY * 56).isoformat(),
            done=done,
            stretch=lambda each: rosterview.stretch(each, who.language, OSLO),
            refused=_refusal(refused, who.language),
            still=True,
        )

    # One's own --------------------------------------------------------------------------------------------------------

    async def my_shifts(self, request: Request) -> Response:
        who = await self._signed_in(request)
        return await self._my_page(request, who)

    async def change_my_shifts(self, request: Request) -> Response:
        who, form = await self._signed_form(request, back=MINE)
        try:
            feed = await self._changed_mine(who, form)
        except Problem as refused:
            if isinstance(refused, NotSignedIn):
                raise
            return await self._my_page(request, who, refused=refused)
        if feed is not None:
            return await self._my_page(request, who, feed=feed)
        return RedirectResponse(guard.safe_next(form.get("next")) if "next" in form else MINE, SEE_OTHER)

    async def _my_page(
        self, request: Request, who: Who, *, refused: Problem | None = None, feed: str | None = None
    ) -> Response:
        mine = await self._front.my_duty(who)
        clock = ZoneInfo(mine.time_zone)
        now = self._now()
        return self._page(
            request,
            "my_shifts.html",
            refused.status if refused else 200,
            mine=mine,
            to_swap=[each for each in mine.shifts if each.begins > now],
            others=await self._others(who, mine, now),
            feeds=await self._front.feeds(who),
            feed=f"{str(request.base_url).rstrip('/')}{feed}" if feed else None,
            presence=rosterview.PRESENCE,
            there=Presence.CHECKED_IN,
            why=lambda each: rosterview.why(each.why, each.instead_of, who.language),
            stretch=lambda each: rosterview.stretch(each, who.language, clock),
            field=lambda each: rosterview.field(each, clock),
            now_field=rosterview.field(now, clock),
            kinds=KINDS,
            swap_states=SWAP_STATES,
            swap_answers=SWAP_ANSWERS,
            refused=_refusal(refused, who.language),
            still=True,
        )

    async def _others(
        self, who: Who, mine: schemas.MyDuty, now: datetime
    ) -> list[tuple[str, schemas.StretchView, str]]:
        """What colleagues serve where the reader does: whose, when, and as a form's value."""
        found: list[tuple[str, schemas.StretchView, str]] = []
        for zone, role in dict.fromkeys((each.zone.id, each.role) for each in mine.shifts):
            query = schemas.DutyQuery(since=now, until=now + SWAPS_AHEAD, role=role)
            for span in (await self._front.duty(who, zone, query)).spans:
                if span.since > now:
                    found += [
                        (
                            person.name,
                            schemas.StretchView(begins=span.since, ends=span.until),
                            f"{zone}|{role}|{person.id}|{span.since.isoformat()}|{span.until.isoformat()}",
                        )
                        for person in span.on_duty
                        if person.id != who.uid
                    ]
        return found

    async def _changed_mine(self, who: Who, form: Form) -> str | None:
        """What a form of one's own page asks for; the address of a new calendar."""
        do = form.get("do", "")
        clock = ZoneInfo((await self._front.my_duty(who)).time_zone)
        if do == "check_in":
            await self._front.check_in(who)
        elif do == "check_out":
            await self._front.check_out(who)
        elif do == "absence":
            await self._front.report_absence(who, _absence(form, clock, None))
        elif do == "change_absence":
            await self._front.change_absence(who, _uuid(form.get("id")), _changed_absence(form, clock))
        elif do == "swap":
            zone, request = _swap(form)
            await self._front.propose_swap(who, zone, request)
        elif do in SWAP_ANSWERS:
            answer = cast("Literal['accept', 'decline', 'withdraw']", do)
            given = schemas.SwapAnswer(answer=answer, version=_number(form.get("version")))
            await self._front.answer_swap(who, _uuid(form.get("id")), given)
        elif do == "feed":
            return (await self._front.add_feed(who, schemas.FeedRequest())).address
        elif do == "revoke":
            await self._front.revoke_feed(who, _uuid(form.get("id")))
        else:
            raise Invalid("choose", "the form asks for nothing that we know")
        return None

    async def calendar(self, token: str) -> Response:
        """A phone's calendar asks; the secret in the address is all that it has."""
        text = await self._front.calendar(token)
        return Response(text, media_type="text/calendar", headers={"Cache-Control": "no-store"})


# Forms ----------------------------------------------------------------------------------------------------------------


def _override(form: Form, clock: ZoneInfo) -> schemas.OverrideRequest:
    if not form.get("leaves") and not form.get("comes"):
        raise Invalid("choose", "somebody leaves or comes, or both")
    return _made(
        schemas.OverrideRequest,
        {
            "role": role_of(form.get("role")),
            "leaves": form.get("leaves"),
            "comes": form.get("comes"),
            "begins": rosterview.moment(form.get("begins"), clock, "begins"),
            "ends": rosterview.moment(form.get("ends"), clock, "ends"),
            "position": form.get("position", 0),
        },
    )


def _absence(form: Form, clock: ZoneInfo, person: UUID | None) -> schemas.AbsenceRequest:
    return _made(
        schemas.AbsenceRequest,
        {
            "person": person,
            "begins": rosterview.moment(form.get("begins"), clock, "begins"),
            "ends": rosterview.moment(form.get("ends"), clock, "ends"),
            "cover": form.get("cover"),
            "kind": form.get("kind", "sick"),
        },
    )


def _changed_absence(form: Form, clock: ZoneInfo) -> schemas.AbsenceChange:
    """``what``: which of its parts is changed."""
    told: dict[str, Any] = {"version": _number(form.get("version"))}
    match form.get("what"):
        case "cover":
            told["cover"] = form.get("cover")
        case "back":
            told["ends"] = rosterview.moment(form.get("ends"), clock, "ends")
        case _:
            told["withdraw"] = True
    return _made(schemas.AbsenceChange, told)


def _swap(form: Form) -> tuple[UUID, schemas.SwapRequest]:
    """Of two choices of the page: one's own shift, and a colleague's."""
    mine, theirs = form.get("mine", "").split("|"), form.get("theirs", "").split("|")
    if len(mine) != 2 or len(theirs) != 5:
        raise Invalid("choose", "choose a shift of yours and one of a colleague's")
    zone, role, other, begins, ends = theirs
    return _uuid(zone), _made(
        schemas.SwapRequest,
        {
            "role": role_of(role),
            "other": other,
            "mine": {"begins": mine[0], "ends": mine[1]},
            "theirs": {"begins": begins, "ends": ends},
        },
    )


def _versioned(form: Form) -> schemas.VersionRequest:
    return _made(schemas.VersionRequest, {"version": _number(form.get("version"))})


def _made(schema: type[Request_], given: Mapping[str, Any]) -> Request_:
    """A request out of a form. Invalid, naming the field, for what makes none."""
    try:
        return schema.model_validate(given)
    except ValidationError as wrong:
        (first, *_) = wrong.errors(include_url=False, include_context=False)
        where = str(first["loc"][0]) if first["loc"] else "ends"
        raise Invalid(where, first["msg"].removeprefix("Value error, ")) from wrong


def _uuid(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError:
        raise Invalid("choose", "something has to be chosen first") from None


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def role_of(text: str | None) -> schemas.Serving:
    return "technical" if text == "technical" else "responder"


def chosen_zone(zones: list[ZoneOption], text: str) -> ZoneOption:
    """The zone that is asked for; else the innermost of the reader's first ones: there people are on duty."""
    asked = [each for each in zones if str(each.id) == text]
    return asked[0] if asked else max(zones, key=lambda each: each.depth)


def address_of(path: str, asked: Mapping[str, str]) -> str:
    """A page of this zone, role and week."""
    return f"{path}?{urlencode({name: asked[name] for name in ('zone', 'role', 'week') if asked.get(name)})}"


def _refusal(refused: Problem | None, language: str) -> str | None:
    """Why nothing has changed: our words, or the gateway's own."""
    if refused is None:
        return None
    words = REFUSED.get(refused.reason)
    return translations(language).gettext(words) if words else refused.detail
