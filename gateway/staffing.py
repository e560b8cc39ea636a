"""Staffing: zones and staff, as people look at them. Who is on duty: ``gateway.duties``; whom alerts call: ``gateway.policing``.

Zones are no secret to whoever is signed in and has a role. Staff are for who leads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway import contacting, cursors
from gateway.access import LEADERS, Who
from gateway.api import schemas
from gateway.errors import NotFound
from gateway.store import staff, zones
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.staff import StaffSearch

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


async def staff_page(
    connection: Connection, who: Who, query: schemas.StaffQuery, now: datetime, channels: Collection[str]
) -> schemas.StaffPage:
    """Whoever has a role in a zone that the reader leads."""
    covered = who.zones_as(LEADERS)
    asked = StaffSearch(covered, query.q.strip(), query.zone, query.role)
    after = await cursors.row(query.cursor, lambda uid: staff.person(connection, uid, covered, now))
    rows = await staff.people(connection, asked, now, after, query.limit + 1)
    following = str(rows[query.limit - 1]["uid"]) if len(rows) > query.limit else None
    shown = await _staff(connection, rows[: query.limit], covered, now, channels)
    return schemas.StaffPage(people=shown, next_cursor=following)


async def one_of_staff(
    connection: Connection, who: Who, uid: UUID, now: datetime, channels: Collection[str]
) -> schemas.StaffItem:
    """One of them, else NotFound."""
    row = await staff.person(connection, uid, who.zones_as(LEADERS), now)
    if row is None:
        raise NotFound("person", "there is no such member of staff, or they have no role in a zone of yours")
    return (await _staff(connection, [row], who.zones_as(LEADERS), now, channels))[0]


async def _staff(
    connection: Connection, rows: Sequence[Row], covered: Sequence[int], now: datetime, channels: Collection[str]
) -> list[schemas.StaffItem]:
    persons = [row["id"] for row in rows]
    roles = await staff.roles(connection, persons, covered, now)
    contacts = await contacting.states(connection, persons, channels)
    return [
        schemas.StaffItem(
            id=row["uid"],
            name=row["name"],
            reachable=row["reachable"],
            contacts=contacts.get(row["id"], []),
            roles=[_role(each) for each in roles if each["person_id"] == row["id"]],
        )
        for row in rows
    ]


def _role(row: Row) -> schemas.RoleView:
    zone = schemas.Named(id=row["zone_uid"], name=row["zone"])
    return schemas.RoleView(role=row["role"], zone=zone, since=row["since"], until=row["until"])


def _ref(person: Person) -> schemas.PersonRef:
    return schemas.PersonRef(id=person.uid, name=person.name)
