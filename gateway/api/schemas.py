"""What the API gives and takes; the pages are made from the same values. Times are UTC, ids are UUIDs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.alert import Action, Cause, Stage
from alerts.command import Reason, State
from alerts.model import Severity, Track
from devices.model import Reason as Unreadable


class Schema(BaseModel):
    """Values that are given out; those taken in forbid unknown fields."""

    model_config = ConfigDict(frozen=True)


class PersonRef(Schema):
    """A member of staff, as others see them."""

    id: UUID
    name: str


class Me(Schema):
    """Whoever is signed in. ``roles``: role names in force now; ``zones``: names of the zones they cover."""

    id: UUID
    name: str
    language: Literal["nb", "nn", "en"]
    roles: list[str]
    zones: list[str]


class AlertSummary(Schema):
    """An alert as a list shows it.

    ``title``: the condition in the reader's language. ``late_seconds``: how late the first message came, 0 when fresh.
    ``unanswered_since``: since when the whole ladder was climbed in vain. ``mine``: the reader holds it or it is
    offered to them. ``due_at``: when it climbs or falls back next.
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
    version: int


class ResidentView(Schema):
    """Who needs help."""

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
    """One line of the timeline. ``given_at``: when an answer was given, where it reached us later."""

    at: datetime
    given_at: datetime | None
    code: str
    params: dict[str, Any]
    actor: PersonRef | None
    text: str
    vkp_event: str | None


class PartView(Schema):
    """The last word about a part of a device. ``part``: ``bolt`` or ``door`` of a lock; ``text``: in the reader's language."""

    part: str
    type: str
    text: str
    occurred_at: datetime
    received_at: datetime


class CommandOffer(Schema):
    """Something that the reader may ask a device to do now; ``label`` as a button says it."""

    command: str
    label: str


class CommandView(Schema):
    """A command and how far it has come. It is obeyed before ``valid_until``, or not at all.

    ``outcome``: the type of the device's report that settled it, or ``not_sent``, ``no_answer``, ``alert_closed``,
    ``done_late``. Texts are in the language of whoever asks.
    """

    id: UUID
    command: str
    label: str
    reason: Reason
    reason_text: str
    state: State
    state_text: str
    outcome: str | None
    outcome_text: str | None
    requested_by: PersonRef
    requested_at: datetime
    valid_until: datetime
    sent_at: datetime | None
    settled_at: datetime | None


class LockView(Schema):
    """A device in the alert's home that can be asked to do something. ``parts``: what is known of it; ``commands``: what the
    reader may ask now; ``given``: what it was asked for this alert, the newest first."""

    device: UUID
    kind: str
    placed: str
    online: bool | None
    parts: list[PartView]
    commands: list[CommandOffer]
    given: list[CommandView]


class CommandRequest(BaseModel):
    """A command to a device in the home of an alert. ``valid_seconds``: how long the device may obey it, from now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: UUID
    command: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Reason
    valid_seconds: Annotated[int, Field(ge=10, le=300)] = 60


AnswerName = Literal[
    "claim", "take_over", "on_way", "arrived", "close", "undo_close", "hand_over", "release", "need_help"
]


class AlertDetail(AlertSummary):
    """An alert with all that whoever answers it needs. ``answers``: what the reader may answer now.

    ``positions``: where to look, the newest first; of an open alert only.
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


class AlertPage(Schema):
    """A page of alerts, newest first within what is asked for. ``next_cursor``: for the next page, None at the end."""

    alerts: list[AlertSummary]
    next_cursor: str | None


class AnswerRequest(BaseModel):
    """An answer to an alert.

    ``given_at``: when the person gave it, where it reaches us later; ``version``: of the alert that they saw, to
    refuse an answer to something that has changed since. ``cause`` and ``action`` go with ``close``, ``to`` with
    ``hand_over``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer: AnswerName
    to: UUID | None = None
    cause: Cause | None = None
    action: Action | None = None
    given_at: AwareDatetime | None = None
    version: Annotated[int, Field(ge=0)] | None = None


class AnswerReply(Schema):
    """What an answer led to."""

    id: UUID
    stage: Stage
    version: int
    holder: PersonRef | None
    due_at: datetime | None


QuarantineState = Literal["waiting", "decoded"]


class QuarantineItem(Schema):
    """A message that could not be read. ``raw``: its bytes without secrets, base64; ``text``: as far as they are text;
    ``device`` and ``device_kind``: as its topic has them. ``reason``: why it could not be read when that was last tried.
    """

    id: UUID
    site: str
    topic: str
    reason: str
    detail: str
    message_class: str | None
    retained: bool
    raw: str
    text: str
    received_at: datetime
    device: str | None = None
    device_kind: str | None = None
    state: QuarantineState = "waiting"
    decoded_at: datetime | None = None
    decoded_by: PersonRef | None = None


class QuarantinePage(Schema):
    """A page of quarantined messages, newest first."""

    items: list[QuarantineItem]
    next_cursor: str | None


class QuarantineQuery(BaseModel):
    """Which messages in quarantine. ``q``: a part of the topic, the reason's detail, the site or the message itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[str, Field(max_length=200)] | None = None
    reason: Unreadable | None = None
    site: Annotated[str, Field(max_length=64)] | None = None
    state: QuarantineState | None = "waiting"


class DecodedAgain(Schema):
    """What became of a message that was decoded again.

    ``decoded``: stored now, and judged as late as it is; ``seen_before``: it had come by another way; ``already_decoded``:
    somebody did it before; ``unreadable``: it stays, with the ``reason`` and ``detail`` why.
    """

    id: UUID
    outcome: Literal["decoded", "seen_before", "already_decoded", "unreadable"]
    reason: str | None = None
    detail: str | None = None


class DecodedAgainAll(Schema):
    """What became of many, by outcome. ``next_cursor``: where to go on; None when that was all."""

    decoded: int
    seen_before: int
    already_decoded: int
    unreadable: int
    next_cursor: str | None


class SiteView(Schema):
    """How far a site has been heard; ``deaf``: longer ago than it may be."""

    name: str
    zone: str
    heard_until: datetime | None
    deaf: bool


class SignIn(BaseModel):
    """A local account's name and password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]


class SessionView(Schema):
    """A session. ``token`` is given once, when it begins; send it as ``Authorization: Bearer``."""

    id: UUID
    token: str
    expires_at: datetime
    person: PersonRef


class Problem(Schema):
    """An error as RFC 9457 has it. ``reason``: a short code to act on; ``mend``: what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    reason: str
    mend: str = ""
