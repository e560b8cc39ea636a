"""The native protocol: what is said is what is heard."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from devices.dialects.native import DIALECT, ENVELOPE, Ordered, encode, read_command, topic_of
from devices.kinds import kinds
from devices.model import DecodeError, DeviceAddress, Flag, Lane, Message, MessageClass, Reason, Said
from devices.redaction import is_secret, redact
from tests.devices.golden import assert_storable
from tests.devices.test_dialects_conform import filters, matches

NOW = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
FALL = "hv/v1/stavanger/fall_alarm/fa-1/alarm"

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
extras = st.dictionaries(
    texts.map(lambda text: f"x_{text}").filter(lambda name: not is_secret(name)), values, max_size=4
)
moments = st.datetimes(datetime(2020, 1, 2), datetime(2026, 11, 22), timezones=st.just(UTC))


@st.composite
def sayings(draw: st.DrawFn) -> tuple[str, Said]:
    """A kind, and something it may say: a known type, or one nobody has heard of."""
    kind = draw(st.sampled_from(sorted(kinds())))
    type_ = draw(st.sampled_from(sorted(kinds()[kind].events)) | texts.filter(bool))
    fields: dict[str, Any] = draw(extras) | ({"online": draw(st.booleans())} if type_ == "presence" else {})
    return kind, Said(draw(moments), draw(st.sampled_from(MessageClass)), type_, fields)


def body(**changes: Any) -> bytes:
    whole = {"id": "m-1", "time": "2026-11-22T03:10:00+01:00", "type": "fall", **changes}
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


def refusal(topic: str, payload: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as refused:
        DIALECT.decode(Message(topic, payload, NOW))
    return refused.value


@given(site=names, address=names, message_id=texts.filter(bool), saying=sayings())
def test_decode_is_the_inverse_of_encode(site: str, address: str, message_id: str, saying: tuple[str, Said]) -> None:
    kind, said = saying
    device = DeviceAddress(site, "native", address)
    topic, payload = encode(device, kind, message_id, said)
    assume(redact(payload) is payload)  # what names a secret is kept without it
    heard = DIALECT.decode(Message(topic, payload, NOW))

    assert (heard.device, heard.kind, heard.message_id) == (device, kind, message_id)
    assert Said(heard.occurred_at, heard.message_class, heard.type, heard.fields) == said
    assert (Flag.UNKNOWN_TYPE in heard.flags) == (said.type not in kinds()[kind].events)
    assert_storable([heard.fields, heard.type, heard.message_id])


@given(first=sayings(), later=st.integers(1, 10**6))
def test_a_resent_message_has_the_same_hash_whatever_its_time(first: tuple[str, Said], later: int) -> None:
    kind, said = first
    device = DeviceAddress("stavanger", "native", "one")
    again = Said(
        said.at + timedelta(seconds=later), said.message_class, said.type, dict(reversed(list(said.fields.items())))
    )
    one, two = (DIALECT.decode(Message(*encode(device, kind, "m", each), NOW)) for each in (said, again))
    assert (one.content_hash == two.content_hash) == (said.message_class is not MessageClass.ALARM)


def test_an_alarm_at_another_time_is_another_alarm_and_a_copy_a_copy() -> None:
    """A device that counts its ids from the beginning again must not have its next fall taken for the last one."""
    times = ("2026-11-21T03:10:00Z", "2026-11-21T03:10:00Z", "2026-11-22T03:10:00Z")
    first, copy, later = (DIALECT.decode(Message(FALL, body(time=each), NOW)).content_hash for each in times)
    assert first == copy != later


def test_another_type_or_field_is_other_content() -> None:
    payloads = (body(), body(type="worn"), body(x=1), body(x=1.5), body(x="1"), body(x=True), body(x=None), body(x=[1]))
    hashes = [DIALECT.decode(Message(FALL, payload, NOW)).content_hash for payload in payloads]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("message_class", MessageClass)
def test_every_class_is_subscribed_to_once(message_class: MessageClass) -> None:
    topic = topic_of(DeviceAddress("stavanger", "native", "one"), "fall_alarm", message_class)
    assert [matches(each, topic) for each in filters(DIALECT)].count(True) == 1


def test_alarms_have_a_lane_to_themselves() -> None:
    assert DIALECT.subscriptions("stavanger", Lane.ALARM) == ("hv/v1/stavanger/+/+/alarm",)


def test_downward_topics_are_not_heard() -> None:
    device = DeviceAddress("stavanger", "native", "one")
    for last in ("command", "receipt"):
        assert not any(matches(each, topic_of(device, "fall_alarm", last)) for each in filters(DIALECT))


@pytest.mark.parametrize(
    "topic",
    ["", "/", "alarm", "hv/v1", "hv/v2/s/fall_alarm/d/alarm", "HV/v1/s/fall_alarm/d/alarm", "hv/v1/s/fall_alarm/d/x/alarm",
     "hv/v1/+/fall_alarm/d/alarm", "hv/v1/s/fall_alarm/d/ALARM", "hv/v1/s/fall_alarm/d\0/alarm", "hv/v1/s/fall_alarm/d\n/alarm",
     "hv/v1/s/fall_alarm//alarm", "hv/v1/s/fall_alarm/-d/alarm", "hv/v1/s/fall_alarm/\ud800/alarm", "x" * 60_000],
)  # fmt: skip
def test_topics_that_are_not_ours(topic: str) -> None:
    error = refusal(topic, body())
    assert error.reason is Reason.TOPIC
    assert error.device is None
    assert len(error.detail) < 500
    assert error.is_alarm == topic.endswith("/alarm") or topic == "alarm"
    assert_storable(error.detail)


def test_a_refusal_says_who_and_what() -> None:
    error = refusal(FALL, body(time="yesterday"))
    assert error.device == DeviceAddress("stavanger", "native", "fa-1")
    assert (error.kind, error.message_class, error.message_id) == ("fall_alarm", MessageClass.ALARM, "m-1")
    assert error.is_alarm
    assert str(error).startswith("time: 'time' must be RFC 3339")


def test_a_refusal_of_an_unknown_kind_still_knows_the_id() -> None:
    error = refusal("hv/v1/stavanger/doorbell/db-1/event", body())
    assert (error.reason, error.kind, error.message_id) == (Reason.UNKNOWN_KIND, "doorbell", "m-1")
    assert not error.is_alarm


@pytest.mark.parametrize("payload", [body(id=...), body(id="x" * 65), body(id=["m-1"]), b'{"id": "m\\u0000"}', b"\xff"])
def test_an_unreadable_id_is_none(payload: bytes) -> None:
    assert refusal(FALL, payload).message_id is None


@pytest.mark.parametrize(
    ("payload", "online"), [(b'{"online":false}', False), (b'{"online":true,"ip":"10.0.0.9"}', True)]
)
def test_presence_is_state(payload: bytes, *, online: bool) -> None:
    heard = DIALECT.decode(Message("hv/v1/stavanger/fall_alarm/fa-1/status", payload, NOW, retained=True))
    assert (heard.type, heard.message_id, heard.occurred_at) == ("presence", None, NOW)
    assert heard.fields["online"] is online
    assert heard.flags == {Flag.RETAINED}


@pytest.mark.parametrize(
    "payload", [b'{"online":1}', b'{"online":"false"}', b'{"online":null}', b"{}", b'{"online":false,"type":"x"}']
)
def test_what_is_nearly_presence_needs_an_id(payload: bytes) -> None:
    assert refusal("hv/v1/stavanger/fall_alarm/fa-1/status", payload).reason is Reason.NO_ID


def test_a_device_in_any_zone_of_time() -> None:
    for hours in (-12, 0, 14):
        local = NOW.astimezone(timezone(timedelta(hours=hours)))
        heard = DIALECT.decode(Message(FALL, body(time=local.isoformat()), NOW))
        assert (heard.occurred_at, heard.occurred_at.tzinfo, heard.flags) == (NOW, UTC, frozenset())


def test_encoding_leaves_the_envelope_to_itself() -> None:
    said = Said(NOW, MessageClass.ALARM, "fall", {"id": "forged", "time": "forged", "type": "forged", "x": 1})
    heard = DIALECT.decode(Message(*encode(DeviceAddress("s", "native", "d"), "fall_alarm", "m", said), NOW))
    assert (heard.type, heard.message_id, heard.occurred_at) == ("fall", "m", NOW)
    assert not heard.fields.keys() & ENVELOPE


# Commands -------------------------------------------------------------------------------------------------------------


@given(command_id=names, name=names, seconds=st.integers(-1000, 1000), offset=st.integers(-12, 12))
def test_a_device_reads_what_the_gateway_asks(command_id: str, name: str, seconds: int, offset: int) -> None:
    until = (NOW + timedelta(seconds=seconds)).astimezone(timezone(timedelta(hours=offset)))
    command = DIALECT.command(DeviceAddress("stavanger", "native", "el-1"), "e_lock", command_id, name, until, NOW)
    assert command is not None
    topic, payload = command
    assert topic == "hv/v1/stavanger/e_lock/el-1/command"
    assert json.loads(payload).keys() == {"id", "time", "type", "valid_until"}
    assert read_command(payload) == Ordered(command_id, name, until)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ...}, Reason.NO_ID),
        ({"type": 7}, Reason.NO_TYPE),
        ({"valid_until": ...}, Reason.BAD_TIME),
        ({"valid_until": "2026-11-22T03:10:00"}, Reason.BAD_TIME),
        ({"valid_until": None}, Reason.BAD_TIME),
    ],
)
def test_a_command_without_an_end_is_none(change: dict[str, Any], reason: Reason) -> None:
    payload = body(**{"type": "unlock", "valid_until": "2026-11-22T03:11:00+01:00", **change})
    with pytest.raises(DecodeError) as refused:
        read_command(payload)
    assert refused.value.reason is reason


@given(st.binary(max_size=100))
def test_rubbish_is_no_command(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        read_command(payload)
