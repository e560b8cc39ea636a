"""What a simulated device remembers: the messages it has said and has no receipt for, and the commands it has had. Pure.

Rules
    An alarm is kept, and sent again with back-off, until the gateway's receipt: the broker's word is not enough.
    Any other event is kept likewise, in a buffer that ends: when it is full, the oldest event is lost. Alarms never are.
    State (a status message) is sent once; while nobody listens, only the newest of its type is kept.
    A message keeps its id and its time, however often it is sent.
    A new connection makes everything due at once: alarms first, then the oldest.
    A command is obeyed once. One that comes late is refused, and so is one that the device does not know; one that it has
    had before is not answered at all, so that the first answer stands.

Theory
    An outbox is a frozen value, and each of its verbs gives the next one. Time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from devices.dialects.native import Ordered, encode, topic_of
from devices.kinds import kinds
from devices.model import DeviceAddress, MessageClass, Said


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a device waits for a receipt before it sends again: doubled each time, up to the longest."""

    first: timedelta
    longest: timedelta

    def after(self, tries: int) -> timedelta:
        """The wait after the ``tries``-th sending, from 1."""
        doubled: int = 2 ** min(tries - 1, 20)
        return min(self.longest, self.first * doubled)


@dataclass(frozen=True, slots=True)
class Habits:
    """How a device treats what it has not been thanked for. ``buffer``: events, besides alarms."""

    alarm: Patience = Patience(timedelta(seconds=2), timedelta(seconds=30))
    event: Patience = Patience(timedelta(seconds=10), timedelta(minutes=5))
    buffer: int = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A message without a receipt. ``kept_at``: when the device took it into its memory; ``tries``: times sent."""

    message_id: str
    said: Said
    kept_at: datetime
    due_at: datetime
    tries: int = 0

    @property
    def is_alarm(self) -> bool:
        return self.said.message_class is MessageClass.ALARM

    @property
    def is_state(self) -> bool:
        return self.said.message_class is MessageClass.STATUS

    @property
    def rank(self) -> tuple[bool, datetime, str]:
        """Alarms first, then the oldest."""
        return not self.is_alarm, self.said.at, self.message_id


@dataclass(frozen=True, slots=True)
class Receipted:
    """A message the gateway has stored. ``took``: from the device's memory to the receipt."""

    message_id: str
    said: Said
    tries: int
    took: timedelta


@dataclass(frozen=True, slots=True)
class Outbox:
    """Everything outstanding, in the order it was said; ``lost`` counts events that the buffer had no room for."""

    kept: tuple[Kept, ...] = ()
    lost: int = 0

    def keep(
        self, message_id: str, said: Said, now: datetime, habits: Habits, due_at: datetime | None = None
    ) -> Outbox:
        """Take a message in; it is due at once, or later."""
        new = Kept(message_id, said, now, due_at or now)
        others = tuple(each for each in self.kept if not (new.is_state and _same_state(each, new)))
        return _bounded((*others, new), self.lost, habits.buffer)

    def due(self, now: datetime) -> tuple[Kept, ...]:
        """What is to be sent now."""
        return tuple(sorted((each for each in self.kept if each.due_at <= now), key=lambda each: each.rank))

    @property
    def next_due(self) -> datetime | None:
        return min((each.due_at for each in self.kept), default=None)

    def sent(self, message_id: str, now: datetime, habits: Habits) -> Outbox:
        """The broker has it: wait for the receipt, or forget it where it was only state."""
        return replace(
            self, kept=tuple(_resend(each, message_id, now, habits) for each in self._without_state(message_id))
        )

    def receipted(self, message_id: str, now: datetime) -> tuple[Outbox, Receipted | None]:
        """The gateway has it. None where the receipt is for nothing that is outstanding (a second receipt)."""
        one = self.find(message_id)
        if one is None:
            return self, None
        rest = tuple(each for each in self.kept if each is not one)
        return replace(self, kept=rest), Receipted(message_id, one.said, one.tries, now - one.kept_at)

    def reconnected(self, now: datetime) -> Outbox:
        """Somebody may be listening again: everything is due."""
        return replace(self, kept=tuple(replace(each, due_at=min(each.due_at, now)) for each in self.kept))

    def find(self, message_id: str) -> Kept | None:
        return next((each for each in self.kept if each.message_id == message_id), None)

    def _without_state(self, message_id: str) -> tuple[Kept, ...]:
        return tuple(each for each in self.kept if not (each.is_state and each.message_id == message_id))


@dataclass
class Device:
    """One device: who it is, and its outbox."""

    address: DeviceAddress
    kind: str
    habits: Habits = field(default_factory=Habits)
    outbox: Outbox = field(default_factory=Outbox)
    number: int = 0
    had: set[str] = field(default_factory=set)

    def obeys(self, ordered: Ordered, now: datetime, random: Random) -> tuple[Said, ...]:
        """What it will say to a command, some of it in a while."""
        if ordered.command_id in self.had:
            return ()
        self.had.add(ordered.command_id)
        if now >= ordered.valid_until:
            return (self._refuses(ordered, "expired", now),)
        if ordered.name not in kinds()[self.kind].commands:
            return (self._refuses(ordered, "unknown", now),)
        replies = kinds()[self.kind].obey(ordered.name, random)
        return tuple(
            Said(now + each.after, each.message_class, each.type, {**each.fields, "command": ordered.command_id})
            for each in replies
        )

    def _refuses(self, ordered: Ordered, reason: str, now: datetime) -> Said:
        fields = {"command": ordered.command_id, "reason": reason}
        return Said(now, MessageClass.RESULT, "command_refused", fields)

    def say(self, said: Said, now: datetime, due_at: datetime | None = None) -> Kept:
        """Say something, now or in a while: it has an id from now on, and is outstanding."""
        self.number += 1
        message_id = f"{said.at:%Y%m%dT%H%M%S.%f}-{self.number}"
        self.outbox = self.outbox.keep(message_id, said, now, self.habits, due_at)
        return Kept(message_id, said, now, due_at or now)

    def sent(self, message_id: str, now: datetime) -> None:
        self.outbox = self.outbox.sent(message_id, now, self.habits)

    def receipted(self, message_id: str, now: datetime) -> Receipted | None:
        self.outbox, receipted = self.outbox.receipted(message_id, now)
        return receipted

    def reconnected(self, now: datetime) -> None:
        self.outbox = self.outbox.reconnected(now)

    def message(self, kept: Kept) -> tuple[str, bytes]:
        """Topic and payload; the same however often it is asked for."""
        return encode(self.address, self.kind, kept.message_id, kept.said)

    def topic(self, last: str) -> str:
        return topic_of(self.address, self.kind, last)


def _bounded(kept: tuple[Kept, ...], lost: int, buffer: int) -> Outbox:
    events = [each for each in kept if not (each.is_alarm or each.is_state)]
    surplus = {each.message_id for each in events[: max(0, len(events) - buffer)]}
    return Outbox(tuple(each for each in kept if each.message_id not in surplus), lost + len(surplus))


def _same_state(one: Kept, other: Kept) -> bool:
    return one.is_state and one.said.type == other.said.type


def _resend(kept: Kept, message_id: str, now: datetime, habits: Habits) -> Kept:
    if kept.message_id != message_id:
        return kept
    patience = habits.alarm if kept.is_alarm else habits.event
    return replace(kept, tries=kept.tries + 1, due_at=now + patience.after(kept.tries + 1))
