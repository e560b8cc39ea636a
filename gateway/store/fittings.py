"""Devices as they are registered and fitted, and the doses that are planned for a fitting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from gateway.store.db import Connection, new_uid


async def site_for(connection: Connection, name: str) -> dict[str, Any] | None:
    """A site and its zone."""
    cursor = await connection.execute("SELECT id, name, zone_id FROM site WHERE name = %s", (name,))
    return await cursor.fetchone()


async def at_address(connection: Connection, site_id: int, ecosystem: str, address: str) -> dict[str, Any] | None:
    """The device that is known by an address, locked."""
    cursor = await connection.execute(
        """SELECT id, uid FROM device WHERE site_id = %s AND ecosystem = %s AND address = %s
           FOR NO KEY UPDATE""",
        (site_id, ecosystem, address),
    )
    return await cursor.fetchone()


async def register(
    connection: Connection, site_id: int, ecosystem: str, address: str, kind: str, model: str, contract: int | None
) -> tuple[int, UUID] | None:
    """A device that is known from now on, also where it has spoken before; the inner and the outer id. None where somebody
    else has just registered it."""
    cursor = await connection.execute(
        """INSERT INTO device AS d (uid, site_id, ecosystem, address, kind, model, silent_after_seconds)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (site_id, ecosystem, address) DO UPDATE
           SET registered = true, kind = excluded.kind, model = excluded.model,
               silent_after_seconds = excluded.silent_after_seconds
           WHERE NOT d.registered RETURNING id, uid""",
        (new_uid(), site_id, ecosystem, address, kind, model, contract),
    )
    row = await cursor.fetchone()
    return (row["id"], row["uid"]) if row else None


async def lock(connection: Connection, device_id: int) -> None:
    """Whoever changes a device or its fittings does it one after the other."""
    await connection.execute("SELECT 1 FROM device WHERE id = %s FOR NO KEY UPDATE", (device_id,))


async def set_model(connection: Connection, device_id: int, model: str) -> None:
    await connection.execute("UPDATE device SET model = %s WHERE id = %s", (model, device_id))


async def set_contract(connection: Connection, device_id: int, seconds: int | None, now: datetime) -> None:
    """How long it may say nothing, None for what its kind may; the wait for it is judged anew at once."""
    await connection.execute("UPDATE device SET silent_after_seconds = %s WHERE id = %s", (seconds, device_id))
    await connection.execute(
        """UPDATE watch SET due_at = %(now)s WHERE key = ANY(ARRAY(
               SELECT key FROM watch WHERE device_id = %(device)s AND key LIKE 'silence:%%' AND due_at > %(now)s
               ORDER BY key FOR UPDATE))""",
        {"device": device_id, "now": now},
    )


async def in_the_way(connection: Connection, device_id: int, since: datetime) -> list[dict[str, Any]]:
    """Fittings that are not over at a time, the earliest first."""
    cursor = await connection.execute(
        """SELECT i.id, i.uid, i.dwelling_id, i.resident_id, w.address, w.zone_id, lower(i.during) AS since,
                  upper(i.during) AS until
           FROM installation i JOIN dwelling w ON w.id = i.dwelling_id
           WHERE i.device_id = %s AND i.during && tstzrange(%s, NULL) ORDER BY lower(i.during) NULLS FIRST""",
        (device_id, since),
    )
    return await cursor.fetchall()


async def shown(connection: Connection, uid: UUID) -> dict[str, Any] | None:
    """One fitting."""
    cursor = await connection.execute(
        """SELECT i.id, i.uid, d.uid AS device_uid, w.uid AS dwelling_uid, w.address, t.uid AS resident_uid,
                  i.resident_id, t.name AS resident, i.placed, lower(i.during) AS since, upper(i.during) AS until
           FROM installation i JOIN device d ON d.id = i.device_id JOIN dwelling w ON w.id = i.dwelling_id
           LEFT JOIN resident t ON t.id = i.resident_id WHERE i.uid = %s""",
        (uid,),
    )
    return await cursor.fetchone()


async def lives_in(connection: Connection, resident: UUID, dwelling_id: int, at: datetime) -> int | None:
    """The inner id of a resident who lives in a dwelling at a time."""
    cursor = await connection.execute(
        """SELECT t.id FROM resident t JOIN residency y ON y.resident_id = t.id
           WHERE t.uid = %s AND y.dwelling_id = %s AND y.during @> %s::timestamptz""",
        (resident, dwelling_id, at),
    )
    row = await cursor.fetchone()
    return row["id"] if row else None


# Doses ----------------------------------------------------------------------------------------------------------------

_DOSE = """SELECT s.id, s.uid, s.local_time, s.weekdays, s.from_date, s.to_date, s.grace_seconds, d.uid AS device_uid,
                  d.id AS device_id, i.during @> %(now)s::timestamptz AS fitted
           FROM dose_schedule s JOIN installation i ON i.id = s.installation_id JOIN device d ON d.id = i.device_id"""


async def doses(connection: Connection, installation_id: int, now: datetime, today: date) -> list[dict[str, Any]]:
    """The planned doses of a fitting that are not over, by time."""
    cursor = await connection.execute(
        f"""{_DOSE} WHERE s.installation_id = %(id)s AND (s.to_date IS NULL OR s.to_date >= %(today)s)
            ORDER BY s.local_time, s.id""",
        {"id": installation_id, "now": now, "today": today},
    )
    return await cursor.fetchall()


async def dose(connection: Connection, uid: UUID, now: datetime) -> dict[str, Any] | None:
    """One of them, with its device's outer id."""
    cursor = await connection.execute(f"{_DOSE} WHERE s.uid = %(uid)s", {"uid": uid, "now": now})
    return await cursor.fetchone()


async def dose_in_the_way(
    connection: Connection,
    installation_id: int,
    at: time,
    weekdays: Sequence[int],
    since: date,
    until: date | None,
) -> dict[str, Any] | None:
    """A dose of the fitting at the same time, on one of these weekdays between these days."""
    cursor = await connection.execute(
        """SELECT uid, weekdays, from_date, to_date FROM dose_schedule
           WHERE installation_id = %s AND local_time = %s AND weekdays && %s::smallint[]
             AND daterange(from_date, to_date, '[]') && daterange(%s, %s, '[]') ORDER BY id LIMIT 1""",
        (installation_id, at, list(weekdays), since, until),
    )
    return await cursor.fetchone()


async def add_dose(
    connection: Connection,
    installation_id: int,
    at: time,
    weekdays: Sequence[int],
    days: tuple[date, date | None],
    grace_seconds: int | None,
    now: datetime,
) -> tuple[int, UUID]:
    """A dose from a day until another, none of them before now; the inner and the outer id."""
    uid = new_uid()
    cursor = await connection.execute(
        """INSERT INTO dose_schedule (uid, installation_id, local_time, weekdays, from_date, to_date, grace_seconds,
                                      watched_until)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        (uid, installation_id, at, list(weekdays), *days, grace_seconds, now),
    )
    row = await cursor.fetchone()
    return (row["id"] if row else 0), uid


async def end_dose(connection: Connection, schedule_id: int, device_id: int, last_day: date, over: datetime) -> bool:
    """A dose has a last day, after which (``over``, its local midnight) nobody waits for it. One that would end before it
    begins is forgotten. False where it ends no later already."""
    cursor = await connection.execute(
        "DELETE FROM dose_schedule WHERE id = %s AND from_date > %s RETURNING id", (schedule_id, last_day)
    )
    if await cursor.fetchone() is None:
        cursor = await connection.execute(
            """UPDATE dose_schedule SET to_date = %(day)s
               WHERE id = %(id)s AND (to_date IS NULL OR to_date > %(day)s) RETURNING id""",
            {"id": schedule_id, "day": last_day},
        )
        if await cursor.fetchone() is None:
            return False
    await connection.execute(
        """UPDATE watch SET due_at = NULL, state = 'met' WHERE key = ANY(ARRAY(
               SELECT key FROM watch WHERE device_id = %s AND since >= %s AND key LIKE 'dose:%%' AND key LIKE %s
                 AND state = 'waiting' ORDER BY key FOR UPDATE))""",
        (device_id, over, f"dose:{schedule_id}:%"),
    )
    return True


async def take_doses_along(
    connection: Connection, device_id: int, fitting: UUID, at: datetime, watched_until: datetime, today: date
) -> int:
    """What was planned for a device's fitting until a time is planned for the next one. How many."""
    cursor = await connection.execute(
        """SELECT s.local_time, s.weekdays, s.from_date, s.to_date, s.grace_seconds, n.id AS installation_id
           FROM dose_schedule s JOIN installation i ON i.id = s.installation_id, installation n
           WHERE i.device_id = %s AND upper(i.during) = %s AND n.uid = %s
             AND (s.to_date IS NULL OR s.to_date >= %s) ORDER BY s.id FOR UPDATE OF s""",
        (device_id, at, fitting, today),
    )
    rows = await cursor.fetchall()
    for row in rows:
        days = (row["from_date"], row["to_date"])
        await add_dose(
            connection,
            row["installation_id"],
            row["local_time"],
            row["weekdays"],
            days,
            row["grace_seconds"],
            watched_until,
        )
    return len(rows)
