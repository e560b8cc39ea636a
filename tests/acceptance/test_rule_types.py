"""The rule types at work: real messages, real watches, a clock that jumps – and two devices of one home."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gateway.embedded import Broker
from tests.support.world import World, world

LEFT_OPEN = {
    "type": "state", "name": "door_left_open", "enters": ["door_opened"], "leaves": ["door_closed"], "for_seconds": 300,
    "condition": "left_open", "vkp_code": "4.15", "severity": 20, "track": "care",
}  # fmt: skip
NOT_BACK = {
    "type": "compound", "name": "not_back", "on": ["door_opened"], "unless": ["door_opened", "fall_alarm/worn"],
    "within_seconds": 600, "condition": "not_back", "vkp_code": "4.21", "severity": 30, "track": "care",
}  # fmt: skip
THIRD_PRESS = {
    "type": "repeat", "name": "pressed_again", "on": ["button_pressed"], "count": 3, "within_seconds": 600,
    "condition": "button_pressed", "vkp_code": "4.13", "severity": 40, "track": "care",
}  # fmt: skip
LOW = {
    "type": "threshold", "name": "battery", "on": ["heartbeat"], "field": "battery", "below": 20, "clear_at": 30,
    "condition": "battery_low", "vkp_code": None, "severity": 20, "track": "technical",
}  # fmt: skip


async def open_conditions(town: World) -> list[tuple[str, int]]:
    every = await town.rows("SELECT condition, severity FROM alert WHERE closed_at IS NULL ORDER BY id")
    return [(each["condition"], each["severity"]) for each in every]


async def test_a_door_left_open_is_raised_after_its_time_and_a_restart_changes_nothing(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        lock = await town.fits(home, "e_lock")
        await town.rule("e_lock", LEFT_OPEN, zone_id=town.zones["Senter"])
        await town.says(lock, "door_opened")
        (watch,) = await town.rows("SELECT * FROM watch WHERE key LIKE 'state:door_left_open%%'")
        assert (watch["due_at"] - town.now, watch["dwelling_id"]) == (timedelta(minutes=5), home.dwelling)
        await town.passes(minutes=4, seconds=59)
        assert await town.alerts() == []
        await town.passes(seconds=1)
        alert = await town.alert("left_open")
        assert (alert["vkp_code"], alert["severity"], alert["occurred_at"]) == (
            "4.15",
            20,
            town.now - timedelta(minutes=5),
        )
        assert (alert["raised_at"], alert["late_seconds"]) == (town.now, 0)
        assert await town.news() == ["Kari"]
        await town.says(lock, "door_closed")
        assert (await town.timeline(alert["uid"]))[-1] == "device_said"
        assert await town.news() == []


async def test_out_and_not_back_and_another_device_that_sees_them_come_back(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, other = await town.home(), await town.home()
        lock = await town.fits(home, "e_lock")
        await town.rule("e_lock", NOT_BACK, resident_id=home.resident)
        await town.says(lock, "door_opened")
        await town.says(other.fall_alarm, "worn")
        await town.passes(minutes=5)
        await town.says(home.fall_alarm, "worn")
        await town.passes(minutes=30)
        assert await town.alerts("not_back") == [], "seen at home by the alarm that was put on"

        await town.says(lock, "door_opened")
        await town.says(other.fall_alarm, "worn")
        await town.passes(minutes=10)
        alert = await town.alert("not_back")
        assert (alert["vkp_code"], alert["severity"], alert["resident_id"]) == ("4.21", 30, home.resident)
        await town.says(home.fall_alarm, "worn", settle=False)
        await town.says(lock, "door_opened")
        assert (await town.timeline(alert["uid"])).count("device_said") == 1, "back: told once, and then out again"


async def test_both_doors_at_once_are_one_batch(migrated_url: str, broker: Broker) -> None:
    """Words of several devices in one transaction, each judged with what the one before left."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        front, back = await town.fits(home, "e_lock"), await town.fits(home, "e_lock")
        await town.rule("e_lock", NOT_BACK, resident_id=home.resident)
        for second in range(20):
            await town.says(front if second % 2 else back, "door_opened", settle=False, at=town.now)
        await town.says(front, "door_opened")
        waiting = await town.rows("SELECT key FROM watch WHERE key LIKE 'compound:%%' AND due_at IS NOT NULL")
        assert len(waiting) == 1, "out by one door, in by the other, ten times, and then out"
        await town.passes(minutes=10)
        assert len(await town.alerts("not_back")) == 1


async def test_the_third_press_within_ten_minutes_raises_severity_and_calls_more(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule("fall_alarm", THIRD_PRESS, zone_id=town.zones["Sone"])
        await town.says(home.fall_alarm, "button_pressed")
        assert await town.news() == ["Kari"]
        press = await town.alert("button_pressed")
        await town.answers("Kari", press["uid"], "claim")
        await town.passes(minutes=4)
        await town.says(home.fall_alarm, "button_pressed")
        assert await town.news() == ["Kari"]
        await town.answers("Kari", press["uid"], "claim")
        await town.passes(minutes=4)
        await town.says(home.fall_alarm, "button_pressed")
        assert sorted(await town.news()) == ["Kari", "Ola"], "whoever has it, and the others at once"
        assert await open_conditions(town) == [("button_pressed", 40)]
        (told,) = await town.entries(press["uid"], "repeated")
        assert (told["times"], told["severity"]) == (3, 40)
        assert told["evidence"]["type"] == "button_pressed"


async def test_presses_that_were_judged_harmless_one_by_one_weigh_together(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule("fall_alarm", THIRD_PRESS, zone_id=town.zones["Sone"])
        for _ in range(2):
            await town.says(home.fall_alarm, "button_pressed")
            assert await town.news() == ["Kari"]
            await town.done("Kari", (await town.alerts("button_pressed"))[-1]["uid"])
            await town.passes(minutes=3)
        await town.says(home.fall_alarm, "button_pressed")
        assert sorted(await town.news()) == ["Kari", "Kari", "Ola"], "the first step, and the second at once"
        assert await open_conditions(town) == [("button_pressed", 40)]


async def test_a_battery_is_raised_once_and_over_when_it_was_changed(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule("fall_alarm", LOW, zone_id=town.zones["Sone"])

        async def reports(battery: int) -> list[str]:
            await town.says(home.fall_alarm, "heartbeat", message_class="status", battery=battery)
            return [condition for condition, _ in await open_conditions(town)]

        assert [await reports(each) for each in (80, 25, 19, 21, 18)] == [[], [], *[["battery_low"]] * 3]
        (alert,) = await town.alerts("battery_low", track="technical")
        assert (await town.timeline(alert["uid"])).count("evidence_joined") == 0
        assert await reports(95) == []
        assert await reports(10) == ["battery_low"]


async def test_a_good_battery_writes_no_watch(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule("fall_alarm", LOW, zone_id=town.zones["Sone"])
        await town.says(home.fall_alarm, "heartbeat", message_class="status", battery=90)
        assert await town.rows("SELECT key FROM watch WHERE key LIKE 'threshold:%%'") == []


async def test_smoke_and_somebody_at_home_is_told_on_the_alert(migrated_url: str, broker: Broker) -> None:
    """The home's last words are kept, the newest whatever the order in which they come."""
    falls: dict[str, Any] = {
        "type": "compound", "name": "fall_while_out", "on": ["fall"], "condition": "fall", "vkp_code": None, "severity": 40,
        "track": "care", "tells": "home_occupied",
        "given": [{"of": ["e_lock/locked", "e_lock/unlocked"], "is_one_of": ["e_lock/unlocked"]}],
    }  # fmt: skip
    async with world(migrated_url, broker) as town:
        home, other = await town.home(), await town.home()
        lock = await town.fits(home, "e_lock")
        await town.rule("fall_alarm", falls, zone_id=town.zones["Sone"])
        await town.says(lock, "unlocked")
        await town.says(lock, "locked", at=town.now - timedelta(minutes=9))
        await town.says(other.fall_alarm, "fall")
        assert "home_occupied" not in await town.timeline((await town.alert("fall"))["uid"])
        await town.says(home.fall_alarm, "fall")
        alert = (await town.alerts("fall"))[-1]
        assert await town.timeline(alert["uid"]) == ["raised", "step_reached", "home_occupied"]


async def test_a_watch_of_two_lanes_is_begun_once(migrated_url: str, broker: Broker) -> None:
    """Presses on the alarm topic and on the event topic at the same moment: none is forgotten."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule("fall_alarm", {**THIRD_PRESS, "count": 24}, zone_id=town.zones["Sone"])
        for number in range(24):
            lane = "alarm" if number % 2 else "event"
            await town.says(home.fall_alarm, "button_pressed", message_class=lane, settle=False)
        await town.says(home.fall_alarm, "worn")
        (watch,) = await town.rows("SELECT facts FROM watch WHERE key LIKE 'repeat:%%'")
        assert len(watch["facts"]["times"]) == 24
        assert await open_conditions(town) == [("button_pressed", 40)]
