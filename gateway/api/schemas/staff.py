"""Zones, staff with their roles, and who is on duty when."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from gateway.api.schemas.base import Moment, Named, Paged, Part, PersonRef, Schema, Taken, WallTime

RoleName = Literal["responder", "lead", "centre", "technical", "admin"]
Serving = Literal["responder", "technical"]


class ZoneView(Schema):
    """A zone of the tree with those below it, in order of name. ``kind``: centre, municipality or zone. ``roles``: those that
    the reader has in it."""

    id: UUID
    kind: str
    name: str
    roles: list[RoleName]
    below: list[ZoneView]


class RoleView(Schema):
    """A role in a zone, from and until."""

    role: RoleName
    zone: Named
    since: datetime | None
    until: datetime | None


class StaffItem(Schema):
    """A member of staff with the roles in force. ``reachable``: whether there is a contact that works."""

    id: UUID
    name: str
    roles: list[RoleView]
    reachable: bool


class StaffPage(Schema):
    """Staff in order of name. ``next_cursor``: for the next page, None at the end."""

    people: list[StaffItem]
    next_cursor: str | None


class StaffQuery(Paged):
    """Which staff. ``q``: a part of the name; ``zone``: with a role in it, or below it; ``role``: with this role there."""

    q: Part = ""
    zone: UUID | None = None
    role: RoleName | None = None


class ShiftView(Schema):
    """A weekly shift in local time. ``weekday``: Monday is 0; an ``end`` at or before the ``start`` is the next day's. The
    lowest ``position`` of those on duty is paged first. ``zone``: of the shift, which covers what is below it."""

    person: PersonRef
    zone: Named
    role: Serving
    weekday: int
    start: WallTime
    end: WallTime
    position: int
    from_date: date | None
    to_date: date | None


class RosterView(Schema):
    """The shifts that cover a zone, by role, weekday and start. ``time_zone``: of their times."""

    zone: Named
    time_zone: str
    shifts: list[ShiftView]


class DutyQuery(Taken):
    """Who serves from a time until another, at most 31 days later; None: now, and a week on."""

    since: Moment | None = None
    until: Moment | None = None
    role: Serving = "responder"


class DutySpan(Schema):
    """Who is on duty between two times, first who is paged first. Times are local, with their offset."""

    since: datetime
    until: datetime
    on_duty: list[PersonRef]


class DutyView(Schema):
    """Who is on duty in a zone, without gaps and in order, as alerts find them: by shifts and roles."""

    zone: Named
    role: Serving
    time_zone: str
    spans: list[DutySpan]
