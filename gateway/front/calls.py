"""What every call stands on: the database, the clock, the rules in force. A call is one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from alerts.rulebook import Rulebook
from gateway.canary import Limits
from gateway.clock import Clock
from gateway.contacting import Reaching
from gateway.live import Live
from gateway.passages import Pace
from gateway.rulebook import RulebookCache
from gateway.store.db import Connection, Database

Result = TypeVar("Result")

MOST_IN_LIST = 200


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a gateway that calls use. ``limits``: when a site is deaf, counted from ``started_at`` where nothing was heard of
    it; ``pace``: of the canary resident, None where there is none."""

    database: Database
    clock: Clock
    cache: RulebookCache
    reaching: Reaching
    live: Live
    limits: Limits
    started_at: datetime
    pace: Pace | None = None


class Calls:
    """The base of all calls."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database = services.database
        self._clock = services.clock
        self._cache = services.cache
        self._reaching = services.reaching

    async def _ruling(self, work: Callable[[Connection, Rulebook], Awaitable[Result]]) -> Result:
        """The book is read first: what the transaction itself changes must not be remembered before it commits."""

        async def ruled(connection: Connection) -> Result:
            return await work(connection, await self._cache.read(connection))

        return await self._database.run(ruled)
