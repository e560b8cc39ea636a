"""Teaming: the teams that policies call. They are kept by leads and administrators of their zone, and seen from there, from below
and from above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.rulebook import Rulebook
from gateway.access import POLICY_MAKERS, Role, Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotAllowed, NotFound
from gateway.policing import sees, stale
from gateway.store import audit, outlook, policies, teams, zones
from gateway.store.audit import Audited
from gateway.store.db import Connection

Row = Mapping[str, Any]
MOST_TOLD = 5


async def team_list(connection: Connection, who: Who, book: Rulebook) -> list[schemas.TeamView]:
    """The teams of the reader's zones, and of those around them."""
    around = {zone for each in who.zone_ids for zone in book.ancestry.get(each, ())}
    return await _teams(connection, who, await teams.listed(connection, {*around, *who.zone_ids}))


async def team(connection: Connection, who: Who, uid: UUID, book: Rulebook) -> schemas.TeamView:
    """One of them, withdrawn or not; else NotFound."""
    return (await _teams(connection, who, [await _team(connection, who, uid, book)]))[0]


async def add_team(
    connection: Connection, who: Who, request: schemas.TeamRequest, book: Rulebook, now: datetime
) -> schemas.TeamView:
    """NotFound, NotAllowed, Invalid or Conflict, with the reason, when it cannot be made."""
    row = await zones.find(connection, request.zone)
    if row is None:
        raise NotFound("zone", "there is no such zone", "choose one of yours")
    _require_team_right(who, row["id"])
    members = await _members(connection, who, request.members, row["id"], book, now)
    uid = await teams.add(connection, row["id"], request.name.strip(), members)
    if uid is None:
        raise Conflict("name", "the zone has a team of this name", "change that one, or choose another name")
    return await _team_set(connection, who, uid, "team.set", now)


async def change_team(
    connection: Connection, who: Who, uid: UUID, request: schemas.TeamChange, book: Rulebook, now: datetime
) -> schemas.TeamView:
    """Who is in it from now on; alerts that climb follow at their next step."""
    row = await _team(connection, who, uid, book)
    _require_team_right(who, row["zone_id"])
    members = await _members(connection, who, request.members, row["zone_id"], book, now)
    if await teams.is_taken(connection, row["zone_id"], request.name.strip(), row["id"]):
        raise Conflict("name", "the zone has a team of this name", "choose another name")
    if not await teams.change(connection, row["id"], request.name.strip(), members, request.version):
        raise stale()
    return await _team_set(connection, who, uid, "team.set", now)


async def withdraw_team(
    connection: Connection, who: Who, uid: UUID, version: int, book: Rulebook, now: datetime
) -> schemas.TeamView:
    """Conflict while a policy calls it."""
    row = await _team(connection, who, uid, book)
    _require_team_right(who, row["zone_id"])
    calling = await teams.called_by(connection, uid)
    if calling:
        rows = (await policies.by_ids(connection, calling)).values()
        raise _in_use(sorted(row["name"] for row in rows if sees(who, row, book)), len(calling))
    if not await teams.withdraw(connection, row["id"], version):
        raise stale()
    return await _team_set(connection, who, uid, "team.withdrawn", now)


def _in_use(seen: Sequence[str], every: int) -> Conflict:
    """Names what the reader may see, and how many others there are."""
    told = list(seen[:MOST_TOLD])
    if every > len(told):
        told.append(f"{every - len(told)} more")
    return Conflict("in_use", f"policies call this team: {', '.join(told)}", "change them first")


async def _team(connection: Connection, who: Who, uid: UUID, book: Rulebook) -> dict[str, Any]:
    row = await teams.find(connection, uid)
    around = {zone for each in who.zone_ids for zone in book.ancestry.get(each, ())}
    if row is None or row["zone_id"] not in around | who.zone_ids:
        raise NotFound("team", "there is no such team, or it is not in a zone of yours", "choose one from the list")
    return row


def _require_team_right(who: Who, zone_id: int) -> None:
    who.require(POLICY_MAKERS)
    if zone_id not in who.zones_as(POLICY_MAKERS):
        raise NotAllowed("zone", "you may not keep teams here", "ask a lead or an administrator of the zone")


async def _members(
    connection: Connection,
    who: Who,
    asked: Sequence[schemas.MemberRequest],
    zone_id: int,
    book: Rulebook,
    now: datetime,
) -> list[teams.Membership]:
    """Invalid for somebody whom the team cannot have, twice the same person, or a time that ends before it begins."""
    nearby = sorted({*who.zones_as(POLICY_MAKERS), *book.ancestry.get(zone_id, ())})
    staff = {row["uid"]: row["id"] for row in await policies.staff_of(connection, nearby, list(Role), now)}
    if len({each.person for each in asked}) != len(asked):
        raise Invalid("members", "somebody is named twice", "name each person once")
    made: list[teams.Membership] = []
    for each in asked:
        since = each.since or now
        if each.person not in staff:
            raise Invalid("members", f"there is no member of staff {each.person}, or not there", "choose one of yours")
        if each.until is not None and each.until <= since:
            raise Invalid("members", "somebody would leave before they come", "put `until` after `since`")
        made.append(teams.Membership(staff[each.person], since, each.until))
    return made


async def _team_set(connection: Connection, who: Who, uid: UUID, action: str, now: datetime) -> schemas.TeamView:
    row = await teams.find(connection, uid) or {}
    (view,) = await _teams(connection, who, [row])
    members = [each["person_id"] for each in await teams.members(connection, [row["id"]])]
    told = {"zone_id": row["zone_id"], "version": row["version"], "members": members}
    await audit.add(connection, now, (Audited(action, "team", row["id"], who.person_id, told),))
    await outlook.look_at(connection, now)
    return view


async def _teams(connection: Connection, who: Who, rows: Sequence[Row]) -> list[schemas.TeamView]:
    members = await teams.members(connection, [row["id"] for row in rows])
    return [
        schemas.TeamView(
            id=row["uid"],
            name=row["name"],
            zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
            version=row["version"],
            withdrawn=row["withdrawn"],
            members=[
                schemas.MemberView(
                    person=schemas.PersonRef(id=each["uid"], name=each["name"]),
                    since=each["since"],
                    until=each["until"],
                )
                for each in members
                if each["team_id"] == row["id"]
            ],
            may_change=not row["withdrawn"] and row["zone_id"] in who.zones_as(POLICY_MAKERS),
        )
        for row in rows
    ]
