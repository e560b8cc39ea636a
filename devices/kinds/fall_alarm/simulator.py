"""A fall alarm's day: put on in the morning, a sign of life every hour, on its charger at night; a fall, or a press of the
button, when life has one. Whoever goes to hospital leaves it at home."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from devices.kinds import Rhythm, Span
from devices.model import MessageClass, Said


def day(rhythm: Rhythm, random: Random) -> Iterator[Said]:
    """What the wearable says from midnight to midnight, in time order."""
    jitter = timedelta(minutes=random.uniform(0, 59))
    up = rhythm.up or Span(rhythm.midnight + timedelta(hours=7), rhythm.midnight + timedelta(hours=22))
    hours = [rhythm.midnight + timedelta(hours=hour) + jitter for hour in range(24)]
    said = [Said(at, MessageClass.STATUS, "heartbeat", _health(at, up, random)) for at in hours]
    said.extend(_worn(up, rhythm.away, random))
    if rhythm.press_at is not None:
        said.append(Said(rhythm.press_at, MessageClass.ALARM, "button_pressed"))
    if rhythm.fall_at is not None:
        said.append(Said(rhythm.fall_at, MessageClass.ALARM, "fall", _impact(random)))
    yield from sorted(said, key=lambda one: one.at)


def _worn(up: Span, away: Span | None, random: Random) -> Iterator[Said]:
    """From the morning to the evening, but for the time in hospital."""
    on = up.begins + timedelta(minutes=random.uniform(0, 15))
    off = up.ends - timedelta(minutes=random.uniform(0, 15))
    if away is None or away.ends <= on or off <= away.begins:
        worn = [(on, off)]
    else:
        worn = [(begins, ends) for begins, ends in ((on, away.begins), (away.ends, off)) if begins < ends]
    for begins, ends in worn:
        yield Said(begins, MessageClass.EVENT, "worn")
        yield Said(ends, MessageClass.EVENT, "not_worn")


def _health(at: datetime, up: Span, random: Random) -> dict[str, float]:
    """Charged at night, two percent an hour by day."""
    hours = (at - up.begins) // timedelta(hours=1) if up.begins <= at < up.ends else 0
    return {"battery": 100 - 2 * hours - random.randint(0, 2), "rssi": round(random.uniform(-95, -55))}


def _impact(random: Random) -> dict[str, float]:
    return {"impact_g": round(random.uniform(2.5, 9), 1), "confidence": round(random.uniform(0.7, 0.99), 2)}
