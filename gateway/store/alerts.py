"""Alerts and their timelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.alert import Action, Alert, Cause, DueFor, Stage
from alerts.model import Entry, Raise, Severity
from alerts.policy import StoredPolicy
from alerts.stored import as_stored
from devices.model import DeviceAddress
from gateway.store.columns import texts
from gateway.store.db import Asked, Connection, as_json, new_uid
from gateway.store.policies import policy_of
from gateway.store.sites import Site

FOLLOWS_WITHIN = timedelta(hours=24)
"""How long after an alert was closed a new one of its key follows it."""


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as escalation sees it, with its identity and its zone."""

    id: int
    uid: UUID
    zone_id: int
    track: str
    alert: Alert


DUE_FOR = "CASE WHEN due_for = 'stage' THEN coalesce(due_as, due_for) ELSE due_for END"
"""What an alert is due for; ``due_as`` counts for nothing where a release that does not know it has moved the alert on."""
_AS_STAGE = frozenset({DueFor.KEEP, DueFor.PAUSE})
"""What is stored as the limit of a stage, which it is to a release that does not know it (``due_as``)."""

_STATE = f"""id, uid, zone_id, track, policy, policy_version_id, severity, stage, due_at, {DUE_FOR} AS due_for, version, attempt,
             step, holder_id, offered_to_id, before_closing, cause, action, cause_code, action_code, exhausted_at, closed_at"""


async def lock_open(connection: Connection, keys: Sequence[str]) -> dict[str, StoredAlert]:
    """The open alerts with these keys, locked in key order."""
    return await (await open_asked(connection, keys)).told()


async def open_asked(connection: Connection, keys: Sequence[str]) -> Asked[dict[str, StoredAlert]]:
    """Ask for them."""
    answer = await connection.execute(
        f"SELECT key, {_STATE} FROM alert WHERE key = ANY(%b) AND closed_at IS NULL ORDER BY key FOR UPDATE",
        (texts(sorted(set(keys))),),
    )
    return Asked(answer, lambda rows: {row["key"]: _stored(row) for row in rows})


async def open_about_devices(connection: Connection, site: Site, condition: str) -> dict[DeviceAddress, str]:
    """The devices of a site of which an alert of this condition is open, and their kinds."""
    cursor = await connection.execute(
        """SELECT d.ecosystem, d.address, d.kind FROM alert a JOIN device d ON d.id = a.device_id
           WHERE d.site_id = %s AND a.condition = %s AND a.closed_at IS NULL""",
        (site.id, condition),
    )
    return {DeviceAddress(site.name, row["ecosystem"], row["address"]): row["kind"] for row in await cursor.fetchall()}


async def lock_all(connection: Connection, ids: Sequence[int], keys: Sequence[str]) -> dict[int, StoredAlert]:
    """These alerts, open or not, and the open ones with these keys, all locked in key order; by inner id."""
    cursor = await connection.execute(
        f"""SELECT key, {_STATE} FROM alert WHERE id = ANY(%s) OR (key = ANY(%s) AND closed_at IS NULL)
            ORDER BY key, id FOR UPDATE""",
        (list(ids), sorted(set(keys))),
    )
    return {row["id"]: _stored(row) for row in await cursor.fetchall()}


async def lock_due(connection: Connection, now: datetime, limit: int) -> list[StoredAlert]:
    """Alerts that are due, severest first, then oldest; those that another process has are left to it."""
    cursor = await connection.execute(
        f"""SELECT {_STATE} FROM alert WHERE due_at <= %s
            ORDER BY severity DESC, due_at LIMIT %s FOR UPDATE SKIP LOCKED""",
        (now, limit),
    )
    return [_stored(row) for row in await cursor.fetchall()]


async def lock(connection: Connection, uid: UUID) -> StoredAlert | None:
    """One alert, locked."""
    cursor = await connection.execute(f"SELECT {_STATE} FROM alert WHERE uid = %s FOR UPDATE", (uid,))
    row = await cursor.fetchone()
    return _stored(row) if row else None


async def find(connection: Connection, uid: UUID) -> StoredAlert | None:
    """One alert, to look at."""
    cursor = await connection.execute(f"SELECT {_STATE} FROM alert WHERE uid = %s", (uid,))
    row = await cursor.fetchone()
    return _stored(row) if row else None


async def lock_id(connection: Connection, alert_id: int) -> StoredAlert | None:
    """One alert by its inner id, locked."""
    cursor = await connection.execute(f"SELECT {_STATE} FROM alert WHERE id = %s FOR UPDATE", (alert_id,))
    row = await cursor.fetchone()
    return _stored(row) if row else None


async def add(connection: Connection, raised: Raise, policy: StoredPolicy, alert: Alert, now: datetime) -> StoredAlert:
    """A new alert, raised when word of it was received; it follows the one of its key that was closed last, if that was within a
    day. UniqueViolation (and a retry) when another process has just opened one with the same key."""
    uid, subject = new_uid(), raised.subject
    cursor = await connection.execute(
        """INSERT INTO alert (uid, key, condition, vkp_code, severity, track, rule_id, site_id, zone_id, device_id,
                              installation_id, dwelling_id, resident_id, occurred_at, raised_at, late_seconds, policy_version_id,
                              policy, stage, due_at, due_for, version, attempt, notice, follows_id)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                   (SELECT id FROM alert WHERE key = %s AND closed_at >= %s ORDER BY closed_at DESC, id DESC LIMIT 1))
           RETURNING id""",
        (
            uid,
            raised.key,
            raised.condition,
            raised.vkp_code,
            int(raised.severity),
            raised.track,
            raised.rule_id,
            subject.site_id,
            subject.zone_id,
            subject.device_id,
            subject.installation_id,
            subject.dwelling_id,
            subject.resident_id,
            raised.evidence.occurred_at,
            raised.evidence.received_at,
            raised.evidence.late_seconds,
            policy.version_id,
            as_json(as_stored(policy.policy)),
            alert.stage,
            now,
            DueFor.STEP,
            alert.version,
            alert.attempt,
            raised.notice is not None,
            raised.key,
            raised.evidence.received_at - FOLLOWS_WITHIN,
        ),
    )
    row = await cursor.fetchone()
    return StoredAlert(row["id"] if row else 0, uid, subject.zone_id, raised.track, alert)


async def save(connection: Connection, alert_id: int, alert: Alert) -> None:
    """Store where a locked alert stands."""
    await connection.execute(
        """UPDATE alert SET severity = %s, stage = %s, due_at = %s, due_for = %s, version = %s, attempt = %s, step = %s,
                  holder_id = %s, offered_to_id = %s, before_closing = %s, cause = %s, action = %s, exhausted_at = %s,
                  closed_at = %s, due_as = %s, cause_code = %s, action_code = %s
           WHERE id = %s""",
        (
            int(alert.severity),
            alert.stage,
            alert.due_at,
            DueFor.STAGE if alert.due_for in _AS_STAGE else alert.due_for,
            alert.version,
            alert.attempt,
            alert.step,
            alert.holder,
            alert.offered_to,
            alert.before_closing,
            alert.cause,
            alert.action,
            alert.exhausted_at,
            alert.closed_at,
            alert.due_for if alert.due_for in _AS_STAGE else None,
            alert.cause_code,
            alert.action_code,
            alert_id,
        ),
    )


async def add_entries(
    connection: Connection, alert_id: int, entries: Sequence[Entry], now: datetime, given_at: datetime | None = None
) -> None:
    """Append to the timeline of a locked alert. ``given_at``: when a person gave an answer that came later."""
    for entry in entries:
        await connection.execute(
            """INSERT INTO alert_entry (alert_id, seq, at, given_at, code, params, actor_id)
               SELECT %(alert)s, coalesce(max(seq), 0) + 1, %(at)s, %(given)s, %(code)s, %(params)s, %(actor)s
               FROM alert_entry WHERE alert_id = %(alert)s""",
            {
                "alert": alert_id,
                "at": now,
                "given": given_at,
                "code": entry.code,
                "params": as_json(dict(entry.params)),
                "actor": entry.actor_id,
            },
        )


async def add_note(connection: Connection, alert_id: int, code: str, by: int, note: str) -> None:
    """What somebody wrote beside their newest entry of this code: free text, and in no timeline."""
    await connection.execute(
        """INSERT INTO alert_note (alert_id, seq, note)
           SELECT alert_id, seq, %s FROM alert_entry WHERE alert_id = %s AND code = %s AND actor_id = %s
           ORDER BY seq DESC LIMIT 1""",
        (note, alert_id, code, by),
    )


async def unanswered(connection: Connection, now: datetime) -> dict[str, Any]:
    """How escalation stands: open alerts, care alerts that nobody answers, and the oldest overdue ``due_at``. Nobody waits for
    help behind a notice: one that nobody closes is no care alert without an answer. The canary is nobody."""
    cursor = await connection.execute(
        """SELECT count(*) FILTER (WHERE of_people) AS open,
                  count(*) FILTER (WHERE exhausted_at IS NOT NULL AND track = 'care' AND NOT notice AND of_people)
                      AS exhausted,
                  count(*) FILTER (WHERE exhausted_at IS NOT NULL AND track = 'technical' AND of_people)
                      AS exhausted_technical,
                  min(due_at) FILTER (WHERE due_at <= %s) AS oldest_overdue
           FROM (SELECT a.*, z.kind <> 'canary' AS of_people FROM alert a JOIN zone z ON z.id = a.zone_id
                 WHERE a.closed_at IS NULL) a""",
        (now,),
    )
    row = await cursor.fetchone()
    return row or {}


def _stored(row: Mapping[str, Any]) -> StoredAlert:
    return StoredAlert(row["id"], row["uid"], row["zone_id"], row["track"], _alert(row))


def _alert(row: Mapping[str, Any]) -> Alert:
    return Alert(
        policy=policy_of(row["policy"], row["policy_version_id"]),
        severity=Severity(row["severity"]),
        stage=Stage(row["stage"]),
        due_at=row["due_at"],
        due_for=DueFor(row["due_for"]) if row["due_for"] else None,
        version=row["version"],
        attempt=row["attempt"],
        step=row["step"],
        holder=row["holder_id"],
        offered_to=row["offered_to_id"],
        before_closing=Stage(row["before_closing"]) if row["before_closing"] else None,
        cause=Cause(row["cause"]) if row["cause"] else None,
        action=Action(row["action"]) if row["action"] else None,
        cause_code=row["cause_code"],
        action_code=row["action_code"],
        exhausted_at=row["exhausted_at"],
        closed_at=row["closed_at"],
    )
