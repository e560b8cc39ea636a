"""Turns: two batches of a lane are in hand at once, and the later one waits where it matters.

Theory
    Of the time that a batch takes we wait for the database one half, and the database for us the other. So the next batch
    is begun meanwhile, on a connection of its own: it is looked at – who speaks, what of it is new, which rules it concerns.
    Then it waits until the one before it has committed, and only then are watches read, judged and saved: that a door has
    closed must not be judged before that it was opened.

    begins ─▶ looked ─▶ comes ─▶ ends          stumbles: at any time, when storing has failed

Rules
    A batch begins when the one before it has been looked at. What both have said is then known to belong to the one before;
    otherwise each could wait for the other, one of them where no database sees it.
    One whose predecessor stumbles lets go of all that it has locked, and begins anew when the one before is over – stored in
    halves, in quarantine, or at last. One that is never over has taken the connection to the broker with it.
    Batches commit in order, so they are acknowledged in order.
"""

from __future__ import annotations

import asyncio


class Stumbled(Exception):
    """The batch before this one has failed: this one begins anew behind it."""


class Turn:
    """A batch's place in the line. ``before``: the batch that came before it, if there is one."""

    def __init__(self, before: Turn | None = None) -> None:
        self._before = before
        self._looked = asyncio.Event()
        self._settled = asyncio.Event()
        self._over = asyncio.Event()

    async def begins(self) -> None:
        """Wait until this batch may be begun."""
        if self._before is not None:
            await self._before.lets_begin()

    def looked(self) -> None:
        """This batch has been looked at: the next one may begin."""
        self._looked.set()

    async def comes(self) -> None:
        """Wait until the batch before is stored. Stumbled where it has failed, and is not over."""
        if self._before is not None:
            await self._before.lets_come()

    def stumbles(self) -> None:
        """Storing this batch has failed; it may be tried again."""
        self._looked.set()
        self._settled.set()

    def ends(self) -> None:
        """This batch is stored and acknowledged."""
        self.stumbles()
        self._over.set()
        self._before = None  # else every turn there ever was would be kept

    async def lets_begin(self) -> None:
        """For the one behind."""
        await self._looked.wait()
        if self._settled.is_set():  # it has stumbled, or is over
            await self._over.wait()

    async def lets_come(self) -> None:
        """For the one behind. Stumbled where this one has."""
        await self._settled.wait()
        if not self._over.is_set():
            raise Stumbled
