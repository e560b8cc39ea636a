"""A number that rises quickly is raised before it is too high; one that rises slowly is not."""

from __future__ import annotations

from gateway.embedded import Broker
from tests.support.world import world


async def test_a_stove_that_heats_up_quickly_is_raised_once(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        guard = await town.fits(await town.home(), "stove_guard")
        for hot in (22, 60, 100, 140):
            await town.says(guard, "measured", plate_temperature=hot)
            await town.passes(minutes=5)
        assert await town.alerts() == [], "a dinner"
        await town.says(guard, "measured", plate_temperature=200)
        assert (await town.alert("heats_up"))["severity"] == 30
        assert await town.news() == ["Kari"]
        await town.says(guard, "measured", plate_temperature=230)
        assert await town.news() == [], "the same rise"
