"""The outlook: whom policies reach in the week to come, as it was last worked out, and when that is done again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts.model import Track
from alerts.reach import Outlook, Weak
from gateway.store.db import Connection

CLAIMED = timedelta(minutes=5)
"""How long whoever looks has, before another one does."""


async def look_at(connection: Connection, at: datetime) -> None:
    """It is to be looked at from a time on, or already before."""
    await connection.execute(
        """INSERT INTO reach_look (due_at) VALUES (%s)
           ON CONFLICT (only_one) DO UPDATE SET due_at = least(reach_look.due_at, excluded.due_at)""",
        (at,),
    )


async def claim(connection: Connection, now: datetime) -> datetime | None:
    """Whether it is due, and ours to do: until when. Compare-and-set: one of several gets it."""
    await connection.execute("INSERT INTO reach_look (due_at) VALUES (%s) ON CONFLICT DO NOTHING", (now,))
    until = now + CLAIMED
    cursor = await connection.execute("UPDATE reach_look SET due_at = %s WHERE due_at <= %s", (until, now))
    return until if cursor.rowcount else None


async def looked(connection: Connection, claimed: datetime, now: datetime, again: datetime) -> None:
    """It was looked at; again at that time, unless somebody wants it sooner since."""
    await connection.execute(
        "UPDATE reach_look SET looked_at = %s, due_at = CASE WHEN due_at = %s THEN %s ELSE due_at END",
        (now, claimed, again),
    )


async def standing(connection: Connection) -> dict[str, Any] | None:
    """When it was looked at, and when it will be."""
    cursor = await connection.execute("SELECT due_at, looked_at FROM reach_look")
    return await cursor.fetchone()


async def save(connection: Connection, outlooks: Sequence[Outlook], told: Mapping[Weak, datetime | None]) -> None:
    """What was found, instead of what was found before. ``told``: of each gap when the lead was told."""
    await connection.execute("DELETE FROM reach_zone")
    await connection.execute("DELETE FROM reach_gap")
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO reach_zone (zone_id, since, care, technical) VALUES (%s, %s, %s, %s)",
            [
                (each.zone_id, each.since, list(each.hours[Track.CARE]), list(each.hours[Track.TECHNICAL]))
                for each in outlooks
            ],
        )
        await cursor.executemany(
            """INSERT INTO reach_gap (zone_id, policy_id, track, gap, since, until, persons, severities, told_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (
                    each.zone_id,
                    each.stored.id,
                    each.stored.policy.track,
                    each.gap,
                    each.since,
                    each.until,
                    each.persons,
                    [int(severity) for severity in each.severities],
                    told_at,
                )
                for each, told_at in told.items()
            ],
        )


async def zones(connection: Connection, ids: Collection[int]) -> list[dict[str, Any]]:
    """Hour by hour, in order of the zones' names."""
    cursor = await connection.execute(
        """SELECT z.uid, z.name, r.since, r.care, r.technical FROM reach_zone r JOIN zone z ON z.id = r.zone_id
           WHERE r.zone_id = ANY(%s) ORDER BY z.name, z.id""",
        (sorted(ids),),
    )
    return await cursor.fetchall()


async def gaps(connection: Connection, ids: Collection[int] | None = None) -> list[dict[str, Any]]:
    """Every gap in these zones (None: in all), the soonest first."""
    cursor = await connection.execute(
        """SELECT g.zone_id, g.policy_id, g.track, g.gap, g.since, g.until, g.persons, g.severities, g.told_at,
                  z.uid AS zone_uid, z.name AS zone, p.uid AS policy_uid, p.name AS policy, p.resident_id
           FROM reach_gap g JOIN zone z ON z.id = g.zone_id JOIN policy p ON p.id = g.policy_id
           WHERE %(zones)s::bigint[] IS NULL OR g.zone_id = ANY(%(zones)s)
           ORDER BY g.since, z.name, g.gap, p.name, g.id""",
        {"zones": None if ids is None else sorted(ids)},
    )
    return await cursor.fetchall()


async def unreached(connection: Connection, now: datetime) -> list[str]:
    """The zones in which some care policy reaches nobody at all now."""
    cursor = await connection.execute(
        """SELECT DISTINCT z.name FROM reach_gap g JOIN zone z ON z.id = g.zone_id
           WHERE g.gap = 'nobody' AND g.track = 'care' AND g.since <= %(now)s AND g.until > %(now)s ORDER BY z.name""",
        {"now": now},
    )
    return [row["name"] for row in await cursor.fetchall()]


async def homes_of(connection: Connection, residents: Collection[int], now: datetime) -> dict[int, int]:
    """The zones in which these residents live now."""
    cursor = await connection.execute(
        """SELECT y.resident_id, w.zone_id FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
           WHERE y.resident_id = ANY(%s) AND y.during @> %s::timestamptz""",
        (sorted(residents), now),
    )
    return {row["resident_id"]: row["zone_id"] for row in await cursor.fetchall()}


async def sites(connection: Connection) -> list[tuple[int, int]]:
    """Every site with its zone."""
    cursor = await connection.execute("SELECT id, zone_id FROM site ORDER BY id")
    return [(row["id"], row["zone_id"]) for row in await cursor.fetchall()]
