"""The medicine dispenser: what it says, and above all what it does not say."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from devices.kinds import kinds
from gateway.embedded import Broker
from tests.support.world import World, world

WEEK = 7 * 24 * 3600
"""A site may be deaf that long in these stories, so that their days pass in few steps."""
NINE = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
"""Tuesday, 09:00 in Oslo."""


async def test_whatever_a_dispenser_says_raises_its_code_on_its_track(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        rules = [each for each in kinds()["medicine_dispenser"].default_rules if each["type"] == "immediate"]
        said = sorted({event for rule in rules for event in rule["on"]})
        for event in said:
            home = await town.home()
            await town.says(home.dispenser, event)
            raised = await town.rows("SELECT * FROM alert WHERE resident_id = %s", home.resident)
            told = {(each["condition"], each["vkp_code"], each["severity"], each["track"]) for each in raised}
            assert told == {
                (rule["condition"], rule["vkp_code"], rule["severity"], rule["track"])
                for rule in rules
                if event in rule["on"]
            }
            assert len(raised) == len(told)
        codes = {rule["condition"]: rule["vkp_code"] for rule in rules}
        technical = {
            "battery_low": "1.17", "battery_empty": "1.18", "left_open": "1.21", "fault": "1.5", "needs_repair": "1.5",
            "tamper": None, "end_of_life": None,
        }  # fmt: skip
        care = {
            "dose_missed": "1.3", "dose_not_dispensed": "1.1", "no_medicine": "1.2", "technical_stop": "1.5",
            "bag_unreadable": "1.6", "roll_fault": "1.7", "jam": "1.8", "tray_full": "1.9", "low_stock": "1.12",
            "empty": "1.13", "break_in": "1.22",
        }  # fmt: skip
        assert codes == {**care, **technical}
        assert {each["condition"] for each in await town.alerts()} == care.keys()
        assert {each["condition"] for each in await town.alerts(track="technical")} == technical.keys()
        before = len(await town.rows("SELECT 1 FROM alert"))
        for harmless in sorted(kinds()["medicine_dispenser"].harmless):
            await town.says(
                (await town.home()).dispenser, harmless, **({"online": True} if harmless == "presence" else {})
            )
        assert len(await town.rows("SELECT 1 FROM alert")) == before


async def test_a_stopped_dispenser_is_the_care_workers_and_the_technicians(migrated_url: str, broker: Broker) -> None:
    """Somebody has to bring the medicine, and somebody to mend the machine; neither waits for the other."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.dispenser, "jam")
        assert sorted(await town.news()) == ["Kari", "Tek"]
        await town.says(home.dispenser, "technical_stop")
        assert {each["condition"] for each in await town.alerts()} == {"jam", "technical_stop"}
        repair = await town.alert("needs_repair", track="technical")
        assert len(await town.entries(repair["uid"], "evidence_joined")) == 1
        for each in await town.alerts():
            await town.done("Kari", each["uid"])
        assert (await town.alert("needs_repair", track="technical"))["closed_at"] is None


async def test_a_short_power_cut_wakes_nobody(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.dispenser, "mains_off")
        await town.passes(seconds=50)
        await town.says(home.dispenser, "mains_on")
        await town.passes(hours=1)
        assert await town.rows("SELECT 1 FROM alert") == []
        await town.says(home.dispenser, "mains_off")
        await town.passes(seconds=60)
        cut = await town.alert("mains_off", track="technical")
        assert (cut["vkp_code"], cut["closed_at"]) == ("1.19", None)
        await town.says(home.dispenser, "mains_on")
        assert (await town.alert("mains_off", track="technical"))["closed_at"] == town.now


async def test_a_dispenser_that_says_nothing_raises_one_missed_dose(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        home = await town.home(doses=[time(10)])
        await town.passes(hours=1, minutes=59)
        assert await town.alerts() == []
        await town.passes(minutes=1)
        missed = await town.alert("dose_missed")
        assert (missed["vkp_code"], missed["severity"], missed["resident_id"]) == ("1.3", 30, home.resident)
        assert (missed["occurred_at"], missed["raised_at"]) == (NINE + timedelta(hours=1), NINE + timedelta(hours=2))
        assert await town.news() == ["Kari"]
        (raised,) = await town.entries(missed["uid"], "raised")
        assert raised["evidence"]["type"] == "nothing_said"
        await town.done("Kari", missed["uid"])
        await town.passes(hours=20)
        assert len(await town.alerts()) == 1
        assert await town.news() == []


async def test_a_dose_that_was_confirmed_raises_nothing(migrated_url: str, broker: Broker) -> None:
    """A home for each way to confirm: when it happened and when it was heard, in minutes after nine; the dose is at 60."""
    ways = [(said, *when) for said in ("dose_dispensed", "dose_taken") for when in (
        (50, 50), (60, 60), (65, 65), (119, 119), (5, 5), (70, 90), (50, 75), (100, 119)
    )]  # fmt: skip
    async with world(migrated_url, broker, start=NINE, deaf_seconds=WEEK) as town:
        homes = [await town.home(doses=[time(10)]) for _ in ways]
        silent = await town.home(doses=[time(10)])
        for heard, happened, said, home in sorted(
            (heard, happened, said, home.dispenser.id)
            for (said, happened, heard), home in zip(ways, homes, strict=True)
        ):
            await town.passes(minutes=heard - (town.now - NINE) / timedelta(minutes=1))
            device = next(each.dispenser for each in homes if each.dispenser.id == home)
            await town.says(device, said, at=NINE + timedelta(minutes=happened))
        await town.passes(minutes=1)
        assert [each["resident_id"] for each in await town.alerts()] == [silent.resident]


async def test_a_dose_of_yesterday_does_not_stand_for_the_dose_of_today(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE, deaf_seconds=WEEK) as town:
        home = await town.home(doses=[time(10)])
        await town.passes(minutes=65)
        await town.says(home.dispenser, "dose_dispensed")
        await town.says(home.dispenser, "dose_taken")
        await town.passes(hours=23, minutes=114)
        assert await town.alerts() == []
        await town.passes(minutes=1)
        missed = await town.alert("dose_missed")
        assert missed["occurred_at"] == NINE + timedelta(days=1, hours=1)


async def test_a_dose_the_dispenser_itself_calls_missed_is_one_alert(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE, deaf_seconds=WEEK) as town:
        home = await town.home(doses=[time(10)])
        await town.passes(minutes=90)
        await town.says(home.dispenser, "dose_missed", dose_at="2026-03-03T10:00:00+01:00")
        missed = await town.alert("dose_missed")
        assert await town.news() == ["Kari"]
        await town.answers("Kari", missed["uid"], "arrived")
        await town.passes(minutes=45)  # the time at which silence would have raised it
        await town.done("Kari", missed["uid"])
        await town.passes(hours=20)
        assert len(await town.alerts()) == 1
        assert await town.news() == []


async def test_a_word_that_comes_too_late_is_told_once_and_clears_nothing(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        home = await town.home(doses=[time(10)])
        await town.passes(hours=2)
        missed = await town.alert("dose_missed")
        assert await town.news() == ["Kari"]
        await town.says(home.dispenser, "dose_taken", at=NINE + timedelta(minutes=70))
        told = await town.entries(missed["uid"], "device_said")
        assert [each["evidence"]["type"] for each in told] == ["dose_taken"]
        assert (await town.alert())["stage"] == "open"
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]


async def test_two_doses_a_day_are_two(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE, deaf_seconds=WEEK) as town:
        home = await town.home(doses=[time(10), time(20)])
        await town.passes(hours=1)
        await town.says(home.dispenser, "dose_taken")
        await town.passes(hours=10, minutes=59)
        assert await town.alerts() == []
        await town.passes(minutes=1)
        evening = await town.alert()
        assert evening["occurred_at"] == NINE + timedelta(hours=11)

        await town.done("Kari", evening["uid"])
        await _until(town, NINE + timedelta(days=1, hours=2))
        second = (await town.alerts())[1]
        assert second["occurred_at"] == NINE + timedelta(days=1, hours=1)


async def test_weekdays(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE, deaf_seconds=WEEK) as town:
        await town.home(doses=[time(10)], weekdays=(2, 5))  # Wednesdays and Saturdays
        raised: list[Any] = []
        for day in range(7):
            await _until(town, NINE + timedelta(days=day, hours=2))
            for each in await _open(town):
                raised.append(each["occurred_at"])
                await town.done("Kari", each["uid"])
        assert raised == [datetime(2026, 3, 4, 9, tzinfo=UTC), datetime(2026, 3, 7, 9, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("noon", "morning", "night"),
    [
        # The clock goes from 02 to 03: half past two is half past three. Then 08:00 comes an hour earlier in UTC.
        (datetime(2026, 3, 28, 11, tzinfo=UTC), ["29T06:00", "30T06:00"], ["29T01:30", "30T00:30"]),
        # The clock goes from 03 to 02: half past two comes twice, and the dose once, the first time.
        (datetime(2026, 10, 24, 10, tzinfo=UTC), ["25T07:00", "26T07:00"], ["25T00:30", "26T01:30"]),
    ],
    ids=["spring", "autumn"],
)
async def test_doses_are_planned_in_local_time(
    migrated_url: str, broker: Broker, noon: datetime, morning: list[str], night: list[str]
) -> None:
    async with world(migrated_url, broker, start=noon, deaf_seconds=WEEK) as town:
        early = await town.home(doses=[time(2, 30)])
        late = await town.home(doses=[time(8)])
        raised: dict[int, list[str]] = {early.resident: [], late.resident: []}
        for hour in range(1, 48):
            await _until(town, noon + timedelta(hours=hour, minutes=30 * (hour % 24 in (13, 14, 15))))
            for each in await _open(town):
                raised[each["resident_id"]].append(f"{each['occurred_at']:%dT%H:%M}")
                assert each["raised_at"] == each["occurred_at"] + timedelta(hours=1)
                await town.done("Kari", each["uid"])
        assert raised == {early.resident: night, late.resident: morning}


async def _open(town: World) -> list[dict[str, Any]]:
    return [each for each in await town.alerts() if each["closed_at"] is None]


async def _until(town: World, moment: datetime) -> None:
    if moment > town.now:
        await town.passes(seconds=(moment - town.now).total_seconds())
