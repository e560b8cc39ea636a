"""What bundling asks of the outbox: when something last left for a contact, and pages that wait a little. See ``alerts.bundling``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from alerts.bundling import UP_TO, WITHIN
from gateway.store.db import Connection


async def left_at(
    connection: Connection, contacts: Collection[int], besides: Collection[int], now: datetime
) -> Mapping[int, datetime]:
    """By contact when the last page that may be bundled left, within the time that counts; one that is being sent leaves now.
    ``besides``: pages that do not count, as it is about them."""
    cursor = await connection.execute(
        """SELECT contact_id, max(left_at) AS left_at FROM (
               SELECT contact_id, handed_over_at AS left_at FROM page
               WHERE contact_id = ANY(%(contacts)s) AND handed_over_at > %(since)s AND severity <= %(up_to)s AND about IS NULL
               UNION ALL
               SELECT contact_id, %(now)s FROM page
               WHERE due_at <= %(now)s AND state = 'leased' AND contact_id = ANY(%(contacts)s) AND severity <= %(up_to)s
                 AND about IS NULL AND id <> ALL(%(besides)s)) l
           GROUP BY contact_id""",
        {
            "contacts": sorted(contacts),
            "besides": sorted(besides),
            "since": now - WITHIN,
            "now": now,
            "up_to": int(UP_TO),
        },
    )
    return {row["contact_id"]: row["left_at"] for row in await cursor.fetchall()}


async def hold(connection: Connection, pages: Sequence[int], holder: str, until: datetime) -> None:
    """Back into the outbox until then, as if they had not been tried; unless they were withdrawn meanwhile."""
    await connection.execute(
        """UPDATE page SET state = 'queued', leased_by = NULL, tries = tries - 1, due_at = %s, hidden_until = '-infinity'
           WHERE id = ANY(%s) AND state = 'leased' AND leased_by = %s""",
        (until, sorted(pages), holder),
    )
