"""`hjemmevakt migrate --to-hypertables`: a plain database with data becomes one of TimescaleDB, while gateways work on it.

A table that becomes a hypertable is locked as long as its rows are copied into chunks: a second for ten thousand, an hour
for a hundred million, and for that hour no alarm would be stored. So, table by table,

1. rows are *set aside* into `<table>_set_aside`, some pages at a time, each time in a transaction of its own, until few are left;
2. the migration that waited for the extension runs: it makes a hypertable of those few, in one short transaction;
3. the rows are *brought back*, in the same way, the newest first.

Meanwhile messages are stored and judged as always; what devices said before is not shown, and nothing is counted (rollups)
until it is back. The table, its name, views, indexes and sequences stay. It needs the room of the tables once more on disk.

What is the same is counted, not believed: a ledger has, for each table, how many rows were set aside and how many came back,
and the sum of a hash of their whole content; both are written in the transaction that moves the rows. The few are compared
under the lock. Only then is what was set aside dropped.

Cut short anywhere, the next run goes on from there. TimescaleDB is never undone: going back is to restore.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from psycopg import sql

from gateway.clock import monotonic, pause
from gateway.store import aside, extension, rollups
from gateway.store.aside import ASIDE, under_way
from gateway.store.extension import TIMESCALE
from gateway.store.migrate import LOCK_POLL, SMALL, applied, apply, refuse_too_new, sole_runner, standing
from gateway.store.migration import Migration, migrations
from gateway.store.stepping import (
    TELL_EVERY,
    Link,
    MigrationStopped,
    Patience,
    Tell,
    Told,
    What,
    giving_way,
    rest,
    silent,
)

PAGES = 256
"""Moved at a time: 2 MB, some ten thousand rows."""
LEDGER = """
    CREATE TABLE IF NOT EXISTS set_aside (
        name text PRIMARY KEY, aside bigint NOT NULL DEFAULT 0, aside_sum numeric NOT NULL DEFAULT 0,
        back bigint NOT NULL DEFAULT 0, back_sum numeric NOT NULL DEFAULT 0)
"""


@dataclass(frozen=True, slots=True)
class Content:
    """Of some rows: how many, and the sum of a hash of each."""

    rows: int = 0
    sum: int = 0

    def __str__(self) -> str:
        return f"{self.rows:,} rows (sum {self.sum})"


@dataclass(frozen=True, slots=True)
class Converted:
    """A table that is a hypertable now. ``locked``: the rows that it was made with."""

    table: str
    aside: Content
    back: Content
    locked: Content

    def __str__(self) -> str:
        return f"{self.table}: set aside {self.aside}, brought back {self.back}; under the lock {self.locked} before and after"


async def convert(
    url: str, every: Sequence[Migration] | None = None, tell: Tell = silent, patience: Patience | None = None
) -> list[Converted]:
    """Make what is missing, and hypertables of what is to be one; answers those that were made now.
    ExtensionMissing, MigrationStopped, MigrationChanged, DatabaseTooNew."""
    wanted = migrations() if every is None else every
    refuse_too_new(await standing(url, wanted))
    await extension.create(url)
    async with sole_runner(url, tell) as connection, _nobody_counts(connection):
        return await _Conversion(connection, tell, patience or Patience()).run(wanted)


@asynccontextmanager
async def _nobody_counts(connection: Link) -> AsyncIterator[None]:
    """No rollup is reckoned, and no person erased, while rows are in two places: whoever is at it now ends it first."""
    locks = (aside.LOCK, rollups.LOCK)
    for lock in locks:
        while not await _value(connection, f"SELECT pg_try_advisory_lock({lock})"):
            await pause(LOCK_POLL)
    try:
        yield
    finally:
        if not connection.broken:
            for lock in locks:
                await connection.execute(f"SELECT pg_advisory_unlock({lock})")


@dataclass
class _Conversion:
    """One run, on the only runner's connection. ``locked``: what the tables held that became hypertables in it."""

    connection: Link
    tell: Tell
    patience: Patience
    locked: dict[str, Content] = field(default_factory=dict)

    async def run(self, wanted: Sequence[Migration]) -> list[Converted]:
        """Plain files first, then those that wait for the extension; before both what a run that was cut short has left aside."""
        known = await applied(self.connection, wanted)
        missing = [each for each in wanted if each.name not in known]
        for each in missing:
            if each.requires is None:
                await apply(self.connection, each, self.tell, self.patience)
        waiting = [each for each in missing if each.requires == TIMESCALE]
        done = await self._back(await under_way(self.connection), waiting)
        for number, each in enumerate(waiting):
            for table in each.converts:
                if await self._is_plain(table):
                    await self._set_aside(table)
            await apply(self.connection, each, self.tell, self.patience, partial(self._the_same, each.converts))
            done += await self._back(each.converts, waiting[number + 1 :])
        return done

    async def _back(self, tables: Collection[str], later: Sequence[Migration]) -> list[Converted]:
        """Those with which no later file has to do: the others stay aside, and come back into chunks of the right size."""
        wait = {table for each in later for table in each.converts}
        return [await self._bring_back(table) for table in dict.fromkeys(tables) if table not in wait]

    async def _set_aside(self, table: str) -> None:
        """Until few are left. What comes in meanwhile is at the end, or where rows have gone: another, shorter round."""
        few = sql.SQL("SELECT count(*) <= {} FROM (SELECT FROM {} LIMIT {}) few")
        few_left = few.format(sql.Literal(SMALL), sql.Identifier(table), sql.Literal(SMALL + 1))
        while not await self._value(few_left):
            await self._giving_way(table, partial(self._open_ledger, table))
            await self._move(table, f"{table}{ASIDE}", range(0, await self._pages(table), PAGES))

    async def _bring_back(self, table: str) -> Converted:
        """All of it; then what was set aside is dropped. MigrationStopped where what came back is not what had gone."""
        locked = self.locked.get(table, Content())
        await self._giving_way(table, partial(self._execute, sql.SQL("ANALYZE {}").format(sql.Identifier(table))))
        if table not in await under_way(self.connection):
            return Converted(table, Content(), Content(), locked)
        gone = f"{table}{ASIDE}"
        await self._move(gone, table, range(0, await self._pages(gone), PAGES)[::-1])
        rows = "SELECT aside, aside_sum, back, back_sum FROM set_aside WHERE name = %s"
        row = await (await self.connection.execute(rows, (table,))).fetchone()
        assert row is not None
        made = Converted(table, Content(row[0], int(row[1])), Content(row[2], int(row[3])), locked)
        left = await self._content(gone)
        if made.aside != made.back or left.rows:
            raise MigrationStopped(f"{made}; {left} are still in {gone}: nothing was dropped; please report this")
        await self._giving_way(table, partial(self._close_ledger, table))
        return made

    async def _move(self, source: str, target: str, pages: Sequence[int]) -> None:
        """The rows on these pages (each the first of some), and their count and sum in the ledger."""
        statement = _moving(await self._columns(source), source, target)
        told = monotonic()
        for number, first in enumerate(pages):
            began = monotonic()
            bounds = (f"({first},0)", f"({first + PAGES},0)")
            await self._giving_way(source, partial(self._execute, statement, bounds))
            if monotonic() - told > TELL_EVERY:
                told = monotonic()
                self.tell(Told(What.MOVED, source, f"{100 * (number + 1) // len(pages)} % moved to {target}"))
            await rest(began)
        self.tell(Told(What.MOVED, source, f"moved to {target}"))

    @asynccontextmanager
    async def _the_same(self, tables: Sequence[str]) -> AsyncIterator[None]:
        """Before and after, under one lock, the tables that become hypertables hold the same. MigrationStopped."""
        plain = [each for each in dict.fromkeys(tables) if await self._is_plain(each)]
        if plain:
            names = sql.SQL(", ").join(map(sql.Identifier, plain))
            await self.connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
        before = {table: await self._content(table) for table in plain}
        yield
        for table, had in before.items():
            has = await self._content(table)
            if has != had:
                raise MigrationStopped(f"{table} held {had} and as a hypertable {has}: it was left as it was")
            self.locked[table] = has

    async def _open_ledger(self, table: str) -> None:
        alike = sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE {})")
        async with self.connection.transaction():
            await self.connection.execute(LEDGER)
            await self.connection.execute(alike.format(sql.Identifier(f"{table}{ASIDE}"), sql.Identifier(table)))
            await self._execute(sql.SQL("INSERT INTO set_aside (name) VALUES (%s) ON CONFLICT DO NOTHING"), (table,))

    async def _close_ledger(self, table: str) -> None:
        async with self.connection.transaction():
            await self.connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"{table}{ASIDE}")))
            await self._execute(sql.SQL("DELETE FROM set_aside WHERE name = %s"), (table,))
            if not await under_way(self.connection):
                await self.connection.execute("DROP TABLE set_aside")

    # Asking ---------------------------------------------------------------------------------------------------------

    async def _content(self, table: str) -> Content:
        query = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(one::text, 0)::numeric), 0) FROM {} one")
        cursor = await self.connection.execute(query.format(sql.Identifier(table)))
        row = await cursor.fetchone()
        assert row is not None
        return Content(row[0], int(row[1]))

    async def _columns(self, table: str) -> list[str]:
        """Those that are stored; a generated one makes itself."""
        cursor = await self.connection.execute(
            """SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0
               AND NOT attisdropped AND attgenerated = '' ORDER BY attnum""",
            (table,),
        )
        return [str(name) for (name,) in await cursor.fetchall()]

    async def _pages(self, table: str) -> int:
        query = "SELECT pg_relation_size(to_regclass(%s)) / current_setting('block_size')::bigint"
        return int(await self._value(query, table))

    async def _is_plain(self, table: str) -> bool:
        """It is there, and no hypertable."""
        query = """SELECT to_regclass(%s) IS NOT NULL AND NOT EXISTS (
                       SELECT FROM timescaledb_information.hypertables
                       WHERE hypertable_schema = current_schema() AND hypertable_name = %s)"""
        return bool(await self._value(query, table, table))

    async def _value(self, query: str | sql.Composed, *arguments: str) -> Any:
        return await _value(self.connection, query, *arguments)

    async def _execute(self, statement: sql.SQL | sql.Composed, arguments: Sequence[str] | None = None) -> None:
        await self.connection.execute(statement, arguments)

    async def _giving_way(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await giving_way(self.connection, name, work, self.tell, self.patience)


def _moving(columns: Sequence[str], source: str, target: str) -> sql.Composed:
    way, table = ("back", target) if source.endswith(ASIDE) else ("aside", source)
    return sql.SQL(
        """WITH gone AS (DELETE FROM {source} WHERE ctid >= %s AND ctid < %s RETURNING {columns}),
           put AS (INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM gone RETURNING {columns}),
           made AS (SELECT count(*) AS rows, coalesce(sum(hashtextextended(put::text, 0)::numeric), 0) AS content FROM put)
           UPDATE set_aside SET {many} = {many} + made.rows, {sum} = {sum} + made.content FROM made WHERE name = {table}"""
    ).format(
        source=sql.Identifier(source),
        target=sql.Identifier(target),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        many=sql.Identifier(way),
        sum=sql.Identifier(f"{way}_sum"),
        table=sql.Literal(table),
    )


async def _value(connection: Link, query: str | sql.Composed, *arguments: str) -> Any:
    """The only value of the only row."""
    asked = query.encode() if isinstance(query, str) else query
    row = await (await connection.execute(asked, arguments or None)).fetchone()
    assert row is not None
    return row[0]
