"""A step of a migration beside gateways at work: how it gets through without holding anybody up.

Whoever waits for a strong lock stands in front of everybody who comes after: an ``ALTER TABLE`` behind a long report would
stop the alarms. So a step waits for locks for two seconds only, gives way, and tries again, each time a little later
(``Patience``). Where that does not end, it stops and says who most likely holds them. Concurrent builds wait in nobody's
way, and as long as it takes. Batches rest as long as they worked.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow

from gateway.clock import monotonic, pause
from gateway.errors import GatewayError

Link = psycopg.AsyncConnection[TupleRow]

STATEMENT_SECONDS = 600
"""How long one statement may take, a batch too. Concurrent builds may take longer."""
TELL_EVERY = 5.0
IN_THE_WAY = (errors.LockNotAvailable, errors.DeadlockDetected)

WRONG = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.InternalError,
    psycopg.NotSupportedError,
    psycopg.ProgrammingError,
)
"""Something in the file or the database is not as it was thought of; to try again is of no use."""


class MigrationStopped(GatewayError):
    """A migration did not get through; what it has done so far stands, and the next run goes on."""


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


Tell = Callable[[Told], None]


def silent(_: Told) -> None:
    """Nobody listens."""


async def giving_way(
    connection: Link, name: str, work: Callable[[], Awaitable[None]], tell: Tell, patience: Patience
) -> None:
    """Do the work; where somebody holds what it needs, again and again, until the patience is at its end. MigrationStopped."""
    until = monotonic() + patience.whole
    wait, times = patience.first, 1
    while True:
        await limit(connection, patience.lock)
        try:
            return await work()
        except IN_THE_WAY as error:
            holder = await _oldest(connection)
            if monotonic() > until:
                raise MigrationStopped(f"{name}: not let in after {times} tries: {_line(error)}{holder}") from None
            tell(Told(What.AGAIN, name, f"gives way ({_line(error)}){holder}; again in {wait:.1f} s (try {times + 1})"))
        except WRONG as error:
            raise MigrationStopped(f"{name}: {_line(error)}") from error
        except errors.QueryCanceled as error:
            raise MigrationStopped(f"{name}: {_line(error)} (a statement has {STATEMENT_SECONDS} s)") from None
        await pause(wait * random.uniform(0.8, 1.2))  # noqa: S311 - spreads tries, no secret
        wait, times = min(wait * 2, patience.longest), times + 1


async def rest(began: float) -> None:
    """As long as it took since then, but no longer than a second: others come through."""
    await pause(min(monotonic() - began, 1.0))


async def in_batches(connection: Link, name: str, statement: str, tell: Tell, patience: Patience) -> int:
    """Run a statement until it touches nothing; answers the rows."""
    rows, last_told = 0, monotonic()
    touched = 1

    async def once() -> None:
        nonlocal touched
        touched = (await connection.execute(statement.encode())).rowcount

    while touched > 0:
        began = monotonic()
        await giving_way(connection, name, once, tell, patience)
        rows += touched
        if touched and monotonic() - last_told > TELL_EVERY:
            last_told = monotonic()
            tell(Told(What.MOVED, name, f"{rows:,} rows so far"))
        await rest(began)
    tell(Told(What.MOVED, name, f"{rows:,} rows"))
    return rows


async def limit(connection: Link, lock_seconds: float | None) -> None:
    """None: it is in nobody's way, and may wait and work as long as it takes."""
    lock = int((lock_seconds or 0) * 1000)
    statement = STATEMENT_SECONDS * 1000 if lock_seconds is not None else 0
    await connection.execute(f"SET lock_timeout = {lock}; SET statement_timeout = {statement}")


async def _oldest(connection: Link) -> str:
    """Who most likely holds what we wait for; as far as we may see."""
    cursor = await connection.execute(
        """SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity
           WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
           ORDER BY xact_start LIMIT 1"""
    )
    row = await cursor.fetchone()
    return f"; the oldest open transaction is {row[0]}'s ({row[1] or 'no name'}), {row[2]} s" if row else ""


def _line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip()
