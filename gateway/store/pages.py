"""Pages: the outbox. Leases and back-off follow the database's clock. What is heard of pages: ``gateway.store.receipts``.

A page's key is a secret of its own (256 bits by chance), for whoever it is sent to. Several pages of an alert are changed by
whoever holds the alert; without it one row at a time, or what nobody else has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from types import MappingProxyType
from typing import Any
from uuid import UUID

from alerts.alert import Page
from alerts.model import Severity
from gateway.store.alerts import StoredAlert
from gateway.store.columns import bigints, texts, times
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
    recall_at: datetime | None
    occurred_at: datetime
    first_due_at: datetime
    at_once: bool


KEY_BYTES = 32
LEFT_TO_OTHERS = timedelta(seconds=10)
"""How long a process that has not got a page's channel leaves it to one that has; then it fails, loudly."""


async def add(connection: Connection, stored: StoredAlert, pages: Sequence[Page], now: datetime) -> None:
    """Put pages into the outbox, each due when it says."""
    ordered = sorted(pages, key=lambda page: page.contact.id)
    await connection.execute(
        """INSERT INTO page (uid, key, alert_id, attempt, contact_id, person_id, about, severity, state, created_at, due_at)
           SELECT uid, key, %s, attempt, contact_id, person_id, about, %s, 'queued', %s, due_at
           FROM unnest(%s::uuid[], %b::text[], %b::timestamptz[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[])
                AS u (uid, key, due_at, attempt, contact_id, person_id, about)""",
        (
            stored.id,
            int(stored.alert.severity),
            now,
            [new_uid() for _ in ordered],
            texts([token_urlsafe(KEY_BYTES) for _ in ordered]),
            times([now + page.after for page in ordered]),
            bigints([page.attempt for page in ordered]),
            bigints([page.contact.id for page in ordered]),
            bigints([page.contact.person_id for page in ordered]),
            texts([page.about for page in ordered]),
        ),
    )


async def withdraw(connection: Connection, alert_id: int, now: datetime) -> bool:
    """Whatever of a locked alert is not over is of no interest any more. Whether some of it is to be taken back: what was tried
    may be on the phone, whatever was heard of that."""
    cursor = await connection.execute(
        """WITH chosen AS (
               SELECT p.id, c.channel <> 'in_app' AND (p.state <> 'queued' OR p.tries > 0) AS left_us
               FROM page p JOIN contact c ON c.id = p.contact_id
               WHERE p.alert_id = %(alert)s AND p.state NOT IN ('answered', 'failed', 'withdrawn')
               ORDER BY p.id FOR UPDATE OF p)
           UPDATE page SET state = 'withdrawn', due_at = NULL, leased_by = NULL, ended_at = %(now)s,
                  recall_at = CASE WHEN left_us THEN %(now)s ELSE recall_at END,
                  recall_tries = CASE WHEN left_us THEN 0 ELSE recall_tries END,
                  hidden_until = CASE WHEN left_us THEN '-infinity' ELSE hidden_until END
           FROM chosen WHERE page.id = chosen.id RETURNING left_us""",
        {"alert": alert_id, "now": now},
    )
    return any(row["left_us"] for row in await cursor.fetchall())


_LEASED_FIELDS = """p.id, p.uid, p.alert_id, p.person_id, a.uid AS alert_uid, p.attempt, p.contact_id, c.channel, c.address,
                    n.language, p.severity, z.name AS zone, a.raised_at, p.tries, p.about,
                    coalesce(p.key, '') AS key, p.recall_tries, p.recall_at, a.occurred_at,
                    coalesce(p.due_at, p.created_at) AS first_due_at,
                    coalesce(p.due_at = p.created_at, false) AS at_once"""
_WITH_TEXT = f"""SELECT {_LEASED_FIELDS} FROM leased p JOIN alert a ON a.id = p.alert_id JOIN contact c ON c.id = p.contact_id
            JOIN person n ON n.id = p.person_id JOIN zone z ON z.id = a.zone_id
            ORDER BY p.severity DESC, p.id"""


NOTHING_KEPT: Mapping[Severity, int] = MappingProxyType({})


async def lease(
    connection: Connection,
    now: datetime,
    holder: str,
    seconds: float,
    limit: int,
    channels: Sequence[str],
    kept: Mapping[Severity, int] = NOTHING_KEPT,
) -> list[LeasedPage]:
    """Take due pages, severest first, then oldest; a lease that ran out (in the database's clock) is taken over. ``kept``: how many
    of the ``limit`` nothing takes that is less severe. Of channels but these only what nobody has taken for ``LEFT_TO_OTHERS``."""
    cursor = await connection.execute(
        f"""WITH chosen AS (
                SELECT p.id, p.severity, p.due_at FROM page p JOIN contact c ON c.id = p.contact_id
                WHERE p.due_at <= %(now)s AND p.hidden_until <= clock_timestamp()
                  AND (c.channel = ANY(%(channels)s)
                       OR p.due_at <= %(now)s - %(others)s AND p.hidden_until <= clock_timestamp() - %(others)s)
                ORDER BY p.severity DESC, p.due_at, p.id LIMIT %(limit)s FOR UPDATE OF p SKIP LOCKED),
            numbered AS (
                SELECT id, severity, row_number() OVER (ORDER BY severity DESC, due_at, id) AS number FROM chosen),
            leased AS (
                UPDATE page SET state = 'leased', leased_by = %(holder)s, tries = tries + 1,
                       leased_at = coalesce(leased_at, %(now)s),
                       hidden_until = clock_timestamp() + make_interval(secs => %(seconds)s)
                FROM numbered n WHERE page.id = n.id AND n.number <= %(limit)s - coalesce((
                    SELECT max(k.slots) FROM unnest(%(severities)s::integer[], %(slots)s::integer[]) AS k (severity, slots)
                    WHERE n.severity < k.severity), 0)
                RETURNING page.*)
            {_WITH_TEXT}""",
        {
            "now": now,
            "severities": [int(each) for each in kept],
            "slots": list(kept.values()),
            "limit": limit,
            "holder": holder,
            "seconds": seconds,
            "channels": list(channels),
            "others": LEFT_TO_OTHERS,
        },
    )
    return [_leased(row) for row in await cursor.fetchall()]


def _leased(row: dict[str, Any]) -> LeasedPage:
    return LeasedPage(**{**row, "severity": Severity(row["severity"])})


async def which_leased(connection: Connection, page_ids: Sequence[int], holder: str) -> set[int]:
    """Which pages are still to be sent: not withdrawn by an answer, and not taken over."""
    cursor = await connection.execute(
        "SELECT id FROM page WHERE id = ANY(%s) AND state = 'leased' AND leased_by = %s", (list(page_ids), holder)
    )
    return {row["id"] for row in await cursor.fetchall()}


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
    was answered or withdrawn while it was sent, which is to be taken back, once more, where its channel ``recalls``."""
    cursor = await connection.execute(
        """UPDATE page SET handed_over_at = coalesce(handed_over_at, %(now)s), reason = %(detail)s, leased_by = NULL, due_at = NULL,
                  state = CASE WHEN state = 'leased' THEN 'handed_over' ELSE state END,
                  recall_at = CASE WHEN %(recalls)s AND state IN ('answered', 'withdrawn') THEN %(now)s ELSE recall_at END,
                  recall_tries = CASE WHEN state IN ('answered', 'withdrawn') THEN 0 ELSE recall_tries END,
                  hidden_until = CASE WHEN state IN ('answered', 'withdrawn') THEN '-infinity' ELSE hidden_until END
           WHERE id = %(page)s AND (leased_by = %(holder)s OR state NOT IN ('queued', 'leased', 'handed_over')) RETURNING state""",
        {"now": now, "detail": detail, "page": page_id, "holder": holder, "recalls": recalls},
    )
    row = await cursor.fetchone()
    return row is not None and row["state"] in ("handed_over", "received", "shown")


async def broken_off(connection: Connection, page_id: int, now: datetime) -> None:
    """Sending stopped halfway, as the page was not wanted any more: what was asked for can still come true, also after the page
    was taken back. So it is to be taken back once more."""
    await connection.execute(
        """UPDATE page SET recall_at = %s, recall_tries = 0, hidden_until = '-infinity'
           WHERE id = %s AND state IN ('answered', 'withdrawn')""",
        (now, page_id),
    )


async def retry(connection: Connection, page_id: int, holder: str, reason: str, seconds: float, now: datetime) -> bool:
    """Back into the outbox, hidden for a back-off in the database's clock; unless it went further meanwhile. One whose person
    has been reached by another contact in the same attempt is not needed any more, and taken back where it got there."""
    cursor = await connection.execute(
        f"""WITH ours AS (
               SELECT p.id, {_REACHED} AS reached, {IS_LAST} AS is_last FROM page p
               WHERE p.id = %(page)s AND p.state = 'leased' AND p.leased_by = %(holder)s FOR UPDATE OF p)
           UPDATE page SET leased_by = NULL, reason = %(reason)s,
                  state = CASE WHEN reached THEN 'withdrawn' ELSE 'queued' END,
                  due_at = CASE WHEN reached THEN NULL ELSE due_at END,
                  ended_at = CASE WHEN reached THEN %(now)s ELSE ended_at END,
                  recall_at = CASE WHEN reached AND is_last THEN %(now)s ELSE recall_at END,
                  recall_tries = CASE WHEN reached AND is_last THEN 0 ELSE recall_tries END,
                  hidden_until = CASE WHEN reached THEN '-infinity'
                                      ELSE clock_timestamp() + make_interval(secs => %(seconds)s) END
           FROM ours WHERE page.id = ours.id RETURNING state""",
        {"page": page_id, "holder": holder, "reason": reason, "seconds": seconds, "now": now},
    )
    row = await cursor.fetchone()
    return row is not None and row["state"] == "queued"


_REACHED = """EXISTS (SELECT 1 FROM page o JOIN contact c ON c.id = o.contact_id AND c.channel <> 'in_app'
                      WHERE o.alert_id = p.alert_id AND o.attempt = p.attempt AND o.person_id = p.person_id
                        AND o.state IN ('received', 'shown'))"""
IS_LAST = """NOT EXISTS (SELECT 1 FROM page n WHERE n.alert_id = p.alert_id AND n.contact_id = p.contact_id
                         AND n.attempt > p.attempt)"""
"""Whether nothing newer of the alert (than page ``p``) went to the same contact: that would go with what is taken back."""


async def failed(connection: Connection, page_id: int, holder: str, reason: str, now: datetime) -> bool:
    """Given up; unless it was withdrawn meanwhile."""
    cursor = await connection.execute(
        """UPDATE page SET state = 'failed', leased_by = NULL, due_at = NULL, reason = %s, ended_at = %s
           WHERE id = %s AND state = 'leased' AND leased_by = %s""",
        (reason, now, page_id, holder),
    )
    return cursor.rowcount == 1


async def attempt_failed(connection: Connection, alert_id: int, attempt: int) -> bool:
    """Whether nobody will hear of an attempt: every page that rings has failed (where none rings, every one), and nobody has looked
    at it in the app."""
    cursor = await connection.execute(
        """SELECT coalesce(bool_and(p.state = 'failed') FILTER (WHERE c.channel <> 'in_app'), bool_and(p.state = 'failed'))
                  AND NOT bool_or(c.channel = 'in_app' AND p.state IN ('shown', 'answered')) AS failed
           FROM page p JOIN contact c ON c.id = p.contact_id WHERE p.alert_id = %s AND p.attempt = %s""",
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


async def lease_recalls(
    connection: Connection, now: datetime, seconds: float, limit: int, channels: Sequence[str]
) -> list[LeasedPage]:
    """Take pages that are to be taken back; each is hidden from others for so long. Of other channels as with ``lease``."""
    cursor = await connection.execute(
        f"""WITH chosen AS (
                SELECT p.id FROM page p JOIN contact c ON c.id = p.contact_id
                WHERE p.recall_at <= %(now)s AND p.hidden_until <= clock_timestamp()
                  AND (c.channel = ANY(%(channels)s)
                       OR p.recall_at <= %(now)s - %(others)s AND p.hidden_until <= clock_timestamp() - %(others)s)
                ORDER BY p.severity DESC, p.recall_at, p.id LIMIT %(limit)s FOR UPDATE OF p SKIP LOCKED),
            leased AS (
                UPDATE page SET recall_tries = recall_tries + 1,
                       hidden_until = clock_timestamp() + make_interval(secs => %(seconds)s)
                FROM chosen WHERE page.id = chosen.id RETURNING page.*)
            {_WITH_TEXT}""",
        {"now": now, "limit": limit, "seconds": seconds, "channels": list(channels), "others": LEFT_TO_OTHERS},
    )
    return [_leased(row) for row in await cursor.fetchall()]


async def recalled(connection: Connection, page: LeasedPage, at: datetime | None) -> bool:
    """A recall is over, with the time where it was done; unless the page has left again since, which begins another."""
    cursor = await connection.execute(
        """UPDATE page SET recall_at = NULL, recalled_at = coalesce(%s, recalled_at)
           WHERE id = %s AND recall_at = %s AND recall_tries = %s""",
        (at, page.id, page.recall_at, page.recall_tries),
    )
    return cursor.rowcount == 1


async def recall_again(connection: Connection, page: LeasedPage, seconds: float) -> None:
    """Tried again after a back-off in the database's clock."""
    await connection.execute(
        """UPDATE page SET hidden_until = clock_timestamp() + make_interval(secs => %s)
           WHERE id = %s AND recall_at = %s AND recall_tries = %s""",
        (seconds, page.id, page.recall_at, page.recall_tries),
    )


async def unsettled(connection: Connection, now: datetime, channels: Sequence[str]) -> int:
    """How many pages a process with these channels is to send or take back, hidden ones included."""
    cursor = await connection.execute(
        """SELECT count(*) AS n FROM page p JOIN contact c ON c.id = p.contact_id
           WHERE (p.due_at <= %(now)s OR p.recall_at <= %(now)s)
             AND (c.channel = ANY(%(channels)s) OR coalesce(p.due_at, p.recall_at) <= %(now)s - %(others)s)""",
        {"now": now, "channels": list(channels), "others": LEFT_TO_OTHERS},
    )
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0
