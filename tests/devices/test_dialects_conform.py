"""The conformance suite of dialects. It finds every dialect by itself: a new ecosystem needs no new test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dialects import Dialect, dialect_of, dialects
from devices.kinds import Kind, kinds
from devices.model import NAME, DecodeError, DeviceAddress, Lane, Message, Observation, Reason
from tests.devices.fuzz import JUNK, SEEDS, mutated
from tests.devices.golden import all_examples, assert_storable

every_dialect = pytest.mark.parametrize("dialect", dialects().values(), ids=dialects().keys())
NOW = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)


def filters(dialect: Dialect) -> list[str]:
    """Of both lanes; those that are on both are here once."""
    return [*dict.fromkeys(each for lane in Lane for each in dialect.subscriptions("stavanger", lane))]


def matches(filter_: str, topic: str) -> bool:
    """MQTT 5, section 4.7, for topics that do not begin with ``$``; two filters overlap when ``topic`` has wildcards too."""
    wanted, levels = filter_.split("/"), topic.split("/")
    for number, level in enumerate(wanted):
        if level == "#" or (number < len(levels) and levels[number] == "#"):
            return True
        if number >= len(levels) or not (level == levels[number] or "+" in {level, levels[number]}):
            return False
    return len(wanted) == len(levels) or levels[len(wanted)] == "#"


def plausible_topics(dialect: Dialect, random: Random) -> Iterator[str]:
    """Topics the gateway would hear: every wildcard replaced by a kind, a name, or rubbish."""
    words = [*kinds(), "fa-0042", "0x00158d0001", "", " ", "æøå", "a" * 70, "..", "alarm"]
    for each in filters(dialect):
        levels = (random.choice(words) if level in {"+", "#"} else level for level in each.split("/"))
        yield "/".join(levels)


def heard(dialect: Dialect, message: Message) -> Observation | DecodeError:
    try:
        return dialect.decode(message)
    except DecodeError as error:
        return error


def assert_sound(result: Observation | DecodeError, message: Message) -> None:
    """Everything that leaves a dialect can be stored, whatever came in."""
    if isinstance(result, DecodeError):
        assert_storable([result.reason, result.detail, result.message_id, str(result.device), result.kind])
        assert result.reason in Reason
        return
    assert_storable([dict(result.fields), result.type, result.message_id, sorted(result.flags)])
    assert result.kind in kinds()
    assert len(result.content_hash) == 16
    assert result.message_id is None or 1 <= len(result.message_id) <= 64
    assert 1 <= len(result.type) <= 64
    assert result.received_at == message.received_at
    assert result.delay >= timedelta(0)
    assert NAME.fullmatch(result.device.site)
    assert NAME.fullmatch(result.device.address)


@every_dialect
def test_filters_do_not_overlap(dialect: Dialect) -> None:
    """Where a topic tells, a lane hears what is its own; where none does, both hear the same."""
    assert not [pair for pair in combinations(filters(dialect), 2) if matches(*pair)]
    heard = [set(dialect.subscriptions("stavanger", lane)) for lane in Lane]
    assert not heard[0] & heard[1] if dialect.topics_tell else heard[0] == heard[1]


def test_filters_of_all_dialects_do_not_overlap() -> None:
    every = [each for dialect in dialects().values() for each in filters(dialect)]
    assert not [pair for pair in combinations(every, 2) if matches(*pair)]


@every_dialect
def test_owns_what_it_subscribes_to(dialect: Dialect) -> None:
    assert dialects()[dialect.name] is dialect
    for topic in plausible_topics(dialect, Random(1)):
        assert dialect.owns(topic)
        assert dialect_of(topic) is dialect


@every_dialect
def test_filters_name_their_site(dialect: Dialect) -> None:
    assert not set(filters(dialect)) & {each for lane in Lane for each in dialect.subscriptions("sandnes", lane)}


@every_dialect
def test_receipt(dialect: Dialect) -> None:
    device = DeviceAddress("stavanger", dialect.name, "one")
    for kind in kinds():
        receipt = dialect.receipt(device, kind, 'odd "id" æ\n😀')
        if receipt is None:
            continue
        topic, payload = receipt
        assert json.loads(payload) == {"id": 'odd "id" æ\n😀'}
        assert not any(matches(each, topic) for each in filters(dialect)), "a gateway that hears itself never stops"


@every_dialect
@pytest.mark.parametrize("kind", [kind for kind in kinds().values() if kind.commands], ids=lambda kind: kind.name)
def test_command(dialect: Dialect, kind: Kind) -> None:
    """It reaches one device, and the gateway does not hear itself; it says which it is, what it asks, and until when."""
    one, other = (DeviceAddress("stavanger", dialect.name, name) for name in ("one", "other"))
    until = NOW + timedelta(seconds=60)
    for name in kind.commands:
        command = dialect.command(one, kind.name, "c-1", name, until, NOW)
        if command is None:
            continue
        topic, payload = command
        assert dialect.owns(topic)
        assert topic != (dialect.command(other, kind.name, "c-1", name, until, NOW) or ("",))[0]
        assert not any(matches(each, topic) for each in filters(dialect))
        assert payload == (dialect.command(one, kind.name, "c-1", name, until, NOW) or ("", b""))[1]
        assert len({dialect.command(one, kind.name, "c-1", each, until, NOW) for each in kind.commands}) > 1


@every_dialect
def test_junk(dialect: Dialect) -> None:
    random = Random(20261122)
    sides: set[type] = set()
    made = 0
    while made < JUNK:
        for topic in plausible_topics(dialect, random):
            message = Message(topic, mutated(random.choice(SEEDS), random), NOW, retained=random.random() < 0.1)
            result = heard(dialect, message)
            assert_sound(result, message)
            sides.add(type(result))
            made += 1
    assert sides == {Observation, DecodeError}, "the junk reaches both sides"


@every_dialect
def test_mutations_on_the_right_topic(dialect: Dialect) -> None:
    random = Random(4)
    own = [each.message for each in all_examples() if dialect_of(each.message.topic) is dialect and each.observation]
    for _ in range(5_000):
        original = random.choice(own)
        message = Message(original.topic, mutated(original.payload, random), NOW)
        assert_sound(heard(dialect, message), message)


@every_dialect
@given(topic=st.text(max_size=80), payload=st.binary(max_size=200))
def test_any_topic(dialect: Dialect, topic: str, payload: bytes) -> None:
    message = Message(topic, payload, NOW)
    assert_sound(heard(dialect, message), message)
