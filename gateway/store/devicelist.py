"""Devices as people look at them: where each is fitted, how it is, and which of them need somebody.

Theory
    A device is silent when its contract is broken: it has said nothing since it was last heard, or fitted here, for longer
    than it may, not counting the time in which its site was deaf; and it is judged as of when the site was last heard. It
    is what the rule of silence goes by (``alerts.rules.silence``), reckoned here for all devices at once, also where
    that rule is switched off. What is fitted nowhere is never silent.
    The worst come first: silent, the longest first; then those with open alerts, the severest first; without connection;
    with a low battery; unregistered; and the others. Among equals the address decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from gateway.store.db import Connection
from gateway.store.views import Sight

Order = Literal["address", "worst"]
State = Literal["silent", "attention"]
LOW_BATTERY = 20
"""Percent. As the default rules have it (``devices.health``)."""
WEAK_SIGNAL = -100
"""dBm, below which a device is hardly heard."""


@dataclass(frozen=True, slots=True)
class Search:
    """Which devices somebody asks for; what is None is not asked about. ``text``: a part of its address, its model, its home's
    address or its resident's name; ``zones``: those that the reader covers; ``zone``: one of them, with what is below it;
    ``state``: only the silent ones, or all that need somebody; ``unheard_since``: since then, or ever."""

    zones: Collection[int]
    text: str = ""
    kind: str | None = None
    zone: UUID | None = None
    state: State | None = None
    order: Order = "address"
    site: str | None = None
    online: bool | None = None
    unheard_since: datetime | None = None
    battery_below: float | None = None
    unfitted: bool | None = None

    @property
    def condition_sql(self) -> str:
        """What is asked about and nothing else."""
        return " ".join(f"AND {sql}" for name, sql in _ASKED.items() if getattr(self, name) is not None)


_BATTERY = "CASE jsonb_typeof(o.state -> 'battery') WHEN 'number' THEN (o.state ->> 'battery')::float8 END"
_ASKED = {
    "zone": "o.zone_id IN (SELECT id FROM below)",
    "state": "(o.rank < 4 AND (o.silent OR %(state)s <> 'silent'))",
    "site": "o.site = %(site)s",
    "online": "o.online = %(online)s",
    "unheard_since": "(o.last_seen IS NULL OR o.last_seen < %(unheard_since)s)",
    "battery_below": f"{_BATTERY} < %(battery_below)s",
    "unfitted": "(o.installation_id IS NULL) = %(unfitted)s",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the reader brings: whose alerts they see, and how long each kind may be silent, in seconds."""

    sight: Sight
    contracts: Mapping[str, float] = field(default_factory=dict)


_AROUND = """
    WITH RECURSIVE below AS (
        SELECT id FROM zone WHERE uid = %(zone)s
        UNION SELECT z.id FROM zone z JOIN below b ON z.parent_id = b.id),
    kind_contract AS (SELECT * FROM unnest(%(kinds)s::text[], %(seconds)s::float[]) AS k (kind, seconds)),
    hearing AS (
        SELECT site_id, min(heard_until) AS heard_until FROM site_lane GROUP BY site_id HAVING count(heard_until) = 2),
    deaf AS MATERIALIZED (
        SELECT site_id, occurred_at AS since, coalesce(closed_at, %(now)s) AS until FROM alert
        WHERE condition = 'site_deaf' AND coalesce(closed_at, %(now)s) > %(now)s - interval '60 days'),
    last_deaf AS (SELECT site_id, max(until) AS until FROM deaf GROUP BY site_id),
    trouble AS MATERIALIZED (
        SELECT a.device_id, a.installation_id, count(*) AS open_alerts, max(a.severity) AS severity FROM alert a
        WHERE a.closed_at IS NULL AND a.device_id IS NOT NULL
          AND a.zone_id = ANY(CASE a.track WHEN 'care' THEN %(care)s::bigint[] ELSE %(technical)s::bigint[] END)
        GROUP BY 1, 2)"""
_CONTRACT = "coalesce(d.silent_after_seconds, k.seconds, 0)"
_QUIET_SINCE = "CASE WHEN i.id IS NOT NULL THEN greatest(s.last_seen, lower(i.during)) END"
_SILENT_AT = """f.quiet_since + (f.contract + CASE WHEN l.until > f.quiet_since THEN coalesce((
                   SELECT sum(extract(epoch FROM x.until - greatest(x.since, f.quiet_since))) FROM deaf x
                   WHERE x.site_id = f.site_id AND x.until > f.quiet_since), 0) ELSE 0 END) * interval '1 second'"""
_WITH = f"""{_AROUND},
    fitted AS (
        SELECT d.id, d.uid, d.kind, d.address, d.model, d.registered, d.site_id, n.name AS site,
               {_CONTRACT} AS contract, i.id AS installation_id, i.dwelling_id,
               i.resident_id, coalesce(i.placed, '') AS placed, lower(i.during) AS fitted_since, w.address AS dwelling,
               coalesce(w.zone_id, n.zone_id) AS zone_id, z.name AS zone, z.uid AS zone_uid, t.uid AS resident_uid,
               t.name AS resident, s.last_seen, s.online, coalesce(s.fields, '{{}}') AS state, h.heard_until,
               coalesce(u.open_alerts, 0) AS open_alerts, u.severity,
               {_QUIET_SINCE} AS quiet_since,
               (SELECT max(q.until) FROM silence q
                WHERE q.device_id = d.id AND q.installation_id IS NOT DISTINCT FROM i.id AND q.ended_at IS NULL
                  AND q.since <= %(now)s AND q.until > %(now)s
                  AND (NOT q.needs_consent OR q.consented_at IS NOT NULL)) AS silenced_until
        FROM device d JOIN site n ON n.id = d.site_id
        LEFT JOIN installation i ON i.device_id = d.id AND i.during @> %(now)s::timestamptz
        LEFT JOIN dwelling w ON w.id = i.dwelling_id LEFT JOIN resident t ON t.id = i.resident_id
        JOIN zone z ON z.id = coalesce(w.zone_id, n.zone_id) LEFT JOIN device_state s ON s.device_id = d.id
        LEFT JOIN kind_contract k ON k.kind = d.kind LEFT JOIN hearing h ON h.site_id = d.site_id
        LEFT JOIN trouble u ON u.device_id = d.id AND u.installation_id IS NOT DISTINCT FROM i.id
        WHERE coalesce(w.zone_id, n.zone_id) = ANY(%(zones)s) AND (%(uid)s::uuid IS NULL OR d.uid = %(uid)s)
          AND (%(kind)s::text IS NULL OR d.kind = %(kind)s)),
    quiet AS MATERIALIZED (
        SELECT f.*, {_SILENT_AT} AS silent_at
        FROM fitted f LEFT JOIN last_deaf l ON l.site_id = f.site_id),
    standing AS (
        SELECT q.*, coalesce(q.contract > 0 AND q.silent_at < q.heard_until, false) AS silent FROM quiet q),
    listed AS (
        SELECT s.*, CASE WHEN s.silent THEN 0 WHEN s.open_alerts > 0 THEN 1
                         WHEN s.online IS FALSE AND s.installation_id IS NOT NULL THEN 2
                         WHEN jsonb_typeof(s.state -> 'battery') = 'number' AND (s.state ->> 'battery')::numeric < %(low)s
                              AND s.installation_id IS NOT NULL THEN 3
                         WHEN NOT s.registered THEN 4 ELSE 5 END AS rank
        FROM standing s),
    ordered AS (
        SELECT l.*, CASE WHEN %(worst)s THEN l.rank ELSE 0 END AS first,
               CASE WHEN %(worst)s AND l.silent THEN extract(epoch FROM l.quiet_since)
                    WHEN %(worst)s AND l.open_alerts > 0 THEN -l.severity ELSE 0 END AS second
        FROM listed l)"""


async def search(
    connection: Connection, asked: Search, known: Known, now: datetime, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Devices with their fitting now and how they are, in the order that is asked for, from after one."""
    cursor = await connection.execute(
        f"""{_WITH}
            SELECT o.* FROM ordered o
            WHERE (%(text)s::text = '' OR concat_ws(E'\\n', o.address, o.model, o.dwelling, o.resident) ILIKE %(like)s)
              {asked.condition_sql}
              AND (%(after)s::uuid IS NULL OR (o.first, o.second, o.address, o.id) > (
                   SELECT x.first, x.second, x.address, x.id FROM ordered x WHERE x.uid = %(after)s))
            ORDER BY o.first, o.second, o.address, o.id LIMIT %(limit)s""",
        {**_arguments(asked, known, now), "after": after, "limit": limit},
    )
    return await cursor.fetchall()


async def silent(connection: Connection, asked: Search, known: Known, now: datetime) -> tuple[int, int]:
    """How many of these devices are silent, and how many need somebody."""
    cursor = await connection.execute(
        f"""{_WITH} SELECT count(*) FILTER (WHERE silent) AS silent, count(*) FILTER (WHERE rank < 4) AS attention
            FROM ordered o WHERE %(zone)s::uuid IS NULL OR o.zone_id IN (SELECT id FROM below)""",
        _arguments(asked, known, now),
    )
    row = await cursor.fetchone()
    return (row["silent"], row["attention"]) if row else (0, 0)


async def fleet(connection: Connection, asked: Search, known: Known, now: datetime) -> list[dict[str, Any]]:
    """How many devices of each zone and kind there are, and how many are how. All zones are counted, and only then those that
    are asked for are taken: read from end to end, tables of so many devices take less time than looked up one by one."""
    cursor = await connection.execute(
        f"""{_AROUND},
            counted AS MATERIALIZED (
                SELECT f.zone_id, f.kind, count(*) AS devices, count(*) FILTER (WHERE NOT f.registered) AS unregistered,
                       count(f.installation_id) AS fitted,
                       count(*) FILTER (WHERE f.contract > 0 AND {_SILENT_AT} < h.heard_until) AS silent,
                       count(*) FILTER (WHERE f.online IS FALSE AND f.installation_id IS NOT NULL) AS disconnected,
                       count(*) FILTER (WHERE {_number("battery")} <= %(low)s AND f.installation_id IS NOT NULL) AS battery_low,
                       count(*) FILTER (WHERE {_number("rssi")} < %(weak)s AND f.installation_id IS NOT NULL) AS signal_weak,
                       count(u.device_id) FILTER (WHERE f.installation_id IS NOT NULL) AS with_alerts
                FROM (SELECT d.id, d.kind, d.site_id, d.registered, coalesce(w.zone_id, n.zone_id) AS zone_id,
                             i.id AS installation_id, {_CONTRACT} AS contract, {_QUIET_SINCE} AS quiet_since, s.online,
                             s.fields AS state
                      FROM device d JOIN site n ON n.id = d.site_id
                      LEFT JOIN installation i ON i.device_id = d.id AND i.during @> %(now)s::timestamptz
                      LEFT JOIN dwelling w ON w.id = i.dwelling_id LEFT JOIN device_state s ON s.device_id = d.id
                      LEFT JOIN kind_contract k ON k.kind = d.kind) f
                LEFT JOIN last_deaf l ON l.site_id = f.site_id LEFT JOIN hearing h ON h.site_id = f.site_id
                LEFT JOIN trouble u ON u.device_id = f.id AND u.installation_id IS NOT DISTINCT FROM f.installation_id
                GROUP BY 1, 2)
            SELECT z.uid AS zone_uid, z.name AS zone, c.* FROM counted c JOIN zone z ON z.id = c.zone_id
            WHERE z.id = ANY(%(zones)s) AND (%(zone)s::uuid IS NULL OR z.id IN (SELECT id FROM below))
            ORDER BY z.name, z.id, c.kind""",
        {**_arguments(asked, known, now), "weak": WEAK_SIGNAL},
    )
    return await cursor.fetchall()


def _number(field: str) -> str:
    return f"CASE jsonb_typeof(f.state -> '{field}') WHEN 'number' THEN (f.state ->> '{field}')::numeric END"


async def shown(
    connection: Connection, uid: UUID, zones: Collection[int], known: Known, now: datetime
) -> dict[str, Any] | None:
    """One device with its fitting now, in one of these zones."""
    cursor = await connection.execute(
        f"{_WITH} SELECT * FROM ordered", {**_arguments(Search(zones), known, now), "uid": uid}
    )
    return await cursor.fetchone()


def _arguments(asked: Search, known: Known, now: datetime) -> dict[str, Any]:
    return known.sight.arguments(
        **{**asdict(asked), "zones": sorted(asked.zones)},
        like=f"%{literally(asked.text)}%",
        worst=asked.order == "worst",
        kinds=list(known.contracts),
        seconds=list(known.contracts.values()),
        low=LOW_BATTERY,
        now=now,
        uid=None,
    )


def literally(text: str) -> str:
    """Text that stands for itself in LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
