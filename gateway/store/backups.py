"""What backup and restore ask of a database: its versions, how much is in it, whether it is whole, and what waits there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from gateway.clock import pause
from gateway.errors import GatewayError
from gateway.store import audit
from gateway.store.audit import Audited
from gateway.store.db import Connection, conninfo
from gateway.store.sites import MARK

TRIES, A_MOMENT = 10, 0.2
ENVIRONMENT = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER",
    "password": "PGPASSWORD", "passfile": "PGPASSFILE", "service": "PGSERVICE", "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "gssencmode": "PGGSSENCMODE", "channel_binding": "PGCHANNELBINDING", "target_session_attrs": "PGTARGETSESSIONATTRS",
}  # fmt: skip


class HalfRestored(GatewayError):
    """A restore into this database has not ended: run it again, or create the database anew."""


class DatabaseRefused(GatewayError):
    """The database cannot be reached, or does not do what it was asked."""


@contextmanager
def plainly(mend: str = "") -> Iterator[None]:
    """What the database answers is a line, with how to go on. DatabaseRefused."""
    try:
        yield
    except psycopg.Error as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DatabaseRefused("\n".join([f"the database: {said}", *([mend] if mend else [])])) from error


def environment(url: str) -> dict[str, str]:
    """How to connect, as PostgreSQL's own programs read it from their environment."""
    given = conninfo_to_dict(url)
    return {ENVIRONMENT[name]: str(value) for name, value in given.items() if name in ENVIRONMENT and value is not None}


def database_name(url: str) -> str:
    """As an argument that is a name whatever is in it."""
    name = str(conninfo_to_dict(url).get("dbname", "")).replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{name}'"


@asynccontextmanager
async def patient(url: str) -> AsyncIterator[Connection]:
    """A connection on which a statement, and a transaction that stands still, may last."""
    connection = await psycopg.AsyncConnection.connect(conninfo(url, "backup"), autocommit=True, row_factory=dict_row)
    async with connection:
        await connection.execute(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '1min'"
        )
        yield connection


@asynccontextmanager
async def snapshot(connection: Connection) -> AsyncIterator[str]:
    """A transaction in which all that is read is of one moment, and its name for others to read the same."""
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = await _row(connection, "SELECT pg_export_snapshot() AS name")
        yield str(row["name"])


async def versions(connection: Connection) -> tuple[int, str | None, list[str]]:
    """Of the server, as 170004; of TimescaleDB in this database; and of those that the server offers."""
    row = await _row(
        connection,
        """SELECT current_setting('server_version_num')::int AS server,
                  (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
                  ARRAY(SELECT version FROM pg_available_extension_versions WHERE name = 'timescaledb') AS offered""",
    )
    return row["server"], row["timescaledb"], list(row["offered"])


async def is_superuser(connection: Connection) -> bool:
    row = await _row(connection, "SELECT rolsuper AS it FROM pg_roles WHERE rolname = current_user")
    return bool(row["it"])


async def processes(connection: Connection) -> list[str]:
    """Our other processes that are connected to this database, as the server shows them; who is just leaving is waited for."""
    for _ in range(TRIES):
        if not await _connected(connection):
            return []
        await pause(A_MOMENT)
    return await _connected(connection)


async def _connected(connection: Connection) -> list[str]:
    cursor = await connection.execute(
        """SELECT DISTINCT application_name AS name FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'hjemmevakt%' ORDER BY 1"""
    )
    return [row["name"] for row in await cursor.fetchall()]


async def tables(connection: Connection) -> list[str]:
    """Our tables: what is in our schema and of no extension."""
    cursor = await connection.execute(
        """SELECT c.relname AS name FROM pg_class c
           WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> %s
             AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                               AND d.deptype = 'e') ORDER BY c.relname""",
        (MARK,),
    )
    return [row["name"] for row in await cursor.fetchall()]


async def counts(connection: Connection) -> dict[str, int]:
    """Rows by table."""
    found = {}
    for table in await tables(connection):
        query = sql.SQL("SELECT count(*) AS n FROM {}").format(sql.Identifier(table))
        cursor = await connection.execute(query)
        found[table] = int((await cursor.fetchone() or {"n": 0})["n"])
    return found


async def migrations(connection: Connection) -> list[str]:
    cursor = await connection.execute("SELECT name FROM schema_migration ORDER BY name")
    return [row["name"] for row in await cursor.fetchall()]


# Restoring --------------------------------------------------------------------------------------------------------------


WITHIN = "hjemmevakt.restoring"


def within_restore(url: str) -> str:
    """For who restores: the mark does not keep them out."""
    given = str(conninfo_to_dict(url).get("options") or "")
    return make_conninfo(url, options=f"{given} -c {WITHIN}=on".strip())


async def refuse_half(url: str) -> None:
    """HalfRestored, for whoever is not restoring, where a restore into the database has not ended."""
    async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as connection:
        cursor = await connection.execute(
            "SELECT 1 WHERE to_regclass(%s) IS NOT NULL AND current_setting(%s, true) IS DISTINCT FROM 'on'",
            (MARK, WITHIN),
        )
        if await cursor.fetchone() is not None:
            raise HalfRestored("a restore into this database has not ended: run it again, or create the database anew")


async def is_half(connection: Connection) -> bool:
    """Whether a restore into this database has not ended."""
    return bool((await _row(connection, f"SELECT to_regclass('{MARK}') IS NOT NULL AS half"))["half"])


async def mark(connection: Connection) -> None:
    """A restore has begun: no gateway works here before it has ended."""
    await connection.execute(f"CREATE TABLE IF NOT EXISTS {MARK} ()")


async def unmark(connection: Connection) -> None:
    await connection.execute(f"DROP TABLE {MARK}")


async def before_restore(connection: Connection, timescaledb: str | None) -> None:
    """TimescaleDB has to know that its own tables are filled from outside."""
    if timescaledb is not None:
        version = sql.Literal(timescaledb)
        await connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS timescaledb VERSION {}").format(version))
        await connection.execute("SELECT timescaledb_pre_restore()")


async def after_restore(connection: Connection, timescaledb: str | None) -> None:
    if timescaledb is not None:
        await connection.execute("SELECT timescaledb_post_restore()")


INVARIANTS = {
    "an alert that is not closed has a due_at": "SELECT count(*) AS n FROM alert WHERE (closed_at IS NULL) <> (due_at IS NOT NULL)",
    "an alert has a timeline": "SELECT count(*) AS n FROM alert a WHERE NOT EXISTS (SELECT 1 FROM alert_entry e WHERE e.alert_id = a.id)",
    "an alert is open once": """SELECT count(*) AS n FROM (
        SELECT key FROM alert WHERE closed_at IS NULL GROUP BY key HAVING count(*) > 1) twice""",
    "a page that is to be sent has a due_at": "SELECT count(*) AS n FROM page WHERE (state IN ('queued', 'leased')) <> (due_at IS NOT NULL)",
    "a watch that waits has a due_at": "SELECT count(*) AS n FROM watch WHERE state = 'waiting' AND due_at IS NULL",
    "an open command has a due_at": "SELECT count(*) AS n FROM command WHERE (settled_at IS NULL) <> (due_at IS NOT NULL)",
    "every constraint holds": "SELECT count(*) AS n FROM pg_constraint WHERE NOT convalidated",
    "every index is whole": "SELECT count(*) AS n FROM pg_index WHERE NOT indisvalid",
    "audit and timeline are append-only": """SELECT 2 - count(*) AS n FROM pg_trigger
        WHERE tgname IN ('audit_append_only', 'alert_entry_append_only') AND tgenabled = 'O'""",
    "new rows get new ids": """SELECT count(*) AS n FROM alert
        WHERE id > (SELECT last_value FROM pg_sequences WHERE sequencename = 'alert_id_seq')""",
}  # fmt: skip
"""What holds in every database of ours: how many rows break it."""


async def broken(connection: Connection) -> list[str]:
    """Which of them do not hold."""
    found = []
    for name, query in INVARIANTS.items():
        if (await _row(connection, query))["n"]:
            found.append(name)
    return found


async def take_over(connection: Connection, made_at: datetime, now: datetime, *, sign_out: bool) -> None:
    """No process that the backup knew has anything here: epochs grow, leases are over. Who is signed in stays so, unless
    they are to sign in again."""
    await connection.execute("UPDATE site_lane SET epoch = epoch + 1, holder = NULL, taken_at = NULL")
    await connection.execute("DELETE FROM gateway")
    if sign_out:
        await connection.execute("DELETE FROM session")
    await audit.add(
        connection, now, (Audited("database.restored", "database", params={"made_at": made_at.isoformat()}),)
    )


async def waiting(connection: Connection, now: datetime) -> Mapping[str, Any]:
    """What goes on as soon as a gateway starts: ``alerts`` that are open, the ``oldest`` of them, how many are ``overdue``;
    ``pages`` to be sent, ``watches`` that are due, ``commands`` that are open, ``sessions``."""
    return await _row(
        connection,
        """SELECT (SELECT count(*) FROM alert WHERE closed_at IS NULL) AS alerts,
                  (SELECT min(raised_at) FROM alert WHERE closed_at IS NULL) AS oldest,
                  (SELECT count(*) FROM alert WHERE due_at <= %(now)s) AS overdue,
                  (SELECT count(*) FROM page WHERE due_at IS NOT NULL) AS pages,
                  (SELECT count(*) FROM watch WHERE due_at <= %(now)s) AS watches,
                  (SELECT count(*) FROM command WHERE due_at IS NOT NULL) AS commands,
                  (SELECT count(*) FROM session) AS sessions""",
        now=now,
    )


async def _row(connection: Connection, query: str, **given: Any) -> dict[str, Any]:
    cursor = await connection.execute(query, given or None)
    return await cursor.fetchone() or {}
