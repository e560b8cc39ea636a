"""Pages: the outbox. Leases and back-off follow the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.alert import Page
from alerts.model import Severity
from gateway.store.alerts import StoredAlert
from gateway.store.db import Connection, new_uid


@dataclass(frozen=True, slots=True)
class LeasedPage:
    """A page this process may send until its lease runs out; with what the text needs."""

    id: int
    uid: UUID
    alert_id: int
    person_id: int
    alert_uid: UUID
    attempt: int
    contact_id: int
    channel: str
    address: str
    language: str
    severity: Severity
    zone: str
    raised_at: datetime
    tries: int
    about: str | None


async def add(connection: Connection, stored: StoredAlert, pages: Sequence[Page], now: datetime) -> None:
    """Put pages into the outbox, due at once."""
    ordered = sorted(pages, key=lambda page: page.contact.id)
    await connection.execute(
        """INSERT INTO page (uid, alert_id, attempt, contact_id, person_id, about, severity, state, created_at, due_at)
           SELECT uid, %s, attempt, contact_id, person_id, about, %s, 'queued', %s, %s
           FROM unnest(%s::uuid[], %s::integer[], %b::bigint[], %b::bigint[], %b::text[])
                AS u (uid, attempt, contact_id, person_id, about)""",
        (
            stored.id,
            int(stored.alert.severity),
            now,
            now,
            [new_uid() for _ in ordered],
            [page.attempt for page in ordered],
            [page.contact.id for page in ordered],
            [page.contact.person_id for page in ordered],
            [page.about for page in ordered],
        ),
    )


async def withdraw(connection: Connection, alert_id: int) -> None:
    """Whatever of an alert is not handed over yet must not be."""
    await connection.execute(
        """UPDATE page SET state = 'withdrawn', due_at = NULL, leased_by = NULL
           WHERE alert_id = %s AND state IN ('queued', 'leased')""",
        (alert_id,),
    )


_LEASED_FIELDS = """p.id, p.uid, p.alert_id, p.person_id, a.uid AS alert_uid, p.attempt, p.contact_id, c.channel, c.address,
                    n.language, p.severity, z.name AS zone, a.raised_at, p.tries, p.about"""


async def lease(
    connection: Connection,
    now: datetime,
    holder: str,
    seconds: float,
    limit: int,
    least: Severity = Severity.NOT_REPORTED,
) -> list[LeasedPage]:
    """Take due pages of at least a severity, severest first, then oldest; a lease that ran out (in the database's clock) is taken over."""
    cursor = await connection.execute(
        f"""WITH chosen AS (
                SELECT id FROM page WHERE due_at <= %s AND hidden_until <= clock_timestamp() AND severity >= %s
                ORDER BY severity DESC, due_at, id LIMIT %s FOR UPDATE SKIP LOCKED),
            leased AS (
                UPDATE page SET state = 'leased', leased_by = %s, tries = tries + 1,
                       hidden_until = clock_timestamp() + make_interval(secs => %s)
                FROM chosen WHERE page.id = chosen.id RETURNING page.*)
            SELECT {_LEASED_FIELDS} FROM leased p JOIN alert a ON a.id = p.alert_id JOIN contact c ON c.id = p.contact_id
            JOIN person n ON n.id = p.person_id JOIN zone z ON z.id = a.zone_id
            ORDER BY p.severity DESC, p.id""",
        (now, int(least), limit, holder, seconds),
    )
    return [LeasedPage(**{**row, "severity": Severity(row["severity"])}) for row in await cursor.fetchall()]


async def still_leased(connection: Connection, page_id: int, holder: str) -> bool:
    """Whether a page is still to be sent: not withdrawn by an answer, and not taken over."""
    cursor = await connection.execute(
        "SELECT 1 FROM page WHERE id = %s AND state = 'leased' AND leased_by = %s", (page_id, holder)
    )
    return await cursor.fetchone() is not None


async def renew(connection: Connection, page_id: int, holder: str, seconds: float) -> bool:
    """It is still being sent: nobody else takes it over. False when it is not ours to send any more."""
    cursor = await connection.execute(
        """UPDATE page SET hidden_until = clock_timestamp() + make_interval(secs => %s)
           WHERE id = %s AND state = 'leased' AND leased_by = %s""",
        (seconds, page_id, holder),
    )
    return cursor.rowcount == 1


async def handed_over(connection: Connection, page_id: int, holder: str, detail: str, now: datetime) -> bool:
    """Whether the page was still ours. One that was withdrawn while it was sent stays withdrawn, with the time noted."""
    cursor = await connection.execute(
        """UPDATE page SET handed_over_at = %s, reason = %s, leased_by = NULL, due_at = NULL,
                  state = CASE WHEN state = 'leased' THEN 'handed_over' ELSE state END
           WHERE id = %s AND (leased_by = %s OR state = 'withdrawn') RETURNING state""",
        (now, detail, page_id, holder),
    )
    row = await cursor.fetchone()
    return row is not None and row["state"] == "handed_over"


async def retry(connection: Connection, page_id: int, holder: str, reason: str, seconds: float) -> bool:
    """Back into the outbox, hidden for a back-off in the database's clock; unless it was withdrawn meanwhile."""
    cursor = await connection.execute(
        """UPDATE page SET state = 'queued', leased_by = NULL, reason = %s,
                  hidden_until = clock_timestamp() + make_interval(secs => %s)
           WHERE id = %s AND state = 'leased' AND leased_by = %s""",
        (reason, seconds, page_id, holder),
    )
    return cursor.rowcount == 1


async def failed(connection: Connection, page_id: int, holder: str, reason: str) -> bool:
    """Given up; unless it was withdrawn meanwhile."""
    cursor = await connection.execute(
        """UPDATE page SET state = 'failed', leased_by = NULL, due_at = NULL, reason = %s
           WHERE id = %s AND state = 'leased' AND leased_by = %s""",
        (reason, page_id, holder),
    )
    return cursor.rowcount == 1


async def attempt_failed(connection: Connection, alert_id: int, attempt: int) -> bool:
    """Whether every page of an attempt has failed."""
    cursor = await connection.execute(
        "SELECT bool_and(state = 'failed') AS failed FROM page WHERE alert_id = %s AND attempt = %s",
        (alert_id, attempt),
    )
    row = await cursor.fetchone()
    return bool(row and row["failed"])


async def called(connection: Connection, alert_id: int) -> frozenset[int]:
    """Everybody who was ever paged about an alert."""
    cursor = await connection.execute("SELECT DISTINCT person_id FROM page WHERE alert_id = %s", (alert_id,))
    return frozenset(row["person_id"] for row in await cursor.fetchall())


async def standing(connection: Connection, now: datetime) -> dict[str, Any]:
    """How the outbox stands: pages due and not handed over, the oldest of them, and contacts that are broken."""
    cursor = await connection.execute(
        """SELECT count(*) AS unsent, min(due_at) AS oldest_page,
                  (SELECT count(*) FROM contact WHERE active AND broken_reason IS NOT NULL) AS broken_contacts
           FROM page WHERE due_at <= %s""",
        (now,),
    )
    return await cursor.fetchone() or {}


async def unsent(connection: Connection, now: datetime) -> int:
    """How many pages are due and not handed over, hidden ones included."""
    cursor = await connection.execute("SELECT count(*) AS n FROM page WHERE due_at <= %s", (now,))
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0


async def break_contact(connection: Connection, contact_id: int, reason: str) -> None:
    """Mark a contact as useless, so that no step counts on it."""
    await connection.execute("UPDATE contact SET broken_reason = %s WHERE id = %s", (reason, contact_id))
