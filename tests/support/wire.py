"""MQTT 3.1.1 as far as a device needs it that publishes and listens for its receipts: packets to bytes and back; and a plain
socket that speaks it, for a client that costs next to nothing, so that what is measured is not the measuring.

Publishes at QoS 1, subscribes at QoS 0, pings never: a connection lives as long as a leg of the bench.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from types import TracebackType
from typing import NamedTuple, Self

Said = tuple[str, bytes]
"""Topic and payload."""


class Kind(IntEnum):
    """The packets that a broker sends us."""

    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBACK = 9
    PINGRESP = 13


class Packet(NamedTuple):
    """A packet: its kind, the four bits beside it, and what follows the length."""

    kind: int
    flags: int
    body: bytes

    @property
    def packet_id(self) -> int:
        """Of a PUBACK or a SUBACK."""
        return int.from_bytes(self.body[:2])

    @property
    def refused(self) -> bool:
        """Of a CONNACK or a SUBACK: the broker does not want us, or does not let us listen."""
        return self.body[1:2] != b"\0" if self.kind == Kind.CONNACK else any(code >= 128 for code in self.body[2:])

    @property
    def payload(self) -> bytes:
        """Of a PUBLISH at QoS 0."""
        return self.body[2 + int.from_bytes(self.body[:2]) :]

    @property
    def topic(self) -> str:
        """Of a PUBLISH."""
        return self.body[2 : 2 + int.from_bytes(self.body[:2])].decode()


class Reader:
    """Bytes as they come; packets as soon as they are whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Packet]:
        rest = self._rest + data
        at = 0
        while (found := _packet(rest, at)) is not None:
            packet, at = found
            yield packet
        self._rest = rest[at:]


class Wire:
    """A connection with a clean session. ConnectionError when the broker refuses or leaves."""

    def __init__(self, host: str, port: int, name: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = Reader()
        self._number = 0
        self._socket.sendall(connect(name))
        self._expect(Kind.CONNACK)

    def subscribe(self, pattern: str) -> None:
        self._socket.sendall(subscribe(1, [pattern]))
        self._expect(Kind.SUBACK)

    def publish(self, said: Iterable[Said]) -> int:
        """Send them all in one piece; how many."""
        packets = [publish(topic, payload, self._next()) for topic, payload in said]
        self._socket.sendall(b"".join(packets))
        return len(packets)

    def received(self, seconds: float) -> list[Packet]:
        """What has come, after waiting so long for the first of it."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return []
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionError("the broker has hung up")
        return list(self._reader.feed(data))

    def acknowledged(self, seconds: float = 30.0) -> int:
        """How many PUBACKs have come."""
        return sum(packet.kind == Kind.PUBACK for packet in self.received(seconds))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> int:
        self._number = self._number % 65_535 + 1
        return self._number

    def _expect(self, answer: Kind) -> None:
        found = self.received(30)
        if [packet.kind for packet in found] != [answer] or found[0].refused:
            raise ConnectionError(f"the broker answered {found} and not {answer.name}")


def connect(client_id: str, last_will: Said | None = None) -> bytes:
    """A clean session, no credentials, no keep-alive. ``last_will``: at QoS 1, retained."""
    flags, will = (0x02, b"") if last_will is None else (0x2E, _text(last_will[0]) + _counted(last_will[1]))
    return _framed(0x10, b"\x00\x04MQTT\x04" + bytes([flags]) + b"\x00\x00" + _text(client_id) + will)


def subscribe(packet_id: int, topics: Sequence[str]) -> bytes:
    """At QoS 0."""
    return _framed(0x82, struct.pack("!H", packet_id) + b"".join(_text(each) + b"\0" for each in topics))


def publish(topic: str, payload: bytes, packet_id: int, *, again: bool = False, retained: bool = False) -> bytes:
    """At QoS 1. ``again``: it was sent before, perhaps. ``retained``: the broker keeps it for whoever comes later."""
    return _framed(0x32 | again << 3 | retained, _text(topic) + struct.pack("!H", packet_id) + payload)


def _packet(data: bytes, at: int) -> tuple[Packet, int] | None:
    """The packet that begins here, and where the next one does; None while it is not whole."""
    length, shift = 0, 0
    for index in range(at + 1, min(at + 5, len(data))):
        length |= (data[index] & 0x7F) << shift
        shift += 7
        if not data[index] & 0x80:
            end = index + 1 + length
            whole = end <= len(data)
            return (Packet(data[at] >> 4, data[at] & 0x0F, data[index + 1 : end]), end) if whole else None
    return None


def _framed(first: int, body: bytes) -> bytes:
    return bytes([first]) + _length(len(body)) + body


def _text(value: str) -> bytes:
    return _counted(value.encode())


def _counted(raw: bytes) -> bytes:
    return struct.pack("!H", len(raw)) + raw


def _length(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)
