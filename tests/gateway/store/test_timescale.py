"""The store on a real TimescaleDB: migrations, the hypertable, and the whole path from a message to a page.

It is TimescaleDB in WebAssembly: one session, so nothing concurrent, and an index cannot be built concurrently.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest

from devices.model import Lane
from gateway.canary import Limits
from gateway.store import alerts, observations, pages, sites, snapshot, views
from gateway.store.db import Connection
from gateway.store.migrate import migrate, migrations, pending
from gateway.timekeeper import Timekeeper
from tests.gateway.place import CHANNELS, NOW, fall, heartbeat, place
from tests.support.timescale_server import in_one_session

BEFORE = """
    INSERT INTO observation (device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at,
                             flags, fields, raw)
    SELECT n % 3, n % 2, 'fall_alarm', c, 'said', 'm' || n, at - interval '1 hour', at, '{late}', jsonb_build_object('n', n),
           convert_to('bytes ' || n, 'UTF8')
    FROM generate_series(1, 30) AS n, (VALUES ('alarm'), ('event'), ('result'), ('status')) AS v (c),
         LATERAL (SELECT '2026-03-01 12:00Z'::timestamptz - n * interval '7 hours' AS at) t"""


@pytest.mark.parametrize("where", ["database_url", "timescale_url"])
async def test_the_migrations_go_through_once_and_move_what_was_said(
    where: str, request: pytest.FixtureRequest
) -> None:
    url, every = request.getfixturevalue(where), in_one_session(migrations())
    first = [each for each in every if each.name < "0014"]
    done = await migrate(url, first)
    columns = (
        "id, device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at, flags, fields"
    )
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(BEFORE)
        before = connection.execute(f"SELECT {columns}, raw FROM observation ORDER BY id".encode()).fetchall()
    done += await migrate(url, every)
    assert await pending(url, every) == []
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        there = connection.execute("SELECT extname FROM pg_extension").fetchall()
        assert done == [each.name for each in migrations() if each.requires is None or (each.requires,) in there]
        assert where == "database_url" or ("timescaledb",) in there
        moved = f"SELECT {columns}, raw FROM said LEFT JOIN raw_message USING (id, device_id, received_at) ORDER BY id"
        assert connection.execute(moved.encode()).fetchall() == before
        assert connection.execute("SELECT count(*) FROM device_health").fetchone() == (30,)
        (following,) = connection.execute("SELECT nextval('said_id')").fetchone() or (0,)
        assert following == before[-1][0] + 1


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
        limits = Limits(timedelta(hours=1), timedelta(0))
        keeper = Timekeeper(town.database, _Clock(), town.cache, limits, controlled=True)
        await keeper.run_once()
        sight = views.Sight(town.staff["Nina"], [town.zones["Nord"]], [])
        seen = await town.run(lambda each: views.open_alerts(each, sight, views.AlertSearch(), None, 10))
        assert [(each["condition"], each["paged"]) for each in seen] == [("fall", True), ("fall", True)]
        leased = await town.run(lambda each: pages.lease(each, NOW, "me", 30, 10, CHANNELS))
        assert [each.contact_id for each in leased] == [town.contacts["Nina"]] * 2
        assert await town.run(lambda each: pages.handed_over(each, leased[0].id, "me", "ok", NOW))
        await town.run(lambda each: pages.withdraw(each, leased[1].alert_id, NOW))
        assert (await town.run(lambda each: alerts.unanswered(each, NOW)))["open"] == 2
        await keeper.prune()


class _Clock:
    def now(self) -> datetime:
        return NOW
