"""A mobile safety alarm's day: a sign of life every hour, a position every few minutes of a walk, the charger at night;
a fall, or a press of the button, when life has one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import cos, pi, radians, sin
from random import Random

from devices.kinds import Rhythm, Span
from devices.model import MessageClass, Said

NEAR = (58.97, 5.73)
"""Stavanger, in degrees: around here people live whose home nobody has named."""

METRES_PER_DEGREE = 111_195
EVERY = timedelta(minutes=5)


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the alarm says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 59))
    home = rhythm.place or _around(NEAR, random.uniform(0, 3000), random)
    hours = [rhythm.midnight + timedelta(hours=hour) + jitter for hour in range(24)]
    said = [Said(at, MessageClass.STATUS, "heartbeat", _health(at, rhythm.up, random)) for at in hours]
    for walk in rhythm.walks:
        said.extend(_walk(walk, home, random))
    if rhythm.press_at is not None:
        pressed = _found(_around(home, random.uniform(0, 600), random), random)
        said.append(Said(rhythm.press_at, MessageClass.ALARM, "button_pressed", pressed))
    if rhythm.fall_at is not None:
        where = _found(_around(home, random.uniform(0, 600), random), random)
        said.append(Said(rhythm.fall_at, MessageClass.ALARM, "fall", {"impact_g": 4.1, **where}))
    yield from sorted(said, key=lambda one: one.at)


def _walk(walk: Span, home: tuple[float, float], random: Random) -> Iterator[Said]:
    """Out and home again, on a loop of some hundred metres."""
    steps = max(2, (walk.ends - walk.begins) // EVERY)
    radius, begin = random.uniform(150, 400), random.uniform(0, 2 * pi)
    for step in range(steps + 1):
        turn = begin + 2 * pi * step / steps
        north, east = radius * (sin(turn) - sin(begin)), radius * (cos(turn) - cos(begin))
        where = _found(_moved(home, north, east), random)
        at = walk.begins + step * (walk.ends - walk.begins) / steps
        yield Said(at, MessageClass.EVENT, "position", {**where, "speed_kmh": round(random.uniform(2, 5), 1)})


def _health(at: datetime, up: Span | None, random: Random) -> dict[str, object]:
    """Charged at night, three percent an hour by day."""
    worn = up is not None and up.begins <= at < up.ends
    hours = (at - up.begins) // timedelta(hours=1) if worn and up else 0
    return {"battery": 100 - 3 * hours - random.randint(0, 2), "rssi": random.randint(-105, -65), "mains": not worn}


def _found(place: tuple[float, float], random: Random) -> dict[str, object]:
    latitude, longitude = place
    source, accuracy = random.choice((("gps", 6), ("gps", 12), ("gps", 20), ("wifi", 45), ("cell", 400)))
    return {
        "latitude": round(latitude, 5),
        "longitude": round(longitude, 5),
        "accuracy_m": accuracy,
        "source": source,
    }


def _around(place: tuple[float, float], metres: float, random: Random) -> tuple[float, float]:
    turn = random.uniform(0, 2 * pi)
    return _moved(place, metres * sin(turn), metres * cos(turn))


def _moved(place: tuple[float, float], north: float, east: float) -> tuple[float, float]:
    latitude, longitude = place
    return (
        latitude + north / METRES_PER_DEGREE,
        longitude + east / (METRES_PER_DEGREE * cos(radians(latitude))),
    )
