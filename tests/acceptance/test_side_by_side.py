"""Several processes on one database: nobody is paged twice, nothing is done twice, nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta

from alerts.channels.in_app import InApp
from gateway.dispatcher import Dispatcher, Dispatching
from gateway.embedded import Broker
from gateway.rulebook import RulebookCache
from gateway.store.db import Database
from gateway.timekeeper import Timekeeper
from tests.support.world import World, world

NINE = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


class Engine:
    """The engine of another process: connections and a memory of its own, and the clock of all."""

    def __init__(self, town: World, name: str) -> None:
        gateway, local = town.gateway, town.gateway.settings.local
        self.database = Database(gateway.database.url, size=3)
        cache = RulebookCache(local, ("in_app",))
        limits, clock = gateway.settings.limits, gateway.clock
        self.timekeeper = Timekeeper(self.database, clock, cache, limits)
        channels = {"in_app": InApp(InApp.Config())}
        self.dispatcher = Dispatcher(self.database, clock, cache, channels, Dispatching(name, "http://x", local))

    async def works(self) -> None:
        for _ in range(3):
            await self.timekeeper.run_once()
            await self.dispatcher.run_once()
        await self.dispatcher.settled()


@asynccontextmanager
async def engines(town: World, many: int) -> AsyncIterator[list[Engine]]:
    made = [Engine(town, f"engine-{number}") for number in range(many)]
    for each in made:
        await each.database.open()
    try:
        yield made
    finally:
        for each in made:
            await each.database.close()


async def _all_work(town: World, made: list[Engine], moment: datetime) -> None:
    """Everybody at once at this moment; and then whatever they left to each other."""
    assert town.gateway.controlled is not None
    town.gateway.controlled.move_to(moment)
    await asyncio.gather(*(each.works() for each in made))


async def test_engines_side_by_side_page_nobody_twice(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town, engines(town, 3) as made:
        homes = [await town.home() for _ in range(6)]
        for home in homes:
            await town.says(home.fall_alarm, "fall")
        start = town.now
        assert await town.news() == ["Kari"] * 6
        for seconds, expected in (
            (60, ["Kari", "Ola"]), (61, []), (180, ["Siri"]), (300, ["Vakt"]), (599, []), (600, ["Vakt"]), (900, ["Vakt"]),
        ):  # fmt: skip
            await _all_work(town, made, start + timedelta(seconds=seconds))
            assert sorted(await town.news()) == sorted(expected * 6), seconds
        assert await town.rows("SELECT 1 FROM page WHERE handed_over_at IS NULL") == []
        for fall in await town.alerts():
            steps = [code for code in await town.timeline(fall["uid"]) if code.startswith("step_")]
            assert steps == ["step_reached"] * 4 + ["step_repeated"] * 2


async def test_engines_side_by_side_miss_each_dose_once(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE, deaf_seconds=7 * 24 * 3600) as town, engines(town, 3) as made:
        homes = [await town.home(doses=[time(10)]) for _ in range(10)]
        assert town.gateway.controlled is not None
        town.gateway.controlled.move_to(NINE + timedelta(hours=2))
        await asyncio.gather(*(worker.sing() for worker in town.gateway.lanes.values()))
        async with asyncio.timeout(60):
            while len(await town.rows("SELECT 1 FROM site_lane WHERE heard_until >= %s", town.now)) < 2:
                pass
        await asyncio.gather(*(each.works() for each in made))
        missed = await town.alerts("dose_missed")
        assert sorted(each["resident_id"] for each in missed) == sorted(home.resident for home in homes)
        assert await town.news() == ["Kari"] * 10
        assert {len(await town.timeline(each["uid"])) for each in missed} == {2}
        schedules = await town.rows(
            "SELECT count(*) AS n, count(DISTINCT since) AS days FROM watch WHERE key LIKE 'dose:%%'"
        )
        assert schedules == [{"n": 20, "days": 2}]


async def test_an_answer_against_the_timekeeper(migrated_url: str, broker: Broker) -> None:
    """At the very moment a step is due somebody answers: either the step came first, or there is none."""
    async with world(migrated_url, broker) as town, engines(town, 2) as made:
        for _ in range(8):
            home = await town.home()
            await town.says(home.fall_alarm, "fall")
            fall = (await town.alerts())[-1]["uid"]
            await town.news()
            who = await town.who("Kari")
            assert town.gateway.controlled is not None
            town.gateway.controlled.move_to(town.now + timedelta(seconds=60))
            await asyncio.gather(town.answers(who.name, fall, "claim", settle=False), *(each.works() for each in made))
            codes = await town.timeline(fall)
            assert codes in (
                ["raised", "step_reached", "claimed"],
                ["raised", "step_reached", "step_reached", "claimed"],
            )
            assert {state for _, state in await town.states(fall)} <= {"answered", "withdrawn"}
            await town.passes(minutes=4)
            assert await town.timeline(fall) == codes
            await town.done("Kari", fall)
