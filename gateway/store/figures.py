"""Figures about alerts, one by one rather than from rollups: how long answers took, and what cries wolf.

Answer times are read from ``alert_fact``, which names nobody and is never removed: a median is not a sum, so no rollup has it.
What devices and residents came to is read from ``alert``, for as long as alerts are kept. Days and months are those in Oslo.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.db import Connection
from gateway.store.statistics import ZONE, Span

_HOUR = "extract(hour FROM a.raised_at AT TIME ZONE 'Europe/Oslo')::integer"
_PER = {"zone": ("a.zone_id", ZONE), "hour": (_HOUR, f"{_HOUR} AS hour")}
_FALSE = "a.cause IN ('false_by_device', 'false_by_user')"


async def answers(
    connection: Connection, span: Span, per: Sequence[str], track: str | None, limit: int
) -> list[dict[str, Any]]:
    """How long answers to closed alerts took. ``per``: zone, hour, cause or condition."""
    by = [_PER.get(name, (f"a.{name}", f"a.{name}")) for name in dict.fromkeys(per)]
    keys = ", ".join(key for key, _ in by)
    cursor = await connection.execute(
        f"""SELECT {"".join(f"{each}, " for _, each in by)}
                   count(*) AS alerts, count(*) FILTER (WHERE {_FALSE}) AS false_alarms,
                   count(answer_seconds) AS answered, count(*) FILTER (WHERE answer_seconds <= 60) AS answered_in_60_s,
                   count(*) FILTER (WHERE answer_seconds <= 180) AS answered_in_180_s,
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY answer_seconds) AS answer_median_seconds,
                   percentile_disc(0.9) WITHIN GROUP (ORDER BY answer_seconds) AS answer_p90_seconds,
                   count(on_site_seconds) AS on_site, count(*) FILTER (WHERE on_site_seconds <= 1800) AS on_site_in_30_min,
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY on_site_seconds) AS on_site_median_seconds,
                   percentile_disc(0.9) WITHIN GROUP (ORDER BY on_site_seconds) AS on_site_p90_seconds
            FROM alert_fact a
            WHERE a.zone_id = ANY(%(zones)s) AND a.raised_at >= %(since)s AND a.raised_at < %(until)s
              AND (%(track)s::text IS NULL OR a.track = %(track)s)
            {f"GROUP BY {keys} ORDER BY {keys}" if by else "HAVING count(*) > 0"} LIMIT %(limit)s""",
        {**span.arguments, "track": track, "limit": limit},
    )
    return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Often:
    """Which alerts are counted: of ``care`` and ``technical`` those in these zones, raised from ``since`` until before ``until``;
    and the months of that, whole ones, in which more than ``mark`` are too many. ``marked``: only what has too many."""

    care: Collection[int]
    technical: Collection[int]
    since: datetime
    until: datetime
    months_since: datetime
    months_until: datetime
    track: str | None
    mark: int
    marked: bool
    limit: int

    @property
    def arguments(self) -> Mapping[str, Any]:
        return {
            "care": sorted(self.care),
            "technical": sorted(self.technical),
            "zones": sorted({*self.care, *self.technical}),
            **{name: getattr(self, name) for name in ("since", "until", "months_since", "months_until")},
            **{name: getattr(self, name) for name in ("track", "mark", "marked", "limit")},
        }


def _often(whose: str) -> str:
    """``often``: whose alerts came to what, the most first. ``newest`` is the last of them in the time that is asked for."""
    inside = "a.raised_at >= %(since)s AND a.raised_at < %(until)s"
    return f"""WITH months AS (
        SELECT a.{whose} AS of, count(*) AS whole, count(*) FILTER (WHERE {inside}) AS alerts,
               count(*) FILTER (WHERE {inside} AND a.closed_at IS NOT NULL) AS closed,
               count(*) FILTER (WHERE {inside} AND {_FALSE}) AS false_alarms, max(a.id) FILTER (WHERE {inside}) AS newest
        FROM alert a
        WHERE a.zone_id = ANY(%(zones)s) AND a.raised_at >= %(months_since)s AND a.raised_at < %(months_until)s
          AND a.zone_id = ANY(CASE a.track WHEN 'care' THEN %(care)s::bigint[] ELSE %(technical)s::bigint[] END)
          AND a.{whose} IS NOT NULL AND NOT a.notice AND (%(track)s::text IS NULL OR a.track = %(track)s)
        GROUP BY a.{whose}, date_trunc('month', a.raised_at, 'Europe/Oslo')),
    often AS (
        SELECT of, sum(alerts)::bigint AS alerts, sum(closed)::bigint AS closed, sum(false_alarms)::bigint AS false_alarms,
               max(whole) AS most_in_a_month, max(whole) > %(mark)s AS marked, max(newest) AS newest
        FROM months GROUP BY of HAVING sum(alerts) > 0 AND (NOT %(marked)s OR max(whole) > %(mark)s)
        ORDER BY 2 DESC, of LIMIT %(limit)s)"""


_COUNTS = "o.alerts, o.closed, o.false_alarms, o.most_in_a_month, o.marked"


async def devices(connection: Connection, often: Often) -> list[dict[str, Any]]:
    """Which devices had alerts, the most first. ``zone``: of the newest."""
    cursor = await connection.execute(
        f"""{_often("device_id")}
            SELECT json_build_object('id', d.uid, 'name', d.address) AS device, d.kind, {ZONE}, {_COUNTS}
            FROM often o JOIN device d ON d.id = o.of JOIN alert a ON a.id = o.newest ORDER BY o.alerts DESC, o.of""",
        often.arguments,
    )
    return await cursor.fetchall()


async def residents(connection: Connection, often: Often) -> list[dict[str, Any]]:
    """Which residents had alerts, the most first, with their inner id. ``zone``: of the newest."""
    cursor = await connection.execute(
        f"""{_often("resident_id")}
            SELECT t.id AS resident_id, json_build_object('id', t.uid, 'name', t.name) AS resident, {ZONE}, {_COUNTS}
            FROM often o JOIN resident t ON t.id = o.of JOIN alert a ON a.id = o.newest ORDER BY o.alerts DESC, o.of""",
        often.arguments,
    )
    return await cursor.fetchall()
