"""A fall alarm's day: put on in the morning, a sign of life every hour, taken off at night; a fall when life has one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

from devices.kinds import Rhythm, Span
from devices.model import MessageClass, Said


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the wearable says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 59))
    said = [
        Said(rhythm.midnight + timedelta(hours=hour) + jitter, MessageClass.STATUS, "heartbeat", _health(random))
        for hour in range(24)
    ]
    up = rhythm.up or Span(rhythm.midnight + timedelta(hours=7), rhythm.midnight + timedelta(hours=22))
    said.append(Said(up.begins + timedelta(minutes=random.uniform(0, 15)), MessageClass.EVENT, "worn"))
    said.append(Said(up.ends - timedelta(minutes=random.uniform(0, 15)), MessageClass.EVENT, "not_worn"))
    if rhythm.fall_at is not None:
        said.append(Said(rhythm.fall_at, MessageClass.ALARM, "fall", _impact(random)))
    yield from sorted(said, key=lambda one: one.at)


def _health(random: Random) -> dict[str, float]:
    return {"battery": round(random.uniform(40, 100)), "rssi": round(random.uniform(-95, -55))}


def _impact(random: Random) -> dict[str, float]:
    return {"impact_g": round(random.uniform(2.5, 9), 1), "confidence": round(random.uniform(0.7, 0.99), 2)}
