"""How simulated home-care staff answer when they are called. Pure.

Rules
    The same seed, person, alert and attempt give the same answers, whoever else is called.
    Times are counted from the call, and grow from answer to answer. Who does not notice a call gives none: the next
    attempt is another chance.
    Nobody here knows who else answers: whoever drives it gives an answer only as long as it is still this person's to give.
    What is urgent is taken within 60 s in 97.5 % of all cases and by day within half of that in most, at night more
    slowly (the field's standard; docs/simulators.md). What is technical waits for its hour.

Theory
    ::

        noticed? ─▶ claim ─▶ (hand over | release)                        and it is somebody else's
                      │
                      ├────▶ talked to them ─▶ close                      what turned out to be nothing, now and then
                      └────▶ on_way ─▶ arrived ─▶ (need_help) ─▶ close    cause and action as they were found

    Reaction and travel are log-normal: most are quick, some take long. A ``Pace`` says how quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

OSLO = ZoneInfo("Europe/Oslo")
SERIOUS, CRITICAL = 30, 40
"""VKP severities, as numbers."""
NIGHT = (22, 7)
"""Hours, by the clock on the wall, between which answers are slower."""
NIGHT_IS_SLOWER = 1.5
OUR_OWN_FAULT = frozenset({"uninterpretable_alarm", "device_silent", "disconnected", "battery_low", "battery_empty"})
"""Conditions that are the device's doing where nothing has happened to anybody."""


@dataclass(frozen=True, slots=True)
class Call:
    """A page as somebody sees it. ``alert``: anything that names the alert. ``real``: whether something has happened, which
    is found out on the spot. ``at``: aware."""

    alert: str
    condition: str
    severity: int
    real: bool
    at: datetime
    technical: bool = False
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, so long after the call. ``cause`` and ``action`` go with ``close``."""

    after: timedelta
    answer: str
    cause: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, the middle of each: from the call to taking it, to being on the way, underway, on the spot.

    ``spread`` of the first, ``unnoticed`` by day: a share; at night twice that.
    """

    claim: float
    leave: float
    travel: float
    stay: float
    spread: float
    unnoticed: float


URGENT = Pace(claim=16, leave=50, travel=600, stay=900, spread=0.5, unnoticed=0.01)
CALM = Pace(claim=70, leave=300, travel=900, stay=900, spread=0.8, unnoticed=0.03)
REPAIR = Pace(claim=300, leave=1500, travel=1200, stay=1200, spread=0.8, unnoticed=0.05)

HANDED_OVER, RELEASED, HELP_NEEDED, ONLY_TALKED = 0.02, 0.01, 0.03, 0.4
"""Shares: of what is taken, of what is taken, of what is critical and real, of what is nothing."""


def answers(call: Call, person: str, seed: int) -> tuple[Given, ...]:
    """What one person answers to one call, in order; nothing when they do not notice it."""
    random = Random(f"{seed}:staff:{person}:{call.alert}:{call.attempt}")
    pace, slower = _pace(call), NIGHT_IS_SLOWER if _at_night(call.at) else 1.0
    if random.random() < pace.unnoticed * (2 if slower > 1 else 1):
        return ()
    return tuple(_taken(call, pace, slower, random))


def _taken(call: Call, pace: Pace, slower: float, random: Random) -> Iterator[Given]:
    after = _about(pace.claim * slower, pace.spread, random)
    yield Given(after, "claim")
    chance = random.random()
    if chance < HANDED_OVER + RELEASED:
        yield Given(after + _about(60, 0.4, random), "hand_over" if chance < HANDED_OVER else "release")
    elif not call.real and not call.technical and random.random() < ONLY_TALKED:
        yield _closed(call, after + _about(150, 0.4, random), "talked", random)
    else:
        yield from _goes_there(call, pace, slower, after, random)


def _goes_there(call: Call, pace: Pace, slower: float, after: timedelta, random: Random) -> Iterator[Given]:
    after += _about(pace.leave * slower, 0.4, random)
    yield Given(after, "on_way")
    after += _about(pace.travel, 0.45, random)
    yield Given(after, "arrived")
    if call.real and call.severity >= CRITICAL and random.random() < HELP_NEEDED:
        after += _about(90, 0.4, random)
        yield Given(after, "need_help")
    yield _closed(call, after + _about(pace.stay, 0.4, random), _done(call, random), random)


def _closed(call: Call, after: timedelta, action: str, random: Random) -> Given:
    return Given(after, "close", _cause(call, random), action)


def _cause(call: Call, random: Random) -> str:
    if call.real:
        return "real"
    if call.technical or call.condition in OUR_OWN_FAULT:
        return "false_by_device"
    return "false_by_user" if random.random() < 0.7 else "false_by_device"


def _done(call: Call, random: Random) -> str:
    """What was done on the spot."""
    if call.technical:
        return "repaired" if call.real else "nothing"
    if not call.real:
        return "visited"
    if call.severity >= CRITICAL and random.random() < 0.15:
        return "ambulance"
    return "general_practitioner" if random.random() < 0.05 else "visited"


def _pace(call: Call) -> Pace:
    if call.technical:
        return REPAIR
    return URGENT if call.severity >= SERIOUS else CALM


def _at_night(at: datetime) -> bool:
    hour, (begins, ends) = at.astimezone(OSLO).hour, NIGHT
    return hour >= begins or hour < ends


def _about(seconds: float, spread: float, random: Random) -> timedelta:
    """Around so many seconds: half are quicker, and a few take much longer."""
    return timedelta(seconds=round(seconds * random.lognormvariate(0, spread), 3))
