"""What waits is not forgotten, and not waited for in vain: rules switched and unreadable, devices moved, fitted for nobody in
particular or not yet, and an alert that could not be raised."""

from __future__ import annotations

import json
from datetime import time, timedelta
from typing import Any

import pytest

from gateway.embedded import Broker
from gateway.store import devices, municipality, watches
from gateway.store.db import Connection
from tests.support.rules import own, sets
from tests.support.world import NOON, world

DISPENSER, DOOR, WEARABLE = "medicine_dispenser", "door_sensor", "fall_alarm"
PUT_ON = {
    "type": "missed", "name": "not_put_on", "condition": "not_put_on", "vkp_code": None, "severity": 10, "track": "care",
    "met_by": ["worn"], "since": "05:00", "by": "11:00",
}  # fmt: skip


async def test_an_end_that_came_while_the_rule_was_off_does_not_hide_the_next_time(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        door = await town.fits(await town.home(), DOOR)
        await town.says(door, "opened")
        await town.passes(minutes=6)
        await town.done("Kari", (await town.alert("left_open"))["uid"])
        off = await sets(town, "Siri", DOOR, own(DOOR, "left_open", enabled=False), zone=town.zones["Sone"])
        await town.passes(minutes=1)
        await town.says(door, "closed")
        await sets(town, "Siri", DOOR, own(DOOR, "left_open"), version=off.version, zone=town.zones["Sone"])
        await town.says(door, "opened")
        await town.passes(minutes=6)
        assert len(await town.alerts("left_open")) == 2


async def test_a_technical_alert_ends_with_the_rule_that_would_have_noticed_its_end(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.dispenser, "mains_off")
        await town.passes(minutes=6)
        off = own(DISPENSER, "mains_off", enabled=False)
        assert (await town.alert("mains_off", track="technical"))["closed_at"] is None
        await town.person("Adm", "admin", "Senter")
        await sets(town, "Adm", DISPENSER, off, zone=town.zones["Kommune"])
        await town.passes(minutes=1)
        assert (await town.alert("mains_off", track="technical"))["closed_at"] is not None


async def test_a_technical_alert_does_not_stay_in_the_home_that_the_device_has_left(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home, other = await town.home(), await town.home()
        await town.says(home.dispenser, "mains_off")
        await town.passes(minutes=6)

        async def move(connection: Connection) -> None:
            await devices.move(connection, home.dispenser.id, other.dwelling, other.resident, town.now)

        await town.gateway.database.run(move)
        await town.passes(minutes=1)
        assert (await town.alert("mains_off", track="technical"))["closed_at"] is not None


@pytest.mark.parametrize("for_nobody", [False, True])
async def test_a_residents_own_rule_holds_for_what_is_fitted_where_they_live_alone(
    migrated_url: str, broker: Broker, for_nobody: bool
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        short = own(DISPENSER, "dose_unconfirmed", grace_seconds=600)
        await town.rule(WEARABLE, PUT_ON, resident_id=home.resident)
        await town.rule(DISPENSER, short, resident_id=home.resident)
        if for_nobody:
            await town.rows("UPDATE installation SET resident_id = NULL")
        (fitting,) = await town.rows("SELECT id FROM installation WHERE device_id = %s", home.dispenser.id)
        await town.gateway.database.run(
            lambda connection: municipality.add_dose_schedule(connection, fitting["id"], time(13), town.now)
        )
        await town.passes(hours=1, minutes=11)
        assert (await town.alert("dose_missed"))["resident_id"] == home.resident
        await town.passes(hours=23)
        assert (await town.alert("not_put_on"))["resident_id"] == home.resident


async def test_every_standing_watch_is_come_by_however_small_the_pages(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        for _ in range(3):
            await town.home()
        await town.rows("DELETE FROM watch")
        standing = [(WEARABLE, "missed:not_put_on:"), (WEARABLE, "silence:device_silent:")]

        async def walk(connection: Connection) -> list[tuple[int, str]]:
            found: list[tuple[int, str]] = []
            after = (0, "")
            while page := await devices.unwatched(connection, standing, town.now, after, 1):
                after = (page[0].subject.device_id or 0, page[0].lacks)
                found.append(after)
            return found

        found = await town.gateway.database.run(walk)
        assert len(found) == len(set(found)) == 6


async def test_an_alert_that_could_not_be_raised_is_raised_when_it_can_be(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule(WEARABLE, PUT_ON, device_id=home.fall_alarm.id)
        await town.passes(hours=22)
        await town.rows("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$")
        await town.rows("CREATE TRIGGER refuse BEFORE INSERT ON alert FOR EACH ROW EXECUTE FUNCTION refuse()")
        await town.passes(hours=1, minutes=2)
        assert await town.alerts() == []
        await town.rows("DROP TRIGGER refuse ON alert")
        await town.passes(minutes=10)
        assert len(await town.alerts("not_put_on")) == 1


async def test_a_dose_of_a_fitting_that_has_not_begun_is_not_waited_for(migrated_url: str, broker: Broker) -> None:
    """The dispenser moves on Friday: nothing is missed there on Tuesday, and nothing waited for before."""
    async with world(migrated_url, broker) as town:
        home, other = await town.home(doses=[time(13)]), await town.home()
        friday = town.now + timedelta(days=3)

        async def plan(connection: Connection) -> None:
            await devices.move(connection, home.dispenser.id, other.dwelling, other.resident, friday)
            cursor = await connection.execute(
                "SELECT id FROM installation WHERE device_id = %s AND lower(during) = %s", (home.dispenser.id, friday)
            )
            row = await cursor.fetchone()
            assert row is not None
            await municipality.add_dose_schedule(connection, row["id"], time(13), town.now)

        await town.gateway.database.run(plan)
        await town.passes(hours=1, minutes=1)
        await town.says(home.dispenser, "dose_taken")
        await town.passes(hours=4)
        assert await town.alerts() == []
        waiting = await town.rows(
            "SELECT since FROM watch WHERE key LIKE 'dose:%%' AND dwelling_id = %s", other.dwelling
        )
        assert [each for each in waiting if each["since"] < friday] == []


async def test_a_rule_that_nobody_could_read_for_a_minute_costs_no_dose(migrated_url: str, broker: Broker) -> None:
    """A process of another release may have written it; the next dose falls due to be planned just then."""
    async with world(migrated_url, broker) as town:
        await town.home(doses=[time(13)])
        (rule,) = await town.rows("SELECT id FROM rule WHERE name = 'dose_unconfirmed'")
        await town.passes(minutes=59)
        for version, type_ in ((2, "of_tomorrow"), (3, "dose")):
            await town.rows(
                """INSERT INTO rule_version (rule_id, version, spec, created_at)
                   SELECT rule_id, %s, jsonb_set(spec, '{type}', %s), created_at FROM rule_version
                   WHERE rule_id = %s AND version = 1""",
                version,
                json.dumps(type_),
                rule["id"],
            )
            await town.rows("UPDATE rule SET version = %s WHERE id = %s", version, rule["id"])
            await town.passes(minutes=2)
        await town.passes(hours=25)
        days = await town.rows("SELECT since::date AS day FROM watch WHERE key LIKE 'dose:%%' ORDER BY since")
        assert [each["day"] - NOON.date() for each in days][:2] == [timedelta(0), timedelta(days=1)]


async def test_a_devices_own_rule_does_not_go_with_it_into_the_next_home(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, other = await town.home(), await town.home()
        door = await town.fits(home, DOOR)
        await sets(town, "Siri", DOOR, own(DOOR, "left_open", enabled=False), device=door.id)
        await town.says(door, "opened")
        await town.passes(minutes=10)
        assert await town.alerts() == []
        await town.says(door, "closed")
        await town.gateway.database.run(
            lambda connection: devices.move(connection, door.id, other.dwelling, other.resident, town.now)
        )
        await town.passes(minutes=1)
        await town.says(door, "opened")
        await town.passes(minutes=6)
        assert (await town.alert("left_open"))["resident_id"] == other.resident


async def test_schedules_without_a_rule_hide_no_other(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        for _ in range(5):
            await town.home(doses=[time(20)])
        await town.rows("UPDATE dose_schedule SET watched_until = %s", town.now)

        async def walk(connection: Connection) -> list[int]:
            found: list[int] = []
            while page := await watches.schedules_behind(connection, town.now, max(found, default=0), 2):
                found += [each.id for each in page]
            return found

        assert len(await town.gateway.database.run(walk)) == 5


async def test_what_a_device_invents_is_not_kept_in_its_state(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        for number in range(3):
            told: dict[str, Any] = {f"x{number}": "y" * 1000, "battery": 90 - number}
            await town.says(home.fall_alarm, "heartbeat", message_class="status", **told)
        (state,) = await town.rows("SELECT fields FROM device_state WHERE device_id = %s", home.fall_alarm.id)
        assert state["fields"] == {"battery": 88}
        assert "x2" in (await town.observed(home.fall_alarm))[-1]["fields"]
