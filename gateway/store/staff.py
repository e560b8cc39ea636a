"""Staff as they are looked at: roles, shifts, and the policies that call them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection
from gateway.store.devicelist import literally
from gateway.store.zones import BELOW, UP


@dataclass(frozen=True, slots=True)
class StaffSearch:
    """Which staff. ``zones``: those that the reader covers; ``zone``: one, with what is below it."""

    zones: Collection[int]
    text: str = ""
    zone: UUID | None = None
    role: str | None = None


_PERSON = """
    SELECT p.id, p.uid, p.name, EXISTS (
        SELECT 1 FROM contact c WHERE c.person_id = p.id AND c.active AND c.broken_reason IS NULL) AS reachable
    FROM person p"""

_ROLE_IN = """g.person_id = p.id AND g.during @> %(now)s::timestamptz AND g.zone_id = ANY(%(zones)s)"""


async def people(
    connection: Connection, asked: StaffSearch, now: datetime, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Whoever works and has a role in one of these zones now, in order of name, from after one."""
    cursor = await connection.execute(
        f"""{BELOW} {_PERSON}
            WHERE p.active AND (%(text)s::text = '' OR p.name ILIKE %(like)s) AND EXISTS (
                SELECT 1 FROM assignment g WHERE {_ROLE_IN} AND (%(role)s::text IS NULL OR g.role = %(role)s)
                  AND (%(zone)s::uuid IS NULL OR g.zone_id IN (SELECT id FROM below)))
              AND (%(after)s::uuid IS NULL OR (p.name, p.id) > (SELECT x.name, x.id FROM person x WHERE x.uid = %(after)s))
            ORDER BY p.name, p.id LIMIT %(limit)s""",
        {
            **asdict(asked),
            "zones": sorted(asked.zones),
            "like": f"%{literally(asked.text)}%",
            "now": now,
            "after": after,
            "limit": limit,
        },
    )
    return await cursor.fetchall()


async def person(connection: Connection, uid: UUID, zones: Collection[int], now: datetime) -> dict[str, Any] | None:
    """One of them."""
    cursor = await connection.execute(
        f"{_PERSON} WHERE p.active AND p.uid = %(uid)s AND EXISTS (SELECT 1 FROM assignment g WHERE {_ROLE_IN})",
        {"uid": uid, "zones": sorted(zones), "now": now},
    )
    return await cursor.fetchone()


async def roles(
    connection: Connection, persons: Collection[int], zones: Collection[int], now: datetime
) -> list[dict[str, Any]]:
    """The roles of these persons that are in force in these zones."""
    cursor = await connection.execute(
        """SELECT g.person_id, g.role, z.uid AS zone_uid, z.name AS zone, lower(g.during) AS since,
                  upper(g.during) AS until
           FROM assignment g JOIN zone z ON z.id = g.zone_id
           WHERE g.person_id = ANY(%s) AND g.zone_id = ANY(%s) AND g.during @> %s::timestamptz
           ORDER BY g.person_id, g.role, z.name, g.id""",
        (sorted(persons), sorted(zones), now),
    )
    return await cursor.fetchall()


_SHIFT = """SELECT r.id, r.uid, r.version, r.role, r.weekday, r.weeks, r.week, r.anchor, r.on_days, r.start_time, r.end_time,
                   r.position, r.from_date, r.to_date, p.uid AS person_uid, p.name, z.uid AS zone_uid, z.name AS zone
            FROM roster_shift r JOIN person p ON p.id = r.person_id JOIN zone z ON z.id = r.zone_id"""


async def shifts(connection: Connection, zone_id: int) -> list[dict[str, Any]]:
    """The shifts that cover a zone, those of the zones around it too."""
    cursor = await connection.execute(
        f"""{UP} {_SHIFT} WHERE p.active AND r.zone_id IN (SELECT id FROM up)
            ORDER BY r.role, r.weekday, r.week, r.start_time, r.position, r.id""",
        {"zone": zone_id},
    )
    return await cursor.fetchall()


async def shift(connection: Connection, uid: UUID) -> dict[str, Any]:
    """One of them. LookupError where there is none."""
    cursor = await connection.execute(f"{_SHIFT} WHERE r.uid = %s", (uid,))
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"there is no shift {uid}")
    return row
