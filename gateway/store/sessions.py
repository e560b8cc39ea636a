"""Sign-in: accounts, sessions as rows, and how often somebody guessed. Sessions follow the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from gateway.store import tokens
from gateway.store.db import Connection, new_uid

LIFETIME = timedelta(hours=12)
"""A session ends after a long shift, used or not."""
GUESS_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Account:
    """A local account."""

    person_id: int
    uid: UUID
    name: str
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session as it is given out: the token is not stored and not shown again."""

    uid: UUID
    token: str
    csrf_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is in force."""

    id: int
    person_id: int
    uid: UUID
    name: str
    language: str
    csrf_token: str
    by_link: bool


async def account(connection: Connection, username: str) -> Account | None:
    cursor = connection.cursor(row_factory=class_row(Account))
    await cursor.execute(
        "SELECT id AS person_id, uid, name, password_hash FROM person WHERE username = lower(%s) AND active",
        (username,),
    )
    return await cursor.fetchone()


async def begin(connection: Connection, person_id: int, user_agent: str, *, by_link: bool = False) -> NewSession:
    """``by_link``: without a password, by what somebody signed in had made."""
    token, csrf_token, uid = tokens.fresh(), tokens.fresh(), new_uid()
    cursor = await connection.execute(
        """INSERT INTO session (uid, token_hash, csrf_token, person_id, user_agent, by_link, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s, now() + %s) RETURNING expires_at""",
        (uid, tokens.hashed(token), csrf_token, person_id, user_agent[:200].replace("\x00", ""), by_link, LIFETIME),
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("an INSERT answered no row")
    return NewSession(uid, token, csrf_token, row["expires_at"])


async def find(connection: Connection, token: str) -> Session | None:
    """The session of a token, if it is in force and its person is still active."""
    cursor = connection.cursor(row_factory=class_row(Session))
    await cursor.execute(
        """SELECT s.id, s.person_id, p.uid, p.name, p.language, s.csrf_token, s.by_link
           FROM session s JOIN person p ON p.id = s.person_id AND p.active
           WHERE s.token_hash = %s AND s.expires_at > now()""",
        (tokens.hashed(token),),
    )
    return await cursor.fetchone()


async def in_force(connection: Connection, session_id: int) -> bool:
    cursor = await connection.execute(
        """SELECT 1 FROM session s JOIN person p ON p.id = s.person_id AND p.active
           WHERE s.id = %s AND s.expires_at > now()""",
        (session_id,),
    )
    return await cursor.fetchone() is not None


async def end(connection: Connection, session_id: int) -> None:
    await connection.execute("DELETE FROM session WHERE id = %s", (session_id,))


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its person sees it."""

    id: int
    uid: UUID
    user_agent: str
    created_at: datetime
    expires_at: datetime


async def of(connection: Connection, person_id: int) -> list[Listed]:
    """Somebody's sessions that are in force, the newest first."""
    cursor = connection.cursor(row_factory=class_row(Listed))
    await cursor.execute(
        """SELECT id, uid, user_agent, created_at, expires_at FROM session
           WHERE person_id = %s AND expires_at > now() ORDER BY id DESC""",
        (person_id,),
    )
    return await cursor.fetchall()


async def recent_failures(connection: Connection, username: str) -> int:
    cursor = await connection.execute(
        "SELECT count(*) AS n FROM sign_in_failure WHERE username = lower(%s) AND at > now() - %s::interval",
        (username, GUESS_WINDOW),
    )
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0


async def note_failure(connection: Connection, username: str) -> None:
    await connection.execute("DELETE FROM sign_in_failure WHERE at < now() - interval '1 day'")
    await connection.execute("INSERT INTO sign_in_failure (username) VALUES (lower(%s))", (username,))
