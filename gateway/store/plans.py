"""Plans: what there is to know of a zone's duty, as escalation and the pages make duties of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from alerts.roster import A_MONDAY, EVERY_DAY, Absence, Change, Layer, Part, Plan, Planned, Rotation, Shift
from gateway.store.db import Connection
from gateway.store.zones import UP

Row = Mapping[str, Any]
BEFORE = timedelta(days=2)
"""Shifts of single dates are read from so long before: one may have begun then, and duty without a break is counted from its
beginning."""


async def read(
    connection: Connection, zone_id: int, since: datetime, until: datetime
) -> tuple[dict[str, Plan], dict[int, timedelta]]:
    """What there is to know of a zone's duty from a time until another, by role; and by nearness of the zones around it, how
    long whoever serves there may take to check in (none of those that do not ask). One way to the server and back."""
    span = {"zone": zone_id, "since": since - BEFORE, "until": until}
    async with connection.pipeline():
        asked = [
            await connection.execute(query.encode(), span)
            for query in (_SHIFTS, _ROTATIONS, _PLANNED, _CHANGES, _ABSENCES, _GRACES)
        ]
    shifts, rotations, planned, changes, away, minutes = [await each.fetchall() for each in asked]
    absences = [_absence(row) for row in away]
    roles = {row["role"] for row in (*shifts, *rotations, *planned, *changes)}
    plans = {
        role: Plan(
            [_shift(row) for row in shifts if row["role"] == role],
            [_rotation(row) for row in rotations if row["role"] == role],
            [_planned(row) for row in planned if row["role"] == role],
            [_change(row) for row in changes if row["role"] == role],
            absences,
        )
        for role in roles
    }
    return plans, _graces(minutes)


def _graces(rows: Sequence[Row]) -> dict[int, timedelta]:
    found, minutes = dict[int, timedelta](), 0
    for row in rows:  # from the outside in: what a zone does not say, the one around it does
        minutes = minutes if row["minutes"] is None else row["minutes"]
        if minutes:
            found[row["nearness"]] = timedelta(minutes=minutes)
    return found


_SHIFTS = f"""{UP}
    SELECT r.role, r.person_id, r.weekday, r.start_time, r.end_time, r.position, r.from_date, r.to_date, r.weeks, r.week,
           r.anchor, r.on_days, up.nearness
    FROM up JOIN roster_shift r ON r.zone_id = up.id
    WHERE r.to_date IS NULL OR r.to_date >= (%(since)s::timestamptz AT TIME ZONE 'UTC')::date - 1"""

_ROTATIONS = f"""{UP}
    SELECT r.role, r.first_day, r.hand_over, r.turn_days, r.start_time, r.end_time, r.weekdays, r.position, r.to_date,
           up.nearness, ARRAY(SELECT t.person_id FROM rotation_person t WHERE t.rotation_id = r.id ORDER BY t.turn) AS persons
    FROM up JOIN rotation r ON r.zone_id = up.id
    WHERE r.to_date IS NULL OR r.to_date >= (%(since)s::timestamptz AT TIME ZONE 'UTC')::date - 1 ORDER BY r.id"""

_PLANNED = f"""{UP}
    SELECT p.role, p.person_id, lower(p.during) AS begins, upper(p.during) AS ends, p.position, up.nearness
    FROM up JOIN planned_shift p ON p.zone_id = up.id AND p.during && tstzrange(%(since)s, %(until)s, '[]')"""

_CHANGES = f"""{UP}
    SELECT o.id, 0 AS layer, o.role, up.nearness, o.position, o.leaves_id, o.comes_id, lower(o.during) AS begins,
           upper(o.during) AS ends, NULL::timestamptz AS back_begins, NULL::timestamptz AS back_ends
    FROM up JOIN roster_override o ON o.zone_id = up.id AND o.withdrawn_at IS NULL
         AND o.during && tstzrange(%(since)s, %(until)s, '[]')
    UNION ALL
    SELECT s.id, 1, s.role, up.nearness, 0, s.asks_id, s.gives_id, lower(s.asks_during), upper(s.asks_during),
           lower(s.gives_during), upper(s.gives_during)
    FROM up JOIN roster_swap s ON s.zone_id = up.id AND s.state = 'accepted'
         AND (s.asks_during && tstzrange(%(since)s, %(until)s, '[]') OR s.gives_during && tstzrange(%(since)s, %(until)s, '[]'))
    ORDER BY layer, id"""

_GRACES = (
    f"{UP} SELECT up.nearness, z.check_in_minutes AS minutes FROM up JOIN zone z ON z.id = up.id ORDER BY nearness DESC"
)

_ABSENCES = """SELECT a.person_id, lower(a.during) AS begins, upper(a.during) AS ends, a.cover_id FROM absence a
    WHERE a.withdrawn_at IS NULL AND a.during && tstzrange(%(since)s, %(until)s, '[]') ORDER BY a.id"""


def _shift(row: Row) -> Shift:
    return Shift(
        person_id=row["person_id"],
        weekday=row["weekday"],
        start=row["start_time"],
        end=row["end_time"],
        position=row["position"],
        from_date=row["from_date"] or date.min,
        to_date=row["to_date"],
        weeks=row["weeks"],
        week=row["week"],
        anchor=row["anchor"] or A_MONDAY,
        days=frozenset(row["on_days"] or ()),
        nearness=row["nearness"],
    )


def _rotation(row: Row) -> Rotation:
    return Rotation(
        persons=tuple(row["persons"]),
        first_day=row["first_day"],
        hand_over=row["hand_over"],
        turn_days=row["turn_days"],
        start=row["start_time"],
        end=row["end_time"],
        weekdays=frozenset(row["weekdays"]) or EVERY_DAY,
        position=row["position"],
        to_date=row["to_date"],
        nearness=row["nearness"],
    )


def _planned(row: Row) -> Planned:
    return Planned(row["person_id"], row["begins"], row["ends"], row["position"], row["nearness"])


def _change(row: Row) -> Change:
    there = Part(row["leaves_id"], row["comes_id"], row["begins"], row["ends"])
    if row["layer"] == 0:
        return Change(Layer.OVERRIDE, (there,), row["position"], row["nearness"])
    back = Part(row["comes_id"], row["leaves_id"], row["back_begins"], row["back_ends"])
    return Change(Layer.SWAP, (there, back), nearness=row["nearness"])


def _absence(row: Row) -> Absence:
    return Absence(row["person_id"], row["begins"], row["ends"], row["cover_id"])
