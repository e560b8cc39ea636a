"""Commanding: commands are sent, what devices report settles them, and what is not answered is told.

    send    by the process that holds the site's alarm lane: mark as sent, commit – and only then publish
    hear    in the transaction that stores what a device said
    expire  by the timekeeper, whether anybody listens or not

Gather (lock commands, then alerts), decide (``alerts.command``, pure), apply (command, timeline, audit, pages). A command
that was not done pages whoever asked for it, and is a technical alert until the device does what it is asked to again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from uuid import UUID

import structlog

from alerts.alert import CommandNotDone, Step
from alerts.command import Moved, Reported, Send, State, TimePassed, step, vocabulary
from alerts.model import Clear, Evidence, Heard, Raise, Severity, Signal, Track
from alerts.rulebook import Rulebook
from devices.dialects import dialects
from devices.model import Lane, Observation
from gateway import asking, holding
from gateway.engine import act, advance
from gateway.store import alerts as alert_store
from gateway.store import audit, commands, sites
from gateway.store.alerts import StoredAlert
from gateway.store.audit import Audited, Changed
from gateway.store.commands import StoredCommand
from gateway.store.db import LOST_A_RACE, Connection, DatabaseGone
from gateway.store.sites import Site

log = structlog.get_logger()

UNCONFIRMED = "command_unconfirmed"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A command that is marked as sent, and now may be: once, and before ``valid_until``."""

    id: UUID
    topic: str
    payload: bytes
    valid_until: datetime

    def seconds_left(self, now: datetime) -> int:
        """Whole seconds for which it may still be delivered; none: it must not be published any more."""
        return max(0, (self.valid_until - now) // timedelta(seconds=1))


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of a command, and the report that it follows from."""

    stored: StoredCommand
    moved: Moved
    said: Observation | None = None


# Sending --------------------------------------------------------------------------------------------------------------


async def mark_sent(connection: Connection, site: Site, epoch: int, now: datetime, local: tzinfo) -> list[Outgoing]:
    """Mark what waits for a site as sent; the caller publishes it once this is committed, and never again.

    LaneLost when the alarm lane is another process's, which will send it. Whoever asked must still be allowed to: a door
    opens for nobody who has let the alert go, or gone off duty, meanwhile.
    """
    await sites.fence(connection, site.id, Lane.ALARM, epoch)
    waiting = await commands.lock_waiting(connection, site.id, now)
    alerts = await alert_store.lock_all(connection, [each.alert_id for each in waiting], ())
    outgoing: list[Outgoing] = []
    changed = Changed()
    for stored in waiting:
        message = _message(stored, now)
        alert, person = alerts[stored.alert_id], stored.command.requested_by
        refused = await asking.refusal(connection, person, alert, now, local)
        moved = step(stored.command, Send(alert.alert.closed_at is None, allowed=refused is None), now)
        if message is None or moved.command == stored.command:
            continue
        changed |= await _apply(connection, _Change(stored, moved), alerts, now, None)
        if moved.command.state is State.SENT:
            outgoing.append(message)
    await audit.announce(connection, changed)
    return outgoing


def _message(stored: StoredCommand, now: datetime) -> Outgoing | None:
    command = stored.command
    dialect = dialects().get(stored.device.ecosystem)
    arguments = (stored.device, command.kind, str(command.id), command.name, command.valid_until, now)
    message = dialect.command(*arguments) if dialect else None
    return Outgoing(command.id, *message, command.valid_until) if message else None


# Hearing --------------------------------------------------------------------------------------------------------------


async def hear(
    connection: Connection, heard: Sequence[Heard], signals: Sequence[Signal], now: datetime, book: Rulebook
) -> Changed:
    """What a batch says of commands, after it was judged. A failure to settle them is logged: what was said is
    stored all the same.

    ``signals``: what the batch raises besides; those alerts are locked together with ours, in one order, and before them the
    silences that may hold it back.
    """
    reports = [each for each in heard if each.observation.type in vocabulary(each.observation.kind)]
    found = await _lock_reported(connection, reports) if reports else []
    if not found:
        return Changed()
    await (await holding.ask(connection, signals, now, book)).told()
    try:
        async with connection.transaction():
            changes = [change for stored in found for change in _changes(stored, reports, now)]
            return await _settle(connection, changes, signals, now, book) if changes else Changed()
    except (*DatabaseGone, *LOST_A_RACE):
        raise
    except Exception:
        log.exception("commands.failed_to_hear")
        return Changed()


async def _lock_reported(connection: Connection, reports: Sequence[Heard]) -> list[StoredCommand]:
    """Nearly always none: nobody has asked for what was said. The answer comes behind all that was written before: what of it
    failed is no failure to settle commands."""
    devices = sorted({each.subject.device_id for each in reports if each.subject.device_id is not None})
    fields = [each.observation.fields for each in reports]
    named = sorted({str(each["command"]) for each in fields if "command" in each})
    return await commands.lock_reported(connection, devices, named)


def _changes(stored: StoredCommand, reports: Sequence[Heard], now: datetime) -> list[_Change]:
    """What the reports of its device make of a command, in order."""
    made: list[_Change] = []
    for each in reports:
        last = made[-1].moved.command if made else stored.command
        if each.subject.device_id != stored.subject.device_id:
            continue
        moved = step(last, Reported(each.observation), now)
        if moved.command != last:
            made.append(_Change(stored, moved, each.observation))
    return made


# Time -----------------------------------------------------------------------------------------------------------------


async def expire(connection: Connection, now: datetime, book: Rulebook, limit: int) -> int:
    """End the commands that are due, each by itself: one that fails does not hold up the others. How many were due."""
    due = await commands.lock_due(connection, now, limit)
    changes = [_Change(stored, step(stored.command, TimePassed(), now)) for stored in due]
    signals = [signal for each in changes for signal in _signals(each, now)]
    await _lock_alerts(connection, changes, signals)
    changed = Changed()
    for each in changes:
        try:
            async with connection.transaction():
                changed |= await _settle(connection, (each,), (), now, book)
        except (*DatabaseGone, *LOST_A_RACE):
            raise
        except Exception:
            log.exception("command.failed_to_expire", command=str(each.stored.command.id))
    await audit.announce(connection, changed)
    return len(due)


# Applying -------------------------------------------------------------------------------------------------------------


async def _settle(
    connection: Connection, changes: Sequence[_Change], others: Sequence[Signal], now: datetime, book: Rulebook
) -> Changed:
    """Save the commands, tell who has to know, raise what technical services have to look at."""
    signals = [signal for each in changes for signal in _signals(each, now)]
    alerts = await _lock_alerts(connection, changes, [*signals, *others])
    changed = Changed()
    for each in changes:
        changed |= await _apply(connection, each, alerts, now, book)
    return changed | await act(connection, signals, now, book)


async def _lock_alerts(
    connection: Connection, changes: Sequence[_Change], signals: Sequence[Signal]
) -> dict[int, StoredAlert]:
    ids = sorted({each.stored.alert_id for each in changes})
    return await alert_store.lock_all(connection, ids, [signal.key for signal in signals])


async def _apply(
    connection: Connection, change: _Change, alerts: dict[int, StoredAlert], now: datetime, book: Rulebook | None
) -> Changed:
    """Save what became of a command, and tell it on its alert. An alert that is closed pages nobody."""
    stored, moved, alert = change.stored, change.moved, alerts[change.stored.alert_id]
    await commands.save(connection, stored, moved.command)
    await audit.add(connection, now, (_audited(stored, moved),))
    if moved.tell and book is not None:
        by = moved.command.requested_by
        event = CommandNotDone(by, moved.entries[0])
        outcome, alerts[alert.id], changed = await advance(connection, alert, event, now, book, also=(by,))
        if isinstance(outcome, Step):
            return changed
    await alert_store.add_entries(connection, alert.id, moved.entries, now)
    return Changed(frozenset({alert.zone_id}), frozenset({moved.command.requested_by}))


def _audited(stored: StoredCommand, moved: Moved) -> Audited:
    command = moved.command
    params = {"alert": stored.alert_id, "device": stored.subject.device_id, "command": command.name}
    outcome = {"outcome": command.outcome} if command.outcome else {}
    return Audited(f"command.{command.state}", "command", stored.id, None, {**params, **outcome})


def _signals(change: _Change, now: datetime) -> list[Signal]:
    """For technical services: a device that does not do what it is asked to, until it does."""
    stored, command, code = change.stored, change.moved.command, change.moved.entries[0].code
    key = f"{UNCONFIRMED}:{stored.subject.scope}"
    if change.moved.tell:
        fields = {"command": command.name}
        asked = Evidence(code, now, now, fields, kind=command.kind)
        evidence = Evidence.of(change.said) if change.said else asked
        subject = stored.subject
        return [Raise(key, UNCONFIRMED, None, Severity.SERIOUS, Track.TECHNICAL, subject, evidence)]
    done = command.state is State.DONE or code == "command_done_late"
    return [Clear(key, Evidence.of(change.said))] if done and change.said else []
