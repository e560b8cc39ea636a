"""What a connection of ours has committed outlives the database's end, whatever the administrator has set for others."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import sql

from gateway.embedded import EmbeddedPostgres
from gateway.store.db import Connection, Database, opened
from tests.support.databases import short_folder

LAZY = ("synchronous_commit = off", "wal_writer_delay = '10s'")
"""A commit is answered at once, and written ten seconds later."""


async def shown(database: Database) -> str:
    async def ask(connection: Connection) -> str:
        row = await (await connection.execute("SHOW synchronous_commit")).fetchone()
        assert row is not None
        return str(row["synchronous_commit"])

    return await database.run(ask)


async def set_for(url: str, whom: str, value: str) -> None:
    """For the role, or for the database."""
    name = {"ROLE": "current_user", "DATABASE": "current_database()"}[whom]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        row = await (await connection.execute(sql.SQL("SELECT {}").format(sql.SQL(name)))).fetchone()
        assert row is not None
        alter = sql.SQL("ALTER {} {} SET synchronous_commit = {}")
        await connection.execute(alter.format(sql.SQL(whom), sql.Identifier(row[0]), sql.Literal(value)))


@pytest.mark.parametrize(
    ("chosen", "ours"),
    [
        ("off", "local"),
        ("on", "on"),
        ("local", "local"),
        ("remote_write", "remote_write"),
        ("remote_apply", "remote_apply"),
    ],
)
async def test_what_is_chosen_stands_unless_it_does_not_wait_for_the_disk(
    database_url: str, chosen: str, ours: str
) -> None:
    await set_for(database_url, "DATABASE", chosen)
    async with opened(database_url) as database:
        assert await shown(database) == ours


def insert(number: int) -> str:
    return f"INSERT INTO promised VALUES ({number})"


async def kept(url: str) -> list[int]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return [row[0] for row in await (await connection.execute("SELECT number FROM promised")).fetchall()]


async def test_what_we_committed_is_there_after_a_kill_and_what_others_did_is_not() -> None:
    with short_folder() as folder, EmbeddedPostgres(folder, durable=False) as postgres:
        await set_for(postgres.url, "ROLE", "off")
        async with await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as admin:
            for each in LAZY:
                await admin.execute(f"ALTER SYSTEM SET {each}".encode())
            await admin.execute("SELECT pg_reload_conf()")
            await admin.execute("CREATE TABLE promised (number int)")
            await admin.execute("CHECKPOINT")
        async with opened(postgres.url) as database:
            await database.run(lambda each: each.execute(insert(1).encode()))
            async with await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as other:
                await other.execute(insert(2).encode())
                await asyncio.to_thread(postgres.crash)
        await asyncio.to_thread(postgres.recover)
        assert await kept(postgres.url) == [1]


async def test_a_reload_takes_it_from_no_connection_that_is_open() -> None:
    with short_folder() as folder, EmbeddedPostgres(folder) as postgres:
        async with (
            opened(postgres.url, size=1) as database,
            await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as admin,
        ):
            assert await shown(database) == "on"
            await admin.execute("ALTER SYSTEM SET synchronous_commit = off")
            await admin.execute("SELECT pg_reload_conf()")
            async with asyncio.timeout(60):
                while (await (await admin.execute("SHOW synchronous_commit")).fetchone()) != ("off",):
                    await asyncio.sleep(0.05)
            assert await shown(database) == "on"
