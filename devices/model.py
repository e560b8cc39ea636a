"""The words that devices, rules and the gateway share.

Rules of this file
    Every time is an aware datetime in UTC; a naive one is refused where it enters.
    ``occurred_at`` is the device's word, ``received_at`` ours. A device cannot have said something after we
    heard it: the future is clamped to ``received_at`` and flagged.
    A clock that has lost its time (a new battery: 1970, 1980, 2000) says nothing of when. Such a message happened
    when it was received, flagged: a fall must not become history because a clock was reset.
    Decoding junk raises :class:`DecodeError` and never another exception.
    A message holds no secret: PINs, key codes and their names are gone before it exists (``devices.redaction``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import PurePath
from traceback import extract_tb
from typing import Any, NamedTuple

from devices.redaction import redact
from devices.value import value

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""What a site, a kind and a device's address may look like: one MQTT topic level, safe in a URL and a log line."""

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far ahead a device's clock may run before the observation is flagged ``clock_ahead``."""

CLOCK_UNSET_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
"""No message is older than the protocol: a device that claims an earlier time has no clock."""


class MessageClass(StrEnum):
    """The last topic level of the native protocol."""

    ALARM = "alarm"
    EVENT = "event"
    STATUS = "status"
    RESULT = "result"


_ALARM = MessageClass.ALARM  # every message is asked, and to look a member up takes a while


class Lane(StrEnum):
    """One of a site's two connections: an alarm never queues behind telemetry."""

    ALARM = "alarm"
    BULK = "bulk"


class Flag(StrEnum):
    """Something a reader of an observation should know about it."""

    CLOCK_AHEAD = "clock_ahead"
    CLOCK_UNSET = "clock_unset"
    DECODED_AGAIN = "decoded_again"
    ID_REUSED = "id_reused"
    RETAINED = "retained"
    UNKNOWN_TYPE = "unknown_type"


class Reason(StrEnum):
    """Why a message could not be decoded."""

    TOPIC = "topic"
    UNKNOWN_KIND = "unknown_kind"
    KIND_MISMATCH = "kind_mismatch"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_STORABLE = "not_storable"
    NO_ID = "id"
    BAD_TIME = "time"
    NO_TYPE = "type"
    BAD_FIELDS = "fields"
    POISON = "poison"


class DeviceAddress(NamedTuple):
    """What identifies a device: its kind is an attribute, not part of it."""

    site: str
    ecosystem: str
    address: str

    def __str__(self) -> str:
        return f"{self.site}/{self.ecosystem}/{self.address}"


@value(frozen=True, slots=True)
class Message:
    """A message as the broker handed it over, without the secrets in it. ``received_at`` is UTC."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool = False

    def __post_init__(self) -> None:
        kept = redact(self.payload)
        if kept is not self.payload:
            object.__setattr__(self, "payload", kept)


@value(frozen=True, slots=True)
class Observation:
    """One normalised thing a device said.

    ``message_id`` is unique per device, or None where the message is state (a last will) and is never
    de-duplicated. ``content_hash`` covers what was said without id and time. ``fields`` are JSON values.
    ``may_have_position``: False where there is certainly no coordinate in ``fields`` or ``raw``.
    """

    device: DeviceAddress
    kind: str
    message_class: MessageClass
    type: str
    message_id: str | None
    occurred_at: datetime
    received_at: datetime
    fields: Mapping[str, Any]
    raw: bytes
    content_hash: bytes
    flags: frozenset[Flag] = frozenset()
    may_have_position: bool = field(default=True, compare=False, repr=False)

    @property
    def is_alarm(self) -> bool:
        return self.message_class is _ALARM

    @property
    def delay(self) -> timedelta:
        """How long after it happened we heard of it; never negative."""
        return self.received_at - self.occurred_at


@dataclass(eq=False)
class DecodeError(Exception):
    """A message that could not be decoded: what was wrong, where, and as much of its origin as could be read."""

    reason: Reason
    detail: str
    device: DeviceAddress | None = None
    kind: str | None = None
    message_class: MessageClass | None = None
    message_id: str | None = None

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"

    @property
    def is_alarm(self) -> bool:
        return self.message_class is _ALARM


def crash_of(error: Exception) -> str:
    """What has crashed, and where; not over what: that may be somebody's."""
    frames = extract_tb(error.__traceback__)
    return (
        f"{type(error).__name__} in {PurePath(frames[-1].filename).name}:{frames[-1].lineno}"
        if frames
        else type(error).__name__
    )


@dataclass(frozen=True, slots=True)
class Said:
    """One thing a simulated device says, before it has an id. ``at`` is UTC."""

    at: datetime
    message_class: MessageClass
    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def parse_time(value: object) -> datetime:
    """An RFC 3339 time with an offset, in UTC; ValueError for anything else, also one that UTC cannot express."""
    try:
        if isinstance(value, str):
            claimed = datetime.fromisoformat(value.upper())
            if claimed.tzinfo is not None:
                return claimed if claimed.tzinfo is UTC else claimed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be RFC 3339 with an offset, as 2026-11-22T03:10:00+01:00")


def settle_time(claimed: datetime, received_at: datetime) -> tuple[datetime, frozenset[Flag]]:
    """The device's time in UTC, clamped to ``received_at``; flagged when it was clearly ahead, or never set.

    ``claimed`` and ``received_at`` are aware.
    """
    occurred_at = _in_utc(claimed)
    if occurred_at < CLOCK_UNSET_BEFORE:
        return received_at, frozenset({Flag.CLOCK_UNSET})
    if occurred_at <= received_at:
        return occurred_at, _NONE
    ahead = occurred_at - received_at > CLOCK_TOLERANCE
    return received_at, frozenset({Flag.CLOCK_AHEAD}) if ahead else _NONE


_NONE: frozenset[Flag] = frozenset()


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)
