"""Waiting: for a moment, through a computer's sleep, and for an event or a moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from simulators.clock import LONGEST_NAP, Clock, live

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)


class Hands:
    """A clock that moves when somebody sleeps, and as far as it likes."""

    def __init__(self, factor: float = 1) -> None:
        self.time, self.naps, self.factor = NOW, list[float](), factor

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += timedelta(seconds=seconds * self.factor)
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep)


async def test_a_long_wait_is_cut_into_naps() -> None:
    hands = Hands()
    await hands.clock().until(NOW + timedelta(seconds=70))
    assert hands.naps == [LONGEST_NAP, LONGEST_NAP, 10]


async def test_a_computer_that_was_asleep_does_not_oversleep() -> None:
    hands = Hands(factor=1000)
    await hands.clock().until(NOW + timedelta(hours=5))
    assert hands.naps == [LONGEST_NAP]


async def test_the_past_is_not_waited_for() -> None:
    hands = Hands()
    await hands.clock().until(NOW - timedelta(days=1))
    assert hands.naps == []


@pytest.mark.parametrize("latest", [None, NOW + timedelta(days=1)])
async def test_an_event_ends_the_wait_and_is_used_up(latest: datetime | None) -> None:
    event = asyncio.Event()
    event.set()
    await Hands().clock().until_set(event, latest)
    assert not event.is_set()


async def test_a_moment_ends_the_wait_for_an_event() -> None:
    hands = Hands()
    await hands.clock().until_set(asyncio.Event(), NOW + timedelta(seconds=5))
    assert hands.naps == [5]


async def test_the_real_one_is_in_utc() -> None:
    clock = live()
    before = clock.now()
    await clock.until(before + timedelta(seconds=0.02))
    assert clock.now() - before >= timedelta(seconds=0.02)
    assert before.tzinfo is UTC
