"""MQTT as bytes: however it is cut, what comes out is what a client library reads, and what goes out it can read, too."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway import frames
from gateway.frames import BrokenPacket, Published, acknowledgements, publications, take_apart

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
    def expected(self) -> Published:
        return Published(self.topic, self.payload, self.packet_id, self.retained)


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


@given(st.lists(SENT | st.sampled_from(OTHERS), max_size=8), st.booleans(), st.data())
def test_however_it_is_cut_the_same_comes_out(said: list[Sent | bytes], five: bool, data: st.DataObject) -> None:
    stream = b"".join(each if isinstance(each, bytes) else each.packet(five) for each in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    rest, found = b"", list[Published | bytes]()
    for start, end in pairwise([0, *cuts, len(stream)]):
        packets, rest = take_apart(rest + stream[start:end], five)
        found += packets
    assert rest == b""
    assert found == [each if isinstance(each, bytes) else each.expected for each in said]


@given(SENT, st.booleans())
def test_it_is_read_as_the_library_reads_it(sent: Sent, five: bool) -> None:
    packet = sent.packet(five)
    version = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
    body = packet[1 + next(at for at in range(1, 5) if not packet[at] & 0x80) :]
    theirs = _packet.decode_publish(packet[0], bytearray(body), version)
    ((ours,), _) = take_apart(packet, five)
    assert isinstance(ours, Published)
    assert (ours.topic.encode(), ours.payload, ours.retained) == (theirs.topic, theirs.payload, theirs.retain)
    assert ours.packet_id == (theirs.mid or 0)


@given(st.lists(SENT), st.booleans())
def test_what_goes_out_comes_back(sent: list[Sent], five: bool) -> None:
    found, rest = take_apart(publications([(each.topic, each.payload) for each in sent], five), five)
    assert (found, rest) == ([Published(each.topic, each.payload, 0, retained=False) for each in sent], b"")


def test_a_batch_is_acknowledged_in_order() -> None:
    assert acknowledgements([1, 300, 65_535]) == b"\x40\x02\x00\x01\x40\x02\x01\x2c\x40\x02\xff\xff"


def test_a_topic_that_is_no_text_can_be_read_all_the_same() -> None:
    ((found,), _) = take_apart(b"\x30\x06\x00\x03a\xff\x00x", five=False)
    assert found == Published("a\\xff\x00", b"x", 0, retained=False)


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
        take_apart(packet, five)


@given(st.binary(max_size=200), st.booleans())
def test_junk_never_does_anything_else(junk: bytes, five: bool) -> None:
    try:
        packets, rest = take_apart(junk, five)
    except BrokenPacket:
        return
    assert sum(len(each) for each in packets if isinstance(each, bytes)) + len(rest) <= len(junk)


def test_a_topic_that_no_packet_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 65535"):
        publications([("a" * (frames.LONGEST_TOPIC + 1), b"")], five=True)
