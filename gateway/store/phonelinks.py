"""Links that sign a phone in. They follow the database's clock, as sessions do; only hashes are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from gateway.store import tokens
from gateway.store.db import Connection

HOLDS = timedelta(minutes=10)
MOST_OPEN = 3
"""Links of one person that hold at the same time; an older one makes room."""


@dataclass(frozen=True, slots=True)
class PhoneLink:
    """A link that holds, and whose it is."""

    id: int
    person_id: int
    uid: UUID
    name: str
    language: str


async def make(connection: Connection, person_id: int) -> tuple[str, datetime]:
    """A new one: its token, which is not stored and not shown again, and until when it holds."""
    token = tokens.fresh()
    await connection.execute(
        """UPDATE phone_link SET expires_at = now() WHERE id IN (
               SELECT id FROM phone_link WHERE person_id = %s AND used_at IS NULL AND expires_at > now()
               ORDER BY id DESC OFFSET %s)""",
        (person_id, MOST_OPEN - 1),
    )
    cursor = await connection.execute(
        "INSERT INTO phone_link (token_hash, person_id, expires_at) VALUES (%s, %s, now() + %s) RETURNING expires_at",
        (tokens.hashed(token), person_id, HOLDS),
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("an INSERT answered no row")
    return token, row["expires_at"]


_HOLDS = """l.used_at IS NULL AND l.expires_at > now() AND p.active"""


async def find(connection: Connection, token: str) -> PhoneLink | None:
    """A link that holds still: not used, not too old, of somebody who works here."""
    cursor = connection.cursor(row_factory=class_row(PhoneLink))
    await cursor.execute(
        f"""SELECT l.id, l.person_id, p.uid, p.name, p.language FROM phone_link l JOIN person p ON p.id = l.person_id
            WHERE l.token_hash = %s AND {_HOLDS}""",
        (tokens.hashed(token),),
    )
    return await cursor.fetchone()


async def use(connection: Connection, token: str) -> PhoneLink | None:
    """The same, and it holds no longer: of two who use it at once one gets it."""
    cursor = connection.cursor(row_factory=class_row(PhoneLink))
    await cursor.execute(
        f"""UPDATE phone_link l SET used_at = now() FROM person p
            WHERE p.id = l.person_id AND l.token_hash = %s AND {_HOLDS}
            RETURNING l.id, l.person_id, p.uid, p.name, p.language""",
        (tokens.hashed(token),),
    )
    return await cursor.fetchone()
