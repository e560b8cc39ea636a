"""Rules are data: set for a kind, a zone, a resident or a device – the nearest holds – and read when they change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from gateway.embedded import Broker
from tests.support.world import world

NINE = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
PRESSED = {
    "type": "immediate", "name": "button_pressed", "on": ["button_pressed"], "condition": "button_pressed",
    "vkp_code": "4.13", "severity": 30, "track": "care",
}  # fmt: skip


async def test_the_nearest_rule_of_a_name_holds(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, other = await town.home(), await town.home()

        async def pressed() -> list[int]:
            await town.passes(minutes=11)  # each press is the only one for a while
            await town.says(home.fall_alarm, "button_pressed")
            found = [each for each in await town.alerts() if each["closed_at"] is None]
            for each in found:
                await town.done("Kari", each["uid"])
            return [each["severity"] for each in found]

        assert await pressed() == [30]
        await town.rule("fall_alarm", {**PRESSED, "severity": 40}, zone_id=town.zones["Senter"])
        assert await pressed() == [40]
        await town.rule("fall_alarm", {**PRESSED, "severity": 20}, zone_id=town.zones["Kommune"])
        assert await pressed() == [20]
        await town.rule("fall_alarm", {**PRESSED, "severity": 10}, zone_id=town.zones["Sone"])
        assert await pressed() == [10]
        await town.rule("fall_alarm", {**PRESSED, "severity": 30}, resident_id=other.resident)
        await town.rule("fall_alarm", {**PRESSED, "severity": 40}, resident_id=home.resident)
        assert await pressed() == [40]
        await town.rule("fall_alarm", {**PRESSED, "severity": 20, "inform_on": ["worn"]}, device_id=home.fall_alarm.id)
        assert await pressed() == [20]


async def test_a_rule_that_is_switched_off_leaves_an_alarm_to_be_looked_at(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule("fall_alarm", {**PRESSED, "enabled": False}, device_id=home.fall_alarm.id)
        await town.says(home.fall_alarm, "button_pressed", message_class="event")
        assert await town.alerts() == []
        await town.says(home.fall_alarm, "button_pressed")
        assert (await town.alert())["condition"] == "uninterpretable_alarm"


async def test_a_dose_may_have_a_grace_of_its_own(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        home = await town.home(doses=[time(10)])
        await town.rows("UPDATE dose_schedule SET grace_seconds = 300")
        await town.rows("DELETE FROM watch WHERE key LIKE 'dose:%%'")
        await town.rows("UPDATE dose_schedule SET watched_until = %s", town.now)
        await town.passes(minutes=64)
        assert await town.alerts() == []
        await town.passes(minutes=1)
        assert (await town.alert())["resident_id"] == home.resident


async def test_a_rule_that_nobody_can_read_stops_no_other(migrated_url: str, broker: Broker) -> None:
    """A newer version of ours may have written it, or a hand."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.rule("fall_alarm", {"type": "of_tomorrow", "name": "button_pressed"}, zone_id=town.zones["Sone"])
        await town.says(home.fall_alarm, "fall")
        assert (await town.alert())["condition"] == "fall"
        assert await town.news() == ["Kari"]
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]


async def test_what_a_rule_that_nobody_can_read_waits_for_is_not_forgotten(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE) as town:
        home = await town.home(doses=[time(10)])
        (sound,) = await town.rows("SELECT rule_id FROM watch WHERE key LIKE 'dose:%%'")
        await town.rows("UPDATE rule SET version = 2 WHERE id = %s", sound["rule_id"])
        await town.rows(
            """INSERT INTO rule_version (rule_id, version, spec, created_at)
               VALUES (%s, 2, '{"type": "of_tomorrow"}', %s)""",
            sound["rule_id"],
            town.now,
        )
        await town.passes(hours=2, minutes=30)
        assert await town.alerts() == []
        await town.rows(
            """INSERT INTO rule_version (rule_id, version, spec, created_at)
               SELECT rule_id, 3, spec, created_at FROM rule_version WHERE rule_id = %s AND version = 1""",
            sound["rule_id"],
        )
        await town.rows("UPDATE rule SET version = 3 WHERE id = %s", sound["rule_id"])
        await town.passes(minutes=5)
        assert (await town.alert("dose_missed"))["resident_id"] == home.resident


async def test_policies_that_nobody_can_read_do_not_silence_an_alert(migrated_url: str, broker: Broker) -> None:
    """Neither those that a new alert would freeze, nor the one that an alert has frozen: a default takes their place."""
    async with world(migrated_url, broker) as town:
        first, second = await town.home(), await town.home()
        await town.says(first.fall_alarm, "fall")
        spoilt = """jsonb_set({}, '{{steps}}', '[{{"target": "the_moon", "wait_seconds": 60}}]')"""
        await town.rows(f"UPDATE alert SET policy = {spoilt.format('policy')}")
        await town.rows(f"UPDATE policy_version SET spec = {spoilt.format('spec')}")
        await town.rows("INSERT INTO policy_version (policy_id, version, spec, created_at) "
                        "SELECT id, 2, spec, created_at FROM policy_version")  # fmt: skip
        await town.rows("UPDATE policy SET version = 2")
        assert await town.news() == ["Kari"]
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]
        await town.says(second.fall_alarm, "fall")
        assert await town.news() == ["Kari"]


async def test_a_device_of_a_kind_from_another_release_holds_up_nobody(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, strange = await town.home(silent_after=timedelta(minutes=30)), await town.home()
        await town.rows("UPDATE device SET kind = 'of_tomorrow' WHERE id = %s", strange.fall_alarm.id)
        await town.says(home.fall_alarm, "fall")
        await town.passes(hours=1)
        assert (await town.alert("fall"))["exhausted_at"] is not None
        assert len(await town.alerts("device_silent", track="technical")) == 2
