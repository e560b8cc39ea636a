"""Whether all that was said is stored, and once: what a leg waits for, and what is counted when it ends, whichever way it ends.

A leg opens an account of its database and adds what it lets the devices say. It waits until all of that is stored or nothing moves
any more: what is lost never comes. When the account is closed – the leg is done, has failed, or its time is up – what is stored is
counted. A message that is not there then is lost, and so is all that cannot be counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from tests.bench.stage import Looking, looking, say

STILL = 5.0
"""Seconds. A gateway that has something to do stores many times a second."""


class Account:
    """Of a leg. ``said``: different messages that devices were let say. ``besides``: how much else is lost, asked at the end."""

    def __init__(self, look: Looking, still: float) -> None:
        self.look = look
        self.said = 0
        self.besides: Callable[[], int] = lambda: 0
        self._still = still

    async def stored(self, every: float = 0.02) -> float:
        """Until all that was said is stored, or nothing has moved for so long. When that was, or the last move; monotonic seconds."""
        numbers, moved = self.look.begun(), time.monotonic()
        while not self.look.has(self.said):
            if numbers != (numbers := self.look.begun()):
                moved = time.monotonic()
            elif time.monotonic() - moved > self._still:
                return moved
            await asyncio.sleep(every)
        return time.monotonic()

    async def settled(self) -> None:
        """Until nothing moves any more: what is one too many has come, too."""
        numbers = -1
        while numbers != (numbers := self.look.begun()):
            await asyncio.sleep(self._still)


class Accounts:
    """Of a run: what all of its legs have lost and doubled. ``still``: seconds after which nothing moves any more."""

    def __init__(self, still: float = STILL) -> None:
        self.lost = 0
        self.duplicated = 0
        self._still = still

    @contextmanager
    def of(self, url: str) -> Iterator[Account]:
        """To be opened before the gateway is started, so that it is closed when that has ended."""
        with looking(url) as look:
            account = Account(look, self._still)
            try:
                yield account
            finally:
                self._close(account, url)

    def _close(self, account: Account, url: str) -> None:
        try:
            with looking(url) as look:
                known = look.known()
                lost, duplicated = max(0, account.said - known) + account.besides(), look.stored() - known
        except psycopg.Error as error:
            say(f"what is stored could not be counted, and counts as lost: {error}")
            lost, duplicated = account.said, 0
        if lost or duplicated:
            say(f"LOST: {lost}, DUPLICATED: {duplicated}, of {account.said} messages")
        self.lost += lost
        self.duplicated += duplicated
