"""The clock of simulated devices: the one file here that reads it, or waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LONGEST_NAP = 30.0
"""Seconds. A computer that was asleep is told by the clock on the wall, so long waits are cut into naps."""


@dataclass(frozen=True)
class Clock:
    """``now`` gives aware UTC; ``sleep`` takes seconds."""

    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[object]]

    async def until(self, moment: datetime) -> None:
        """Wait for a moment."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            await self.sleep(min(left, LONGEST_NAP))

    async def until_set(self, event: asyncio.Event, latest: datetime | None) -> None:
        """Wait for an event, but not beyond ``latest``; then clear it."""
        waits: set[asyncio.Future[Any]] = {asyncio.ensure_future(event.wait())}
        if latest is not None:
            waits.add(asyncio.ensure_future(self.until(latest)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        event.clear()


def live() -> Clock:
    """The real one."""
    return Clock(lambda: datetime.now(UTC), asyncio.sleep)
