"""The path of an alert: the message it came from, and its pages with the times of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from gateway.store.db import Connection
from gateway.store.said import RAW


@dataclass(frozen=True, slots=True)
class Said:
    """A stored message: when by the device's clock, when by ours; None for the bytes where they are kept no longer."""

    device_id: int
    address: str
    kind: str
    type: str
    message_id: str | None
    occurred_at: datetime
    received_at: datetime
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class Paged:
    """A page: whom, by which channel, and what became of it."""

    attempt: int
    person_id: int
    channel: str
    state: str
    created_at: datetime
    handed_over_at: datetime | None
    leased_at: datetime | None = None
    received_at: datetime | None = None
    shown_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None


_SAID = f"""SELECT o.device_id, d.address, o.kind, o.type, o.message_id, o.occurred_at, o.received_at, {RAW} AS raw
           FROM said o JOIN device d ON d.id = o.device_id"""


async def message_of(
    connection: Connection, device_id: int, occurred_at: datetime, received_at: datetime
) -> Said | None:
    """The message of a device that came just then: what an alert was raised for."""
    cursor = connection.cursor(row_factory=class_row(Said))
    await cursor.execute(
        f"{_SAID} WHERE o.device_id = %s AND o.received_at = %s AND o.occurred_at = %s ORDER BY o.id LIMIT 1",
        (device_id, received_at, occurred_at),
    )
    return await cursor.fetchone()


async def message(connection: Connection, device_id: int, message_id: str, since: datetime) -> Said | None:
    """A device's message by its id."""
    cursor = connection.cursor(row_factory=class_row(Said))
    await cursor.execute(
        f"{_SAID} WHERE o.device_id = %s AND o.received_at >= %s AND o.message_id = %s ORDER BY o.id LIMIT 1",
        (device_id, since, message_id),
    )
    return await cursor.fetchone()


async def pages_of(connection: Connection, alert_id: int) -> list[Paged]:
    """Every page of an alert, in the order in which they were made."""
    cursor = connection.cursor(row_factory=class_row(Paged))
    await cursor.execute(
        """SELECT p.attempt, p.person_id, c.channel, p.state, p.created_at, p.handed_over_at, p.leased_at,
                  p.received_at, p.shown_at, p.answered_at, p.ended_at
           FROM page p JOIN contact c ON c.id = p.contact_id WHERE p.alert_id = %s ORDER BY p.attempt, p.id""",
        (alert_id,),
    )
    return await cursor.fetchall()


async def alerts_since(connection: Connection, device_ids: Sequence[int], since: datetime) -> list[dict[str, Any]]:
    """The alerts of these devices that were raised, or had news, from a time on; care first, then the newest."""
    cursor = await connection.execute(
        """SELECT a.id, a.uid FROM alert a
           WHERE a.device_id = ANY(%(devices)s) AND EXISTS (
               SELECT 1 FROM alert_entry e WHERE e.alert_id = a.id AND e.at >= %(since)s
                 AND e.params ? 'evidence')
           ORDER BY a.track, a.id DESC""",
        {"devices": list(device_ids), "since": since},
    )
    return await cursor.fetchall()
