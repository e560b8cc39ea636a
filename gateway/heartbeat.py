"""The outgoing heartbeat: while all is well an address elsewhere is called, so that somebody there notices our silence.

Rules
    It is called at each interval while nothing is red and, where there is a canary resident, its alarm has passed lately at
    every site. Otherwise it is not: silence is the signal, and whoever keeps the address calls a person.
    A heartbeat that fails is counted and logged, and harms nothing. The address is a secret, and is in no log.

Theory
    A dead-man switch: what is dead cannot say so, neither can what has lost its network. Each process that dispatches sends one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum

import httpx
import structlog

from gateway.clock import Clock, pause
from gateway.health import Health, State
from gateway.metrics import METRICS
from gateway.passages import Pace

log = structlog.get_logger()

TIME_OUT = 10.0


class Why(StrEnum):
    """Why a heartbeat is sent, or is not."""

    WELL = "well"
    RED = "red"
    CANARY = "canary"


def decide(health: Health, now: datetime, pace: Pace | None) -> Why:
    """Whether all is well. ``pace``: of the canary resident, None where there is none."""
    if health.state is State.RED:
        return Why.RED
    oldest = now - 2 * pace.interval - pace.within if pace else None
    late = oldest is not None and any(each.passed_at is None or each.passed_at < oldest for each in health.canaries)
    return Why.CANARY if late else Why.WELL


class Heartbeat:
    """``health``: what /health shows. Seconds between two heartbeats in real time."""

    def __init__(
        self,
        url: str,
        every: timedelta,
        clock: Clock,
        health: Callable[[], Awaitable[Health]],
        pace: Pace | None,
    ) -> None:
        self._url = url
        self._every = every
        self._clock = clock
        self._health = health
        self._pace = pace

    async def run(self) -> None:
        """For ever."""
        async with httpx.AsyncClient(timeout=TIME_OUT, follow_redirects=False, trust_env=False) as client:
            while True:
                await self.beat(client)
                await pause(self._every.total_seconds())

    async def beat(self, client: httpx.AsyncClient) -> Why:
        """One of them, if all is well."""
        why = decide(await self._health(), self._clock.now(), self._pace)
        if why is not Why.WELL:
            METRICS.heartbeat("withheld")
            log.warning("heartbeat.withheld", why=why)
            return why
        try:
            answer = await client.get(self._url)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            METRICS.heartbeat("failed")
            log.warning("heartbeat.failed", error=_without_address(error))
        else:
            METRICS.heartbeat("sent")
        return why


def _without_address(error: httpx.HTTPError) -> str:
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else ""
    return f"{type(error).__name__} {status}".strip()
