"""Staffing: zones, staff and who is on duty when, as people look at them.

Zones are no secret to whoever is signed in and has a role. Staff are for who leads; duty in a zone for
whoever has a role there. Who is on duty is worked out by the code by which alerts find people (``people.Roster``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.schedule import changes_of_duty
from gateway import cursors
from gateway.access import LEADERS, Who
from gateway.api import schemas
from gateway.errors import Invalid, NotFound
from gateway.store import people, staff, zones
from gateway.store.db import Connection
from gateway.store.people import Person, Roster
from gateway.store.staff import StaffSearch

LONGEST_LOOK = timedelta(days=31)
A_WEEK = timedelta(days=7)
Row = Mapping[str, Any]

# Zones ----------------------------------------------------------------------------------------------------------------


async def zone_tree(connection: Connection, who: Who) -> list[schemas.ZoneView]:
    """The tops of the tree, each with all that is below it."""
    rows = await zones.every(connection)
    below: dict[int | None, list[Row]] = {}
    for row in rows:
        below.setdefault(row["parent_id"], []).append(row)
    return [_zone(row, below, who) for row in below.get(None, ())]


def _zone(row: Row, below: Mapping[int | None, Sequence[Row]], who: Who) -> schemas.ZoneView:
    return schemas.ZoneView.model_validate(
        {
            "id": row["uid"],
            "kind": row["kind"],
            "name": row["name"],
            "roles": sorted(who.roles_in.get(row["id"], ())),
            "below": [_zone(each, below, who) for each in below.get(row["id"], ())],
        }
    )


# Staff ----------------------------------------------------------------------------------------------------------------


async def staff_page(connection: Connection, who: Who, query: schemas.StaffQuery, now: datetime) -> schemas.StaffPage:
    """Whoever has a role in a zone that the reader leads."""
    covered = who.zones_as(LEADERS)
    asked = StaffSearch(covered, query.q.strip(), query.zone, query.role)
    after = await cursors.row(query.cursor, lambda uid: staff.person(connection, uid, covered, now))
    rows = await staff.people(connection, asked, now, after, query.limit + 1)
    following = str(rows[query.limit - 1]["uid"]) if len(rows) > query.limit else None
    shown = await _staff(connection, rows[: query.limit], covered, now)
    return schemas.StaffPage(people=shown, next_cursor=following)


async def one_of_staff(connection: Connection, who: Who, uid: UUID, now: datetime) -> schemas.StaffItem:
    """One of them, else NotFound."""
    row = await staff.person(connection, uid, who.zones_as(LEADERS), now)
    if row is None:
        raise NotFound("person", "there is no such member of staff, or they have no role in a zone of yours")
    return (await _staff(connection, [row], who.zones_as(LEADERS), now))[0]


async def _staff(
    connection: Connection, rows: Sequence[Row], covered: Sequence[int], now: datetime
) -> list[schemas.StaffItem]:
    roles = await staff.roles(connection, [row["id"] for row in rows], covered, now)
    return [
        schemas.StaffItem(
            id=row["uid"],
            name=row["name"],
            reachable=row["reachable"],
            roles=[_role(each) for each in roles if each["person_id"] == row["id"]],
        )
        for row in rows
    ]


def _role(row: Row) -> schemas.RoleView:
    zone = schemas.Named(id=row["zone_uid"], name=row["zone"])
    return schemas.RoleView(role=row["role"], zone=zone, since=row["since"], until=row["until"])


# Duty -----------------------------------------------------------------------------------------------------------------


async def roster(connection: Connection, who: Who, uid: UUID, local: ZoneInfo) -> schemas.RosterView:
    """The shifts that cover a zone in which the reader has a role, else NotFound."""
    zone = await _own_zone(connection, who, uid)
    shifts = [_shift(row) for row in await staff.shifts(connection, zone["id"])]
    return schemas.RosterView(zone=_named(zone), time_zone=local.key, shifts=shifts)


async def duty(
    connection: Connection, who: Who, uid: UUID, query: schemas.DutyQuery, now: datetime, local: ZoneInfo
) -> schemas.DutyView:
    """Who serves from a time until another. Invalid where that is not in order, or too long."""
    zone = await _own_zone(connection, who, uid)
    since = query.since or now
    until = query.until or since + A_WEEK
    if not since < until <= since + LONGEST_LOOK:
        raise Invalid("until", "it has to be later than `since`, by 31 days at most", "ask for a shorter time")
    found = await people.roster(connection, zone["id"], since, until)
    spans = list(_spans(found, query.role, since, until, local))
    persons = await people.names(connection, sorted({each for _, _, serving in spans for each in serving}))
    return schemas.DutyView(
        zone=_named(zone),
        role=query.role,
        time_zone=local.key,
        spans=[
            schemas.DutySpan(
                since=begins.astimezone(local),
                until=ends.astimezone(local),
                on_duty=[_ref(persons[each]) for each in serving],
            )
            for begins, ends, serving in spans
        ],
    )


def _spans(
    found: Roster, role: str, since: datetime, until: datetime, local: ZoneInfo
) -> Iterator[tuple[datetime, datetime, tuple[int, ...]]]:
    """From change to change; what changes nothing is none."""
    shifts = changes_of_duty(found.shifts.get(role, ()), since, until, local)
    roles = {at for each in found.assigned for at in (each.since, each.until) if at is not None and since < at < until}
    begins, serving = since, found.serving(role, since, local)
    for at in sorted({*shifts, *roles}):
        now_serving = found.serving(role, at, local)
        if now_serving != serving:
            yield begins, at, serving
            begins, serving = at, now_serving
    yield begins, until, serving


async def _own_zone(connection: Connection, who: Who, uid: UUID) -> dict[str, Any]:
    row = await zones.find(connection, uid)
    if row is None or row["id"] not in who.zone_ids:
        raise NotFound("zone", "there is no such zone, or it is not one of yours", "choose one of yours")
    return row


def _named(zone: Row) -> schemas.Named:
    return schemas.Named(id=zone["uid"], name=zone["name"])


def _shift(row: Row) -> schemas.ShiftView:
    return schemas.ShiftView(
        person=schemas.PersonRef(id=row["uid"], name=row["name"]),
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        role=row["role"],
        weekday=row["weekday"],
        start=row["start_time"],
        end=row["end_time"],
        position=row["position"],
        from_date=row["from_date"],
        to_date=row["to_date"],
    )


def _ref(person: Person) -> schemas.PersonRef:
    return schemas.PersonRef(id=person.uid, name=person.name)
