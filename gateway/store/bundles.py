"""What bundling asks of the outbox: when something last left for a contact, and pages that wait a little. See ``alerts.bundling``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from alerts.bundling import UP_TO, WITHIN
from gateway.store.db import Connection


async def left_at(connection: Connection, firsts: Mapping[int, int], now: datetime) -> Mapping[int, datetime]:
    """By contact when the last page that may be bundled left, within the time that counts. ``firsts``: by contact the id of the
    first page that this is about; one before it that is being sent leaves now. One behind it does not count: of two processes
    that have a page each, one sends."""
    cursor = await connection.execute(
        """WITH ours AS (SELECT * FROM unnest(%(contacts)s::bigint[], %(firsts)s::bigint[]) AS u (contact_id, first_id))
           SELECT contact_id, max(left_at) AS left_at FROM (
               SELECT contact_id, handed_over_at AS left_at FROM page
               WHERE contact_id = ANY(%(contacts)s) AND handed_over_at > %(since)s AND severity <= %(up_to)s AND about IS NULL
               UNION ALL
               SELECT contact_id, %(now)s FROM page JOIN ours USING (contact_id)
               WHERE due_at <= %(now)s AND state = 'leased' AND id < first_id AND severity <= %(up_to)s AND about IS NULL) l
           GROUP BY contact_id""",
        {
            "contacts": list(firsts),
            "firsts": list(firsts.values()),
            "since": now - WITHIN,
            "now": now,
            "up_to": int(UP_TO),
        },
    )
    return {row["contact_id"]: row["left_at"] for row in await cursor.fetchall()}


async def hold(connection: Connection, pages: Sequence[int], holder: str, until: datetime) -> None:
    """Back into the outbox until then, as if they had not been tried; unless they were withdrawn meanwhile. They are of several
    alerts: one that another transaction has is left alone, and leased again when its lease runs out."""
    await connection.execute(
        """WITH ours AS (
               SELECT id FROM page WHERE id = ANY(%(pages)s) AND state = 'leased' AND leased_by = %(holder)s
               ORDER BY id FOR UPDATE SKIP LOCKED)
           UPDATE page SET state = 'queued', leased_by = NULL, tries = tries - 1, due_at = %(until)s, hidden_until = '-infinity'
           FROM ours WHERE page.id = ours.id""",
        {"pages": sorted(pages), "holder": holder, "until": until},
    )
