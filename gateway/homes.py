"""Homes: residents and dwellings, as they are looked at and kept.

Who sees and changes them
    Whoever has a role in a zone sees the homes there; whose birth and what is noted about them is for care staff. Leads,
    technical services and administrators of a zone keep the register there. Where nobody lives any more, the last home
    says whose zone it is. Every look at a resident is in the audit, and every change: what was changed, never to what.

A move is told when it has happened, at the earliest: what waits follows at once, and nothing has to wait for a day to come.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from alerts.model import Track
from gateway import cursors, fitting, keeping, reading, silencelist
from gateway.access import ANYBODY, KEEPERS, TRACKS, Role, Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotAllowed, NotFound
from gateway.store import audit, duesilences, homes, views, zones
from gateway.store.audit import Audited
from gateway.store.db import Connection
from gateway.store.homes import HomeSearch
from gateway.store.views import AlertSearch

CARE = frozenset(role for role in Role if Track.CARE in TRACKS[role])
MANY = 50
Row = Mapping[str, Any]

# Looking --------------------------------------------------------------------------------------------------------------


async def resident_page(
    connection: Connection, who: Who, query: schemas.ResidentQuery, now: datetime
) -> schemas.ResidentPage:
    """Residents whose home is in a zone of the reader's."""
    asked = HomeSearch(who.zones_as(ANYBODY), query.q.strip(), query.zone)
    after = await cursors.row(query.cursor, lambda uid: homes.resident(connection, uid, asked.zones, now))
    rows = await homes.residents(connection, asked, now, after, query.limit + 1)
    shown = rows[: query.limit]
    await audit.note_shown(connection, now, who.person_id, [row["id"] for row in shown])
    return schemas.ResidentPage(
        residents=[_resident(row, who) for row in shown], next_cursor=_following(rows, query.limit)
    )


async def resident_detail(connection: Connection, who: Who, uid: UUID, now: datetime) -> schemas.ResidentDetail:
    """One of them, with where they lived, what is fitted for them, and open alerts. NotFound for those of other zones."""
    row = await _find_resident(connection, who, uid, ANYBODY, now)
    await audit.add(connection, now, (Audited("resident.viewed", "resident", row["id"], who.person_id),))
    return await _resident_detail(connection, who, row, now)


async def dwelling_page(connection: Connection, who: Who, query: schemas.DwellingQuery) -> schemas.DwellingPage:
    """Dwellings in the reader's zones."""
    asked = HomeSearch(who.zones_as(ANYBODY), query.q.strip(), query.zone)
    after = await cursors.row(query.cursor, lambda uid: homes.dwelling(connection, uid, asked.zones))
    rows = await homes.dwellings(connection, asked, after, query.limit + 1)
    return schemas.DwellingPage(
        dwellings=[_dwelling(row) for row in rows[: query.limit]], next_cursor=_following(rows, query.limit)
    )


async def dwelling_detail(connection: Connection, who: Who, uid: UUID, now: datetime) -> schemas.DwellingDetail:
    """One of them, with who lives there and what is fitted. NotFound for those of other zones."""
    row = await keeping.dwelling(connection, who, uid, ANYBODY)
    living = await homes.living_in(connection, row["id"], now)
    await audit.note_shown(connection, now, who.person_id, [each["id"] for each in living])
    return schemas.DwellingDetail(
        **_dwelling(row).model_dump(),
        residents=[schemas.Named(id=each["uid"], name=each["name"]) for each in living],
        devices=[_fitted(each) for each in await homes.fitted_in(connection, row["id"], now)],
    )


# Residents ------------------------------------------------------------------------------------------------------------


async def add_resident(
    connection: Connection, who: Who, request: schemas.ResidentRequest, now: datetime
) -> schemas.ResidentDetail:
    """Somebody new, who lives somewhere. NotFound or Invalid when that cannot be."""
    dwelling = await keeping.dwelling(connection, who, request.dwelling, KEEPERS)
    at = keeping.happened(request.since, now, "since")
    _require_born(request.born, now)
    await homes.lock_dwellings(connection, [dwelling["id"]])
    inner, uid = await homes.add_resident(connection, request.model_dump(include={"name", "phone", "born", "notes"}))
    await homes.move_in(connection, inner, dwelling["id"], at, now)
    await _note(connection, who, "resident.added", inner, now, dwelling=dwelling["id"])
    return await _shown(connection, who, uid, now)


async def change_resident(
    connection: Connection, who: Who, uid: UUID, change: schemas.ResidentChange, now: datetime
) -> schemas.ResidentDetail:
    """Another name, telephone, birth or note. NotAllowed for who may not read what they would write over."""
    row = await _find_resident(connection, who, uid, KEEPERS, now)
    given = {name: value for name, value in change.model_dump(exclude_unset=True).items() if _is_given(name, value)}
    if given.keys() & {"born", "notes"} and not _cares(who, row):
        raise NotAllowed("care", "birth and notes are for care staff", "ask a lead of the zone")
    _require_born(change.born, now)
    await homes.change_resident(connection, row["id"], given)
    await _note(connection, who, "resident.changed", row["id"], now, fields=sorted(given))
    return await _shown(connection, who, uid, now)


async def move_in(
    connection: Connection, who: Who, uid: UUID, request: schemas.MoveIn, now: datetime, zone: tzinfo
) -> schemas.ResidentDetail:
    """Somebody lives in another dwelling from a time on, and not where they lived. Conflict where that overlaps."""
    row = await _locked(connection, who, uid, now)
    dwelling = await keeping.dwelling(connection, who, request.dwelling, KEEPERS)
    at = keeping.happened(request.at, now, "at")
    before = await _only_current(connection, who, row["id"], at)
    if before is not None and before["dwelling_id"] == dwelling["id"]:
        raise Conflict("lives_there", "they live there already", "choose another dwelling")
    await homes.lock_dwellings(connection, [dwelling["id"], *([before["dwelling_id"]] if before else [])])
    along = []
    if before is not None:
        if request.with_devices:
            along = await homes.fittings_of(connection, row["id"], before["dwelling_id"], at)
        await homes.move_out(connection, before["id"], before["dwelling_id"], at, now)
    await homes.move_in(connection, row["id"], dwelling["id"], at, now)
    for each in along:
        await fitting.moved_along(connection, who, each, dwelling["id"], row["id"], at, now, zone)
    await duesilences.look_again(connection, row["id"], now)
    told = {"from": before["dwelling_id"] if before else None, "dwelling": dwelling["id"], "devices": len(along)}
    await _note(connection, who, "resident.moved", row["id"], now, **told)
    return await _shown(connection, who, uid, now)


async def move_out(
    connection: Connection, who: Who, uid: UUID, request: schemas.MoveOut, now: datetime
) -> schemas.ResidentDetail:
    """Somebody lives nowhere that we know from a time on. What is fitted for them stays fitted until it is taken down."""
    row = await _locked(connection, who, uid, now)
    at = keeping.happened(request.at, now, "at")
    before = await _only_current(connection, who, row["id"], at)
    if before is None:
        raise Conflict("lives_nowhere", "they do not live anywhere at that time", "give a time at which they did")
    await homes.lock_dwellings(connection, [before["dwelling_id"]])
    await homes.move_out(connection, before["id"], before["dwelling_id"], at, now)
    await _note(connection, who, "resident.moved_out", row["id"], now, dwelling=before["dwelling_id"])
    return await _shown(connection, who, uid, now)


# Dwellings ------------------------------------------------------------------------------------------------------------


async def add_dwelling(
    connection: Connection, who: Who, request: schemas.DwellingRequest, now: datetime
) -> schemas.DwellingDetail:
    """A new dwelling in a zone that the keeper covers."""
    zone = await _find_zone(connection, who, request.zone)
    inner, uid = await homes.add_dwelling(connection, zone["id"], request.model_dump(exclude={"zone"}))
    await _note(connection, who, "dwelling.added", inner, now, "dwelling", zone=zone["id"])
    return await dwelling_detail(connection, who, uid, now)


async def change_dwelling(
    connection: Connection, who: Who, uid: UUID, change: schemas.DwellingChange, now: datetime
) -> schemas.DwellingDetail:
    """Another address (written another way: who moves lives in another dwelling), way in, place or zone."""
    row = await keeping.dwelling(connection, who, uid, KEEPERS)
    zone = await _find_zone(connection, who, change.zone) if change.zone is not None else None
    given = change.model_dump(exclude_unset=True, exclude={"zone"})
    given = {name: value for name, value in given.items() if value is not None or name in ("latitude", "longitude")}
    await homes.change_dwelling(connection, row["id"], given, zone["id"] if zone else None, now)
    fields = sorted({*given, *({"zone"} if zone else ())})
    await _note(connection, who, "dwelling.changed", row["id"], now, "dwelling", fields=fields)
    return await dwelling_detail(connection, who, uid, now)


# Parts ----------------------------------------------------------------------------------------------------------------


async def _only_current(connection: Connection, who: Who, resident_id: int, at: datetime) -> dict[str, Any] | None:
    """The residency that a time is in, and that nothing follows. Conflict with what is in the way."""
    found = await homes.in_the_way(connection, resident_id, at)
    current = next((each for each in found if each["since"] is None or each["since"] < at), None)
    for each in found:
        if each is not current or each["until"] is not None:
            where = each["address"] if each["zone_id"] in who.zone_ids else "another zone"
            until = f" until {each['until'].isoformat()}" if each["until"] else ""
            raise Conflict(
                "overlap",
                f"in the way: they live in {where} from {each['since'].isoformat() if each['since'] else 'always'}{until}",
                "give a later time",
            )
    return current


async def _find_resident(
    connection: Connection, who: Who, uid: UUID, roles: Collection[Role], now: datetime
) -> dict[str, Any]:
    row = await homes.resident(connection, uid, who.zones_as(frozenset(roles)), now)
    if row is None:
        raise NotFound("resident", "there is no such resident, or they do not live in a zone of yours")
    return row


async def _locked(connection: Connection, who: Who, uid: UUID, now: datetime) -> dict[str, Any]:
    """A resident that they keep, as they live once nobody else moves them."""
    row = await _find_resident(connection, who, uid, KEEPERS, now)
    await homes.lock_resident(connection, row["id"])
    return await _find_resident(connection, who, uid, KEEPERS, now)


async def _find_zone(connection: Connection, who: Who, uid: UUID) -> dict[str, Any]:
    row = await zones.find(connection, uid)
    if row is None or row["id"] not in who.zones_as(KEEPERS):
        raise NotFound("zone", "there is no such zone, or it is not one of yours", "choose one of yours")
    return row


async def _shown(connection: Connection, who: Who, uid: UUID, now: datetime) -> schemas.ResidentDetail:
    """As it is after a change; where it moved to is a zone of whoever changed it."""
    return await _resident_detail(connection, who, await _find_resident(connection, who, uid, ANYBODY, now), now)


async def _resident_detail(connection: Connection, who: Who, row: Row, now: datetime) -> schemas.ResidentDetail:
    alerts = await views.open_alerts(connection, who.sight, AlertSearch(resident=row["uid"]), None, MANY)
    cares = _cares(who, row)
    return schemas.ResidentDetail(
        **_resident(row, who).model_dump(),
        born=row["born"] if cares else None,
        notes=row["notes"] if cares else None,
        residencies=[
            _residency(each)
            for each in await homes.residencies(connection, row["id"])
            if each["zone_id"] in who.zone_ids
        ],
        devices=[
            _fitted(each)
            for each in await homes.fitted_for(connection, row["id"], now)
            if each["zone_id"] in who.zone_ids
        ],
        alerts=await reading.summaries(connection, who, alerts, now),
        silences=await silencelist.of_resident(connection, who, row["id"], now),
    )


def _cares(who: Who, row: Row) -> bool:
    return bool(who.roles_in.get(row["zone_id"], frozenset()) & CARE)


def _is_given(name: str, value: object) -> bool:
    """None means to leave it, but for what there need not be."""
    return value is not None or name == "born"


def _require_born(born: Any, now: datetime) -> None:
    if born is not None and not 1850 <= born.year <= now.year:
        raise Invalid("born", "nobody alive was born then", "give the date of birth, or leave it out")


async def _note(
    connection: Connection, who: Who, action: str, id_: int, now: datetime, object_: str = "resident", **told: Any
) -> None:
    await audit.add(connection, now, (Audited(action, object_, id_, who.person_id, told),))


def _resident(row: Row, who: Who) -> schemas.ResidentItem:
    home = schemas.Named(id=row["dwelling_uid"], name=row["address"]) if row["lives"] else None
    zone = schemas.Named(id=row["zone_uid"], name=row["zone"])
    away = row["away_until"] if _cares(who, row) else None
    return schemas.ResidentItem(
        id=row["uid"], name=row["name"], phone=row["phone"], home=home, zone=zone, away_until=away
    )


def _residency(row: Row) -> schemas.ResidencyView:
    return schemas.ResidencyView(
        dwelling=schemas.Named(id=row["dwelling_uid"], name=row["address"]),
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        since=row["since"],
        until=row["until"],
    )


def _dwelling(row: Row) -> schemas.DwellingItem:
    same = ("address", "postal_code", "city", "access", "latitude", "longitude")
    zone = schemas.Named(id=row["zone_uid"], name=row["zone"])
    return schemas.DwellingItem(id=row["uid"], zone=zone, **{name: row[name] for name in same})


def _fitted(row: Row) -> schemas.FittedView:
    same = ("kind", "address", "placed", "since", "last_seen", "online")
    dwelling = schemas.Named(id=row["dwelling_uid"], name=row["dwelling"])
    return schemas.FittedView(id=row["uid"], dwelling=dwelling, **{name: row[name] for name in same})


def _following(rows: Sequence[Row], limit: int) -> str | None:
    return str(rows[limit - 1]["uid"]) if len(rows) > limit else None
