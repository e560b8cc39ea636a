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
    """A contact that is a push subscription. ``renewed_at``: when the phone last said that it has it. ``turned_off``: by its own
    person."""

    id: int
    uid: UUID
    person_id: int
    address: str
    active: bool
    renewed_at: datetime | None
    broken: bool = False
    turned_off: bool = False


_COLUMNS = "id, uid, person_id, address, active, renewed_at, broken_reason IS NOT NULL AS broken, turned_off"
_PHONE = f"SELECT {_COLUMNS} FROM contact"


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
        f"{_PHONE} WHERE channel = %s AND active AND person_id <> %s AND starts_with(address, %s) ORDER BY id",
        (CHANNEL, person_id, begins(endpoint)),
    )
    return await cursor.fetchall()


async def add(connection: Connection, person_id: int, address: str, machine: str | None, now: datetime) -> Phone:
    """A phone, tried before every other way: it is the one that rings. That it does its person has yet to confirm."""
    cursor = connection.cursor(row_factory=class_row(Phone))
    await cursor.execute(
        f"""INSERT INTO contact (uid, person_id, channel, address, machine, position, created_at, renewed_at)
            SELECT %(uid)s, %(person)s, %(channel)s, %(address)s, %(machine)s, coalesce(min(position) - 1, 0), %(now)s, %(now)s
            FROM contact WHERE person_id = %(person)s AND active AND channel <> %(channel)s
            RETURNING {_COLUMNS}""",
        {
            "uid": new_uid(),
            "person": person_id,
            "channel": CHANNEL,
            "address": address,
            "machine": machine,
            "now": now,
        },
    )
    return _one(await cursor.fetchone())


def _one(phone: Phone | None) -> Phone:
    if phone is None:
        raise RuntimeError("the phone that was just written is not there")
    return phone


async def renew(connection: Connection, contact_id: int, address: str, machine: str | None, now: datetime) -> Phone:
    """It is there, and used; how it is now. Whether it rings, and whether it is broken, is not said by that."""
    cursor = connection.cursor(row_factory=class_row(Phone))
    await cursor.execute(
        f"""UPDATE contact SET address = %s, machine = coalesce(%s, machine), active = true, removed_at = NULL,
                turned_off = false, renewed_at = %s WHERE id = %s RETURNING {_COLUMNS}""",
        (address, machine, now, contact_id),
    )
    return _one(await cursor.fetchone())


async def drop(connection: Connection, ids: Sequence[int], now: datetime, *, turned_off: bool = False) -> None:
    """Not used any more. The rows stay, as pages tell of them; their addresses are forgotten later. ``turned_off``: its own
    person wants it so."""
    await connection.execute(
        "UPDATE contact SET active = false, removed_at = %s, turned_off = %s WHERE id = ANY(%s)",
        (now, turned_off, sorted(ids)),
    )
