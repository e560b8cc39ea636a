"""Statistics, read from rollups: when things happen in zones, and what alerts came to.

Days and hours of the day are those in Oslo, as the rollups have them (:mod:`gateway.store.rollups`). Each query has bounds on
``bucket`` and the zones, which is what the indexes are of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.counted import ALERT_COUNTS, FACT_COUNTS
from gateway.store.db import Connection
from gateway.store.said import Stretch, Wanted, stretched

_LOCAL = "(bucket AT TIME ZONE 'Europe/Oslo')"
_HOUR = f"extract(hour FROM {_LOCAL})::integer"
_STEPS: Mapping[str, tuple[Any, ...]] = {
    "hour": ("alert_hourly", ("bucket", "bucket AS begin")),
    "day": ("alert_daily", ("bucket", "bucket AS begin")),
    "hour_of_day": ("alert_hourly", (_HOUR, f"{_HOUR} AS hour")),
    "all": ("alert_daily",),
}
"""Of each step: the rollup, and by what its lines are, if by anything: the key, and what is shown of it."""
_DAY = "date_trunc('day', bucket, 'Europe/Oslo')"
_OF_FACT = {**{step: at for step, (_, *at) in _STEPS.items()}, "day": [(_DAY, f"{_DAY} AS begin")]}
ZONE = "(SELECT json_build_object('id', z.uid, 'name', z.name) FROM zone z WHERE z.id = a.zone_id) AS zone"
_PER = {"zone": ("a.zone_id", ZONE)}
OF_FACTS = frozenset({"cause_code", "action", "action_code"})
"""What rollups do not tell apart: it is counted from the facts themselves, of which there are some ten thousand a year."""
_FACTS = f"""(
    SELECT raised_at AS bucket, zone_id, condition, kind, severity, track, cause, cause_code, action, action_code, {FACT_COUNTS}
    FROM alert_fact WHERE zone_id = ANY(%(zones)s) AND raised_at >= %(since)s AND raised_at < %(until)s
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)"""


@dataclass(frozen=True, slots=True)
class Span:
    """Of which zones, from when until before when."""

    zones: Collection[int]
    since: datetime
    until: datetime

    @property
    def arguments(self) -> dict[str, Any]:
        return {"zones": sorted(self.zones), "since": self.since, "until": self.until}


async def activity(
    connection: Connection, span: Span, kinds: Collection[str], types: Collection[str]
) -> list[dict[str, Any]]:
    """How much was said by day and hour of the day. Hours in which nothing was said are left out."""
    cursor = await connection.execute(
        f"""SELECT {_LOCAL}::date AS day, extract(hour FROM {_LOCAL})::integer AS hour, sum(count)::bigint AS count
            FROM (SELECT bucket, sum(count) AS count FROM zone_activity_hourly
                  WHERE zone_id = ANY(%(zones)s) AND bucket >= %(since)s AND bucket < %(until)s
                    AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
                    AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s)) GROUP BY bucket) h
            GROUP BY 1, 2 ORDER BY 1, 2""",
        {**span.arguments, "kinds": sorted(kinds) or None, "types": sorted(types) or None},
    )
    return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that the database has written down as JSON, an array of objects: thousands of them cost nobody else's time here."""

    count: int
    json: str


async def alerts(
    connection: Connection,
    span: Span,
    step: str,
    per: Sequence[str],
    track: str | None,
    conditions: Collection[str],
    limit: int,
) -> Lines:
    """What closed alerts came to, by a step of time and by what they were. ``per``: zone, condition, kind, severity, track or
    cause, and of ``OF_FACTS``."""
    table, *at = _STEPS[step]
    if OF_FACTS & set(per):
        table, at = _FACTS, _OF_FACT[step]
    by = [*at, *(_PER.get(name, (name, name)) for name in dict.fromkeys(per))]
    shown = "".join(f"{each}, " for _, each in by)
    counts = ", ".join(f"sum({name})::bigint AS {name}" for name in ALERT_COUNTS)
    keys = ", ".join(key for key, _ in by)
    return await _written(
        connection,
        f"""SELECT {shown}{counts} FROM {table} a
            WHERE zone_id = ANY(%(zones)s) AND bucket >= %(since)s AND bucket < %(until)s
              AND (%(track)s::text IS NULL OR track = %(track)s)
              AND (%(conditions)s::text[] IS NULL OR condition = ANY(%(conditions)s))
            {f"GROUP BY {keys} ORDER BY {keys}" if by else "HAVING count(*) > 0"} LIMIT %(limit)s""",
        {**span.arguments, "track": track, "conditions": sorted(conditions) or None, "limit": limit},
    )


async def _written(connection: Connection, query: str, arguments: Mapping[str, Any]) -> Lines:
    """The rows of a query, in its order."""
    cursor = await connection.execute(
        f"SELECT count(*) AS count, coalesce(json_agg(q)::text, '[]') AS json FROM ({query}) q".encode(), arguments
    )
    row = await cursor.fetchone() or {"count": 0, "json": "[]"}
    return Lines(row["count"], row["json"])


TABLES = {"hour": "hourly", "day": "daily"}
_OF = """unnest(%(installations)s::bigint[], %(devices)s::bigint[], %(sinces)s::timestamptz[], %(untils)s::timestamptz[])
             AS s (installation_id, device_id, since, until)"""
_WITHIN = """r.bucket >= greatest(%(from)s, s.since) AND r.bucket < least(%(to)s, s.until)"""


async def counted(
    connection: Connection, of: Sequence[Stretch], wanted: Wanted, step: str, limit: int
) -> list[dict[str, Any]]:
    """How often these said what, by hours or days that begin in the time asked for, and in the time of the stretch."""
    cursor = await connection.execute(
        f"""SELECT r.bucket AS begin, r.type, sum(r.count)::bigint AS count
            FROM {_OF} JOIN activity_{TABLES[step]} r ON r.installation_id = s.installation_id AND {_WITHIN}
            WHERE %(types)s::text[] IS NULL OR r.type = ANY(%(types)s)
            GROUP BY 1, 2 ORDER BY 1, 2 LIMIT %(limit)s""",
        {**stretched(of), **wanted.arguments, "limit": limit},
    )
    return await cursor.fetchall()


async def health(connection: Connection, of: Sequence[Stretch], wanted: Wanted, step: str) -> list[dict[str, Any]]:
    """How a device was in these fittings, by the same."""
    cursor = await connection.execute(
        f"""SELECT r.bucket AS begin, sum(r.messages)::bigint AS messages, min(r.battery_min) AS battery_min,
                   (array_agg(r.battery_last ORDER BY s.installation_id DESC) FILTER (WHERE r.battery_last IS NOT NULL))[1]
                       AS battery_last,
                   min(r.signal_min) AS signal_min, sum(r.signal_sum) / nullif(sum(r.signal_count), 0) AS signal_mean
            FROM {_OF} JOIN device_health_{TABLES[step]} r ON r.device_id = s.device_id AND {_WITHIN}
                 AND r.installation_id IS NOT DISTINCT FROM s.installation_id
            GROUP BY 1 ORDER BY 1""",
        {**stretched(of), **wanted.arguments},
    )
    return await cursor.fetchall()


async def homes(connection: Connection, zones: Collection[int], now: datetime) -> int:
    """How many homes of these zones have a device."""
    cursor = await connection.execute(
        """SELECT count(DISTINCT w.id) AS homes FROM dwelling w JOIN installation i ON i.dwelling_id = w.id
           WHERE w.zone_id = ANY(%s) AND i.during @> %s::timestamptz""",
        (sorted(zones), now),
    )
    row = await cursor.fetchone()
    return row["homes"] if row else 0


async def counted_until(connection: Connection, rollup: str) -> datetime | None:
    """How far a rollup is reckoned."""
    cursor = await connection.execute("SELECT reckoned_until FROM rollup WHERE name = %s", (rollup,))
    row = await cursor.fetchone()
    return row["reckoned_until"] if row else None


async def below(connection: Connection, zone: Any, among: Collection[int]) -> list[int]:
    """A zone with what is below it, as far as it is among these; empty where the zone itself is not."""
    cursor = await connection.execute(
        """WITH RECURSIVE below AS (
               SELECT id FROM zone WHERE uid = %(zone)s AND id = ANY(%(among)s)
               UNION SELECT z.id FROM zone z JOIN below b ON z.parent_id = b.id)
           SELECT id FROM below WHERE id = ANY(%(among)s)""",
        {"zone": zone, "among": sorted(among)},
    )
    return [row["id"] for row in await cursor.fetchall()]
