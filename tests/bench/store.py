"""``make bench-store``: what people ask of months of data, twenty million rows of it, and how long that takes.

| query | what | key |
|---|---|---|
| resident's day | the newest page of what all devices of a resident said in 24 hours | ``resident_day_p95_ms`` |
| device's month | 30 days of a device by day, with battery and radio strength | ``device_month_p95_ms`` |
| fleet | every device as it is now, by zone and kind | ``fleet_p95_ms`` |
| activity | a zone's four weeks by hour of the day and day | ``activity_p95_ms`` |
| alerts | a quarter by hour and cause; by hour of the day and cause | ``alerts_p95_ms`` |

Each is the call that the API makes, in a transaction of its own, with access, audit and all: HTTP is left out, and but for alerts,
which are JSON then already, making JSON of it. Each is asked again and again
for other residents, devices and zones. ``p95_ms`` is the worst of these. Asked first after the server was started anew it is
cold, as far as the system's own cache lets it be; that is told too.

The server is the one that comes along, or the one that HJEMMEVAKT_DATABASE_URL names, in a database that is made and dropped again.
The last line is JSON; ``bytes_per_row_compressed`` is null where there is no TimescaleDB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from gateway import observing, statistics
from gateway.access import Who
from gateway.api import schemas
from gateway.embedded import EmbeddedPostgres
from gateway.rulebook import RulebookCache
from gateway.store import rollups
from gateway.store.counted import DAYS_IN, ROLLUPS
from gateway.store.db import Connection, Database
from gateway.store.migrate import migrate
from tests.bench.months import DAYS, NOW, Months, fitted, write
from tests.bench.stage import say
from tests.bench.town import fill

AIM_MS = 100
KEPT = timedelta(days=10 * 365)
Ask = Callable[[Connection, Random], Awaitable[object]]


class Server:
    """Where the bench's database is. ``restart``: None where the server is not ours to start anew."""

    def __init__(self, url: str, restart: Callable[[], None] | None) -> None:
        self.url = url
        self.restart = restart


@contextmanager
def server() -> Iterator[Server]:
    """Ours, or a database of our own on the named one."""
    named = os.environ.pop("HJEMMEVAKT_DATABASE_URL", None)
    if named is None:
        with tempfile.TemporaryDirectory(prefix="hjemmevakt-bench-") as folder:
            postgres = EmbeddedPostgres(Path(folder) / "postgres")
            postgres.start()

            def restart() -> None:
                postgres.stop()
                postgres.start()

            try:
                yield Server(postgres.url, restart)
            finally:
                postgres.stop()
        return
    database = f"hv_bench_{uuid4().hex[:12]}"
    name = sql.Identifier(database)
    with psycopg.connect(named, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    try:
        yield Server(urlsplit(named)._replace(path=f"/{database}").geturl(), None)
    finally:
        with psycopg.connect(named, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


# What is asked ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Town:
    """Whom and what to ask for, and who asks: somebody with every zone."""

    who: Who
    residents: tuple[UUID, ...]
    devices: tuple[UUID, ...]
    zones: tuple[UUID, ...]


async def town_of(connection: Connection) -> Town:
    async def uids(query: str) -> tuple[UUID, ...]:
        cursor = await connection.execute(query.encode())
        return tuple(row["uid"] for row in await cursor.fetchall())

    cursor = await connection.execute("SELECT (SELECT min(id) FROM person) AS person, array_agg(id) AS zones FROM zone")
    row = await cursor.fetchone() or {}
    roles = frozenset({"admin"})
    who = Who(row["person"], uuid4(), "bench", "nb", roles, dict.fromkeys(row["zones"], roles), (), "", 0)
    return Town(
        who,
        await uids("SELECT r.uid FROM resident r WHERE r.name LIKE 'Benchveien%' ORDER BY r.id"),
        await uids("SELECT d.uid FROM device d WHERE d.address LIKE 'b-%' ORDER BY d.id"),
        await uids("SELECT uid FROM zone WHERE kind = 'zone' ORDER BY id"),
    )


def questions(town: Town, cache: RulebookCache) -> Mapping[str, Ask]:
    """Each with other parameters every time."""

    async def resident_day(connection: Connection, random: Random) -> object:
        asked = schemas.ObservationQuery(
            resident=random.choice(town.residents), since=NOW - timedelta(days=1), limit=200
        )
        return (await observing.observations(connection, town.who, asked, NOW)).items

    async def device_month(connection: Connection, random: Random) -> object:
        asked = schemas.BucketQuery(
            device=random.choice(town.devices), since=NOW - timedelta(days=30), bucket="1d", fields=("battery", "rssi")
        )
        found = await observing.bucket_list(connection, town.who, asked, NOW, cache.local)
        return [each for each in found.buckets if each.count]

    async def fleet(connection: Connection, random: Random) -> object:
        zone = random.choice((None, *town.zones))
        return (await statistics.fleet_health(connection, town.who, schemas.FleetQuery(zone=zone), NOW)).lines

    async def activity(connection: Connection, random: Random) -> object:
        asked = schemas.ActivityQuery(
            zone=random.choice(town.zones), until=NOW.date() - timedelta(days=random.randrange(50))
        )
        found = await statistics.activity(connection, town.who, asked, NOW)
        return [each for each in found.days if sum(each.hours)]

    async def alerts(connection: Connection, random: Random) -> object:
        asked = schemas.AlertStatisticsQuery(
            zone=random.choice((None, *town.zones)), step=random.choice(("hour", "hour_of_day")), per=("cause",)
        )
        answer = await statistics.alert_statistics(connection, town.who, asked, NOW)
        return None if answer.endswith("[]}") else answer

    return {
        "resident_day": resident_day,
        "device_month": device_month,
        "fleet": fleet,
        "activity": activity,
        "alerts": alerts,
    }


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds: the first time after the server's start, each time after that, and of processors a time, in the mean."""

    cold: float
    warm: tuple[float, ...]
    cpu: float

    def percentile(self, share: int) -> float:
        ordered = sorted(self.warm)
        return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


async def took(database: Database, ask: Ask, times: int, seed: int) -> Took:
    """An answer that is empty is no answer: AssertionError."""
    random, found, spent = Random(seed), list[float](), list[float]()
    for _ in range(times + 1):
        begun = time.perf_counter()
        answer = await database.run(lambda each: ask(each, random))
        found.append(1000 * (time.perf_counter() - begun))
        spent.append(await database.run(_spent))
        assert answer, f"{ask.__name__} found nothing"
    return Took(found[0], tuple(found[1:]), (spent[-1] - spent[0]) / times)


async def _spent(connection: Connection) -> float:
    """Milliseconds of processors so far, here and in the one process of a server on this machine: comparable also where others use
    the machine."""
    backend = Path(f"/proc/{connection.info.backend_pid}/schedstat")
    return 1000 * time.process_time() + (int(backend.read_text().split()[0]) / 1e6 if backend.exists() else 0)


# Running ------------------------------------------------------------------------------------------------------------------


async def run(where: Server, given: argparse.Namespace) -> dict[str, float | int | None]:
    devices = min(given.devices, max(60, given.rows // 100))
    figures: dict[str, float | int | None] = {"rows": given.rows, "devices": devices}
    await migrate(where.url)
    await fill(where.url, devices, NOW - timedelta(days=DAYS + 1))
    begun = time.perf_counter()
    await asyncio.to_thread(write, where.url, Months(fitted(where.url), given.rows, NOW, given.seed))
    figures["load_s"] = round(time.perf_counter() - begun, 1)
    say(f"{given.rows} rows of {devices} devices in {DAYS} days: written and analysed in {figures['load_s']} s")
    database = Database(where.url, size=2)
    await database.open()
    try:
        begun = time.perf_counter()
        await database.apart(lambda each: rollups.refresh(each, NOW, rollups.Kept.alike(KEPT)))
        figures["rollups_s"] = round(time.perf_counter() - begun, 1)
        say(f"rollups of all of it in {figures['rollups_s']} s")
        figures |= await database.apart(sizes)
    finally:
        await database.close()
    return figures | await measured(where, given)


async def sizes(connection: Connection) -> dict[str, float | int | None]:
    """Bytes a row with its indexes: of what was said, compressed where that can be, and of the rollups that come of it.
    To count, and to compress, twenty million rows takes longer than a gateway's statement may."""
    await connection.execute("SET statement_timeout = 0")
    live = await rollups.is_live(connection)
    size = "hypertable_size(%s::regclass)" if live else "pg_total_relation_size(%s::regclass)"

    async def number(query: str, *given: object) -> int:
        cursor = await connection.execute(query.encode(), given or None)
        row = await cursor.fetchone()
        return int(next(iter(row.values())) or 0) if row else 0

    said = ("observation", "device_health")
    rows = sum([await number(f"SELECT count(*) AS n FROM {each}") for each in said])
    plain = sum([await number(f"SELECT {size} AS n", each) for each in said])
    counted = [await number(f"SELECT count(*) AS n FROM {each.name}") for each in ROLLUPS]
    say(f"{plain / rows:.0f} bytes a row with indexes; {sum(counted)} rows of rollups")
    return {
        "bytes_per_row": round(plain / rows, 1),
        "bytes_per_row_compressed": await _compressed(number) if live else None,
    }


async def _compressed(number: Callable[..., Awaitable[int]]) -> float:
    """All chunks, the newest too: what a row takes when it is old."""
    size = rows = 0
    for each in ("observation", "device_health"):
        rows += await number(f"SELECT count(*) FROM {each}")
        await number(
            "SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks(%s::regclass) c", each
        )
        size += await number("SELECT hypertable_size(%s::regclass)", each)
    say(f"{size / rows:.1f} bytes a row when compressed")
    return round(size / rows, 1)


async def measured(where: Server, given: argparse.Namespace) -> dict[str, float | int | None]:
    """The table, and the p95 of each."""
    figures: dict[str, float] = {}
    database = Database(where.url, size=2)
    await database.open()
    try:
        town = await database.run(town_of)
    finally:
        await database.close()
    say(f"{'':<14} {'cold':>8} {'p50':>8} {'p95':>8} {'longest':>8} {'CPU':>8}  ms, {given.times} times")
    for name, ask in questions(town, RulebookCache(DAYS_IN, ())).items():
        if where.restart is not None:
            await asyncio.to_thread(where.restart)
        database = Database(where.url, size=1)
        await database.open()
        try:
            found = await took(database, ask, given.times, given.seed)
        finally:
            await database.close()
        p95 = found.percentile(95)
        say(
            f"{name:<14} {found.cold:>8.1f} {found.percentile(50):>8.1f} {p95:>8.1f} {max(found.warm):>8.1f} {found.cpu:>8.1f}"
        )
        figures[f"{name}_cpu_ms"] = round(found.cpu, 1)
        figures[f"{name}_p50_ms"], figures[f"{name}_p95_ms"] = round(found.percentile(50), 1), round(p95, 1)
    worst = max(value for name, value in figures.items() if name.endswith("_p95_ms"))
    say(f"worst p95 {worst} ms; aim ≤ {AIM_MS}: {'reached' if worst <= AIM_MS else 'not reached'}")
    return {**figures, "p95_ms": worst}


def main(given: Sequence[str]) -> int:
    arguments = _arguments(given)
    with server() as where:
        figures = asyncio.run(run(where, arguments))
    print(json.dumps(figures), flush=True)
    return 0


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "bench-store", description="What people ask of months of data, and how long it takes."
    )
    parser.add_argument("--rows", type=_count, default=20_000_000, help="that devices said")
    parser.add_argument("--devices", type=_count, default=20_000, help="at most; of few rows fewer")
    parser.add_argument("--times", type=_count, default=200, help="that each is asked")
    parser.add_argument("--seed", type=_count, default=1, help="for other residents, devices and zones")
    return parser.parse_args(given)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
