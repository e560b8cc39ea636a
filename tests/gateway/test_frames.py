"""MQTT as bytes: however it is cut, what comes out is what a client library reads, and what goes out it can read, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.model import Message
from gateway import frames
from gateway.frames import BrokenPacket, Delivery, acknowledgements, publications, take_apart

NOW = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
OTHERS = (b"\xd0\x00", b"\x40\x02\x00\x07", b"\x90\x04\x00\x01\x00\x01", b"\x34\x07\x00\x01t\x00\x09xy")
"""A ping's answer, an acknowledgement, a subscription's – and a publication at QoS 2, which is none of ours."""


@dataclass(frozen=True)
class Sent:
    """Something published, as a broker would send it."""

    topic: str
    payload: bytes
    packet_id: int
    retained: bool
    notes: tuple[tuple[str, str], ...] = ()

    def packet(self, five: bool) -> bytes:
        name = self.topic.encode()
        body = len(name).to_bytes(2) + name + (self.packet_id.to_bytes(2) if self.packet_id else b"")
        if five:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            for note in self.notes:
                properties.UserProperty = note
            body += properties.pack()  # type: ignore[no-untyped-call]
        body += self.payload
        first = 0x30 | (0x02 if self.packet_id else 0) | (0x01 if self.retained else 0)
        return bytes([first]) + _length(len(body)) + body

    @property
    def expected(self) -> Delivery:
        return Delivery(Message(self.topic, self.payload, NOW, self.retained), self.packet_id)


def _length(value: int) -> bytes:
    digits = []
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(digits)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=90)
SENT = st.builds(
    Sent,
    topic=TEXT.filter(bool),
    payload=st.binary(max_size=300),
    packet_id=st.integers(0, 65_535),
    retained=st.booleans(),
    notes=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)


@given(SENT, st.booleans(), st.data())
def test_what_a_packet_lacks_is_known_from_its_head_on(sent: Sent, five: bool, data: st.DataObject) -> None:
    packet = sent.packet(five)
    come = data.draw(st.integers(0, len(packet) - 1))
    lacking = frames.lacking(packet[:come])
    left = len(packet) - come
    assert lacking == left if come >= 5 else 1 <= lacking <= left


@given(st.lists(SENT | st.sampled_from(OTHERS), max_size=8), st.booleans(), st.data())
def test_however_it_is_cut_the_same_comes_out(said: list[Sent | bytes], five: bool, data: st.DataObject) -> None:
    stream = b"".join(each if isinstance(each, bytes) else each.packet(five) for each in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    rest, published, others = b"", list[Delivery](), list[bytes]()
    for start, end in pairwise([0, *cuts, len(stream)]):
        taken = take_apart(rest + stream[start:end], five, NOW)
        published += taken.published
        others += taken.others
        rest = taken.rest
    assert rest == b""
    assert published == [each.expected for each in said if isinstance(each, Sent)]
    assert others == [each for each in said if isinstance(each, bytes)]


@given(SENT, st.booleans())
def test_it_is_read_as_the_library_reads_it(sent: Sent, five: bool) -> None:
    packet = sent.packet(five)
    version = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
    body = packet[1 + next(at for at in range(1, 5) if not packet[at] & 0x80) :]
    theirs = _packet.decode_publish(packet[0], bytearray(body), version)
    (ours,), others, _ = take_apart(packet, five, NOW)
    assert ours.message == Message(theirs.topic.decode(), bytes(theirs.payload), NOW, theirs.retain)
    assert ours.packet_id == (theirs.mid or 0)
    assert not others


@given(st.lists(SENT), st.booleans())
def test_what_goes_out_comes_back(sent: list[Sent], five: bool) -> None:
    taken = take_apart(publications([(each.topic, each.payload) for each in sent], five), five, NOW)
    assert taken == ([Delivery(Message(each.topic, each.payload, NOW), 0) for each in sent], [], b"")


def test_a_batch_is_acknowledged_in_order() -> None:
    assert acknowledgements([1, 300, 65_535]) == b"\x40\x02\x00\x01\x40\x02\x01\x2c\x40\x02\xff\xff"


def test_a_topic_that_is_no_text_can_be_read_all_the_same() -> None:
    (found,), _, _ = take_apart(b"\x30\x06\x00\x03a\xff\x00x", five=False, now=NOW)
    assert found == Delivery(Message("a\\xff\x00", b"x", NOW), 0)


@pytest.mark.parametrize(
    ("packet", "five"),
    [
        (b"\x30\xff\xff\xff\xff\x01", False),  # a length without end
        (b"\x30\x00", False),  # nothing in it
        (b"\x30\x01\x00", False),
        (b"\x30\x03\x00\x05a", False),  # a topic that is longer than the packet
        (b"\x32\x03\x00\x01a", False),  # no room for its number
        (b"\x30\x03\x00\x01a", True),  # no properties where there have to be
        (b"\x30\x04\x00\x01a\x05", True),  # more of them than there are bytes
        (b"\x30\x05\x00\x01a\xff\xff", True),
    ],
)
def test_what_is_no_mqtt_is_said_to_be_none(packet: bytes, five: bool) -> None:
    with pytest.raises(BrokenPacket):
        take_apart(packet, five, NOW)


@given(st.binary(max_size=200), st.booleans())
def test_junk_never_does_anything_else(junk: bytes, five: bool) -> None:
    try:
        taken = take_apart(junk, five, NOW)
    except BrokenPacket:
        return
    assert sum(map(len, taken.others)) + len(taken.rest) <= len(junk)


def test_a_topic_that_no_packet_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 65535"):
        publications([("a" * (frames.LONGEST_TOPIC + 1), b"")], five=True)
