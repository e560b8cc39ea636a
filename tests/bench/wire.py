"""MQTT 3.1.1 on a plain socket: a client that costs next to nothing, so that what is measured is not the measuring.

Publishes at QoS 1, subscribes at QoS 0, pings never: a connection lives as long as a leg of the bench.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Self

PUBLISH, PUBACK = 3, 4
Said = tuple[str, bytes]
"""Topic and payload."""


class Wire:
    """A connection with a clean session. ConnectionError when the broker refuses or leaves."""

    def __init__(self, host: str, port: int, name: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._number = 0
        text = name.encode()
        self._socket.sendall(_framed(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _counted(text)))
        self._expect(2)

    def subscribe(self, pattern: str) -> None:
        self._socket.sendall(_framed(0x82, b"\x00\x01" + _counted(pattern.encode()) + b"\x00"))
        self._expect(9)

    def publish(self, said: Iterable[Said]) -> int:
        """Send them all in one piece; how many."""
        packets = [self._packet(topic, payload) for topic, payload in said]
        self._socket.sendall(b"".join(packets))
        return len(packets)

    def received(self, seconds: float) -> list[tuple[int, bytes]]:
        """(type, body) of what has come, after waiting so long for the first of it."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return []
        data = self._socket.recv(262_144)
        if not data:
            raise ConnectionError("the broker has hung up")
        packets, self._rest = _apart(self._rest + data)
        return packets

    def acknowledged(self, seconds: float = 30.0) -> int:
        """How many PUBACKs have come."""
        return sum(kind == PUBACK for kind, _ in self.received(seconds))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _packet(self, topic: str, payload: bytes) -> bytes:
        self._number = self._number % 65_535 + 1
        return _framed(0x32, _counted(topic.encode()) + self._number.to_bytes(2, "big") + payload)

    def _expect(self, answer: int) -> None:
        kinds = [kind for kind, _ in self.received(30)]
        if kinds != [answer]:
            raise ConnectionError(f"the broker answered {kinds} and not {answer}")


def topic_and_payload(body: bytes) -> tuple[bytes, bytes]:
    """Of a PUBLISH at QoS 0."""
    end = 2 + int.from_bytes(body[:2], "big")
    return body[2:end], body[end:]


def _apart(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole packets, and what is left of the last one."""
    packets, at, end = [], 0, len(data)
    while end - at >= 2:
        body, length, shift = at + 1, 0, 0
        while body < end:
            digit, body = data[body], body + 1
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                break
        else:
            break
        if body + length > end:
            break
        packets.append((data[at] >> 4, data[body : body + length]))
        at = body + length
    return packets, data[at:]


def _framed(head: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((head,)) + digits + body


def _counted(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text
