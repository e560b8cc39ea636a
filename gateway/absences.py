"""Absences: somebody is away, and who serves for them.

Rules
    Everybody says that they are away themselves; those who plan say it of the staff of their zones, and who covers. Without a
    cover there is a gap, and the roster shows it. Nobody is away twice at a time.
    Why somebody is away is kept as a kind alone, and shown to themselves and to those who plan.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from gateway import duties, rostering
from gateway.access import PLANNERS, Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotAllowed, NotFound
from gateway.store import checkins, people, rosters
from gateway.store.db import Connection


async def report(
    connection: Connection, who: Who, request: schemas.AbsenceRequest, now: datetime
) -> schemas.AbsenceView:
    """Somebody is away: themselves, or staff of a zone of the planner's. Conflict where they are away then already."""
    person, plans = await _whose(connection, who, request.person, now)
    begins = request.begins or now
    if request.ends is not None and request.ends <= max(begins, now):
        raise Invalid("ends", "it is over already, or before it begins", "give a later time, or none")
    await rosters.lock_person(connection, person)
    await _not_away_twice(connection, person, begins, request.ends)
    cover = await _cover(connection, person, request.cover, max(begins, now), plans=plans)
    inner, uid = await rosters.add(
        connection,
        "absence",
        {
            "person_id": person,
            "during": (begins, request.ends),
            "cover_id": cover,
            "kind": request.kind,
            "created_at": now,
            "created_by": who.person_id,
        },
    )
    await rostering.note(connection, who, "absence.reported", "absence", inner, None, now, person=person, cover=cover)
    return await _absence(connection, who, uid, plans=plans)


async def change(
    connection: Connection, who: Who, uid: UUID, request: schemas.AbsenceChange, now: datetime
) -> schemas.AbsenceView:
    """Back at another time, covered by another, or not away at all."""
    row = await rostering.find(connection, "absence", "absence", uid)
    (away,) = (await people.names(connection, [row["person_id"]])).values()
    _, plans = await _whose(connection, who, away.uid, now)
    if row["withdrawn_at"] is not None:
        raise Conflict("withdrawn", "it is withdrawn already", "report a new one")
    given = request.model_fields_set
    begins, ends = row["begins"], request.ends if "ends" in given else row["ends"]
    if ends is not None and ends <= begins:
        raise Invalid("ends", "it is before it begins", "give a later time, or withdraw it")
    changes: dict[str, Any] = {"during": (begins, ends)} if "ends" in given else {}
    if "cover" in given:
        changes["cover_id"] = await _cover(connection, row["person_id"], request.cover, max(begins, now), plans=plans)
        if request.cover is None and not plans:
            raise NotAllowed("not_yours", "who covers is for a lead to say", "ask your lead")
    if request.withdraw:
        changes["withdrawn_at"] = now
    if not changes:
        raise Invalid("change", "nothing is to be changed", "give `ends`, `cover` or `withdraw`")
    await rosters.lock_person(connection, row["person_id"])
    if "ends" in given:
        await _not_away_twice(connection, row["person_id"], begins, ends, but=row["id"])
    await rostering.change(connection, "absence", row, request.version, changes)
    whose = (row["person_id"], row["cover_id"], changes.get("cover_id"))
    fields = sorted(changes)
    await rostering.note(connection, who, "absence.changed", "absence", row["id"], None, now, whose, fields=fields)
    return await _absence(connection, who, uid, plans=plans)


async def every(connection: Connection, who: Who, now: datetime) -> list[schemas.AbsenceView]:
    """One's own, and those of the staff of zones that one plans."""
    covered = who.zones_as(PLANNERS)
    led = {row["id"] for row in await rosters.staff_of(connection, covered, now)}
    rows = await rosters.absences(connection, sorted(led | {who.person_id}), now, None)
    return [
        duties.absence_view(row, await duties.shown(connection, row), who, plans=row["person_id"] in led)
        for row in rows
    ]


async def _whose(connection: Connection, who: Who, uid: UUID | None, now: datetime) -> tuple[int, bool]:
    """Whom it is about, and whether the reader plans for them. NotFound for staff of others."""
    covered = who.zones_as(PLANNERS)
    led = {row["uid"]: row["id"] for row in await rosters.staff_of(connection, covered, now)}
    if uid is None or uid == who.uid:
        return who.person_id, who.uid in led
    if uid not in led:
        raise NotFound("person", "there is no such member of staff, or they have no role in a zone of yours")
    return led[uid], True


async def _not_away_twice(
    connection: Connection, person: int, begins: datetime, ends: datetime | None, but: int = 0
) -> None:
    for each in await rosters.absences(connection, [person], begins, ends):
        if each["id"] != but:
            raise Conflict(
                "away_already", f"they are away from {each['begins'].isoformat()} already", "change that one"
            )


async def _cover(connection: Connection, person: int, uid: UUID | None, at: datetime, *, plans: bool) -> int | None:
    """Who covers for somebody: staff of a zone where they serve."""
    if uid is None:
        return None
    if not plans:
        raise NotAllowed("not_yours", "who covers is for a lead to say", "ask your lead")
    for zone in await checkins.zones_served(connection, person, at):
        there = await people.colleagues(connection, zone["id"], (zone["role"],), at, reachable=False)
        for each in there:
            if each.uid == uid and each.id != person:
                return each.id
    raise Invalid("cover", "they do not serve where whoever is away does", "choose one of their colleagues")


async def _absence(connection: Connection, who: Who, uid: UUID, *, plans: bool) -> schemas.AbsenceView:
    row = await rostering.find(connection, "absence", "absence", uid)
    return duties.absence_view(row, await duties.shown(connection, row), who, plans=plans)
