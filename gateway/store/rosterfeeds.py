"""Calendars: what one brought into a roster, and the addresses that show one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection, all_rows

Dated = tuple[int, datetime, datetime, str]
"""A shift of a date: person, from, until, and the id that its source knows it by."""


async def planned_by(
    connection: Connection, zone_id: int, role: str, source: str, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """What a source has brought for a time."""
    return await all_rows(
        connection,
        """SELECT id, person_id, lower(during) AS begins, upper(during) AS ends, event FROM planned_shift
           WHERE zone_id = %(zone)s AND role = %(role)s AND source = %(source)s AND lower(during) >= %(since)s
             AND lower(during) < %(until)s
           ORDER BY begins, id""",
        {"zone": zone_id, "role": role, "source": source, "since": since, "until": until},
    )


async def drop_planned(connection: Connection, ids: Sequence[int]) -> None:
    await connection.execute("DELETE FROM planned_shift WHERE id = ANY(%s)", (list(ids),))


async def plan(connection: Connection, zone_id: int, role: str, source: str, rows: Iterable[Dated]) -> None:
    for person, begins, ends, event in rows:
        await connection.execute(
            """INSERT INTO planned_shift (zone_id, role, person_id, during, source, event)
               VALUES (%s, %s, %s, tstzrange(%s, %s), %s, %s)""",
            (zone_id, role, person, begins, ends, source, event),
        )


async def persons_by_name(connection: Connection, names: Collection[str], persons: Collection[int]) -> dict[str, int]:
    """Who of these persons is meant by a user name, an e-mail address or a name; what fits two of them means nobody."""
    rows = await all_rows(
        connection,
        """SELECT lower(k.known) AS known, min(p.id) AS id FROM person p CROSS JOIN LATERAL (
               SELECT p.username AS known UNION SELECT p.name UNION SELECT p.uid::text
               UNION SELECT c.address FROM contact c WHERE c.person_id = p.id AND c.channel = 'email') k
           WHERE p.id = ANY(%(persons)s) AND lower(k.known) = ANY(%(names)s)
           GROUP BY lower(k.known) HAVING count(DISTINCT p.id) = 1""",
        {"persons": sorted(persons), "names": sorted({each.lower() for each in names})},
    )
    return {row["known"]: row["id"] for row in rows}


async def feeds(connection: Connection, person_id: int) -> list[dict[str, Any]]:
    return await all_rows(
        connection,
        """SELECT f.*, z.uid AS zone_uid, z.name AS zone FROM roster_feed f LEFT JOIN zone z ON z.id = f.zone_id
           WHERE f.person_id = %(person)s AND f.revoked_at IS NULL ORDER BY f.id""",
        {"person": person_id},
    )


async def feed_by(connection: Connection, token_hash: bytes) -> dict[str, Any] | None:
    """A feed that is in force, of somebody who works."""
    rows = await all_rows(
        connection,
        """SELECT f.*, z.uid AS zone_uid, z.name AS zone, p.uid AS person_uid, p.name AS person, p.language
           FROM roster_feed f JOIN person p ON p.id = f.person_id AND p.active LEFT JOIN zone z ON z.id = f.zone_id
           WHERE f.token_hash = %(hash)s AND f.revoked_at IS NULL""",
        {"hash": token_hash},
    )
    return rows[0] if rows else None


async def revoke_feed(connection: Connection, person_id: int, uid: UUID, now: datetime) -> int | None:
    """Its id, where it was theirs and in force."""
    cursor = await connection.execute(
        "UPDATE roster_feed SET revoked_at = %s WHERE uid = %s AND person_id = %s AND revoked_at IS NULL RETURNING id",
        (now, uid, person_id),
    )
    row = await cursor.fetchone()
    return int(row["id"]) if row else None
