"""Silences as people look at them: lists, one of them, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection
from gateway.store.zones import BELOW


@dataclass(frozen=True, slots=True)
class Search:
    """Which silences somebody asks for. ``zones``: all that the reader covers; ``care``: those of them where they see care;
    ``above``: those around them, whose own silences hold there, too. ``ended``: the history, or what is not over. ``zone``:
    one with what is below it."""

    zones: Collection[int]
    care: Collection[int]
    above: Collection[int]
    ended: bool = False
    zone: UUID | None = None
    device: UUID | None = None
    resident: UUID | None = None
    kind: str | None = None

    def arguments(self, **more: Any) -> dict[str, Any]:
        return {
            "zones": sorted(self.zones),
            "care": sorted(self.care),
            "above": sorted(self.above),
            "ended": self.ended,
            "zone": self.zone,
            "device": self.device,
            "resident": self.resident,
            "kind": self.kind,
            **more,
        }


_SHOWN = """
    SELECT s.*, z.uid AS zone_uid, z.name AS zone, d.uid AS device_uid, d.address AS device, d.kind AS device_kind,
           t.uid AS resident_uid, t.name AS resident, w.address AS dwelling, h.events, h.open, h.newest_at,
           l.newest_at AS life_at, l.type AS life_type, l.times AS life_times, v.kind AS life_kind,
           coalesce(s.resident_id, i.resident_id) AS shown_resident_id
    FROM silence s JOIN zone z ON z.id = s.zone_id LEFT JOIN device d ON d.id = s.device_id
    LEFT JOIN installation i ON i.id = s.installation_id LEFT JOIN dwelling w ON w.id = i.dwelling_id
    LEFT JOIN resident t ON t.id = coalesce(s.resident_id, i.resident_id)
    LEFT JOIN sign_of_life l ON l.silence_id = s.id LEFT JOIN device v ON v.id = l.device_id
    CROSS JOIN LATERAL (SELECT coalesce(sum(b.times), 0)::integer AS events, max(b.newest_at) AS newest_at,
                               count(*) FILTER (WHERE b.settled_at IS NULL)::integer AS open
                        FROM held_back b WHERE b.silence_id = s.id) h
    WHERE CASE WHEN s.resident_id IS NOT NULL THEN s.zone_id = ANY(%(care)s)
               WHEN s.device_id IS NOT NULL THEN s.zone_id = ANY(%(zones)s)
               ELSE s.zone_id = ANY(%(zones)s) OR s.zone_id = ANY(%(above)s) END"""


async def listed(connection: Connection, asked: Search, before: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Silences, the newest first, from before one."""
    cursor = await connection.execute(
        f"""{BELOW} {_SHOWN} AND (s.ended_at IS NOT NULL) = %(ended)s
            AND (%(zone)s::uuid IS NULL OR s.zone_id IN (SELECT id FROM below))
            AND (%(device)s::uuid IS NULL OR d.uid = %(device)s)
            AND (%(resident)s::uuid IS NULL OR t.uid = %(resident)s)
            AND (%(kind)s::text IS NULL OR s.kind = %(kind)s)
            AND (%(before)s::uuid IS NULL OR s.id < (SELECT x.id FROM silence x WHERE x.uid = %(before)s))
            ORDER BY s.id DESC LIMIT %(limit)s""",
        asked.arguments(before=before, limit=limit),
    )
    return await cursor.fetchall()


async def shown(connection: Connection, uid: UUID, asked: Search) -> dict[str, Any] | None:
    """One of them, if the reader may see it."""
    cursor = await connection.execute(f"{_SHOWN} AND s.uid = %(uid)s", asked.arguments(uid=uid))
    return await cursor.fetchone()


async def about(
    connection: Connection,
    asked: Search,
    device_id: int | None,
    installation_id: int | None,
    resident_id: int | None,
    around: Sequence[int],
) -> list[dict[str, Any]]:
    """Those that are not over and concern a device as it is fitted, a resident, or a zone among these; which ends last,
    first."""
    cursor = await connection.execute(
        f"""{_SHOWN} AND s.ended_at IS NULL
            AND (s.device_id = %(device_id)s AND s.installation_id IS NOT DISTINCT FROM %(installation_id)s
                 OR s.resident_id = %(resident_id)s
                 OR num_nonnulls(s.device_id, s.resident_id) = 0 AND s.zone_id = ANY(%(around)s))
            ORDER BY s.until DESC, s.id""",
        asked.arguments(
            device_id=device_id, installation_id=installation_id, resident_id=resident_id, around=list(around)
        ),
    )
    return await cursor.fetchall()


async def count(connection: Connection, asked: Search, now: datetime) -> dict[str, int]:
    """How many are not over, how many of those wait for somebody to agree or to say that a resident is back, and how much
    they have held back since yesterday."""
    cursor = await connection.execute(
        f"""SELECT count(*) AS silences,
                   count(*) FILTER (WHERE (q.needs_consent AND q.consented_at IS NULL) OR q.asked_until IS NOT NULL
                                    OR q.until <= %(now)s) AS waiting,
                   coalesce(sum((SELECT sum(b.times) FROM held_back b
                                 WHERE b.silence_id = q.id AND b.newest_at > %(now)s - interval '1 day')), 0)::integer AS events
            FROM ({_SHOWN} AND s.ended_at IS NULL) q""",
        asked.arguments(now=now),
    )
    return await cursor.fetchone() or {"silences": 0, "waiting": 0, "events": 0}


async def changes(connection: Connection, silence_id: int) -> list[dict[str, Any]]:
    """Who did what to a silence, as the audit has it."""
    cursor = await connection.execute(
        """SELECT at, action, actor_id, params FROM audit WHERE object = 'silence' AND object_id = %s ORDER BY id""",
        (silence_id,),
    )
    return await cursor.fetchall()
