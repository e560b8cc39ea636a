"""Bringing a database up to date while gateways work on it: each file beside this one is applied once, and in order.

A file that was applied never changes: its hash is kept and compared. One runner at a time, by an advisory lock; a process
that lacks nothing waits for none.

**Under load.** Whoever waits for a strong lock stands in front of everybody who comes after: an ``ALTER TABLE`` behind a long
report would stop the alarms. So a runner waits for locks for two seconds only, gives way, and tries again, each time a
little later (``Patience``). Where that does not end, it stops and says who holds them. Concurrent builds wait in nobody's way,
and as long as it takes. Batches rest as long as they worked.

**Cut short** anywhere, a file is run again by the next runner: in its transaction nothing of it is there; outside, its
statements bear it, and an index that was left broken is dropped first.

**A newer database.** Names that are none of ours come from a newer release, which expands before it contracts: we run on it, and
say so. A file that takes away what we use says since which release (``-- contracts``), and then we do not.
"""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

import psycopg
from psycopg import errors, sql
from psycopg.rows import TupleRow

from gateway.clock import monotonic, pause
from gateway.errors import GatewayError
from gateway.store import extension
from gateway.store.db import Connection, conninfo
from gateway.store.migration import Migration, Way, breaking, migrations, waiting_for

__all__ = ["Migration", "migrate", "migrations", "pending"]

Link = psycopg.AsyncConnection[TupleRow]

LOCK = 7_305_816_042
LOCK_WAIT = 600.0
LOCK_POLL = 0.1
STATEMENT_SECONDS = 300
"""How long one statement may take, a batch too. Concurrent builds may take longer."""
SMALL = 10_000
"""A table with more rows than that becomes a hypertable when somebody asks for it (gateway/store/convert.py)."""
ASIDE = "_set_aside"
"""The end of the name of a table's rows while it becomes one."""
HISTORY = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""
RECORD = "INSERT INTO schema_migration (name, hash, contracts) VALUES (%s, %s, %s)"
IN_THE_WAY = (errors.LockNotAvailable, errors.DeadlockDetected)
_CONCURRENT_INDEX = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.IGNORECASE
)


class MigrationChanged(GatewayError):
    """A migration that was already applied has another content now; add a new file instead."""


class MigrationStopped(GatewayError):
    """A migration did not get through; what it has done so far stands, and the next run goes on."""


class DatabaseTooNew(GatewayError):
    """A newer release has taken away what this one uses."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a lock, between tries (growing from first to longest), and until it stops."""

    lock: float = 2.0
    first: float = 0.5
    longest: float = 15.0
    whole: float = 600.0


class What(StrEnum):
    """What a runner tells of."""

    BEGINS = "begins"
    APPLIED = "applied"
    AGAIN = "again"
    MOVED = "moved"
    WAITS = "waits"
    BUSY = "busy"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a runner does, or waits for."""

    what: What
    name: str
    detail: str = ""

    def __str__(self) -> str:
        if self.what is What.APPLIED:
            return f"applied {self.name} {self.detail}"
        return f"{self.name}: {self.detail or self.what}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a database is. ``waiting``: file and what for; ``unknown``: of a newer release, and what they contract."""

    applied: frozenset[str]
    missing: tuple[str, ...]
    waiting: tuple[tuple[str, str], ...]
    unknown: dict[str, str | None]


Tell = Callable[[Told], None]


def silent(_: Told) -> None:
    """Nobody listens."""


async def migrate(
    url: str, every: Sequence[Migration] | None = None, tell: Tell = silent, patience: Patience | None = None
) -> list[str]:
    """Apply what is missing of ours (or of these); answers the names applied. MigrationChanged, MigrationStopped,
    DatabaseTooNew, or what the server says."""
    wanted = migrations() if every is None else every
    if any(each.requires for each in wanted):
        await extension.create_where_offered(url)
    found = await standing(url, wanted)
    _refuse_too_new(found)
    if found.unknown:
        tell(Told(What.NEWER, ", ".join(sorted(found.unknown)), "of a newer release: this one runs on it"))
    if not found.missing:
        _tell_waiting(found, tell)
        return []
    async with sole_runner(url, tell) as connection:
        return await apply_missing(connection, wanted, tell, patience or Patience())


async def pending(url: str, every: Sequence[Migration] | None = None) -> list[str]:
    """The names of migrations that this database lacks; those that wait for an extension are not missed."""
    return list((await standing(url, every)).missing)


async def standing(url: str, every: Sequence[Migration] | None = None) -> Standing:
    """How far a database is, without a change to it. MigrationChanged."""
    wanted = migrations() if every is None else every
    async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
        rows = await _rows(connection)
        applied = _known(rows, wanted)
        extensions = await extension.created(connection)
        missing: list[str] = []
        waiting: list[tuple[str, str]] = []
        held: set[str] = set()
        for each in wanted:
            if each.name not in applied:
                why = await _waits(connection, each, extensions, held)
                if why is None:
                    missing.append(each.name)
                else:
                    waiting.append((each.name, why))
        ours = {each.name for each in wanted}
        unknown = {name: contracts for name, (_, contracts) in rows.items() if name not in ours}
        return Standing(applied, tuple(missing), tuple(waiting), unknown)


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
async def sole_runner(url: str, tell: Tell) -> AsyncIterator[Link]:
    """A connection outside of a transaction, while no other runner has one."""
    connection = await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True)
    async with connection:
        await _lock(connection, tell)
        try:
            await _prepare_history(connection)
            yield connection
        finally:
            if not connection.broken:
                await connection.execute(f"SELECT pg_advisory_unlock({LOCK})")


async def apply_missing(connection: Link, wanted: Sequence[Migration], tell: Tell, patience: Patience) -> list[str]:
    """What another runner has applied meanwhile is looked for anew."""
    extensions = await extension.created(connection)
    applied = _known(await _rows(connection), wanted)
    held: set[str] = set()
    done: list[str] = []
    for each in wanted:
        if each.name in applied:
            continue
        why = await _waits(connection, each, extensions, held)
        if why is not None:
            tell(Told(What.WAITS, each.name, why))
            continue
        await apply(connection, each, tell, patience)
        done.append(each.name)
    return done


async def apply(connection: Link, migration: Migration, tell: Tell, patience: Patience) -> None:
    """Run one file, and note it down. MigrationStopped."""
    began = monotonic()
    tell(Told(What.BEGINS, migration.name, f"begins, {migration.way}"))
    note = (migration.name, migration.hash, migration.contracts)
    if migration.way is Way.WHOLE:

        async def whole() -> None:
            async with connection.transaction():
                await connection.execute(migration.statements.encode())
                await connection.execute(RECORD, note, prepare=False)

        await giving_way(connection, migration.name, whole, tell, patience)
    else:
        for statement in migration.parts:
            await _outside(connection, migration, statement, tell, patience)
        await connection.execute(RECORD, note, prepare=False)
    tell(Told(What.APPLIED, migration.name, f"in {monotonic() - began:.1f} s"))


async def giving_way(
    connection: Link, name: str, work: Callable[[], Awaitable[None]], tell: Tell, patience: Patience
) -> None:
    """Do the work; where somebody holds what it needs, again and again, until the patience is at its end. MigrationStopped."""
    until = monotonic() + patience.whole
    wait, times = patience.first, 1
    while True:
        await _limit(connection, patience.lock)
        try:
            return await work()
        except IN_THE_WAY as error:
            holder = await _oldest(connection)
            if monotonic() > until:
                raise MigrationStopped(f"{name}: not let in after {times} tries: {_line(error)}{holder}") from None
            tell(Told(What.AGAIN, name, f"gives way ({_line(error)}){holder}; again in {wait:.1f} s (try {times + 1})"))
        except errors.QueryCanceled as error:
            raise MigrationStopped(f"{name}: {_line(error)} (a statement has {STATEMENT_SECONDS} s)") from None
        await pause(wait * random.uniform(0.8, 1.2))  # noqa: S311 - spreads tries, no secret
        wait, times = min(wait * 2, patience.longest), times + 1


async def in_batches(connection: Link, name: str, statement: str, tell: Tell, patience: Patience) -> int:
    """Run a statement until it touches nothing; answers the rows. It rests as long as it worked: others come through."""
    rows, last_told = 0, monotonic()
    touched = 1

    async def once() -> None:
        nonlocal touched
        touched = (await connection.execute(statement.encode())).rowcount

    while touched > 0:
        began = monotonic()
        await giving_way(connection, name, once, tell, patience)
        rows += touched
        if touched and monotonic() - last_told > 5:
            last_told = monotonic()
            tell(Told(What.MOVED, name, f"{rows:,} rows so far"))
        await pause(min(monotonic() - began, 1.0) if touched > 0 else 0)
    tell(Told(What.MOVED, name, f"{rows:,} rows"))
    return rows


# ----------------------------------------------------------------------------------------------------------------------


async def _outside(connection: Link, migration: Migration, statement: str, tell: Tell, patience: Patience) -> None:
    if migration.way is Way.BATCHES:
        await in_batches(connection, migration.name, statement, tell, patience)
        return
    index = _CONCURRENT_INDEX.match(statement)

    async def one() -> None:
        if index is not None:
            await _drop_broken_index(connection, index.group(1))
            await _limit(connection, None)
        await connection.execute(statement.encode())

    await giving_way(connection, migration.name, one, tell, patience)


async def _drop_broken_index(connection: Link, name: str) -> None:
    """A concurrent build that was cut short leaves an invalid index behind, which IF NOT EXISTS would take for done."""
    await _limit(connection, None)
    cursor = await connection.execute(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", (name,), prepare=False
    )
    if await cursor.fetchone():
        await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(name)))


async def _limit(connection: Link, lock_seconds: float | None) -> None:
    """None: it is in nobody's way, and may wait and work as long as it takes."""
    lock = int((lock_seconds or 0) * 1000)
    statement = STATEMENT_SECONDS * 1000 if lock_seconds is not None else 0
    await connection.execute(f"SET lock_timeout = {lock}; SET statement_timeout = {statement}")


async def _oldest(connection: Link) -> str:
    """Who most likely holds what we wait for; as far as we may see."""
    cursor = await connection.execute(
        """SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity
           WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
           ORDER BY xact_start LIMIT 1""",
        prepare=False,
    )
    row = await cursor.fetchone()
    return f"; the oldest open transaction is {row[0]}'s ({row[1] or 'no name'}), {row[2]} s" if row else ""


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
                          AND attname = 'contracts' AND NOT attisdropped)""",
        prepare=False,
    )
    row = await cursor.fetchone()
    if not (row and row[0]):
        await connection.execute(HISTORY)
        await connection.execute("ALTER TABLE schema_migration ADD COLUMN IF NOT EXISTS contracts text")


async def _rows(connection: Link) -> dict[str, tuple[str, str | None]]:
    """What was applied: name, hash and what it contracts. Databases of earlier days have no such column."""
    cursor = await connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL", prepare=False)
    row = await cursor.fetchone()
    if not (row and row[0]):
        return {}
    cursor = await connection.execute(
        "SELECT name, hash, to_jsonb(m) ->> 'contracts' FROM schema_migration m", prepare=False
    )
    return {str(name): (str(hash_), _text(contracts)) for name, hash_, contracts in await cursor.fetchall()}


def _known(rows: dict[str, tuple[str, str | None]], wanted: Sequence[Migration]) -> frozenset[str]:
    for each in wanted:
        if rows.get(each.name, (each.hash, None))[0] != each.hash:
            raise MigrationChanged(f"{each.name} was applied with another content; put the change into a new file")
    return frozenset(rows)


async def _waits(connection: Link, migration: Migration, extensions: frozenset[str], held: set[str]) -> str | None:
    """What a file waits for, in words. Once one waits, all later ones of that extension do: they build on it."""
    needed = waiting_for(migration, extensions, held)
    large = None if needed else await _large(connection, migration)
    if needed is None and large is None:
        return None
    assert migration.requires is not None
    held.add(migration.requires)
    if migration.requires not in extensions:
        return f"waits for the extension {migration.requires}"
    what = f"{large} has more than {SMALL:,} rows, or is half way" if large else "builds on one that waits"
    return f"{what}: run `hjemmevakt migrate --to-hypertables`"


async def _large(connection: Link, migration: Migration) -> str | None:
    """A table that this file makes a hypertable of, and that has too many rows for that to happen by itself, or is on its way."""
    for table in migration.converts:
        cursor = await connection.execute(
            "SELECT to_regclass(%s) IS NOT NULL, to_regclass(%s) IS NOT NULL", (table, f"{table}{ASIDE}"), prepare=False
        )
        there, aside = await cursor.fetchone() or (False, False)
        if aside:
            return table
        if not there:
            continue
        count = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) few").format(
            sql.Identifier(table), sql.Literal(SMALL + 1)
        )
        row = await (await connection.execute(count, prepare=False)).fetchone()
        if row and row[0] > SMALL:
            return table
    return None


def _refuse_too_new(found: Standing) -> None:
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


def _line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip()


def _text(value: object) -> str | None:
    return str(value) if value is not None else None
