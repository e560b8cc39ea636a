"""Messages as they really come: retained, doubled, late, from the future, with an old id, from a device that has moved."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import uuid4

from gateway import controlled
from gateway.app import TELEMETRY
from gateway.clock import pause
from gateway.embedded import Broker
from gateway.store import devices
from tests.support.town import Device, Home
from tests.support.world import World, world


async def _flags(town: World, device: Device) -> list[list[str]]:
    return [each["flags"] for each in await town.observed(device)]


async def test_a_fall_that_was_kept_by_the_broker_is_raised_once_and_says_so(migrated_url: str, broker: Broker) -> None:
    homes: list[Home] = []
    message_id = str(uuid4())

    async def before_the_gateway(town: World) -> None:
        homes.append(await town.home())
        at = town.now - timedelta(minutes=20)
        await town.says(homes[0].fall_alarm, "fall", id=message_id, at=at, retain=True, settle=False)

    async with world(migrated_url, broker, people=before_the_gateway) as town:
        fall = await town.alert("fall")
        assert (fall["resident_id"], fall["raised_at"] - fall["occurred_at"]) == (
            homes[0].resident,
            timedelta(minutes=20),
        )
        assert await _flags(town, homes[0].fall_alarm) == [["retained"]]
        (raised,) = await town.entries(fall["uid"], "raised")
        assert raised["evidence"]["flags"] == ["retained"]
        assert await town.news() == ["Kari"]

        # The device says it again, until it has its receipt.
        await town.says(homes[0].fall_alarm, "fall", id=message_id, at=fall["occurred_at"], retain=True)
        assert await town.news() == []
        assert await town.receipts() == [message_id, message_id]
        shown = await town.gateway.front.alert_detail(await town.who("Kari"), fall["uid"])
        assert (shown.late_seconds, shown.evidence[0].flags) == (1200, ["retained"])


async def test_an_alarm_finds_a_connection_where_telemetry_has_all_of_its_own(
    migrated_url: str, own_broker: Broker
) -> None:
    async with world(migrated_url, own_broker) as town, AsyncExitStack() as taken:
        home = await town.home()
        for _ in range(TELEMETRY):
            await taken.enter_async_context(town.gateway.telemetry_database.connection())
        await town.says(home.fall_alarm, "heartbeat", settle=False)
        await town.says(home.fall_alarm, "fall", settle=False)
        async with asyncio.timeout(60):
            while not await town.alerts("fall"):
                await pause(0.02)
        assert [each["type"] for each in await town.observed(home.fall_alarm)] == ["fall"]
        await taken.aclose()
        await controlled.settle(town.gateway)
        assert sorted(each["type"] for each in await town.observed(home.fall_alarm)) == ["fall", "heartbeat"]


async def test_the_same_message_twice_is_one_with_two_receipts(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall", id="a", settle=False)
        await town.says(home.fall_alarm, "fall", id="a")
        await town.passes(seconds=30)
        await town.says(home.fall_alarm, "fall", id="a", at=town.now - timedelta(seconds=30))
        assert len(await town.observed(home.fall_alarm)) == 1
        assert await town.timeline((await town.alert())["uid"]) == ["raised", "step_reached"]
        assert await town.news() == ["Kari"]
        receipts = await town.receipts()
        assert set(receipts) == {"a"}
        assert len(receipts) in {2, 3}  # the first two may have come in one batch

        # The same id with other content is something else, stored and judged, and marked.
        await town.says(home.fall_alarm, "fall", id="a", impact_g=3.0)
        assert await _flags(town, home.fall_alarm) == [[], ["id_reused"]]
        assert (await town.timeline((await town.alert())["uid"]))[2:] == ["evidence_joined", "step_paged_again"]
        assert await town.receipts() == ["a"]

        # Ids are the device's own: another one may use the same.
        other = await town.home()
        await town.says(other.fall_alarm, "fall", id="a")
        assert await _flags(town, other.fall_alarm) == [[]]
        assert len(await town.alerts("fall")) == 2


async def test_late_is_raised_and_history_is_not(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall", at=town.now - timedelta(days=3))
        await town.says(home.fall_alarm, "no_such_type", at=town.now - timedelta(days=3), message_class="alarm")
        assert len(await town.observed(home.fall_alarm)) == 2
        assert await town.alerts() == []
        old = await town.alert("old_alarm", track="technical")  # nobody comes running, but somebody is told
        assert (old["severity"], old["resident_id"]) == (20, home.resident)
        assert await town.news() == ["Tek", "Tek"]
        assert len(await town.receipts()) == 2

        await town.says(home.fall_alarm, "fall", at=town.now - timedelta(minutes=20))
        fall = await town.alert("fall")
        shown = await town.gateway.front.alert_detail(await town.who("Kari"), fall["uid"])
        assert (shown.late_seconds, shown.evidence[0].late_seconds) == (1200, 1200)
        assert await town.news() == ["Kari"]

        # A message of long ago is no evidence of today either.
        await town.says(home.fall_alarm, "fall", at=town.now - timedelta(days=3))
        assert await town.timeline(fall["uid"]) == ["raised", "step_reached"]


async def test_clocks_that_lie(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        ahead, unset, ancient = await town.home(), await town.home(), await town.home()
        await town.says(ahead.fall_alarm, "fall", at=town.now + timedelta(days=400))
        await town.says(unset.fall_alarm, "fall", at=town.now.replace(year=1970))
        await town.says(ancient.fall_alarm, "fall", at=town.now.replace(year=2000))
        falls = await town.alerts("fall")
        assert [each["occurred_at"] for each in falls] == [town.now] * 3
        assert await _flags(town, ahead.fall_alarm) == [["clock_ahead"]]
        assert await _flags(town, unset.fall_alarm) == [["clock_unset"]]
        assert await _flags(town, ancient.fall_alarm) == [["clock_unset"]]
        assert await town.news() == ["Kari"] * 3


async def test_a_device_that_moved_yesterday(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        old, new = await town.home(), await town.home()
        moved_at = town.now - timedelta(hours=20)
        await town.gateway.database.run(
            lambda each: devices.move(each, old.fall_alarm.id, new.dwelling, new.resident, moved_at)
        )
        await town.says(old.fall_alarm, "fall")
        today = await town.alert("fall")
        assert (today["resident_id"], today["dwelling_id"]) == (new.resident, new.dwelling)

        # What it kept since before the move happened to whoever wore it then.
        await town.says(old.fall_alarm, "fall", at=moved_at - timedelta(hours=1))
        before = (await town.alerts("fall"))[1]
        assert (before["resident_id"], before["dwelling_id"]) == (old.resident, old.dwelling)
        fittings = [each["installation_id"] for each in await town.observed(old.fall_alarm)]
        assert len(set(fittings)) == 2
        assert fittings == [today["installation_id"], before["installation_id"]]


async def test_a_dispenser_that_moved_tells_nobody_of_its_former_owner(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, deaf_seconds=24 * 3600) as town:
        old, new = await town.home(doses=[(town.now + timedelta(hours=2)).time()]), await town.home()
        await town.passes(hours=2)  # planned in an hour, by the clocks of Oslo, and an hour of grace
        missed = await town.alert("dose_missed")
        assert missed["resident_id"] == old.resident
        await town.answers("Kari", missed["uid"], "claim")

        await town.gateway.database.run(
            lambda each: devices.move(each, old.dispenser.id, new.dwelling, new.resident, town.now)
        )
        await town.passes(minutes=5)
        await town.says(old.dispenser, "dose_taken")
        assert await town.entries(missed["uid"], "device_said") == []
        await town.done("Kari", missed["uid"])

        # The former schedule has ended with the fitting.
        await town.passes(hours=23)
        assert len(await town.alerts()) == 1
