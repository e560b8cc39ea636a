"""Silence: a device that gives no sign of life, and a site that cannot be heard – which says nothing of any device."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from gateway.embedded import Broker
from tests.support.world import world

NINE = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
"""Tuesday, 09:00 in Oslo."""
A_DAY = 24 * 3600


async def test_a_silent_device_is_a_technical_alert_that_clears_itself(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home(silent_after=timedelta(minutes=30))
        await town.passes(minutes=20)
        await town.says(home.fall_alarm, "heartbeat", message_class="status", battery=80.0)
        await town.publishes(f"hv/v1/{town.site}/medicine_dispenser/{home.dispenser.address.address}/status", b"{}")
        await town.passes(minutes=29)
        assert await town.alerts(track="technical") == []  # what cannot be read is a sign of life as well
        await town.passes(minutes=1)
        silent = await town.alerts("device_silent", track="technical")
        assert {(each["severity"], each["vkp_code"]) for each in silent} == {(30, "1.20"), (30, None)}
        assert {each["device_id"] for each in silent} == {home.fall_alarm.id, home.dispenser.id}
        assert await town.news() == ["Tek", "Tek"]

        # A last will is the broker's word and no sign of life; a heartbeat is.
        will = f"hv/v1/{town.site}/fall_alarm/{home.fall_alarm.address.address}/status"
        await town.publishes(will, b'{"online": false}')
        await town.passes(minutes=2)
        assert {each["stage"] for each in await town.alerts(track="technical")} == {"open"}
        await town.says(home.fall_alarm, "heartbeat", message_class="status")
        await town.passes(minutes=1)
        after = {each["device_id"]: each["stage"] for each in await town.alerts(track="technical")}
        assert after == {home.fall_alarm.id: "closed", home.dispenser.id: "open"}
        back = next(each for each in silent if each["device_id"] == home.fall_alarm.id)
        assert (await town.timeline(back["uid"]))[-2:] == ["cleared", "closed"]

        # Silent again: a new alert, one contract after the last sign of life.
        await town.passes(minutes=28)
        assert len(await town.alerts(track="technical")) == 2
        await town.passes(minutes=1)
        assert len(await town.alerts(track="technical")) == 3
        assert await town.alerts() == []


async def test_heartbeats_keep_the_alert_away(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home(silent_after=timedelta(minutes=30))
        for _ in range(6):
            await town.passes(minutes=29)
            for device in (home.fall_alarm, home.dispenser):
                await town.says(device, "heartbeat", message_class="status")
        assert await town.alerts(track="technical") == []
        assert await town.news() == []


async def test_a_site_that_is_not_heard_is_one_incident_and_no_missed_dose(
    migrated_url: str, own_broker: Broker
) -> None:
    async with world(migrated_url, own_broker, start=NINE, deaf_seconds=300, settle_seconds=60) as town:
        kept, missed = [await town.home(doses=[time(10)], silent_after=timedelta(hours=3)) for _ in range(2)]
        await town.passes(minutes=50)
        await town.says(kept.fall_alarm, "fall")
        assert await town.news() == ["Kari"]

        await town.broker_stops()
        await town.passes(minutes=4)
        fall = await town.alert("fall")
        assert await town.news() == ["Kari", "Ola", "Siri"]  # escalation does not wait for the broker
        assert await town.alerts(track="technical") == []
        await town.passes(minutes=2)
        deaf = await town.alert("site_deaf", track="technical")
        assert sorted(await town.news()) == ["Tek", "Vakt"]
        assert "deaf" in (await town.health())[1]
        await town.answers("Vakt", fall["uid"], "claim")
        await town.done("Vakt", fall["uid"])
        await town.answers("Tek", deaf["uid"], "claim")

        # The doses of ten o'clock and all contracts pass unheard: nothing is said of them.
        await town.passes(hours=3)
        assert [each["condition"] for each in await town.alerts()] == ["fall"]
        assert len(await town.alerts(track="technical")) == 1
        assert await town.news() == []

        # Back. One dispenser kept its word for us and sends it while the site settles; the other has nothing to say.
        await town.broker_starts()
        await town.passes(seconds=30)
        await town.says(kept.dispenser, "dose_taken", at=NINE + timedelta(hours=1, minutes=5))
        assert await town.news() == []
        await town.passes(seconds=30)
        assert (await town.alert(track="technical"))["stage"] == "closed"
        found = await town.alert("dose_missed")
        assert (found["resident_id"], found["occurred_at"]) == (missed.resident, NINE + timedelta(hours=1))
        assert await town.news() == ["Kari"]
        assert "deaf" not in (await town.health())[1]
        await town.done("Kari", found["uid"])

        # What we could not hear is not held against a device: the contract goes on where hearing stopped.
        await town.passes(hours=2, minutes=5)
        assert len(await town.alerts(track="technical")) == 1
        await town.passes(minutes=10)
        silent = {each["device_id"] for each in await town.alerts("device_silent", track="technical")}
        assert silent == {missed.fall_alarm.id, missed.dispenser.id}
