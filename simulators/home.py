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
from datetime import date, datetime, time
from random import Random
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from devices.kinds import Rhythm, kinds
from devices.model import NAME, MessageClass, Said
from devices.vkp import Severity
from simulators.people import A_DAY, OSLO, Life, People, is_away, midnight, moment, people_of

__all__ = ["OSLO", "Fitting", "Life", "class_of", "midnight", "saying", "script", "story"]

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
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


def script(fitting: Fitting, day: date, life: Life, seed: int) -> list[Said]:
    """What a device says of one day, in order."""
    random = Random(f"{seed}:{fitting.address}:{day}")
    return list(kinds()[fitting.kind].day(_rhythm(fitting, day, life, seed, random), random))


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


def _rhythm(fitting: Fitting, day: date, life: Life, seed: int, random: Random) -> Rhythm:
    people = people_of(fitting.home or fitting.address, day, life, seed)
    planned = sorted(moment(day, dose) for dose in fitting.doses if random.random() >= life.missed_per_dose)
    return Rhythm(
        midnight(day),
        day,
        doses=tuple(at for at in planned if not is_away(people, at)),
        fall_at=_by_day(people, life.falls_per_day, random),
        press_at=_by_day(people, life.presses_per_day, random),
        up=people.up,
        walks=people.walks,
        visits=people.visits,
        guests=people.guests,
        out_at_night=people.out_at_night,
        smoke_at=people.smoke_at,
        away=people.away,
        place=fitting.place,
    )


def _by_day(people: People, chance: float, random: Random) -> datetime | None:
    """Some time between getting up and going to bed, with this chance, unless they are away."""
    comes, when = random.random() < chance, random.random()
    at = people.up.begins + when * (people.up.ends - people.up.begins)
    return at if comes and not is_away(people, at) else None
