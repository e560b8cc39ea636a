"""Silences and time: which are to be looked at, which are over, and whose leads are to be told of them. Locks are as in
:mod:`gateway.store.silences`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.silence import Silence
from gateway.store.db import Connection
from gateway.store.silences import DECIDING, readable


@dataclass(frozen=True, slots=True)
class DueSilence:
    """A silence that is to be looked at, locked. ``owned``: its owner has a role there still; ``there``: what it is for is
    still there; ``zone_now``: where its resident lives now."""

    silence: Silence
    owned: bool
    there: bool
    zone_now: int


async def due(connection: Connection, now: datetime, after: int, limit: int) -> list[int]:
    """Those that are to be looked at, and those that have ended and held back what could not be raised then; round and round,
    from after one on, so that what fails hides nothing behind it."""
    cursor = await connection.execute(
        """SELECT id FROM (SELECT id FROM silence WHERE due_at <= %(now)s
                           UNION SELECT silence_id FROM held_back WHERE due_at <= %(now)s AND settled_at IS NULL) d
           ORDER BY id <= %(after)s, id LIMIT %(limit)s""",
        {"now": now, "after": after, "limit": limit},
    )
    return [row["id"] for row in await cursor.fetchall()]


async def lock_due(connection: Connection, silence_id: int, now: datetime, roles: Sequence[str]) -> DueSilence | None:
    """One of them, locked; None where it is not due any more, or another process has it."""
    cursor = await connection.execute(
        f"""WITH RECURSIVE due AS (
                SELECT * FROM silence WHERE id = %(id)s AND due_at <= %(now)s FOR UPDATE SKIP LOCKED),
            up AS (SELECT id, zone_id FROM due UNION
                   SELECT up.id, z.parent_id FROM up JOIN zone z ON z.id = up.zone_id WHERE z.parent_id IS NOT NULL)
            SELECT {", ".join("s." + name.strip() for name in DECIDING.split(","))}, coalesce(home.zone_id, s.zone_id) AS zone_now,
                   EXISTS (SELECT 1 FROM up JOIN assignment g USING (zone_id) JOIN person p ON p.id = g.person_id
                           WHERE up.id = s.id AND g.person_id = s.owner_id AND p.active AND g.role = ANY(%(roles)s)
                             AND g.during @> %(now)s::timestamptz) AS owned,
                   CASE WHEN s.device_id IS NOT NULL THEN s.installation_id IS NOT DISTINCT FROM (
                             SELECT i.id FROM installation i
                             WHERE i.device_id = s.device_id AND i.during @> %(now)s::timestamptz)
                        WHEN s.resident_id IS NOT NULL THEN home.zone_id IS NOT NULL ELSE true END AS there
            FROM due s LEFT JOIN LATERAL (
                SELECT w.zone_id FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
                WHERE y.resident_id = s.resident_id AND y.during @> %(now)s::timestamptz) home ON true""",
        {"id": silence_id, "now": now, "roles": list(roles)},
    )
    row = await cursor.fetchone()
    known = readable([row] if row else [])
    return DueSilence(known[0], row["owned"], row["there"], row["zone_now"]) if row and known else None


async def lock_over(connection: Connection, silence_id: int, now: datetime) -> Silence | None:
    """One that has ended or whose time is up, locked; None where another process has it."""
    cursor = await connection.execute(
        f"""SELECT {DECIDING} FROM silence WHERE id = %s AND (ended_at IS NOT NULL OR until <= %s)
            FOR UPDATE SKIP LOCKED""",
        (silence_id, now),
    )
    found = readable(await cursor.fetchall())
    return found[0] if found else None


async def looked_at(
    connection: Connection, silence_id: int, zone_id: int, due_at: datetime, warned_at: datetime | None
) -> None:
    """When it is to be looked at next, and where it belongs now."""
    await connection.execute(
        "UPDATE silence SET due_at = %s, zone_id = %s, warned_at = coalesce(%s, warned_at) WHERE id = %s",
        (due_at, zone_id, warned_at, silence_id),
    )


async def look_again(connection: Connection, resident_id: int, now: datetime) -> None:
    """A resident lives somewhere else: their silences are looked at at once, and belong where they live."""
    await connection.execute(
        "UPDATE silence SET due_at = %(now)s WHERE resident_id = %(resident)s AND ended_at IS NULL AND due_at > %(now)s",
        {"resident": resident_id, "now": now},
    )


async def plan_summary(connection: Connection, zone_id: int, due_at: datetime) -> None:
    """The zone's leads are to be told of what is silenced there."""
    await connection.execute(
        """INSERT INTO silence_summary AS m (zone_id, due_at) VALUES (%s, %s)
           ON CONFLICT (zone_id) DO UPDATE SET due_at = least(m.due_at, excluded.due_at)""",
        (zone_id, due_at),
    )


async def due_summaries(connection: Connection, now: datetime, limit: int) -> list[int]:
    """Zones whose leads are to be told now."""
    cursor = await connection.execute(
        "SELECT zone_id FROM silence_summary WHERE due_at <= %s ORDER BY due_at, zone_id LIMIT %s", (now, limit)
    )
    return [row["zone_id"] for row in await cursor.fetchall()]


async def lock_due_summary(connection: Connection, zone_id: int, now: datetime) -> dict[str, Any] | None:
    """What a zone's leads are to be told now: how many silences are there, of residents who are away, and how much they have
    held back since yesterday. None where they have been told, or another process tells them."""
    cursor = await connection.execute(
        """WITH due AS (SELECT zone_id FROM silence_summary WHERE zone_id = %(zone)s AND due_at <= %(now)s
                        FOR UPDATE SKIP LOCKED)
           SELECT due.zone_id, count(s.id) FILTER (WHERE s.kind = 'silence') AS silences,
                  count(s.id) FILTER (WHERE s.kind = 'away') AS away, coalesce(sum(h.events), 0)::integer AS events
           FROM due LEFT JOIN silence s ON s.zone_id = due.zone_id AND s.ended_at IS NULL
           LEFT JOIN LATERAL (SELECT sum(times) AS events FROM held_back b
                              WHERE b.silence_id = s.id AND b.newest_at > %(now)s - interval '1 day') h ON true
           GROUP BY due.zone_id""",
        {"zone": zone_id, "now": now},
    )
    return await cursor.fetchone()


async def oldest_overdue(connection: Connection, now: datetime) -> datetime | None:
    """Since when a silence waits to be looked at, what it held back to be raised, or a zone's leads to be told."""
    cursor = await connection.execute(
        """SELECT least((SELECT min(due_at) FROM silence WHERE due_at <= %(now)s),
                        (SELECT min(due_at) FROM silence_summary WHERE due_at <= %(now)s),
                        (SELECT min(due_at) FROM held_back WHERE due_at <= %(now)s AND settled_at IS NULL)) AS due""",
        {"now": now},
    )
    row = await cursor.fetchone()
    return row["due"] if row else None


async def summarised(connection: Connection, zone_id: int, due_at: datetime | None) -> None:
    await connection.execute("UPDATE silence_summary SET due_at = %s WHERE zone_id = %s", (due_at, zone_id))
