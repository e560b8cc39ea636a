"""A fall, and who hears of it."""

from __future__ import annotations

from gateway.embedded import Broker
from tests.support.world import world


async def test_a_fall_that_nobody_answers_climbs_step_by_step(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall", impact_g=4.5)
        fall = await town.alert("fall")
        assert (fall["vkp_code"], fall["severity"], fall["resident_id"]) == ("4.1", 40, home.resident)
        assert await town.pages() == [("Kari", "in_app", 1)]

        await town.passes(seconds=59)
        assert await town.pages() == [("Kari", "in_app", 1)]

        await town.passes(minutes=1)
        assert await town.pages() == [("Kari", "in_app", 1), ("Kari", "in_app", 2), ("Ola", "in_app", 2)]

        await town.passes(minutes=2)
        assert (await town.pages())[3:] == [("Siri", "in_app", 3)]

        await town.passes(minutes=2)
        assert (await town.pages())[4:] == [("Vakt", "in_app", 4)]

        await town.passes(minutes=10)
        assert (await town.pages())[5:] == [("Vakt", "in_app", 5), ("Vakt", "in_app", 6)]
        steps = [code for code in await town.timeline(fall["uid"]) if code.startswith("step_")]
        assert steps == ["step_reached"] * 4 + ["step_repeated"] * 2
