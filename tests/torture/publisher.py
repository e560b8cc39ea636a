"""Devices that keep what they have said: one connection of many devices, as cheap as it can be.

Rules
    Everything goes out at QoS 1 and comes out again until the broker has acknowledged it; a device that does not trust the
    broker's word sends it again until it has the gateway's receipt, with patience that doubles.
    Alarms go first. A message keeps its id and its bytes, however often it is sent.
    A broker that does not acknowledge within ``ANSWER_SECONDS`` is hung up on: the connection may be half open.

`Memory` is the truth that the verdict goes by: what was said, what the broker acknowledged, what the gateway receipted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import cast

from devices.dialects.native import encode, topic_of
from devices.model import DeviceAddress, MessageClass, Said
from gateway.embedded import LOOPBACK
from simulators.link import receipt_id
from tests.support import wire
from tests.support.processes import Word
from tests.support.wire import Kind, Packet

ANSWER_SECONDS = 4.0
PATIENCE, LONGEST_PATIENCE = 2.0, 16.0
WINDOW = 400
"""Messages on the way without the broker's acknowledgement."""
TICK, PAUSE = 0.05, 0.3


@dataclass(frozen=True, slots=True)
class Speaker:
    """A device: who it is, and as what it speaks."""

    address: DeviceAddress
    kind: str


@dataclass(frozen=True, slots=True)
class Saying:
    """What was said. ``promised``: the broker was not to be killed then, so that its acknowledgement is a promise, too."""

    type: str
    at: datetime
    alarm: bool
    promised: bool


@dataclass
class Memory:
    """Everything that was said, and what became of it as far as devices can know. ``sendings``: how often, all in all."""

    said: dict[Word, Saying] = field(default_factory=dict)
    acknowledged: set[Word] = field(default_factory=set)
    receipted: set[Word] = field(default_factory=set)
    sendings: int = 0


@dataclass(slots=True, eq=False)
class Kept:
    """A message that its device has not let go of."""

    word: Word
    topic: str
    payload: bytes
    alarm: bool
    trusting: bool
    tries: int = 0


@dataclass(slots=True)
class _OnTheWay:
    """A message that the broker has not acknowledged on this connection."""

    kept: Kept
    sent_at: float


class Publisher:
    """Devices that share a connection."""

    def __init__(self, name: str, port: int, speakers: Sequence[Speaker], memory: Memory) -> None:
        self._name = name
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

    @property
    def backlog(self) -> int:
        """How much is still kept."""
        return len(self._kept)

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
        self._memory.said[word] = Saying(said.type, said.at, alarm, promised)
        self._kept[word] = Kept(word, topic, payload, alarm, trusting)
        self._is_ready(self._kept[word])

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
                line.write(wire.connect(self._name))
                await line.welcomed.wait()
                line.write(wire.subscribe(1, list(self._by_topic)))
                await line.listening.wait()
            self._begin_anew()
            while not line.lost.is_set() and not self._is_ignored():
                self._send_due(line)
                with suppress(TimeoutError):
                    await asyncio.wait_for(line.lost.wait(), TICK)
        finally:
            line.abort()

    def _begin_anew(self) -> None:
        """A new connection: what the broker has not acknowledged is due at once."""
        for each in self._on_the_way.values():
            self._is_ready(each.kept)
        self._on_the_way.clear()

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
        while self._later and self._later[0][0] <= now:
            self._is_ready(heappop(self._later)[2])
        while self._ready and len(self._on_the_way) < WINDOW and line.takes_more:
            kept = self._ready.popleft()
            if kept.word in self._kept:
                self._send(line, kept, now)

    def _send(self, line: _Line, kept: Kept, now: float) -> None:
        self._packet_id = self._packet_id % 65_535 + 1
        self._on_the_way[self._packet_id] = _OnTheWay(kept, now)
        line.write(wire.publish(kept.topic, kept.payload, self._packet_id))
        kept.tries += 1
        self._memory.sendings += 1

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
        kept = found.kept
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
