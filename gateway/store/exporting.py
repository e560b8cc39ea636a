"""All that is stored of a resident, as rows for whoever asks for their own data. See :mod:`gateway.store.belonging`.

Left out is what is others': how to reach staff, other residents of a home, and how to get into a home where they do not live any
more. Who dealt with an alert is told by name. Much is read piece by piece, by a cursor of the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from gateway.store.aside import refuse
from gateway.store.belonging import (
    AS_STRETCHES,
    HELD_BACK,
    QUARANTINED,
    THEIR_ALERTS,
    THEIR_COMMANDS,
    Row,
    Scope,
    within,
)
from gateway.store.counted import ROLLUPS
from gateway.store.db import Connection

AT_ONCE = 2000
_PERIOD = "lower({0}.during) AS since, upper({0}.during) AS until"
_NAME = "(SELECT p.name FROM person p WHERE p.id = {})"
_ALERTS = f"AND a.id IN ({THEIR_ALERTS})"

PERSON = {
    "resident": "SELECT uid AS id, name, phone, born, notes FROM resident WHERE id = %(resident)s",
    "homes": f"""
        SELECT w.uid AS id, w.address, w.postal_code, w.city, z.name AS zone, {_PERIOD.format("y")},
               CASE WHEN y.during @> %(now)s::timestamptz THEN w.access END AS access,
               CASE WHEN y.during @> %(now)s::timestamptz THEN w.latitude END AS latitude,
               CASE WHEN y.during @> %(now)s::timestamptz THEN w.longitude END AS longitude
        FROM residency y JOIN dwelling w ON w.id = y.dwelling_id JOIN zone z ON z.id = w.zone_id
        WHERE y.resident_id = %(resident)s ORDER BY since""",
    "devices": f"""
        SELECT i.uid AS id, d.kind, n.name AS site, d.ecosystem, d.address, d.model, i.placed, w.address AS home, s.since, s.until,
               i.resident_id IS NOT NULL AS for_them
        FROM {AS_STRETCHES} JOIN installation i ON i.id = s.installation_id JOIN device d ON d.id = s.device_id
        JOIN site n ON n.id = d.site_id JOIN dwelling w ON w.id = i.dwelling_id ORDER BY s.since, d.id""",
    "doses": """
        SELECT x.uid AS id, d.address AS device, x.local_time, x.weekdays, x.from_date, x.to_date, x.grace_seconds
        FROM dose_schedule x JOIN installation i ON i.id = x.installation_id JOIN device d ON d.id = i.device_id
        WHERE x.installation_id = ANY(%(own)s) ORDER BY x.from_date, x.id""",
    "rules": f"""
        SELECT r.uid AS id, r.kind, r.name, v.version, v.spec, v.withdrawn, v.created_at, {_NAME.format("v.created_by")} AS created_by
        FROM rule r JOIN rule_version v ON v.rule_id = r.id
        WHERE r.resident_id = %(resident)s OR r.installation_id = ANY(%(own)s) ORDER BY r.id, v.version""",
    "silences": f"""
        SELECT x.uid AS id, x.kind, d.address AS device, x.condition, x.track, x.reason, x.note, {_NAME.format("x.owner_id")} AS owner,
               x.since, x.until, x.ended_at, x.ended_why
        FROM silence x LEFT JOIN device d ON d.id = x.device_id
        WHERE x.resident_id = %(resident)s OR x.installation_id = ANY(%(own)s) ORDER BY x.id""",
    "policies": f"""
        SELECT p.uid AS id, p.name, v.version, v.spec, v.withdrawn, v.created_at, {_NAME.format("v.created_by")} AS created_by
        FROM policy p JOIN policy_version v ON v.policy_id = p.id
        WHERE p.resident_id = %(resident)s ORDER BY p.id, v.version""",
}
"""The parts of ``person.json``: each a query."""

LISTS = {
    "positions.csv": f"""
        SELECT d.address AS device, p.occurred_at, p.received_at, p.latitude, p.longitude, p.accuracy_m, p.source
        FROM position p JOIN device d ON d.id = p.device_id
        WHERE p.installation_id = ANY(%(own)s) OR EXISTS (
            SELECT 1 FROM {AS_STRETCHES} WHERE s.device_id = p.device_id AND {within("p.occurred_at", "s")}
              AND (p.installation_id IS NULL OR p.installation_id = s.installation_id))
        ORDER BY p.occurred_at, p.id""",
    "quarantine.csv": f"""
        SELECT q.received_at, q.topic, q.reason, q.detail, q.state, q.decoded_at, encode(q.raw, 'base64') AS message_base64
        FROM quarantine q WHERE {QUARANTINED} ORDER BY q.id""",
    "alerts.jsonl": f"""
        SELECT a.uid AS id, a.condition, a.vkp_code, a.severity, a.track, a.occurred_at, a.raised_at, a.late_seconds, a.stage,
               a.cause, a.cause_code, a.action, a.action_code, a.closed_at,
               (SELECT f.uid FROM alert f WHERE f.id = a.follows_id) AS follows, d.address AS device, w.address AS home, {_NAME.format("a.holder_id")} AS holder,
               (SELECT coalesce(jsonb_agg(jsonb_build_object('at', e.at, 'given_at', e.given_at, 'code', e.code,
                       'by', {_NAME.format("e.actor_id")}, 'said', e.params - '{{persons,to,from,holder}}'::text[],
                       'note', n.note) ORDER BY e.seq), '[]')
                FROM alert_entry e LEFT JOIN alert_note n ON n.alert_id = e.alert_id AND n.seq = e.seq
                WHERE e.alert_id = a.id) AS timeline,
               (SELECT coalesce(jsonb_agg(jsonb_build_object('at', g.created_at, 'handed_over_at', g.handed_over_at,
                       'received_at', g.received_at, 'shown_at', g.shown_at, 'answered_at', g.answered_at,
                       'state', g.state, 'to', {_NAME.format("g.person_id")}, 'channel', c.channel) ORDER BY g.id), '[]')
                FROM page g JOIN contact c ON c.id = g.contact_id WHERE g.alert_id = a.id) AS pages
        FROM alert a LEFT JOIN device d ON d.id = a.device_id LEFT JOIN dwelling w ON w.id = a.dwelling_id
        WHERE true {_ALERTS} ORDER BY a.id""",
    "held-back.csv": f"""
        SELECT x.first_at, x.newest_at, x.times, d.address AS device, x.condition, x.severity, x.track, x.evidence, x.settled_at,
               x.outcome
        FROM held_back x LEFT JOIN device d ON d.id = x.device_id WHERE {HELD_BACK} ORDER BY x.id""",
    "commands.csv": f"""
        SELECT c.uid AS id, d.address AS device, c.name, c.reason, {_NAME.format("c.requested_by_id")} AS requested_by,
               c.requested_at, c.valid_until, c.state, c.sent_at, c.settled_at, c.outcome
        FROM command c JOIN device d ON d.id = c.device_id WHERE {THEIR_COMMANDS} ORDER BY c.id""",
}
"""The other files: each a query whose columns are the file's."""

OBSERVATIONS = """
    SELECT o.received_at, o.occurred_at, d.kind, d.address AS device, o.message_class, o.type, o.message_id, o.flags, o.fields,
           r.raw AS message
    FROM said o JOIN device d ON d.id = o.device_id
    LEFT JOIN raw_message r ON r.device_id = %(device)s AND r.received_at = o.received_at AND r.id = o.id
    WHERE o.device_id = %(device)s AND o.received_at >= %(from)s AND o.received_at < %(to)s
      AND (o.installation_id = %(installation)s OR o.installation_id IS NULL)
      AND (%(own)s AND o.installation_id = %(installation)s
           OR o.occurred_at >= coalesce(%(since)s::timestamptz, '-infinity')
              AND o.occurred_at < coalesce(%(until)s::timestamptz, 'infinity'))
    ORDER BY o.received_at, o.id"""


async def begin(connection: Connection) -> None:
    """All that is read is of one moment, and may last. HalfWay while rows are in two places (gateway/store/aside.py)."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    await refuse(connection)
    await connection.execute(
        "SET LOCAL statement_timeout = '10min'; SET LOCAL idle_in_transaction_session_timeout = '10min'"
    )


async def arguments(connection: Connection, scope: Scope, now: datetime) -> dict[str, Any]:
    """For every query here."""
    cursor = await connection.execute(f"{THEIR_ALERTS} ORDER BY a.id", scope.arguments)
    return {**scope.arguments, "now": now, "alerts": [row["id"] for row in await cursor.fetchall()]}


async def part(connection: Connection, name: str, given: dict[str, Any]) -> list[Row]:
    """A part of ``person.json``."""
    return await (await connection.execute(PERSON[name], given)).fetchall()


async def rows(connection: Connection, query: str, given: dict[str, Any]) -> AsyncIterator[Row]:
    """Piece by piece."""
    async with connection.cursor(name=f"export_{uuid4().hex}") as cursor:
        cursor.itersize = AT_ONCE
        await cursor.execute(query.encode(), given)
        async for row in cursor:
            yield row


async def counted(connection: Connection, scope: Scope) -> AsyncIterator[Row]:
    """What was counted per hour and per day, which is kept for longer than what was said."""
    for each in (each for each in ROLLUPS if each.personal):
        values = ", ".join(f"'{name}', r.{name}" for name in each.values)
        told = "'kind', r.kind, 'type', r.type, " if "type" in each.key else ""
        for stretch in scope.stretches:
            async for row in rows(
                connection,
                f"""SELECT '{each.name}' AS of, r.bucket, d.kind, d.address AS device,
                           jsonb_build_object({told}{values}) AS counted
                    FROM {each.name} r JOIN installation i ON i.id = r.installation_id JOIN device d ON d.id = i.device_id
                    WHERE r.installation_id = %(installation)s AND (%(own)s
                        OR r.bucket >= coalesce(%(since)s::timestamptz, '-infinity')
                           AND r.bucket < coalesce(%(until)s::timestamptz, 'infinity'))
                    ORDER BY r.bucket, counted""",
                {
                    "installation": stretch.installation_id,
                    "own": stretch.own,
                    "since": stretch.since,
                    "until": stretch.until,
                },
            ):
                yield row
