"""What every call stands on: the database, the clock, the rules in force. A call is one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from alerts.rulebook import Rulebook
from gateway.clock import Clock
from gateway.contacting import Reaching
from gateway.rulebook import RulebookCache
from gateway.store.db import Connection, Database

Result = TypeVar("Result")

MOST_IN_LIST = 200


class Calls:
    """The base of all calls."""

    def __init__(self, database: Database, clock: Clock, cache: RulebookCache, reaching: Reaching) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._reaching = reaching

    async def _ruling(self, work: Callable[[Connection, Rulebook], Awaitable[Result]]) -> Result:
        """The book is read first: what the transaction itself changes must not be remembered before it commits."""

        async def ruled(connection: Connection) -> Result:
            return await work(connection, await self._cache.read(connection))

        return await self._database.run(ruled)
