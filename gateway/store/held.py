"""What silences have held back, and signs of life in the homes of residents who are away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.model import Evidence, Raise, Severity, Subject, Track
from gateway.store.columns import bigints, texts
from gateway.store.db import Asked, Connection, as_json
from gateway.store.views import Sight


async def hold(connection: Connection, silence_id: int, raised: Raise, now: datetime) -> int | None:
    """Hold something back: one more of what is held back already, or something new; then its id."""
    subject = raised.subject
    cursor = await connection.execute(
        """INSERT INTO held_back AS h (silence_id, key, condition, vkp_code, severity, track, rule_id, site_id, zone_id,
                   device_id, installation_id, dwelling_id, resident_id, first_at, newest_at, times, evidence, devices)
           VALUES (%(silence)s, %(key)s, %(condition)s, %(code)s, %(severity)s, %(track)s, %(rule)s, %(site)s, %(zone)s,
                   %(device)s, %(installation)s, %(dwelling)s, %(resident)s, %(now)s, %(now)s, 1, %(evidence)s, %(devices)s)
           ON CONFLICT (silence_id, key) WHERE settled_at IS NULL DO UPDATE SET
               newest_at = excluded.newest_at, times = h.times + 1, severity = greatest(h.severity, excluded.severity),
               evidence = excluded.evidence,
               devices = ARRAY(SELECT DISTINCT unnest(h.devices || excluded.devices) ORDER BY 1)
           RETURNING id, times""",
        {
            "silence": silence_id,
            "key": raised.key,
            "condition": raised.condition,
            "code": raised.vkp_code,
            "severity": int(raised.severity),
            "track": raised.track,
            "rule": raised.rule_id,
            "site": subject.site_id,
            "zone": subject.zone_id,
            "device": subject.device_id,
            "installation": subject.installation_id,
            "dwelling": subject.dwelling_id,
            "resident": subject.resident_id,
            "now": now,
            "evidence": as_json(raised.evidence.as_json()),
            "devices": [subject.device_id] if subject.device_id is not None else [],
        },
    )
    row = await cursor.fetchone()
    return row["id"] if row and row["times"] == 1 else None


async def keys_held(connection: Connection, keys: Collection[str]) -> Asked[set[str]]:
    """Ask for those of these keys of which something is held back and goes on; whoever ends its silence waits, or has been
    waited for: then it is an alert by now."""
    answer = await connection.execute(
        """SELECT h.key FROM held_back h JOIN silence s ON s.id = h.silence_id
           WHERE h.key = ANY(%b) AND h.settled_at IS NULL ORDER BY s.id FOR SHARE OF s""",
        (texts(sorted(keys)),),
    )
    return Asked(answer, lambda rows: {row["key"] for row in rows})


async def device_says_over(
    connection: Connection, key: str, device_id: int | None, at: datetime, now: datetime
) -> None:
    """A device says that it is over, at a time: it is, once every device on whose word it rests has said so. An older word
    than the newest that was held back says nothing."""
    await connection.execute(
        """UPDATE held_back SET devices = array_remove(devices, %(device)s),
                  settled_at = CASE WHEN cardinality(array_remove(devices, %(device)s)) = 0 THEN %(now)s::timestamptz END,
                  outcome = CASE WHEN cardinality(array_remove(devices, %(device)s)) = 0 THEN 'over' END
           WHERE key = %(key)s AND settled_at IS NULL AND (evidence ->> 'occurred_at')::timestamptz <= %(at)s""",
        {"key": key, "device": device_id, "at": at, "now": now},
    )


async def over(connection: Connection, key: str, now: datetime) -> None:
    """What is held back of a key is over."""
    await connection.execute(
        "UPDATE held_back SET settled_at = %s, outcome = 'over' WHERE key = %s AND settled_at IS NULL", (now, key)
    )


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Something that is held back and not over, with the alert that it would have been. ``fitted``: whether its device is
    still fitted there."""

    id: int
    raise_: Raise
    first_at: datetime
    newest_at: datetime
    times: int
    fitted: bool


async def lock_open(connection: Connection, silence_id: int, now: datetime) -> list[dict[str, Any]]:
    """What a silence holds back and is not over, locked, in the order of keys; to be read each by itself."""
    cursor = await connection.execute(
        """SELECT h.*, coalesce(i.during @> %s::timestamptz, true) AS fitted
           FROM held_back h LEFT JOIN installation i ON i.id = h.installation_id
           WHERE h.silence_id = %s AND h.settled_at IS NULL ORDER BY h.key FOR UPDATE OF h""",
        (now, silence_id),
    )
    return await cursor.fetchall()


def read(row: Mapping[str, Any], now: datetime) -> HeldBack:
    """It is raised now, and not late: that it was held back is told apart."""
    evidence = replace(Evidence.from_json(row["evidence"]), received_at=now, device=None)
    ids = ("site_id", "zone_id", "device_id", "installation_id", "dwelling_id", "resident_id")
    raised = Raise(
        key=row["key"],
        condition=row["condition"],
        vkp_code=row["vkp_code"],
        severity=Severity(row["severity"]),
        track=Track(row["track"]),
        subject=Subject(**{name: row[name] for name in ids}),
        evidence=evidence,
        rule_id=row["rule_id"],
    )
    return HeldBack(row["id"], raised, row["first_at"], row["newest_at"], row["times"], row["fitted"])


async def try_again(connection: Connection, held_id: int, now: datetime) -> None:
    """It was to be raised and could not be: it is due, from the first time on."""
    await connection.execute("UPDATE held_back SET due_at = coalesce(due_at, %s) WHERE id = %s", (now, held_id))


async def settle(connection: Connection, held_id: int, outcome: str, alert_id: int | None, now: datetime) -> None:
    await connection.execute(
        "UPDATE held_back SET settled_at = %s, outcome = %s, alert_id = %s WHERE id = %s",
        (now, outcome, alert_id, held_id),
    )


async def settle_by_alert(connection: Connection, key: str, alert_id: int, now: datetime) -> list[dict[str, Any]]:
    """What is held back of a key is dealt with by an alert that was opened of the same; how often, and since when."""
    cursor = await connection.execute(
        """UPDATE held_back SET settled_at = %s, outcome = 'raised', alert_id = %s WHERE key = %s AND settled_at IS NULL
           RETURNING times, first_at""",
        (now, alert_id, key),
    )
    return await cursor.fetchall()


async def of_silence(connection: Connection, silence_id: int, sight: Sight, limit: int) -> list[dict[str, Any]]:
    """What a silence has held back, the newest first; what the reader would see if it had been raised."""
    cursor = await connection.execute(
        """SELECT h.silence_id, h.condition, h.vkp_code, h.severity, h.track, h.first_at, h.newest_at, h.times, h.outcome,
                  h.settled_at, h.evidence, d.uid AS device_uid, d.address AS device, d.kind AS device_kind,
                  t.uid AS resident_uid, t.name AS resident, z.name AS zone, a.uid AS alert_uid, h.resident_id
           FROM held_back h JOIN zone z ON z.id = h.zone_id LEFT JOIN device d ON d.id = h.device_id
           LEFT JOIN resident t ON t.id = h.resident_id LEFT JOIN alert a ON a.id = h.alert_id
           WHERE h.silence_id = %(silence)s
             AND h.zone_id = ANY(CASE h.track WHEN 'care' THEN %(care)s::bigint[] ELSE %(technical)s::bigint[] END)
           ORDER BY h.newest_at DESC, h.id DESC LIMIT %(limit)s""",
        sight.arguments(silence=silence_id, limit=limit),
    )
    return await cursor.fetchall()


# Signs of life ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Away:
    """A resident who is away, as somebody has said. ``alone``: nobody else lives there; ``told_at``: when a sign of life there
    was last raised."""

    id: int
    resident_id: int
    since: datetime
    until: datetime
    alone: bool
    told_at: datetime | None


async def away(connection: Connection, residents: Collection[int], now: datetime) -> Asked[list[Away]]:
    """Ask which of these residents are said to be away."""
    answer = await connection.execute(
        """SELECT s.id, s.resident_id, s.since, s.until, l.told_at,
                  NOT EXISTS (SELECT 1 FROM residency y JOIN residency o ON o.dwelling_id = y.dwelling_id
                              WHERE y.resident_id = s.resident_id AND o.resident_id <> y.resident_id
                                AND y.during @> %(now)s::timestamptz AND o.during @> %(now)s::timestamptz) AS alone
           FROM silence s LEFT JOIN sign_of_life l ON l.silence_id = s.id
           WHERE s.resident_id = ANY(%(residents)b) AND s.kind = 'away' AND s.ended_at IS NULL AND s.since <= %(now)s
           ORDER BY s.id""",
        {"residents": bigints(sorted(residents)), "now": now},
    )
    return Asked(answer, lambda rows: [Away(**row) for row in rows])


async def note_life(
    connection: Connection,
    silence_id: int,
    device_id: int,
    type_: str,
    at: datetime,
    times: int,
    told_at: datetime | None,
) -> None:
    """Somebody shows to be there: this many times more, the newest like this."""
    await connection.execute(
        """INSERT INTO sign_of_life AS l (silence_id, device_id, type, first_at, newest_at, times, told_at)
           VALUES (%(silence)s, %(device)s, %(type)s, %(at)s, %(at)s, %(times)s, %(told)s)
           ON CONFLICT (silence_id) DO UPDATE SET times = l.times + excluded.times,
               device_id = CASE WHEN excluded.newest_at >= l.newest_at THEN excluded.device_id ELSE l.device_id END,
               type = CASE WHEN excluded.newest_at >= l.newest_at THEN excluded.type ELSE l.type END,
               newest_at = greatest(l.newest_at, excluded.newest_at), told_at = coalesce(excluded.told_at, l.told_at)""",
        {"silence": silence_id, "device": device_id, "type": type_, "at": at, "times": times, "told": told_at},
    )
