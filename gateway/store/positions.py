"""Positions: where devices were. The only table with coordinates of people, and its rows live for days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from devices.position import Position
from gateway.store.db import Connection


@dataclass(frozen=True, slots=True)
class Placed:
    """A position with the device that was there, and what it was fitted to at the time."""

    device_id: int
    installation_id: int | None
    position: Position
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored position with its device."""

    id: int
    device_id: int
    installation_id: int | None
    device_uid: UUID
    device_kind: str
    latitude: float
    longitude: float
    accuracy_m: float | None
    source: str | None
    occurred_at: datetime


async def add(connection: Connection, placed: Sequence[Placed]) -> None:
    """Store positions."""
    found = [each.position for each in placed]
    await connection.execute(
        """INSERT INTO position (device_id, installation_id, occurred_at, received_at, latitude, longitude, accuracy_m,
                                 source)
           SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::timestamptz[], %b::timestamptz[],
                                %s::double precision[], %s::double precision[], %s::double precision[], %b::text[])""",
        (
            [each.device_id for each in placed],
            [each.installation_id for each in placed],
            [each.at for each in found],
            [each.received_at for each in placed],
            [each.latitude for each in found],
            [each.longitude for each in found],
            [each.accuracy_m for each in found],
            [each.source for each in found],
        ),
    )


async def homes(connection: Connection, dwellings: Iterable[int]) -> dict[int, tuple[float, float]]:
    """Latitude and longitude of those dwellings of which they are known."""
    cursor = await connection.execute(
        """SELECT id, latitude, longitude FROM dwelling
           WHERE id = ANY(%s) AND latitude IS NOT NULL AND longitude IS NOT NULL""",
        (sorted(dwellings),),
    )
    return {row["id"]: (row["latitude"], row["longitude"]) for row in await cursor.fetchall()}


_SHOWN = """
    SELECT p.id, p.device_id, p.installation_id, d.uid AS device_uid, d.kind AS device_kind, p.latitude, p.longitude,
           p.accuracy_m, p.source, p.occurred_at
    FROM position p JOIN device d ON d.id = p.device_id"""


async def latest(
    connection: Connection, device_id: int, installation_id: int | None, until: datetime | None = None
) -> Shown | None:
    """Where a device was last in this fitting (None: while it was fitted nowhere), or last at a time."""
    cursor = connection.cursor(row_factory=class_row(Shown))
    await cursor.execute(
        f"""{_SHOWN} WHERE p.device_id = %(device)s AND p.installation_id IS NOT DISTINCT FROM %(installation)s
              AND (%(until)s::timestamptz IS NULL OR p.occurred_at <= %(until)s)
            ORDER BY p.occurred_at DESC, p.id DESC LIMIT 1""",
        {"device": device_id, "installation": installation_id, "until": until},
    )
    return await cursor.fetchone()


async def latest_of_resident(connection: Connection, resident_id: int) -> Shown | None:
    """Where any device was last that was fitted for this resident at the time."""
    cursor = connection.cursor(row_factory=class_row(Shown))
    await cursor.execute(
        f"""{_SHOWN} WHERE p.installation_id IN (SELECT id FROM installation WHERE resident_id = %s)
            ORDER BY p.occurred_at DESC, p.id DESC LIMIT 1""",
        (resident_id,),
    )
    return await cursor.fetchone()


async def zones_that_look(connection: Connection, device_ids: Sequence[int], now: datetime) -> frozenset[int]:
    """The zones of open alerts over these devices, or over those who wear them now."""
    cursor = await connection.execute(
        """SELECT DISTINCT zone_id FROM alert
           WHERE closed_at IS NULL AND (device_id = ANY(%(devices)s) OR resident_id IN (
               SELECT resident_id FROM installation WHERE device_id = ANY(%(devices)s) AND during @> %(now)s))""",
        {"devices": list(device_ids), "now": now},
    )
    return frozenset(row["zone_id"] for row in await cursor.fetchall())
