"""We have a bug: an alarm that cannot be raised as what it is holds up nobody else's, and is raised all the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import psycopg
import pytest

from devices.dialects import native
from devices.dialects.native import Native, encode
from devices.model import Lane, Message, MessageClass, Observation, Said
from gateway.batches import decode
from gateway.ingest import store_batch
from gateway.rate import Flood
from tests.gateway.place import NOW, Home, Place, fall, heartbeat, place

REFUSES = """
CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a bug of ours'; END $$;
CREATE TRIGGER refuses BEFORE INSERT ON alert FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuses();
"""


async def alerts(town: Place) -> list[tuple[str, int | None]]:
    rows = await town.rows("SELECT condition, dwelling_id FROM alert ORDER BY id")
    return [(row["condition"], row["dwelling_id"]) for row in rows]


async def in_quarantine(town: Place) -> list[tuple[str, str]]:
    rows = await town.rows("SELECT reason, detail FROM quarantine ORDER BY id")
    return [(row["reason"], row["detail"]) for row in rows]


async def test_what_cannot_be_raised_as_its_homes_is_raised_as_its_sites(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        one, two = town.homes
        await town.rows(REFUSES.format(when=f"new.dwelling_id = {one.dwelling}"))
        held = await town.held()
        came = await town.store(held, [fall(one, "bad"), fall(two, "good")])
        assert (came.new, came.quarantined) == (1, 1)
        assert await alerts(town) == [("uninterpretable_alarm", None), ("fall", two.dwelling)]
        ((reason, detail),) = await in_quarantine(town)
        assert reason == "poison"
        assert detail.count("a bug of ours") == 2
        assert sorted(json.loads(payload)["id"] for _, payload in came.receipts) == ["bad", "good"]
        again = await town.store(held, [fall(one, "bad"), fall(two, "good")])
        assert (again.new, len(await in_quarantine(town)), len(await alerts(town))) == (0, 1, 2)


async def test_what_cannot_be_raised_at_all_is_not_acknowledged(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        (home,) = town.homes
        await town.rows(REFUSES.format(when="true"))
        with pytest.raises(psycopg.errors.RaiseException):
            await town.store(await town.held(), [fall(home, "1")])
        assert (await in_quarantine(town), await town.rows("SELECT 1 FROM said")) == ([], [])


@dataclass(frozen=True)
class Crashing(Native):
    """A decoder with a bug that it does not notice itself."""

    topics_tell: bool = True

    def decode(self, message: Message) -> Observation:
        said = super().decode(message)
        return said if "battery_percent" not in said.fields else said.fields["nobody has thought of it"]


def _said(home: Home) -> list[Message]:
    return [fall(home, "1"), heartbeat(home, "2", battery_percent=7), heartbeat(home, "3")]


async def test_what_a_decoder_crashes_over_holds_up_nothing(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.batches.dialect_of", lambda _: Crashing())
    async with place(migrated_url) as town:
        (home,) = town.homes
        came = await town.store(await town.held(), _said(home))
        assert (came.new, came.quarantined) == (2, 1)
        ((reason, detail),) = await in_quarantine(town)
        assert reason == "poison"
        assert re.fullmatch(r"KeyError in test_last_resort.py:\d+", detail), "where, and not over what"
        assert sorted(condition for condition, _ in await alerts(town)) == ["fall", "uninterpretable_alarm"]


async def test_what_ours_crashes_over_is_named_so_that_it_is_raised_once(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its device would say it for ever, and each time be another one."""

    def crashes(*_: object) -> Observation:
        raise ZeroDivisionError("59.91")

    monkeypatch.setattr(native, "_decode", crashes)
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held()
        for _ in range(2):
            came = await town.store(held, [fall(home, "1")])
            assert [json.loads(payload)["id"] for _, payload in came.receipts] == ["1"]
        assert await alerts(town) == [("uninterpretable_alarm", home.dwelling)]
        ((_, detail),) = await in_quarantine(town)
        assert "59.91" not in detail


@pytest.mark.parametrize(("lane", "refused"), [(Lane.ALARM, [MessageClass.ALARM]), (Lane.BULK, [])])
def test_where_no_topic_tells_it_is_the_lane_of_alarms_that_takes_it(
    monkeypatch: pytest.MonkeyPatch, lane: Lane, refused: list[MessageClass]
) -> None:
    monkeypatch.setattr("gateway.batches.dialect_of", lambda _: Crashing(topics_tell=False))
    said = b'{"id":"1","time":"2026-03-03T11:00:00Z","type":"heartbeat","battery_percent":7}'
    batch = decode([Message("hv/v1/s/fall_alarm/f/status", said, NOW)], lane)
    assert [each.error.message_class for each in batch.rejected] == refused


async def test_what_the_guard_held_back_stays_so_where_a_batch_is_halved_and_who_floods_is_told(
    migrated_url: str,
) -> None:
    async with place(migrated_url, homes=2) as town:
        one, two = town.homes
        await town.rows(REFUSES.replace("ON alert", "ON observation").format(when="new.message_id = '1'"))
        held = await town.held(Lane.BULK)
        said = [heartbeat(one, f"h{number}") for number in range(4)]
        said.insert(1, Message(*encode(two.address, "fall_alarm", "1", Said(NOW, MessageClass.EVENT, "worn", {})), NOW))
        batch = decode(said, Lane.BULK)
        held_back = [each for each in batch.read if each.observation.message_id in {"h2", "h3"}]
        batch.read = [each for each in batch.read if each not in held_back]
        batch.floods = [Flood(one.address, "fall_alarm", NOW, len(held_back), begins=True)]
        came = await store_batch(town.database, held, batch, NOW, town.cache)
        assert (came.new, came.quarantined, came.held_back) == (2, 1, 2)
        assert [row["message_id"] for row in await town.rows("SELECT message_id FROM said ORDER BY id")] == ["h0", "h1"]
        assert await alerts(town) == [("device_floods", one.dwelling)]
        alone = decode([said[1]], Lane.BULK)
        alone.floods = [Flood(one.address, "fall_alarm", NOW, 0, begins=False)]
        await store_batch(town.database, held, alone, NOW, town.cache)
        assert (await town.rows("SELECT closed_at IS NULL AS open FROM alert")) == [{"open": False}]


async def test_where_nothing_can_be_stored_what_is_another_lanes_is_not_at_fault(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.batches.dialect_of", lambda _: Crashing(topics_tell=False))
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held(Lane.BULK)
        await town.rows("ALTER TABLE rule_version RENAME TO elsewhere")
        with pytest.raises(psycopg.errors.UndefinedTable):
            await town.store(held, [fall(home, "1")])
