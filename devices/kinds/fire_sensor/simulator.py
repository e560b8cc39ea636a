"""A fire sensor's day: a sign of life every six hours, and on the first of the month somebody presses its test button;
smoke when life has some."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

from devices.kinds import Rhythm
from devices.model import MessageClass, Said


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the sensor says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 359))
    said = [
        Said(rhythm.midnight + timedelta(hours=hour) + jitter, MessageClass.STATUS, "heartbeat", _health(random))
        for hour in range(0, 24, 6)
    ]
    if rhythm.smoke_at is not None:
        smoke = rhythm.smoke_at + timedelta(seconds=random.uniform(0, 20))
        said.append(Said(smoke, MessageClass.ALARM, "smoke"))
        said.append(Said(smoke + timedelta(minutes=random.uniform(2, 9)), MessageClass.EVENT, "cleared"))
    if rhythm.day.day == 1:
        tested_at = rhythm.midnight + timedelta(hours=11, minutes=random.uniform(0, 120))
        said.append(Said(tested_at, MessageClass.EVENT, "test"))
    yield from sorted(said, key=lambda one: one.at)


def _health(random: Random) -> dict[str, object]:
    return {"battery": random.randint(75, 100), "rssi": round(random.uniform(-95, -60))}
