"""How the server is set up to keep what has committed, as a connection of ours sees it now."""

from __future__ import annotations

from typing import NamedTuple

from psycopg.rows import class_row

from gateway.store.db import Connection


class Setup(NamedTuple):
    """PostgreSQL's settings, each as it shows them: ``on``, ``off``, and for commits further values."""

    fsync: str
    full_page_writes: str
    synchronous_commit: str


async def setup(connection: Connection) -> Setup:
    cursor = connection.cursor(row_factory=class_row(Setup))
    await cursor.execute(
        """SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
                  current_setting('synchronous_commit') AS synchronous_commit"""
    )
    found = await cursor.fetchone()
    assert found is not None
    return found
