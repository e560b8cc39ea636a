"""What a trial looks at: how alerts, pages, timeline, audit and observations stand. For trials only; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from gateway.store.db import Connection


@dataclass(frozen=True, slots=True)
class Called:
    """A page that was handed over, as whoever got it sees it."""

    id: int
    attempt: int
    person_id: int
    username: str
    handed_over_at: datetime
    alert_id: int
    alert: UUID
    condition: str
    severity: int
    track: str
    raised_at: datetime
    device: str | None
    home: str | None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert. ``device``: its address; ``home``: the dwelling's id, as simulated homes are named."""

    id: int
    condition: str
    vkp_code: str | None
    severity: int
    track: str
    device: str | None
    home: str | None
    occurred_at: datetime
    raised_at: datetime
    late_seconds: int
    stage: str
    due_at: datetime | None
    closed_at: datetime | None
    cause: str | None
    policy: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A line of a timeline; ``evidence``: what it is about, where it has any."""

    alert_id: int
    seq: int
    at: datetime
    code: str
    evidence: dict[str, Any] | None
    actor_id: int | None


@dataclass(frozen=True, slots=True)
class PageRow:
    """A page, with the channel of its contact."""

    alert_id: int
    attempt: int
    contact_id: int
    channel: str
    state: str
    created_at: datetime
    handed_over_at: datetime | None


async def called(connection: Connection, after: int) -> list[Called]:
    """Pages handed over since, by id."""
    cursor = connection.cursor(row_factory=class_row(Called))
    await cursor.execute(
        """SELECT p.id, p.attempt, p.person_id, n.username, p.handed_over_at, a.id AS alert_id, a.uid AS alert,
                  a.condition, a.severity, a.track, a.raised_at, d.address AS device, a.dwelling_id::text AS home
           FROM page p JOIN person n ON n.id = p.person_id JOIN alert a ON a.id = p.alert_id
           LEFT JOIN device d ON d.id = a.device_id
           WHERE p.id > %s AND p.handed_over_at IS NOT NULL ORDER BY p.id""",
        (after,),
    )
    return await cursor.fetchall()


async def alerts(connection: Connection) -> list[AlertRow]:
    cursor = connection.cursor(row_factory=class_row(AlertRow))
    await cursor.execute(
        """SELECT a.id, a.condition, a.vkp_code, a.severity, a.track, d.address AS device, a.dwelling_id::text AS home,
                  a.occurred_at, a.raised_at, a.late_seconds, a.stage, a.due_at, a.closed_at, a.cause, a.policy
           FROM alert a LEFT JOIN device d ON d.id = a.device_id ORDER BY a.id"""
    )
    return await cursor.fetchall()


async def entries(connection: Connection) -> list[EntryRow]:
    cursor = connection.cursor(row_factory=class_row(EntryRow))
    await cursor.execute(
        """SELECT alert_id, seq, at, code, params -> 'evidence' AS evidence, actor_id FROM alert_entry
           ORDER BY alert_id, seq"""
    )
    return await cursor.fetchall()


async def pages(connection: Connection) -> list[PageRow]:
    cursor = connection.cursor(row_factory=class_row(PageRow))
    await cursor.execute(
        """SELECT p.alert_id, p.attempt, p.contact_id, c.channel, p.state, p.created_at, p.handed_over_at
           FROM page p JOIN contact c ON c.id = p.contact_id ORDER BY p.id"""
    )
    return await cursor.fetchall()


async def stored(connection: Connection) -> dict[tuple[str, str], int]:
    """How often each message is stored, by address and message id."""
    cursor = await connection.execute(
        """SELECT d.address, o.message_id, count(*) AS n FROM said o JOIN device d ON d.id = o.device_id
           WHERE o.message_id IS NOT NULL GROUP BY d.address, o.message_id"""
    )
    return {(row["address"], row["message_id"]): row["n"] for row in await cursor.fetchall()}


async def quarantined(connection: Connection) -> list[tuple[str, bytes, str]]:
    """Topic, bytes and reason of everything in quarantine."""
    cursor = await connection.execute("SELECT topic, raw, reason FROM quarantine ORDER BY id")
    return [(row["topic"], row["raw"], row["reason"]) for row in await cursor.fetchall()]


async def late(connection: Connection, seconds: float) -> int:
    """Observations that came so much later than they happened."""
    cursor = await connection.execute(
        "SELECT count(*) AS n FROM said WHERE received_at - occurred_at > make_interval(secs => %s)", (seconds,)
    )
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0


@dataclass(frozen=True, slots=True)
class Print:
    """What the audit and the timelines amount to, as far as ``audit_id``: the same for ever, where they are append-only."""

    audit_id: int
    audit: str
    until: datetime
    timeline: str


async def fingerprint(connection: Connection, until: datetime, audit_id: int | None = None) -> Print:
    """Of the audit as far as this line (None: all that there is), and of the timelines as far as this time."""
    cursor = await connection.execute(
        """SELECT coalesce(max(id), 0) AS last, md5(coalesce(string_agg(a::text, '|' ORDER BY id), '')) AS audit,
                  (SELECT md5(coalesce(string_agg(e::text, '|' ORDER BY alert_id, seq), ''))
                   FROM alert_entry e WHERE e.at <= %(until)s) AS timeline
           FROM audit a WHERE %(last)s::bigint IS NULL OR id <= %(last)s""",
        {"until": until, "last": audit_id},
    )
    row = await cursor.fetchone()
    return Print(row["last"], row["audit"], until, row["timeline"]) if row else Print(0, "", until, "")


async def out_of_order(connection: Connection) -> int:
    """Lines of the audit that are older than the one before them."""
    cursor = await connection.execute(
        "SELECT count(*) AS n FROM (SELECT at, lag(at) OVER (ORDER BY id) AS before FROM audit) a WHERE at < before"
    )
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0


async def can_be_changed(connection: Connection) -> list[str]:
    """Of audit and timeline those that would let somebody change what is written: nothing is, in any case."""
    found = []
    for table in ("audit", "alert_entry"):
        try:
            async with connection.transaction(force_rollback=True):
                await connection.execute(f"UPDATE {table} SET at = at WHERE false")
        except psycopg.errors.RaiseException:
            continue
        found.append(table)
    return found
