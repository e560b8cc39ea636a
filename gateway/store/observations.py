"""Observations, and what has been seen before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from devices.model import Observation
from gateway.store.db import Connection, as_json

Identity = tuple[int, str, bytes]
"""Device, message id, content hash."""


@dataclass(frozen=True, slots=True)
class Stamped:
    """An observation with the device and the fitting that it is of."""

    observation: Observation
    device_id: int
    installation_id: int | None


async def mark_seen(connection: Connection, identities: Sequence[Identity], now: datetime) -> set[Identity]:
    """Remember these identities; answers those that are new."""
    ordered = sorted(set(identities))
    cursor = await connection.execute(
        """INSERT INTO seen (device_id, message_id, payload_hash, received_at)
           SELECT device_id, message_id, payload_hash, %s
           FROM unnest(%b::bigint[], %b::text[], %b::bytea[]) AS u (device_id, message_id, payload_hash)
           ON CONFLICT DO NOTHING RETURNING device_id, message_id, payload_hash""",
        (now, [each[0] for each in ordered], [each[1] for each in ordered], [each[2] for each in ordered]),
    )
    return {(row["device_id"], row["message_id"], bytes(row["payload_hash"])) for row in await cursor.fetchall()}


async def reused_ids(connection: Connection, identities: Sequence[Identity]) -> set[tuple[int, str]]:
    """Of these, the (device, message id) that have come with more than one content."""
    ordered = sorted({each[:2] for each in identities})
    cursor = await connection.execute(
        """SELECT s.device_id, s.message_id FROM seen s
           JOIN unnest(%b::bigint[], %b::text[]) AS u (device_id, message_id) USING (device_id, message_id)
           GROUP BY 1, 2 HAVING count(*) > 1""",
        ([each[0] for each in ordered], [each[1] for each in ordered]),
    )
    return {(row["device_id"], row["message_id"]) for row in await cursor.fetchall()}


async def add(connection: Connection, batch: Sequence[Stamped]) -> None:
    """Store observations."""
    said = [each.observation for each in batch]
    await connection.execute(
        """INSERT INTO observation (device_id, installation_id, kind, message_class, type, message_id, occurred_at,
                                    received_at, flags, fields, raw)
           SELECT device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at,
                  string_to_array(flags, ' '), fields, raw
           FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[],
                       %b::timestamptz[], %b::text[], %b::jsonb[], %b::bytea[])
                AS u (device_id, installation_id, kind, message_class, type, message_id, occurred_at, received_at,
                      flags, fields, raw)""",
        (
            [each.device_id for each in batch],
            [each.installation_id for each in batch],
            [each.kind for each in said],
            [each.message_class for each in said],
            [each.type for each in said],
            [each.message_id for each in said],
            [each.occurred_at for each in said],
            [each.received_at for each in said],
            [" ".join(sorted(each.flags)) for each in said],
            [as_json(dict(each.fields)) for each in said],
            [each.raw for each in said],
        ),
    )


async def newest_received_at(connection: Connection) -> datetime | None:
    """When the newest message was stored."""
    cursor = await connection.execute("SELECT max(last_seen) AS newest FROM device_state")
    row = await cursor.fetchone()
    return row["newest"] if row else None


async def prune_seen(connection: Connection, before: datetime, limit: int = 50_000) -> int:
    """Forget identities older than the longest buffer of a device."""
    cursor = await connection.execute(
        """DELETE FROM seen WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM seen WHERE received_at < %s LIMIT %s FOR UPDATE SKIP LOCKED))""",
        (before, limit),
    )
    return cursor.rowcount
