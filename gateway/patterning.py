"""Patterns of several weeks, set and ended whole; and what a plan would come to, before it is one.

Rules
    A pattern is the shifts of one person that recur together. Setting one anew ends what it replaces on the day before, in the same
    transaction: nobody is on duty twice, and none is lost in between. What has not begun is taken back instead.
    A preview does what setting would do, looks at the duty by the code by which alerts find people, and leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.schedule import ONE_DAY
from gateway import duties, rostering
from gateway.access import Who
from gateway.api import schemas
from gateway.errors import Invalid, NotFound
from gateway.store import rosters, staff
from gateway.store.db import Connection

Row = Mapping[str, Any]


async def add_pattern(
    connection: Connection, who: Who, uid: UUID, request: schemas.PatternRequest, now: datetime, local: ZoneInfo
) -> list[schemas.ShiftView]:
    """NotFound, Invalid or Conflict, with the reason, where it cannot be set."""
    zone = await rostering.planned_zone(connection, who, uid)
    person = await rostering.colleague(connection, zone, request.role, request.person, now, "person")
    today = now.astimezone(local).date()
    await _over(
        connection, "roster_shift", "shift", request.replaces, (zone, request.role), request.from_date - ONE_DAY, today
    )
    same = {**request.model_dump(include={"role", "weeks", "position", "from_date", "to_date"}), "zone_id": zone["id"]}
    made = [
        await rosters.add(
            connection,
            "roster_shift",
            {
                **same,
                "person_id": person,
                "anchor": request.anchor or request.from_date,
                "week": each.week,
                "weekday": each.weekday,
                "start_time": each.start,
                "end_time": each.end,
            },
        )
        for each in request.shifts
    ]
    told: dict[str, Any] = {"person": person, "shifts": [inner for inner, _ in made]}
    await rostering.note(connection, who, "roster.pattern_set", "zone", zone["id"], zone["id"], now, **told)
    return [duties.shift_view(await staff.shift(connection, outer)) for _, outer in made]


async def end_pattern(
    connection: Connection, who: Who, uid: UUID, request: schemas.PatternEnd, now: datetime, local: ZoneInfo
) -> None:
    """All of these, or none. Conflict where somebody else has changed one."""
    zone = await rostering.planned_zone(connection, who, uid)
    today = now.astimezone(local).date()
    ended = await _over(connection, "roster_shift", "shift", request.shifts, (zone, None), request.last_day, today)
    told: dict[str, Any] = {"shifts": ended}
    await rostering.note(connection, who, "roster.pattern_ended", "zone", zone["id"], zone["id"], now, **told)


async def add_rotation(
    connection: Connection, who: Who, uid: UUID, request: schemas.RotationRequest, now: datetime, local: ZoneInfo
) -> schemas.RotationView:
    """Persons who take turns; instead of others, where it replaces some."""
    if request.replaces is not None:
        zone = await rostering.planned_zone(connection, who, uid)
        today, last = now.astimezone(local).date(), request.first_day - ONE_DAY
        await _over(connection, "rotation", "rotation", (request.replaces,), (zone, request.role), last, today)
    return await rostering.add_rotation(connection, who, uid, request, now)


async def preview(
    connection: Connection, who: Who, uid: UUID, request: schemas.PlanPreview, now: datetime, local: ZoneInfo
) -> schemas.DutyView:
    """Who would be on duty. Refused as setting it would be."""
    async with connection.transaction(force_rollback=True):
        if request.pattern is not None:
            await add_pattern(connection, who, uid, request.pattern, now, local)
        if request.rotation is not None:
            await add_rotation(connection, who, uid, request.rotation, now, local)
        plan = request.pattern or request.rotation
        assert plan is not None
        query = schemas.DutyQuery(since=request.since, until=request.until, role=plan.role)
        return await duties.duty(connection, who, uid, query, now, local)


async def _over(
    connection: Connection,
    table: str,
    noun: str,
    seen: Iterable[schemas.Seen],
    where: tuple[Row, str | None],
    last_day: date,
    today: date,
) -> list[int]:
    """These end on a day, or are taken back where they have not begun; their inner ids. ``where``: of which zone and role."""
    zone, role = where
    found: list[int] = []
    for each in seen:
        row = await rostering.find(connection, table, noun, each.id)
        if row["zone_id"] != zone["id"] or role not in (None, row["role"]):
            raise NotFound(noun, f"there is no such {noun} in this roster", "look at the roster again")
        first = row["from_date"] if table == "roster_shift" else row["first_day"]
        if last_day >= first:
            until = last_day if row["to_date"] is None else min(last_day, row["to_date"])
            await rostering.change(connection, table, row, each.version, {"to_date": until})
        elif first > today:
            if not await rosters.remove(connection, table, row["id"], each.version):
                raise rostering.stale()
        else:
            raise Invalid("begun", f"what is to end began on {first.isoformat()}", "give that day or a later one")
        found.append(row["id"])
    return found
