"""A device's life in somebody's home: rhythms drawn from a seed, and what the device says of them. Pure.

Rules
    A day is a local day, in Europe/Oslo: its doses are local times, also when the clocks change.
    The same seed, device and day give the same script, whatever else is simulated.
    The script is told in order; what runs past midnight is told after midnight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict

from devices.kinds import Rhythm, kinds
from devices.model import NAME, MessageClass, Said
from devices.vkp import Severity

OSLO = ZoneInfo("Europe/Oslo")
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
    """A device fitted in a home. ``doses``: local times, each day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Annotated[str, AfterValidator(_an_address)]
    kind: Annotated[str, AfterValidator(_a_kind)]
    doses: tuple[time, ...] = ()


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
    rhythm = _rhythm(fitting, day, life, random)
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
    """Urgent is what a default rule raises for care, seriously or worse."""
    if type_ in STATUS_TYPES:
        return MessageClass.STATUS
    rules = kinds()[kind].default_rules
    raised = [rule for rule in rules if type_ in rule.get("on", ()) and rule.get("enabled", True)]
    urgent = any(rule["track"] == "care" and rule["severity"] >= Severity.SERIOUS for rule in raised)
    return MessageClass.ALARM if urgent else MessageClass.EVENT


def _rhythm(fitting: Fitting, day: date, life: Life, random: Random) -> Rhythm:
    doses = sorted(_at(day, dose) for dose in fitting.doses if random.random() >= life.missed_per_dose)
    falls, minute = random.random() < life.falls_per_day, random.randrange(24 * 60)
    fall_at = midnight(day) + timedelta(minutes=minute, seconds=random.randrange(60))
    return Rhythm(midnight(day), day, tuple(doses), fall_at if falls else None)


def _at(day: date, local: time) -> datetime:
    return datetime.combine(day, local, tzinfo=OSLO).astimezone(UTC)
