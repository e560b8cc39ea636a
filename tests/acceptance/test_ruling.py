"""Rules that people set: what waits follows at once, whichever way they are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from gateway import controlled
from gateway.embedded import Broker
from gateway.errors import NotAllowed
from tests.support.rules import own, previews, sets, withdraws
from tests.support.world import World, world

DISPENSER, DOOR = "medicine_dispenser", "door_sensor"
NINE = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
HOUR = 3600
DOSE = "dose_unconfirmed"


async def conditions(town: World) -> list[str]:
    return [each["condition"] for each in await town.alerts()]


async def test_a_longer_grace_moves_a_dose_that_is_waited_for(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        await town.home(doses=[time(10)])
        await town.passes(minutes=90)
        await sets(town, "Siri", DISPENSER, own(DISPENSER, DOSE, grace_seconds=2 * HOUR), zone=town.zones["Sone"])
        await town.passes(minutes=89)
        assert await conditions(town) == []
        await town.passes(minutes=1)
        assert (await town.alert("dose_missed"))["raised_at"] == datetime(2026, 3, 3, 11, 0, tzinfo=UTC)


async def test_a_shorter_grace_raises_at_once_what_is_late_already(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        home, other = await town.home(doses=[time(10)]), await town.home(doses=[time(10)])
        await town.passes(minutes=80)
        short = own(DISPENSER, DOSE, grace_seconds=15 * 60)
        await sets(town, "Siri", DISPENSER, short, resident=home.resident)
        await controlled.settle(town.gateway)
        assert (await town.alert("dose_missed"))["resident_id"] == home.resident
        assert await town.news() == ["Kari"]
        await town.passes(minutes=40)
        assert [each["resident_id"] for each in await town.alerts("dose_missed")] == [home.resident, other.resident]


async def test_a_rule_that_is_switched_off_waits_for_nothing_and_takes_up_again_when_it_is_on(
    migrated_url: str, broker: Broker
) -> None:
    """Off at 9, on at 10:30: the dose of 10 is missed at 11, and so is the one of the day after."""
    async with world(migrated_url, broker, start=NINE) as town:
        await town.home(doses=[time(10)])
        off = await sets(town, "Siri", DISPENSER, own(DISPENSER, DOSE, enabled=False), zone=town.zones["Sone"])
        await town.passes(minutes=90)
        assert await town.rows("SELECT 1 FROM watch WHERE key LIKE 'dose:%%' AND due_at IS NOT NULL") == []
        await sets(town, "Siri", DISPENSER, own(DISPENSER, DOSE), version=off.version, zone=town.zones["Sone"])
        await town.passes(minutes=29)
        assert await conditions(town) == []
        await town.passes(minutes=1)
        await town.done("Kari", (await town.alert("dose_missed"))["uid"])
        await town.passes(hours=24)
        assert len(await town.alerts("dose_missed")) == 2


async def test_a_rule_that_was_off_for_a_day_waits_for_the_very_next_dose(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        await town.home(doses=[time(10)])
        off = await sets(town, "Siri", DISPENSER, own(DISPENSER, DOSE, enabled=False), zone=town.zones["Sone"])
        await town.passes(hours=23)
        assert await conditions(town) == []
        await withdraws(town, "Siri", off)
        await town.passes(hours=3)
        (missed,) = await town.alerts("dose_missed")
        assert missed["raised_at"] == datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


async def test_a_dose_that_was_given_while_the_rule_was_off_is_not_missed(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        home = await town.home(doses=[time(10)])
        await town.passes(minutes=65)
        off = await sets(town, "Siri", DISPENSER, own(DISPENSER, DOSE, enabled=False), zone=town.zones["Sone"])
        await town.passes(minutes=5)
        await town.says(home.dispenser, "dose_taken")
        await town.passes(minutes=5)
        await withdraws(town, "Siri", off)
        await town.passes(hours=3)
        assert await conditions(town) == []


async def test_a_door_that_stands_open_is_waited_for_by_the_rule_as_it_is(migrated_url: str, broker: Broker) -> None:
    """Open at noon; the rule off and on again, then withdrawn: five minutes count from the opening throughout."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        door = await town.fits(home, DOOR)
        await town.says(door, "opened")
        off = await sets(town, "Siri", DOOR, own(DOOR, "left_open", enabled=False), device=door.id)
        await town.passes(minutes=10)
        assert await conditions(town) == []
        long = own(DOOR, "left_open", for_seconds=30 * 60)
        on = await sets(town, "Siri", DOOR, long, version=off.version, device=door.id)
        await town.passes(minutes=10)
        assert await conditions(town) == []
        await withdraws(town, "Siri", on)
        await controlled.settle(town.gateway)
        assert (await town.alert("left_open"))["vkp_code"] == "4.15"


async def test_a_door_that_was_closed_while_the_rule_was_off_stands_open_no_more(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        door = await town.fits(home, DOOR)
        await town.says(door, "opened")
        off = await sets(town, "Siri", DOOR, own(DOOR, "left_open", enabled=False), device=door.id)
        await town.passes(minutes=2)
        await town.says(door, "closed")
        await withdraws(town, "Siri", off)
        await town.passes(hours=1)
        assert await conditions(town) == []


async def test_who_came_home_while_the_rule_was_off_is_out_no_more(migrated_url: str, broker: Broker) -> None:
    """The rule names its own kind's word with the kind."""
    night = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
    async with world(migrated_url, broker, start=night) as town:
        home = await town.home()
        door = await town.fits(home, DOOR)
        out = own(DOOR, "not_back", unless=["door_sensor/came_in"])
        on = await sets(town, "Siri", DOOR, out, device=door.id)
        await town.says(door, "went_out")
        off = await sets(town, "Siri", DOOR, {**out, "enabled": False}, version=on.version, device=door.id)
        await town.passes(minutes=2)
        await town.says(door, "came_in")
        await sets(town, "Siri", DOOR, out, version=off.version, device=door.id)
        await town.passes(hours=1)
        assert "not_back" not in await conditions(town)


async def test_the_next_nearest_applies_when_one_is_withdrawn(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()

        async def pressed() -> int:
            await town.says(home.fall_alarm, "button_pressed")
            (found,) = [each for each in await town.alerts() if each["closed_at"] is None]
            await town.done("Kari", found["uid"])
            return int(found["severity"])

        await town.person("Ada", "admin", "Senter")
        press = own("fall_alarm", "button_pressed")
        await sets(town, "Ada", "fall_alarm", {**press, "severity": 40}, zone=town.zones["Kommune"])
        nearer = await sets(town, "Siri", "fall_alarm", {**press, "severity": 20}, device=home.fall_alarm.id)
        assert await pressed() == 20
        gone = await withdraws(town, "Siri", nearer)
        assert (gone.withdrawn, gone.version) == (True, 2)
        await town.passes(hours=3)
        assert await pressed() == 40
        again = await sets(town, "Siri", "fall_alarm", {**press, "severity": 10}, device=home.fall_alarm.id)
        assert (again.id, again.version) == (nearer.id, 3)
        await town.passes(hours=3)
        assert await pressed() == 10


async def test_silence_is_watched_again_when_its_rule_is_on_again(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rows("UPDATE device SET silent_after_seconds = 3600 WHERE id = %s", home.fall_alarm.id)
        await town.says(home.fall_alarm, "heartbeat", message_class="status")
        silence = own("fall_alarm", "device_silent", enabled=False)
        off = await sets(town, "Tek", "fall_alarm", silence, zone=town.zones["Kommune"])
        await town.passes(hours=5)
        assert await town.alerts(track="technical") == []
        await withdraws(town, "Tek", off)
        await town.passes(hours=2)
        assert (await town.alert("device_silent", track="technical"))["device_id"] == home.fall_alarm.id


WANDERS = {
    "type": "immediate", "name": "wanders", "condition": "wanders", "vkp_code": None, "severity": 30, "track": "care",
    "on": ["went_out"],
}  # fmt: skip


async def test_who_looks_after_devices_takes_no_care_rule_away(migrated_url: str, broker: Broker) -> None:
    """Neither by switching it off nor by making one of its name that is technical."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        door = await town.fits(home, DOOR)
        await sets(town, "Siri", DOOR, WANDERS, zone=town.zones["Sone"])
        for change in ({"enabled": False}, {"enabled": False, "track": "technical"}):
            with pytest.raises(NotAllowed):
                await sets(town, "Tek", DOOR, {**WANDERS, **change}, device=door.id)


async def test_a_lead_does_not_let_critical_care_down_by_withdrawing_what_holds_it_up(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.person("Adm", "admin", "Senter")
        await sets(town, "Adm", "fall_alarm", own("fall_alarm", "fall", enabled=False), zone=town.zones["Kommune"])
        on = await sets(town, "Adm", "fall_alarm", own("fall_alarm", "fall"), resident=home.resident)
        with pytest.raises(NotAllowed):
            await withdraws(town, "Siri", on)
        assert (await withdraws(town, "Adm", on)).withdrawn


async def test_a_rule_waits_in_one_way_only(migrated_url: str, broker: Broker) -> None:
    """From "by eleven" to "after": what waited the one way is let go, and the other way waits from then on."""
    by = {**own("fall_alarm", "not_put_on"), "enabled": True}
    after = {**by, "by": None, "after": ["not_worn"], "within_seconds": 600}
    async with world(migrated_url, broker) as town:
        home = await town.home()
        first = await sets(town, "Siri", "fall_alarm", by, zone=town.zones["Sone"])
        await town.passes(minutes=1)
        await sets(town, "Siri", "fall_alarm", after, version=first.version, zone=town.zones["Sone"])
        await town.passes(minutes=1)
        await town.says(home.fall_alarm, "not_worn")
        await town.passes(hours=30)
        assert (await conditions(town)).count("not_put_on") == 1
        assert await town.alerts("rule_failed", track="technical") == []


async def test_a_preview_reads_nothing_out_of_a_home_that_its_asker_may_not_set(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.fits(home, DOOR)
        with pytest.raises(NotAllowed):
            await previews(town, "Tek", DOOR, WANDERS, resident=home.resident)
        assert (await previews(town, "Siri", DOOR, WANDERS, resident=home.resident)).after == 0
