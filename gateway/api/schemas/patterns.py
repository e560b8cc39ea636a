"""Weekly patterns of several weeks, as planners set them whole, and a plan looked at before it is one."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from gateway.api.schemas.base import Day, LocalTime, Moment, Taken
from gateway.api.schemas.rosters import Position, RotationRequest, Seen
from gateway.api.schemas.staff import Serving

MOST_WEEKS = 26


class PatternShift(Taken):
    """A shift of a pattern. ``week`` counts from 0, Monday is 0. An ``end`` at or before the ``start`` is the next day's."""

    week: Annotated[int, Field(ge=0, lt=MOST_WEEKS)] = 0
    weekday: Annotated[int, Field(ge=0, le=6)]
    start: LocalTime
    end: LocalTime


class PatternRequest(Taken):
    """The shifts of a person in a pattern of ``weeks``, from a day on. ``anchor``: a day of the pattern's first week; None: of
    ``from_date``. ``replaces``: shifts of the same role that end on the day before; what has not begun by then, and not today, is as
    if it had never been."""

    person: UUID
    role: Serving = "responder"
    weeks: Annotated[int, Field(ge=1, le=MOST_WEEKS)] = 1
    anchor: Day | None = None
    from_date: Day
    to_date: Day | None = None
    position: Position = 0
    shifts: Annotated[tuple[PatternShift, ...], Field(min_length=1, max_length=7 * MOST_WEEKS)]
    replaces: Annotated[tuple[Seen, ...], Field(max_length=400)] = ()

    @model_validator(mode="after")
    def _recurs(self) -> Self:
        if any(each.week >= self.weeks for each in self.shifts):
            raise ValueError("`week` counts from 0 and is less than `weeks`")
        if len({(each.week, each.weekday, each.start) for each in self.shifts}) != len(self.shifts):
            raise ValueError("two shifts begin at the same time")
        if self.to_date is not None and self.to_date < self.from_date:
            raise ValueError("`to_date` is not before `from_date`")
        return self


class PatternEnd(Taken):
    """Until when shifts go on recurring; what has not begun by then, and not today, is as if it had never been."""

    shifts: Annotated[tuple[Seen, ...], Field(min_length=1, max_length=400)]
    last_day: Day


class PlanPreview(Taken):
    """A pattern or a rotation as it may be. ``since``, ``until``: of which time the duty is shown; None: now, and a week on."""

    pattern: PatternRequest | None = None
    rotation: RotationRequest | None = None
    since: Moment | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.pattern is None) == (self.rotation is None):
            raise ValueError("give a `pattern` or a `rotation`")
        return self
