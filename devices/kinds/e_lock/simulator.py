"""A lock's day: a sign of life every half hour, opened and locked again at visits; and how it obeys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random

from devices.kinds import Reply, Rhythm
from devices.model import MessageClass, Said

DONE = {"lock": "locked", "unlock": "unlocked", "unlatch": "unlatched"}


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the lock says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 29))
    said = [
        Said(rhythm.midnight + timedelta(minutes=30 * half) + jitter, MessageClass.STATUS, "heartbeat", _health(random))
        for half in range(48)
    ]
    for hour in (9, 20):
        said.extend(_visit(rhythm, hour, random))
    yield from sorted(said, key=lambda one: one.at)


def obey(command: str, random: Random) -> Iterator[Reply]:
    """The bolt moves within seconds, and the lock reports where it is."""
    if command in DONE:
        after = timedelta(seconds=random.uniform(1, 4))
        yield Reply(after, MessageClass.RESULT, DONE[command], {"method": "remote"})


def _visit(rhythm: Rhythm, hour: int, random: Random) -> Iterator[Said]:
    comes = rhythm.midnight + timedelta(hours=hour, minutes=random.uniform(0, 59))
    goes = comes + timedelta(minutes=random.uniform(2, 8))
    yield Said(comes, MessageClass.EVENT, "unlocked", {"method": "app", "by": f"staff-{random.randint(1, 40)}"})
    yield Said(goes, MessageClass.EVENT, "locked", {"method": "app"})


def _health(random: Random) -> dict[str, object]:
    return {"battery": random.randint(70, 100), "rssi": round(random.uniform(-85, -55))}
