"""What was said and what was fitted where, over a time that has passed: what a preview is made of.

Large, so it is read in pieces and has a limit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.replay import Deaf, Lived
from gateway.store.db import Connection
from gateway.store.municipality import CANARY

AT_ONCE = 2000
LONGEST = "20s"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose devices: of a kind, in these zones; of one resident or one device where given."""

    kind: str
    zones: Collection[int]
    resident: int | None = None
    device: int | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        return {"kind": self.kind, "zones": sorted(self.zones), "resident": self.resident, "device": self.device}


@dataclass(frozen=True, slots=True)
class Asked:
    """Types of these devices, and words (``kind/type``) of those others."""

    devices: Collection[int]
    types: Collection[str]
    others: Collection[int] = ()
    words: Collection[str] = ()


async def limit_time(connection: Connection) -> None:
    """No query of this transaction may take longer than 20 s; ``db.TooMuch`` for one that does."""
    await connection.execute(f"SET LOCAL statement_timeout = '{LONGEST}'")


async def fittings(connection: Connection, place: Place, since: datetime, now: datetime) -> list[dict[str, Any]]:
    """Where devices were fitted in this time, from and to. A device that is fitted for nobody in particular counts for whoever
    has lived there."""
    cursor = await connection.execute(
        """SELECT d.site_id, w.zone_id, d.id AS device_id, i.id AS installation_id, i.dwelling_id, i.resident_id, d.kind,
                  d.silent_after_seconds, lower(i.during) AS since, upper(i.during) AS until
           FROM installation i JOIN device d ON d.id = i.device_id JOIN dwelling w ON w.id = i.dwelling_id
           WHERE d.kind = %(kind)s AND w.zone_id = ANY(%(zones)s)
             AND i.during && tstzrange(%(since)s, %(now)s, '[]') AND (%(device)s::bigint IS NULL OR d.id = %(device)s)
             AND (%(resident)s::bigint IS NULL OR i.resident_id = %(resident)s
                  OR (i.resident_id IS NULL AND EXISTS (
                      SELECT 1 FROM residency y WHERE y.dwelling_id = i.dwelling_id AND y.resident_id = %(resident)s)))
           ORDER BY i.id""",
        {**place.arguments, "since": since, "now": now},
    )
    return await cursor.fetchall()


async def unfitted(connection: Connection, place: Place) -> list[int]:
    """Devices of sites in these zones: what they say while they are fitted nowhere counts, too. The canary's are nobody's."""
    cursor = await connection.execute(
        """SELECT d.id FROM device d JOIN site s ON s.id = d.site_id
           WHERE d.kind = %(kind)s AND s.zone_id = ANY(%(zones)s) AND %(resident)s::bigint IS NULL
             AND d.address <> %(canary)s AND (%(device)s::bigint IS NULL OR d.id = %(device)s) ORDER BY d.id""",
        {**place.arguments, "canary": CANARY},
    )
    return [row["id"] for row in await cursor.fetchall()]


async def living_with(connection: Connection, dwellings: Collection[int], since: datetime) -> list[int]:
    """Every device that has been fitted in these homes."""
    cursor = await connection.execute(
        """SELECT DISTINCT device_id FROM installation WHERE dwelling_id = ANY(%s)
           AND (upper_inf(during) OR upper(during) > %s) ORDER BY device_id""",
        (sorted(dwellings), since),
    )
    return [row["device_id"] for row in await cursor.fetchall()]


async def oldest(connection: Connection, sites: Collection[int], since: datetime) -> datetime | None:
    """The first thing that is stored of these sites from a time on."""
    cursor = await connection.execute(
        """SELECT min(o.received_at) AS oldest FROM device d CROSS JOIN LATERAL (
               SELECT received_at FROM said WHERE device_id = d.id AND received_at >= %s
               ORDER BY received_at LIMIT 1) o
           WHERE d.site_id = ANY(%s)""",
        (since, sorted(sites)),
    )
    row = await cursor.fetchone()
    return row["oldest"] if row else None


async def said(connection: Connection, asked: Asked, since: datetime, limit: int) -> AsyncIterator[dict[str, Any]]:
    """What was said, with what it was about, the newest first."""
    async with connection.cursor(name="history") as cursor:
        cursor.itersize = AT_ONCE
        await cursor.execute(
            """SELECT o.device_id, o.installation_id, o.kind, o.message_class, o.type, o.message_id, o.occurred_at,
                      o.received_at, o.flags, o.fields, d.ecosystem, d.address, n.name AS site, n.id AS site_id,
                      coalesce(w.zone_id, n.zone_id) AS zone_id, i.dwelling_id,
                      CASE WHEN i.resident_id IS NOT NULL OR i.id IS NULL THEN i.resident_id ELSE (
                          SELECT min(y.resident_id) FROM residency y
                          WHERE y.dwelling_id = i.dwelling_id AND y.during @> o.occurred_at HAVING count(*) = 1)
                      END AS resident_id
               FROM said o JOIN device d ON d.id = o.device_id JOIN site n ON n.id = d.site_id
               LEFT JOIN installation i ON i.id = o.installation_id LEFT JOIN dwelling w ON w.id = i.dwelling_id
               WHERE o.received_at >= %(since)s
                 AND ((o.device_id = ANY(%(devices)s) AND o.type = ANY(%(types)s))
                      OR (o.device_id = ANY(%(others)s) AND o.kind || '/' || o.type = ANY(%(words)s)))
               ORDER BY o.received_at DESC, o.id DESC LIMIT %(limit)s""",
            {
                "devices": sorted(asked.devices),
                "types": sorted(asked.types),
                "others": sorted(asked.others),
                "words": sorted(asked.words),
                "since": since,
                "limit": limit,
            },
        )
        async for row in cursor:
            yield row


async def signs_of_life(
    connection: Connection, contracts: Collection[tuple[int, float]], since: datetime
) -> dict[int, list[datetime]]:
    """When devices gave a sign of life, in order: of each quarter of a device's contract (seconds) the first and the last,
    which is all that silence can be judged by. What the broker says in a device's name is none."""
    cursor = await connection.execute(
        """SELECT o.device_id, min(o.received_at) AS first, max(o.received_at) AS last
           FROM unnest(%s::bigint[], %s::float[]) AS c (device_id, seconds)
           JOIN said o ON o.device_id = c.device_id AND o.received_at >= %s
           WHERE NOT ('retained' = ANY(o.flags)) AND NOT (o.type = 'presence' AND o.fields ->> 'online' = 'false')
           GROUP BY o.device_id, floor(extract(epoch FROM o.received_at) / (c.seconds / 4)) ORDER BY first""",
        ([device for device, _ in contracts], [seconds for _, seconds in contracts], since),
    )
    found: dict[int, list[datetime]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["device_id"], []).extend(dict.fromkeys((row["first"], row["last"])))
    return found


async def schedules(connection: Connection, installations: Collection[int]) -> list[dict[str, Any]]:
    """The dose schedules of these fittings."""
    cursor = await connection.execute(
        """SELECT id, installation_id, local_time, weekdays, from_date, to_date, grace_seconds FROM dose_schedule
           WHERE installation_id = ANY(%s) ORDER BY id""",
        (sorted(installations),),
    )
    return await cursor.fetchall()


async def deaf(connection: Connection, sites: Collection[int], since: datetime, now: datetime) -> dict[int, list[Deaf]]:
    """When each site was not heard, as its incidents tell."""
    cursor = await connection.execute(
        """SELECT site_id, occurred_at, coalesce(closed_at, %(now)s) AS until FROM alert
           WHERE condition = 'site_deaf' AND site_id = ANY(%(sites)s) AND coalesce(closed_at, %(now)s) > %(since)s
           ORDER BY occurred_at""",
        {"sites": sorted(sites), "since": since, "now": now},
    )
    found: dict[int, list[Deaf]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["site_id"], []).append(Deaf(row["occurred_at"], row["until"]))
    return found


async def lived(
    connection: Connection, sites: Collection[int], conditions: Collection[str], since: datetime
) -> dict[str, list[Lived]]:
    """From when until when alerts of these conditions were open, by key."""
    cursor = await connection.execute(
        """SELECT key, raised_at, closed_at FROM alert WHERE site_id = ANY(%s) AND condition = ANY(%s)
           AND (closed_at IS NULL OR closed_at > %s) ORDER BY id""",
        (sorted(sites), sorted(conditions), since),
    )
    found: dict[str, list[Lived]] = {}
    for row in await cursor.fetchall():
        found.setdefault(row["key"], []).append(Lived(row["raised_at"], row["closed_at"]))
    return found


async def who_and_where(
    connection: Connection, residents: Collection[int], devices: Collection[int], zones: Collection[int]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Outer id and name by (resident, device or zone; inner id)."""
    cursor = await connection.execute(
        """SELECT 'resident' AS what, id, uid, name FROM resident WHERE id = ANY(%s)
           UNION ALL SELECT 'device', id, uid, address FROM device WHERE id = ANY(%s)
           UNION ALL SELECT 'zone', id, uid, name FROM zone WHERE id = ANY(%s)""",
        (sorted(residents), sorted(devices), sorted(zones)),
    )
    return {(row["what"], row["id"]): row for row in await cursor.fetchall()}
