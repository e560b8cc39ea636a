"""Fitting: devices are registered, fitted, moved and taken down, and doses planned for them – and what waits follows.

Who may
    Leads, technical services and administrators, each in their zones: a device is where it is fitted, else where its site
    is. A home that it goes to must be theirs, too.

Rules
    A fitting begins and ends when that has happened, never in time to come: what waits follows at once. Ended fittings
    are judged until their end (``watches.due``); the timekeeper opens what a new one has to have.
    Planned doses go along with a device that stays the same resident's; for somebody else they end.
    Nothing overlaps: what is in the way is named. The audit has it all in the same transaction, as ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from alerts.rulebook import Rulebook
from alerts.rules.dose import Dose
from alerts.schedule import ONE_DAY, DosePlan, local
from alerts.schedule import doses as planned
from devices.dialects import dialects
from devices.kinds import kinds
from gateway import keeping, observing, ruling
from gateway.access import KEEPERS, OVERSEERS, Role, Who
from gateway.api import schemas
from gateway.doses import open_doses
from gateway.errors import Conflict, Invalid, NotFound
from gateway.store import audit, devices, fittings, watches
from gateway.store.audit import Audited
from gateway.store.db import Connection

A_DAY = timedelta(days=1)
Row = Mapping[str, Any]


async def register(
    connection: Connection, who: Who, request: schemas.DeviceRequest, now: datetime
) -> schemas.DeviceItem:
    """A device is known from now on. NotFound, Invalid, or Conflict where it is known already."""
    site = await fittings.site_for(connection, request.site)
    if site is None or site["zone_id"] not in who.zones_as(KEEPERS):
        raise NotFound("site", "there is no such site, or it is not in a zone of yours", "choose one of yours")
    if request.kind not in kinds():
        raise Invalid("kind", f"there is no kind {request.kind!r}", f"one of: {', '.join(sorted(kinds()))}")
    if request.ecosystem not in dialects():
        raise Invalid("ecosystem", f"{request.ecosystem!r} is not spoken here", f"one of: {', '.join(dialects())}")
    there = await fittings.at_address(connection, site["id"], request.ecosystem, request.address)
    made = await fittings.register(
        connection,
        site["id"],
        request.ecosystem,
        request.address,
        request.kind,
        request.model,
        request.silent_after_seconds,
    )
    if made is None:
        known = await fittings.at_address(connection, site["id"], request.ecosystem, request.address)
        as_what = f", as {known['uid']}" if known else ""
        raise Conflict("known", f"the device is registered already{as_what}", "change or fit that one")
    inner, uid = made
    await _note(connection, who, "device.registered", inner, now, kind=request.kind, spoke_before=there is not None)
    return await _item(connection, who, uid, now)


async def change(
    connection: Connection, who: Who, uid: UUID, wanted: schemas.DeviceChange, now: datetime
) -> schemas.DeviceItem:
    """Another model, or another contract, by which it is judged at once."""
    row = await _locked(connection, who, uid, now)
    if wanted.model is not None:
        await fittings.set_model(connection, row["id"], wanted.model)
    if wanted.silent_after_seconds is not None:
        await fittings.set_contract(connection, row["id"], wanted.silent_after_seconds or None, now)
    told = {name: value for name, value in wanted.model_dump(exclude_unset=True).items() if name != "model"}
    await _note(connection, who, "device.changed", row["id"], now, **told)
    return await _item(connection, who, uid, now)


# Fittings -------------------------------------------------------------------------------------------------------------


async def fit(
    connection: Connection, who: Who, uid: UUID, request: schemas.FitRequest, now: datetime
) -> schemas.FittingView:
    """A device that is fitted nowhere is fitted. Conflict with what is in the way."""
    row = await _locked(connection, who, uid, now)
    at = keeping.happened(request.since, now, "since")
    dwelling, resident = await _place(connection, who, request, at)
    for each in await fittings.in_the_way(connection, row["id"], at):
        raise _in_the_way(each, who)
    made = await devices.move(connection, row["id"], dwelling, resident, at, request.placed)
    await _note(connection, who, "device.fitted", row["id"], now, dwelling=dwelling, resident=resident)
    return await _fitting(connection, who, made, now)


async def move(
    connection: Connection, who: Who, uid: UUID, request: schemas.FitRequest, now: datetime, zone: tzinfo
) -> schemas.FittingView:
    """A device is fitted somewhere else. Conflict where it is fitted nowhere, or with what is in the way."""
    row = await _locked(connection, who, uid, now)
    at = keeping.happened(request.since, now, "since")
    dwelling, resident = await _place(connection, who, request, at)
    before = await _current(connection, who, row["id"], at)
    made = await devices.move(connection, row["id"], dwelling, resident, at, request.placed)
    same = resident == before["resident_id"] and (resident is not None or dwelling == before["dwelling_id"])
    along = await _doses_along(connection, row["id"], made, at, now, zone) if same else 0
    await _note_moved(connection, who, row["id"], now, dwelling, resident, along)
    return (await _fitting(connection, who, made, now)).model_copy(update={"doses": along})


async def take_down(
    connection: Connection, who: Who, uid: UUID, request: schemas.TakeDown, now: datetime
) -> schemas.FittingView:
    """A device is fitted nowhere any more; what waits for it there ends with it. Conflict where it is fitted nowhere."""
    row = await _locked(connection, who, uid, now)
    at = keeping.happened(request.at, now, "at")
    before = await _current(connection, who, row["id"], at)
    await devices.take_down(connection, row["id"], at)
    await _note(connection, who, "device.taken_down", row["id"], now, dwelling=before["dwelling_id"])
    return await _fitting(connection, who, before["uid"], now)


async def moved_along(
    connection: Connection,
    who: Who,
    fitted: Row,
    dwelling: int,
    resident: int,
    at: datetime,
    now: datetime,
    zone: tzinfo,
) -> None:
    """What is fitted for somebody goes with them into another dwelling."""
    await fittings.lock(connection, fitted["device_id"])
    current = await _current(connection, who, fitted["device_id"], at)
    if current["resident_id"] != resident:  # somebody else has it since we looked
        raise _in_the_way(current, who)
    made = await devices.move(connection, fitted["device_id"], dwelling, resident, at, fitted["placed"])
    along = await _doses_along(connection, fitted["device_id"], made, at, now, zone)
    await _note_moved(connection, who, fitted["device_id"], now, dwelling, resident, along)


# Doses ----------------------------------------------------------------------------------------------------------------


async def doses(connection: Connection, who: Who, uid: UUID, now: datetime, zone: tzinfo) -> schemas.DoseList:
    """The doses that are planned for a device as it is fitted now."""
    row = await _device(connection, who, uid, OVERSEERS, now)
    found = await _doses_of(connection, row, now, zone)
    (subject,) = await devices.subjects_at(connection, [(row["id"], now)])
    await ruling.note_residents(connection, who, [subject.resident_id], now)
    return schemas.DoseList(doses=[_dose(each, now, zone) for each in found])


async def set_dose(
    connection: Connection, who: Who, uid: UUID, request: schemas.DoseRequest, now: datetime, book: Rulebook
) -> schemas.DoseView:
    """A dose is planned, and its next time waited for. Conflict where it is fitted nowhere, or with a dose in the way."""
    row = await _locked(connection, who, uid, now)
    if not any(isinstance(rule.spec, Dose) for rule in book.rules.get(row["kind"], ())):
        raise Invalid("device", f"nobody waits for doses of a {row['kind']}", "choose a medicine dispenser")
    if row["installation_id"] is None:
        raise Conflict("unfitted", "the device is fitted nowhere now", "fit it first")
    since = request.from_date or now.astimezone(book.local).date()
    if request.to_date is not None and request.to_date < since:
        raise Invalid("to_date", f"{request.to_date} is before {since}", "give a later day, or leave it out")
    days = (since, request.to_date)
    there = await fittings.dose_in_the_way(
        connection, row["installation_id"], request.local_time, request.weekdays, *days
    )
    if there is not None:
        raise Conflict("overlap", f"in the way: the dose {there['uid']} at the same time", "end that one first")
    inner, dose_uid = await fittings.add_dose(
        connection, row["installation_id"], request.local_time, request.weekdays, days, request.grace_seconds, now
    )
    await open_doses(connection, await watches.schedules_of(connection, [row["id"]], now), now, book)
    await _note(connection, who, "dose.set", inner, now, "dose_schedule", device=row["id"])
    return _dose(await _found_dose(connection, dose_uid, now), now, book.local)


async def end_dose(
    connection: Connection, who: Who, uid: UUID, request: schemas.DoseEnd, now: datetime, zone: tzinfo
) -> schemas.DoseView:
    """A dose has a last day; what was waited for after it is not any more. Conflict where it is over already."""
    device = (await _found_dose(connection, uid, now))["device_uid"]
    if await observing.shown(connection, who, device, KEEPERS, now) is None:
        raise _no_dose()
    row = await _locked(connection, who, device, now)
    found = await _found_dose(connection, uid, now)
    if not found["fitted"]:
        raise Conflict("over", "the device is not fitted there any more", "nothing has to be done")
    today = now.astimezone(zone).date()
    last_day = request.last_day or today
    if last_day < today - ONE_DAY:
        raise Invalid("last_day", f"the doses after {last_day} were waited for already", "give yesterday or later")
    over = local(last_day + ONE_DAY, time(0), zone)
    if not await fittings.end_dose(connection, found["id"], row["id"], last_day, over):
        raise Conflict("over", f"its last day is {found['to_date']}", "give an earlier day")
    await _note(connection, who, "dose.ended", found["id"], now, "dose_schedule", device=row["id"])
    return _dose({**found, "to_date": last_day}, now, zone)


# Parts ----------------------------------------------------------------------------------------------------------------


async def _device(connection: Connection, who: Who, uid: UUID, roles: frozenset[Role], now: datetime) -> dict[str, Any]:
    row = await observing.shown(connection, who, uid, roles, now)
    if row is None:
        raise NotFound("device", "there is no such device, or it is not in a zone of yours")
    return row


async def _locked(connection: Connection, who: Who, uid: UUID, now: datetime) -> dict[str, Any]:
    """A device that they keep, as it is once nobody else changes it."""
    row = await _device(connection, who, uid, KEEPERS, now)
    await fittings.lock(connection, row["id"])
    return await _device(connection, who, uid, KEEPERS, now)


async def _place(connection: Connection, who: Who, request: schemas.FitRequest, at: datetime) -> tuple[int, int | None]:
    """Dwelling and resident of a fitting. Invalid for somebody who does not live there."""
    dwelling = await keeping.dwelling(connection, who, request.dwelling, KEEPERS)
    if request.resident is None:
        return dwelling["id"], None
    resident = await fittings.lives_in(connection, request.resident, dwelling["id"], at)
    if resident is None:
        raise Invalid(
            "resident", "they do not live in that dwelling at that time", "move them in first, or leave it out"
        )
    return dwelling["id"], resident


async def _current(connection: Connection, who: Who, device_id: int, at: datetime) -> dict[str, Any]:
    """The fitting that a time is in, and that nothing follows. Conflict where there is none, or with what is in the way."""
    found = await fittings.in_the_way(connection, device_id, at)
    current = next((each for each in found if each["since"] is None or each["since"] < at), None)
    for each in found:
        if each is not current or each["until"] is not None:
            raise _in_the_way(each, who)
    if current is None:
        raise Conflict("unfitted", "the device is fitted nowhere at that time", "fit it first")
    return current


def _in_the_way(row: Row, who: Who) -> Conflict:
    where = row["address"] if row["zone_id"] in who.zone_ids else "another zone"
    until = f" until {row['until'].isoformat()}" if row["until"] else ""
    since = row["since"].isoformat() if row["since"] else "always"
    return Conflict(
        "overlap",
        f"in the way: the fitting {row['uid']} in {where} from {since}{until}",
        "move it or take it down, or give a later time",
    )


async def _doses_along(
    connection: Connection, device_id: int, made: UUID, at: datetime, now: datetime, zone: tzinfo
) -> int:
    """What lies further back than a day calls nobody."""
    today = at.astimezone(zone).date()
    return await fittings.take_doses_along(connection, device_id, made, at, max(at, now - A_DAY), today)


async def _doses_of(connection: Connection, row: Row, now: datetime, zone: tzinfo) -> list[dict[str, Any]]:
    if row["installation_id"] is None:
        return []
    return await fittings.doses(connection, row["installation_id"], now, now.astimezone(zone).date())


async def _found_dose(connection: Connection, uid: UUID, now: datetime) -> dict[str, Any]:
    found = await fittings.dose(connection, uid, now)
    if found is None:
        raise _no_dose()
    return found


def _no_dose() -> NotFound:
    return NotFound("dose", "there is no such dose, or it is not in a zone of yours")


async def _item(connection: Connection, who: Who, uid: UUID, now: datetime) -> schemas.DeviceItem:
    row = await _device(connection, who, uid, KEEPERS, now)
    await ruling.note_residents(connection, who, [row["resident_id"]], now)
    return observing.item(row)


async def _fitting(connection: Connection, who: Who, uid: UUID, now: datetime) -> schemas.FittingView:
    row = await fittings.shown(connection, uid)
    if row is None:
        raise LookupError("a fitting is gone")
    await ruling.note_residents(connection, who, [row["resident_id"]], now)
    return schemas.FittingView(
        id=row["uid"],
        device=row["device_uid"],
        dwelling=schemas.Named(id=row["dwelling_uid"], name=row["address"]),
        resident=schemas.Named(id=row["resident_uid"], name=row["resident"]) if row["resident_uid"] else None,
        placed=row["placed"],
        since=row["since"],
        until=row["until"],
    )


def _dose(row: Row, now: datetime, zone: tzinfo) -> schemas.DoseView:
    plan = DosePlan(row["local_time"], frozenset(row["weekdays"]), row["from_date"], row["to_date"])
    return schemas.DoseView(
        id=row["uid"],
        device=row["device_uid"],
        local_time=row["local_time"],
        weekdays=sorted(row["weekdays"]),
        from_date=row["from_date"],
        to_date=row["to_date"],
        grace_seconds=row["grace_seconds"],
        next_at=next(iter(planned(plan, now, now, zone)), None) if row["fitted"] else None,
    )


async def _note_moved(
    connection: Connection,
    who: Who,
    device_id: int,
    now: datetime,
    dwelling: int,
    resident: int | None,
    doses_along: int,
) -> None:
    told = {"dwelling": dwelling, "resident": resident, "doses": doses_along}
    await audit.add(connection, now, (Audited("device.moved", "device", device_id, who.person_id, told),))


async def _note(
    connection: Connection, who: Who, action: str, id_: int, now: datetime, object_: str = "device", **told: Any
) -> None:
    await audit.add(connection, now, (Audited(action, object_, id_, who.person_id, told),))
