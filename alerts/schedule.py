"""Local time: when a dose is due, and times of day that recur. Who is on duty: ``alerts.roster``.

Rules
    People plan in local time; everything stored is UTC. A local time that a DST change skips happens when the clock
    has moved on (02:30 becomes 03:30); one that happens twice happens the first time only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

ONE_DAY = timedelta(days=1)
ONE_WEEK = timedelta(days=7)


def _in_order(days: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(days)))


Weekdays = Annotated[tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(min_length=1), AfterValidator(_in_order)]
"""Days of the week; Monday is 0."""
WallTime = Annotated[
    time,
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?$"}),
]
"""A time of day by the clock on the wall; JSON Schema's own ``time`` would have an offset."""


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


class Window(BaseModel):
    """A time of day that recurs, by the clock on the wall: from ``from_time`` until before ``to_time``, past midnight where
    that is not later; on weekdays (Monday is 0) of its beginning. Equal times are the whole day.

    The hour that the clocks repeat in autumn is in it twice, the one they skip in spring not at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_time: WallTime
    to_time: WallTime
    weekdays: Weekdays = tuple(range(7))

    def covers(self, at: datetime, zone: tzinfo) -> bool:
        """Whether an aware time is in it."""
        local_at = at.astimezone(zone)
        wall = local_at.time()
        if self.from_time < self.to_time:
            return self.from_time <= wall < self.to_time and local_at.weekday() in self.weekdays
        began_today = wall >= self.from_time
        began_on = local_at.date() if began_today else local_at.date() - ONE_DAY
        return (began_today or wall < self.to_time) and began_on.weekday() in self.weekdays

    def changes(self, since: datetime, until: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The times between (both left out) at which it may begin or end, in UTC: by the clock on the wall, each hour of the
        days on which that is changed."""
        day = since.astimezone(zone).date() - ONE_DAY
        while day <= until.astimezone(zone).date():
            hours = [time(hour) for hour in range(24)] if _clocks_change(day, zone) else []
            for wall in (self.from_time, self.to_time, *hours):
                for fold in (0, 1):
                    at = datetime.combine(day, wall.replace(fold=fold), tzinfo=zone).astimezone(UTC)
                    if since < at < until:
                        yield at
            day += ONE_DAY

    def first_within(self, at: datetime, zone: tzinfo) -> datetime:
        """``at`` where it is in the window, else the window's next beginning, in UTC."""
        if self.covers(at, zone):
            return at
        today = at.astimezone(zone).date()
        begins = (local(today + day * ONE_DAY, self.from_time, zone) for day in range(15))
        return next(each for each in begins if each > at and self.covers(each, zone))


def _clocks_change(day: date, zone: tzinfo) -> bool:
    begins, ends = local(day, time(0), zone), local(day + ONE_DAY, time(0), zone)
    return ends - begins != ONE_DAY
