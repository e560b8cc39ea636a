"""Master data: zones, sites, staff, homes and devices, as they are put in."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from gateway.store.db import Connection, new_uid

CANARY = "hjemmevakt-canary"
"""The address of the canary resident's devices (``gateway/store/canaries.py``)."""


async def _id(connection: Connection, query: str, *arguments: Any) -> int:
    cursor = await connection.execute(query.encode(), arguments)
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("an INSERT answered no row")
    return int(row["id"])


async def has_zones(connection: Connection) -> bool:
    cursor = await connection.execute("SELECT 1 FROM zone WHERE kind <> 'canary' LIMIT 1")
    return await cursor.fetchone() is not None


async def add_zone(connection: Connection, parent: int | None, kind: str, name: str) -> int:
    query = "INSERT INTO zone (uid, parent_id, kind, name) VALUES (%s, %s, %s, %s) RETURNING id"
    return await _id(connection, query, new_uid(), parent, kind, name)


async def add_site(connection: Connection, name: str, zone: int) -> int:
    return await _id(connection, "INSERT INTO site (name, zone_id) VALUES (%s, %s) RETURNING id", name, zone)


async def add_person(connection: Connection, name: str, username: str, password_hash: str) -> int:
    query = "INSERT INTO person (uid, name, username, password_hash) VALUES (%s, %s, %s, %s) RETURNING id"
    return await _id(connection, query, new_uid(), name, username, password_hash)


async def assign(connection: Connection, person: int, role: str, zone: int, since: datetime) -> int:
    query = "INSERT INTO assignment (person_id, role, zone_id, during) VALUES (%s, %s, %s, tstzrange(%s, NULL)) RETURNING id"
    return await _id(connection, query, person, role, zone, since)


async def add_contact(connection: Connection, person: int, channel: str, address: str, position: int) -> int:
    query = "INSERT INTO contact (uid, person_id, channel, address, position) VALUES (%s, %s, %s, %s, %s) RETURNING id"
    return await _id(connection, query, new_uid(), person, channel, address, position)


async def add_shift(
    connection: Connection,
    person: int,
    zone: int,
    role: str,
    weekday: int,
    start: time,
    end: time,
    position: int,
    from_date: date,
) -> int:
    query = """INSERT INTO roster_shift (person_id, zone_id, role, weekday, start_time, end_time, position, from_date)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s - 1) RETURNING id"""
    return await _id(connection, query, person, zone, role, weekday, start, end, position, from_date)


async def add_dwelling(
    connection: Connection,
    zone: int,
    address: str,
    postal_code: str,
    city: str,
    access: str,
    latitude: float | None = None,
    longitude: float | None = None,
) -> int:
    query = """INSERT INTO dwelling (uid, zone_id, address, postal_code, city, access, latitude, longitude)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id"""
    return await _id(connection, query, new_uid(), zone, address, postal_code, city, access, latitude, longitude)


async def add_resident(connection: Connection, name: str, phone: str, born: date | None = None) -> int:
    query = "INSERT INTO resident (uid, name, phone, born) VALUES (%s, %s, %s, %s) RETURNING id"
    return await _id(connection, query, new_uid(), name, phone, born)


async def move_in(connection: Connection, resident: int, dwelling: int, since: datetime) -> int:
    query = "INSERT INTO residency (resident_id, dwelling_id, during) VALUES (%s, %s, tstzrange(%s, NULL)) RETURNING id"
    return await _id(connection, query, resident, dwelling, since)


async def add_device(connection: Connection, site: str, address: str, kind: str, model: str = "") -> int:
    query = """INSERT INTO device (uid, site_id, ecosystem, address, kind, model)
               SELECT %s, id, 'native', %s, %s, %s FROM site WHERE name = %s RETURNING id"""
    return await _id(connection, query, new_uid(), address, kind, model, site)


async def fit(
    connection: Connection, device: int, dwelling: int, resident: int | None, placed: str, since: datetime
) -> int:
    query = """INSERT INTO installation (uid, device_id, dwelling_id, resident_id, placed, during)
               VALUES (%s, %s, %s, %s, %s, tstzrange(%s, NULL)) RETURNING id"""
    return await _id(connection, query, new_uid(), device, dwelling, resident, placed, since)


async def add_dose_schedule(
    connection: Connection,
    installation: int,
    at: time,
    since: datetime,
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6),
    grace_seconds: int | None = None,
) -> int:
    """Doses from ``since`` on."""
    query = """INSERT INTO dose_schedule (uid, installation_id, local_time, weekdays, from_date, grace_seconds,
                                          watched_until)
               VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id"""
    from_date = since.date()
    return await _id(connection, query, new_uid(), installation, at, list(weekdays), from_date, grace_seconds, since)


async def let_pass(connection: Connection, until: datetime) -> None:
    """For simulated homes that stood still: nobody waits for the doses of a time in which nobody lived."""
    await connection.execute(
        "DELETE FROM watch WHERE key LIKE 'dose:%%' AND state = 'waiting' AND since < %s", (until,)
    )
    await connection.execute(
        "UPDATE dose_schedule SET watched_until = %(until)s WHERE watched_until < %(until)s", {"until": until}
    )


async def counts(connection: Connection) -> tuple[int, int]:
    """Residents and devices."""
    cursor = await connection.execute(
        """SELECT (SELECT count(*) FROM resident) AS residents,
                  (SELECT count(*) FROM device WHERE address <> %s) AS devices""",
        (CANARY,),
    )
    row = await cursor.fetchone()
    return (row["residents"], row["devices"]) if row else (0, 0)


async def accounts(connection: Connection) -> list[dict[str, Any]]:
    """Whoever can sign in, with a role and its zone."""
    cursor = await connection.execute(
        """SELECT p.username, p.name, a.role, z.name AS zone
           FROM person p JOIN assignment a ON a.person_id = p.id JOIN zone z ON z.id = a.zone_id
           WHERE p.username IS NOT NULL ORDER BY p.id"""
    )
    return await cursor.fetchall()


async def simulated(connection: Connection) -> list[dict[str, Any]]:
    """Every fitted device with its kind, its home and where that is known to be, and the local times of its doses."""
    cursor = await connection.execute(
        """SELECT d.address, d.kind, i.dwelling_id::text AS home,
                  coalesce(array_agg(DISTINCT to_char(s.local_time, 'HH24:MI'))
                           FILTER (WHERE s.id IS NOT NULL), '{}') AS doses,
                  CASE WHEN w.latitude IS NOT NULL AND w.longitude IS NOT NULL
                       THEN ARRAY[w.latitude, w.longitude] END AS place
           FROM device d JOIN installation i ON i.device_id = d.id AND upper_inf(i.during)
           JOIN dwelling w ON w.id = i.dwelling_id
           LEFT JOIN dose_schedule s ON s.installation_id = i.id
           WHERE d.address <> %s GROUP BY d.id, i.dwelling_id, w.id ORDER BY d.address""",
        (CANARY,),
    )
    return await cursor.fetchall()
