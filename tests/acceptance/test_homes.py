"""Doors, locks and fires: the devices of one home, and what their words mean together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from devices.model import MessageClass
from gateway.embedded import Broker
from tests.support.world import world

ELEVEN_PM = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
"""Tuesday, 23:00 in Oslo."""
ALARM = MessageClass.ALARM


async def test_out_at_night_is_told_at_once_and_who_is_not_back_is_searched_for(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker, start=ELEVEN_PM) as town:
        home = await town.home()
        door = await town.fits(home, "door_sensor")
        await town.says(door, "went_out")
        night = await town.alert("door_at_night")
        assert (night["vkp_code"], night["severity"], night["resident_id"]) == ("4.15", 20, home.resident)
        assert await town.news() == ["Kari"]
        await town.says(door, "closed")
        assert (await town.timeline(night["uid"]))[-1] == "device_said"
        await town.done("Kari", night["uid"])

        await town.passes(minutes=9, seconds=54)
        assert len(await town.alerts()) == 1
        await town.passes(seconds=1)
        away = await town.alert("not_back")
        assert (away["vkp_code"], away["severity"], away["raised_at"] - away["occurred_at"]) == (
            "4.21",
            30,
            timedelta(minutes=10),
        )
        assert await town.news() == ["Kari"]


async def test_who_comes_back_by_the_back_door_is_not_searched_for(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=ELEVEN_PM) as town:
        home = await town.home()
        front, back = await town.fits(home, "door_sensor"), await town.fits(home, "door_sensor")
        for type_ in ("opened", "went_out", "closed"):
            await town.says(front, type_)
        await town.passes(minutes=8)
        await town.says(back, "came_in")
        await town.passes(hours=2)
        assert {each["condition"] for each in await town.alerts()} == {"door_at_night"}


async def test_a_door_by_day_is_nobodys_business(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        door = await town.fits(home, "door_sensor")
        for type_ in ("opened", "went_out", "closed", "opened", "came_in", "closed"):
            await town.says(door, type_)
            await town.passes(minutes=2)
        assert await town.rows("SELECT 1 FROM alert") == []


async def test_two_sensors_one_fire_and_whether_somebody_is_at_home(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, neighbour = await town.home(), await town.home()
        kitchen, hall, theirs, door = [
            await town.fits(each, kind)
            for each, kind in (
                (home, "fire_sensor"),
                (home, "fire_sensor"),
                (neighbour, "fire_sensor"),
                (home, "door_sensor"),
            )
        ]
        await town.says(door, "went_out")
        await town.passes(minutes=30)
        await town.says(door, "came_in")
        await town.says(kitchen, "smoke", message_class=ALARM)
        fire = await town.alert("fire")
        assert (fire["vkp_code"], fire["severity"], fire["dwelling_id"]) == ("4.11", 40, home.dwelling)
        assert await town.timeline(fire["uid"]) == ["raised", "step_reached", "home_occupied"]
        assert await town.news() == ["Kari"]

        await town.says(hall, "heat", temperature=62.5, message_class=ALARM)
        assert (await town.alert("fire"))["uid"] == fire["uid"], "one fire a dwelling"
        assert await town.news() == ["Kari"], "and new evidence pages again"
        await town.says(hall, "cleared")
        assert (await town.alert("fire"))["closed_at"] is None, "a person looks"
        assert (await town.timeline(fire["uid"]))[-1] == "device_said"

        await town.says(theirs, "smoke", message_class=ALARM)
        other = (await town.alerts("fire"))[-1]
        assert other["dwelling_id"] == neighbour.dwelling
        assert "home_occupied" not in await town.timeline(other["uid"]), "where no device knows, nothing is told"


async def test_a_fire_where_everybody_went_out(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        sensor, door = await town.fits(home, "fire_sensor"), await town.fits(home, "door_sensor")
        await town.says(door, "went_out")
        await town.says(sensor, "smoke", message_class=ALARM)
        assert "home_empty" in await town.timeline((await town.alert("fire"))["uid"])


async def test_a_test_of_the_fire_sensor_on_the_alarm_topic_is_no_fire(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        sensor = await town.fits(await town.home(), "fire_sensor")
        await town.says(sensor, "test", message_class=ALARM)
        await town.passes(hours=1)
        assert await town.rows("SELECT 1 FROM alert") == []


async def test_a_door_that_staff_left_unlocked(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        lock = await town.fits(await town.home(), "e_lock")
        await town.says(lock, "unlocked", method="app", by="staff-3")
        await town.passes(minutes=5)
        await town.says(lock, "locked", method="auto")
        await town.says(lock, "unlocked", method="button")
        await town.passes(minutes=30)
        assert await town.alerts() == []
        await town.says(lock, "locked", method="key")
        await town.says(lock, "unlocked", method="fob")
        await town.passes(minutes=10)
        left = await town.alert("left_unlocked")
        assert (left["vkp_code"], left["severity"]) == ("6", 20)
        await town.says(lock, "locked")
        assert (await town.timeline(left["uid"]))[-1] == "device_said"


async def test_a_lost_connection_is_told_and_over_when_it_is_back(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        lock = await town.fits(await town.home(), "e_lock")
        topic = f"hv/v1/{town.site}/e_lock/{lock.address.address}/status"
        await town.publishes(topic, b'{"online": false}', retain=True)
        await town.passes(minutes=9)
        await town.publishes(topic, b'{"online": true}', retain=True)
        await town.passes(minutes=9)
        assert await town.rows("SELECT 1 FROM alert") == []
        await town.publishes(topic, b'{"online": false}', retain=True)
        await town.passes(minutes=10)
        assert (await town.alert("disconnected", track="technical"))["closed_at"] is None
        await town.publishes(topic, b'{"online": true}', retain=True)
        assert (await town.alert("disconnected", track="technical"))["closed_at"] == town.now


async def test_an_empty_fall_alarm_is_a_resident_without_protection(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "battery_empty")
        care, technical = await town.alert("unprotected"), await town.alert("battery_empty", track="technical")
        assert (care["severity"], technical["severity"]) == (20, 30)
        assert sorted(await town.news()) == ["Kari", "Tek"]
