"""A hop: the network between two programs, which can be cut in three ways. A TCP proxy on the loopback.

| cut | what is open | what is new | when it heals |
|---|---|---|---|
| `closed` | is reset at once | is reset | new connections work |
| `frozen` | stands still: nothing is read, nothing is lost | is accepted, and stands still | everything flows on |
| `half_open` | stays open, and every byte disappears | likewise | stays dead for ever: what is missing cannot come again |

Half-open is what a router does that has forgotten a connection. Nothing tells the two ends; the kernel of each gives up
after a time of its own. Ours would not, as the proxy's kernel acknowledges everything, so a half-open connection is reset
after ``GIVEN_UP`` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import cast

from gateway.embedded import LOOPBACK

GIVEN_UP = 20.0
"""Seconds. The gateway asks its kernel for as much towards its database (``tcp_user_timeout``)."""

Upstream = Callable[[Callable[[], asyncio.Protocol]], Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]]


class Cut(StrEnum):
    """How a hop can be cut."""

    CLOSED = "closed"
    FROZEN = "frozen"
    HALF_OPEN = "half-open"


def to_port(port: int) -> Upstream:
    """The other end listens at a port of the loopback."""

    async def connect(factory: Callable[[], asyncio.Protocol]) -> tuple[asyncio.Transport, asyncio.Protocol]:
        return await asyncio.get_running_loop().create_connection(factory, LOOPBACK, port)

    return connect


def to_socket(path: str) -> Upstream:
    """The other end listens at a socket file."""

    async def connect(factory: Callable[[], asyncio.Protocol]) -> tuple[asyncio.Transport, asyncio.Protocol]:
        return await asyncio.get_running_loop().create_unix_connection(factory, path)

    return connect


class Hop:
    """Listens at ``port``, and passes everything on; while it is cut, it does not."""

    def __init__(self, upstream: Upstream, given_up: float = GIVEN_UP) -> None:
        self.port = 0
        self._upstream = upstream
        self._given_up = given_up
        self._cut: Cut | None = None
        self._passable = asyncio.Event()
        self._passable.set()
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for pair in set(self._pairs):
            pair.abort()
        await self._server.wait_closed()

    def cut(self, how: Cut) -> None:
        self._cut = how
        if how is Cut.FROZEN:
            self._passable.clear()
        for pair in set(self._pairs):
            pair.suffer(how)
        if how is Cut.HALF_OPEN and self._pairs:
            self._later(self._give_up(set(self._pairs)))

    def heal(self) -> None:
        self._cut = None
        self._passable.set()
        for pair in set(self._pairs):
            pair.thaw()

    def _accept(self) -> asyncio.Protocol:
        pair = _Pair(self._pairs)
        self._later(self._join(pair))
        return pair.near

    async def _join(self, pair: _Pair) -> None:
        """Find the other end for a new connection, as far as the network lets it."""
        await pair.near.made.wait()
        pair.near.pause()  # until both ends are there
        if self._cut is Cut.CLOSED:
            pair.abort()
            return
        if self._cut is Cut.HALF_OPEN:
            pair.suffer(Cut.HALF_OPEN)
            await self._give_up({pair})
            return
        await self._passable.wait()
        try:
            await self._upstream(lambda: pair.far)
        except OSError:
            pair.abort()
            return
        pair.join()
        if self._cut is not None:
            pair.suffer(self._cut)

    async def _give_up(self, pairs: set[_Pair]) -> None:
        await asyncio.sleep(self._given_up)
        for pair in pairs:
            pair.abort()

    def _later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Pair:
    """One connection through a hop: the end that called, and the end that was called."""

    def __init__(self, among: set[_Pair]) -> None:
        self.near, self.far = _End(self), _End(self)
        self._among = among
        self._early: list[bytes] = []
        self._swallows = self._frozen = self._joined = False
        among.add(self)

    def passes(self, end: _End, data: bytes) -> None:
        other = self._other(end)
        if self._swallows:
            return
        if other.transport is None:
            self._early.append(data)
        else:
            other.transport.write(data)

    def join(self) -> None:
        """Both ends are there: read."""
        self._joined = True
        if self.far.transport is not None:
            self.far.transport.write(b"".join(self._early))
        if self.near.gone:
            self.far.close()
        self._read(self.near, self.far)

    def suffer(self, how: Cut) -> None:
        match how:
            case Cut.CLOSED:
                self.abort()
            case Cut.FROZEN:
                self._frozen = True
                self.near.pause()
                self.far.pause()
            case Cut.HALF_OPEN:
                self._swallows = self._joined = True
                self.thaw()

    def thaw(self) -> None:
        self._frozen = False
        self._read(self.near, self.far)

    def _read(self, *ends: _End) -> None:
        if self._joined and not self._frozen:
            for end in ends:
                end.resume()

    def ended(self, end: _End) -> None:
        """One end is gone; the other one learns of it, unless the network has forgotten the connection."""
        if not self._swallows:
            self._other(end).close()
        if self.near.gone and (self.far.gone or self.far.transport is None):
            self._among.discard(self)

    def abort(self) -> None:
        self._among.discard(self)
        for end in (self.near, self.far):
            if end.transport is not None:
                end.transport.abort()

    def full(self, end: _End, *, full: bool) -> None:
        """What cannot be passed on is not read."""
        if full:
            self._other(end).pause()
        else:
            self._read(self._other(end))

    def _other(self, end: _End) -> _End:
        return self.far if end is self.near else self.near


class _End(asyncio.Protocol):
    """One end of a connection."""

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair
        self.transport: asyncio.Transport | None = None
        self.made = asyncio.Event()
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.made.set()

    def data_received(self, data: bytes) -> None:
        self._pair.passes(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._pair.ended(self)

    def pause_writing(self) -> None:
        self._pair.full(self, full=True)

    def resume_writing(self) -> None:
        self._pair.full(self, full=False)

    def pause(self) -> None:
        if self.transport is not None and not self.gone:
            with suppress(RuntimeError):
                self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.gone:
            with suppress(RuntimeError):
                self.transport.resume_reading()

    def close(self) -> None:
        """What is on its way still arrives."""
        if self.transport is not None and not self.gone:
            self.transport.close()
