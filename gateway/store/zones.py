"""The zone tree. The canary's zone is no part of it: nobody is there, and nobody answers for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from gateway.store.db import Connection, all_rows

BELOW = """WITH RECURSIVE below AS (
    SELECT id FROM zone WHERE uid = %(zone)s UNION SELECT y.id FROM zone y JOIN below b ON y.parent_id = b.id)"""
"""``below``: a zone with what is below it; nothing where none is asked for."""

UP = """WITH RECURSIVE up AS (
    SELECT id, parent_id, 0 AS nearness FROM zone WHERE id = %(zone)s
    UNION ALL SELECT z.id, z.parent_id, u.nearness + 1 FROM zone z JOIN up u ON z.id = u.parent_id)"""
"""``up``: a zone and those around it; ``nearness``: 0 of the zone itself, 1 of its parent, and so on."""


async def ancestry(connection: Connection) -> dict[int, tuple[int, ...]]:
    """Each zone with itself and everything above it, from the inside out."""
    cursor = await connection.execute(
        """WITH RECURSIVE up AS (
               SELECT id, id AS above, parent_id, 0 AS distance FROM zone WHERE kind <> 'canary'
               UNION ALL SELECT up.id, z.id, z.parent_id, up.distance + 1 FROM up JOIN zone z ON z.id = up.parent_id)
           SELECT id, array_agg(above ORDER BY distance) AS above FROM up GROUP BY id"""
    )
    return {row["id"]: tuple(row["above"]) for row in await cursor.fetchall()}


async def named(connection: Connection, ids: Collection[int]) -> list[dict[str, Any]]:
    """These zones with their outer id, name and parent, in order of name."""
    cursor = await connection.execute(
        "SELECT id, uid, parent_id, kind, name FROM zone WHERE id = ANY(%s) ORDER BY name, id", (sorted(ids),)
    )
    return await cursor.fetchall()


async def every(connection: Connection) -> list[dict[str, Any]]:
    """All zones, in order of name."""
    cursor = await connection.execute(
        "SELECT id, uid, parent_id, kind, name FROM zone WHERE kind <> 'canary' ORDER BY name, id"
    )
    return await cursor.fetchall()


async def lived_in(connection: Connection) -> list[dict[str, Any]]:
    """The zones in which people live: with homes, or with no zone below; in order of name."""
    cursor = await connection.execute(
        """SELECT z.id, z.uid, z.parent_id, z.kind, z.name FROM zone z
           WHERE z.kind <> 'canary' AND (EXISTS (SELECT 1 FROM dwelling w WHERE w.zone_id = z.id)
                                         OR NOT EXISTS (SELECT 1 FROM zone y WHERE y.parent_id = z.id))
           ORDER BY z.name, z.id"""
    )
    return await cursor.fetchall()


async def find(connection: Connection, uid: UUID) -> dict[str, Any] | None:
    """One zone."""
    cursor = await connection.execute("SELECT id, uid, parent_id, kind, name FROM zone WHERE uid = %s", (uid,))
    return await cursor.fetchone()


async def site_for(connection: Connection, zone_id: int) -> int | None:
    """The site of an alert that is about a zone and no home: the zone's, else the nearest around it, else any."""
    rows = await all_rows(
        connection,
        f"{UP} SELECT s.id FROM site s LEFT JOIN up ON up.id = s.zone_id ORDER BY up.nearness NULLS LAST, s.id LIMIT 1",
        {"zone": zone_id},
    )
    return int(rows[0]["id"]) if rows else None
