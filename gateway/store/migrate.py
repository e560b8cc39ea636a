"""Bringing a database up to date while gateways work on it: each file beside this one is applied once, and in order.

A file that was applied never changes: its hash is kept and compared. One runner at a time, by an advisory lock; a process
that lacks nothing waits for none.

How a step gets through without holding up others is in ``stepping.py``; what the files may say of themselves in ``migration.py``.

**Cut short** anywhere, a file is run again by the next runner: in its transaction nothing of it is there; outside, its
statements bear it, and an index that was left broken is dropped first.

**A newer database.** Names that are none of ours come from a newer release, which expands before it contracts: we run on it, and
say so. A file that takes away what we use says since which release (``-- contracts``), and then we do not.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import psycopg
from psycopg import sql

from gateway.clock import monotonic, pause
from gateway.errors import GatewayError
from gateway.store import backups, extension
from gateway.store.aside import under_way
from gateway.store.db import Connection, conninfo
from gateway.store.migration import Migration, Way, breaking, migrations
from gateway.store.stepping import (
    Link,
    MigrationStopped,
    Patience,
    Tell,
    Told,
    What,
    giving_way,
    in_batches,
    limit,
    silent,
)

__all__ = ["Migration", "migrate", "migrations", "pending"]

LOCK = 7_305_816_042
LOCK_WAIT = 600.0
LOCK_POLL = 0.1
SMALL = 10_000
"""A table with more rows than that becomes a hypertable when somebody asks for it (gateway/store/convert.py)."""
HISTORY = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""
RECORD = "INSERT INTO schema_migration (name, hash, contracts) VALUES (%s, %s, %s)"
_CONCURRENT_INDEX = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.IGNORECASE
)


class MigrationChanged(GatewayError):
    """A migration that was already applied has another content now; add a new file instead."""


class DatabaseTooNew(GatewayError):
    """A newer release has taken away what this one uses."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a database is. ``waiting``: file and what for; ``unknown``: of a newer release, and what they contract."""

    applied: frozenset[str]
    missing: tuple[str, ...]
    waiting: tuple[tuple[str, str], ...]
    unknown: dict[str, str | None]


Compared = Callable[[], contextlib.AbstractAsyncContextManager[None]]


async def migrate(
    url: str, every: Sequence[Migration] | None = None, tell: Tell = silent, patience: Patience | None = None
) -> list[str]:
    """Apply what is missing of ours (or of these); answers the names applied. MigrationChanged, MigrationStopped,
    DatabaseTooNew, or what the server says."""
    await backups.refuse_half(url)
    wanted = migrations() if every is None else every
    if any(each.requires for each in wanted):
        await extension.create_where_offered(url)
    found = await standing(url, wanted)
    refuse_too_new(found)
    if found.unknown:
        tell(Told(What.NEWER, ", ".join(sorted(found.unknown)), "of a newer release: this one runs on it"))
    if not found.missing:
        _tell_waiting(found, tell)
        return []
    async with sole_runner(url, tell, patience) as connection:
        return await apply_missing(connection, wanted, tell, patience or Patience())


async def pending(url: str, every: Sequence[Migration] | None = None) -> list[str]:
    """The names of migrations that this database lacks; those that wait for an extension are not missed."""
    return list((await standing(url, every)).missing)


async def standing(url: str, every: Sequence[Migration] | None = None) -> Standing:
    """How far a database is, without a change to it. MigrationChanged; or it is not whole (gateway/store/backups.py)."""
    await backups.refuse_half(url)
    wanted = migrations() if every is None else every
    async with await _connected(url) as connection:
        rows = await _rows(connection)
        known = _known(rows, wanted)
        extensions = await extension.created(connection)
        missing: list[str] = []
        waiting: list[tuple[str, str]] = []
        held: set[str] = set()
        for each in wanted:
            if each.name not in known:
                why = await _waits(connection, each, extensions, held)
                if why is None:
                    missing.append(each.name)
                else:
                    waiting.append((each.name, why))
        ours = {each.name for each in wanted}
        unknown = {name: contracts for name, (_, contracts) in rows.items() if name not in ours}
        return Standing(known, tuple(missing), tuple(waiting), unknown)


async def newer(connection: Connection) -> dict[str, str | None]:
    """Migrations of a newer release, and what each contracts. For /health: they come while we run."""
    cursor = await connection.execute(
        "SELECT name, to_jsonb(m) ->> 'contracts' AS contracts FROM schema_migration m WHERE name <> ALL(%s)",
        ([each.name for each in migrations()],),
    )
    return {str(row["name"]): _text(row["contracts"]) for row in await cursor.fetchall()}


def outdated(unknown: dict[str, str | None]) -> list[str]:
    """Of these, the migrations that took away what this release uses."""
    return breaking(unknown, version("hjemmevakt"))


# ----------------------------------------------------------------------------------------------------------------------
# For gateway/store/convert.py, too


@asynccontextmanager
async def sole_runner(url: str, tell: Tell, patience: Patience | None = None) -> AsyncIterator[Link]:
    """A connection outside of a transaction, while no other runner has one."""
    connection = await _connected(url)
    async with connection:
        await _lock(connection, tell)
        try:
            await giving_way(
                connection, "schema_migration", partial(_prepare_history, connection), tell, patience or Patience()
            )
            yield connection
        finally:
            if not connection.broken:
                await connection.execute(f"SELECT pg_advisory_unlock({LOCK})")


async def apply_missing(connection: Link, wanted: Sequence[Migration], tell: Tell, patience: Patience) -> list[str]:
    """What another runner has applied meanwhile is looked for anew."""
    extensions = await extension.created(connection)
    known = await applied(connection, wanted)
    held: set[str] = set()
    done: list[str] = []
    for each in wanted:
        if each.name in known:
            continue
        why = await _waits(connection, each, extensions, held)
        if why is not None:
            tell(Told(What.WAITS, each.name, why))
            continue
        await apply(connection, each, tell, patience)
        done.append(each.name)
    return done


async def applied(connection: Link, wanted: Sequence[Migration]) -> frozenset[str]:
    """The names of what was applied. MigrationChanged."""
    return _known(await _rows(connection), wanted)


async def apply(
    connection: Link, migration: Migration, tell: Tell, patience: Patience, compared: Compared = contextlib.nullcontext
) -> None:
    """Run one file, and note it down. MigrationStopped. ``compared``: around the statements, in the same transaction."""
    began = monotonic()
    tell(Told(What.BEGINS, migration.name, f"begins, {migration.way}"))
    note = (migration.name, migration.hash, migration.contracts)
    if migration.way is Way.WHOLE:

        async def whole() -> None:
            async with connection.transaction():
                async with compared():
                    await connection.execute(migration.statements.encode())
                await connection.execute(RECORD, note)

        await giving_way(connection, migration.name, whole, tell, patience)
    else:
        for statement in migration.parts:
            await _outside(connection, migration, statement, tell, patience)
        await connection.execute(RECORD, note)
    tell(Told(What.APPLIED, migration.name, f"in {monotonic() - began:.1f} s"))


# ----------------------------------------------------------------------------------------------------------------------


async def _connected(url: str) -> Link:
    """Outside of a transaction. Nothing is prepared: what is planned on one schema is run on the next."""
    return await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True, prepare_threshold=None)


async def _outside(connection: Link, migration: Migration, statement: str, tell: Tell, patience: Patience) -> None:
    if migration.way is Way.BATCHES:
        await in_batches(connection, migration.name, statement, tell, patience)
        return
    index = _CONCURRENT_INDEX.match(statement)

    async def one() -> None:
        if index is not None:
            await _drop_broken_index(connection, index.group(1))
            await limit(connection, None)
        await connection.execute(statement.encode())

    await giving_way(connection, migration.name, one, tell, patience)


async def _drop_broken_index(connection: Link, name: str) -> None:
    """A concurrent build that was cut short leaves an invalid index behind, which IF NOT EXISTS would take for done."""
    await limit(connection, None)
    cursor = await connection.execute(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", (name,)
    )
    if await cursor.fetchone():
        await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(name)))


async def _lock(connection: Link, tell: Tell) -> None:
    """By asking again and again: a runner that waits inside a query would hold up a concurrent index build."""
    began, told = monotonic(), False
    while monotonic() - began < LOCK_WAIT:
        cursor = await connection.execute(f"SELECT pg_try_advisory_lock({LOCK})")
        row = await cursor.fetchone()
        if row and row[0]:
            return
        if not told:
            told = True
            tell(Told(What.BUSY, "another runner is at work", "waiting for it"))
        await pause(LOCK_POLL)
    raise MigrationStopped(f"another migration has been running for {LOCK_WAIT:.0f} s; wait for it, and run this again")


async def _prepare_history(connection: Link) -> None:
    """Nothing is done where it is as it should be: who may only read and write can run on a database that is up to date."""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('schema_migration')
                          AND attname = 'contracts' AND NOT attisdropped)"""
    )
    row = await cursor.fetchone()
    if not (row and row[0]):
        await connection.execute(HISTORY)
        await connection.execute("ALTER TABLE schema_migration ADD COLUMN IF NOT EXISTS contracts text")


async def _rows(connection: Link) -> dict[str, tuple[str, str | None]]:
    """What was applied: name, hash and what it contracts. Databases of earlier days have no such column."""
    cursor = await connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL")
    row = await cursor.fetchone()
    if not (row and row[0]):
        return {}
    cursor = await connection.execute("SELECT name, hash, to_jsonb(m) ->> 'contracts' FROM schema_migration m")
    return {str(name): (str(hash_), _text(contracts)) for name, hash_, contracts in await cursor.fetchall()}


def _known(rows: dict[str, tuple[str, str | None]], wanted: Sequence[Migration]) -> frozenset[str]:
    for each in wanted:
        if rows.get(each.name, (each.hash, None))[0] != each.hash:
            raise MigrationChanged(f"{each.name} was applied with another content; put the change into a new file")
    return frozenset(rows)


async def _waits(connection: Link, migration: Migration, extensions: frozenset[str], held: set[str]) -> str | None:
    """What a file waits for, in words. Once one waits, all later ones of that extension do: they build on it."""
    needed = migration.requires
    if needed is None:
        return None
    if needed not in extensions:
        held.add(needed)
        return f"waits for the extension {needed}"
    why = "builds on one that waits" if needed in held else await _large(connection, migration)
    if why is None:
        return None
    held.add(needed)
    return f"{why}: run `hjemmevakt migrate --to-hypertables`"


async def _large(connection: Link, migration: Migration) -> str | None:
    """Why this file does not make hypertables by itself, or None: a table has too many rows, or some are set aside."""
    half_way = await under_way(connection)
    if half_way:
        return f"{half_way[0]} is half way"
    for table in migration.converts:
        cursor = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
        row = await cursor.fetchone()
        if not (row and row[0]):
            continue
        count = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) few").format(
            sql.Identifier(table), sql.Literal(SMALL + 1)
        )
        row = await (await connection.execute(count)).fetchone()
        if row and row[0] > SMALL:
            return f"{table} has more than {SMALL:,} rows"
    return None


def refuse_too_new(found: Standing) -> None:
    """DatabaseTooNew."""
    gone = outdated(found.unknown)
    if gone:
        release = version("hjemmevakt")
        needed = found.unknown[gone[-1]]
        raise DatabaseTooNew(
            f"the database is of a newer release: {', '.join(gone)} took away what {release} uses; install {needed} or newer"
        )


def _tell_waiting(found: Standing, tell: Tell) -> None:
    for name, why in found.waiting:
        tell(Told(What.WAITS, name, why))


def _text(value: object) -> str | None:
    return str(value) if value is not None else None
