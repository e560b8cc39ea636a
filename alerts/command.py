"""Commands: what somebody asks a device in a home to do, as a table.

Rules
    1. A command is sent at most once. It is marked as sent, for good, before it leaves; whatever happens in between, it
       is never sent again.
    2. Never after its end: with less than a second left it is not sent any more.
    3. Done is what the device reports, and nothing else: a report that names the command, or one that came after it was
       sent, of something that did not happen before. An old report proves nothing, nor does a clock that is wrong.
    4. It always ends: while it is open it has a ``due_at``. What was not done is told to whoever asked for it.

Theory
    ``step(command, event, now)`` is the whole interface::

        state       Send                          Reported                 TimePassed
        requested   sent                          –                        expired: not sent
                    failed: the alert is closed,
                    or who asked may no more
        sent        –                             done | failed            expired: no answer
        done        –                             –                        –
        failed      –                             –, but that it was done  –
        expired     –                             after all is told once   –

    The end of the wait for an answer is ``ANSWER_WITHIN`` after the end of the command: until then the device may obey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from alerts.model import Entry
from devices.kinds import Command as Known
from devices.kinds import kinds
from devices.model import Flag, Observation

ANSWER_WITHIN = timedelta(seconds=10)
"""How long after its end a command's report may still come: a bolt moves within seconds."""
LEAST_LEFT = timedelta(seconds=1)
"""A command with less time than this is not sent: MQTT counts in whole seconds."""
CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far a device's clock may be behind ours for what it did at once to count as done after it was sent."""
UNPROVEN = frozenset({Flag.CLOCK_AHEAD, Flag.CLOCK_UNSET, Flag.DECODED_AGAIN, Flag.RETAINED})
"""Marks of a report that does not say when it happened."""


class State(StrEnum):
    """How far a command has come."""

    REQUESTED = "requested"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why somebody asks for it. A code and no text, so that timeline and audit may hold it."""

    GET_IN = "get_in"
    LET_IN = "let_in"
    SECURE = "secure"
    TEST = "test"


class Outcome(StrEnum):
    """How a command ended where no report of the device says it."""

    NOT_SENT = "not_sent"
    NO_ANSWER = "no_answer"
    ALERT_CLOSED = "alert_closed"
    NOT_ALLOWED = "not_allowed"
    DONE_LATE = "done_late"


@dataclass(frozen=True, slots=True)
class Command:
    """A command to a device of a kind. ``outcome``: the type of the report that settled it, or an :class:`Outcome`."""

    id: UUID
    kind: str
    name: str
    reason: Reason
    requested_by: int
    requested_at: datetime
    valid_until: datetime
    state: State = State.REQUESTED
    due_at: datetime | None = None
    sent_at: datetime | None = None
    settled_at: datetime | None = None
    outcome: str | None = None

    @property
    def open(self) -> bool:
        return self.state in (State.REQUESTED, State.SENT)


def requested(
    id_: UUID, kind: str, name: str, reason: Reason, requested_by: int, now: datetime, valid: timedelta
) -> Command:
    """A new command. ``valid``: how long the device may obey it."""
    return Command(id_, kind, name, reason, requested_by, now, now + valid, due_at=now + valid)


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a command. ``tell``: whoever asked for it must know at once, and technical services too."""

    command: Command
    entries: tuple[Entry, ...] = ()
    tell: bool = False


# Events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """There is a connection to send it on. ``alert_open``: whether what it was asked for still is; ``allowed``: whether
    whoever asked for it still may."""

    alert_open: bool = True
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class Reported:
    """The device has said something."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class TimePassed:
    """``due_at`` has come."""


Event = Send | Reported | TimePassed


def step(command: Command, event: Event, now: datetime) -> Moved:
    """What an event makes of a command; see the table at the top of this file."""
    return TABLE[type(event)](command, event, now)


def _send(command: Command, event: Send, now: datetime) -> Moved:
    if command.state is not State.REQUESTED or command.valid_until - now < LEAST_LEFT:
        return Moved(command)
    if not event.alert_open:
        return _settled(command, State.FAILED, Outcome.ALERT_CLOSED, "command_withdrawn", now)
    if not event.allowed:
        return _settled(command, State.FAILED, Outcome.NOT_ALLOWED, "command_not_allowed", now)
    sent = replace(command, state=State.SENT, sent_at=now, due_at=command.valid_until + ANSWER_WITHIN)
    return Moved(sent, (_entry(command, "command_sent"),))


def _reported(command: Command, event: Reported, now: datetime) -> Moved:
    said, known = event.observation, _known(command)
    if known is None or not _concerns(command, said):
        return Moved(command)
    done, failed = said.type in known.done_by, said.type in known.failed_by
    if command.state is State.SENT and done:
        return _settled(command, State.DONE, said.type, "command_done", now)
    if command.state is State.SENT and failed:
        return replace(_settled(command, State.FAILED, said.type, "command_failed", now), tell=True)
    if done and command.state in (State.FAILED, State.EXPIRED) and command.outcome != Outcome.DONE_LATE:
        late = replace(command, outcome=Outcome.DONE_LATE)
        return Moved(late, (_entry(command, "command_done_late", said=said.type),))
    return Moved(command)


def _concerns(command: Command, said: Observation) -> bool:
    """Whether a report is about this command: by its name, or (while we wait) by its time."""
    if command.sent_at is None:
        return False
    named = said.fields.get("command")
    if named is not None:
        return bool(named == str(command.id))
    after = said.received_at >= command.sent_at and said.occurred_at >= command.sent_at - CLOCK_TOLERANCE
    return command.open and after and not said.flags & UNPROVEN


def _time_passed(command: Command, _: TimePassed, now: datetime) -> Moved:
    if command.due_at is None or now < command.due_at:
        return Moved(command)
    if command.state is State.REQUESTED:
        expired = _settled(command, State.EXPIRED, Outcome.NOT_SENT, "command_not_sent", now)
    else:
        expired = _settled(command, State.EXPIRED, Outcome.NO_ANSWER, "command_unanswered", now)
    return replace(expired, tell=True)


def _settled(command: Command, state: State, outcome: str, code: str, now: datetime) -> Moved:
    settled = replace(command, state=state, outcome=outcome, due_at=None, settled_at=now)
    return Moved(settled, (_entry(command, code, said=outcome),))


def _entry(command: Command, code: str, **more: Any) -> Entry:
    return Entry(code, {"kind": command.kind, "command": command.name, **more})


def asked(command: Command) -> Entry:
    """The entry of a command that is new."""
    entry = _entry(command, "command_requested", reason=command.reason)
    return replace(entry, actor_id=command.requested_by)


def _known(command: Command) -> Known | None:
    kind = kinds().get(command.kind)
    return kind.commands.get(command.name) if kind else None


@lru_cache(maxsize=256)
def vocabulary(kind: str) -> frozenset[str]:
    """Every type with which a kind of device can report on a command; asked of everything that is said."""
    known = kinds().get(kind)
    commands = known.commands.values() if known else ()
    return frozenset(type_ for each in commands for type_ in (*each.done_by, *each.failed_by))


TABLE: Mapping[type, Callable[..., Moved]] = {Send: _send, Reported: _reported, TimePassed: _time_passed}
