"""An ecosystem whose topics do not tell: both lanes hear everything, each takes in what is its own, and nothing twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from devices.dialects import Dialect
from devices.model import DeviceAddress, Lane, Message, MessageClass
from gateway.batches import decode
from gateway.embedded import Broker
from gateway.metrics import METRICS
from gateway.store.db import TooMuch
from tests.devices import test_dialects_conform as conform
from tests.gateway.place import NOW, Place, fall, place
from tests.support.dialects import one_topic
from tests.support.town import Device
from tests.support.world import World, world

MANY = 200
REFUSED = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON observation FOR EACH ROW WHEN (new.message_id LIKE 'bad%') EXECUTE FUNCTION refuse()
"""
"""The database refuses some content."""
GIVES_UP = """
CREATE FUNCTION gives_up() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END $$;
ALTER TABLE site_lane RENAME TO whole_site_lane;
CREATE VIEW site_lane AS SELECT * FROM whole_site_lane WHERE gives_up()
"""
"""The database gives up over everything, whatever is in a batch."""


@pytest.fixture
def dialect() -> Iterator[Dialect]:
    with one_topic() as found:
        yield found


def payload(type_: str, id_: str, **more: Any) -> bytes:
    return json.dumps({"id": id_, "time": NOW.isoformat(), "type": type_, **more}).encode()


# By itself ------------------------------------------------------------------------------------------------------------


def test_it_is_a_dialect_like_all_others(dialect: Dialect) -> None:
    conform.test_filters_do_not_overlap(dialect)
    conform.test_filters_of_all_dialects_do_not_overlap()
    conform.test_owns_what_it_subscribes_to(dialect)
    conform.test_filters_name_their_site(dialect)
    conform.test_receipt(dialect)
    conform.test_junk(dialect)
    conform.test_any_topic(dialect=dialect)


def messages() -> list[Message]:
    said = (
        payload("fall", "1"),
        payload("worn", "2"),
        b'{"online": true}',
        b'{"type": "fall", "id": "4"}',
        b'{"type": "worn", "id": "5"}',
        b"no json",
    )
    return [Message("one/s/fall_alarm/f", each, NOW) for each in said]


def taken(lane: Lane) -> tuple[list[str], list[MessageClass | None]]:
    batch = decode(messages(), lane)
    types = [each.observation.type for each in batch.read]
    return types, [each.error.message_class for each in batch.rejected]


@pytest.mark.usefixtures("dialect")
def test_each_lane_takes_in_its_own_and_together_they_take_in_all() -> None:
    assert taken(Lane.ALARM) == (["fall"], [MessageClass.ALARM])
    assert taken(Lane.BULK) == (["worn", "presence"], [MessageClass.EVENT, None])


def test_where_topics_tell_a_lane_takes_in_whatever_comes_on_it() -> None:
    for lane in Lane:
        said = [Message(f"hv/v1/s/fall_alarm/f/{last}", payload("worn", last), NOW) for last in ("alarm", "event")]
        assert [each.observation.message_class for each in decode(said, lane).read] == ["alarm", "event"]


# Over the real broker -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def town_with_one(url: str, broker: Broker) -> AsyncIterator[tuple[World, Device, str]]:
    """A town in which a home's fall alarm is of that ecosystem, and its topic."""
    async with world(url, broker) as town:
        home = await town.home()
        alarm = home.fall_alarm
        await town.rows("UPDATE device SET ecosystem = 'one_topic' WHERE id = %s", alarm.id)
        await town.client.subscribe(f"one/{town.site}/+/+/receipt", qos=1)
        yield town, alarm, f"one/{town.site}/fall_alarm/{alarm.address.address}"


async def stored(town: World, device: Device) -> list[str]:
    found = await town.rows("SELECT message_id FROM said WHERE device_id = %s ORDER BY message_id", device.id)
    return [each["message_id"] for each in found]


def counted(town: World, what: str = "messages") -> dict[str, float]:
    """How many messages each lane has taken in, or put into quarantine."""
    lines = [each for each in METRICS.text().decode().splitlines() if each.startswith(f"hjemmevakt_{what}_total{{")]
    ours = [each for each in lines if f'site="{town.site}"' in each]
    return {lane: float(each.split()[-1]) for each in ours for lane in Lane if f'lane="{lane}"' in each}


async def conditions(town: World) -> list[str]:
    return [each["condition"] for each in await town.rows("SELECT condition FROM alert ORDER BY id")]


@asynccontextmanager
async def stands_still(town: World, lane: Lane) -> AsyncIterator[None]:
    """For the block, nothing of a lane is stored: its row is locked."""
    async with await psycopg.AsyncConnection.connect(town.gateway.database.url) as other:
        await other.execute("SELECT FROM site_lane WHERE lane = %s FOR UPDATE", (lane,))
        yield
        await other.rollback()


@pytest.mark.usefixtures("dialect")
async def test_an_alarm_does_not_wait_behind_telemetry_on_its_own_topic(migrated_url: str, broker: Broker) -> None:
    async with town_with_one(migrated_url, broker) as (town, alarm, topic):
        async with stands_still(town, Lane.BULK):
            for number in range(MANY):
                await town.publishes(topic, payload("worn", f"worn-{number}"), settle=False)
            await town.publishes(topic, payload("fall", "fall-1"), settle=False)
            async with asyncio.timeout(20):
                while not (there := await stored(town, alarm)):
                    await asyncio.sleep(0.05)
            assert there == ["fall-1"], "and nothing of what was said before it on the same topic"
            assert await conditions(town) == ["fall"]
            await town.publishes(topic, payload("worn", "worn-last"), settle=False)
        await town.settle()
        said = sorted(["fall-1", "worn-last", *(f"worn-{number}" for number in range(MANY))])
        assert await stored(town, alarm) == said, "each once"
        assert sorted(await town.receipts()) == said, "each has its receipt, from one lane"
        assert counted(town) == {Lane.ALARM: 1, Lane.BULK: MANY + 1}
        assert await conditions(town) == ["fall"]
        assert await town.rows("SELECT id FROM quarantine") == []


@pytest.mark.usefixtures("dialect")
async def test_an_alarm_lane_that_stands_still_holds_up_no_telemetry_and_loses_no_alarm(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_one(migrated_url, broker) as (town, alarm, topic):
        async with stands_still(town, Lane.ALARM):
            await town.publishes(topic, payload("fall", "fall-1"), settle=False)
            await town.publishes(topic, payload("worn", "worn-1"), settle=False)
            async with asyncio.timeout(20):
                while not (there := await stored(town, alarm)):
                    await asyncio.sleep(0.05)
            assert there == ["worn-1"]
        await town.settle()
        assert await stored(town, alarm) == ["fall-1", "worn-1"]
        assert await conditions(town) == ["fall"]


@pytest.mark.usefixtures("dialect")
async def test_what_cannot_be_read_is_in_quarantine_once_and_raised_where_it_was_an_alarm(
    migrated_url: str, broker: Broker
) -> None:
    async with town_with_one(migrated_url, broker) as (town, _, topic):
        for said in (b"no json", b'{"type": "fall", "id": "no-time"}', b'{"type": "worn", "id": "no-time-either"}'):
            await town.publishes(topic, said, settle=False)
        await town.settle()
        found = await town.rows("SELECT message_class FROM quarantine ORDER BY message_class")
        assert [each["message_class"] for each in found] == ["alarm", "event", None]
        assert counted(town, "quarantined") == {Lane.ALARM: 1, Lane.BULK: 2}, "each was tried by one lane alone"
        assert await conditions(town) == ["uninterpretable_alarm"]
        assert sorted(await town.receipts()) == ["no-time", "no-time-either"]


@pytest.mark.usefixtures("dialect")
async def test_poison_is_set_apart_by_the_lane_whose_it_is(migrated_url: str, broker: Broker) -> None:
    """The other lane has it in its batches, too: it passes it over, also while it halves a batch of its own."""
    async with town_with_one(migrated_url, broker) as (town, alarm, topic):
        await town.rows(REFUSED)
        for lane in Lane:
            async with stands_still(town, lane):  # so that what is said is one batch
                for type_, id_ in (("worn", "1"), ("fall", "bad-2"), ("fall", "3"), ("worn", "bad-4"), ("worn", "5")):
                    await town.publishes(topic, payload(type_, f"{id_}-{lane}"), settle=False)
        await town.settle()
        good = sorted(f"{number}-{lane}" for number in (1, 3, 5) for lane in Lane)
        bad = sorted(f"bad-{number}-{lane}" for number in (2, 4) for lane in Lane)
        assert await stored(town, alarm) == good
        found = await town.rows(
            "SELECT reason, convert_from(raw, 'UTF8')::jsonb ->> 'id' AS id FROM quarantine ORDER BY 2"
        )
        assert [(each["reason"], each["id"]) for each in found] == [("poison", each) for each in bad]
        assert counted(town, "quarantined") == {Lane.ALARM: 2, Lane.BULK: 2}
        assert sorted(await conditions(town)) == ["fall", "uninterpretable_alarm"]
        assert sorted(await town.receipts()) == sorted([*good, *bad])


# What fails whatever is in a batch ------------------------------------------------------------------------------------


async def others_of(town: Place) -> Message:
    """A message that the other lane takes in: a fall, to the bulk lane."""
    (home,) = town.homes
    await town.rows("UPDATE device SET ecosystem = 'one_topic' WHERE id = %s", home.device)
    address = DeviceAddress(home.address.site, "one_topic", home.address.address)
    return Message(f"one/{address.site}/fall_alarm/{address.address}", fall(home, "1").payload, NOW)


@pytest.mark.usefixtures("dialect")
async def test_what_is_anothers_is_no_poison_where_all_fails(migrated_url: str) -> None:
    """The batch has nothing of ours: what failed is told as what it is."""
    async with place(migrated_url) as town:
        held, said = await town.held(Lane.BULK), await others_of(town)
        await town.rows("ALTER TABLE site_lane RENAME TO moved_away")
        with pytest.raises(psycopg.errors.UndefinedTable):
            await town.store(held, [said])
        await town.rows("ALTER TABLE moved_away RENAME TO site_lane")
        assert (await town.store(held, [said])).total == 0
        assert await town.rows("SELECT id FROM quarantine UNION ALL SELECT id FROM said") == []


@pytest.mark.usefixtures("dialect")
async def test_what_is_anothers_waits_while_the_database_gives_up_over_everything(migrated_url: str) -> None:
    """As with our own: the lane keeps the batch in hand, and does not lose its connection over it."""
    async with place(migrated_url) as town:
        held, said = await town.held(Lane.BULK), await others_of(town)
        await town.rows(GIVES_UP)
        with pytest.raises(TooMuch):
            await town.store(held, [said], NOW + timedelta(seconds=1))
        assert await town.rows("SELECT id FROM quarantine UNION ALL SELECT id FROM said") == []
