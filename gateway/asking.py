"""Asking: somebody asks a device in the home of an alert to do something – refused with a reason, in one transaction.

Who may: whoever holds the alert, or was paged for it and is on duty for its zone now. What they may ask: what the kind of a
device that is fitted in that home now can be asked to do, one thing at a time. ``Idempotency-Key`` makes a repeated request
the same command.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from alerts.alert import Stage
from alerts.command import Command, Outcome, Reason, State, asked, requested
from alerts.model import Track
from alerts.render import translations
from alerts.timeline import COMMAND_REASONS, COMMAND_STATES
from alerts.words import asked as words_of
from alerts.words import said
from devices.dialects import dialects
from devices.kinds import kinds
from devices.model import DeviceAddress
from gateway import cursors, once
from gateway.access import Role, Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotAllowed, NotFound, Problem
from gateway.store import alerts as alert_store
from gateway.store import audit, commands, devices, pages, people, views
from gateway.store.alerts import StoredAlert
from gateway.store.audit import Audited, Changed
from gateway.store.commands import CommandSearch
from gateway.store.db import Connection, new_uid
from gateway.store.devices import Fitted, PartWord

NEWEST = 3
"""How many commands of a device an alert shows."""

ON_DUTY = {
    Track.CARE: (Role.RESPONDER, Role.LEAD, Role.CENTRE),
    Track.TECHNICAL: (Role.TECHNICAL, Role.LEAD, Role.CENTRE),
}


async def ask(
    connection: Connection,
    who: Who,
    uid: UUID,
    request: schemas.CommandRequest,
    key: str,
    now: datetime,
    local: tzinfo,
) -> schemas.CommandView:
    """Take a command; it is sent by whoever holds the site's alarm lane. NotFound, NotAllowed, Conflict or Invalid when it
    cannot be asked for."""
    fingerprint = hashlib.sha256(f"command {uid} {request.model_dump_json()}".encode()).digest()
    before = await once.before(connection, who.person_id, key, fingerprint)
    if before is not None:
        return schemas.CommandView.model_validate(before)
    row = await views.alert(connection, uid, who.sight)
    if row is None:
        raise NotFound("alert", "there is no such alert, or it is not yours to answer")
    await _check(connection, who, await alert_store.find(connection, uid), now, local)
    device = await _device(connection, row["dwelling_id"], request, now)
    busy = await commands.is_busy(connection, device.id)
    before = await once.before(connection, who.person_id, key, fingerprint)
    if before is not None:
        return schemas.CommandView.model_validate(before)
    if busy:
        raise Conflict("busy", "the device is doing something else just now", "wait until that is done, then ask again")
    valid = timedelta(seconds=request.valid_seconds)
    command = requested(new_uid(), device.kind, request.command, request.reason, who.person_id, now, valid)
    inner = await commands.add(connection, row["id"], device.subject, command)  # commands are locked before alerts …
    stored = await _check(connection, who, await alert_store.lock(connection, uid), now, local)  # … so once more
    await _note(connection, stored, device, inner, command)
    view = _asked_view(command, who)
    await once.keep(connection, who.person_id, key, stored.id, fingerprint, view.model_dump(mode="json"), now)
    return view


async def locks(
    connection: Connection, who: Who, row: Mapping[str, Any], stored: StoredAlert, now: datetime, local: tzinfo
) -> list[schemas.LockView]:
    """The devices in the alert's home that can be asked to do something, for whoever looks at the alert while it is open:
    what a door does afterwards is nobody's business."""
    if stored.alert.closed_at is not None:
        return []
    able = sorted(name for name, kind in kinds().items() if kind.commands)
    fitted = await devices.fitted_in(connection, row["dwelling_id"], able, now) if row["dwelling_id"] else []
    if not fitted:
        return []
    ids = [each.id for each in fitted]
    parts = await devices.parts(connection, ids)
    given = await commands.of_alert(connection, stored.id, ids)
    may = await refusal(connection, who.person_id, stored, now, local) is None
    return [
        _lock(
            each,
            [part for part in parts if part.device_id == each.id],
            [command for command in given if command["device_id"] == each.id],
            _commands(each, now) if may else [],
            who.language,
        )
        for each in fitted
    ]


# Who may --------------------------------------------------------------------------------------------------------------


async def _check(
    connection: Connection, who: Who, stored: StoredAlert | None, now: datetime, local: tzinfo
) -> StoredAlert:
    """The alert, if they may ask; else the problem."""
    refused = await refusal(connection, who.person_id, stored, now, local)
    if stored is None or refused is not None:
        raise refused or NotFound("alert", "there is no such alert")
    return stored


async def refusal(
    connection: Connection, person: int, stored: StoredAlert | None, now: datetime, local: tzinfo
) -> Problem | None:
    """Why somebody may ask nothing of the devices in an alert's home; None when they may."""
    if stored is None or stored.alert.stage is Stage.CLOSED:
        return Conflict("closed", "the alert is closed", "if something new happens, it is a new alert")
    if stored.alert.stage is Stage.CLOSING:
        return Conflict("closing", "the alert is being closed", "undo that first")
    if stored.alert.holder == person:
        return None
    if person not in await pages.called(connection, stored.id):
        return NotAllowed("not_called", "you were not called for this alert", "take the alert first")
    roles = ON_DUTY[Track(stored.track)]
    if person not in await people.on_duty_for(connection, stored.zone_id, roles, now, local):
        return NotAllowed("not_on_duty", "you are not on duty here now", "take the alert first")
    return None


# What they may ask ----------------------------------------------------------------------------------------------------


async def _device(
    connection: Connection, dwelling_id: int | None, request: schemas.CommandRequest, now: datetime
) -> Fitted:
    """The device that is asked. Invalid when it is not in this home, or cannot be asked this."""
    fitted = await devices.fitted_in(connection, dwelling_id, sorted(kinds()), now) if dwelling_id else []
    device = next((each for each in fitted if each.uid == request.device), None)
    if device is None:
        raise Invalid("device", "that device is not in the home of this alert", "choose one of the alert's locks")
    can = _commands(device, now)
    if request.command not in can:
        raise Invalid("command", f"that device can be asked for: {', '.join(can) or 'nothing'}", "choose one of these")
    return device


def _commands(device: Fitted, now: datetime) -> list[str]:
    """What a device can be asked: what its kind knows and its ecosystem can say."""
    dialect, at = dialects().get(device.ecosystem), DeviceAddress(device.site, device.ecosystem, device.address)
    known = kinds()[device.kind].commands if device.kind in kinds() else {}
    return [name for name in known if dialect and dialect.command(at, device.kind, "", name, now, now)]


async def _note(connection: Connection, stored: StoredAlert, device: Fitted, inner: int, command: Command) -> None:
    now, by = command.requested_at, command.requested_by
    await alert_store.add_entries(connection, stored.id, (asked(command),), now)
    params = {"alert": stored.id, "device": device.id, "command": command.name, "reason": command.reason}
    await audit.add(connection, now, (Audited("command.requested", "command", inner, by, params),))
    await audit.announce(connection, Changed(frozenset({stored.zone_id}), frozenset({by}), commands=True))


# As it is shown -------------------------------------------------------------------------------------------------------


def _lock(
    device: Fitted,
    parts: Sequence[PartWord],
    given: Sequence[Mapping[str, Any]],
    may_ask: Sequence[str],
    language: str,
) -> schemas.LockView:
    busy = any(State(each["state"]) in (State.REQUESTED, State.SENT) for each in given)
    return schemas.LockView(
        device=device.uid,
        kind=device.kind,
        placed=device.placed,
        online=device.online,
        parts=[
            schemas.PartView(
                part=each.part,
                type=each.type,
                text=said(each.type, device.kind, language),
                occurred_at=each.occurred_at,
                received_at=each.received_at,
            )
            for each in parts
        ],
        commands=[
            schemas.CommandOffer(command=name, label=words_of(name, device.kind, language))
            for name in (() if busy else may_ask)
        ],
        given=[command_view(each, device.kind, language) for each in given[:NEWEST]],
    )


def command_view(row: Mapping[str, Any], kind: str, language: str) -> schemas.CommandView:
    """A command as it is shown."""
    _ = translations(language).gettext
    state, reason = State(row["state"]), Reason(row["reason"])
    reported = row["outcome"] is not None and row["outcome"] not in set(Outcome)
    return schemas.CommandView(
        id=row["uid"],
        command=row["name"],
        label=words_of(row["name"], kind, language),
        reason=reason,
        reason_text=_(COMMAND_REASONS[reason]),
        state=state,
        state_text=_(COMMAND_STATES[state]),
        outcome=row["outcome"],
        outcome_text=said(row["outcome"], kind, language) if reported else None,
        requested_by=schemas.PersonRef(id=row["person_uid"], name=row["person_name"]),
        requested_at=row["requested_at"],
        valid_until=row["valid_until"],
        sent_at=row["sent_at"],
        settled_at=row["settled_at"],
    )


def _asked_view(command: Command, who: Who) -> schemas.CommandView:
    row = {
        "uid": command.id,
        "name": command.name,
        "reason": command.reason,
        "state": command.state,
        "outcome": None,
        "person_uid": who.uid,
        "person_name": who.name,
        "requested_at": command.requested_at,
        "valid_until": command.valid_until,
        "sent_at": None,
        "settled_at": None,
    }
    return command_view(row, command.kind, who.language)


# What was asked -------------------------------------------------------------------------------------------------------


async def command_page(connection: Connection, who: Who, query: schemas.CommandQuery) -> schemas.CommandPage:
    """Commands for alerts that the reader may see, and their own; the newest first."""
    asked_for = CommandSearch(**query.model_dump(exclude={"cursor", "limit"}))
    rows = await commands.search(connection, who.sight, asked_for, cursors.number(query.cursor), query.limit + 1)
    following = str(rows[query.limit - 1]["id"]) if len(rows) > query.limit else None
    return schemas.CommandPage(commands=[_item(row, who) for row in rows[: query.limit]], next_cursor=following)


async def one_command(connection: Connection, who: Who, uid: UUID) -> schemas.CommandItem:
    """One of them, else NotFound."""
    row = await commands.shown(connection, who.sight, uid)
    if row is None:
        raise NotFound("command", "there is no such command, or it is not yours to see")
    return _item(row, who)


def _item(row: Mapping[str, Any], who: Who) -> schemas.CommandItem:
    return schemas.CommandItem(
        **command_view(row, row["kind"], who.language).model_dump(),
        alert=row["alert_uid"],
        device=schemas.Named(id=row["device_uid"], name=row["address"]),
        kind=row["kind"],
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
    )
