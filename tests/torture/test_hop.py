"""The network that can be cut: each cut does what its table says, or torture would torture nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import cast

import pytest

from gateway.embedded import LOOPBACK
from gateway.sharing import BEAT_EVERY, LEASE
from tests.torture.hop import Cut, Hop, to_port
from tests.torture.plan import LONGER_THAN_A_LEASE, How, Whom, parts

SOON = 0.3
IN_THE_END = 20.0
GIVEN_UP = 3.0
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo(asyncio.Protocol):
    """Somebody who answers what is said to him."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class Called(Hop):
    """A hop that remembers who has called, so that nobody is left on the line."""

    async def call(self) -> Stream:
        stream = await asyncio.open_connection(LOOPBACK, self.port)
        self.streams.append(stream)
        return stream

    async def start(self) -> None:
        self.streams: list[Stream] = []
        await super().start()

    async def hang_up(self) -> None:
        for _, writer in self.streams:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def hop() -> AsyncIterator[Called]:
    """A hop to somebody who answers what is said to him."""
    server = await asyncio.get_running_loop().create_server(Echo, LOOPBACK, 0)
    hop = Called(to_port(server.sockets[0].getsockname()[1]), GIVEN_UP)
    await hop.start()
    yield hop
    await hop.hang_up()
    await hop.stop()
    server.close()


async def _answers(stream: Stream, within: float = IN_THE_END) -> bytes | None:
    """What comes back within so many seconds: nothing (None), the end (empty), or what was said."""
    reader, writer = stream
    try:
        writer.write(b"hello")
        return await asyncio.wait_for(reader.read(65_536), within)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


async def test_while_nothing_is_cut_everything_passes(hop: Called) -> None:
    reader, writer = await hop.call()
    much = Random(1).randbytes(3_000_000)
    writer.write(much)
    assert await asyncio.wait_for(reader.readexactly(len(much)), 20) == much


async def test_closed_resets_what_is_open_and_what_is_new(hop: Called) -> None:
    before = await hop.call()
    assert await _answers(before) == b"hello"
    hop.cut(Cut.CLOSED)
    during = await hop.call()
    assert await _answers(before) == b""
    assert await _answers(during) == b""
    hop.heal()
    assert await _answers(await hop.call()) == b"hello"


async def test_frozen_loses_nothing(hop: Called) -> None:
    before = await hop.call()
    assert await _answers(before) == b"hello"
    hop.cut(Cut.FROZEN)
    during = await hop.call()
    assert await _answers(before, SOON) is None
    assert await _answers(during, SOON) is None
    hop.heal()
    for each in (before, during):
        assert await asyncio.wait_for(each[0].readexactly(5), IN_THE_END) == b"hello"


async def test_half_open_swallows_everything_and_never_comes_back(hop: Called) -> None:
    before = await hop.call()
    assert await _answers(before) == b"hello"
    hop.cut(Cut.HALF_OPEN)
    during = await hop.call()
    assert await _answers(during, SOON) is None
    hop.heal()
    assert await _answers(await hop.call()) == b"hello"
    for each in (before, during):
        assert await asyncio.wait_for(_end(each), IN_THE_END) == b"", (
            "the kernel gives it up, and nothing has come through"
        )


async def _end(stream: Stream) -> bytes:
    try:
        return await stream[0].read()
    except ConnectionError:
        return b""


def test_the_same_seed_deals_the_same_blows() -> None:
    every = frozenset(How)
    stays, falls = parts(100, 7, 2, 6.0, every)
    assert (stays, falls) == parts(100, 7, 2, 6.0, every)
    assert (stays, falls) != parts(100, 8, 2, 6.0, every)
    assert (len(stays), len(falls)) == (50, 50)
    assert {each.whom for each in stays} == set(Whom) - {Whom.BROKER}
    assert {each.whom for each in falls} == set(Whom)
    assert {each.how for each in stays} == set(How)
    assert {each.index for each in stays} == {0, 1}


def test_a_gateway_stands_still_until_its_lanes_are_anothers() -> None:
    """Right before a beat is too early: the lease runs from the last one, and somebody has to beat to see that it has run out."""
    assert LONGER_THAN_A_LEASE[0] > LEASE.total_seconds() + BEAT_EVERY


def test_kills_alone_strike_all_that_can_be_killed() -> None:
    stays, falls = parts(10, 7, 2, 2.0, frozenset({How.KILL}))
    assert {each.how for each in (*stays, *falls)} == {How.KILL}
    assert {each.whom for each in (*stays, *falls)} == {Whom.GATEWAY, Whom.DATABASE, Whom.BROKER}
