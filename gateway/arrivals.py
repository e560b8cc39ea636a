"""Arrivals: what the broker has sent, read in paho's place, and held until somebody takes it.

Theory
    aiomqtt makes a task for each message that is read, and paho reads a packet in three calls to the system and makes five
    objects of it: that costs more than storing it. So what arrives is read here in large pieces and taken apart by
    ``gateway/frames.py``; paho gets whatever is no publication, as if it had read it.

    Where more is here than we can hold, nothing is read until some of it is stored: the broker keeps it. MQTT 5's receive
    maximum is there for that, too; but Mosquitto 2.0.11, for each acknowledgement, sends on up to that many of what it has
    queued (measured), and what is sent at QoS 0 or by MQTT 3.1.1 has no such bound at all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import aiomqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import MQTTErrorCode

from gateway import frames
from gateway.clock import Clock, monotonic, pause
from gateway.frames import Delivery

MOST_WAITING = 8000
MOST_BYTES = 32 * 1024 * 1024
"""What is held at most of messages that nobody has taken yet, and of their bytes; beyond, nothing more is read."""
EXCUSE_EVERY = 5.0
"""Seconds; less than the keep-alive."""
CHUNK = 64 * 1024
"""Bytes that are read at once: some three hundred messages, a millisecond's work."""


class Arrivals:
    """What the broker has sent and nobody has taken yet, in order of arrival."""

    def __init__(self, reader: Reader) -> None:
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._reader = reader
        reader.arrived = self._arrived

    async def take(self, most: int, linger: float) -> list[Delivery]:
        await self._some.wait()
        if linger and len(self._waiting) < most:
            await pause(linger)
        batch = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._bytes -= _bytes_of(batch)
        if not self._waiting:
            self._some.clear()
        if not self._too_many():
            self._reader.resume()
        return batch

    @property
    def held(self) -> bool:
        return self._reader.held

    def _arrived(self, deliveries: list[Delivery]) -> None:
        self._waiting.extend(deliveries)
        self._bytes += _bytes_of(deliveries)
        self._some.set()
        if self._too_many():
            self._reader.hold()

    def _too_many(self) -> bool:
        return len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_BYTES


def _bytes_of(deliveries: Sequence[Delivery]) -> int:
    return sum([len(each.message.payload) + len(each.message.topic) for each in deliveries])


class Reader:
    """Reads for paho: publications are taken out, all else it is handed in pieces as if it had read them itself."""

    def __init__(self, client: aiomqtt.Client, clock: Clock, *, five: bool) -> None:
        self._client = client
        self._paho: Paho = client._client  # noqa: SLF001 - its reading is what we replace
        self._clock = clock
        self._five = five
        self._pieces: list[bytes] = []
        self._lacks = 0
        self._handed = b""
        self._held: int | None = None
        self.arrived: Callable[[list[Delivery]], None] = lambda _: None
        """Whoever takes them."""
        self._receive = self._paho._sock_recv  # noqa: SLF001 - as above
        self._paho._sock_recv = self._hand  # type: ignore[method-assign] # noqa: SLF001
        self._paho.loop_read = self.read  # type: ignore[method-assign]

    def read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - in paho's place
        """What the socket has, once; called by the loop when there is something."""
        try:
            data = self._receive(CHUNK)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            data = b""
        if not data:
            return self._end(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._is_alive()
        self._pieces.append(data)
        self._lacks -= len(data)
        return self._take_apart() if self._lacks <= 0 else MQTTErrorCode.MQTT_ERR_SUCCESS

    def _take_apart(self) -> MQTTErrorCode:
        """What has come. A packet of many pieces is put together once it is whole: with each of them, that would take minutes."""
        try:
            published, others, rest = frames.take_apart(b"".join(self._pieces), self._five, self._clock.now())
            self._lacks = frames.lacking(rest) if rest else 0
        except frames.BrokenPacket:
            return self._end(MQTTErrorCode.MQTT_ERR_PROTOCOL)
        self._pieces = [rest] if rest else []
        return self._pass_on(published, others)

    def _pass_on(self, published: list[Delivery], others: Sequence[bytes]) -> MQTTErrorCode:
        for self._handed in others:
            code = self._paho._packet_read()  # noqa: SLF001 - what loop_read() does
            if code > 0:
                return self._end(code)
        if published:
            self.arrived(published)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _hand(self, bufsize: int) -> bytes:
        part, self._handed = self._handed[:bufsize], self._handed[bufsize:]
        return part

    def _end(self, code: MQTTErrorCode) -> MQTTErrorCode:
        return self._paho._loop_rc_handle(code)  # noqa: SLF001 - it closes, and tells aiomqtt

    # Holding ----------------------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Read nothing more until :meth:`resume`."""
        sock = self._paho.socket()
        if self._held is None and sock is not None:
            self._held = sock.fileno()
            asyncio.get_running_loop().remove_reader(self._held)
            self._excuse(self._held)

    def resume(self) -> None:
        """Read on, where it was held."""
        sock = self._paho.socket()
        if self._held is not None and sock is not None and sock.fileno() == self._held:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._held, self._readable)
            loop.call_soon(self._readable)  # what TLS has taken off the socket already makes it readable no more
        self._held = None

    @property
    def held(self) -> bool:
        return self._held is not None

    def _excuse(self, held: int) -> None:
        """The silence is ours while nothing is read."""
        if self._held == held and self._paho.socket() is not None:
            self._is_alive()
            asyncio.get_running_loop().call_later(EXCUSE_EVERY, self._excuse, held)

    def _readable(self) -> None:
        if self._paho.socket() is None:
            return
        try:
            self.read()
            while (
                not self.held and getattr(self._paho.socket(), "pending", int)() > 0
            ):  # TLS has more of it than the system shows
                self.read()
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is of no use any more
            if not self._client._disconnected.done():  # noqa: SLF001 - as aiomqtt's own reader does
                self._client._disconnected.set_exception(error)  # noqa: SLF001

    def _is_alive(self) -> None:
        """The broker has spoken: paho need not ask it."""
        self._paho._last_bytes_received = monotonic()  # noqa: SLF001 - the clock that paho goes by, too
