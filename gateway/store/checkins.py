"""Check-ins, and which zones are to be looked at for who has not: every row that may need attention has a time at which it is due."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from alerts.checkin import CheckIn
from gateway.store.db import Connection, all_rows


async def set_grace(
    connection: Connection, zone_id: int, minutes: int | None, now: datetime, *, tests: bool | None = None
) -> None:
    """None: as the zone above. Every zone that uses check-in, or did until now, is looked at anew."""
    await connection.execute(
        "UPDATE zone SET check_in_minutes = %s, check_in_tests = %s WHERE id = %s", (minutes, tests, zone_id)
    )
    await connection.execute(
        f"INSERT INTO roster_look (zone_id, due_at) SELECT id, %(now)s FROM ({_USING}) z ON CONFLICT (zone_id) DO NOTHING",
        {"now": now},
    )
    await look_again(connection, [zone_id], now)


_USING = """WITH RECURSIVE uses AS (
    SELECT id, coalesce(check_in_minutes, 0) AS minutes FROM zone WHERE parent_id IS NULL
    UNION ALL SELECT z.id, coalesce(z.check_in_minutes, u.minutes) FROM zone z JOIN uses u ON z.parent_id = u.id)
    SELECT id FROM uses WHERE minutes > 0"""


async def check_ins(connection: Connection, persons: Collection[int], now: datetime) -> dict[int, CheckIn]:
    """When these persons last checked in, by then."""
    rows = await all_rows(
        connection,
        """SELECT DISTINCT ON (person_id) person_id, in_at, out_at FROM check_in
           WHERE person_id = ANY(%(persons)s) AND in_at <= %(now)s ORDER BY person_id, id DESC""",
        {"persons": sorted(persons), "now": now},
    )
    return {row["person_id"]: CheckIn(**row) for row in rows}


async def check_in(connection: Connection, person_id: int, now: datetime) -> None:
    """Somebody is on duty from now on; what they forgot to check out of is over."""
    await check_out(connection, person_id, now)
    await connection.execute("INSERT INTO check_in (person_id, in_at) VALUES (%s, %s)", (person_id, now))


async def check_out(connection: Connection, person_id: int, now: datetime) -> bool:
    """Whether there was anything to check out of."""
    cursor = await connection.execute(
        "UPDATE check_in SET out_at = greatest(in_at, %s) WHERE person_id = %s AND out_at IS NULL", (now, person_id)
    )
    return cursor.rowcount > 0


async def look_again(connection: Connection, zones: Collection[int], now: datetime) -> None:
    """The roster of these zones has changed: whoever is missed there, or below, is looked for at once."""
    await connection.execute(
        """WITH RECURSIVE below AS (
               SELECT unnest(%(zones)s::bigint[]) AS id
               UNION SELECT z.id FROM zone z JOIN below b ON z.parent_id = b.id)
           UPDATE roster_look SET due_at = %(now)s WHERE due_at > %(now)s AND zone_id IN (SELECT id FROM below)""",
        {"zones": sorted(zones), "now": now},
    )


async def look_again_for(connection: Connection, persons: Collection[int], now: datetime) -> None:
    """These came, went, or are away: wherever they have a role whose shifts are checked in to."""
    rows = await all_rows(
        connection,
        "SELECT DISTINCT zone_id FROM assignment WHERE person_id = ANY(%(persons)s) AND role = 'responder'",
        {"persons": sorted(persons)},
    )
    await look_again(connection, [row["zone_id"] for row in rows], now)


async def oldest_overdue(connection: Connection, now: datetime) -> datetime | None:
    """Since when a zone waits to be looked at."""
    rows = await all_rows(
        connection, "SELECT min(due_at) AS due FROM roster_look WHERE due_at <= %(now)s", {"now": now}
    )
    return rows[0]["due"] if rows else None


async def looked_at(connection: Connection) -> list[int]:
    """The zones that use check-in."""
    return [
        row["zone_id"] for row in await all_rows(connection, "SELECT zone_id FROM roster_look ORDER BY zone_id", {})
    ]


async def lock_looks(connection: Connection, now: datetime, limit: int) -> list[int]:
    """The zones that are to be looked at, also those that are new below one that uses check-in; those that another process has
    are left to it."""
    await connection.execute(
        f"""INSERT INTO roster_look (zone_id, due_at) SELECT id, %(now)s FROM ({_USING}) z
            WHERE NOT EXISTS (SELECT 1 FROM roster_look l WHERE l.zone_id = z.id) ON CONFLICT (zone_id) DO NOTHING""",
        {"now": now},
    )
    rows = await all_rows(
        connection,
        """SELECT zone_id FROM roster_look WHERE due_at <= %(now)s ORDER BY zone_id
           FOR UPDATE SKIP LOCKED LIMIT %(limit)s""",
        {"now": now, "limit": limit},
    )
    return [row["zone_id"] for row in rows]


async def look_next(connection: Connection, zone_id: int, due_at: datetime | None) -> None:
    """None: never again, until check-in is used there."""
    if due_at is None:
        await connection.execute("DELETE FROM roster_look WHERE zone_id = %s", (zone_id,))
    else:
        await connection.execute("UPDATE roster_look SET due_at = %s WHERE zone_id = %s", (due_at, zone_id))


async def missed_keys(connection: Connection, prefix: str) -> list[str]:
    """The keys of open alerts that begin so."""
    rows = await all_rows(
        connection,
        "SELECT key FROM alert WHERE closed_at IS NULL AND starts_with(key, %(prefix)s) ORDER BY key",
        {"prefix": prefix},
    )
    return [row["key"] for row in rows]


async def was_missed(connection: Connection, zone_id: int, key: str, since: datetime) -> bool:
    """Whether an alert of this key was raised in a zone since then, be it closed by now."""
    rows = await all_rows(
        connection,
        "SELECT 1 FROM alert WHERE zone_id = %(zone)s AND key = %(key)s AND raised_at >= %(since)s LIMIT 1",
        {"zone": zone_id, "key": key, "since": since},
    )
    return bool(rows)


async def zones_served(connection: Connection, person_id: int, now: datetime) -> list[dict[str, Any]]:
    """The zones in which somebody has a role that serves, each with the role; and those below them that have a roster of their
    own (``below``). ``uses``: whether one checks in there."""
    return await all_rows(
        connection,
        f"""WITH RECURSIVE covered AS (
                SELECT zone_id AS id, role, false AS below FROM assignment
                WHERE person_id = %(person)s AND during @> %(now)s::timestamptz AND role IN ('responder', 'technical')
                UNION SELECT z.id, c.role, true FROM zone z JOIN covered c ON z.parent_id = c.id)
            SELECT z.id, z.uid, z.name, c.role, bool_and(c.below) AS below, z.id IN ({_USING}) AS uses
            FROM covered c JOIN zone z ON z.id = c.id
            WHERE NOT c.below OR EXISTS (SELECT 1 FROM roster_shift r WHERE r.zone_id = z.id AND r.role = c.role)
                  OR EXISTS (SELECT 1 FROM rotation r WHERE r.zone_id = z.id AND r.role = c.role)
                  OR EXISTS (SELECT 1 FROM planned_shift r WHERE r.zone_id = z.id AND r.role = c.role)
            GROUP BY z.id, c.role ORDER BY z.name, z.id, c.role""",
        {"person": person_id, "now": now},
    )


async def own_check_in(connection: Connection, zone_id: int) -> tuple[int | None, bool | None]:
    """What a zone itself says of check-in: minutes, and whether it sends a test page."""
    query = "SELECT check_in_minutes, check_in_tests FROM zone WHERE id = %(zone)s"
    rows = await all_rows(connection, query, {"zone": zone_id})
    return (rows[0]["check_in_minutes"], rows[0]["check_in_tests"]) if rows else (None, None)
