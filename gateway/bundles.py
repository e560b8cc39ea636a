"""Pages that leave as one message: who waits, who goes together, and the one sending that several pages wait for.

Decided in ``alerts.bundling``. Each page of a bundle is settled by itself, by what became of the message; one that is withdrawn
meanwhile waits no longer for it, and the message is broken off when nobody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from alerts.bundling import Due, Hold, Together, arrange, concerned
from alerts.delivery import SendResult
from gateway.store import bundles
from gateway.store.db import Connection, Database
from gateway.store.pages import LeasedPage


class Shared:
    """One sending for several pages. It begins when the first of them asks for it, and anew when it was broken off before."""

    def __init__(self, pages: Sequence[LeasedPage]) -> None:
        self.pages = tuple(pages)
        self._waiting = 0
        self._task: asyncio.Task[SendResult] | None = None

    async def result(self, send: Callable[[Sequence[LeasedPage]], Awaitable[SendResult]]) -> SendResult:
        """What became of the message."""
        if self._task is None:
            self._task = asyncio.ensure_future(send(self.pages))
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._task.cancel()
                self._task = None


class Bundles:
    """The bundles that are being sent."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder
        self._shared: dict[int, Shared] = {}

    async def arrange(self, leased: Sequence[LeasedPage], now: datetime) -> list[LeasedPage]:
        """Those that leave now, alone or together; the others are put back."""
        due = [Due(each.id, each.contact_id, each.channel, each.severity, each.about) for each in leased]
        firsts = concerned(due)
        if not firsts:
            return list(leased)

        async def decide(connection: Connection) -> list[Together | Hold]:
            left_at = await bundles.left_at(connection, firsts, now)
            decided = [each for each in arrange(due, left_at, now) if isinstance(each, Together | Hold)]
            for each in decided:
                if isinstance(each, Hold):
                    await bundles.hold(connection, each.pages, self._holder, each.until)
            return decided

        decided = await self._database.run(decide)
        by_id = {each.id: each for each in leased}
        for each in decided:
            if isinstance(each, Together):
                shared = Shared([by_id[page] for page in each.pages])
                self._shared |= dict.fromkeys(each.pages, shared)
        held = {page for each in decided if isinstance(each, Hold) for page in each.pages}
        return [each for each in leased if each.id not in held]

    def of(self, page: LeasedPage) -> Shared | None:
        """The bundle that a page leaves in."""
        return self._shared.get(page.id)

    def settled(self, page: LeasedPage) -> None:
        """It waits for nothing any more."""
        self._shared.pop(page.id, None)
