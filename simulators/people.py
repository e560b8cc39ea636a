"""What the people of a home do of a day: drawn from a seed, so that all devices of the home live with the same people. Pure.

Rules
    Habits are the home's, and each day is a little different; on Saturdays and Sundays people sleep longer, home care comes
    less often, and guests come.
    A healthy home raises nothing: whatever calls for help has a chance in ``Life`` that is 0 unless it is asked for (falls
    and missed doses have one from the beginning).
    Who is in hospital does nothing at home: nobody walks, visits, or takes a dose there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from devices.kinds import Span

OSLO = ZoneInfo("Europe/Oslo")
A_DAY = timedelta(days=1)
SATURDAY = 5
LONGEST_STAY = 3
"""Days in hospital."""
AMBULANCE = timedelta(minutes=12)


@dataclass(frozen=True, slots=True)
class Life:
    """Chances. Of a fall and of a press of the button, per wearer and day; of a dose about which the dispenser says nothing
    at all; of smoke, of going out at night, and of being taken to hospital, per home and day."""

    falls_per_day: float = 0.01
    missed_per_dose: float = 0.01
    presses_per_day: float = 0.0
    smoke_per_day: float = 0.0
    out_per_night: float = 0.0
    hospital_per_day: float = 0.0


LIVELY = Life(
    falls_per_day=0.01,
    missed_per_dose=0.01,
    presses_per_day=0.04,
    smoke_per_day=0.002,
    out_per_night=0.005,
    hospital_per_day=0.001,
)
"""A municipality as it is: most days of most people are quiet."""


@dataclass(frozen=True, slots=True)
class People:
    """A day. ``out_at_night``: out of the house and back; ``away``: in hospital. The rest: ``devices.kinds.Rhythm``."""

    up: Span
    walks: tuple[Span, ...]
    visits: tuple[Span, ...]
    guests: tuple[Span, ...] = ()
    out_at_night: Span | None = None
    smoke_at: datetime | None = None
    away: Span | None = None


def midnight(day: date) -> datetime:
    """The beginning of a local day, in UTC."""
    return moment(day, time())


def moment(day: date, local: time) -> datetime:
    """A local time of a day, in UTC."""
    return datetime.combine(day, local, tzinfo=OSLO).astimezone(UTC)


def people_of(home: str, day: date, life: Life, seed: int) -> People:
    """What the people of a home do of a day."""
    habits, today = Random(f"{seed}:home:{home}"), Random(f"{seed}:home:{home}:{day}")
    weekend = day.weekday() >= SATURDAY
    comes = habits.choice(((), (8,), (8, 19), (8, 13, 19)))
    walks = habits.random() < 0.6 and today.random() < 0.8
    up = Span(_some_time(day, 7, 8, today), _some_time(day, 21, 22, today))
    if not weekend:
        up = Span(_some_time(day, 6, 7, today), up.ends)
    away = _in_hospital(home, day, life, seed)
    walk = (_span(_some_time(day, 10, 12, today), 20, 55, today),) if walks else ()
    visits = tuple(
        _span(_some_time(day, hour, hour + 1, today), 9, 25, today) for hour in comes if not (weekend and hour == 13)
    )
    guest = (_span(_some_time(day, 15, 17, today), 60, 150, today),) if weekend and today.random() < 0.4 else ()
    return People(
        up=up,
        walks=_at_home(walk, away),
        visits=(*_at_home(visits, away), *_ambulance(away, day)),
        guests=_at_home(guest, away),
        out_at_night=_out_at_night(home, day, life, seed, away),
        smoke_at=_smoke(home, day, life, seed, away),
        away=away,
    )


def is_away(people: People, at: datetime) -> bool:
    """Whether they are in hospital at a moment."""
    return people.away is not None and people.away.begins <= at < people.away.ends


def _at_home(spans: Iterable[Span], away: Span | None) -> tuple[Span, ...]:
    return tuple(each for each in spans if away is None or each.ends <= away.begins or each.begins >= away.ends)


def _in_hospital(home: str, day: date, life: Life, seed: int) -> Span | None:
    """The part of the day in which they are; taken there at one and home again at three, some days later."""
    if not life.hospital_per_day:
        return None
    for before in range(LONGEST_STAY + 1):
        random = Random(f"{seed}:hospital:{home}:{day - before * A_DAY}")
        taken, days = random.random() < life.hospital_per_day, random.randint(1, LONGEST_STAY)
        if taken and before <= days:
            begins = moment(day, time(13)) if before == 0 else midnight(day)
            return Span(begins, moment(day, time(15)) if before == days else midnight(day + A_DAY))
    return None


def _ambulance(away: Span | None, day: date) -> tuple[Span, ...]:
    """Somebody comes to take them, and somebody brings them home."""
    if away is None:
        return ()
    taken = away.begins if away.begins > midnight(day) else None
    home = away.ends if away.ends < midnight(day + A_DAY) else None
    return tuple(Span(at - AMBULANCE, at) for at in (taken, home) if at is not None)


def _out_at_night(home: str, day: date, life: Life, seed: int, away: Span | None) -> Span | None:
    random = Random(f"{seed}:night:{home}:{day}")
    if random.random() >= life.out_per_night:
        return None
    begins = _some_time(day, 1, 4, random)
    spans = _at_home((Span(begins, begins + timedelta(minutes=random.choice((2, 4, 6, 25)))),), away)
    return spans[0] if spans else None


def _smoke(home: str, day: date, life: Life, seed: int, away: Span | None) -> datetime | None:
    random = Random(f"{seed}:smoke:{home}:{day}")
    at = _some_time(day, 7, 21, random)
    burns = random.random() < life.smoke_per_day and not (away and away.begins <= at < away.ends)
    return at if burns else None


def _some_time(day: date, first: int, last: int, random: Random) -> datetime:
    """A moment between two hours, by the clock on the wall."""
    begins = moment(day, time(first))
    return begins + random.random() * (moment(day, time(last)) - begins)


def _span(begins: datetime, shortest: float, longest: float, random: Random) -> Span:
    """From a moment on, for so many minutes."""
    return Span(begins, begins + timedelta(minutes=random.uniform(shortest, longest)))
