"""What people look at: an alert with all that belongs to it, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection
from gateway.store.zones import BELOW


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody may see: themselves, and the zones of which they see the alerts of each track."""

    person: int
    care: Sequence[int]
    technical: Sequence[int]

    def arguments(self, **more: Any) -> dict[str, Any]:
        return {"person": self.person, "care": list(self.care), "technical": list(self.technical), **more}


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list of open alerts: its first sort key is whether the alert is somebody else's."""

    others: bool
    severity: int
    raised_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class AlertSearch:
    """Which alerts somebody asks for; what is None is not asked about. ``zone``: with what is below it; ``severity``: at
    least; ``raised_since``, ``raised_until``: from, and before. ``zones``: by inner id; ``waiting``: whether somebody has yet to answer;
    ``closed_since``: from."""

    state: str = "open"
    zone: UUID | None = None
    severity: int | None = None
    condition: str | None = None
    vkp_code: str | None = None
    track: str | None = None
    kind: str | None = None
    resident: UUID | None = None
    device: UUID | None = None
    raised_since: datetime | None = None
    raised_until: datetime | None = None
    mine: bool | None = None
    zones: Sequence[int] | None = None
    waiting: bool | None = None
    closed_since: datetime | None = None

    @property
    def condition_sql(self) -> str:
        """What is asked about and nothing else, so that each question finds its index."""
        return " ".join(f"AND {sql}" for name, sql in _ASKED.items() if getattr(self, name) is not None)


_ASKED = {
    "zone": f"a.zone_id IN ({BELOW} SELECT id FROM below)",
    "severity": "a.severity >= %(severity_from)s",
    "condition": "a.condition = %(condition)s",
    "vkp_code": "a.vkp_code = %(vkp_code)s",
    "track": "a.track = %(track)s",
    "kind": "d.kind = %(kind)s",
    "resident": "a.resident_id = (SELECT x.id FROM resident x WHERE x.uid = %(resident)s)",
    "device": "a.device_id = (SELECT x.id FROM device x WHERE x.uid = %(device)s)",
    "raised_since": "a.raised_at >= %(raised_since)s",
    "raised_until": "a.raised_at < %(raised_until)s",
    "mine": "coalesce(a.holder_id = %(person)s OR a.offered_to_id = %(person)s, false) = %(mine)s",
    "zones": "a.zone_id = ANY(%(zones)s)",
    "waiting": "(a.stage = 'open' OR a.exhausted_at IS NOT NULL) = %(waiting)s",
    "closed_since": "a.closed_at >= %(closed_since)s",
}

_SUMMARY = """
    SELECT a.id, a.uid, a.condition, a.vkp_code, a.severity, a.track, a.stage, a.zone_id, z.name AS zone, a.raised_at,
           a.occurred_at, a.late_seconds, a.due_at, a.closed_at, a.exhausted_at, a.holder_id, a.offered_to_id, a.version,
           a.device_id, a.installation_id, a.resident_id, a.dwelling_id, r.name AS resident, w.address, a.follows_id,
           a.cause, a.action, a.cause_code, a.action_code,
           CASE WHEN a.due_for = 'stage' AND a.due_as = 'pause' THEN a.due_at END AS paused_until,
           d.kind AS device_kind, q.since AS away_since, q.until AS away_until,
           EXISTS (SELECT 1 FROM page p WHERE p.alert_id = a.id AND p.person_id = %(person)s) AS paged
    FROM alert a JOIN zone z ON z.id = a.zone_id
    LEFT JOIN resident r ON r.id = a.resident_id
    LEFT JOIN dwelling w ON w.id = a.dwelling_id
    LEFT JOIN device d ON d.id = a.device_id
    LEFT JOIN silence q ON q.resident_id = a.resident_id AND q.kind = 'away' AND q.ended_at IS NULL
                        AND a.closed_at IS NULL"""

VISIBLE = """(
    a.zone_id = ANY(CASE a.track WHEN 'care' THEN %(care)s::bigint[] ELSE %(technical)s::bigint[] END)
    OR a.holder_id = %(person)s
    OR a.offered_to_id = %(person)s OR EXISTS (SELECT 1 FROM page p WHERE p.alert_id = a.id AND p.person_id = %(person)s))"""


async def open_alerts(
    connection: Connection, sight: Sight, wanted: AlertSearch, after: Position | None, limit: int
) -> list[dict[str, Any]]:
    """What the person may see of what is asked for, after a position: first what is theirs, then the severest, then the oldest."""
    start = (after.others, -after.severity, after.raised_at, after.id) if after else (None, None, None, None)
    others = "(a.holder_id = %(person)s OR a.offered_to_id = %(person)s) IS NOT TRUE"
    cursor = await connection.execute(
        f"""{_SUMMARY} WHERE a.closed_at IS NULL AND {VISIBLE} {wanted.condition_sql}
              AND (%(id)s::bigint IS NULL OR ({others}, -a.severity, a.raised_at, a.id)
                   > (%(others)s::boolean, %(severity)s::bigint, %(raised_at)s::timestamptz, %(id)s::bigint))
            ORDER BY {others}, -a.severity, a.raised_at, a.id LIMIT %(limit)s""",
        sight.arguments(
            **dict(zip(("others", "severity", "raised_at", "id"), start, strict=True)),
            **_arguments(wanted),
            limit=limit,
        ),
    )
    return await cursor.fetchall()


async def open_of_device(connection: Connection, sight: Sight, device_id: int, limit: int) -> list[dict[str, Any]]:
    """The open alerts over a device that the person may see: the severest first, then the oldest."""
    cursor = await connection.execute(
        f"""{_SUMMARY} WHERE a.closed_at IS NULL AND a.device_id = %(device)s AND {VISIBLE}
            ORDER BY a.severity DESC, a.raised_at, a.id LIMIT %(limit)s""",
        sight.arguments(device=device_id, limit=limit),
    )
    return await cursor.fetchall()


def _arguments(wanted: AlertSearch) -> dict[str, Any]:
    told = asdict(wanted)
    return {"severity_from": told.pop("severity"), **told}


async def closed_alerts(
    connection: Connection, sight: Sight, wanted: AlertSearch, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """What the person may see of what is asked for, the newest first, from before an inner id."""
    cursor = await connection.execute(
        f"""{_SUMMARY} WHERE a.closed_at IS NOT NULL AND {VISIBLE} {wanted.condition_sql}
            AND (%(before)s::bigint IS NULL OR a.id < %(before)s) ORDER BY a.id DESC LIMIT %(limit)s""",
        sight.arguments(before=before, limit=limit, **_arguments(wanted)),
    )
    return await cursor.fetchall()


async def alert(connection: Connection, uid: UUID, sight: Sight) -> dict[str, Any] | None:
    """One alert, if the person may see it."""
    cursor = await connection.execute(
        f"{_SUMMARY} WHERE a.uid = %(uid)s AND {VISIBLE}",
        sight.arguments(uid=uid),
    )
    return await cursor.fetchone()


async def linked(
    connection: Connection, alert_id: int, follows: int | None, sight: Sight
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The alert that it follows, and the one that follows it, as far as the person may see them."""
    cursor = await connection.execute(
        f"""SELECT a.id, a.uid, a.raised_at, a.closed_at, a.cause, a.action FROM alert a
            WHERE (a.id = %(follows)s OR a.follows_id = %(alert)s) AND {VISIBLE} ORDER BY a.id""",
        sight.arguments(alert=alert_id, follows=follows),
    )
    found = {row["id"] == follows: row for row in await cursor.fetchall()}
    return found.get(True), found.get(False)


async def timeline(connection: Connection, alert_id: int) -> list[dict[str, Any]]:
    """With what somebody wrote beside an entry."""
    cursor = await connection.execute(
        """SELECT e.at, e.given_at, e.code, e.params, e.actor_id, n.note FROM alert_entry e
           LEFT JOIN alert_note n ON n.alert_id = e.alert_id AND n.seq = e.seq WHERE e.alert_id = %s ORDER BY e.seq""",
        (alert_id,),
    )
    return await cursor.fetchall()


async def resident(connection: Connection, resident_id: int) -> dict[str, Any] | None:
    cursor = await connection.execute("SELECT uid, name, phone, notes FROM resident WHERE id = %s", (resident_id,))
    return await cursor.fetchone()


async def dwelling(connection: Connection, dwelling_id: int) -> dict[str, Any] | None:
    cursor = await connection.execute(
        "SELECT address, postal_code, city, access, latitude, longitude FROM dwelling WHERE id = %s", (dwelling_id,)
    )
    return await cursor.fetchone()


async def device(connection: Connection, device_id: int, installation_id: int | None) -> dict[str, Any] | None:
    """A device with its state, and where in the dwelling that fitting has it."""
    cursor = await connection.execute(
        """SELECT d.uid, d.kind, d.address, d.model, d.registered, coalesce(i.placed, '') AS placed, s.last_seen,
                  s.online, coalesce(s.fields, '{}') AS state
           FROM device d LEFT JOIN device_state s ON s.device_id = d.id
           LEFT JOIN installation i ON i.id = %s WHERE d.id = %s""",
        (installation_id, device_id),
    )
    return await cursor.fetchone()


async def visible_change(connection: Connection, alert_zones: Sequence[int], person: int, zones: Sequence[int]) -> bool:
    """Whether something in these zones may concern a person: a zone of theirs, or an open alert they were paged for."""
    if set(alert_zones) & set(zones):
        return True
    cursor = await connection.execute(
        """SELECT 1 FROM alert a JOIN page p ON p.alert_id = a.id
           WHERE a.zone_id = ANY(%s) AND a.closed_at IS NULL AND p.person_id = %s LIMIT 1""",
        (list(alert_zones), person),
    )
    return await cursor.fetchone() is not None


async def site_names(connection: Connection) -> list[dict[str, Any]]:
    """Every site with its zone and how far it has been heard."""
    cursor = await connection.execute(
        """SELECT s.name, s.zone_id, z.name AS zone,
                  CASE WHEN count(l.heard_until) = 2 THEN min(l.heard_until) END AS heard_until
           FROM site s JOIN zone z ON z.id = s.zone_id LEFT JOIN site_lane l ON l.site_id = s.id
           GROUP BY s.id, z.name ORDER BY s.name"""
    )
    return await cursor.fetchall()
