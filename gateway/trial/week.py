"""The loop of a trial: homes, gateway and staff take turns, and the clock jumps.

Rules
    A moment at which an alarm leaves a device, somebody answers, or something falls due is a quantum's end; nothing is older
    than a quantum when it is heard. What only looks whether a device is still there waits for the quantum's end.
    The broker has everything that left, before the gateway is asked to settle; receipts are read when it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway import controlled
from gateway.app import Gateway
from gateway.clock import ControlledClock, monotonic, pause
from gateway.store import trials
from gateway.store.trials import Print
from gateway.trial.crew import Crew
from simulators.field import Field
from simulators.wire import Wire

QUANTUM = timedelta(seconds=110)
"""Less than what counts as late, so that nothing does because of us."""
A_DAY = timedelta(days=1)
CAN_WAIT = "silence:"
"""Watches that only look whether a device is still there."""


@dataclass(slots=True)
class Ran:
    """How it went: the moments up to which the site was heard, and what was written at the end of each day."""

    heard: set[datetime] = field(default_factory=set)
    prints: list[Print] = field(default_factory=list)


@dataclass
class Week:
    """A trial that runs. ``told`` is called after each quantum with the time it is. ``speed``: at most so many times real
    time; None: as fast as it goes."""

    gateway: Gateway
    clock: ControlledClock
    homes: Field
    wire: Wire
    crew: Crew
    told: Callable[[datetime], None] = lambda _: None
    speed: float | None = None
    ran: Ran = field(default_factory=Ran)

    async def run(self, until: datetime) -> Ran:
        """To the end."""
        began, start = self.clock.now(), monotonic()
        day_ends = began + A_DAY
        await self._settle()
        while self.clock.now() < until:
            await self._quantum(min(until, day_ends))
            if self.speed is not None:
                await self._wait_for_real_time(began, start)
            self.told(self.clock.now())
            if self.clock.now() >= day_ends:
                day_ends += A_DAY
                await self._day_is_over()
        return self.ran

    async def _quantum(self, end: datetime) -> None:
        self.clock.move_to(await self._next(end))
        now = self.clock.now()
        await self.wire.deliver(self.homes.leave(now))
        await self._settle()
        while await self.crew.answer(now):
            await self._settle()

    async def _wait_for_real_time(self, began: datetime, start: float) -> None:
        lived = (self.clock.now() - began).total_seconds() / (self.speed or 1)
        await pause(max(0.0, start + lived - monotonic()))

    async def _next(self, end: datetime) -> datetime:
        now = self.clock.now()
        latest = min(end, now + QUANTUM)
        due = await controlled.next_due(self.gateway, besides=CAN_WAIT)
        moments = (latest, due, self.crew.next_answer, self.homes.urgent_before(latest))
        return max(now, min(each for each in moments if each is not None))

    async def _settle(self) -> None:
        paged = await controlled.settle(self.gateway)
        now = self.clock.now()
        self.ran.heard.add(now)
        for topic, message_id in await self.wire.receipts():
            self.homes.receipted(topic, message_id, now)
        if paged:
            await self.crew.look()

    async def _day_is_over(self) -> None:
        now = self.clock.now()
        self.ran.prints.append(await self.gateway.database.run(lambda each: trials.fingerprint(each, now)))
