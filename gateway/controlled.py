"""Controlled time: the real gateway over a real broker, with a domain clock that jumps from one thing due to the next.

One quantum: what devices have published is stored (a canary comes back on every lane behind it), everything due is
judged, every command is sent, every page is settled. Then the clock jumps to whatever is due next, at most a quantum further, so that a long
jump is not taken for a deaf period. For trials and tests; the settings refuse it in production.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial

from gateway.app import Gateway
from gateway.clock import ControlledClock, pause
from gateway.lanes import LaneWorker
from gateway.mqtt import LinkLost
from gateway.store import pages, watches
from gateway.timekeeper import Passed

PATIENCE = 20.0
"""Seconds, in real time, that a quantum may take before something is wrong."""


class NotControlled(Exception):
    """The gateway keeps the real time; start it with a controlled clock to move it."""


async def advance(gateway: Gateway, by: timedelta) -> datetime:
    """Let this much time pass; answers the time it is then. NotControlled in real time, TimeoutError when stuck."""
    clock = gateway.controlled
    if clock is None:
        raise NotControlled("this gateway keeps the real time: set controlled_clock to move it")
    end = clock.now() + by
    await settle(gateway)
    while clock.now() < end:
        clock.move_to(await _next(gateway, clock, end))
        await settle(gateway)
    return clock.now()


async def settle(gateway: Gateway) -> int:
    """Until nothing is left to do at this time. How many pages were sent."""
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(_heard(worker) for worker in gateway.lanes.values()))
        while _may_lead_on(await gateway.timekeeper.run_once()):
            pass
        await gateway.send_commands()
        return await _pages_settled(gateway)


def _may_lead_on(passed: Passed) -> bool:
    """Whether something may have fallen due through this pass. A pass goes through all watches that are due, and through the
    alerts that they have raised; a watch that is moved on is not due again at this time."""
    return bool(passed.alerts or passed.commands or passed.silences)


async def next_due(gateway: Gateway, *, besides: str = "") -> datetime | None:
    """When something is due next. ``besides``: how the keys of watches begin that can wait until something else is."""
    now = gateway.clock.now()
    return await gateway.database.read(lambda each: watches.next_due(each, now, besides=besides))


async def _next(gateway: Gateway, clock: ControlledClock, end: datetime) -> datetime:
    quantum, due = gateway.settings.limits.deaf / 3, await next_due(gateway)
    return min(end, clock.now() + quantum, due or end)


async def _heard(worker: LaneWorker) -> None:
    """Everything published before this is stored; a lane that is not connected hears nothing."""
    try:
        heard = await worker.sing()
    except LinkLost:
        return
    await heard.wait()


async def _pages_settled(gateway: Gateway) -> int:
    """Every page that is due has been handed over or given up, back-off included, and taken back where it is to be. How many
    sendings that took."""
    sent = 0
    ours = tuple(gateway.channels)
    while await gateway.database.read(partial(pages.unsettled, now=gateway.clock.now(), channels=ours)):
        leased = await gateway.dispatcher.run_once()
        await gateway.dispatcher.settled()
        sent += leased
        if not leased:
            await pause(0.05)
    return sent
