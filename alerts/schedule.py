"""Local time: when a dose is due, and who is on duty.

Rules
    People plan in local time; everything stored is UTC. A local time that a DST change skips happens when the clock
    has moved on (02:30 becomes 03:30); one that happens twice happens the first time only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

ONE_DAY = timedelta(days=1)
ONE_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class DosePlan:
    """A dose that recurs: local time on weekdays (Monday is 0), from and to dates inclusive."""

    local_time: time
    weekdays: frozenset[int]
    from_date: date
    to_date: date | None = None


def doses(plan: DosePlan, after: datetime, until: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """The planned times in (after, until] and the first one beyond, in UTC and in order; none once the plan has ended."""
    found: list[datetime] = []
    for at in _planned(plan, after, max(after, until), zone):
        found.append(at)
        if at > until:
            break
    return tuple(found)


def _planned(plan: DosePlan, after: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The times after ``after``, at least as far as the first beyond ``until``: every weekday comes within a week."""
    day = max(plan.from_date, (after.astimezone(zone) - ONE_DAY).date())
    horizon = max(day, until.astimezone(zone).date()) + ONE_WEEK + ONE_DAY
    last = horizon if plan.to_date is None else min(plan.to_date, horizon)
    while day <= last:
        at = local(day, plan.local_time, zone)
        if day.weekday() in plan.weekdays and at > after:
            yield at
        day += ONE_DAY


def local(day: date, at: time, zone: tzinfo) -> datetime:
    """A local time of a day as UTC; of two the first."""
    return datetime.combine(day, at.replace(fold=0), tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Shift:
    """A weekly shift of a person: weekday (Monday is 0), local start and end; an end at or before the start is next day's.

    ``position`` orders those on duty together: the lowest is paged first.
    """

    person_id: int
    weekday: int
    start: time
    end: time
    position: int = 0
    from_date: date = date.min
    to_date: date | None = None


def on_duty(shifts: Sequence[Shift], now: datetime, zone: tzinfo) -> tuple[int, ...]:
    """The persons on duty at ``now``, first the one to page first."""
    serving = sorted((shift.position, shift.person_id) for shift in shifts if _serves(shift, now, zone))
    return tuple(dict.fromkeys(person for _, person in serving))


def _serves(shift: Shift, now: datetime, zone: tzinfo) -> bool:
    today = now.astimezone(zone).date()
    return any(_covers(shift, day, now, zone) for day in (today - ONE_DAY, today))


def _covers(shift: Shift, day: date, now: datetime, zone: tzinfo) -> bool:
    planned = shift.from_date <= day and (shift.to_date is None or day <= shift.to_date)
    if not planned or day.weekday() != shift.weekday:
        return False
    ends_on = day if shift.end > shift.start else day + ONE_DAY
    return local(day, shift.start, zone) <= now < local(ends_on, shift.end, zone)
