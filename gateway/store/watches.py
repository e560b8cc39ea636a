"""Watches and dose schedules: what we wait for, and when the next wait begins."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import args_row
from pydantic_core import from_json

from alerts.model import Subject, Watch, WatchState
from alerts.schedule import DosePlan
from gateway.store.columns import bigints, jsons, names, texts, times
from gateway.store.db import Asked, Connection, json_bytes
from gateway.store.devices import LIVES_ALONE
from gateway.store.versions import RULEBOOK, Version

_COLUMNS = """key, rule_id, site_id, zone_id, device_id, installation_id, dwelling_id, resident_id, since, due_at, state,
              facts"""
_NAMES = tuple(name.strip() for name in _COLUMNS.split(","))
_READ = (*_NAMES[:-1], "facts::text AS facts")
"""As ``_watch_of`` takes them: psycopg's own way from jsonb to values costs a third more."""
_STATES = {each.value: each for each in WatchState}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A dose schedule, and how far ahead its doses have watches. ``fitted_since``: no dose before is of this fitting."""

    id: int
    subject: Subject
    kind: str
    plan: DosePlan
    grace_seconds: int | None
    watched_until: datetime
    fitted_since: datetime | None


@dataclass(frozen=True, slots=True)
class Wish:
    """Which watches a batch may concern: by key, also settled ones; by key, outstanding ones; the dose watches of devices,
    outstanding or about a time after ``doses_since``; and the outstanding ones of compound rules in homes."""

    keys: Collection[str]
    outstanding: Collection[str]
    dosing: Collection[int]
    doses_since: datetime
    listening: Collection[int]

    @property
    def anything(self) -> bool:
        return bool(self.keys or self.outstanding or self.dosing or self.listening)


async def wanted(connection: Connection, wish: Wish) -> Asked[list[Watch]]:
    """Ask for watches, locked in the order of their keys."""
    cursor = connection.cursor(row_factory=args_row(_watch_of))
    await cursor.execute(
        f"""SELECT {", ".join(_READ)} FROM watch
            WHERE key = ANY(%(keys)b)
               OR (key = ANY(%(outstanding)b) AND (due_at IS NOT NULL OR state = 'raised'))
               OR (device_id = ANY(%(dosing)b) AND (due_at IS NOT NULL OR since > %(since)s) AND key LIKE 'dose:%%')
               OR (dwelling_id = ANY(%(listening)b) AND (due_at IS NOT NULL OR state = 'raised')
                   AND key LIKE 'compound:%%')
            ORDER BY key FOR UPDATE""",
        {
            "keys": texts(list(wish.keys)),
            "outstanding": texts(list(wish.outstanding)),
            "dosing": bigints(list(wish.dosing)),
            "since": wish.doses_since,
            "listening": bigints(list(wish.listening)),
        },
    )
    return Asked(cursor, list)


@dataclass(frozen=True, slots=True)
class Due:
    """A due watch, with how far its site has been heard, and whether its fitting had ended before what it is about."""

    watch: Watch
    heard_until: datetime
    resumed_at: datetime | None
    deaf_seconds: float
    fitting_ended: bool


async def due(connection: Connection, now: datetime, limit: int) -> list[Due]:
    """Watches that are due and that their site was heard up to, locked in key order.

    A watch that another process is judging is left to it.
    """
    cursor = await connection.execute(
        f"""WITH hearing AS (
                SELECT site_id, min(heard_until) AS heard_until, max(resumed_at) AS resumed_at,
                       max(deaf_seconds) AS deaf_seconds
                FROM site_lane GROUP BY site_id HAVING count(heard_until) = 2)
            SELECT {", ".join("w." + name for name in _READ)}, h.heard_until, h.resumed_at,
                   h.deaf_seconds,
                   coalesce(upper(i.during) <= CASE WHEN w.key LIKE 'dose:%%' THEN w.since ELSE w.due_at END, false)
                       AS fitting_ended
            FROM watch w JOIN hearing h USING (site_id) LEFT JOIN installation i ON i.id = w.installation_id
            WHERE w.due_at <= %s AND w.due_at <= h.heard_until
            ORDER BY w.key LIMIT %s FOR UPDATE OF w SKIP LOCKED""",
        (now, limit),
    )
    return [
        Due(_watch(row), row["heard_until"], row["resumed_at"], row["deaf_seconds"], row["fitting_ended"])
        for row in await cursor.fetchall()
    ]


async def save(connection: Connection, watches: Sequence[Watch]) -> None:
    """Store how locked watches stand."""
    newest = {watch.key: watch for watch in watches}
    ordered = [newest[key] for key in sorted(newest)]
    if not ordered:
        return
    await connection.execute(
        """UPDATE watch w SET rule_id = u.rule_id, since = u.since, due_at = u.due_at, state = u.state,
                  facts = u.facts::jsonb
           FROM unnest(%b::text[], %b::bigint[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[])
                AS u (key, rule_id, since, due_at, state, facts)
           WHERE w.key = u.key""",
        (
            texts([watch.key for watch in ordered]),
            bigints([watch.rule_id for watch in ordered]),
            times([watch.since for watch in ordered]),
            times([watch.due_at for watch in ordered]),
            names([watch.state for watch in ordered]),
            jsons([json_bytes(dict(watch.facts)) for watch in ordered]),
        ),
    )


async def add(connection: Connection, watches: Sequence[Watch]) -> None:
    """Store new watches. UniqueViolation where one is not new."""
    await _insert(connection, watches, "")


async def open_new(connection: Connection, watches: Sequence[Watch]) -> None:
    """Store watches whose keys are new; one that exists stays as it is, but for one that is settled and waits anew."""
    await _insert(
        connection,
        watches,
        """ON CONFLICT (key) DO UPDATE SET rule_id = excluded.rule_id, since = excluded.since, due_at = excluded.due_at,
           state = excluded.state, facts = excluded.facts
           WHERE watch.due_at IS NULL AND watch.since < excluded.since""",
    )


async def touch(connection: Connection, kind: str, name: str, now: datetime) -> int:
    """A rule of this kind and name was changed: what waits by it is judged anew at once, and moved on by the rule as it is
    now; what was raised and is not over, too: nobody may be left who would notice its end. How many."""
    cursor = await connection.execute(
        """UPDATE watch SET due_at = %(now)s WHERE key = ANY(ARRAY(
               SELECT w.key FROM watch w JOIN rule r ON r.id = w.rule_id
               WHERE r.kind = %(kind)s AND r.name = %(name)s
                 AND (w.due_at > %(now)s OR (w.due_at IS NULL AND w.state = 'raised' AND w.key NOT LIKE 'dose:%%'))
               ORDER BY w.key FOR UPDATE OF w))""",
        {"kind": kind, "name": name, "now": now},
    )
    return cursor.rowcount


LET_GO = "let_go"
"""A watch's fact: since when no rule waits for it."""
TAKEN_UP = timedelta(hours=6)
"""Longer than the longest grace of a dose: what began before is over, whatever came of it."""


async def take_up(connection: Connection, kind: str, name: str, heard: Collection[str], now: datetime) -> int:
    """A rule of this kind and name may apply again: what was let go waits anew, and is judged at once – but what began long
    ago, and where the device has said something of these types meanwhile, which nobody has judged. How many."""
    cursor = await connection.execute(
        """UPDATE watch SET due_at = %(now)s, state = 'waiting', facts = facts - %(let_go)s::text
           WHERE key = ANY(ARRAY(
               SELECT w.key FROM watch w JOIN rule r ON r.id = w.rule_id
               WHERE r.kind = %(kind)s AND r.name = %(name)s AND w.state = 'met' AND w.due_at IS NULL
                 AND w.facts ? %(let_go)s::text AND w.since > %(now)s - %(within)s::interval
                 AND NOT EXISTS (SELECT 1 FROM said o
                                 WHERE o.device_id = w.device_id AND o.type = ANY(%(heard)s)
                                   AND o.received_at > (w.facts ->> %(let_go)s::text)::timestamptz)
               ORDER BY w.key FOR UPDATE OF w))""",
        {"kind": kind, "name": name, "heard": sorted(heard), "now": now, "let_go": LET_GO, "within": TAKEN_UP},
    )
    return cursor.rowcount


async def plan_doses_anew(connection: Connection, kind: str, now: datetime) -> int:
    """A rule about doses was changed: the next dose of every schedule of this kind gets its watch, also where no rule
    waited for it until now. How many."""
    cursor = await connection.execute(
        """UPDATE dose_schedule SET watched_until = %(now)s WHERE id = ANY(ARRAY(
               SELECT s.id FROM dose_schedule s JOIN installation i ON i.id = s.installation_id
               JOIN device d ON d.id = i.device_id
               WHERE d.kind = %(kind)s AND s.watched_until > %(now)s ORDER BY s.id FOR UPDATE OF s))""",
        {"kind": kind, "now": now},
    )
    return cursor.rowcount


async def _insert(connection: Connection, watches: Sequence[Watch], on_conflict: str) -> None:
    newest = {watch.key: watch for watch in watches}
    ordered = [newest[key] for key in sorted(newest)]
    if not ordered:
        return
    subjects = [watch.subject for watch in ordered]
    await connection.execute(
        f"""INSERT INTO watch ({_COLUMNS})
            SELECT key, rule_id, site_id, zone_id, device_id, installation_id, dwelling_id, resident_id, since, due_at, state,
                   facts::jsonb
            FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
                        %b::bigint[], %b::timestamptz[], %b::timestamptz[], %b::text[], %b::text[]) AS u ({_COLUMNS})
            {on_conflict}""",
        (
            texts([watch.key for watch in ordered]),
            bigints([watch.rule_id for watch in ordered]),
            bigints([subject.site_id for subject in subjects]),
            bigints([subject.zone_id for subject in subjects]),
            bigints([subject.device_id for subject in subjects]),
            bigints([subject.installation_id for subject in subjects]),
            bigints([subject.dwelling_id for subject in subjects]),
            bigints([subject.resident_id for subject in subjects]),
            times([watch.since for watch in ordered]),
            times([watch.due_at for watch in ordered]),
            names([watch.state for watch in ordered]),
            jsons([json_bytes(dict(watch.facts)) for watch in ordered]),
        ),
    )


async def schedules_of(connection: Connection, device_ids: Sequence[int], now: datetime) -> list[Schedule]:
    """The dose schedules of these devices' fittings that have begun, locked in order."""
    return await _schedules(
        connection,
        "i.device_id = ANY(%(devices)s) AND NOT i.during >> tstzrange(%(now)s, %(now)s, '[]')",
        {"devices": list(device_ids), "now": now},
    )


async def schedules_behind(connection: Connection, now: datetime, after: int, limit: int) -> list[Schedule]:
    """Dose schedules beyond an id that have no watch beyond now, locked in order; those that have ended have no next dose."""
    return await _schedules(
        connection,
        """s.id > %(after)s AND s.watched_until <= %(now)s AND i.during @> %(now)s::timestamptz
           AND (s.to_date IS NULL OR s.to_date >= (%(now)s - interval '1 day')::date)""",
        {"now": now, "after": after},
        limit,
    )


async def set_watched_until(connection: Connection, moments: Sequence[tuple[int, datetime]]) -> None:
    ordered = sorted(moments)
    await connection.execute(
        """UPDATE dose_schedule s SET watched_until = u.at
           FROM unnest(%b::bigint[], %b::timestamptz[]) AS u (id, at) WHERE s.id = u.id""",
        (bigints([each for each, _ in ordered]), times([at for _, at in ordered])),
    )


async def next_due(connection: Connection, after: datetime, *, besides: str = "") -> datetime | None:
    """The earliest time after this one at which a watch, an alert, a command, a silence, a page, a dose schedule or
    a roster needs attention.

    ``besides``: how the keys of watches begin that can wait until something else is due.
    """
    cursor = await connection.execute(
        """SELECT least((SELECT min(due_at) FROM watch WHERE due_at > %(after)s
                         AND NOT (%(besides)s <> '' AND starts_with(key, %(besides)s))),
                        (SELECT min(due_at) FROM alert WHERE due_at > %(after)s),
                        (SELECT min(due_at) FROM command WHERE due_at > %(after)s),
                        (SELECT min(due_at) FROM silence WHERE due_at > %(after)s),
                        (SELECT min(due_at) FROM silence_summary WHERE due_at > %(after)s),
                        (SELECT min(due_at) FROM page WHERE due_at > %(after)s),
                        (SELECT min(due_at) FROM roster_look WHERE due_at > %(after)s),
                        (SELECT min(watched_until) FROM dose_schedule WHERE watched_until > %(after)s)) AS due""",
        {"after": after, "besides": besides},
    )
    row = await cursor.fetchone()
    return row["due"] if row else None


@dataclass(frozen=True, slots=True)
class AtHand:
    """What there may be to do now: whether alerts, commands, silences, watches, schedules or looks at a roster are due; and
    what changes with every fitting that is new, and with every rule, policy and zone."""

    alerts: bool
    commands: bool
    silences: bool
    watches: bool
    schedules: bool
    rosters: bool
    newest_fitting: int
    rulebook: Version


async def at_hand(connection: Connection, now: datetime) -> AtHand:
    """In one look. It is never narrower than the queries that lock what is due."""
    cursor = await connection.execute(
        f"""SELECT EXISTS (SELECT 1 FROM alert WHERE due_at <= %(now)s) AS alerts,
                  EXISTS (SELECT 1 FROM command WHERE due_at <= %(now)s) AS commands,
                  EXISTS (SELECT 1 FROM silence WHERE due_at <= %(now)s)
                      OR EXISTS (SELECT 1 FROM silence_summary WHERE due_at <= %(now)s)
                      OR EXISTS (SELECT 1 FROM held_back WHERE due_at <= %(now)s AND settled_at IS NULL) AS silences,
                  EXISTS (SELECT 1 FROM watch WHERE due_at <= %(now)s) AS watches,
                  EXISTS (SELECT 1 FROM dose_schedule WHERE watched_until <= %(now)s) AS schedules,
                  EXISTS (SELECT 1 FROM roster_look WHERE due_at <= %(now)s) AS rosters,
                  (SELECT coalesce(max(id), 0) FROM installation) AS newest_fitting,
                  {RULEBOOK} AS rulebook""",
        {"now": now},
    )
    row = await cursor.fetchone() or {}
    return AtHand(**{**row, "rulebook": tuple(row["rulebook"])})


async def oldest_overdue(connection: Connection, now: datetime) -> datetime | None:
    """Since when the timekeeper owes a judgement: the oldest due watch that its site was heard past."""
    cursor = await connection.execute(
        """SELECT min(w.due_at) AS oldest FROM watch w
           WHERE w.due_at <= %s AND w.due_at <= (SELECT CASE WHEN count(heard_until) = 2 THEN min(heard_until) END
                                                 FROM site_lane l WHERE l.site_id = w.site_id)""",
        (now,),
    )
    row = await cursor.fetchone()
    return row["oldest"] if row else None


async def _schedules(
    connection: Connection, condition: str, arguments: dict[str, Any], limit: int | None = None
) -> list[Schedule]:
    cursor = await connection.execute(
        f"""SELECT s.id, s.local_time, s.weekdays, s.from_date, s.to_date, s.grace_seconds, s.watched_until,
                   d.kind, d.site_id, w.zone_id, i.device_id, i.id AS installation_id, i.dwelling_id,
                   lower(i.during) AS fitted_since, coalesce(i.resident_id, alone.resident_id) AS resident_id
            FROM dose_schedule s JOIN installation i ON i.id = s.installation_id
            JOIN device d ON d.id = i.device_id JOIN dwelling w ON w.id = i.dwelling_id
            {LIVES_ALONE.format(at="%(now)s::timestamptz")}
            WHERE {condition} ORDER BY s.id LIMIT %(limit)s FOR UPDATE OF s""",
        {**arguments, "limit": limit},
    )
    return [_schedule(row) for row in await cursor.fetchall()]


def _schedule(row: dict[str, Any]) -> Schedule:
    return Schedule(
        id=row["id"],
        subject=_subject(row),
        kind=row["kind"],
        plan=DosePlan(row["local_time"], frozenset(row["weekdays"]), row["from_date"], row["to_date"]),
        grace_seconds=row["grace_seconds"],
        watched_until=row["watched_until"],
        fitted_since=row["fitted_since"],
    )


def _watch(row: dict[str, Any]) -> Watch:
    return _watch_of(*(row[name] for name in _NAMES))


def _watch_of(
    key: str, rule_id: int, site: int, zone: int, device: int | None, installation: int | None, dwelling: int | None,
    resident: int | None, since: datetime, due_at: datetime | None, state: str, facts: str,
) -> Watch:  # fmt: skip
    """By column."""
    subject = Subject(site, zone, device, installation, dwelling, resident)
    return Watch(key, rule_id, subject, since, due_at, _STATES[state], from_json(facts))


def _subject(row: dict[str, Any]) -> Subject:
    return Subject(
        row["site_id"],
        row["zone_id"],
        row["device_id"],
        row["installation_id"],
        row["dwelling_id"],
        row["resident_id"],
    )
