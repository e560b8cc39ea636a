"""Residents and dwellings, and who lives where: as they are looked at and changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection, new_uid
from gateway.store.devicelist import literally
from gateway.store.zones import BELOW

_RESIDENT = """
    SELECT t.id, t.uid, t.name, t.phone, t.born, t.notes, h.lives, w.id AS dwelling_id, w.uid AS dwelling_uid, w.address,
           w.zone_id, z.uid AS zone_uid, z.name AS zone, q.until AS away_until
    FROM resident t
    LEFT JOIN silence q ON q.resident_id = t.id AND q.kind = 'away' AND q.ended_at IS NULL AND q.since <= %(now)s
    JOIN LATERAL (SELECT y.dwelling_id, y.during @> %(now)s::timestamptz AS lives FROM residency y
                  WHERE y.resident_id = t.id ORDER BY upper(y.during) DESC NULLS FIRST, y.id DESC LIMIT 1) h ON true
    JOIN dwelling w ON w.id = h.dwelling_id JOIN zone z ON z.id = w.zone_id"""

_DWELLING = """
    SELECT w.id, w.uid, w.zone_id, z.uid AS zone_uid, z.name AS zone, w.address, w.postal_code, w.city, w.access, w.latitude,
           w.longitude
    FROM dwelling w JOIN zone z ON z.id = w.zone_id"""

_FITTED = """
    SELECT d.uid, d.kind, d.address, i.placed, lower(i.during) AS since, w.uid AS dwelling_uid, w.address AS dwelling,
           w.zone_id, s.last_seen, s.online
    FROM installation i JOIN device d ON d.id = i.device_id JOIN dwelling w ON w.id = i.dwelling_id
    LEFT JOIN device_state s ON s.device_id = d.id"""


@dataclass(frozen=True, slots=True)
class HomeSearch:
    """Which residents or dwellings. ``zones``: those that the reader covers; ``zone``: one, with what is below it."""

    zones: Collection[int]
    text: str = ""
    zone: UUID | None = None

    def arguments(self, **more: Any) -> dict[str, Any]:
        return {**asdict(self), "zones": sorted(self.zones), "like": f"%{literally(self.text)}%", **more}


# Looking --------------------------------------------------------------------------------------------------------------


async def residents(
    connection: Connection, asked: HomeSearch, now: datetime, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Residents whose home, or last home, is in these zones; in order of name, from after one."""
    cursor = await connection.execute(
        f"""{BELOW} {_RESIDENT}
            WHERE w.zone_id = ANY(%(zones)s) AND (%(zone)s::uuid IS NULL OR w.zone_id IN (SELECT id FROM below))
              AND (%(text)s::text = '' OR concat_ws(E'\\n', t.name, t.phone, w.address) ILIKE %(like)s)
              AND (%(after)s::uuid IS NULL
                   OR (t.name, t.id) > (SELECT x.name, x.id FROM resident x WHERE x.uid = %(after)s))
            ORDER BY t.name, t.id LIMIT %(limit)s""",
        asked.arguments(now=now, after=after, limit=limit),
    )
    return await cursor.fetchall()


async def resident(connection: Connection, uid: UUID, zones: Collection[int], now: datetime) -> dict[str, Any] | None:
    """One of them."""
    cursor = await connection.execute(
        f"{_RESIDENT} WHERE t.uid = %(uid)s AND w.zone_id = ANY(%(zones)s)",
        {"uid": uid, "zones": sorted(zones), "now": now},
    )
    return await cursor.fetchone()


async def residencies(connection: Connection, resident_id: int) -> list[dict[str, Any]]:
    """Where somebody lives and lived, the newest first."""
    cursor = await connection.execute(
        """SELECT lower(y.during) AS since, upper(y.during) AS until, w.uid AS dwelling_uid, w.address, w.zone_id,
                  z.uid AS zone_uid, z.name AS zone
           FROM residency y JOIN dwelling w ON w.id = y.dwelling_id JOIN zone z ON z.id = w.zone_id
           WHERE y.resident_id = %s ORDER BY lower(y.during) DESC NULLS LAST, y.id DESC""",
        (resident_id,),
    )
    return await cursor.fetchall()


async def fitted_for(connection: Connection, resident_id: int, now: datetime) -> list[dict[str, Any]]:
    """What is fitted for somebody now, with the zone it is in, and what is nobody's in particular where they live alone."""
    cursor = await connection.execute(
        f"""{_FITTED} WHERE i.during @> %(now)s::timestamptz AND (i.resident_id = %(resident)s
               OR i.resident_id IS NULL AND i.dwelling_id = (
                   SELECT y.dwelling_id FROM residency y
                   WHERE y.resident_id = %(resident)s AND y.during @> %(now)s::timestamptz AND NOT EXISTS (
                       SELECT 1 FROM residency o WHERE o.dwelling_id = y.dwelling_id AND o.id <> y.id
                         AND o.during @> %(now)s::timestamptz)))
            ORDER BY d.kind, d.address, d.id""",
        {"resident": resident_id, "now": now},
    )
    return await cursor.fetchall()


async def dwellings(connection: Connection, asked: HomeSearch, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Dwellings in these zones; in order of address, from after one."""
    cursor = await connection.execute(
        f"""{BELOW} {_DWELLING}
            WHERE w.zone_id = ANY(%(zones)s) AND (%(zone)s::uuid IS NULL OR w.zone_id IN (SELECT id FROM below))
              AND (%(text)s::text = '' OR concat_ws(E'\\n', w.address, w.postal_code, w.city) ILIKE %(like)s)
              AND (%(after)s::uuid IS NULL
                   OR (w.address, w.id) > (SELECT x.address, x.id FROM dwelling x WHERE x.uid = %(after)s))
            ORDER BY w.address, w.id LIMIT %(limit)s""",
        asked.arguments(after=after, limit=limit),
    )
    return await cursor.fetchall()


async def dwelling(connection: Connection, uid: UUID, zones: Collection[int]) -> dict[str, Any] | None:
    """One of them."""
    cursor = await connection.execute(f"{_DWELLING} WHERE w.uid = %s AND w.zone_id = ANY(%s)", (uid, sorted(zones)))
    return await cursor.fetchone()


async def living_in(connection: Connection, dwelling_id: int, now: datetime) -> list[dict[str, Any]]:
    """Who lives in a dwelling at a time."""
    cursor = await connection.execute(
        """SELECT t.id, t.uid, t.name FROM residency y JOIN resident t ON t.id = y.resident_id
           WHERE y.dwelling_id = %s AND y.during @> %s::timestamptz ORDER BY t.name, t.id""",
        (dwelling_id, now),
    )
    return await cursor.fetchall()


async def fitted_in(connection: Connection, dwelling_id: int, now: datetime) -> list[dict[str, Any]]:
    """What is fitted in a dwelling now."""
    cursor = await connection.execute(
        f"""{_FITTED} WHERE i.dwelling_id = %s AND i.during @> %s::timestamptz ORDER BY d.kind, d.address, d.id""",
        (dwelling_id, now),
    )
    return await cursor.fetchall()


# Changing -------------------------------------------------------------------------------------------------------------


async def add_resident(connection: Connection, given: Mapping[str, Any]) -> tuple[int, UUID]:
    """Somebody new with name, phone, born and notes; the inner and the outer id."""
    uid = new_uid()
    cursor = await connection.execute(
        """INSERT INTO resident (uid, name, phone, born, notes)
           VALUES (%(uid)s, %(name)s, %(phone)s, %(born)s, %(notes)s) RETURNING id""",
        {"uid": uid, **given},
    )
    row = await cursor.fetchone()
    return (row["id"] if row else 0), uid


async def change_resident(connection: Connection, resident_id: int, given: Mapping[str, Any]) -> None:
    """What is given is another way from now on: of name, phone, born, notes."""
    await _change(connection, "resident", ("name", "phone", "born", "notes"), resident_id, given)


async def add_dwelling(connection: Connection, zone_id: int, given: Mapping[str, Any]) -> tuple[int, UUID]:
    """A new dwelling; the inner and the outer id."""
    uid = new_uid()
    cursor = await connection.execute(
        """INSERT INTO dwelling (uid, zone_id, address, postal_code, city, access, latitude, longitude)
           VALUES (%(uid)s, %(zone_id)s, %(address)s, %(postal_code)s, %(city)s, %(access)s, %(latitude)s, %(longitude)s)
           RETURNING id""",
        {"uid": uid, **given, "zone_id": zone_id},
    )
    row = await cursor.fetchone()
    return (row["id"] if row else 0), uid


async def change_dwelling(
    connection: Connection, dwelling_id: int, given: Mapping[str, Any], zone_id: int | None, now: datetime
) -> None:
    """What is given is another way from now on. What waits there goes along into another zone, and is judged anew."""
    names = ("zone_id", "address", "postal_code", "city", "access", "latitude", "longitude")
    moved = {"zone_id": zone_id} if zone_id is not None else {}
    await _change(connection, "dwelling", names, dwelling_id, {**given, **moved})
    if zone_id is not None:
        await connection.execute(
            f"UPDATE watch SET zone_id = %(zone)s, {_ANEW} WHERE key = ANY(ARRAY({_WAITING} ORDER BY w.key FOR UPDATE OF w))",
            {"zone": zone_id, "dwelling": dwelling_id, "now": now},
        )


async def lock_resident(connection: Connection, resident_id: int) -> None:
    """Whoever changes where somebody lives does it one after the other."""
    await connection.execute("SELECT 1 FROM resident WHERE id = %s FOR NO KEY UPDATE", (resident_id,))


async def lock_dwellings(connection: Connection, ids: Collection[int]) -> None:
    """Whoever changes who lives in a dwelling does it one after the other: who lives there alone hangs on all of them."""
    await connection.execute("SELECT 1 FROM dwelling WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (list(ids),))


async def in_the_way(connection: Connection, resident_id: int, since: datetime) -> list[dict[str, Any]]:
    """Residencies that are not over at a time, the earliest first."""
    cursor = await connection.execute(
        """SELECT y.id, y.dwelling_id, w.uid AS dwelling_uid, w.address, w.zone_id, lower(y.during) AS since,
                  upper(y.during) AS until
           FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
           WHERE y.resident_id = %s AND y.during && tstzrange(%s, NULL) ORDER BY lower(y.during) NULLS FIRST""",
        (resident_id, since),
    )
    return await cursor.fetchall()


async def move_in(connection: Connection, resident_id: int, dwelling_id: int, at: datetime, now: datetime) -> None:
    """Somebody lives somewhere from a time on; what waits there for whoever lives alone follows."""
    await connection.execute(
        "INSERT INTO residency (resident_id, dwelling_id, during) VALUES (%s, %s, tstzrange(%s, NULL))",
        (resident_id, dwelling_id, at),
    )
    await _follow(connection, dwelling_id, now)


async def move_out(connection: Connection, residency_id: int, dwelling_id: int, at: datetime, now: datetime) -> None:
    """A residency ends; what waits there for whoever lives alone follows."""
    await connection.execute(
        "UPDATE residency SET during = tstzrange(lower(during), %s) WHERE id = %s", (at, residency_id)
    )
    await _follow(connection, dwelling_id, now)


async def fittings_of(connection: Connection, resident_id: int, dwelling_id: int, at: datetime) -> list[dict[str, Any]]:
    """What is fitted for somebody in a dwelling at a time or was later, in the order of devices."""
    cursor = await connection.execute(
        """SELECT i.device_id, i.placed, lower(i.during) AS since FROM installation i
           WHERE i.resident_id = %s AND i.dwelling_id = %s AND i.during && tstzrange(%s, NULL)
           ORDER BY i.device_id, lower(i.during)""",
        (resident_id, dwelling_id, at),
    )
    return await cursor.fetchall()


_WAITING = (
    """SELECT w.key FROM watch w WHERE w.dwelling_id = %(dwelling)s AND (w.due_at IS NOT NULL OR w.state = 'raised')"""
)
_ANEW = "due_at = least(due_at, %(now)s)"
"""Judged at once by whichever rule applies now, and moved on; see ``watches.touch``."""


async def _follow(connection: Connection, dwelling_id: int, now: datetime) -> None:
    """What devices that are nobody's in particular wait for is about whoever lives there alone now, or about nobody."""
    await connection.execute(
        f"""UPDATE watch SET {_ANEW}, resident_id = (
                SELECT min(y.resident_id) FROM residency y
                WHERE y.dwelling_id = %(dwelling)s AND y.during @> %(now)s::timestamptz HAVING count(*) = 1)
            WHERE key = ANY(ARRAY({_WAITING} AND EXISTS (
                SELECT 1 FROM installation i WHERE i.id = w.installation_id AND i.resident_id IS NULL)
                ORDER BY w.key FOR UPDATE OF w))""",
        {"dwelling": dwelling_id, "now": now},
    )


async def _change(
    connection: Connection, table: str, names: Collection[str], id_: int, given: Mapping[str, Any]
) -> None:
    changed = [name for name in names if name in given]
    if changed:
        columns = ", ".join(f"{name} = %({name})s" for name in changed)
        await connection.execute(f"UPDATE {table} SET {columns} WHERE id = %(id)s", {**given, "id": id_})
