"""Rosters: who is on duty when and why, what is planned and changed, absences, check-in, calendars."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from alerts.checkin import Presence
from alerts.holidays import NAMES
from alerts.roster import Layer
from alerts.schedule import Weekdays
from gateway.api.schemas.base import Day, Filled, LocalTime, Moment, Named, PersonRef, Schema, Taken, WallTime
from gateway.api.schemas.staff import Serving

LONGEST = timedelta(days=366)
Position = Annotated[int, Field(ge=0, le=99)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Minutes = Annotated[int, Field(ge=0, le=60)]
SwapState = Literal["proposed", "accepted", "declined", "withdrawn"]
AbsenceKind = Literal["sick", "leave"]


def _known(days: tuple[str, ...]) -> tuple[str, ...]:
    strange = sorted(set(days) - set(NAMES))
    if strange:
        raise ValueError(f"not a day that we know: {', '.join(strange)}; there are: {', '.join(NAMES)}")
    return tuple(sorted(set(days)))


DayKeys = Annotated[tuple[Annotated[str, Field(max_length=40)], ...], AfterValidator(_known)]
"""Holidays by key: ``christmas_eve``; ``holiday`` and ``eve`` are all of them."""


class Serves(PersonRef):
    """Somebody on duty, and why. ``why``: what put them there, of several the last word: a weekly ``pattern``, a ``rotation``, a
    shift ``planned`` for a date, a ``holiday``'s pattern, an ``override``, a ``swap``, a ``cover`` for somebody who is away.
    ``instead_of``: who would have served."""

    why: Layer
    instead_of: PersonRef | None


class DutySpan(Schema):
    """Who is on duty between two times, first who is paged first. Times are local, with their offset."""

    since: datetime
    until: datetime
    on_duty: list[Serves]


class DutyView(Schema):
    """Who is on duty in a zone, without gaps and in order, as alerts find them: by shifts and roles."""

    zone: Named
    role: Serving
    time_zone: str
    spans: list[DutySpan]


# Plans ----------------------------------------------------------------------------------------------------------------


class ShiftView(Schema):
    """A shift that recurs, in local time. ``weekday``: Monday is 0, in week ``week`` of a pattern of ``weeks``, counted from the
    week of ``anchor``; None for one on the holidays of ``on_days``. An ``end`` at or before the ``start`` is the next day's.
    The lowest ``position`` of those on duty is paged first. ``zone``: of the shift, which covers what is below it."""

    id: UUID
    version: int
    person: PersonRef
    zone: Named
    role: Serving
    weekday: int | None
    weeks: int
    week: int
    anchor: date
    on_days: list[str]
    start: WallTime
    end: WallTime
    position: int
    from_date: date | None
    to_date: date | None


class ShiftRequest(Taken):
    """A shift that recurs on a weekday, or on holidays. ``anchor``: a day of the pattern's first week; None: of ``from_date``."""

    person: UUID
    role: Serving = "responder"
    weekday: Annotated[int, Field(ge=0, le=6)] | None = None
    on_days: DayKeys = ()
    weeks: Annotated[int, Field(ge=1, le=26)] = 1
    week: Annotated[int, Field(ge=0, le=25)] = 0
    anchor: Day | None = None
    start: LocalTime
    end: LocalTime
    position: Position = 0
    from_date: Day
    to_date: Day | None = None

    @model_validator(mode="after")
    def _recurs(self) -> Self:
        if (self.weekday is None) == (not self.on_days):
            raise ValueError("a shift recurs on a `weekday`, or on the holidays of `on_days`: give one of them")
        if self.week >= self.weeks:
            raise ValueError("`week` counts from 0 and is less than `weeks`")
        if self.to_date is not None and self.to_date < self.from_date:
            raise ValueError("`to_date` is not before `from_date`")
        return self


class RotationView(Schema):
    """Persons who take turns of ``turn_days`` days; the first on ``first_day`` at ``hand_over``. ``start`` and ``end``: the daily
    shift of whoever has the turn, on ``weekdays``; None: day and night."""

    id: UUID
    version: int
    name: str
    zone: Named
    role: Serving
    persons: list[PersonRef]
    first_day: date
    hand_over: WallTime
    turn_days: int
    start: WallTime | None
    end: WallTime | None
    weekdays: list[int]
    position: int
    to_date: date | None


class Seen(Taken):
    """Something of a roster, and the version that you saw."""

    id: UUID
    version: Version


class RotationRequest(Taken):
    """A new rotation. The weekday of ``first_day`` is that of the hand-over. ``replaces``: one of the same role, which ends on the
    day before; if it has not begun by then, and not today, it is as if it had never been."""

    name: Filled
    role: Serving = "responder"
    persons: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=50)]
    first_day: Day
    hand_over: LocalTime
    turn_days: Annotated[int, Field(ge=1, le=84)] = 7
    start: LocalTime | None = None
    end: LocalTime | None = None
    weekdays: Weekdays = tuple(range(7))
    position: Position = 0
    to_date: Day | None = None
    replaces: Seen | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("give `start` and `end`, or neither")
        if self.to_date is not None and self.to_date < self.first_day:
            raise ValueError("`to_date` is not before `first_day`")
        return self


class EndRequest(Taken):
    """Until when a shift or a rotation goes on recurring. ``version``: that which you saw."""

    last_day: Day
    version: Version


# Changes --------------------------------------------------------------------------------------------------------------


class Stretch(Taken):
    """From a time until another."""

    begins: Moment
    ends: Moment

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.begins < self.ends <= self.begins + LONGEST:
            raise ValueError("`ends` is later than `begins`, by a year at most")
        return self


class StretchView(Schema):
    begins: datetime
    ends: datetime


class OverrideRequest(Stretch):
    """``leaves`` is off duty for a time, ``comes`` on; or one of them alone. ``position`` of somebody who comes besides."""

    role: Serving = "responder"
    leaves: UUID | None = None
    comes: UUID | None = None
    position: Position = 0

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.leaves is None and self.comes is None:
            raise ValueError("somebody leaves or comes, or both")
        return self


class OverrideView(StretchView):
    id: UUID
    version: int
    zone: Named
    role: Serving
    leaves: PersonRef | None
    comes: PersonRef | None


class SwapRequest(Taken):
    """``asks`` (None: you) gives ``mine`` to ``other`` and takes ``theirs``. The other one has to accept."""

    role: Serving = "responder"
    asks: UUID | None = None
    other: UUID
    mine: Stretch
    theirs: Stretch


class SwapView(Schema):
    """``mine`` is what ``asks`` gives away, ``theirs`` what they take. ``answers``: what you may answer."""

    id: UUID
    version: int
    zone: Named
    role: Serving
    asks: PersonRef
    other: PersonRef
    mine: StretchView
    theirs: StretchView
    state: SwapState
    answers: list[Literal["accept", "decline", "withdraw"]]


class SwapAnswer(Taken):
    answer: Literal["accept", "decline", "withdraw"]
    version: Version


class AbsenceRequest(Taken):
    """Somebody (None: you) is away from a time (None: now) until another (None: until they say so). ``cover``: who serves for
    them; only leads and administrators say who."""

    person: UUID | None = None
    begins: Moment | None = None
    ends: Moment | None = None
    cover: UUID | None = None
    kind: AbsenceKind = "sick"


class AbsenceView(Schema):
    """``kind`` is for whoever is away and for those who plan; None for others. ``ends``: None until they say so."""

    id: UUID
    version: int
    person: PersonRef
    begins: datetime
    ends: datetime | None
    cover: PersonRef | None
    kind: AbsenceKind | None
    may_change: bool


class AbsenceChange(Taken):
    """What is left out stays. ``ends``: when they are back; ``cover``: who serves, None: nobody; ``withdraw``: it was none."""

    version: Version
    ends: Moment | None = None
    cover: UUID | None = None
    withdraw: bool = False


class VersionRequest(Taken):
    """``version``: that which you saw."""

    version: Version


class Colleague(PersonRef):
    """Somebody who can serve in a zone, and as what."""

    roles: list[Serving]


class RosterView(Schema):
    """What is planned for a zone, by role, weekday and start, and what is changed of it now or later. ``time_zone``: of its
    times. ``check_in_minutes``: by when whoever serves must have checked in, 0: nobody has to; ``own_check_in_minutes``: what
    this zone itself says, None: as the zone above. ``check_in_tests``: whether checking in sends a test page; the same. ``may_plan``: whether you may change it."""

    zone: Named
    time_zone: str
    shifts: list[ShiftView]
    rotations: list[RotationView]
    overrides: list[OverrideView]
    swaps: list[SwapView]
    absences: list[AbsenceView]
    staff: list[Colleague]
    check_in_minutes: int
    own_check_in_minutes: int | None
    check_in_tests: bool
    own_check_in_tests: bool | None
    may_plan: bool


# Check-in and one's own -----------------------------------------------------------------------------------------------


class CheckInSetting(Taken):
    """Minutes after the beginning of a shift by which whoever serves must have checked in; 0: nobody has to; None: as above.
    ``tests``: whether checking in sends a test page, which is to be confirmed on the phone; None: as above."""

    minutes: Minutes | None
    tests: bool | None = None


class CheckInView(Schema):
    """Where you have to check in, now or within two hours, and whether you have. ``due_at``: when you are missed."""

    zone: Named
    presence: Presence
    since: datetime
    due_at: datetime


class OwnShift(StretchView):
    """A shift of yours, and why it is."""

    zone: Named
    role: Serving
    why: Layer
    instead_of: PersonRef | None


class MyDuty(Schema):
    """Your next shifts, swaps that wait for an answer or are to come, when you are away, and whether you have checked in."""

    time_zone: str
    check_in: list[CheckInView]
    shifts: list[OwnShift]
    swaps: list[SwapView]
    absences: list[AbsenceView]


# Calendars ------------------------------------------------------------------------------------------------------------


class ImportRequest(Taken):
    """A planner's calendar (iCalendar) for a zone, from a day until before another. ``source``: what it replaces is what the
    same source brought before, for that time. ``people``: whom an attendee of the calendar means, where that is neither an
    e-mail address nor a name that we know. ``apply``: False only shows what would change."""

    calendar: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    source: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w][\w .:-]*$")]
    role: Serving = "responder"
    since: Day
    until: Day
    people: Annotated[dict[Annotated[str, Field(max_length=200)], UUID], Field(default_factory=dict, max_length=200)]
    apply: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.since < self.until <= self.since + LONGEST:
            raise ValueError("`until` is later than `since`, by a year at most")
        return self


class ImportedShift(StretchView):
    """A shift of a calendar. ``was``: the time that it had before."""

    person: PersonRef
    was: StretchView | None = None


class ImportView(Schema):
    """What an import changes, or has changed. ``unknown``: attendees whom we do not know, whose shifts are left out;
    ``unreadable``: events that make no shift, and why."""

    applied: bool
    added: list[ImportedShift]
    moved: list[ImportedShift]
    removed: list[ImportedShift]
    kept: int
    unknown: list[str]
    unreadable: list[str]


class FeedRequest(Taken):
    """A calendar for a phone: your own shifts, or (``zone``) those of a zone of yours."""

    zone: UUID | None = None
    role: Serving = "responder"


class FeedView(Schema):
    """``address``: shown once, when it is made; whoever has it can read the calendar."""

    id: UUID
    zone: Named | None
    role: Serving
    since: datetime
    address: str | None = None
