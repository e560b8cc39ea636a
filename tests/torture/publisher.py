"""Devices that keep what they have said: one connection of many devices, as cheap as it can be.

Rules
    Everything goes out at QoS 1 and comes out again until the broker has acknowledged it; a device that does not trust the
    broker's word sends it again until it has the gateway's receipt, with patience that doubles.
    Alarms go first. A message keeps its id and its bytes, however often it is sent.
    A broker that does not acknowledge within ``ANSWER_SECONDS`` is hung up on: the connection may be half open.
    States go out as they are said, retained, and the newest of each device once more on each new connection. One device of
    the connection, its gate, is there as long as the connection is: it says so itself, and its last will says when it is not.

What is remembered of all this: ``tests/torture/memory.py``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import cast

from devices.dialects.native import encode, topic_of
from devices.model import MessageClass, Said
from gateway.embedded import LOOPBACK
from simulators.link import receipt_id
from tests.support import wire
from tests.support.processes import Word
from tests.support.wire import Kind, Packet
from tests.torture.memory import Memory, Saying, Speaker, State

ANSWER_SECONDS = 4.0
PATIENCE, LONGEST_PATIENCE = 2.0, 16.0
WINDOW = 400
"""Messages on the way without the broker's acknowledgement."""
TICK, PAUSE = 0.05, 0.3


@dataclass(slots=True, eq=False)
class Kept:
    """A message that its device has not let go of."""

    word: Word
    topic: str
    payload: bytes
    alarm: bool
    trusting: bool
    tries: int = 0


@dataclass(slots=True, eq=False)
class Standing:
    """How a device is, as it says itself. ``promised``: as with a message."""

    state: State
    topic: str
    payload: bytes
    promised: bool
    acknowledged: bool = False


@dataclass(slots=True)
class _OnTheWay:
    """What the broker has not acknowledged on this connection."""

    what: Kept | Standing
    sent_at: float


class Publisher:
    """Devices that share a connection. ``gate``: the one whose last will it has."""

    def __init__(self, name: str, port: int, speakers: Sequence[Speaker], gate: Speaker, memory: Memory) -> None:
        self._name = name
        self._gate = gate
        self._port = port
        self._speakers = {each.address.address: each for each in speakers}
        self._by_topic = {topic_of(each.address, each.kind, "receipt"): each.address.address for each in speakers}
        self._memory = memory
        self._numbers: Counter[str] = Counter()
        self._kept: dict[Word, Kept] = {}
        self._ready: deque[Kept] = deque()
        self._later: list[tuple[float, int, Kept]] = []
        self._on_the_way: dict[int, _OnTheWay] = {}
        self._packet_id = 0
        self._order = count()
        self._standing: dict[str, Standing] = {}
        self._unsaid: deque[Standing] = deque()
        self._connected = False
        memory.states.said.add(State(gate.address.address, online=False))
        self.state(gate, online=True, promised=True)

    @property
    def backlog(self) -> int:
        """How much is still kept."""
        return len(self._kept)

    @property
    def unheard(self) -> int:
        """How many devices do not know whether their newest state was heard; one more while there is no connection."""
        return sum(not each.acknowledged for each in self._standing.values()) + (not self._connected)

    @property
    def outstanding(self) -> set[Word]:
        """What is still kept."""
        return set(self._kept)

    def say(self, speaker: Speaker, said: Said, *, trusting: bool, promised: bool) -> None:
        """Keep a message until it is let go of."""
        address = speaker.address.address
        self._numbers[address] += 1
        word = Word(address, f"{said.at:%Y%m%dT%H%M%S.%f}-{self._numbers[address]}")
        alarm = said.message_class is MessageClass.ALARM
        topic, payload = encode(speaker.address, speaker.kind, word.message_id, said)
        self._memory.said[word] = Saying(said.type, said.at, alarm, promised, said.fields)
        self._kept[word] = Kept(word, topic, payload, alarm, trusting)
        self._is_ready(self._kept[word])

    def state(self, speaker: Speaker, *, online: bool, promised: bool) -> None:
        """Say how a device is."""
        state = State(speaker.address.address, online)
        standing = Standing(state, *_as_said(speaker, online=online), promised)
        self._standing[state.address] = standing
        self._unsaid.append(standing)
        self._memory.states.said.add(state)
        self._memory.states.last[state.address] = online

    def is_gone(self) -> None:
        """The connection has ended for good: the last word on its gate is the broker's."""
        self._memory.states.last[self._gate.address.address] = False

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        while True:
            with suppress(OSError, TimeoutError):
                await self._connect_and_talk()
            await asyncio.sleep(PAUSE)

    async def _connect_and_talk(self) -> None:
        line = _Line(self)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.get_running_loop().create_connection(lambda: line, LOOPBACK, self._port)
                line.write(wire.connect(self._name, last_will=_as_said(self._gate, online=False)))
                await line.welcomed.wait()
                line.write(wire.subscribe(1, list(self._by_topic)))
                await line.listening.wait()
            self._begin_anew()
            self._connected = True
            while not line.lost.is_set() and not self._is_ignored():
                self._send_due(line)
                with suppress(TimeoutError):
                    await asyncio.wait_for(line.lost.wait(), TICK)
        finally:
            self._connected = False
            line.abort()

    def _begin_anew(self) -> None:
        """A new connection: what the broker has not acknowledged is due at once, and so is how each device is."""
        for each in self._on_the_way.values():
            if isinstance(each.what, Kept):
                self._is_ready(each.what)
        self._on_the_way.clear()
        self._unsaid = deque(self._standing.values())

    def _is_ignored(self) -> bool:
        first = next(iter(self._on_the_way.values()), None)
        return first is not None and time.monotonic() - first.sent_at > ANSWER_SECONDS

    def _is_ready(self, kept: Kept) -> None:
        if kept.alarm:
            self._ready.appendleft(kept)
        else:
            self._ready.append(kept)

    def _send_due(self, line: _Line) -> None:
        """However much is kept, only what is sent is looked at: whoever is slow here makes the network slow."""
        now = time.monotonic()
        while self._unsaid and line.takes_more:
            self._put(line, self._unsaid.popleft(), now, retained=True)
        while self._later and self._later[0][0] <= now:
            self._is_ready(heappop(self._later)[2])
        while self._ready and len(self._on_the_way) < WINDOW and line.takes_more:
            kept = self._ready.popleft()
            if kept.word in self._kept:
                self._put(line, kept, now)
                kept.tries += 1
                self._memory.sendings += 1

    def _put(self, line: _Line, what: Kept | Standing, now: float, *, retained: bool = False) -> None:
        self._packet_id = self._packet_id % 65_535 + 1
        self._on_the_way[self._packet_id] = _OnTheWay(what, now)
        line.write(wire.publish(what.topic, what.payload, self._packet_id, retained=retained))

    # What the broker says ---------------------------------------------------------------------------------------------

    def heard(self, packet: Packet) -> None:
        if packet.kind == Kind.PUBACK:
            self._acknowledged(packet.packet_id)
        elif packet.kind == Kind.PUBLISH:
            self._receipted(packet)

    def _acknowledged(self, packet_id: int) -> None:
        found = self._on_the_way.pop(packet_id, None)
        if found is None:
            return
        if isinstance(found.what, Standing):
            self._standing_heard(found.what)
        else:
            self._message_acknowledged(found.what)

    def _standing_heard(self, standing: Standing) -> None:
        """Counted the first time: it may be said anew when the broker's word is no promise any more."""
        if standing.promised and not standing.acknowledged:
            self._memory.states.promised[standing.state] += 1
        standing.acknowledged = True

    def _message_acknowledged(self, kept: Kept) -> None:
        self._memory.acknowledged.add(kept.word)
        if kept.trusting:
            self._kept.pop(kept.word, None)
        else:
            due_at = time.monotonic() + min(LONGEST_PATIENCE, PATIENCE * 2 ** (kept.tries - 1))
            heappush(self._later, (due_at, next(self._order), kept))

    def _receipted(self, packet: Packet) -> None:
        address, message_id = self._by_topic.get(packet.topic), receipt_id(packet.payload)
        if address is not None and message_id is not None:
            self._memory.receipted.add(Word(address, message_id))
            self._kept.pop(Word(address, message_id), None)


def _as_said(speaker: Speaker, *, online: bool) -> tuple[str, bytes]:
    """Topic and payload of a state."""
    return topic_of(speaker.address, speaker.kind, MessageClass.STATUS), b'{"online":%s}' % str(online).lower().encode()


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._reader = wire.Reader()
        self._transport: asyncio.Transport | None = None
        self.welcomed, self.listening, self.lost = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.takes_more = True

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def pause_writing(self) -> None:
        self.takes_more = False

    def resume_writing(self) -> None:
        self.takes_more = True

    def data_received(self, data: bytes) -> None:
        for packet in self._reader.feed(data):
            if packet.kind in (Kind.CONNACK, Kind.SUBACK) and packet.refused:
                self.abort()
            elif packet.kind == Kind.CONNACK:
                self.welcomed.set()
            elif packet.kind == Kind.SUBACK:
                self.listening.set()
            else:
                self._publisher.heard(packet)
