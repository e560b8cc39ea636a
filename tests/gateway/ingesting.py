"""Messages that come in all the time, beside whatever a test does to the database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count

from devices.model import Lane
from tests.gateway.place import NOW, Place, fall, heartbeat


class Ingest:
    """Homes that say something all the time; every message is counted when it is stored."""

    def __init__(self, town: Place) -> None:
        self.town = town
        self.stored = 0
        self._going = True

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        held, bulk = await self.town.held(), await self.town.held(Lane.BULK)

        async def talk() -> None:
            for number in count():
                if not self._going:
                    return
                at = NOW + timedelta(seconds=number)
                home = self.town.homes[number % len(self.town.homes)]
                lane, said = (
                    (held, fall(home, f"f{number}", at))
                    if number % 10 == 0
                    else (bulk, heartbeat(home, f"h{number}", at))
                )
                self.stored += (await self.town.store(lane, [said], at)).new

        talking = asyncio.create_task(talk())
        try:
            yield
        finally:
            self._going = False
            await talking

    async def stores(self, more: int) -> None:
        """Waits until so many more are stored: with the test's own time-out, for ever."""
        goal = self.stored + more
        while self.stored < goal:
            await asyncio.sleep(0.01)
