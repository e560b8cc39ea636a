"""Migrations: the numbered SQL files beside this one, each applied once and in order.

A file may begin with ``-- requires: EXTENSION``: it waits until the server has that extension; and with
``-- no transaction``: its statements run one by one, outside a transaction, and must bear being run again. A file that
was applied never changes: its hash is kept and compared. One runner at a time, by an advisory lock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import sql

from gateway.clock import pause
from gateway.errors import GatewayError
from gateway.store import backups
from gateway.store.db import conninfo

LOCK = 7_305_816_042
LOCK_WAIT = 120.0
LOCK_POLL = 0.1
OPTIONAL_EXTENSIONS = ("timescaledb",)
HISTORY = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""


class MigrationChanged(GatewayError):
    """A migration that was already applied has another content now; add a new file instead."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, its SQL, and what its head says."""

    name: str
    statements: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.statements.encode()).hexdigest()

    @property
    def requires(self) -> str | None:
        found = re.match(r"-- requires: (\w+)\n", self.statements)
        return found.group(1) if found else None

    @property
    def in_transaction(self) -> bool:
        return not self.statements.startswith("-- no transaction\n")


def migrations() -> tuple[Migration, ...]:
    """Every migration there is, in order."""
    folder = files("gateway.store").joinpath("migrations")
    found = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    return tuple(Migration(each.name, each.read_text("utf-8")) for each in found)


async def migrate(url: str, every: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing of ours (or of these); answers the names applied. MigrationChanged, or what the server says."""
    await backups.refuse_half(url)
    wanted = migrations() if every is None else every
    async with _sole_runner(url) as connection:
        await connection.execute(HISTORY)
        extensions = await _extensions(connection)
        applied = await _applied(connection, wanted)
        missing = [each for each in wanted if each.name not in applied]
        runnable = [each for each in missing if each.requires is None or each.requires in extensions]
        for each in runnable:
            await _apply(connection, each)
        return [each.name for each in runnable]


async def pending(url: str, every: Sequence[Migration] | None = None) -> list[str]:
    """The names of migrations that this database lacks; those that wait for an extension are not missed."""
    await backups.refuse_half(url)
    wanted = migrations() if every is None else every
    connection = await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True)
    async with connection:
        cursor = await connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL")
        row = await cursor.fetchone()
        applied = await _applied(connection, wanted) if row and row[0] else frozenset()
        return [each.name for each in wanted if each.name not in applied and each.requires is None]


@asynccontextmanager
async def _sole_runner(url: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    connection = await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True)
    async with connection:
        await connection.execute("SET lock_timeout = '60s'; SET statement_timeout = '10min'")
        await _lock(connection)
        try:
            yield connection
        finally:
            await connection.execute(f"SELECT pg_advisory_unlock({LOCK})")


async def _lock(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """By asking again and again: a runner that waits inside a query would hold up a concurrent index build."""
    for _ in range(int(LOCK_WAIT / LOCK_POLL)):
        cursor = await connection.execute(f"SELECT pg_try_advisory_lock({LOCK})")
        row = await cursor.fetchone()
        if row and row[0]:
            return
        await pause(LOCK_POLL)
    raise TimeoutError(f"another migration has been running for {LOCK_WAIT:.0f} s")


async def _extensions(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> frozenset[str]:
    """The optional extensions that the database has; created where the server offers them and lets us."""
    for name in OPTIONAL_EXTENSIONS:
        cursor = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", (name,))
        if await cursor.fetchone():
            await _try_extension(connection, name)
    cursor = await connection.execute("SELECT extname FROM pg_extension")
    return frozenset(str(row[0]) for row in await cursor.fetchall())


async def _try_extension(connection: psycopg.AsyncConnection[tuple[object, ...]], name: str) -> None:
    try:
        await connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ConfigFileError, psycopg.errors.RaiseException):
        return  # not ours to create, or not preloaded: the plain table serves


async def _applied(
    connection: psycopg.AsyncConnection[tuple[object, ...]], wanted: Sequence[Migration]
) -> frozenset[str]:
    cursor = await connection.execute("SELECT name, hash FROM schema_migration")
    hashes = {str(name): hash_ for name, hash_ in await cursor.fetchall()}
    for each in wanted:
        if hashes.get(each.name, each.hash) != each.hash:
            raise MigrationChanged(f"{each.name} was applied with another content; put the change into a new file")
    return frozenset(hashes)


async def _apply(connection: psycopg.AsyncConnection[tuple[object, ...]], migration: Migration) -> None:
    record = "INSERT INTO schema_migration (name, hash) VALUES (%s, %s)"
    if migration.in_transaction:
        async with connection.transaction():
            await connection.execute(migration.statements.encode())
            await connection.execute(record, (migration.name, migration.hash), prepare=False)
        return
    for statement in _split(migration.statements):
        await _drop_broken_index(connection, statement)
        await connection.execute(statement.encode())
    await connection.execute(record, (migration.name, migration.hash), prepare=False)


async def _drop_broken_index(connection: psycopg.AsyncConnection[tuple[object, ...]], statement: str) -> None:
    """A concurrent build that was cut short leaves an invalid index behind, which IF NOT EXISTS would take for done."""
    found = re.match(
        r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", statement, re.IGNORECASE
    )
    if found is None:
        return
    cursor = await connection.execute(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", (found.group(1),)
    )
    if await cursor.fetchone():
        await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(found.group(1))))


def _split(statements: str) -> list[str]:
    """The statements of a file that has no semicolon inside one."""
    without_comments = re.sub(r"--.*", "", statements)
    return [each for each in without_comments.split(";") if each.strip()]
