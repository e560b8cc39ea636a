"""Web Push: the key that pushes are signed with, and the phones that people are reached on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from alerts.subscription import begins
from gateway.store.db import Connection, new_uid

CHANNEL = "web_push"


@dataclass(frozen=True, slots=True)
class Phone:
    """A contact that is a push subscription. ``renewed_at``: when the phone last said that it has it."""

    id: int
    uid: UUID
    person_id: int
    address: str
    active: bool
    renewed_at: datetime | None


_PHONE = "SELECT id, uid, person_id, address, active, confirmed_at AS renewed_at FROM contact"


async def private_key(connection: Connection, fresh: str, now: datetime) -> str:
    """The key in force; the ``fresh`` one from now on, where there is none."""
    await connection.execute(
        "INSERT INTO push_key (private_key, created_at) VALUES (%s, %s) ON CONFLICT DO NOTHING", (fresh, now)
    )
    cursor = await connection.execute("SELECT private_key FROM push_key")
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("there is no push key, though one was just made")
    return str(row["private_key"])


async def lock_person(connection: Connection, person_id: int) -> None:
    """Whoever changes somebody's phones is alone with them; pages go on meanwhile."""
    await connection.execute("SELECT 1 FROM person WHERE id = %s FOR NO KEY UPDATE", (person_id,))


async def phones(connection: Connection, person_id: int) -> list[Phone]:
    """Of a person, also those that are not used any more, in the order in which they came."""
    cursor = connection.cursor(row_factory=class_row(Phone))
    await cursor.execute(f"{_PHONE} WHERE person_id = %s AND channel = %s ORDER BY id", (person_id, CHANNEL))
    return await cursor.fetchall()


async def of_others(connection: Connection, person_id: int, endpoint: str) -> list[Phone]:
    """Whoever else is reached on this phone."""
    cursor = connection.cursor(row_factory=class_row(Phone))
    await cursor.execute(
        f"{_PHONE} WHERE channel = %s AND active AND person_id <> %s AND starts_with(address, %s) ORDER BY id FOR UPDATE",
        (CHANNEL, person_id, begins(endpoint)),
    )
    return await cursor.fetchall()


async def add(connection: Connection, person_id: int, address: str, now: datetime) -> Phone:
    """A phone, tried before every other way: it is the one that rings."""
    cursor = connection.cursor(row_factory=class_row(Phone))
    await cursor.execute(
        """INSERT INTO contact (uid, person_id, channel, address, position, created_at, confirmed_at)
           SELECT %(uid)s, %(person)s, %(channel)s, %(address)s, coalesce(min(position) - 1, 0), %(now)s, %(now)s
           FROM contact WHERE person_id = %(person)s AND active AND channel <> %(channel)s
           RETURNING id, uid, person_id, address, active, confirmed_at AS renewed_at""",
        {"uid": new_uid(), "person": person_id, "channel": CHANNEL, "address": address, "now": now},
    )
    made = await cursor.fetchone()
    if made is None:
        raise RuntimeError("an INSERT answered no row")
    return made


async def renew(connection: Connection, contact_id: int, address: str, now: datetime) -> None:
    """It is there, and works, whatever was wrong with it."""
    await connection.execute(
        "UPDATE contact SET address = %s, active = true, removed_at = NULL, broken_reason = NULL, confirmed_at = %s WHERE id = %s",
        (address, now, contact_id),
    )


async def drop(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Not used any more. The rows stay, as pages tell of them; their addresses are forgotten later."""
    await connection.execute(
        "UPDATE contact SET active = false, removed_at = %s WHERE id = ANY(%s)", (now, sorted(ids))
    )
