"""Keeping the register: what changes of homes, of residents and of fittings share."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.access import Role, Who
from gateway.errors import Invalid, NotFound
from gateway.store import homes
from gateway.store.db import Connection


async def dwelling(connection: Connection, who: Who, uid: UUID, roles: Collection[Role]) -> dict[str, Any]:
    """A dwelling in a zone where the reader has one of these roles, else NotFound."""
    row = await homes.dwelling(connection, uid, who.zones_as(frozenset(roles)))
    if row is None:
        raise NotFound("dwelling", "there is no such dwelling, or it is not in a zone of yours", "choose one of yours")
    return row


def happened(at: datetime | None, now: datetime, field: str) -> datetime:
    """The time that is given, or now. Invalid for one that is still to come."""
    if at is not None and at > now:
        raise Invalid(field, f"{at.isoformat()} is still to come", "tell it when it has happened")
    return at or now
