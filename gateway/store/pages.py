"""Pages: the outbox. Leases and back-off follow the database's clock. What is heard of pages: ``gateway.store.receipts``.

A page's key is a secret of its own (256 bits by chance), for whoever it is sent to. Several pages of an alert are changed by
whoever holds the alert; without it one row at a time, or what nobody else has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

from alerts.alert import Page
from alerts.model import Severity
from gateway.store.alerts import StoredAlert
from gateway.store.db import Connection, new_uid


@dataclass(frozen=True, slots=True)
class LeasedPage:
    """A page this process may send until its lease runs out; with what the text needs. ``at_once``: the first of its chain."""

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
    key: str
    recall_tries: int
    occurred_at: datetime
    first_due_at: datetime
    at_once: bool


KEY_BYTES = 32


async def add(connection: Connection, stored: StoredAlert, pages: Sequence[Page], now: datetime) -> None:
    """Put pages into the outbox, each due when it says."""
    ordered = sorted(pages, key=lambda page: page.contact.id)
    await connection.execute(
        """INSERT INTO page (uid, key, alert_id, attempt, contact_id, person_id, about, severity, state, created_at, due_at)
           SELECT uid, key, %s, attempt, contact_id, person_id, about, %s, 'queued', %s, due_at
           FROM unnest(%s::uuid[], %s::text[], %b::timestamptz[], %s::integer[], %b::bigint[], %b::bigint[], %b::text[])
                AS u (uid, key, due_at, attempt, contact_id, person_id, about)""",
        (
            stored.id,
            int(stored.alert.severity),
            now,
            [new_uid() for _ in ordered],
            [token_urlsafe(KEY_BYTES) for _ in ordered],
            [now + page.after for page in ordered],
            [page.attempt for page in ordered],
            [page.contact.id for page in ordered],
            [page.contact.person_id for page in ordered],
            [page.about for page in ordered],
        ),
    )


async def withdraw(connection: Connection, alert_id: int, now: datetime) -> bool:
    """Whatever of a locked alert is not over is of no interest any more. Whether some of it is to be taken back."""
    cursor = await connection.execute(
        """WITH chosen AS (
               SELECT p.id, c.channel <> 'in_app' AND p.state <> 'queued' AS left_us
               FROM page p JOIN contact c ON c.id = p.contact_id
               WHERE p.alert_id = %(alert)s AND p.state NOT IN ('answered', 'failed', 'withdrawn')
               ORDER BY p.id FOR UPDATE OF p)
           UPDATE page SET state = 'withdrawn', due_at = NULL, leased_by = NULL, ended_at = %(now)s,
                  recall_at = CASE WHEN left_us THEN %(now)s ELSE recall_at END,
                  hidden_until = CASE WHEN left_us THEN '-infinity' ELSE hidden_until END
           FROM chosen WHERE page.id = chosen.id RETURNING left_us""",
        {"alert": alert_id, "now": now},
    )
    return any(row["left_us"] for row in await cursor.fetchall())


_LEASED_FIELDS = """p.id, p.uid, p.alert_id, p.person_id, a.uid AS alert_uid, p.attempt, p.contact_id, c.channel, c.address,
                    n.language, p.severity, z.name AS zone, a.raised_at, p.tries, p.about,
                    coalesce(p.key, '') AS key, p.recall_tries, a.occurred_at,
                    coalesce(p.due_at, p.created_at) AS first_due_at,
                    coalesce(p.due_at = p.created_at, false) AS at_once"""
_WITH_TEXT = f"""SELECT {_LEASED_FIELDS} FROM leased p JOIN alert a ON a.id = p.alert_id JOIN contact c ON c.id = p.contact_id
            JOIN person n ON n.id = p.person_id JOIN zone z ON z.id = a.zone_id
            ORDER BY p.severity DESC, p.id"""


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
                UPDATE page SET state = 'leased', leased_by = %s, tries = tries + 1, leased_at = coalesce(leased_at, %s),
                       hidden_until = clock_timestamp() + make_interval(secs => %s)
                FROM chosen WHERE page.id = chosen.id RETURNING page.*)
            {_WITH_TEXT}""",
        (now, int(least), limit, holder, now, seconds),
    )
    return [_leased(row) for row in await cursor.fetchall()]


def _leased(row: dict[str, Any]) -> LeasedPage:
    return LeasedPage(**{**row, "severity": Severity(row["severity"])})


async def still_leased(connection: Connection, page_id: int, holder: str) -> bool:
    """Whether a page is still to be sent: not withdrawn by an answer, and not taken over."""
    cursor = await connection.execute(
        "SELECT 1 FROM page WHERE id = %s AND state = 'leased' AND leased_by = %s", (page_id, holder)
    )
    return await cursor.fetchone() is not None


async def renew(connection: Connection, page_id: int, holder: str, seconds: float) -> bool:
    """It is still being sent: nobody else takes it over. False when that is of no use any more; word that it was received
    before its channel has answered is no reason to break off."""
    cursor = await connection.execute(
        """WITH renewed AS (
               UPDATE page SET hidden_until = clock_timestamp() + make_interval(secs => %(seconds)s)
               WHERE id = %(page)s AND state = 'leased' AND leased_by = %(holder)s RETURNING id)
           SELECT 1 FROM renewed UNION ALL
           SELECT 1 FROM page WHERE id = %(page)s AND state IN ('received', 'shown')""",
        {"seconds": seconds, "page": page_id, "holder": holder},
    )
    return await cursor.fetchone() is not None


async def handed_over(
    connection: Connection, page_id: int, holder: str, detail: str, now: datetime, *, recalls: bool = False
) -> bool:
    """Whether the page was still wanted. One that went further meanwhile stays where it is, with the time noted: also one that
    was answered or withdrawn while it was sent, which is to be taken back where its channel ``recalls``."""
    cursor = await connection.execute(
        """UPDATE page SET handed_over_at = coalesce(handed_over_at, %(now)s), reason = %(detail)s, leased_by = NULL, due_at = NULL,
                  state = CASE WHEN state = 'leased' THEN 'handed_over' ELSE state END,
                  recall_at = CASE WHEN %(recalls)s AND state IN ('answered', 'withdrawn') THEN %(now)s ELSE recall_at END,
                  recall_tries = recall_tries + CASE WHEN state IN ('answered', 'withdrawn') THEN 1 ELSE 0 END,
                  hidden_until = CASE WHEN state IN ('answered', 'withdrawn') THEN '-infinity' ELSE hidden_until END
           WHERE id = %(page)s AND (leased_by = %(holder)s OR state NOT IN ('queued', 'leased', 'handed_over')) RETURNING state""",
        {"now": now, "detail": detail, "page": page_id, "holder": holder, "recalls": recalls},
    )
    row = await cursor.fetchone()
    return row is not None and row["state"] in ("handed_over", "received", "shown")


async def retry(connection: Connection, page_id: int, holder: str, reason: str, seconds: float) -> bool:
    """Back into the outbox, hidden for a back-off in the database's clock; unless it went further meanwhile. One whose person
    has been reached by another contact in the same attempt is not needed any more."""
    cursor = await connection.execute(
        f"""UPDATE page p SET leased_by = NULL, reason = %s,
                  state = CASE WHEN {_REACHED} THEN 'withdrawn' ELSE 'queued' END,
                  due_at = CASE WHEN {_REACHED} THEN NULL ELSE due_at END,
                  hidden_until = clock_timestamp() + make_interval(secs => %s)
           WHERE id = %s AND state = 'leased' AND leased_by = %s RETURNING state""",
        (reason, seconds, page_id, holder),
    )
    row = await cursor.fetchone()
    return row is not None and row["state"] == "queued"


_REACHED = """EXISTS (SELECT 1 FROM page o JOIN contact c ON c.id = o.contact_id AND c.channel <> 'in_app'
                      WHERE o.alert_id = p.alert_id AND o.attempt = p.attempt AND o.person_id = p.person_id
                        AND o.state IN ('received', 'shown'))"""


async def failed(connection: Connection, page_id: int, holder: str, reason: str, now: datetime) -> bool:
    """Given up; unless it was withdrawn meanwhile."""
    cursor = await connection.execute(
        """UPDATE page SET state = 'failed', leased_by = NULL, due_at = NULL, reason = %s, ended_at = %s
           WHERE id = %s AND state = 'leased' AND leased_by = %s""",
        (reason, now, page_id, holder),
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


# Taking back ----------------------------------------------------------------------------------------------------------


async def lease_recalls(connection: Connection, now: datetime, seconds: float, limit: int) -> list[LeasedPage]:
    """Take pages that are to be taken back; each is hidden from others for so long."""
    cursor = await connection.execute(
        f"""WITH chosen AS (
                SELECT id FROM page WHERE recall_at <= %s AND hidden_until <= clock_timestamp()
                ORDER BY severity DESC, recall_at, id LIMIT %s FOR UPDATE SKIP LOCKED),
            leased AS (
                UPDATE page SET recall_tries = recall_tries + 1,
                       hidden_until = clock_timestamp() + make_interval(secs => %s)
                FROM chosen WHERE page.id = chosen.id RETURNING page.*)
            {_WITH_TEXT}""",
        (now, limit, seconds),
    )
    return [_leased(row) for row in await cursor.fetchall()]


async def recalled(connection: Connection, page: LeasedPage, at: datetime | None) -> bool:
    """A recall is over, with the time where it was done; unless the page has left again since."""
    cursor = await connection.execute(
        """UPDATE page SET recall_at = NULL, recalled_at = coalesce(%s, recalled_at) WHERE id = %s AND recall_tries = %s""",
        (at, page.id, page.recall_tries),
    )
    return cursor.rowcount == 1


async def recall_again(connection: Connection, page: LeasedPage, seconds: float) -> None:
    """Tried again after a back-off in the database's clock."""
    await connection.execute(
        """UPDATE page SET hidden_until = clock_timestamp() + make_interval(secs => %s)
           WHERE id = %s AND recall_tries = %s""",
        (seconds, page.id, page.recall_tries),
    )


async def unsettled(connection: Connection, now: datetime) -> int:
    """How many pages are to be sent or taken back, hidden ones included."""
    cursor = await connection.execute(
        "SELECT count(*) AS n FROM page WHERE due_at <= %s OR recall_at <= %s", (now, now)
    )
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0
