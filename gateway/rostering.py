"""Rosters as people keep them: patterns, rotations, overrides, swaps, and who has to check in. Absences: ``gateway.absences``.

Who changes what
    Leads and administrators plan the zones that they cover. A responder proposes a swap of a shift of their own, which the
    other one accepts or declines.
    Nobody is planned who has no such role in the zone or around it then. What makes no sense is refused with the reason
    (``alerts.rosterchange``); two who plan at once wait for each other, and the second sees what the first has done.
    Every change is in the audit: what was changed, by ids and codes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.roster import Change, Layer, Part
from alerts.rosterchange import Unfit, unfit
from gateway import duties
from gateway.access import Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotAllowed, NotFound
from gateway.store import audit, checkins, outlook, people, rosters, staff, zones
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection

Row = Mapping[str, Any]

WHY_NOT: Mapping[Unfit, tuple[str, str]] = {
    Unfit.SAME_PERSON: ("somebody cannot serve instead of themselves", "choose somebody else"),
    Unfit.NOT_ON_DUTY: ("whoever is to leave is not on duty then, or not all of that time", "look at the roster again"),
    Unfit.TWO_PLACES: ("whoever is to come is on duty then already", "choose somebody else, or another time"),
    Unfit.AWAY: ("whoever is to come is away then", "choose somebody else"),
    Unfit.CHANGES_NOTHING: ("it would change nothing: a swap or an absence has the last word", "change that first"),
}
"""What is said of a change that makes no sense, and how to mend it."""

# Patterns and rotations -----------------------------------------------------------------------------------------------


async def add_shift(
    connection: Connection, who: Who, uid: UUID, request: schemas.ShiftRequest, now: datetime
) -> schemas.ShiftView:
    """A shift that recurs in a zone of the planner's."""
    zone = await planned_zone(connection, who, uid)
    person = await colleague(connection, zone, request.role, request.person, now, "person")
    same = request.model_dump(include={"role", "weekday", "weeks", "week", "position", "from_date", "to_date"})
    times = {"start_time": request.start, "end_time": request.end, "anchor": request.anchor or request.from_date}
    days = {"on_days": list(request.on_days) or None}
    inner, made = await rosters.add(
        connection, "roster_shift", {**same, **times, **days, "person_id": person, "zone_id": zone["id"]}
    )
    await note(connection, who, "roster.shift_added", "shift", inner, zone["id"], now, person=person)
    return duties.shift_view(await staff.shift(connection, made))


async def end_shift(
    connection: Connection, who: Who, uid: UUID, request: schemas.EndRequest, now: datetime
) -> schemas.ShiftView:
    """It recurs until a day, which is none before it has begun to. Conflict where somebody else has changed it."""
    row = await _kept(connection, who, "roster_shift", "shift", uid)
    await _end(connection, who, "roster_shift", "shift", row, row["from_date"], request, now)
    return duties.shift_view(await staff.shift(connection, uid))


async def add_rotation(
    connection: Connection, who: Who, uid: UUID, request: schemas.RotationRequest, now: datetime
) -> schemas.RotationView:
    """Persons who take turns in a zone of the planner's."""
    zone = await planned_zone(connection, who, uid)
    persons = [await colleague(connection, zone, request.role, each, now, "persons") for each in request.persons]
    same = request.model_dump(include={"name", "role", "first_day", "hand_over", "turn_days", "position", "to_date"})
    times = {"start_time": request.start, "end_time": request.end, "weekdays": list(request.weekdays)}
    inner, made = await rosters.add(connection, "rotation", {**same, **times, "zone_id": zone["id"]})
    await rosters.add_turns(connection, inner, persons)
    await note(connection, who, "roster.rotation_added", "rotation", inner, zone["id"], now, persons=persons)
    return await _rotation(connection, zone["id"], made)


async def end_rotation(
    connection: Connection, who: Who, uid: UUID, request: schemas.EndRequest, now: datetime
) -> schemas.RotationView:
    """It goes round until a day."""
    row = await _kept(connection, who, "rotation", "rotation", uid)
    await _end(connection, who, "rotation", "rotation", row, row["first_day"], request, now)
    return await _rotation(connection, row["zone_id"], uid)


async def _rotation(connection: Connection, zone_id: int, uid: UUID) -> schemas.RotationView:
    (row,) = [each for each in await rosters.rotations(connection, zone_id) if each["uid"] == uid]
    return duties.rotation_view(row, await duties.shown(connection, row))


async def _end(
    connection: Connection,
    who: Who,
    table: str,
    noun: str,
    row: Row,
    first: Any,
    request: schemas.EndRequest,
    now: datetime,
) -> None:
    if request.last_day < first:
        raise Invalid("last_day", f"it begins on {first.isoformat()}", "give that day or a later one")
    await change(connection, table, row, request.version, {"to_date": request.last_day})
    await note(connection, who, f"roster.{noun}_ended", noun, row["id"], row["zone_id"], now)


# Overrides ------------------------------------------------------------------------------------------------------------


async def add_override(
    connection: Connection, who: Who, uid: UUID, request: schemas.OverrideRequest, now: datetime, local: ZoneInfo
) -> schemas.OverrideView:
    """One on duty more, less, or by another. Conflict where that makes no sense."""
    zone = await planned_zone(connection, who, uid)
    _still_to_come(request.ends, now, "ends")
    at = max(request.begins, now)
    leaves = comes = None
    if request.leaves is not None:
        leaves = await colleague(connection, zone, request.role, request.leaves, at, "leaves")
    if request.comes is not None:
        comes = await colleague(connection, zone, request.role, request.comes, at, "comes")
    part = Part(leaves, comes, request.begins, request.ends)
    await _check(connection, zone, request.role, Change(Layer.OVERRIDE, (part,), request.position), local)
    inner, made = await rosters.add(
        connection,
        "roster_override",
        {
            "zone_id": zone["id"],
            "role": request.role,
            "leaves_id": leaves,
            "comes_id": comes,
            "during": (request.begins, request.ends),
            "position": request.position,
            "created_at": now,
            "created_by": who.person_id,
        },
    )
    told: dict[str, Any] = {"leaves": leaves, "comes": comes}
    await note(connection, who, "roster.override_added", "override", inner, zone["id"], now, **told)
    return await _override(connection, made, zone)


async def withdraw_override(
    connection: Connection, who: Who, uid: UUID, request: schemas.VersionRequest, now: datetime
) -> schemas.OverrideView:
    """As if it had never been decided."""
    row = await _kept(connection, who, "roster_override", "override", uid)
    if row["withdrawn_at"] is not None:
        raise Conflict("withdrawn", "it is withdrawn already", "nothing has to be done")
    await change(connection, "roster_override", row, request.version, {"withdrawn_at": now})
    await note(connection, who, "roster.override_withdrawn", "override", row["id"], row["zone_id"], now)
    return await _override(connection, uid, row["zone"])


async def _override(connection: Connection, uid: UUID, zone: Row) -> schemas.OverrideView:
    row = await find(connection, "roster_override", "override", uid)
    return duties.override_view(_with_zone(row, zone), await duties.shown(connection, row))


# Swaps ----------------------------------------------------------------------------------------------------------------


async def propose_swap(
    connection: Connection, who: Who, uid: UUID, request: schemas.SwapRequest, now: datetime, local: ZoneInfo
) -> schemas.SwapView:
    """Two exchange what they serve, once the other accepts. NotAllowed for others' shifts, but for those who plan."""
    zone = await duties.own_zone(connection, who, uid)
    await rosters.lock_zone(connection, zone["id"])
    own = request.asks is None or request.asks == who.uid
    if not own and not duties.plans_in(who, zone["id"]):
        raise NotAllowed(
            "not_yours", "others' shifts are swapped by themselves, or by a lead", "propose one of your own"
        )
    _still_to_come(min(request.mine.begins, request.theirs.begins), now, "begins")
    asks = await colleague(connection, zone, request.role, request.asks or who.uid, request.mine.begins, "asks")
    gives = await colleague(connection, zone, request.role, request.other, request.theirs.begins, "other")
    mine, theirs = (request.mine.begins, request.mine.ends), (request.theirs.begins, request.theirs.ends)
    await _check(connection, zone, request.role, _swap(asks, gives, mine, theirs), local)
    inner, made = await rosters.add(
        connection,
        "roster_swap",
        {
            "zone_id": zone["id"],
            "role": request.role,
            "asks_id": asks,
            "asks_during": mine,
            "gives_id": gives,
            "gives_during": theirs,
            "state": "proposed",
            "created_at": now,
            "created_by": who.person_id,
        },
    )
    told: dict[str, Any] = {"asks": asks, "gives": gives}
    await note(connection, who, "roster.swap_proposed", "swap", inner, zone["id"], now, **told)
    return await _swap_shown(connection, who, made, zone)


async def answer_swap(
    connection: Connection, who: Who, uid: UUID, request: schemas.SwapAnswer, now: datetime, local: ZoneInfo
) -> schemas.SwapView:
    """Accepted, it holds if it still makes sense. NotAllowed for whoever it does not concern."""
    row = await find(connection, "roster_swap", "swap", uid)
    zone = await _zone_of(connection, row)
    if row["zone_id"] not in who.zone_ids:
        raise NotFound("swap", "there is no such swap, or it is not in a zone of yours")
    await rosters.lock_zone(connection, zone["id"])
    row = await find(connection, "roster_swap", "swap", uid)
    if request.answer not in duties.answers(row, who):
        if row["state"] in ("declined", "withdrawn") or (row["state"] == "accepted" and request.answer == "accept"):
            raise Conflict("answered", f"it is {row['state']} already", "look at it again")
        raise NotAllowed("not_yours", f"it is not for you to {request.answer} this swap", "ask whoever it concerns")
    if request.answer == "accept":
        _still_to_come(min(row["asks_begins"], row["gives_begins"]), now, "begins")
        mine, theirs = (row["asks_begins"], row["asks_ends"]), (row["gives_begins"], row["gives_ends"])
        await _check(connection, zone, row["role"], _swap(row["asks_id"], row["gives_id"], mine, theirs), local)
    state = {"accept": "accepted", "decline": "declined", "withdraw": "withdrawn"}[request.answer]
    await change(connection, "roster_swap", row, request.version, {"state": state, "answered_at": now})
    await note(connection, who, f"roster.swap_{state}", "swap", row["id"], row["zone_id"], now)
    return await _swap_shown(connection, who, uid, zone)


def _swap(asks: int, gives: int, mine: tuple[datetime, datetime], theirs: tuple[datetime, datetime]) -> Change:
    return Change(Layer.SWAP, (Part(asks, gives, *mine), Part(gives, asks, *theirs)))


async def _swap_shown(connection: Connection, who: Who, uid: UUID, zone: Row) -> schemas.SwapView:
    row = await find(connection, "roster_swap", "swap", uid)
    return duties.swap_view(_with_zone(row, zone), await duties.shown(connection, row), who)


# Check-in -------------------------------------------------------------------------------------------------------------


async def set_check_in(
    connection: Connection, who: Who, uid: UUID, request: schemas.CheckInSetting, now: datetime, local: ZoneInfo
) -> schemas.RosterView:
    """Whether whoever serves in a zone, and below it, has to check in."""
    zone = await planned_zone(connection, who, uid)
    await checkins.set_grace(connection, zone["id"], request.minutes, now, tests=request.tests)
    told: dict[str, Any] = {"minutes": request.minutes, "tests": request.tests}
    await note(connection, who, "roster.check_in_set", "zone", zone["id"], zone["id"], now, **told)
    return await duties.roster(connection, who, uid, now, local)


# Parts ----------------------------------------------------------------------------------------------------------------


async def planned_zone(connection: Connection, who: Who, uid: UUID) -> dict[str, Any]:
    """A zone that they plan, locked, else NotFound."""
    row = await zones.find(connection, uid)
    if row is None or not duties.plans_in(who, row["id"]):
        raise NotFound("zone", "there is no such zone, or you do not plan its roster", "choose one that you lead")
    await rosters.lock_zone(connection, row["id"])
    return row


async def _kept(connection: Connection, who: Who, table: str, noun: str, uid: UUID) -> dict[str, Any]:
    """Something of a zone that they plan, and its zone, locked; else NotFound."""
    row = await find(connection, table, noun, uid)
    if not duties.plans_in(who, row["zone_id"]):
        raise NotFound(noun, "there is no such thing, or you do not plan its zone's roster")
    await rosters.lock_zone(connection, row["zone_id"])
    return {**await find(connection, table, noun, uid), "zone": await _zone_of(connection, row)}


async def find(connection: Connection, table: str, noun: str, uid: UUID) -> dict[str, Any]:
    """A row as it is, else NotFound."""
    row = await rosters.find(connection, table, uid)
    if row is None:
        raise NotFound(noun, "there is no such thing, or it is not in a zone of yours")
    return row


async def _zone_of(connection: Connection, row: Row) -> Row:
    (zone,) = await zones.named(connection, [row["zone_id"]])
    return zone


def _with_zone(row: Row, zone: Row) -> dict[str, Any]:
    return {**row, "zone_uid": zone["uid"], "zone": zone["name"]}


async def colleague(connection: Connection, zone: Row, role: str, uid: UUID, at: datetime, field: str) -> int:
    """Somebody who has the role in a zone or around it at a time. Invalid for anybody else."""
    for each in await people.colleagues(connection, zone["id"], (role,), at, reachable=False):
        if each.uid == uid:
            return each.id
    raise Invalid(field, "they do not work in this zone then, or not in this role", "choose one of its staff")


async def _check(connection: Connection, zone: Row, role: str, change: Change, local: ZoneInfo) -> None:
    """Conflict where a change makes no sense."""
    since, until = min(each.begins for each in change.parts), max(each.ends for each in change.parts)
    found = await people.roster(connection, zone["id"], since, until)
    reason = unfit(found.plan(role), change, local)
    if reason is not None:
        raise Conflict(reason, *WHY_NOT[reason])


async def change(connection: Connection, table: str, row: Row, version: int, values: Mapping[str, Any]) -> None:
    """Conflict where a row is not as it was in that version."""
    if not await rosters.change(connection, table, row["id"], version, values):
        raise stale()


def stale() -> Conflict:
    return Conflict("stale", "somebody else has changed it since you looked", "look at it again")


def _still_to_come(at: datetime, now: datetime, field: str) -> None:
    if at <= now:
        raise Invalid(field, f"{at.isoformat()} is over or has begun", "give a time that is still to come")


async def note(
    connection: Connection,
    who: Who,
    action: str,
    noun: str,
    id_: int,
    zone: int | None,
    now: datetime,
    whose: Collection[int | None] = (),
    **told: Any,
) -> None:
    """In the audit; whoever is missed at check-in is looked for anew, whom policies will reach too, and screens that show the zone
    are told. ``whose``: persons that it is about and that the audit does not name."""
    params = {"zone": zone, **told} if zone is not None else told
    await audit.add(connection, now, (Audited(action, noun, id_, who.person_id, params),))
    named = [told.get(name) for name in ("person", "cover", "leaves", "comes", "asks", "gives")]
    concerned = {each for each in (*named, *whose) if each is not None}
    if zone is None:
        await checkins.look_again_for(connection, concerned, now)
    else:
        await checkins.look_again(connection, [zone], now)
    await outlook.look_at(connection, now)
    zones_ = frozenset[int]() if zone is None else frozenset({zone})
    await audit.announce(connection, Changed(zones_, frozenset({who.person_id, *concerned})))
