"""Pages as they are called back about: found by their id, or by the number that they went to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.phone import told
from gateway.store.db import Connection


@dataclass(frozen=True, slots=True)
class CalledPage:
    """A page that a provider speaks of, with what an answer to it needs."""

    id: int
    uid: UUID
    alert_id: int
    attempt: int
    contact_id: int
    person_id: int
    channel: str
    address: str
    language: str
    severity: int
    zone: str
    zone_id: int
    created_at: datetime
    holder_id: int | None
    closed: bool


_FIELDS = """p.id, p.uid, p.alert_id, p.attempt, p.contact_id, p.person_id, c.channel, c.address, n.language, p.severity,
             z.name AS zone, a.zone_id, p.created_at, a.holder_id, a.closed_at IS NOT NULL AS closed"""
_FROM = """page p JOIN alert a ON a.id = p.alert_id JOIN contact c ON c.id = p.contact_id
           JOIN person n ON n.id = p.person_id JOIN zone z ON z.id = a.zone_id"""


async def page(connection: Connection, channel: str, uid: UUID) -> CalledPage | None:
    """One page of a channel."""
    cursor = await connection.execute(
        f"SELECT {_FIELDS} FROM {_FROM} WHERE p.uid = %s AND c.channel = %s", (uid, channel)
    )
    return _page(await cursor.fetchone())


async def recent(connection: Connection, channel: str, since: datetime) -> list[CalledPage]:
    """Pages of a channel, to contacts that are in use, made since then; the oldest first."""
    cursor = await connection.execute(
        f"SELECT {_FIELDS} FROM {_FROM} WHERE c.channel = %s AND c.active AND p.created_at >= %s ORDER BY p.id",
        (channel, since),
    )
    return [CalledPage(**row) for row in await cursor.fetchall()]


async def language_of(connection: Connection, channel: str, number: str) -> str | None:
    """The language of whoever has this number, as E.164; None where nobody has."""
    cursor = await connection.execute(
        """SELECT c.address, n.language FROM contact c JOIN person n ON n.id = c.person_id
           WHERE c.channel = %s AND c.active""",
        (channel,),
    )
    rows = await cursor.fetchall()
    return next((row["language"] for row in rows if told(row["address"]) == number), None)


async def received(connection: Connection, page_id: int, now: datetime) -> bool:
    """It is on the device; False where that was known. A page that was withdrawn or has failed stays so."""
    cursor = await connection.execute(
        """UPDATE page SET received_at = %s, state = CASE WHEN state = 'handed_over' THEN 'received' ELSE state END
           WHERE id = %s AND received_at IS NULL""",
        (now, page_id),
    )
    return cursor.rowcount == 1


async def shown(connection: Connection, page_id: int, now: datetime) -> bool:
    """Somebody has seen or heard it; False where that was known."""
    cursor = await connection.execute(
        """UPDATE page SET shown_at = %(now)s, received_at = coalesce(received_at, %(now)s),
                  state = CASE WHEN state IN ('handed_over', 'received') THEN 'shown' ELSE state END
           WHERE id = %(id)s AND shown_at IS NULL""",
        {"now": now, "id": page_id},
    )
    return cursor.rowcount == 1


async def failed(connection: Connection, page_id: int, reason: str) -> bool:
    """It cannot be delivered after all; unless somebody has it, or it is of no interest any more."""
    cursor = await connection.execute(
        "UPDATE page SET state = 'failed', reason = %s WHERE id = %s AND state = 'handed_over'", (reason, page_id)
    )
    return cursor.rowcount == 1


def _page(row: dict[str, Any] | None) -> CalledPage | None:
    return CalledPage(**row) if row else None
