"""Migrations while messages come in, alerts are raised and somebody reads for long: nobody is held up, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import psycopg
import pytest

from gateway.store.migrate import migrate
from gateway.store.migration import Migration, migrations
from gateway.store.stepping import MigrationStopped, Patience, Told, What
from tests.gateway.ingesting import Ingest
from tests.gateway.place import place

QUICK = Patience(lock=0.1, first=0.05, longest=0.1)
COLUMN = Migration("9001_column.sql", "ALTER TABLE alert ADD COLUMN more text; ALTER TABLE device_state ADD more text;")
INDEX = Migration(
    "9002_index.sql",
    "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS seen_by_id ON seen (message_id, received_at);",
)
BATCHES = Migration(
    "9003_batches.sql",
    "-- batches\nUPDATE device_state SET more = 'x' WHERE device_id IN"
    " (SELECT device_id FROM device_state WHERE more IS NULL LIMIT 1);",
)


async def test_a_strong_lock_gives_way_until_the_reader_is_done_and_ingest_never_waits_for_it(
    migrated_url: str,
) -> None:
    told: list[Told] = []
    async with place(migrated_url, homes=3) as town:
        ingest = Ingest(town)
        async with ingest.going_on(), await psycopg.AsyncConnection.connect(migrated_url) as reader:
            await reader.execute("SELECT count(*) FROM alert")  # its lock stays until the transaction's end
            every = (*migrations(), COLUMN, INDEX, BATCHES)
            running = asyncio.create_task(migrate(migrated_url, every, told.append, QUICK))
            while sum(each.what is What.AGAIN for each in told) < 3:
                await asyncio.sleep(0.01)
            await ingest.stores(20)
            assert not running.done()
            assert all(each.name == COLUMN.name for each in told if each.what is What.AGAIN)
            assert "lock timeout" in str(next(each for each in told if each.what is What.AGAIN))
            await reader.rollback()
            assert [name for name in await running if name > "9"] == [COLUMN.name, INDEX.name, BATCHES.name]
            await ingest.stores(5)
        (seen,) = await town.rows("SELECT count(*) AS messages FROM seen")
        (state,) = await town.rows("SELECT count(*) AS devices, count(more) AS moved FROM device_state")
        (alerts,) = await town.rows("SELECT count(*) AS falls FROM alert WHERE condition = 'fall'")
    assert seen["messages"] == ingest.stored
    assert state == {"devices": 3, "moved": 3}
    assert alerts["falls"] > 0


async def test_somebody_who_never_lets_go_is_named(migrated_url: str) -> None:
    with psycopg.connect(migrated_url, application_name="a long report") as reader:
        reader.execute("SELECT count(*) FROM alert")
        with pytest.raises(MigrationStopped, match=r"9001_column\.sql: not let in after .* tries: .*a long report"):
            await migrate(migrated_url, (COLUMN,), patience=Patience(0.05, 0.05, 0.05, whole=0.2))
    assert await migrate(migrated_url, (COLUMN,), patience=QUICK) == [COLUMN.name]


RUNNER = """
import asyncio, sys
from gateway.store.migrate import Migration, migrate
asyncio.run(migrate(sys.argv[1], [Migration("1.sql", sys.argv[2]), Migration("2.sql", sys.argv[3])]))
"""


async def test_a_runner_that_is_killed_half_way_through_its_batches_is_followed_by_one_that_ends_them(
    database_url: str,
) -> None:
    table = "CREATE TABLE old AS SELECT n AS id FROM generate_series(1, 400) n; CREATE TABLE new (id bigint);"
    batches = (
        "-- batches\nWITH few AS (DELETE FROM old WHERE id IN (SELECT id FROM old ORDER BY id LIMIT 20) RETURNING id)"
        " INSERT INTO new SELECT id FROM few"
    )
    assert await migrate(database_url, [Migration("1.sql", table)]) == ["1.sql"]
    with (
        _held(database_url, "SELECT 1 FROM old WHERE id = 200 FOR UPDATE") as holder,  # nobody gets past the middle
        psycopg.connect(database_url, autocommit=True) as look,
        subprocess.Popen([sys.executable, "-c", RUNNER, database_url, table, batches], env={**os.environ}) as runner,
    ):
        try:
            while not _number(look, "SELECT count(*) FROM new"):
                assert runner.poll() is None
                await asyncio.sleep(0.01)
        finally:
            runner.kill()
        runner.wait()
        holder.rollback()
        assert 0 < _number(look, "SELECT count(*) FROM new") < 400
        assert await migrate(database_url, [Migration("1.sql", table), Migration("2.sql", batches)]) == ["2.sql"]
        assert _number(look, "SELECT count(*) FROM old") == 0
        assert _number(look, "SELECT count(DISTINCT id) FROM new") == _number(look, "SELECT count(*) FROM new") == 400


def _held(url: str, query: str) -> psycopg.Connection:
    """Who holds what the query locks."""
    connection = psycopg.connect(url)
    connection.execute(query.encode())
    return connection


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])
