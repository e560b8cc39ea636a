"""Silences: as decisions need them, and how people change them. When they are due is in ``duesilences.py``, what people look at in
``silencelists.py``.

Locks: whoever decides by a silence holds its row shared (``touching``), whoever changes or ends it exclusively. So what a
silence held back is known to whoever ends it, and whoever comes after the end finds it ended. Silences come before alerts
in the order of locks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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

log = structlog.get_logger()

DECIDING = """id, owner_id, zone_id, since, until, agreed_at, kind, device_id, installation_id, resident_id, condition, track,
               severity, vital, needs_consent, consented_at, warned_at, ended_at"""
"""The columns that :func:`readable` reads."""


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
        f"""SELECT {DECIDING} FROM silence
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
        f"""SELECT {DECIDING} FROM silence
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
    same = (name.strip() for name in DECIDING.split(","))
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
