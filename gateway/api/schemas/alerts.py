"""Alerts, what is known about them, and answers to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.alert import Action, Cause, PauseReason, Stage
from alerts.answers import PAUSE_AT_MOST
from alerts.delivery import PageState
from alerts.model import Severity, Track
from gateway.api.schemas.base import Code, Filled, Moment, Paged, PersonRef, Schema
from gateway.api.schemas.commands import LockView


class AlertSummary(Schema):
    """An alert as a list shows it.

    ``title``: the condition in the reader's language. ``late_seconds``: how late the first message came, 0 when fresh.
    ``unanswered_since``: since when the whole ladder was climbed in vain. ``mine``: the reader holds it or it is
    offered to them. ``due_at``: when it climbs or falls back next. ``away_until``: when the resident, who is said to be away
    now, is to be back; of an open alert, and for whoever sees care there. ``paused_until``: while nobody is called, as its holder
    said that nobody need come.
    """

    id: UUID
    title: str
    condition: str
    vkp_code: str | None
    severity: Severity
    severity_text: str
    track: Track
    stage: Stage
    stage_text: str
    zone: str
    resident: str | None
    address: str | None
    device_kind: str | None
    raised_at: datetime
    occurred_at: datetime
    late_seconds: int
    due_at: datetime | None
    closed_at: datetime | None
    unanswered_since: datetime | None
    holder: PersonRef | None
    offered_to: PersonRef | None
    mine: bool
    paged: bool
    away_until: datetime | None = None
    paused_until: datetime | None = None
    version: int


class ResidentView(Schema):
    """Who needs help. ``notes``: for care staff, and whoever sees a care alert; else empty."""

    id: UUID
    name: str
    phone: str
    notes: str


class DwellingView(Schema):
    """Where, and how to get in."""

    address: str
    postal_code: str
    city: str
    access: str
    latitude: float | None
    longitude: float | None


class DeviceView(Schema):
    """What raised it. ``placed``: where in the dwelling. ``online``: None where the device never says."""

    id: UUID
    kind: str
    address: str
    model: str
    placed: str
    registered: bool
    last_seen: datetime | None
    online: bool | None
    state: dict[str, Any]


PositionWhen = Literal["latest", "at_alert"]


class PositionView(Schema):
    """Where a device was, in degrees (WGS 84). ``when``: last, or when the alert occurred, where that is elsewhere.

    ``accuracy_m``: the radius within which it probably was, None where the device does not say. ``at``: when that was
    found, ``age_seconds`` before this answer. ``source``: gps, wifi or cell, as the device says. ``own``: whether it is
    the alert's own device; else another one of the same resident. ``distance_from_home_m``: at least, rounded; None
    where the dwelling's place is not known, or the position too coarse to tell.
    """

    when: PositionWhen
    latitude: float
    longitude: float
    accuracy_m: float | None
    source: str | None
    at: datetime
    age_seconds: int
    device: UUID
    device_kind: str
    own: bool
    distance_from_home_m: int | None


class EvidenceView(Schema):
    """What the device said, or did not say; newest last. ``device_kind``: None where no device said it."""

    type: str
    device_kind: str | None
    occurred_at: datetime
    received_at: datetime
    late_seconds: int
    fields: dict[str, Any]
    flags: list[str]


class TimelineEntry(Schema):
    """One line of the timeline. ``given_at``: when an answer was given, where it reached us later; ``note``: what whoever answered
    wrote besides."""

    at: datetime
    given_at: datetime | None
    code: str
    params: dict[str, Any]
    actor: PersonRef | None
    text: str
    vkp_event: str | None
    note: str | None = None


class PagePath(Schema):
    """How one page went: to whom, by which channel, and when it came how far. ``queued_at``: when it was due to be sent first is
    no earlier; ``ended_at``: when it was withdrawn or given up."""

    attempt: int
    person: PersonRef | None
    channel: str
    state: PageState
    queued_at: datetime
    leased_at: datetime | None
    handed_over_at: datetime | None
    received_at: datetime | None
    shown_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None


class AlertPath(Schema):
    """The way of an alert, leg by leg: the message, its pages in the order in which they were made, and the timeline without
    notes and evidence. It names no resident. ``occurred_at``: by the device's clock; ``stored_at``: None where the message is kept no longer, or there was
    none; ``until``: when it was closed, or now."""

    id: UUID
    title: str
    severity: Severity
    severity_text: str
    stage: Stage
    stage_text: str
    zone: str
    occurred_at: datetime
    stored_at: datetime | None
    raised_at: datetime
    until: datetime
    pages: list[PagePath]
    timeline: list[TimelineEntry]


AnswerName = Literal[
    "claim",
    "take_over",
    "on_way",
    "arrived",
    "close",
    "undo_close",
    "hand_over",
    "decline",
    "pause",
    "resume",
    "release",
    "need_help",
]
LONGEST_PAUSE = int(PAUSE_AT_MOST / timedelta(minutes=1))
"""In minutes."""


class AlertOutcome(Schema):
    """What an alert was and what was done about it. ``cause_code``: what it was more exactly, a VKP alert code; ``action_code``: the
    VKP handling event that the action is; each with what the national list calls it."""

    cause: Cause
    cause_text: str
    cause_code: str | None
    what_vkp_calls_the_cause: str | None
    action: Action
    action_text: str
    action_code: str | None
    what_vkp_calls_the_action: str | None


class AlertLink(Schema):
    """An alert of the same thing in the same place, which followed this one within a day, or came before. ``outcome_text``: what it
    was and what was done; None where nobody closed it."""

    id: UUID
    raised_at: datetime
    closed_at: datetime | None
    outcome_text: str | None


class AlertDetail(AlertSummary):
    """An alert with all that whoever answers it needs. ``answers``: what the reader may answer now.

    ``positions``: where to look, the newest first; of an open alert only. ``outcome``: once somebody closes it. ``follows``: the
    alert of the same that was closed within a day before; ``followed_by``: the next one.
    """

    what_vkp_calls_it: str | None
    resident_details: ResidentView | None
    dwelling: DwellingView | None
    device: DeviceView | None
    locks: list[LockView]
    positions: list[PositionView]
    evidence: list[EvidenceView]
    timeline: list[TimelineEntry]
    answers: list[AnswerName]
    colleagues: list[PersonRef]
    outcome: AlertOutcome | None = None
    follows: AlertLink | None = None
    followed_by: AlertLink | None = None


class AlertPage(Schema):
    """A page of alerts, newest first within what is asked for. ``next_cursor``: for the next page, None at the end."""

    alerts: list[AlertSummary]
    next_cursor: str | None


class AlertQuery(Paged):
    """Which alerts. ``zone``: with what is below it; ``severity``: at least; ``kind``: of the device; ``raised_since``,
    ``raised_until``: from, and before; ``mine``: held by you or offered to you, or not."""

    state: Literal["open", "closed"] = "open"
    zone: UUID | None = None
    severity: Severity | None = None
    condition: Code | None = None
    vkp_code: Code | None = None
    track: Track | None = None
    kind: Code | None = None
    resident: UUID | None = None
    device: UUID | None = None
    raised_since: Moment | None = None
    raised_until: Moment | None = None
    mine: bool | None = None


class AnswerRequest(BaseModel):
    """An answer to an alert.

    ``given_at``: when the person gave it, where it reaches us later; ``version``: of the alert that they saw, to
    refuse an answer to something that has changed since. ``cause`` and ``action`` go with ``close``, and ``cause_code`` where
    a VKP alert code tells more exactly what it was; ``to`` goes with ``hand_over``; ``reason`` and ``minutes`` with ``pause``,
    ``note`` (free text about a person: it can be erased) with ``pause`` and ``decline``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer: AnswerName
    to: UUID | None = None
    cause: Cause | None = None
    action: Action | None = None
    given_at: AwareDatetime | None = None
    version: Annotated[int, Field(ge=0)] | None = None
    cause_code: Annotated[str, Field(max_length=16)] | None = None
    reason: PauseReason | None = None
    minutes: Annotated[int, Field(ge=1, le=LONGEST_PAUSE)] | None = None
    note: Annotated[Filled, Field(max_length=500)] | None = None

    NEWER: ClassVar[frozenset[str]] = frozenset({"cause_code", "reason", "minutes", "note"})
    """Fields that the first release does not know: an answer without them is the same answer to both."""


class AnswerReply(Schema):
    """What an answer led to."""

    id: UUID
    stage: Stage
    version: int
    holder: PersonRef | None
    due_at: datetime | None
