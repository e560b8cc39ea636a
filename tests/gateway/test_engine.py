"""Word that comes together with what it is about finds it; word that nobody waits for changes nothing."""

from __future__ import annotations

from alerts.model import Clear, Evidence, Inform, Signal, Track
from gateway.engine import act
from gateway.store.audit import Changed
from gateway.store.db import Connection
from tests.gateway.place import NOW, Place, place

TOLD = Evidence("fall_cancelled", NOW, NOW)


async def done(town: Place, *signals: Signal) -> Changed:
    async def work(connection: Connection) -> Changed:
        return await act(connection, signals, NOW, await town.cache.read(connection))

    return await town.run(work)


async def test_what_is_said_in_the_batch_that_raises_is_on_the_alert(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        care, technical = town.raising(town.homes[0]), town.raising(town.homes[1], key="t", track=Track.TECHNICAL)
        told, over = Inform(care.key, "device_said", TOLD, over=True), Clear(technical.key, TOLD)
        assert (await done(town, care, told, technical, over)).pages
        entries = await town.rows(
            "SELECT a.track, e.code FROM alert_entry e JOIN alert a ON a.id = e.alert_id ORDER BY a.track, e.seq"
        )
        assert entries[-1] == {"track": "technical", "code": "closed"}
        assert {"track": "care", "code": "device_said"} in entries


async def test_word_of_what_nobody_was_told_of_changes_nothing(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        key = town.raising(town.homes[0]).key
        assert await done(town, Inform(key, "device_said", TOLD, over=True), Clear("technical:t", TOLD)) == Changed()
        assert await town.rows("SELECT 1 FROM alert") == []
