"""A stove guard at work: a message from a kitchen becomes an alert on somebody's phone."""

from __future__ import annotations

from gateway.embedded import Broker
from tests.support.world import world


async def test_too_hot_is_raised_and_that_the_guard_has_acted_is_told(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        guard = await town.fits(home, "stove_guard")
        await town.says(guard, "too_hot", plate_temperature=240)
        alert = await town.alert("too_hot")
        assert (alert["severity"], alert["resident_id"]) == (30, home.resident)
        assert await town.news() == ["Kari"]
        await town.says(guard, "power_cut")
        assert "device_said" in await town.timeline(alert["uid"])


async def test_a_stove_that_is_left_on_is_raised_after_two_hours(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        guard = await town.fits(await town.home(), "stove_guard")
        await town.says(guard, "stove_on")
        await town.passes(hours=1, minutes=59)
        assert await town.alerts() == []
        await town.passes(minutes=1)
        assert (await town.alert("left_on"))["severity"] == 20
