"""Gateway processes that hear: a row each, with a lease that is renewed by a beat, in the database's clock.

A lane belongs to its holder as long as that one's lease runs; after that whoever comes may take it (``sites.take_lane``).
The lease is the process's, and not a lane's: one row is renewed, which no batch ever locks, however many lanes there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from gateway.store.db import Connection

FORGOTTEN_AFTER = timedelta(hours=1)
"""How long a process that has gone is still shown."""

ALIVE = "EXISTS (SELECT 1 FROM gateway g WHERE g.holder = l.holder AND g.lease_until >= clock_timestamp())"
"""Whether the holder of the lane ``l`` has a lease."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``able``: it can take lanes; ``left``: how long its lease still runs, below zero when it ran out."""

    holder: str
    started_at: datetime
    able: bool
    left: timedelta

    @property
    def alive(self) -> bool:
        return self.left >= timedelta(0)


async def beat(connection: Connection, holder: str, lease: timedelta, *, able: bool) -> bool:
    """Renew the lease. False where it had run out: others may have taken us for dead meanwhile, and see us as unable now.
    ``able``: we reach the broker, and would take lanes."""
    cursor = await connection.execute(
        "SELECT lease_until >= clock_timestamp() AS running FROM gateway WHERE holder = %s", (holder,)
    )
    before = await cursor.fetchone()
    running = before is None or bool(before["running"])
    await connection.execute(
        """INSERT INTO gateway (holder, started_at, lease_until, able)
           VALUES (%(holder)s, clock_timestamp(), clock_timestamp() + %(lease)s, %(able)s)
           ON CONFLICT (holder) DO UPDATE SET lease_until = excluded.lease_until, able = excluded.able""",
        {"holder": holder, "lease": lease, "able": able and running},
    )
    return running


async def processes(connection: Connection) -> list[Process]:
    """Every process that is known, also those that went within the hour."""
    cursor = connection.cursor(row_factory=class_row(Process))
    await cursor.execute(
        "SELECT holder, started_at, able, lease_until - clock_timestamp() AS left FROM gateway ORDER BY started_at, holder"
    )
    return await cursor.fetchall()


async def leave(connection: Connection, holder: str) -> None:
    """The process ends; what it still holds is free."""
    await connection.execute("DELETE FROM gateway WHERE holder = %s", (holder,))


async def forget_gone(connection: Connection) -> None:
    await connection.execute(
        "DELETE FROM gateway WHERE lease_until < clock_timestamp() - %s::interval", (FORGOTTEN_AFTER,)
    )


async def end_transactions_of_the_gone(connection: Connection, site_id: int, lane: str, us: str) -> None:
    """A process that is frozen keeps its transactions open, and what they lock. Nothing waits for the holder of a lane whose
    lease has run out: its transactions are ended. If it lives after all, it tries them again, and finds out."""
    await connection.execute(
        f"""SELECT pg_terminate_backend(a.pid) FROM site_lane l
            JOIN pg_stat_activity a ON a.application_name = 'hjemmevakt ' || l.holder
            WHERE l.site_id = %s AND l.lane = %s AND l.holder <> %s AND NOT {ALIVE}
              AND a.state <> 'idle' AND a.datname = current_database() AND a.usename = current_user""",
        (site_id, lane, us),
    )
