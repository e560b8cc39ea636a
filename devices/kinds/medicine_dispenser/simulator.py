"""A dispenser's day: a sign of life every half hour, each dose dispensed on time and taken minutes later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from devices.kinds import Rhythm
from devices.model import MessageClass, Said


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the dispenser says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 29))
    said = [
        Said(rhythm.midnight + timedelta(minutes=30 * half) + jitter, MessageClass.STATUS, "heartbeat", _health(random))
        for half in range(48)
    ]
    for dose_at in rhythm.doses:
        said.extend(_dose(dose_at, random))
    yield from sorted(said, key=lambda one: one.at)


def _dose(dose_at: datetime, random: Random) -> Iterator[Said]:
    planned = {"dose_at": dose_at.isoformat()}
    dispensed = dose_at + timedelta(seconds=random.uniform(1, 30))
    yield Said(dispensed, MessageClass.EVENT, "dose_dispensed", planned)
    yield Said(dispensed + timedelta(minutes=random.uniform(1, 25)), MessageClass.EVENT, "dose_taken", planned)


def _health(random: Random) -> dict[str, object]:
    return {"battery": 100, "mains": True, "rssi": round(random.uniform(-85, -55))}
