"""Turns: two batches of a lane are in hand at once, and the later one waits where it matters.

Theory
    Of the time that a batch takes we wait for the database one half, and the database for us the other. So the next batch
    is begun meanwhile, on a connection of its own: it is looked at – who speaks, what of it is new, which rules it concerns.
    Then it waits until the one before it has committed, and only then are watches read, judged and saved: that a door has
    closed must not be judged before that it was opened.

    begins ─▶ looked ─▶ comes ─▶ ends          stumbles: at any time, when storing has failed
    begins ─▶ ends                             where nothing is before it

Rules
    A batch begins when the one before it has been looked at. What both have said is then known to belong to the one before;
    otherwise each could wait for the other, one of them where no database sees it.
    One whose predecessor stumbles lets go of all that it has locked, and begins anew when the one before is over – stored in
    halves, in quarantine, or at last. One that is never over has taken the connection to the broker with it.
    Batches commit in order, so they are acknowledged in order.
    Only so many batches of a process are ahead of their turn: each of them has a connection that others may need. Where there
    is no room, the next batch begins when the one before is over.
"""

from __future__ import annotations

import asyncio

from gateway.stamping import Names


class Stumbled(Exception):
    """The batch before this one has failed: this one begins anew behind it."""


class Turn:
    """A batch's place in the line. ``before``: the batch that came before it, if there is one; ``room``: for those that are
    begun ahead of their turn."""

    def __init__(self, before: Turn | None = None, room: asyncio.Semaphore | None = None) -> None:
        self._before = before
        self._room = room
        self._ahead = False
        self._names: Names = frozenset()
        self._looked = asyncio.Event()
        self._settled = asyncio.Event()
        self._over = asyncio.Event()

    async def begins(self) -> None:
        """Wait until this batch may be begun: ahead of its turn where there is room, else in it."""
        before = self._before
        if before is None:
            return
        await before.lets_begin()
        if not (before.is_over or self._ahead or await self._takes_room()):
            await before.lets_begin_last()

    @property
    def has_come(self) -> bool:
        """Whether nothing is before this batch any more."""
        return self._before is None or self._before.is_over

    @property
    def just_named(self) -> Names:
        """What the batch before names, which has not committed yet."""
        return frozenset() if self._before is None or self._before.is_over else self._before.names

    def looked(self, names: Names = frozenset()) -> None:
        """This batch has been looked at, and names these: the next one may begin."""
        self._names = names
        self._looked.set()

    async def comes(self) -> None:
        """Wait until the batch before is stored. Stumbled where it has failed, and is not over."""
        if self._before is not None:
            await self._before.lets_come()
        self._leave_room()

    def stumbles(self) -> None:
        """Storing this batch has failed; it may be tried again."""
        self._leave_room()
        self._looked.set()
        self._settled.set()

    def ends(self) -> None:
        """This batch is stored and acknowledged."""
        self.stumbles()
        self._over.set()
        self._before = None  # else every turn there ever was would be kept

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def names(self) -> Names:
        return self._names

    async def lets_begin(self) -> None:
        """For the one behind."""
        await self._looked.wait()
        if self._settled.is_set():  # it has stumbled, or is over
            await self._over.wait()

    async def lets_begin_last(self) -> None:
        """For the one behind, where nothing can be done before."""
        await self._over.wait()

    async def lets_come(self) -> None:
        """For the one behind. Stumbled where this one has."""
        await self._settled.wait()
        if not self._over.is_set():
            raise Stumbled

    async def _takes_room(self) -> bool:
        """Whether there is room: it is not waited for, since whoever has it may need longer than the one before."""
        if self._room is None or self._room.locked():
            return self._room is None
        await self._room.acquire()  # at once
        self._ahead = True
        return True

    def _leave_room(self) -> None:
        if self._room is not None and self._ahead:
            self._room.release()
            self._ahead = False
