"""Connections and transactions.

Every connection is in UTC and has time-outs, so that nothing waits or holds a lock for ever. A transaction that lost
against another one (deadlock, lock time-out, serialisation) is tried again from the start.

What has committed is on the disk: a receipt follows from it. So no connection of a pool works with ``synchronous_commit`` off,
whatever is set for the server, the database or the role. All its other values wait for our own disk, and differ in what they ask
of a standby, which is the administrator's to choose. It is set for the session, so that a reload takes it from no connection
that is open. What no client can set is looked at by ``gateway/durability.py``.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb, set_json_loads
from psycopg_pool import AsyncConnectionPool
from pydantic_core import from_json, to_json
from uuid_utils import compat as uuid_utils

from devices.model import crash_of
from gateway.clock import monotonic, pause

Connection = psycopg.AsyncConnection[DictRow]
Result = TypeVar("Result")

TRIES = 6
RESTED_SECONDS = 1.0
"""After which a connection is asked whether it still lives, before it is used."""
OPTIONS = {
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "5s",
}
COMMITS_TO_DISK = """SELECT set_config('synchronous_commit', CASE own WHEN 'off' THEN 'local' ELSE own END, false)
                     FROM current_setting('synchronous_commit') own"""
KEEPALIVE = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
LOST_A_RACE = (errors.DeadlockDetected, errors.LockNotAvailable, errors.SerializationFailure, errors.UniqueViolation)

DatabaseGone = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.IdleInTransactionSessionTimeout,
    errors.ReadOnlySqlTransaction,
)
"""The server cannot be reached, went away, gave us up while we stood still, or is a replica now: nothing is wrong with
what was to be stored. Note that some lost races are of this family too."""

TooMuch = (errors.QueryCanceled, errors.OutOfMemory, errors.ProgramLimitExceeded)
"""The server gave up over what it was asked to do: less at a time may go."""


def conninfo(url: str, process: str = "") -> str:
    """The connection string with what every connection of ours has. ``process``: whose it is, as the server shows it.
    ValueError where it cannot be read."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ValueError(f"not a PostgreSQL connection string: {error}") from None
    ours = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
    named = {"application_name": f"hjemmevakt {process}"} if process else {}  # others know us by it: see gateways.py
    merged = {**KEEPALIVE, "application_name": "hjemmevakt", **given, **named, "client_encoding": "UTF8"}
    return make_conninfo("", **{**merged, "options": f"{given.get('options') or ''} {ours}".strip()})


async def _commits_to_disk(connection: Connection) -> None:
    """What has to be known first, and so is no option."""
    await connection.set_autocommit(True)
    await connection.execute(COMMITS_TO_DISK)
    await connection.set_autocommit(False)


_used_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()


async def _still_there(connection: Connection) -> None:
    """Ask a connection that has rested whether it lives. One that was used just now is believed: to ask is a way to the
    server and back for each transaction, and where it has died since, the transaction says so."""
    if monotonic() - _used_at.get(connection, float("-inf")) > RESTED_SECONDS:
        await AsyncConnectionPool.check_connection(connection)


class _LastFirst(deque[Connection]):
    """What the pool keeps its idle connections in: it appends those that come back, and hands out the first.

    Of as many connections as there were ever in use at a time, each would be used in turn, by servers' processes of which each
    has to warm up its caches anew (measured: a tenth of all processor time, on either side). The one that was used last is warm.
    """

    def append(self, connection: Connection, /) -> None:
        self.appendleft(connection)


class Database:
    """A pool of connections to one database."""

    def __init__(self, url: str, size: int = 12, process: str = "") -> None:
        self.url = url
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo(url, process),
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=1,
            max_size=size,
            timeout=10,
            configure=_commits_to_disk,
            check=_still_there,
            reconnect_timeout=0,
            open=False,
        )
        self._pool._pool = _LastFirst()  # noqa: SLF001 - it has no setting for it

    async def open(self) -> None:
        """Start the pool; it connects when it can."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that commits at the end. DatabaseGone when there is none to be had."""
        async with self._pool.connection() as connection:
            try:
                yield connection
            finally:
                _used_at[connection] = monotonic()

    async def run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Do the work in one transaction; again from the start where it lost against another one."""
        for attempt in range(TRIES):
            try:
                async with self.connection() as connection:
                    return await work(connection)
            except LOST_A_RACE:
                if attempt == TRIES - 1:
                    raise
                await pause(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - spreads retries, no secret
        raise AssertionError("unreachable")

    async def read(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """A single statement that changes nothing, without a transaction around it: one way to the server instead of three.
        For what is asked again and again."""
        return await self.apart(work)

    async def apart(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Do work that makes its own transactions, or must not be in one. It is not tried again."""
        async with self.connection() as connection:
            await connection.set_autocommit(True)
            try:
                return await work(connection)
            finally:
                await connection.set_autocommit(False)

    async def listen(self, channel: str) -> AsyncIterator[str]:
        """The payloads notified on a channel, from an own connection; first an empty one, once it listens."""
        listener = await psycopg.AsyncConnection.connect(conninfo(self.url), autocommit=True)
        async with listener:
            await listener.execute(f"LISTEN {channel}")
            yield ""
            async for notice in listener.notifies():
                yield notice.payload


@asynccontextmanager
async def opened(url: str, process: str = "", size: int = 12) -> AsyncIterator[Database]:
    """A database, while the block runs."""
    database = Database(url, size, process)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def told_of(error: Exception) -> str:
    """What has failed, for a log or a person: without the row that an error of the database may quote."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return f"{type(error).__name__}: {primary}" if primary else crash_of(error)


class NotCommitted(Exception):
    """The transaction was given up by the database, and what had failed in it was passed over."""


async def commit_behind(connection: Connection) -> psycopg.AsyncCursor[DictRow]:
    """End a pipeline's transaction on the same way to the server as what was written last; whether it did is known at the
    end of the pipeline, which raises what failed: then look at it with :func:`has_committed`."""
    return await connection.execute("COMMIT", prepare=False)


def has_committed(commit: psycopg.AsyncCursor[DictRow]) -> None:
    """NotCommitted where the server has answered COMMIT by ROLLBACK, which is no error to it."""
    if commit.statusmessage != "COMMIT":
        raise NotCommitted(f"COMMIT was answered by {commit.statusmessage}")


@dataclass(frozen=True, slots=True)
class Asked(Generic[Result]):
    """Something that the database was asked; in a pipeline, the answer comes with that of what is asked next."""

    _answer: psycopg.AsyncCursor[Any]
    _read: Callable[[list[Any]], Result]

    async def told(self) -> Result:
        return self._read(await self._answer.fetchall())


def new_uid() -> UUID:
    """A UUIDv7."""
    return uuid_utils.uuid7()


set_json_loads(from_json)  # three times as fast as Python's own
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def as_json(value: Any) -> Jsonb:
    """A value for a jsonb column."""
    return Jsonb(value, dumps=_encode)


def json_bytes(value: Any) -> bytes:
    """A value as JSON for a column of a batch (``columns.jsons``) that the database casts to jsonb; several times faster than a
    ``Jsonb`` each."""
    return to_json(value, fallback=str)


async def all_rows(connection: Connection, query: str, arguments: Mapping[str, Any]) -> list[DictRow]:
    """All rows of a query."""
    cursor = await connection.execute(query.encode(), arguments)
    return await cursor.fetchall()
