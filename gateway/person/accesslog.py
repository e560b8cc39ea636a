"""The access log of a resident: who looked at them, when, at what, and because of which alert – in plain words.

What is written down
    Each look at an alert or at a resident by itself, each time; that a list, a rule or a device named them, and that what their
    devices said was looked at, once a day for each reader; every change; an export; and a look at this log. Names are those
    of now, not of then.

Who may read it
    Leads of the zone in which the resident lives (or lived last), and administrators.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from alerts.looks import look_text
from alerts.render import condition_text
from gateway import cursors
from gateway.access import AUDITORS, Who
from gateway.api import schemas
from gateway.errors import NotFound
from gateway.store import accesslog, audit, homes
from gateway.store.audit import Audited
from gateway.store.db import Connection

Row = Mapping[str, Any]


async def page(
    connection: Connection, who: Who, uid: UUID, query: schemas.AccessLogQuery, now: datetime
) -> schemas.AccessLog:
    """A page of it, the newest first. NotFound for a resident of another zone."""
    resident = await homes.resident(connection, uid, who.zones_as(AUDITORS), now)
    if resident is None:
        raise NotFound("resident", "there is no such resident, or they do not live in a zone of yours")
    rows = await accesslog.page(connection, resident["id"], cursors.number(query.cursor), query.limit + 1)
    await audit.add(connection, now, (Audited("resident.log_viewed", "resident", resident["id"], who.person_id),))
    return schemas.AccessLog(
        resident=schemas.Named(id=resident["uid"], name=resident["name"]),
        looks=[_look(row, who.language) for row in rows[: query.limit]],
        next_cursor=str(rows[query.limit - 1]["id"]) if len(rows) > query.limit else None,
    )


def _look(row: Row, language: str) -> schemas.Look:
    alert = schemas.Named(id=row["alert_uid"], name=_title(row, language)) if row["alert_uid"] else None
    person = schemas.PersonRef(id=row["person_uid"], name=row["person"]) if row["person_uid"] else None
    text = look_text(row["action"], row["params"], language)
    return schemas.Look(at=row["at"], person=person, what=row["action"], text=text, alert=alert)


async def lines(connection: Connection, resident_id: int, language: str) -> AsyncIterator[dict[str, Any]]:
    """All of it as rows of a table, the oldest first."""
    async for row in accesslog.whole(connection, resident_id):
        yield {
            "at": row["at"],
            "who": row["person"] or "",
            "what": look_text(row["action"], row["params"], language),
            "alert": _title(row, language) if row["alert_uid"] else "",
            "action": row["action"],
        }


async def shown(
    connection: Connection, resident_id: int, language: str, local: tzinfo, operator: str, now: datetime
) -> list[str]:
    """All of it for a terminal, the oldest first, in local time. That it was shown, and to whom, is written down."""
    told = [
        f"{row['at'].astimezone(local):%Y-%m-%d %H:%M}  {row['who'] or '-'}  {row['what']}"
        + (f": {row['alert']}" if row["alert"] else "")
        async for row in lines(connection, resident_id, language)
    ]
    line = Audited("resident.log_viewed", "resident", resident_id, params={"operator": operator})
    await audit.add(connection, now, (line,))
    return told or ["nobody has looked yet"]


def _title(row: Row, language: str) -> str:
    return condition_text(row["condition"], row["device_kind"], language)
