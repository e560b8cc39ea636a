"""The store on a real TimescaleDB: migrations, the hypertable, and the whole path from a message to a page.

It is TimescaleDB in WebAssembly: one session, so nothing concurrent, and an index cannot be built concurrently.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from devices.model import Lane
from gateway.canary import Limits
from gateway.store import alerts, observations, pages, sites, snapshot, views
from gateway.store.db import Connection
from gateway.store.migrate import migrate, migrations, pending
from gateway.timekeeper import Timekeeper
from tests.gateway.place import NOW, fall, heartbeat, place
from tests.support.timescale_server import in_one_session


async def test_the_migrations_go_through_once(timescale_url: str) -> None:
    every = in_one_session(migrations())
    assert await migrate(timescale_url, every) == [each.name for each in migrations()]
    assert await pending(timescale_url, every) == []


async def test_from_messages_to_a_page_and_back_out_of_the_chunks(hypertable_url: str) -> None:
    days = [NOW - timedelta(days=2), NOW - timedelta(days=1), NOW]
    async with place(hypertable_url, homes=2, size=1) as town:
        made = (await town.run(snapshot.snapshot)).splitlines()
        assert made == snapshot.FILE.read_text("utf-8").splitlines(), "the plain twin has the same tables and columns"
        one, two = town.homes
        held, bulk = await town.held(), await town.held(Lane.BULK)
        for number, day in enumerate(days):
            beats = [heartbeat(one, f"h{number}", day, battery_percent=80), heartbeat(two, f"h{number}", day)]
            await town.store(bulk, beats, day)
        stored = await town.store(held, [fall(one, "f1"), fall(one, "f1"), fall(two, "f2")])
        assert (stored.total, stored.new, stored.changed.pages) == (3, 2, True)

        # The hypertables: a chunk a day or a week, by when we received it.
        dimensions = await town.rows(
            """SELECT hypertable_name AS name, column_name AS by, time_interval, num_chunks AS chunks
               FROM timescaledb_information.hypertables JOIN timescaledb_information.dimensions USING (hypertable_name)
               WHERE hypertable_name IN ('observation', 'device_health', 'raw_message') ORDER BY 1"""
        )
        assert [(each["by"], each["time_interval"].days, each["chunks"]) for each in dimensions] == [
            ("received_at", 1, 3),
            ("received_at", 7, 1),
            ("received_at", 1, 3),
        ]
        said = await town.rows(
            "SELECT time_bucket('1 day', received_at) AS day, count(*) AS n FROM said GROUP BY 1 ORDER BY 1"
        )
        assert [each["n"] for each in said] == [2, 2, 4]
        assert await town.run(observations.newest_received_at) == NOW

        # The path beyond: everything that ticks and everything that people look at.
        async def heard(connection: Connection) -> None:
            for lane in Lane:
                await sites.save_hearing(connection, town.site.id, lane, sites.Hearing(NOW, None, None, 0))

        await town.run(heard)
        keeper = Timekeeper(town.database, _Clock(), town.cache, Limits(timedelta(hours=1), timedelta(0)))
        await keeper.run_once()
        sight = views.Sight(town.staff["Nina"], [town.zones["Nord"]], [])
        seen = await town.run(lambda each: views.open_alerts(each, sight, views.AlertSearch(), None, 10))
        assert [(each["condition"], each["paged"]) for each in seen] == [("fall", True), ("fall", True)]
        leased = await town.run(lambda each: pages.lease(each, NOW, "me", 30, 10))
        assert [each.contact_id for each in leased] == [town.contacts["Nina"]] * 2
        assert await town.run(lambda each: pages.handed_over(each, leased[0].id, "me", "ok", NOW))
        await town.run(lambda each: pages.withdraw(each, leased[1].alert_id))
        assert (await town.run(lambda each: alerts.unanswered(each, NOW)))["open"] == 2
        await keeper.prune()


class _Clock:
    def now(self) -> datetime:
        return NOW
