"""What all of them share: values that are given out, references to people and things, problems."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _of_our_age(at: datetime) -> datetime:
    if not EARLIEST <= at < LATEST:
        raise ValueError("a time between the years 1900 and 2200")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_of_our_age)]
"""A time with its offset from UTC."""


def _day_of_our_age(day: date) -> date:
    if not EARLIEST.date() <= day < LATEST.date():
        raise ValueError("a day between the years 1900 and 2200")
    return day


def _to_the_minute(at: time) -> time:
    if at.tzinfo is not None or at.second or at.microsecond:
        raise ValueError("a local time without an offset, to the minute, as 08:30")
    return at


Day = Annotated[date, AfterValidator(_day_of_our_age)]
"""A local day."""
LocalTime = Annotated[
    time,
    AfterValidator(_to_the_minute),
    WithJsonSchema(
        {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["08:30"]}, mode="validation"
    ),
]
"""A time of day by the clock on the wall, without an offset and to the minute."""
WallTime = Annotated[
    time,
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?$"}),
]
"""The same as it is given out; JSON Schema's own ``time`` would have an offset."""
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
"""A word of ours, or a name that a topic may carry."""
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text on one line."""
Filled = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]
"""Text on one line that says something."""
Text = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
"""Text on several lines."""
Part = Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$", description="A part of what is looked for")]
"""What somebody searches for."""


class Schema(BaseModel):
    """Values that are given out; those taken in forbid unknown fields."""

    model_config = ConfigDict(frozen=True)


class Taken(BaseModel):
    """Values that are taken in."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paged(Taken):
    """Which page of a list. ``cursor``: `next_cursor` of the page before."""

    cursor: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class PersonRef(Schema):
    """A member of staff, as others see them."""

    id: UUID
    name: str


class Named(Schema):
    """A zone, a resident or a device: its id, and what it is called (a device: its address)."""

    id: UUID
    name: str


class FieldProblem(Schema):
    """What is wrong with one field of a rule, and how to mend it."""

    field: str
    code: str
    what: str
    mend: str


class Problem(Schema):
    """An error as RFC 9457 has it. ``reason``: a short code to act on; ``mend``: what to do about it; ``errors``: field by
    field, where several are wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    reason: str
    mend: str = ""
    errors: list[FieldProblem] = []
