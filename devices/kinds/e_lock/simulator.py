"""A lock's day: a sign of life every half hour, whoever comes and goes, locked again behind them; and how it obeys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
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
    for visit in rhythm.visits:
        said.extend(_passes(visit.begins, random, {"method": "app", "by": f"staff-{random.randint(1, 40)}"}))
        said.extend(_passes(visit.ends, random, {"method": "button"}))
    for guest in rhythm.guests:
        said.extend(_passes(guest.begins, random, {"method": "button"}))
        said.extend(_passes(guest.ends, random, {"method": "button"}))
    for walk in (*rhythm.walks, *((rhythm.out_at_night,) if rhythm.out_at_night else ())):
        said.extend(_passes(walk.begins, random, {"method": "button"}))
        said.extend(_passes(walk.ends, random, {"method": "key"}))
    yield from sorted(said, key=lambda one: one.at)


def obey(command: str, random: Random) -> Iterator[Reply]:
    """The bolt moves within seconds, and the lock reports where it is."""
    if command in DONE:
        after = timedelta(seconds=random.uniform(1, 4))
        yield Reply(after, MessageClass.RESULT, DONE[command], {"method": "remote"})


def _passes(at: datetime, random: Random, how: Mapping[str, object]) -> Iterator[Said]:
    """Somebody unlocks and goes through the door; minutes later it locks itself."""
    yield Said(at - timedelta(seconds=random.uniform(4, 12)), MessageClass.EVENT, "unlocked", how)
    yield Said(at, MessageClass.EVENT, "door_opened")
    yield Said(at + timedelta(seconds=random.uniform(5, 40)), MessageClass.EVENT, "door_closed")
    yield Said(at + timedelta(minutes=random.uniform(1, 3)), MessageClass.EVENT, "locked", {"method": "auto"})


def _health(random: Random) -> dict[str, object]:
    return {"battery": random.randint(70, 100), "rssi": round(random.uniform(-85, -55))}
