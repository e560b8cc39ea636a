"""Pages as they are called back about: found by their id, or by the number that they went to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

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
    language: str
    severity: int
    zone: str
    zone_id: int
    created_at: datetime
    holder_id: int | None
    closed: bool
    about: str | None


@dataclass(frozen=True, slots=True)
class Number:
    """Somebody's number, as they have written it."""

    contact_id: int
    person_id: int
    address: str
    language: str


_FIELDS = """p.id, p.uid, p.alert_id, p.attempt, p.contact_id, p.person_id, c.channel, n.language, p.severity,
             z.name AS zone, a.zone_id, p.created_at, a.holder_id, a.closed_at IS NOT NULL AS closed,
             p.about"""
_FROM = """page p JOIN alert a ON a.id = p.alert_id JOIN contact c ON c.id = p.contact_id
           JOIN person n ON n.id = p.person_id JOIN zone z ON z.id = a.zone_id"""


async def page(connection: Connection, channel: str, uid: UUID) -> CalledPage | None:
    """One page of a channel."""
    cursor = await connection.execute(
        f"SELECT {_FIELDS} FROM {_FROM} WHERE p.uid = %s AND c.channel = %s", (uid, channel)
    )
    return _page(await cursor.fetchone())


async def recent(connection: Connection, numbers: Sequence[Number], since: datetime) -> list[CalledPage]:
    """Pages to these contacts that were made since then and have left, or are leaving; the oldest first. What was never sent –
    it waits in a chain, or was withdrawn there – is not what somebody answers."""
    cursor = await connection.execute(
        f"""SELECT {_FIELDS} FROM {_FROM}
            WHERE p.person_id = ANY(%s) AND p.contact_id = ANY(%s) AND p.created_at >= %s
              AND (p.handed_over_at IS NOT NULL OR p.state = 'leased') ORDER BY p.id""",
        ([each.person_id for each in numbers], [each.contact_id for each in numbers], since),
    )
    return [CalledPage(**row) for row in await cursor.fetchall()]


async def numbers(connection: Connection, channel: str) -> list[Number]:
    """Every number of a channel that is in use."""
    cursor = await connection.execute(
        """SELECT c.id AS contact_id, c.person_id, c.address, n.language
           FROM contact c JOIN person n ON n.id = c.person_id WHERE c.channel = %s AND c.active ORDER BY c.id""",
        (channel,),
    )
    return [Number(**row) for row in await cursor.fetchall()]


def _page(row: dict[str, Any] | None) -> CalledPage | None:
    return CalledPage(**row) if row else None
