"""MQTT 3.1.1 as far as a device needs it that publishes and listens for its receipts: packets to bytes and back. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """The packets that a broker sends us."""

    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBACK = 9
    PINGRESP = 13


@dataclass(frozen=True, slots=True)
class Packet:
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


def connect(client_id: str) -> bytes:
    """A clean session, no credentials, no keep-alive."""
    return _framed(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + _text(client_id))


def subscribe(packet_id: int, topics: Sequence[str]) -> bytes:
    """At QoS 0."""
    return _framed(0x82, struct.pack("!H", packet_id) + b"".join(_text(each) + b"\0" for each in topics))


def publish(topic: str, payload: bytes, packet_id: int, *, again: bool = False) -> bytes:
    """At QoS 1. ``again``: it was sent before, perhaps."""
    return _framed(0x3A if again else 0x32, _text(topic) + struct.pack("!H", packet_id) + payload)


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
    raw = value.encode()
    return struct.pack("!H", len(raw)) + raw


def _length(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)
