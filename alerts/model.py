"""The words of alerting: who and what an alert is about, the watch, the signal, the alert and its timeline entry.

Rules of this file
    Ids are the database's (integers) and opaque here; what goes outside is a UUID that the gateway adds.
    Every value is frozen; a decision answers with new ones. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from devices.model import Observation
from devices.value import value
from devices.vkp import Severity

__all__ = ["Severity"]


class Track(StrEnum):
    """Who deals with it: care staff or technical services."""

    CARE = "care"
    TECHNICAL = "technical"


@value(frozen=True, slots=True)
class Subject:
    """What an observation or an alert is about. A device that is fitted nowhere has neither dwelling nor resident."""

    site_id: int
    zone_id: int
    device_id: int | None = None
    installation_id: int | None = None
    dwelling_id: int | None = None
    resident_id: int | None = None

    @property
    def scope(self) -> str:
        """What an alert's key is built from: the fitting, else the device, else the site."""
        if self.installation_id is not None:
            return f"installation:{self.installation_id}"
        if self.device_id is not None:
            return f"device:{self.device_id}"
        return f"site:{self.site_id}"


class Lateness(StrEnum):
    """How an observation stands to the present. Older than a day is history: stored, and never raised."""

    FRESH = "fresh"
    LATE = "late"
    HISTORY = "history"


LATE_AFTER = timedelta(minutes=2)
HISTORY_AFTER = timedelta(hours=24)


def lateness(observation: Observation) -> Lateness:
    """Fresh up to 2 minutes of delay, late up to a day, history beyond."""
    delay = observation.delay
    if delay <= LATE_AFTER:
        return Lateness.FRESH
    return Lateness.LATE if delay <= HISTORY_AFTER else Lateness.HISTORY


@value(frozen=True, slots=True)
class Heard:
    """An observation together with what it is about."""

    observation: Observation
    subject: Subject

    @property
    def lateness(self) -> Lateness:
        return lateness(self.observation)


class WatchState(StrEnum):
    """Waiting: open. Raised: what we waited for did not come. Met: it came. The last two may still be informed."""

    WAITING = "waiting"
    RAISED = "raised"
    MET = "met"


@value(frozen=True, slots=True)
class Watch:
    """What we wait for. ``key`` is unique; ``due_at`` is None once nothing is outstanding.

    ``since`` is the time the wait is about: the dose's planned time, a device's last sign of life.
    """

    key: str
    rule_id: int
    subject: Subject
    since: datetime
    due_at: datetime | None
    state: WatchState = WatchState.WAITING
    facts: Mapping[str, Any] = field(default_factory=dict)


@value(frozen=True, slots=True)
class Evidence:
    """What a device said, or did not say, copied into the alert so that it never points at raw rows."""

    type: str
    occurred_at: datetime
    received_at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    device: str | None = None
    kind: str | None = None

    @property
    def late_seconds(self) -> int:
        """How late word of it came, in whole seconds. The wait for something that was not said is no lateness."""
        return max(0, int((self.received_at - self.occurred_at).total_seconds())) if self.device else 0

    @classmethod
    def of(cls, observation: Observation) -> Evidence:
        return cls(
            type=observation.type,
            occurred_at=observation.occurred_at,
            received_at=observation.received_at,
            fields=observation.fields,
            flags=tuple(sorted(observation.flags)),
            device=str(observation.device),
            kind=observation.kind,
        )

    def as_json(self) -> dict[str, Any]:
        """As the timeline and a watch's facts keep it."""
        return {
            "type": self.type,
            "occurred_at": self.occurred_at.isoformat(),
            "received_at": self.received_at.isoformat(),
            "fields": dict(self.fields),
            "flags": self.flags,
            "device": self.device,
            "kind": self.kind,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Evidence:
        """The inverse of :meth:`as_json`."""
        times = {name: datetime.fromisoformat(told[name]) for name in ("occurred_at", "received_at")}
        return cls(**{**told, **times, "flags": tuple(told["flags"])})


@dataclass(frozen=True, slots=True)
class PageTest:
    """A contact of a person, by its channel, that is to be confirmed within some time."""

    contact_id: int
    person_id: int
    channel: str
    within: timedelta


@dataclass(frozen=True, slots=True)
class Raise:
    """A person must deal with this. Joins the open alert with the same key, else is a new one.

    ``repeats``: how often it has happened within a short time, where that calls more people at once; else 0.
    ``notice``: word for whoever leads the zone, and for these persons; it climbs as :data:`alerts.silence.NOTICE` says.
    ``test``: a test of a contact, which is paged alone before anybody else is told.
    """

    key: str
    condition: str
    vkp_code: str | None
    severity: Severity
    track: Track
    subject: Subject
    evidence: Evidence
    rule_id: int | None = None
    repeats: int = 0
    notice: tuple[int, ...] | None = None
    test: PageTest | None = None


@value(frozen=True, slots=True)
class Inform:
    """Something that whoever deals with an open alert should know; pages nobody and clears nothing.

    ``over``: the device that said it (``device_id``) says with it that what it raised is over.
    """

    key: str
    code: str
    evidence: Evidence
    over: bool = False
    device_id: int | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """What a technical alert was about is over."""

    key: str
    evidence: Evidence


Signal = Raise | Inform | Clear


@value(frozen=True, slots=True)
class Judgement:
    """What a rule makes of something: watches to save, signals to act on."""

    watches: tuple[Watch, ...] = ()
    signals: tuple[Signal, ...] = ()

    def __add__(self, other: Judgement) -> Judgement:
        if not other.watches and not other.signals:
            return self
        if not self.watches and not self.signals:
            return other
        return Judgement(self.watches + other.watches, self.signals + other.signals)


NOTHING = Judgement()


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an alert's timeline: a code and its parameters, so that every language can tell it."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
    actor_id: int | None = None
