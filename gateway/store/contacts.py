"""Contacts as their own person keeps them, and the tests of them. How alerts find them: ``gateway.store.people``.

Whoever changes a person's contacts holds the person (``lock_person``). One that is taken away stays a row, as pages name it; its
address goes with retention.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from psycopg.rows import class_row

from alerts.contacts import PAGE_TEST, Way
from gateway.store.db import Connection, new_uid


@dataclass(frozen=True, slots=True)
class Kept:
    """A contact of somebody. ``tested_at``: since when a test of it waits; ``test_until``: when whoever leads is told of that.
    Of a phone that has registered itself: ``renewed_at``, when the app was last opened on it, and which ``machine`` it is."""

    id: int
    uid: UUID
    person_id: int
    channel: str
    address: str
    broken_reason: str | None
    broken_at: datetime | None
    confirmed_at: datetime | None
    created_at: datetime | None
    quiet_from: time | None
    quiet_to: time | None
    tested_at: datetime | None
    test_until: datetime | None
    renewed_at: datetime | None
    machine: str | None

    @property
    def way(self) -> Way:
        return Way(
            self.id,
            self.channel,
            self.confirmed_at,
            self.broken_at,
            broken=self.broken_reason is not None,
            tested_at=self.tested_at,
            waits=self.test_until is not None,
        )


_KEPT = f"""SELECT c.id, c.uid, c.person_id, c.channel, c.address, c.broken_reason, c.broken_at, c.confirmed_at, c.created_at,
                  c.quiet_from, c.quiet_to, c.renewed_at, c.machine, a.raised_at AS tested_at,
                  CASE WHEN a.step IS NULL AND a.stage = 'open' THEN a.due_at END AS test_until
           FROM contact c LEFT JOIN alert a ON a.key = '{PAGE_TEST}:contact:' || c.id AND a.closed_at IS NULL
           WHERE c.active"""


async def of(connection: Connection, person_id: int) -> list[Kept]:
    """Somebody's contacts in their order."""
    cursor = connection.cursor(row_factory=class_row(Kept))
    await cursor.execute(f"{_KEPT} AND c.person_id = %s ORDER BY c.position, c.id", (person_id,))
    return await cursor.fetchall()


async def of_all(connection: Connection, persons: Collection[int]) -> list[Kept]:
    """The contacts of several persons, each person's in their order."""
    cursor = connection.cursor(row_factory=class_row(Kept))
    await cursor.execute(
        f"{_KEPT} AND c.person_id = ANY(%s) ORDER BY c.person_id, c.position, c.id", (sorted(persons),)
    )
    return await cursor.fetchall()


async def add(connection: Connection, person_id: int, channel: str, address: str, now: datetime) -> int:
    """A new contact behind the others. One that was taken away before comes back as if nothing were known of it."""
    cursor = await connection.execute(
        """INSERT INTO contact (uid, person_id, channel, address, created_at, position)
           VALUES (%(uid)s, %(person)s, %(channel)s, %(address)s, %(now)s,
                   (SELECT coalesce(max(position), 0) + 1 FROM contact WHERE person_id = %(person)s AND active))
           ON CONFLICT (person_id, channel, address) DO UPDATE SET active = true, removed_at = NULL,
               turned_off = false, created_at = excluded.created_at, position = excluded.position, broken_reason = NULL, broken_at = NULL,
               confirmed_at = NULL, quiet_from = NULL, quiet_to = NULL
           RETURNING id""",
        {"uid": new_uid(), "person": person_id, "channel": channel, "address": address, "now": now},
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("an INSERT answered no row")
    return int(row["id"])


async def order(connection: Connection, ids: Sequence[int]) -> None:
    await connection.execute(
        """UPDATE contact SET position = u.place FROM unnest(%s::bigint[]) WITH ORDINALITY AS u (id, place)
           WHERE contact.id = u.id""",
        (list(ids),),
    )


async def set_quiet(connection: Connection, contact_id: int, since: time | None, until: time | None) -> None:
    await connection.execute(
        "UPDATE contact SET quiet_from = %s, quiet_to = %s WHERE id = %s", (since, until, contact_id)
    )


async def remove(connection: Connection, contact_id: int, now: datetime) -> None:
    """Its own person does not want it any more: a phone does not come back by itself."""
    await connection.execute(
        "UPDATE contact SET active = false, removed_at = %s, turned_off = true WHERE id = %s", (now, contact_id)
    )


async def confirm(connection: Connection, contact_id: int, now: datetime) -> None:
    """Its person has answered by a page that came over it."""
    await connection.execute(
        "UPDATE contact SET confirmed_at = greatest(confirmed_at, %s) WHERE id = %s", (now, contact_id)
    )


# Tests ----------------------------------------------------------------------------------------------------------------


async def is_test_that_waits(connection: Connection, alert_id: int) -> bool:
    """Whether an alert is a test of which nobody but its own person has been told."""
    cursor = await connection.execute(
        f"SELECT 1 FROM alert WHERE id = %s AND condition = '{PAGE_TEST}' AND step IS NULL AND stage = 'open'",
        (alert_id,),
    )
    return await cursor.fetchone() is not None


async def tested_at_check_in(connection: Connection, zone_id: int) -> bool:
    """Whether checking in sends a test in a zone: as it says itself, else as the nearest around it that says so."""
    cursor = await connection.execute(
        """WITH RECURSIVE up AS (
               SELECT id, parent_id, check_in_tests FROM zone WHERE id = %s
               UNION ALL SELECT z.id, z.parent_id, z.check_in_tests FROM zone z JOIN up u ON z.id = u.parent_id
               WHERE u.check_in_tests IS NULL)
           SELECT coalesce(bool_or(check_in_tests), true) AS tests FROM up""",
        (zone_id,),
    )
    row = await cursor.fetchone()
    return bool(row and row["tests"])
