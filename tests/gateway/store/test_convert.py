"""A plain database with the data of a small town becomes one of TimescaleDB, and nothing is lost or changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import TupleRow

from devices.model import Lane
from gateway.store import erasing, exporting, snapshot
from gateway.store.aside import HalfWay, under_way
from gateway.store.convert import Content, _Conversion, _nobody_counts, convert
from gateway.store.db import Database
from gateway.store.extension import ExtensionMissing
from gateway.store.migrate import SMALL, migrate, sole_runner, standing
from gateway.store.migration import Migration, migrations
from gateway.store.stepping import Patience, Told, What, silent
from tests.gateway.ingesting import Ingest
from tests.gateway.place import NOW, Place, fall, heartbeat, place
from tests.gateway.store.test_rollups import reckon, told
from tests.gateway.store.test_said import generate
from tests.support.timescale_server import forget_prepared, in_one_session

HOUR = timedelta(hours=1)
SAID = ("observation", "device_health", "raw_message")
MINUTES = 5_200
"""A word of each of two homes: of heartbeats more than become a hypertable by themselves, of bytes fewer."""


async def filled(town: Place) -> None:
    """Falls and heartbeats as they come in, and days of what was said before."""
    held, bulk = await town.held(), await town.held(Lane.BULK)
    await town.store(held, [fall(home, "f1") for home in town.homes])
    await town.store(bulk, [heartbeat(home, "h1", battery_percent=80) for home in town.homes])
    await generate(town, MINUTES)


class Cut(Exception):
    """The run ends here."""


class Listener:
    """Hears what a run tells, and ends it where that has these words."""

    def __init__(self, cut_at: str | None = None) -> None:
        self.told: list[Told] = []
        self._cut_at = cut_at

    def __call__(self, told: Told) -> None:
        self.told.append(told)
        if self._cut_at is not None and self._cut_at in str(told):
            raise Cut


def rows(url: str, query: str) -> list[TupleRow]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def contents(url: str) -> dict[str, TupleRow]:
    """Of every table: the rows, and a sum that any change of any of them changes."""
    query = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 7)::numeric), 0) FROM {} t"
    return {table: rows(url, query.format(table))[0] for table in SAID}


@asynccontextmanager
async def opened(town: Place, url: str) -> AsyncIterator[Place]:
    """The town again, after others have had the only connection."""
    forget_prepared(url)
    database = Database(url, 1)
    await database.open()
    try:
        yield replace(town, database=database)
    finally:
        await database.close()
        forget_prepared(url)


async def story(url: str, every: Sequence[Migration], size: int) -> None:
    """From the moment before to the moment after, cut short twice on the way."""
    await migrate(url, [each for each in every if each.requires is None])
    async with place(url, homes=2, size=size) as town:
        await filled(town)
        await reckon(town, NOW + HOUR)
        counted = await told(town)
    forget_prepared(url)
    before = contents(url)
    assert before["device_health"][0] > SMALL

    by_itself = Listener()
    await migrate(url, every, by_itself)
    (waits, *_) = [each for each in by_itself.told if each.what is What.WAITS]
    assert waits.name == "0015_said_hypertables.sql"
    assert "device_health has more than 10,000 rows" in waits.detail
    assert "run `hjemmevakt migrate --to-hypertables`" in waits.detail

    with pytest.raises(Cut):
        await convert(url, every, Listener("moved to device_health_set_aside"))
    assert rows(url, "SELECT count(*) FROM device_health")[0][0] <= SMALL
    async with opened(town, url) as town:
        assert await reckon(town, NOW + 2 * HOUR) == 0, "what is half away is not counted"
        with pytest.raises(HalfWay, match="rows of device_health are set aside"):
            await town.run(erasing.begin_lawful)
        with pytest.raises(HalfWay, match="rows of device_health are set aside"):
            await town.run(exporting.begin)
    assert (await standing(url, every)).missing == (), "who starts now does not go on with it; who asks for it does"
    with pytest.raises(Cut):
        await convert(url, every, Listener("device_health_set_aside: moved to device_health"))

    assert all(each.aside == each.back for each in await convert(url, every))
    assert contents(url) == before
    async with opened(town, url) as town:
        await reckon(town, NOW + HOUR)
        assert await told(town) == counted
    for table, least in (("observation", 2), ("device_health", 4), ("raw_message", 4)):
        assert rows(url, f"SELECT count(*) FROM show_chunks('{table}')")[0][0] >= least
        assert rows(url, f"SELECT count(*) FROM ONLY {table}") == [(0,)]
    assert rows(url, "SELECT relname FROM pg_class WHERE relname LIKE '%set_aside%'") == []
    forget_prepared(url)
    assert (await snapshot.snapshot_of(url)).splitlines() == snapshot.FILE.read_text("utf-8").splitlines()
    forget_prepared(url)
    assert await convert(url, every) == []
    stands = await standing(url, every)
    assert (stands.missing, stands.waiting) == ((), ())


async def test_a_twin_becomes_one_of_timescaledb_and_keeps_what_it_has(timescale_url: str) -> None:
    await story(timescale_url, in_one_session(migrations()), size=1)


async def test_the_suites_own_server_converts_too_or_says_why_not(database_url: str) -> None:
    """Where it has TimescaleDB, this is the conversion on the real one."""
    if rows(database_url, "SELECT FROM pg_available_extensions WHERE name = 'timescaledb'"):
        await story(database_url, migrations(), size=4)
        return
    with pytest.raises(ExtensionMissing, match=r"does not have TimescaleDB: install .* shared_preload_libraries"):
        await convert(database_url)
    assert rows(database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


async def test_rows_go_and_come_back_while_messages_come_in(plain_url: str) -> None:
    """Both halves of the conversion beside a gateway at work, which a server of one session cannot show."""
    async with place(plain_url, homes=3) as town:
        await generate(town, MINUTES)
        (had,) = rows(plain_url, "SELECT count(*) FROM device_health")
        ingest = Ingest(town)
        async with ingest.going_on(), sole_runner(plain_url, silent) as connection:
            conversion = _Conversion(connection, silent, Patience())
            before = ingest.stored
            async with _nobody_counts(connection):
                with pytest.raises(HalfWay, match="hypertables are being made"):
                    await town.run(erasing.begin_lawful)
            await conversion._set_aside("device_health")
            assert await under_way(connection) == ["device_health"]
            assert rows(plain_url, "SELECT count(*) FROM device_health")[0][0] <= SMALL
            made = await conversion._bring_back("device_health")
            assert ingest.stored > before, "they were stored meanwhile"
        assert made.aside == made.back != Content()
    (has,) = rows(plain_url, "SELECT count(*) FROM device_health")
    (falls,) = rows(plain_url, "SELECT count(*) FROM observation WHERE message_id LIKE 'f%'")
    assert has[0] + falls[0] == had[0] + ingest.stored
