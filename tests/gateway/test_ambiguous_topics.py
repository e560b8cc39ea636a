"""An ecosystem whose topics do not tell: both lanes hear everything, each takes in what is its own, and nothing twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from devices import dialects
from devices.dialects.native import Native
from devices.model import DecodeError, Lane, Message, MessageClass
from gateway.ingest import decode

NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)


@dataclass(frozen=True)
class Mute(Native):
    """As ours, but that everything comes on one topic a device."""

    name: str = "native"
    topics_tell: bool = False


def messages() -> list[Message]:
    said = (
        ("alarm", b'{"id":"1","time":"2026-03-03T11:00:00Z","type":"fall"}'),
        ("event", b'{"id":"2","time":"2026-03-03T11:00:00Z","type":"worn"}'),
        ("status", b'{"online": true}'),
        ("alarm", b"no json"),
        ("event", b"no json"),
        ("nonsense", b"{}"),
    )
    return [Message(f"hv/v1/s/fall_alarm/f/{last}", payload, NOW) for last, payload in said]


def taken(lane: Lane) -> tuple[list[str], list[MessageClass | None]]:
    batch = decode(messages(), lane)
    types = [each.observation.type for each in batch.read]
    return types, [each.error.message_class for each in batch.rejected]


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ingest.dialect_of", lambda _: Mute())


@pytest.mark.usefixtures("mute")
def test_each_lane_takes_in_its_own_and_together_they_take_in_all() -> None:
    assert taken(Lane.ALARM) == (["fall"], [MessageClass.ALARM])
    assert taken(Lane.BULK) == (["worn", "presence"], [MessageClass.EVENT, None])


def test_where_topics_tell_a_lane_takes_in_whatever_comes_on_it() -> None:
    for lane in Lane:
        types, rejected = taken(lane)
        assert (types, len(rejected)) == (["fall", "worn", "presence"], 3)


def test_a_lane_of_such_an_ecosystem_listens_to_what_the_other_one_does() -> None:
    """The promise of a dialect: what is not told apart by topic is heard on both."""
    for dialect in dialects.dialects().values():
        heard = [set(dialect.subscriptions("s", lane)) for lane in Lane]
        if dialect.topics_tell:
            assert not heard[0] & heard[1]
        else:
            assert heard[0] == heard[1]
    with pytest.raises(DecodeError):
        dialects.dialect_of("elsewhere").decode(Message("elsewhere", b"", NOW))
