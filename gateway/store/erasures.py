"""Erasures: what stands in the way of one, that one is under way, and the record that it was done.

The record leads nobody back: when, by whom, how many rows of which tables, and a salted hash of the resident's uid. Only
whoever has the uid (an old backup has) can tell that it is theirs; a uid has 74 random bits, so nobody guesses one.
While an erasure is under way its scope stands there, too, and goes with its last step.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from gateway.store import erasing
from gateway.store.belonging import Scope
from gateway.store.db import Connection, as_json

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """What of somebody is not over. ``alerts``: open ones, by uid and condition; ``homes``: where they live, as residency,
    dwelling and address; ``fittings``: what is fitted for them, as device and address."""

    alerts: Sequence[tuple[UUID, str]]
    homes: Sequence[tuple[int, int, str]]
    fittings: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An erasure that has begun and is not done."""

    id: int
    scope: Scope
    salt: bytes
    mark: bytes
    begun_at: datetime
    register_gone: bool


@dataclass(frozen=True, slots=True)
class Record:
    """That somebody was erased. ``counts``: rows by table."""

    begun_at: datetime
    done_at: datetime | None
    operator: str
    salt: bytes
    mark: bytes
    counts: Mapping[str, int]


def mark_of(uid: UUID, salt: bytes) -> bytes:
    """What a record knows somebody by."""
    return hashlib.sha256(salt + uid.bytes).digest()


async def lock(connection: Connection, resident_id: int) -> None:
    """Nobody moves them, or fits something for them, until this transaction is over."""
    await connection.execute("SELECT 1 FROM resident WHERE id = %s FOR UPDATE", (resident_id,))


async def standing(connection: Connection, scope: Scope, now: datetime) -> Standing:
    """What is in the way."""
    homes = await connection.execute(
        """SELECT y.id, y.dwelling_id, w.address FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
           WHERE y.resident_id = %s AND (upper_inf(y.during) OR upper(y.during) > %s) ORDER BY y.id""",
        (scope.resident, now),
    )
    fittings = await connection.execute(
        """SELECT i.device_id, d.address FROM installation i JOIN device d ON d.id = i.device_id
           WHERE i.resident_id = %s AND (upper_inf(i.during) OR upper(i.during) > %s) ORDER BY i.device_id""",
        (scope.resident, now),
    )
    return Standing(
        await erasing.open_alerts(connection, scope),
        [(row["id"], row["dwelling_id"], row["address"]) for row in await homes.fetchall()],
        [(row["device_id"], row["address"]) for row in await fittings.fetchall()],
    )


async def begin(
    connection: Connection, scope: Scope, operator: str, now: datetime, salt: bytes | None = None
) -> UnderWay:
    """An erasure is under way, with what belongs to it as of now; one that had begun goes on. ``salt``: of the record by
    which somebody is erased again."""
    salt = salt or secrets.token_bytes(SALT_BYTES)
    await connection.execute(
        """INSERT INTO erasure AS e (resident_id, begun_at, operator, salt, mark, scope) VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (resident_id) DO UPDATE SET scope = excluded.scope""",
        (scope.resident, now, operator, salt, mark_of(scope.uid, salt), as_json(scope.model_dump(mode="json"))),
    )
    return next(each for each in await under_way(connection) if each.scope.resident == scope.resident)


async def under_way(connection: Connection) -> list[UnderWay]:
    """Every erasure that is not done, the oldest first."""
    cursor = await connection.execute(
        """SELECT id, scope, salt, mark, begun_at, register_gone FROM erasure WHERE done_at IS NULL ORDER BY id"""
    )
    rows = await cursor.fetchall()
    return [UnderWay(**{**row, "scope": Scope.model_validate(row["scope"])}) for row in rows]


async def count(connection: Connection, erasure_id: int, counts: Mapping[str, int]) -> None:
    """So many more rows are gone, by table."""
    more = {table: many for table, many in counts.items() if many}
    await connection.execute(
        """UPDATE erasure SET counts = counts || (
               SELECT coalesce(jsonb_object_agg(m.key, coalesce((counts ->> m.key)::bigint, 0) + m.value::bigint), '{}')
               FROM jsonb_each_text(%s::jsonb) AS m) WHERE id = %s""",
        (as_json(more), erasure_id),
    )


async def register_gone(connection: Connection, erasure_id: int, scope: Scope) -> None:
    """``scope``: with what is gone."""
    await connection.execute(
        "UPDATE erasure SET register_gone = true, scope = %s WHERE id = %s",
        (as_json(scope.model_dump(mode="json")), erasure_id),
    )


async def finish(connection: Connection, erasure_id: int, now: datetime) -> Record:
    """It is done, and nothing of whom it was about remains here."""
    cursor = connection.cursor(row_factory=class_row(Record))
    await cursor.execute(
        """UPDATE erasure SET done_at = %s, scope = NULL, resident_id = NULL WHERE id = %s
           RETURNING begun_at, done_at, operator, salt, mark, counts""",
        (now, erasure_id),
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("an erasure is gone")
    return row


async def records(connection: Connection) -> list[Record]:
    """Every erasure, the oldest first."""
    cursor = connection.cursor(row_factory=class_row(Record))
    await cursor.execute("SELECT begun_at, done_at, operator, salt, mark, counts FROM erasure ORDER BY id")
    return await cursor.fetchall()


async def marked(connection: Connection, records: Sequence[Record]) -> list[tuple[int, Record]]:
    """The residents that these records are about, each with the record: there should be none, but in a database that is
    older than they are."""
    if not records:
        return []
    cursor = await connection.execute("SELECT id, uid FROM resident ORDER BY id")
    rows = await cursor.fetchall()
    return [(row["id"], each) for row in rows for each in records if mark_of(row["uid"], each.salt) == each.mark]


async def all_heard(connection: Connection, sites: Sequence[int]) -> None:
    """Whatever was being stored of these sites when this began is stored: each ingest transaction holds its lane before it
    judges, and one that begins later, or was begun ahead of its turn, knows the register as it is now."""
    await connection.execute(
        "SELECT 1 FROM site_lane WHERE site_id = ANY(%s) ORDER BY site_id, lane FOR UPDATE", (sorted(set(sites)),)
    )
