"""The two clocks.

Domain time – ``now``, every ``due_at``, rules, escalation – is injected and can be controlled. Infrastructure time –
leases, back-off, time-outs – is monotonic or the database's, and never accelerated. This file is the only one that
reads a wall clock or sleeps.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Domain time."""

    def now(self) -> datetime:
        """The present, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ControlledClock:
    """A clock that moves when told to, and never back. For tests and simulated weeks; refused in production."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Jump. ValueError for a moment in the past."""
        if moment < self._now:
            raise ValueError(f"the clock stands at {self._now}, it cannot go back to {moment}")
        self._now = moment.astimezone(UTC)


def monotonic() -> float:
    """Infrastructure time in seconds, from an arbitrary start."""
    return time.monotonic()


async def pause(seconds: float) -> None:
    """Wait, in infrastructure time."""
    await asyncio.sleep(seconds)
