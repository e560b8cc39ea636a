"""Silences: as decisions need them, as people look at them, and how they change.

Locks: whoever decides by a silence holds its row shared (``touching``), whoever changes or ends it exclusively. So what a
silence held back is known to whoever ends it, and whoever comes after the end finds it ended. Silences come before alerts
in the order of locks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from alerts.model import Severity, Track
from alerts.silence import Kind, Silence
from alerts.silence_ends import Ended
from gateway.store.columns import bigints
from gateway.store.db import Asked, Connection, new_uid
from gateway.store.zones import BELOW

log = structlog.get_logger()

_DECIDING = """id, owner_id, zone_id, since, until, agreed_at, kind, device_id, installation_id, resident_id, condition, track,
               severity, vital, needs_consent, consented_at, warned_at, ended_at"""


async def touching(
    connection: Connection,
    now: datetime,
    devices: Collection[int],
    residents: Collection[int],
    zones: Collection[int],
) -> Asked[list[Silence]]:
    """Ask for what may hold back something about these, held shared until the transaction ends. One that cannot be read holds
    back nothing."""
    answer = await connection.execute(
        f"""SELECT {_DECIDING} FROM silence
            WHERE ended_at IS NULL AND since <= %(now)s AND until > %(now)s
              AND (device_id = ANY(%(devices)b) OR resident_id = ANY(%(residents)b)
                   OR (num_nonnulls(device_id, resident_id) = 0 AND zone_id = ANY(%(zones)b)))
            ORDER BY id FOR SHARE""",
        {
            "now": now,
            "devices": bigints(sorted(devices)),
            "residents": bigints(sorted(residents)),
            "zones": bigints(sorted(zones)),
        },
    )
    return Asked(answer, readable)


async def foreseen(
    connection: Connection, at: datetime, residents: Collection[int], zones: Collection[int]
) -> list[Silence]:
    """What may hold back something about these at a time, as it stands now. Nobody waits for whoever only asks."""
    cursor = await connection.execute(
        f"""SELECT {_DECIDING} FROM silence
            WHERE ended_at IS NULL AND since <= %(at)s AND until > %(at)s
              AND (resident_id = ANY(%(residents)s)
                   OR (num_nonnulls(device_id, resident_id) = 0 AND zone_id = ANY(%(zones)s)))
            ORDER BY id""",
        {"at": at, "residents": sorted(residents), "zones": sorted(zones)},
    )
    return readable(await cursor.fetchall())


def readable(rows: Iterable[Mapping[str, Any]]) -> list[Silence]:
    """Those of them that this release understands."""
    found: list[Silence] = []
    for row in rows:
        try:
            found.append(_silence(row))
        except ValueError as error:
            log.error("silence.unreadable", silence=row["id"], error=str(error))
    return found


def _silence(row: Mapping[str, Any]) -> Silence:
    typed = {
        "kind": Kind(row["kind"]),
        "track": Track(row["track"]) if row["track"] else None,
        "severity": Severity(row["severity"]),
    }
    same = (name.strip() for name in _DECIDING.split(","))
    return Silence(**{**{name: row[name] for name in same}, **typed})


# Setting and ending ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class New:
    """A silence as it is asked for; see :class:`alerts.silence.Silence`."""

    kind: Kind
    zone_id: int
    device_id: int | None
    installation_id: int | None
    resident_id: int | None
    condition: str | None
    track: Track | None
    severity: Severity
    vital: bool
    needs_consent: bool
    reason: str
    note: str
    owner_id: int
    since: datetime
    until: datetime


async def add(connection: Connection, new: New, now: datetime, due_at: datetime) -> tuple[int, UUID]:
    """A new one; its inner and outer id. UniqueViolation for a resident who is away already."""
    uid = new_uid()
    cursor = await connection.execute(
        """INSERT INTO silence (uid, kind, zone_id, device_id, installation_id, resident_id, condition, track, severity, vital,
                                needs_consent, reason, note, owner_id, since, until, agreed_at, asked_by, asked_at, due_at)
           VALUES (%(uid)s, %(kind)s, %(zone)s, %(device)s, %(installation)s, %(resident)s, %(condition)s, %(track)s,
                   %(severity)s, %(vital)s, %(consent)s, %(reason)s, %(note)s, %(owner)s, %(since)s, %(until)s, %(now)s,
                   %(owner)s, %(now)s, %(due)s) RETURNING id""",
        {
            "uid": uid,
            "kind": new.kind,
            "zone": new.zone_id,
            "device": new.device_id,
            "installation": new.installation_id,
            "resident": new.resident_id,
            "condition": new.condition,
            "track": new.track,
            "severity": int(new.severity),
            "vital": new.vital,
            "consent": new.needs_consent,
            "reason": new.reason,
            "note": new.note,
            "owner": new.owner_id,
            "since": new.since,
            "until": new.until,
            "now": now,
            "due": due_at,
        },
    )
    row = await cursor.fetchone()
    return (row["id"] if row else 0), uid


async def is_away(connection: Connection, resident_id: int) -> bool:
    """Whether somebody has said that a resident is away, and nobody that they are back."""
    cursor = await connection.execute(
        "SELECT 1 FROM silence WHERE resident_id = %s AND kind = 'away' AND ended_at IS NULL", (resident_id,)
    )
    return await cursor.fetchone() is not None


async def lock(connection: Connection, uid: UUID) -> dict[str, Any] | None:
    """One silence with all its columns, held exclusively."""
    cursor = await connection.execute("SELECT * FROM silence WHERE uid = %s FOR UPDATE", (uid,))
    return await cursor.fetchone()


async def consent(connection: Connection, row: Mapping[str, Any], by: int, now: datetime) -> None:
    """Somebody else agrees to what is asked: the silence, or its longer time."""
    await connection.execute(
        """UPDATE silence SET consented_by = %(by)s, consented_at = %(now)s, version = version + 1, due_at = %(now)s,
                  agreed_at = CASE WHEN asked_until IS NULL THEN agreed_at ELSE asked_at END,
                  until = coalesce(asked_until, until), warned_at = NULL, asked_until = NULL
           WHERE id = %(id)s""",
        {"id": row["id"], "by": by, "now": now},
    )


_ASKED_BY = """asked_by = %(by)s,
                  consented_by = CASE WHEN consented_by = %(by)s THEN asked_by ELSE consented_by END"""
"""Whoever had agreed and asks now changes places with who had asked: both have said yes to what it is so far."""


async def extend(connection: Connection, silence_id: int, until: datetime, by: int, now: datetime) -> None:
    """It lasts until another time, from now on; whoever says so is its owner."""
    await connection.execute(
        f"""UPDATE silence SET until = %(until)s, agreed_at = %(now)s, {_ASKED_BY}, asked_at = %(now)s,
                  owner_id = %(by)s, warned_at = NULL, asked_until = NULL, version = version + 1, due_at = %(now)s
           WHERE id = %(id)s""",
        {"id": silence_id, "until": until, "by": by, "now": now},
    )


async def ask_longer(connection: Connection, silence_id: int, until: datetime, by: int, now: datetime) -> None:
    """It is to last until another time, once somebody else has agreed; until then it ends when it would have."""
    await connection.execute(
        f"""UPDATE silence SET asked_until = %(until)s, {_ASKED_BY}, asked_at = %(now)s, owner_id = %(by)s,
                  version = version + 1, due_at = %(now)s WHERE id = %(id)s""",
        {"id": silence_id, "until": until, "by": by, "now": now},
    )


async def end(connection: Connection, silence_id: int, why: Ended, by: int | None, now: datetime) -> None:
    """It holds back nothing any more. ``by``: None where it ends by itself. What was asked of it and not agreed to stays as it
    is: an end takes nobody's consent."""
    await connection.execute(
        """UPDATE silence SET ended_at = %(now)s, ended_by = %(by)s, ended_why = %(why)s, due_at = NULL,
                  version = version + 1 WHERE id = %(id)s""",
        {"id": silence_id, "why": why, "by": by, "now": now},
    )


# Time ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueSilence:
    """A silence that is to be looked at, locked. ``owned``: its owner has a role there still; ``there``: what it is for is
    still there; ``zone_now``: where its resident lives now."""

    silence: Silence
    owned: bool
    there: bool
    zone_now: int


async def due(connection: Connection, now: datetime, after: int, limit: int) -> list[int]:
    """Those that are to be looked at, and those that have ended and held back what could not be raised then; round and round,
    from after one on, so that what fails hides nothing behind it."""
    cursor = await connection.execute(
        """SELECT id FROM (SELECT id FROM silence WHERE due_at <= %(now)s
                           UNION SELECT silence_id FROM held_back WHERE due_at <= %(now)s AND settled_at IS NULL) d
           ORDER BY id <= %(after)s, id LIMIT %(limit)s""",
        {"now": now, "after": after, "limit": limit},
    )
    return [row["id"] for row in await cursor.fetchall()]


async def lock_due(connection: Connection, silence_id: int, now: datetime, roles: Sequence[str]) -> DueSilence | None:
    """One of them, locked; None where it is not due any more, or another process has it."""
    cursor = await connection.execute(
        f"""WITH RECURSIVE due AS (
                SELECT * FROM silence WHERE id = %(id)s AND due_at <= %(now)s FOR UPDATE SKIP LOCKED),
            up AS (SELECT id, zone_id FROM due UNION
                   SELECT up.id, z.parent_id FROM up JOIN zone z ON z.id = up.zone_id WHERE z.parent_id IS NOT NULL)
            SELECT {", ".join("s." + name.strip() for name in _DECIDING.split(","))}, coalesce(home.zone_id, s.zone_id) AS zone_now,
                   EXISTS (SELECT 1 FROM up JOIN assignment g USING (zone_id) JOIN person p ON p.id = g.person_id
                           WHERE up.id = s.id AND g.person_id = s.owner_id AND p.active AND g.role = ANY(%(roles)s)
                             AND g.during @> %(now)s::timestamptz) AS owned,
                   CASE WHEN s.device_id IS NOT NULL THEN s.installation_id IS NOT DISTINCT FROM (
                             SELECT i.id FROM installation i
                             WHERE i.device_id = s.device_id AND i.during @> %(now)s::timestamptz)
                        WHEN s.resident_id IS NOT NULL THEN home.zone_id IS NOT NULL ELSE true END AS there
            FROM due s LEFT JOIN LATERAL (
                SELECT w.zone_id FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
                WHERE y.resident_id = s.resident_id AND y.during @> %(now)s::timestamptz) home ON true""",
        {"id": silence_id, "now": now, "roles": list(roles)},
    )
    row = await cursor.fetchone()
    known = readable([row] if row else [])
    return DueSilence(known[0], row["owned"], row["there"], row["zone_now"]) if row and known else None


async def lock_over(connection: Connection, silence_id: int, now: datetime) -> Silence | None:
    """One that has ended or whose time is up, locked; None where another process has it."""
    cursor = await connection.execute(
        f"""SELECT {_DECIDING} FROM silence WHERE id = %s AND (ended_at IS NOT NULL OR until <= %s)
            FOR UPDATE SKIP LOCKED""",
        (silence_id, now),
    )
    found = readable(await cursor.fetchall())
    return found[0] if found else None


async def looked_at(
    connection: Connection, silence_id: int, zone_id: int, due_at: datetime, warned_at: datetime | None
) -> None:
    """When it is to be looked at next, and where it belongs now."""
    await connection.execute(
        "UPDATE silence SET due_at = %s, zone_id = %s, warned_at = coalesce(%s, warned_at) WHERE id = %s",
        (due_at, zone_id, warned_at, silence_id),
    )


async def look_again(connection: Connection, resident_id: int, now: datetime) -> None:
    """A resident lives somewhere else: their silences are looked at at once, and belong where they live."""
    await connection.execute(
        "UPDATE silence SET due_at = %(now)s WHERE resident_id = %(resident)s AND ended_at IS NULL AND due_at > %(now)s",
        {"resident": resident_id, "now": now},
    )


async def plan_summary(connection: Connection, zone_id: int, due_at: datetime) -> None:
    """The zone's leads are to be told of what is silenced there."""
    await connection.execute(
        """INSERT INTO silence_summary AS m (zone_id, due_at) VALUES (%s, %s)
           ON CONFLICT (zone_id) DO UPDATE SET due_at = least(m.due_at, excluded.due_at)""",
        (zone_id, due_at),
    )


async def due_summaries(connection: Connection, now: datetime, limit: int) -> list[int]:
    """Zones whose leads are to be told now."""
    cursor = await connection.execute(
        "SELECT zone_id FROM silence_summary WHERE due_at <= %s ORDER BY due_at, zone_id LIMIT %s", (now, limit)
    )
    return [row["zone_id"] for row in await cursor.fetchall()]


async def lock_due_summary(connection: Connection, zone_id: int, now: datetime) -> dict[str, Any] | None:
    """What a zone's leads are to be told now: how many silences are there, of residents who are away, and how much they have
    held back since yesterday. None where they have been told, or another process tells them."""
    cursor = await connection.execute(
        """WITH due AS (SELECT zone_id FROM silence_summary WHERE zone_id = %(zone)s AND due_at <= %(now)s
                        FOR UPDATE SKIP LOCKED)
           SELECT due.zone_id, count(s.id) FILTER (WHERE s.kind = 'silence') AS silences,
                  count(s.id) FILTER (WHERE s.kind = 'away') AS away, coalesce(sum(h.events), 0)::integer AS events
           FROM due LEFT JOIN silence s ON s.zone_id = due.zone_id AND s.ended_at IS NULL
           LEFT JOIN LATERAL (SELECT sum(times) AS events FROM held_back b
                              WHERE b.silence_id = s.id AND b.newest_at > %(now)s - interval '1 day') h ON true
           GROUP BY due.zone_id""",
        {"zone": zone_id, "now": now},
    )
    return await cursor.fetchone()


async def oldest_overdue(connection: Connection, now: datetime) -> datetime | None:
    """Since when a silence waits to be looked at, what it held back to be raised, or a zone's leads to be told."""
    cursor = await connection.execute(
        """SELECT least((SELECT min(due_at) FROM silence WHERE due_at <= %(now)s),
                        (SELECT min(due_at) FROM silence_summary WHERE due_at <= %(now)s),
                        (SELECT min(due_at) FROM held_back WHERE due_at <= %(now)s AND settled_at IS NULL)) AS due""",
        {"now": now},
    )
    row = await cursor.fetchone()
    return row["due"] if row else None


async def summarised(connection: Connection, zone_id: int, due_at: datetime | None) -> None:
    await connection.execute("UPDATE silence_summary SET due_at = %s WHERE zone_id = %s", (due_at, zone_id))


async def site_for(connection: Connection, zones: Sequence[int]) -> int | None:
    """The site of an alert that is about a zone, from the inside out; any where none of these has one."""
    cursor = await connection.execute(
        "SELECT id FROM site ORDER BY array_position(%s::bigint[], zone_id) NULLS LAST, id LIMIT 1", (list(zones),)
    )
    row = await cursor.fetchone()
    return row["id"] if row else None


# Looking ---------------------------------------------------------------------------------------------------------------


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
