"""Duty: who is on duty when, from what planners planned and what became of it (``alerts.roster``).

Rules
    Plans are in local time: hours are those on the wall, also in the nights in which the clocks change (``alerts.schedule``).
    A shift belongs to the day on which it begins, and is served to its end by whoever began it.
    The layers, from the lowest: patterns (weekly, or several weeks long), rotations and shifts planned for a date; on days that
    a holiday pattern names, that instead – but an hour for which it has nobody is served as on any other day of that week;
    overrides; swaps; absences. Of a layer, what was decided later goes on top.
    An absence takes somebody off whatever put them on. Their cover serves instead; where the cover is away as well, the
    cover's cover. Nobody is put on duty who is away.
    What is decided in a zone concerns shifts of that zone and of those around it, as seen from there and from below.
    Nobody stands in the order twice.

Theory
    ``_begun`` makes duties of plans, day by day; ``_changed`` edits those of an instant. Each change is a substitution of
    persons (somebody, or nobody, by somebody, or nobody) for a time, so that a swap can open no gap: what is served by one
    is served by the other. ``Duty.why`` tells the highest layer that had a say, ``instead_of`` who served before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from alerts.holidays import EVE, HOLIDAY, keys_of
from alerts.roster import FOREVER, Absence, Change, Layer, Plan, Planned, Rotation, Shift
from alerts.schedule import ONE_DAY, local

LONGEST_STRETCH = timedelta(hours=24)
"""How far back the beginning of uninterrupted duty is looked for."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody on duty, from and until as far as it is theirs, and why. ``instead_of``: who would have served."""

    person_id: int
    position: int
    begins: datetime
    ends: datetime
    why: Layer
    instead_of: int | None = None
    nearness: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Who is on duty between two times at which something changes, first who is paged first."""

    begins: datetime
    ends: datetime
    duties: tuple[Duty, ...]


# Who serves -----------------------------------------------------------------------------------------------------------


def serving(plan: Plan, now: datetime, zone: tzinfo) -> tuple[Duty, ...]:
    """Who is on duty at ``now``, first the one to page first."""
    today = now.astimezone(zone).date()
    return _serving(plan, _begun(plan, (today - ONE_DAY, today), zone), now)


def on_duty(shifts: Sequence[Shift], now: datetime, zone: tzinfo) -> tuple[int, ...]:
    """The persons on duty at ``now`` by these shifts alone."""
    return tuple(each.person_id for each in serving(Plan(shifts), now, zone))


def spans(plan: Plan, since: datetime, until: datetime, zone: tzinfo, also: Iterable[datetime] = ()) -> list[Span]:
    """Who is on duty from a time until another, without gaps and in order; a span without duties is one where nobody is.
    ``also``: other times at which whoever asks wants to look again."""
    begun = _begun(plan, _days(since, until, zone), zone)
    asked = set(also)
    inside = {each for each in (*_bounds(plan, begun), *asked) if since < each < until}
    cuts = [since, *sorted(inside), until]
    found: list[Span] = []
    for begins, ends in pairwise(cuts):
        duties = _serving(plan, begun, begins)
        if found and found[-1].duties == duties and begins not in asked:
            found[-1] = replace(found[-1], ends=ends)
        else:
            found.append(Span(begins, ends, duties))
    return found


def next_change(plan: Plan, after: datetime, zone: tzinfo, within: timedelta = LONGEST_STRETCH) -> datetime:
    """The next time at which somebody may begin or end; at most so far on."""
    begun = _begun(plan, _days(after, after + within, zone), zone)
    return min((each for each in _bounds(plan, begun) if after < each < after + within), default=after + within)


def began(plan: Plan, duty: Duty, zone: tzinfo) -> datetime:
    """Since when somebody has been on duty without a break, as far as a day back: shifts that follow each other are one."""
    since = duty.begins
    while duty.begins - since < LONGEST_STRETCH:
        before = since - timedelta(microseconds=1)
        earlier = [each for each in serving(plan, before, zone) if each.person_id == duty.person_id]
        if not earlier:
            break
        since = min(each.begins for each in earlier)
    return since


# Plans to duties ------------------------------------------------------------------------------------------------------


class _Rank(StrEnum):
    """``REPLACED``: of a day that a holiday pattern names, served only where that has nobody."""

    PLAIN = "plain"
    SPECIAL = "special"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class _Begun:
    duty: Duty
    rank: _Rank = field(default=_Rank.PLAIN)


def _begun(plan: Plan, days: Iterable[date], zone: tzinfo) -> list[_Begun]:
    """The duties that begin on these local days, before anything is changed; and those planned for a date."""
    dated = [_Begun(_duty_of(each)) for each in plan.planned]
    return [*dated, *(each for day in days for each in _begun_on(plan, day, zone))]


def _begun_on(plan: Plan, day: date, zone: tzinfo) -> Iterator[_Begun]:
    special = list(_special(plan.shifts, day))
    replaced = {each.nearness for each in special}
    for shift in special:
        yield _Begun(
            _recurring(shift, shift.person_id, day, shift.start, shift.end, zone, Layer.HOLIDAY), _Rank.SPECIAL
        )
    for shift in plan.shifts:
        if not shift.days and shift.recurs_on(day):
            rank = _Rank.REPLACED if shift.nearness in replaced else _Rank.PLAIN
            yield _Begun(_recurring(shift, shift.person_id, day, shift.start, shift.end, zone, Layer.PATTERN), rank)
    for each in plan.rotations:
        start = each.start or each.hand_over
        person = each.whose_turn(day, start)
        if person is None or day.weekday() not in each.weekdays or (each.to_date is not None and day > each.to_date):
            continue
        rank = _Rank.REPLACED if each.nearness in replaced else _Rank.PLAIN
        yield _Begun(_recurring(each, person, day, start, each.end or start, zone, Layer.ROTATION), rank)


def _special(shifts: Sequence[Shift], day: date) -> Iterator[Shift]:
    """The holiday shifts of a day: where some name the day itself, those; else those that name its kind. By zone."""
    keys = keys_of(day) if any(each.days for each in shifts) else frozenset()
    in_force = [each for each in shifts if each.days & keys and each.in_force(day)]
    named = {each.nearness for each in in_force if each.days & keys - {HOLIDAY, EVE}}
    for each in in_force:
        if each.nearness not in named or each.days & keys - {HOLIDAY, EVE}:
            yield each


def _recurring(
    plan: Shift | Rotation, person: int, day: date, start: time, end: time, zone: tzinfo, why: Layer
) -> Duty:
    ends_on = day if end > start else day + ONE_DAY
    begins, ends = local(day, start, zone), local(ends_on, end, zone)
    return Duty(person, plan.position, begins, ends, why, nearness=plan.nearness)


def _duty_of(planned: Planned) -> Duty:
    return Duty(
        planned.person_id, planned.position, planned.begins, planned.ends, Layer.PLANNED, nearness=planned.nearness
    )


# Duties to who serves -------------------------------------------------------------------------------------------------


def _serving(plan: Plan, begun: Iterable[_Begun], now: datetime) -> tuple[Duty, ...]:
    duties = list(_planned_for(begun, now))
    for change in plan.changes:
        duties = _changed(duties, change, now)
    away = {each.person_id: each for each in plan.absences if each.at(now)}
    present = [duty for each in duties if (duty := _covered(each, away)) is not None]
    by_person: dict[int, Duty] = {}
    for each in sorted(present, key=_weight):
        by_person.setdefault(each.person_id, each)
    return tuple(by_person.values())


def _weight(duty: Duty) -> tuple[int, int, datetime, datetime, str, int]:
    """The order in which people are paged; what is the same for that stands in an order all the same."""
    return duty.position, duty.person_id, duty.begins, duty.ends, duty.why, duty.nearness


def _planned_for(begun: Iterable[_Begun], now: datetime) -> Iterator[Duty]:
    there = [each for each in begun if each.duty.begins <= now < each.duty.ends]
    special = {each.duty.nearness for each in there if each.rank is _Rank.SPECIAL}
    for each in there:
        if each.rank is not _Rank.REPLACED or each.duty.nearness not in special:
            yield each.duty


def _changed(duties: list[Duty], change: Change, now: datetime) -> list[Duty]:
    parts = [each for each in change.parts if each.at(now)]
    if not parts:
        return duties
    by_leaver = {each.leaves: each for each in parts if each.leaves is not None}
    after: list[Duty] = []
    for duty in duties:
        part = by_leaver.get(duty.person_id) if duty.nearness >= change.nearness else None
        if part is None:
            after.append(duty)
        elif part.comes is not None:
            after.append(_taken_over(duty, part.comes, part.begins, part.ends, change.layer))
    after += [
        Duty(part.comes, change.position, part.begins, part.ends, change.layer, nearness=change.nearness)
        for part in parts
        if part.leaves is None and part.comes is not None
    ]
    return after


def _covered(duty: Duty, away: Mapping[int, Absence]) -> Duty | None:
    """The duty as somebody who is there has it; None where nobody covers it."""
    met: set[int] = set()
    while (absence := away.get(duty.person_id)) is not None:
        if absence.cover is None or absence.cover in met:
            return None
        met.add(duty.person_id)
        first = duty.instead_of if duty.why is Layer.COVER else duty.person_id
        taken = _taken_over(duty, absence.cover, absence.begins, absence.ends or FOREVER, Layer.COVER)
        duty = replace(taken, instead_of=first)
    return duty


def _taken_over(duty: Duty, by: int, begins: datetime, ends: datetime, why: Layer) -> Duty:
    return replace(
        duty,
        person_id=by,
        begins=max(duty.begins, begins),
        ends=min(duty.ends, ends),
        why=why,
        instead_of=duty.person_id,
    )


# Parts ----------------------------------------------------------------------------------------------------------------


def _bounds(plan: Plan, begun: Iterable[_Begun]) -> Iterator[datetime]:
    """Every time at which something may change."""
    for each in begun:
        yield from (each.duty.begins, each.duty.ends)
    for change in plan.changes:
        for part in change.parts:
            yield from (part.begins, part.ends)
    for absence in plan.absences:
        yield absence.begins
        if absence.ends is not None:
            yield absence.ends


def _days(since: datetime, until: datetime, zone: tzinfo) -> list[date]:
    """The local days from the one before a time on: a shift may have begun then."""
    day, last = since.astimezone(zone).date() - ONE_DAY, until.astimezone(zone).date()
    return [day + ONE_DAY * number for number in range((last - day).days + 1)]
