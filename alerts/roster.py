"""Rosters: what planners planned, and what became of it. Values; who is on duty by them: ``alerts.duty``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

from alerts.schedule import ONE_DAY

EVERY_DAY = frozenset(range(7))
A_MONDAY = date(2024, 1, 1)
FOREVER = datetime.max.replace(tzinfo=UTC)


class Layer(StrEnum):
    """Why somebody is on duty."""

    PATTERN = "pattern"
    ROTATION = "rotation"
    PLANNED = "planned"
    HOLIDAY = "holiday"
    OVERRIDE = "override"
    SWAP = "swap"
    COVER = "cover"


# What is planned ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift of a person that recurs: local start and end; an end at or before the start is next day's.

    ``weekday`` (Monday is 0) of week ``week`` in a pattern of ``weeks``, counted from the week of ``anchor``; or, with ``days``,
    on the holidays that these keys name (``alerts.holidays``) whatever their weekday. ``position`` orders those on duty
    together: the lowest is paged first. ``nearness``: 0 for a shift of the zone itself, 1 of its parent, and so on.
    """

    person_id: int
    weekday: int | None
    start: time
    end: time
    position: int = 0
    from_date: date = date.min
    to_date: date | None = None
    weeks: int = 1
    week: int = 0
    anchor: date = A_MONDAY
    days: frozenset[str] = frozenset()
    nearness: int = 0

    def recurs_on(self, day: date) -> bool:
        """Whether its pattern has it begin on a local day. A shift on holidays is not asked."""
        if day.weekday() != self.weekday or not self.in_force(day):
            return False
        return self.weeks == 1 or (_monday(day) - _monday(self.anchor)).days // 7 % self.weeks == self.week

    def in_force(self, day: date) -> bool:
        return self.from_date <= day and (self.to_date is None or day <= self.to_date)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Persons who take turns, each for ``turn_days``; the first begins on ``first_day`` at ``hand_over``, and so do the turns
    that follow. ``start`` and ``end``: the daily shift of whoever has the turn; None: day and night. Who has begun a shift
    when the turn is handed over serves it to its end."""

    persons: tuple[int, ...]
    first_day: date
    hand_over: time
    turn_days: int = 7
    start: time | None = None
    end: time | None = None
    weekdays: frozenset[int] = EVERY_DAY
    position: int = 0
    to_date: date | None = None
    nearness: int = 0

    def whose_turn(self, day: date, at: time) -> int | None:
        """Who has the turn at a local time; None before the first."""
        passed = (day - self.first_day).days - (at < self.hand_over)
        return self.persons[passed // self.turn_days % len(self.persons)] if passed >= 0 and self.persons else None


@dataclass(frozen=True, slots=True)
class Planned:
    """A shift planned for a date, as a planner's calendar has it."""

    person_id: int
    begins: datetime
    ends: datetime
    position: int = 0
    nearness: int = 0


# What became of it ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """From a time until another ``leaves`` (None: nobody) is off duty and ``comes`` (None: nobody) on."""

    leaves: int | None
    comes: int | None
    begins: datetime
    ends: datetime

    def at(self, now: datetime) -> bool:
        return self.begins <= now < self.ends


@dataclass(frozen=True, slots=True)
class Change:
    """An override (one part), or an accepted swap (two). ``position``: of somebody who comes for nobody."""

    layer: Layer
    parts: tuple[Part, ...]
    position: int = 0
    nearness: int = 0


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody who is away, until it is known when they are back (None), and who serves for them, if anybody."""

    person_id: int
    begins: datetime
    ends: datetime | None = None
    cover: int | None = None

    def at(self, now: datetime) -> bool:
        return self.begins <= now < (self.ends or FOREVER)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is known of a role's duty in a zone. Changes and absences in the order in which they were decided."""

    shifts: Sequence[Shift] = ()
    rotations: Sequence[Rotation] = ()
    planned: Sequence[Planned] = ()
    changes: Sequence[Change] = ()
    absences: Sequence[Absence] = ()


NOBODY = Plan()


def _monday(day: date) -> date:
    return day - ONE_DAY * day.weekday()
