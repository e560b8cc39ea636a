"""Live: one listening connection a process, from which every open page and the dispatcher are told of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from gateway.store.audit import CHANNEL, Changed
from gateway.store.db import Database


class Live:
    """Hands on what transactions announce. A subscriber that does not keep up is told once, not often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: set[Subscription] = set()
        self.listening = False
        """Whether the database tells us what changes."""
        self.pages = asyncio.Event()
        """Set when there are pages to send."""
        self.commands = asyncio.Event()
        """Set when there are commands to send."""
        self.lanes = asyncio.Event()
        """Set when a lane was given back."""

    async def run(self) -> None:
        """Listen until the connection is lost; the caller calls again."""
        try:
            async for payload in self._database.listen(CHANNEL):
                self.listening = True
                self._tell(Changed.parse(payload) if payload else None)
        finally:
            self.listening = False

    def close(self) -> None:
        """Every subscription ends, so that open streams do not hold up the end of the process."""
        for each in self._subscribers:
            each.close()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Changes from now on."""
        subscription = Subscription()
        self._subscribers.add(subscription)
        try:
            yield subscription
        finally:
            self._subscribers.discard(subscription)

    def _tell(self, changed: Changed | None) -> None:
        if changed is None or changed.pages:
            self.pages.set()
        if changed is None or changed.commands:
            self.commands.set()
        if changed is None or changed.lanes:
            self.lanes.set()
        for each in self._subscribers:
            each.tell(changed)


class Subscription:
    """What has changed since it was last asked, folded into one."""

    def __init__(self) -> None:
        self._changed = Changed()
        self._unknown = False
        self._closed = False
        self._ready = asyncio.Event()

    def tell(self, changed: Changed | None) -> None:
        if changed is None:
            self._unknown = True
        else:
            self._changed |= changed
        self._ready.set()

    def close(self) -> None:
        self._closed = True
        self._ready.set()

    async def changes(self) -> AsyncIterator[Changed | None]:
        """What changed; None where that is not known and everything has to be looked at. Ends when closed."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            if self._closed:
                return
            changed, unknown = self._changed, self._unknown
            self._changed, self._unknown = Changed(), False
            yield None if unknown else changed
