"""Zones and staff with their roles. Who is on duty when: ``rosters``; whom alerts call: ``policies``."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from gateway.api.schemas.base import Moment, Named, Paged, Part, Schema, Taken
from gateway.api.schemas.contacts import ContactState

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
    """A member of staff with the roles in force. ``reachable``: whether there is a contact that is not broken; ``contacts``: of
    which kinds and how each stands, in the order in which they are tried."""

    id: UUID
    name: str
    roles: list[RoleView]
    reachable: bool
    contacts: list[ContactState]


class StaffPage(Schema):
    """Staff in order of name. ``next_cursor``: for the next page, None at the end."""

    people: list[StaffItem]
    next_cursor: str | None


class StaffQuery(Paged):
    """Which staff. ``q``: a part of the name; ``zone``: with a role in it, or below it; ``role``: with this role there."""

    q: Part = ""
    zone: UUID | None = None
    role: RoleName | None = None


class DutyQuery(Taken):
    """Who serves from a time until another, at most 31 days later; None: now, and a week on."""

    since: Moment | None = None
    until: Moment | None = None
    role: Serving = "responder"
