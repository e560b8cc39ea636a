"""What is set aside while a plain database becomes one of TimescaleDB (gateway/store/convert.py).

As long as there is something, rows of these tables are in two places. Whoever counts them waits until it is over, and whoever
has to find all of them – to erase a person's, to show them to whom they are about – does not begin before.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

from gateway.errors import GatewayError

LOCK = 7_305_816_044
ASIDE = "_set_aside"
"""The end of the name of a table's rows while it becomes a hypertable."""


class HalfWay(GatewayError):
    """Rows are in two places."""


async def refuse(connection: psycopg.AsyncConnection[Any]) -> None:
    """HalfWay, as long as something is set aside; otherwise nothing is until the end of this transaction."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", (LOCK,))
        row = await cursor.fetchone()
    if not (row and row[0]):
        raise HalfWay("hypertables are being made of what devices said: wait until that is done")
    tables = await under_way(connection)
    if tables:
        told = f"rows of {', '.join(tables)} are set aside: run `hjemmevakt migrate --to-hypertables` to its end first"
        raise HalfWay(told)


async def under_way(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    """The tables of which rows are set aside; of a run that was cut short, too."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT to_regclass('set_aside') IS NOT NULL")
        row = await cursor.fetchone()
        if not (row and row[0]):
            return []
        await cursor.execute("SELECT name FROM set_aside ORDER BY name")
        return [str(name) for (name,) in await cursor.fetchall()]
