"""A door sensor's day: a sign of life every four hours, and whoever goes through the door."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from devices.kinds import Rhythm
from devices.model import MessageClass, Said


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the sensor says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 239))
    said = [
        Said(rhythm.midnight + timedelta(hours=hour) + jitter, MessageClass.STATUS, "heartbeat", _health(random))
        for hour in range(0, 24, 4)
    ]
    for walk in (*rhythm.walks, *((rhythm.out_at_night,) if rhythm.out_at_night else ())):
        said.extend(_passes(walk.begins, random, "went_out"))
        said.extend(_passes(walk.ends, random, "came_in"))
    for visit in (*rhythm.visits, *rhythm.guests):
        said.extend(_passes(visit.begins, random))
        said.extend(_passes(visit.ends, random))
    yield from sorted(said, key=lambda one: one.at)


def _passes(at: datetime, random: Random, resident: str | None = None) -> Iterator[Said]:
    """Somebody goes through the door; a visitor is told from the resident."""
    yield Said(at, MessageClass.EVENT, "opened")
    if resident is not None:
        yield Said(at + timedelta(seconds=random.uniform(1, 3)), MessageClass.EVENT, resident)
    yield Said(at + timedelta(seconds=random.uniform(5, 40)), MessageClass.EVENT, "closed")


def _health(random: Random) -> dict[str, object]:
    return {"battery": random.randint(60, 100), "rssi": round(random.uniform(-95, -60))}
