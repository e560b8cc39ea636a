"""Commands to devices. They are locked after watches and before alerts, in the order of their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.command import Command, Reason, State
from alerts.model import Subject
from devices.model import DeviceAddress
from gateway.store.columns import bigints, texts
from gateway.store.db import Connection
from gateway.store.views import VISIBLE, Sight
from gateway.store.zones import BELOW


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A command with its identity, the alert it is for, and the device it is to, as fitted when it was asked for."""

    id: int
    alert_id: int
    device: DeviceAddress
    subject: Subject
    command: Command


async def add(connection: Connection, alert_id: int, subject: Subject, command: Command) -> int:
    """A new command; answers its inner id. UniqueViolation (and a retry) when the device has just been asked something."""
    cursor = await connection.execute(
        """INSERT INTO command (uid, site_id, device_id, installation_id, alert_id, name, reason, requested_by_id,
                                requested_at, valid_until, state, due_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        (
            command.id,
            subject.site_id,
            subject.device_id,
            subject.installation_id,
            alert_id,
            command.name,
            command.reason,
            command.requested_by,
            command.requested_at,
            command.valid_until,
            command.state,
            command.due_at,
        ),
    )
    row = await cursor.fetchone()
    return row["id"] if row else 0


async def is_busy(connection: Connection, device_id: int) -> bool:
    """Whether the device has an open command, which stays locked."""
    cursor = await connection.execute(
        "SELECT 1 FROM command WHERE device_id = %s AND due_at IS NOT NULL FOR UPDATE", (device_id,)
    )
    return await cursor.fetchone() is not None


async def sites_waiting(connection: Connection, now: datetime) -> list[int]:
    """Sites for which there is something to send."""
    cursor = await connection.execute(
        "SELECT DISTINCT site_id FROM command WHERE due_at > %s AND state = 'requested' ORDER BY site_id", (now,)
    )
    return [row["site_id"] for row in await cursor.fetchall()]


async def lock_waiting(connection: Connection, site_id: int, now: datetime) -> list[StoredCommand]:
    """What is to be sent to a site's devices."""
    return await _lock(
        connection, "c.site_id = %(site)s AND c.due_at > %(now)s AND c.state = 'requested'", site=site_id, now=now
    )


async def lock_reported(connection: Connection, device_ids: Sequence[int], named: Sequence[str]) -> list[StoredCommand]:
    """What reports of these devices may be about: their open commands, and whatever the reports name."""
    return await _lock(
        connection,
        "c.device_id = ANY(%(devices)s) AND (c.due_at IS NOT NULL OR c.uid::text = ANY(%(named)s))",
        devices=bigints(device_ids),
        named=texts(named),
    )


async def lock_due(connection: Connection, now: datetime, limit: int) -> list[StoredCommand]:
    """Open commands that are due; those that another process has are left to it."""
    return await _lock(connection, "c.due_at <= %(now)s", "LIMIT %(limit)s", "SKIP LOCKED", now=now, limit=limit)


async def save(connection: Connection, stored: StoredCommand, after: Command) -> None:
    """Store how a locked command stands."""
    await connection.execute(
        "UPDATE command SET state = %s, due_at = %s, sent_at = %s, settled_at = %s, outcome = %s WHERE id = %s",
        (after.state, after.due_at, after.sent_at, after.settled_at, after.outcome, stored.id),
    )


async def of_alert(connection: Connection, alert_id: int, device_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The commands that these devices were given for an alert, and those that they are busy with; the newest first."""
    cursor = await connection.execute(
        """SELECT c.uid, c.device_id, c.name, c.reason, c.state, c.requested_at, c.valid_until, c.sent_at, c.settled_at,
                  c.outcome, p.uid AS person_uid, p.name AS person_name
           FROM command c JOIN person p ON p.id = c.requested_by_id
           WHERE c.device_id = ANY(%s) AND (c.alert_id = %s OR c.due_at IS NOT NULL) ORDER BY c.id DESC""",
        (list(device_ids), alert_id),
    )
    return await cursor.fetchall()


async def _lock(
    connection: Connection, condition: str, most: str = "", skip: str = "", **arguments: Any
) -> list[StoredCommand]:
    cursor = await connection.execute(
        f"""SELECT c.id, c.uid, c.alert_id, c.name, c.reason, c.requested_by_id, c.requested_at, c.valid_until, c.state,
                   c.due_at, c.sent_at, c.settled_at, c.outcome, c.site_id, c.device_id, c.installation_id,
                   i.dwelling_id, i.resident_id, w.zone_id, s.name AS site, d.ecosystem, d.address, d.kind
            FROM command c JOIN device d ON d.id = c.device_id JOIN site s ON s.id = c.site_id
            JOIN installation i ON i.id = c.installation_id JOIN dwelling w ON w.id = i.dwelling_id
            WHERE {condition} ORDER BY c.id {most} FOR UPDATE OF c {skip}""",
        arguments,
    )
    return [_stored(row) for row in await cursor.fetchall()]


def _stored(row: Mapping[str, Any]) -> StoredCommand:
    names = ("site_id", "zone_id", "device_id", "installation_id", "dwelling_id", "resident_id")
    return StoredCommand(
        id=row["id"],
        alert_id=row["alert_id"],
        device=DeviceAddress(row["site"], row["ecosystem"], row["address"]),
        subject=Subject(*(row[name] for name in names)),
        command=Command(
            id=row["uid"],
            kind=row["kind"],
            name=row["name"],
            reason=Reason(row["reason"]),
            requested_by=row["requested_by_id"],
            requested_at=row["requested_at"],
            valid_until=row["valid_until"],
            state=State(row["state"]),
            due_at=row["due_at"],
            sent_at=row["sent_at"],
            settled_at=row["settled_at"],
            outcome=row["outcome"],
        ),
    )


# What people look at --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandSearch:
    """Which commands; what is None is not asked about. ``zone``: of the alert, with what is below it."""

    state: str | None = None
    device: UUID | None = None
    alert: UUID | None = None
    zone: UUID | None = None
    command: str | None = None
    requested_since: datetime | None = None
    requested_until: datetime | None = None
    mine: bool | None = None

    @property
    def condition_sql(self) -> str:
        """What is asked about and nothing else."""
        return " ".join(f"AND {sql}" for name, sql in _ASKED.items() if getattr(self, name) is not None)


_ASKED = {
    "state": "c.state = %(state)s",
    "device": "c.device_id = (SELECT x.id FROM device x WHERE x.uid = %(device)s)",
    "alert": "c.alert_id = (SELECT x.id FROM alert x WHERE x.uid = %(alert)s)",
    "zone": f"a.zone_id IN ({BELOW} SELECT id FROM below)",
    "command": "c.name = %(command)s",
    "requested_since": "c.requested_at >= %(requested_since)s",
    "requested_until": "c.requested_at < %(requested_until)s",
    "mine": "(c.requested_by_id = %(person)s) = %(mine)s",
}
_LISTED = f"""
    SELECT c.id, c.uid, c.name, c.reason, c.state, c.requested_at, c.valid_until, c.sent_at, c.settled_at, c.outcome,
           p.uid AS person_uid, p.name AS person_name, a.uid AS alert_uid, d.uid AS device_uid, d.address, d.kind,
           z.uid AS zone_uid, z.name AS zone
    FROM command c JOIN alert a ON a.id = c.alert_id JOIN device d ON d.id = c.device_id
    JOIN person p ON p.id = c.requested_by_id JOIN zone z ON z.id = a.zone_id
    WHERE (c.requested_by_id = %(person)s OR {VISIBLE})"""
"""Who may see an alert sees what was asked for it; whoever asked sees it, too."""


async def search(
    connection: Connection, sight: Sight, asked: CommandSearch, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Commands that somebody may see, the newest first, from before an inner id."""
    cursor = await connection.execute(
        f"""{_LISTED} {asked.condition_sql} AND (%(before)s::bigint IS NULL OR c.id < %(before)s)
            ORDER BY c.id DESC LIMIT %(limit)s""",
        sight.arguments(**asdict(asked), before=before, limit=limit),
    )
    return await cursor.fetchall()


async def shown(connection: Connection, sight: Sight, uid: UUID) -> dict[str, Any] | None:
    """One of them."""
    cursor = await connection.execute(f"{_LISTED} AND c.uid = %(uid)s", sight.arguments(uid=uid))
    return await cursor.fetchone()
