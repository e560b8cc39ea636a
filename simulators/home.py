"""A device's life in somebody's home: rhythms drawn from a seed, and what the device says of them. Pure.

Rules
    A day is a local day, in Europe/Oslo: its doses are local times, also when the clocks change.
    The same seed, device and day give the same script, whatever else is simulated.
    The devices of a home live with the same people: who goes for a walk opens the lock and the door, and wears the alarm.
    A healthy home raises nothing: nobody goes out at night, and doors are closed and locked again.
    The script is told in order; what runs past midnight is told after midnight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from devices.kinds import Rhythm, Span, kinds
from devices.model import NAME, MessageClass, Said
from devices.vkp import Severity

OSLO = ZoneInfo("Europe/Oslo")
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
A_DAY = timedelta(days=1)
STATUS_TYPES = frozenset({"heartbeat", "presence"})


def _an_address(value: str) -> str:
    if NAME.fullmatch(value) is None:
        raise ValueError("may have letters, digits and . _ : - only, at most 64")
    return value


def _a_kind(value: str) -> str:
    if value not in kinds():
        raise ValueError(f"is not one of {', '.join(sorted(kinds()))}")
    return value


class Fitting(BaseModel):
    """A device fitted in a home. ``doses``: local times, each day. ``home``: which one; a device without has its own.

    ``place``: where the home is, in degrees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Annotated[str, AfterValidator(_an_address)]
    kind: Annotated[str, AfterValidator(_a_kind)]
    doses: tuple[time, ...] = ()
    home: Annotated[str, AfterValidator(_an_address)] | None = None
    place: tuple[Latitude, Longitude] | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """Chances: of a fall per wearer and day, and of a dose about which the dispenser says nothing at all."""

    falls_per_day: float = 0.01
    missed_per_dose: float = 0.01


def midnight(day: date) -> datetime:
    """The beginning of a local day, in UTC."""
    return _at(day, time())


def script(fitting: Fitting, day: date, life: Life, seed: int) -> list[Said]:
    """What a device says of one day, in order."""
    random = Random(f"{seed}:{fitting.address}:{day}")
    rhythm = replace(_rhythm(fitting, day, life, seed, random), place=fitting.place)
    return list(kinds()[fitting.kind].day(rhythm, random))


def story(fitting: Fitting, life: Life, seed: int, since: datetime) -> Iterator[Said]:
    """What a device says from ``since`` on, in order and without end."""
    day = since.astimezone(OSLO).date() - A_DAY
    waiting: list[Said] = []
    while True:
        waiting = sorted([*waiting, *script(fitting, day, life, seed)], key=lambda said: said.at)
        day += A_DAY
        told = [said for said in waiting if said.at < midnight(day)]
        yield from (said for said in told if said.at >= since)
        waiting = waiting[len(told) :]


def saying(kind: str, type_: str, fields: Mapping[str, Any], now: datetime) -> Said:
    """Something that happens at once, on the topic a device of its kind would choose."""
    return Said(now, class_of(kind, type_), type_, dict(fields))


def class_of(kind: str, type_: str) -> MessageClass:
    """Urgent is what a default rule raises for care, at once, seriously or worse."""
    if type_ in STATUS_TYPES:
        return MessageClass.STATUS
    at_once = [rule for rule in kinds()[kind].default_rules if rule["type"] == "immediate" and type_ in rule["on"]]
    urgent = any(rule["track"] == "care" and rule["severity"] >= Severity.SERIOUS for rule in at_once)
    return MessageClass.ALARM if urgent else MessageClass.EVENT


@dataclass(frozen=True, slots=True)
class _People:
    """What the people of a home do of a day."""

    up: Span
    walks: tuple[Span, ...]
    visits: tuple[Span, ...]


def _rhythm(fitting: Fitting, day: date, life: Life, seed: int, random: Random) -> Rhythm:
    doses = sorted(_at(day, dose) for dose in fitting.doses if random.random() >= life.missed_per_dose)
    people = _people(fitting.home or fitting.address, day, seed)
    falls, when = random.random() < life.falls_per_day, random.random()
    fall_at = people.up.begins + when * (people.up.ends - people.up.begins)
    return Rhythm(midnight(day), day, tuple(doses), fall_at if falls else None, people.up, people.walks, people.visits)


def _people(home: str, day: date, seed: int) -> _People:
    """Habits are the home's, and each day is a little different."""
    habits, today = Random(f"{seed}:home:{home}"), Random(f"{seed}:home:{home}:{day}")
    comes = habits.choice(((), (8,), (8, 19), (8, 13, 19)))
    walks = habits.random() < 0.6 and today.random() < 0.8
    return _People(
        up=Span(_some_time(day, 6, 7, today), _some_time(day, 21, 22, today)),
        walks=(_span(_some_time(day, 10, 12, today), 20, 55, today),) if walks else (),
        visits=tuple(_span(_some_time(day, hour, hour + 1, today), 9, 25, today) for hour in comes),
    )


def _some_time(day: date, first: int, last: int, random: Random) -> datetime:
    """A moment between two hours, by the clock on the wall."""
    begins = _at(day, time(first))
    return begins + random.random() * (_at(day, time(last)) - begins)


def _span(begins: datetime, shortest: float, longest: float, random: Random) -> Span:
    """From a moment on, for so many minutes."""
    return Span(begins, begins + timedelta(minutes=random.uniform(shortest, longest)))


def _at(day: date, local: time) -> datetime:
    return datetime.combine(day, local, tzinfo=OSLO).astimezone(UTC)
