"""The access log of a resident: the lines of the audit that say who looked at them or changed something, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from gateway.store import exporting
from gateway.store.belonging import Row
from gateway.store.db import Connection

_LINES = """
    SELECT x.id, x.at, x.action, CASE WHEN s.kind = 'away' THEN x.params || '{"away": true}' ELSE x.params END AS params, p.uid AS person_uid, p.name AS person, a.uid AS alert_uid, a.condition,
           d.kind AS device_kind
    FROM audit x LEFT JOIN person p ON p.id = x.actor_id
    LEFT JOIN alert a ON a.id = CASE WHEN jsonb_typeof(x.params -> 'alert') = 'number' THEN (x.params ->> 'alert')::bigint END
    LEFT JOIN device d ON d.id = a.device_id
    LEFT JOIN silence s ON x.object = 'silence' AND s.id = x.object_id
    WHERE (x.object = 'resident' AND x.object_id = %(resident)s
           OR x.object = 'silence' AND x.action <> 'silence.held' AND x.object_id IN (
               SELECT s.id FROM silence s LEFT JOIN installation i ON i.id = s.installation_id
               WHERE s.resident_id = %(resident)s OR i.resident_id = %(resident)s)
           OR x.object IN ('rule', 'policy') AND (x.params -> 'residents' @> to_jsonb(%(resident)s::bigint)
                                     OR x.params -> 'resident_id' = to_jsonb(%(resident)s::bigint)))"""


async def page(connection: Connection, resident_id: int, before: int | None, limit: int) -> list[Row]:
    """The newest first, from before an inner id."""
    cursor = await connection.execute(
        f"{_LINES} AND (%(before)s::bigint IS NULL OR x.id < %(before)s) ORDER BY x.id DESC LIMIT %(limit)s",
        {"resident": resident_id, "before": before, "limit": limit},
    )
    return await cursor.fetchall()


def whole(connection: Connection, resident_id: int) -> AsyncIterator[dict[str, Any]]:
    """All of it, the oldest first, piece by piece."""
    return exporting.rows(connection, f"{_LINES} ORDER BY x.id", {"resident": resident_id})
