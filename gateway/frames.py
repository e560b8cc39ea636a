"""MQTT packets as bytes, as far as the path needs them: what is published to us, and what we answer by the hundred. Pure.

Rules
    Publications at QoS 0 and 1 are taken apart here; every other packet is handed on as it came, for the client library.
    Whatever a device may have put into a topic can be read: bytes that are no UTF-8 are written out (``\\xff``).

Theory
    A library that turns each packet into objects, and each acknowledgement into a call to the system, costs more than
    storing what was said. So the bytes that have arrived are taken apart in one go, and a batch is answered in one piece.
    MQTT 3.1.1 and 5 differ by one length of properties, of which none concerns us (OASIS MQTT 5.0, 3.3 and 3.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from devices.model import Message
from devices.value import value

PUBLISH = 0x30
PUBACK = 0x40
MOST_LENGTH_BYTES = 4
LONGEST_TOPIC = 65_535


class BrokenPacket(Exception):
    """Bytes that are no MQTT: whoever sent them cannot be talked to any more."""


@value(frozen=True, slots=True)
class Delivery:
    """A message and what its acknowledgement needs: the number of its packet, 0 where it needs none (QoS 0)."""

    message: Message
    packet_id: int


class Taken(NamedTuple):
    """The whole packets in what has arrived: what was published to us, in order; all others, in order; and the bytes of one
    that has not come whole."""

    published: list[Delivery]
    others: list[bytes]
    rest: bytes


def take_apart(data: bytes, five: bool, now: datetime) -> Taken:  # noqa: FBT001 - the one thing that differs
    """BrokenPacket for bytes that are no MQTT. ``five``: as MQTT 5 has it, else 3.1.1. ``now``: it was received."""
    published: list[Delivery] = []
    others: list[bytes] = []
    start, end = 0, len(data)
    while end - start >= 2:
        length, body = data[start + 1], start + 2
        if length & 0x80:
            length, body = _length(data, start + 1)
        if body == 0 or body + length > end:
            break
        first = data[start]
        if first & 0xF0 == PUBLISH and not first & 0x04:
            published.append(_published(first, data, body, body + length, five, now))
        else:
            others.append(data[start : body + length])
        start = body + length
    return Taken(published, others, data[start:])


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A length of several bytes, and where it ends; the latter 0 where not all of it is there."""
    if at + 1 < len(data) and not data[at + 1] & 0x80:  # two, as of nearly every message
        return data[at] & 0x7F | data[at + 1] << 7, at + 2
    length = 0
    for place, byte in enumerate(data[at : at + MOST_LENGTH_BYTES]):
        length |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return length, at + place + 1
    if len(data) - at >= MOST_LENGTH_BYTES:
        raise BrokenPacket("a length of more than four bytes")
    return 0, 0


def _published(first: int, data: bytes, at: int, end: int, five: bool, now: datetime) -> Delivery:  # noqa: FBT001 - see take_apart
    topic_end = at + 2 + (data[at] << 8 | data[at + 1]) if end - at >= 2 else end + 1
    content, packet_id = topic_end, 0
    if first & 0x06:
        content += 2
        packet_id = data[topic_end] << 8 | data[topic_end + 1] if content <= end else 0
    if five and content < end:
        length = data[content]
        content += 1 + length if not length & 0x80 else _properties(data, content, end)
    elif five:
        content = end + 1
    if content > end:
        raise BrokenPacket("a publication that ends too early")
    topic = str(data[at + 2 : topic_end], "utf-8", "backslashreplace")
    return Delivery(Message(topic, data[content:end], now, first & 0x01 == 1), packet_id)


def _properties(data: bytes, at: int, end: int) -> int:
    """How many bytes a long list of properties takes, its length included."""
    value, behind = _length(data[:end], at)
    return behind - at + value if behind else end


def lacking(data: bytes) -> int:
    """Of a packet that begins here and has not come whole: how many bytes it lacks. At least 1, where that cannot be told yet."""
    if len(data) < 2:
        return 1
    length, body = _length(data, 1) if data[1] & 0x80 else (data[1], 2)
    return max(body + length - len(data), 1) if body else 1


def acknowledgements(packet_ids: Iterable[int]) -> bytes:
    """PUBACK for each of these packets, in order."""
    return b"".join([b"\x40\x02" + each.to_bytes(2) for each in packet_ids])


def publications(messages: Iterable[tuple[str, bytes]], five: bool) -> bytes:  # noqa: FBT001 - see take_apart
    """Topics and payloads to publish at QoS 0. ValueError for a topic that no packet can hold."""
    heads, properties = _HEADS, 1 if five else 0
    parts: list[bytes] = []
    for topic, payload in messages:
        name = topic.encode()
        length = len(name)
        if length > LONGEST_TOPIC:
            raise ValueError(f"a topic of {length} bytes; at most {LONGEST_TOPIC} can be sent")
        head = heads[2 + length + properties + len(payload)]
        parts += (
            (head, length.to_bytes(2), name, b"\x00", payload) if five else (head, length.to_bytes(2), name, payload)
        )
    return b"".join(parts)


class _Heads(dict[int, bytes]):
    """How packets of a length begin; of few lengths, as receipts are, each is written once."""

    def __missing__(self, length: int) -> bytes:
        head = b"\x30" + _length_of(length)
        if len(self) < MOST_HEADS:
            self[length] = head
        return head


MOST_HEADS = 1024
_HEADS = _Heads()


def _length_of(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = value >> 7, value & 0x7F
        out.append(digit | 0x80 if value else digit)
        if not value:
            return bytes(out)
