"""What is heard of pages, what follows for the other pages of the chain, and contacts that break and are mended.

Everything here but looking a page up is done by whoever holds the alert (``gateway.store.alerts``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from alerts.delivery import PageState, Receipt
from gateway.store.db import Connection
from gateway.store.pages import IS_LAST


@dataclass(frozen=True, slots=True)
class HeardPage:
    """A page as somebody speaks of it, by its key or the id that its provider was given. ``may_answer``: its person works
    here still, and has the contact."""

    id: int
    uid: UUID
    alert_id: int
    alert_uid: UUID
    attempt: int
    person_id: int
    contact_id: int
    channel: str
    state: PageState
    severity: int
    zone: str
    zone_id: int
    raised_at: datetime
    created_at: datetime
    closed_at: datetime | None
    broken_at: datetime | None
    may_answer: bool
    about: str | None


async def find(connection: Connection, which: UUID | str) -> HeardPage | None:
    """A page by its outer id, or by its key."""
    cursor = connection.cursor(row_factory=class_row(HeardPage))
    await cursor.execute(
        f"""SELECT p.id, p.uid, p.alert_id, a.uid AS alert_uid, p.attempt, p.person_id, p.contact_id, c.channel, p.state,
                   p.severity, z.name AS zone, a.zone_id, a.raised_at, p.created_at, a.closed_at, c.broken_at,
                   n.active AND c.active AS may_answer, p.about
            FROM page p JOIN alert a ON a.id = p.alert_id JOIN zone z ON z.id = a.zone_id
            JOIN contact c ON c.id = p.contact_id JOIN person n ON n.id = p.person_id
            WHERE p.{"uid" if isinstance(which, UUID) else "key"} = %s""",
        (which,),
    )
    return await cursor.fetchone()


async def lock(connection: Connection, page_id: int) -> PageState:
    """A page's state, which stays until the transaction ends."""
    cursor = await connection.execute("SELECT state FROM page WHERE id = %s FOR UPDATE", (page_id,))
    row = await cursor.fetchone()
    return PageState(row["state"]) if row else PageState.WITHDRAWN


_TIMES = {Receipt.RECEIVED: "received_at", Receipt.SHOWN: "shown_at"}


async def note(connection: Connection, page_id: int, receipt: Receipt, now: datetime) -> float | None:
    """The first time that it was received or shown; it was handed over by then, whatever our own word of that is. Seconds
    since the leg before it; None where it was noted already."""
    column = _TIMES[receipt]
    cursor = await connection.execute(
        f"""WITH before AS (
                SELECT id, extract(epoch FROM %(now)s - {_LEG_BEFORE[receipt]})::float AS seconds
                FROM page WHERE id = %(page)s AND {column} IS NULL FOR UPDATE)
            UPDATE page SET {column} = %(now)s, handed_over_at = coalesce(handed_over_at, %(now)s)
            FROM before WHERE page.id = before.id RETURNING coalesce(before.seconds, 0) AS seconds""",
        {"now": now, "page": page_id},
    )
    row = await cursor.fetchone()
    return row["seconds"] if row else None


_LEG_BEFORE = {Receipt.RECEIVED: "handed_over_at", Receipt.SHOWN: "coalesce(received_at, handed_over_at)"}


async def move(
    connection: Connection, page_id: int, state: PageState, reason: str | None = None, ended_at: datetime | None = None
) -> None:
    """A locked page goes further: it is not to be sent any more."""
    await connection.execute(
        """UPDATE page SET state = %s, due_at = NULL, leased_by = NULL, reason = coalesce(%s, reason),
                  ended_at = coalesce(%s, ended_at) WHERE id = %s""",
        (state, reason, ended_at, page_id),
    )


# The chain ------------------------------------------------------------------------------------------------------------

_OTHERS = """WITH chosen AS (
    SELECT p.id, p.due_at, min(p.due_at) OVER () AS next_at, p.tries > 0 AND {is_last} AS left_us
    FROM page p JOIN contact c ON c.id = p.contact_id AND c.channel <> 'in_app'
    WHERE p.alert_id = %(alert)s AND p.person_id = %(person)s AND p.attempt {attempts} %(attempt)s AND p.state = 'queued'
    {more})"""


async def end_chain(connection: Connection, page: HeardPage, now: datetime) -> None:
    """Its person is reached: what waits for them in this attempt, and in earlier ones, is not needed. What waits for another try
    may have got there, and is taken back."""
    await connection.execute(
        _OTHERS.format(attempts="<=", more="", is_last=IS_LAST)
        + """UPDATE page SET state = 'withdrawn', due_at = NULL, ended_at = %(now)s,
                    recall_at = CASE WHEN left_us THEN %(now)s ELSE recall_at END,
                    recall_tries = CASE WHEN left_us THEN 0 ELSE recall_tries END,
                    hidden_until = CASE WHEN left_us THEN '-infinity' ELSE hidden_until END
             FROM chosen WHERE page.id = chosen.id AND page.state = 'queued'""",
        {"alert": page.alert_id, "person": page.person_id, "attempt": page.attempt, "now": now},
    )


async def pull_chain(connection: Connection, alert_id: int, person_id: int, attempt: int, now: datetime) -> bool:
    """The next contact of a person at once, and those behind it as much sooner. Whether there is one."""
    cursor = await connection.execute(
        _OTHERS.format(attempts="=", more="AND p.due_at > %(now)s", is_last=IS_LAST)
        + """UPDATE page SET due_at = page.due_at - (next_at - %(now)s) FROM chosen
             WHERE page.id = chosen.id AND page.state = 'queued'""",
        {"alert": alert_id, "person": person_id, "attempt": attempt, "now": now},
    )
    return cursor.rowcount > 0


# Answers --------------------------------------------------------------------------------------------------------------


async def answered(connection: Connection, alert_id: int, person_id: int, now: datetime) -> bool:
    """A person has answered the alert: whatever has left for them is answered, what waits is not needed. Whether some of it
    is to be taken from phones."""
    cursor = await connection.execute(
        """WITH chosen AS (
               SELECT p.id, p.state = 'queued' AS waits,
                      c.channel <> 'in_app' AND (p.state <> 'queued' OR p.tries > 0) AS left_us
               FROM page p JOIN contact c ON c.id = p.contact_id
               WHERE p.alert_id = %(alert)s AND p.person_id = %(person)s
                 AND p.state NOT IN ('answered', 'failed', 'withdrawn')
               ORDER BY p.id FOR UPDATE OF p)
           UPDATE page SET state = CASE WHEN waits THEN 'withdrawn' ELSE 'answered' END, due_at = NULL, leased_by = NULL,
                  answered_at = CASE WHEN waits THEN answered_at ELSE %(now)s END,
                  ended_at = CASE WHEN waits THEN %(now)s ELSE ended_at END,
                  recall_at = CASE WHEN left_us THEN %(now)s ELSE recall_at END,
                  recall_tries = CASE WHEN left_us THEN 0 ELSE recall_tries END,
                  hidden_until = CASE WHEN left_us THEN '-infinity' ELSE hidden_until END
           FROM chosen WHERE page.id = chosen.id RETURNING left_us""",
        {"alert": alert_id, "person": person_id, "now": now},
    )
    return any(row["left_us"] for row in await cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Taken:
    """How long a leg of a page took, by what metrics are labelled with."""

    severity: int
    channel: str
    seconds: float


async def just_answered(connection: Connection, alert_id: int, person_id: int, now: datetime) -> list[Taken]:
    """Their pages that were answered at this moment, each since it was shown, or as much as is known of it before."""
    cursor = connection.cursor(row_factory=class_row(Taken))
    await cursor.execute(
        """SELECT p.severity, c.channel, extract(epoch FROM p.answered_at
                  - coalesce(p.shown_at, p.received_at, p.handed_over_at, p.created_at))::float AS seconds
           FROM page p JOIN contact c ON c.id = p.contact_id
           WHERE p.alert_id = %s AND p.person_id = %s AND p.answered_at = %s""",
        (alert_id, person_id, now),
    )
    return await cursor.fetchall()


async def answered_by(connection: Connection, page_id: int) -> None:
    """It was this page that was answered: the phone knows already."""
    await connection.execute("UPDATE page SET recall_at = NULL WHERE id = %s", (page_id,))


async def shown_in_app(connection: Connection, person_id: int, alerts: Sequence[int], now: datetime) -> list[Taken]:
    """Somebody looks at these alerts: their pages in the app are shown. One that another transaction has is left to the next look.
    Those that are shown now, each since it was handed over."""
    cursor = connection.cursor(row_factory=class_row(Taken))
    await cursor.execute(
        """WITH chosen AS (
               SELECT p.id, p.severity, c.channel,
                      extract(epoch FROM %(now)s - coalesce(p.handed_over_at, p.created_at))::float AS seconds
               FROM page p JOIN contact c ON c.id = p.contact_id AND c.channel = 'in_app'
               WHERE p.person_id = %(person)s AND p.alert_id = ANY(%(alerts)s) AND p.shown_at IS NULL
                 AND p.state IN ('queued', 'leased', 'handed_over', 'received')
               FOR UPDATE OF p SKIP LOCKED)
           UPDATE page SET state = 'shown', shown_at = %(now)s, due_at = NULL, leased_by = NULL,
                  handed_over_at = coalesce(handed_over_at, %(now)s)
           FROM chosen WHERE page.id = chosen.id RETURNING chosen.severity, chosen.channel, chosen.seconds""",
        {"person": person_id, "alerts": list(alerts), "now": now},
    )
    return await cursor.fetchall()


# Contacts -------------------------------------------------------------------------------------------------------------


async def break_contact(connection: Connection, contact_id: int, reason: str, now: datetime) -> bool:
    """Mark a contact as useless, so that no step counts on it. False where it is marked already."""
    cursor = await connection.execute(
        "UPDATE contact SET broken_reason = %s, broken_at = %s WHERE id = %s AND broken_reason IS NULL",
        (reason, now, contact_id),
    )
    return cursor.rowcount == 1


async def mend_contact(connection: Connection, contact_id: int) -> bool:
    """It works again. False where it was not broken."""
    cursor = await connection.execute(
        "UPDATE contact SET broken_reason = NULL, broken_at = NULL WHERE id = %s AND broken_reason IS NOT NULL",
        (contact_id,),
    )
    return cursor.rowcount == 1


async def zone_of(connection: Connection, person_id: int, now: datetime) -> int | None:
    """The zone whose leads care for somebody: where they serve, else where they have any role."""
    cursor = await connection.execute(
        """SELECT zone_id FROM assignment WHERE person_id = %s AND during @> %s::timestamptz
           ORDER BY role NOT IN ('responder', 'technical'), id LIMIT 1""",
        (person_id, now),
    )
    row = await cursor.fetchone()
    return row["zone_id"] if row else None
