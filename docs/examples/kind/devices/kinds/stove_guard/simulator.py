"""A stove guard's day: a sign of life every four hours, and a dinner that is cooked and taken off the stove."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from devices.kinds import Rhythm
from devices.model import MessageClass, Said


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the guard says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 239))
    said = [
        Said(rhythm.midnight + timedelta(hours=hour) + jitter, MessageClass.STATUS, "heartbeat", _health(random))
        for hour in range(0, 24, 4)
    ]
    if rhythm.up is not None:
        said.extend(_dinner(rhythm.up.begins + timedelta(hours=random.uniform(5, 7)), random))
    yield from sorted(said, key=lambda one: one.at)


def _dinner(begins: datetime, random: Random) -> Iterator[Said]:
    """Twenty minutes of cooking, measured every five."""
    yield Said(begins, MessageClass.EVENT, "stove_on")
    for minutes in range(5, 20, 5):
        hot = {"plate_temperature": round(22 + 2 * minutes + random.uniform(0, 3), 1)}
        yield Said(begins + timedelta(minutes=minutes), MessageClass.EVENT, "measured", hot)
    yield Said(begins + timedelta(minutes=20), MessageClass.EVENT, "stove_off")


def _health(random: Random) -> dict[str, object]:
    return {"battery": random.randint(60, 100), "rssi": round(random.uniform(-95, -60))}
