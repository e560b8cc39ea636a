"""What people look at: an alert with all that belongs to it, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection


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
class Wanted:
    """Which of the visible alerts are asked for; what is left out leaves none out.

    ``zones``: by inner id; ``severity``: at least; ``waiting``: whether somebody has yet to answer; ``closed_after``: of the
    closed ones, since when.
    """

    zones: Sequence[int] | None = None
    severity: int = 0
    track: str | None = None
    waiting: bool | None = None
    closed_after: datetime | None = None

    def arguments(self) -> dict[str, Any]:
        zones = None if self.zones is None else list(self.zones)
        return {
            "zones": zones,
            "at_least": self.severity,
            "track": self.track,
            "waiting": self.waiting,
            "closed_after": self.closed_after,
        }


EVERYTHING = Wanted()

_SUMMARY = """
    SELECT a.id, a.uid, a.condition, a.vkp_code, a.severity, a.track, a.stage, a.zone_id, z.name AS zone, a.raised_at,
           a.occurred_at, a.late_seconds, a.due_at, a.closed_at, a.exhausted_at, a.holder_id, a.offered_to_id, a.version,
           a.device_id, a.installation_id, a.resident_id, a.dwelling_id, r.name AS resident, w.address,
           d.kind AS device_kind,
           EXISTS (SELECT 1 FROM page p WHERE p.alert_id = a.id AND p.person_id = %(person)s) AS paged
    FROM alert a JOIN zone z ON z.id = a.zone_id
    LEFT JOIN resident r ON r.id = a.resident_id
    LEFT JOIN dwelling w ON w.id = a.dwelling_id
    LEFT JOIN device d ON d.id = a.device_id"""

_VISIBLE = """(
    a.zone_id = ANY(CASE a.track WHEN 'care' THEN %(care)s::bigint[] ELSE %(technical)s::bigint[] END)
    OR a.holder_id = %(person)s
    OR a.offered_to_id = %(person)s OR EXISTS (SELECT 1 FROM page p WHERE p.alert_id = a.id AND p.person_id = %(person)s))"""


_WANTED = """(%(zones)s::bigint[] IS NULL OR a.zone_id = ANY(%(zones)s::bigint[])) AND a.severity >= %(at_least)s
            AND (%(track)s::text IS NULL OR a.track = %(track)s)
            AND (%(waiting)s::boolean IS NULL OR (a.stage = 'open' OR a.exhausted_at IS NOT NULL) = %(waiting)s)
            AND (%(closed_after)s::timestamptz IS NULL OR a.closed_at >= %(closed_after)s)"""


async def open_alerts(
    connection: Connection, sight: Sight, after: Position | None, limit: int, wanted: Wanted = EVERYTHING
) -> list[dict[str, Any]]:
    """What the person may see, after a position: first what is theirs, then the severest, then the oldest."""
    start = (after.others, -after.severity, after.raised_at, after.id) if after else (None, None, None, None)
    others = "(a.holder_id = %(person)s OR a.offered_to_id = %(person)s) IS NOT TRUE"
    cursor = await connection.execute(
        f"""{_SUMMARY} WHERE a.closed_at IS NULL AND {_VISIBLE} AND {_WANTED}
              AND (%(id)s::bigint IS NULL OR ({others}, -a.severity, a.raised_at, a.id)
                   > (%(others)s::boolean, %(severity)s::bigint, %(raised_at)s::timestamptz, %(id)s::bigint))
            ORDER BY {others}, -a.severity, a.raised_at, a.id LIMIT %(limit)s""",
        sight.arguments(
            **dict(zip(("others", "severity", "raised_at", "id"), start, strict=True)),
            limit=limit,
            **wanted.arguments(),
        ),
    )
    return await cursor.fetchall()


async def open_of_device(connection: Connection, sight: Sight, device_id: int, limit: int) -> list[dict[str, Any]]:
    """The open alerts over a device that the person may see: the severest first, then the oldest."""
    cursor = await connection.execute(
        f"""{_SUMMARY} WHERE a.closed_at IS NULL AND a.device_id = %(device)s AND {_VISIBLE}
            ORDER BY a.severity DESC, a.raised_at, a.id LIMIT %(limit)s""",
        sight.arguments(device=device_id, limit=limit),
    )
    return await cursor.fetchall()


async def closed_alerts(
    connection: Connection, sight: Sight, before: int | None, limit: int, wanted: Wanted = EVERYTHING
) -> list[dict[str, Any]]:
    """What the person may see, the newest first, from before an inner id."""
    cursor = await connection.execute(
        f"""{_SUMMARY} WHERE a.closed_at IS NOT NULL AND {_VISIBLE} AND {_WANTED}
            AND (%(before)s::bigint IS NULL OR a.id < %(before)s) ORDER BY a.id DESC LIMIT %(limit)s""",
        sight.arguments(before=before, limit=limit, **wanted.arguments()),
    )
    return await cursor.fetchall()


async def alert(connection: Connection, uid: UUID, sight: Sight) -> dict[str, Any] | None:
    """One alert, if the person may see it."""
    cursor = await connection.execute(
        f"{_SUMMARY} WHERE a.uid = %(uid)s AND {_VISIBLE}",
        sight.arguments(uid=uid),
    )
    return await cursor.fetchone()


async def timeline(connection: Connection, alert_id: int) -> list[dict[str, Any]]:
    cursor = await connection.execute(
        "SELECT at, given_at, code, params, actor_id FROM alert_entry WHERE alert_id = %s ORDER BY seq", (alert_id,)
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
