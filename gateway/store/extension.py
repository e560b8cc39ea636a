"""TimescaleDB, where it is: the optional extension, created where the server offers it and lets us.

It has to be preloaded by the server, and only some may create it. Where it is not to be had, the plain tables serve, and
nobody is stopped; whoever asks for it by name (`hjemmevakt migrate --to-hypertables`) is told what is in the way.
"""

from __future__ import annotations

from typing import Any

import psycopg

from gateway.errors import GatewayError
from gateway.store.db import conninfo

TIMESCALE = "timescaledb"


class ExtensionMissing(GatewayError):
    """TimescaleDB cannot be used here: why, and what to do."""


async def created(connection: psycopg.AsyncConnection[Any]) -> frozenset[str]:
    """The extensions that this database has."""
    cursor = await connection.execute("SELECT array_agg(extname::text) AS names FROM pg_extension")
    row = await cursor.fetchone()
    names = (row["names"] if isinstance(row, dict) else row[0]) if row else None
    return frozenset(names or ())


async def create_where_offered(url: str) -> None:
    """Quietly: where it cannot be, plain tables serve."""
    try:
        await create(url)
    except ExtensionMissing:
        return


async def create(url: str) -> None:
    """The database has it afterwards. On a connection of its own, whose first statement it is: a server that has not preloaded
    it ends the connection, and a library that was loaded before stays. ExtensionMissing; or the server is away."""
    async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
        if TIMESCALE in await created(connection):
            return
        cursor = await connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", (TIMESCALE,))
        if not await cursor.fetchone():
            raise ExtensionMissing(
                "the server does not have TimescaleDB: install the package timescaledb-2 for its version of PostgreSQL, set"
                " shared_preload_libraries = 'timescaledb' in postgresql.conf, and restart it"
            )
    async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        except psycopg.errors.UniqueViolation:
            return  # somebody else was as quick
        except psycopg.errors.InsufficientPrivilege:
            raise ExtensionMissing(
                "this account may not create TimescaleDB here: have a superuser say CREATE EXTENSION timescaledb in this"
                " database, and run this again"
            ) from None
        except psycopg.Error as error:
            told = (error.diag.message_primary or str(error)).strip()
            raise ExtensionMissing(
                f"TimescaleDB cannot be used ({told}): set shared_preload_libraries = 'timescaledb' in postgresql.conf,"
                " and restart the server"
            ) from None
