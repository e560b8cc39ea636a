"""What technical services look at: messages that could not be read, how far sites are heard, and whether the test alarm gets through."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway import canary, cursors
from gateway.access import OVERSEERS, Who
from gateway.api import schemas
from gateway.canaryhealth import canaries_of
from gateway.health import CanaryHealth
from gateway.passages import Pace
from gateway.store import people, quarantine, views
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.quarantine import Wanted


async def quarantine_page(
    connection: Connection, who: Who, wanted: Wanted, cursor: str | None, limit: int
) -> schemas.QuarantinePage:
    """Messages of the reader's sites that could not be read, the newest first. NotAllowed for care staff."""
    who.require(OVERSEERS)
    zones = who.zones_as(OVERSEERS)
    rows = await quarantine.newest(connection, zones, wanted, cursors.uid(cursor), limit + 1)
    persons = await people.names(connection, [row["decoded_by_id"] for row in rows if row["decoded_by_id"] is not None])
    following = str(rows[limit - 1]["uid"]) if len(rows) > limit else None
    return schemas.QuarantinePage(items=[_quarantined(row, persons) for row in rows[:limit]], next_cursor=following)


async def sites(
    connection: Connection, started_at: datetime, now: datetime, limits: canary.Limits, pace: Pace | None = None
) -> list[schemas.SiteView]:
    """Every site, how far each has been heard, and whether its test alarm gets through: one that is deaf concerns everybody."""
    rows = await views.site_names(connection)
    canaries = {each.site: each for each in await canaries_of(connection, now, pace, started_at)}
    return [
        schemas.SiteView(
            name=row["name"],
            zone=row["zone"],
            heard_until=row["heard_until"],
            deaf=canary.is_deaf(row["heard_until"], started_at, now, limits),
            canary=_canary(canaries.get(row["name"])),
        )
        for row in rows
    ]


def _canary(found: CanaryHealth | None) -> schemas.CanaryView | None:
    return schemas.CanaryView.model_validate(found.model_dump()) if found else None


def _quarantined(row: Mapping[str, Any], persons: Mapping[int, Person]) -> schemas.QuarantineItem:
    raw, person = bytes(row["raw"]), persons.get(row["decoded_by_id"])
    return schemas.QuarantineItem(
        id=row["uid"],
        raw=base64.b64encode(raw).decode(),
        text=raw[:2000].decode("utf-8", "backslashreplace").replace("\x00", "\\x00"),
        decoded_by=schemas.PersonRef(id=person.uid, name=person.name) if person else None,
        **{name: value for name, value in row.items() if name not in ("uid", "raw", "decoded_by_id")},
    )
