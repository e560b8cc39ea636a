"""What the API gives and takes; the pages are made from the same values. Times are UTC, ids are UUIDs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

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

    ``outcome``: the type of the device's report that settled it, or ``not_sent``, ``no_answer``, ``alert_closed``, ``not_allowed``,
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


class Named(Schema):
    """A zone, a resident or a device: its id, and what it is called (a device: its address)."""

    id: UUID
    name: str


ScopeName = Literal["kind", "zone", "resident", "device"]


class RuleScope(Schema):
    """What a rule is set for. ``id`` and ``text``: of the zone, resident or device; None and empty for a whole kind."""

    name: ScopeName
    id: UUID | None
    text: str


class ScopeRequest(BaseModel):
    """What a rule is to be set for: one of these by its id; none means the whole kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: UUID | None = None
    resident: UUID | None = None
    device: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.zone, self.resident, self.device)) > 1:
            raise ValueError("name one of zone, resident and device")
        return self

    @property
    def named(self) -> tuple[ScopeName, UUID] | None:
        """Which of them it is, and its id."""
        given: dict[ScopeName, UUID | None] = {"zone": self.zone, "resident": self.resident, "device": self.device}
        return next(((name, uid) for name, uid in given.items() if uid is not None), None)


class RuleWords(Schema):
    """A rule in the reader's language: when, and what then."""

    when: str
    then: str
    off: bool


class RuleView(Schema):
    """A rule as it stands. ``spec``: its data. ``words``: None where nobody can read it. ``since``, ``by``: when it was set,
    and by whom; nobody where it came with the program. ``may_change``: whether the reader may set it anew or withdraw it."""

    id: UUID
    kind: str
    name: str
    version: int
    scope: RuleScope
    spec: dict[str, Any]
    words: RuleWords | None
    since: datetime
    by: PersonRef | None
    withdrawn: bool
    may_change: bool


class RuleVersion(Schema):
    """One version of a rule."""

    version: int
    spec: dict[str, Any]
    words: RuleWords | None
    since: datetime
    by: PersonRef | None
    withdrawn: bool


class RuleDetail(RuleView):
    """A rule with its versions, the newest first."""

    versions: list[RuleVersion]


class RuleList(Schema):
    """Rules in force that the reader may see: by kind and name, the widest first."""

    rules: list[RuleView]


class RuleType(Schema):
    """A type of rule, and the JSON Schema of its data."""

    type: str
    schema_: Annotated[dict[str, Any], Field(alias="schema")]

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class RuleRequest(BaseModel):
    """A rule to be set or previewed. ``spec``: its data, as its type's schema has it. ``version``: of the rule that is set for
    just this now, 0 where there is none; needed to set it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(min_length=1, max_length=64)]
    scope: ScopeRequest
    spec: dict[str, Any]
    version: Annotated[int, Field(ge=0)] = 0


class WithdrawRequest(BaseModel):
    """``version``: of the rule that was looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1)]


class PreviewAlert(Schema):
    """An alert as it would have been. ``times``: how often it was raised while it would have been open."""

    raised_at: datetime
    title: str
    severity: Severity
    severity_text: str
    times: int
    zone: str
    resident: Named | None
    device: Named | None


class PreviewDay(Schema):
    """How many alerts on a local day."""

    day: date
    before: int
    after: int


class PreviewMost(Schema):
    """Who or what they were most about."""

    resident: Named | None
    device: Named | None
    zone: str
    before: int
    after: int


class Preview(Schema):
    """What a rule would have raised, from ``since`` (30 days ago, or the oldest that is stored) until now, beside what the
    rules of its name as they are would have. ``observations``: how many were looked at; ``cut``: whether there were too many,
    and only the newest were. ``crashed``: rules that failed. The newest ten of each are shown."""

    kind: str
    name: str
    since: datetime
    until: datetime
    observations: int
    devices: int
    cut: bool
    before: int
    after: int
    days: list[PreviewDay]
    most: list[PreviewMost]
    newest_before: list[PreviewAlert]
    newest_after: list[PreviewAlert]
    only_before: int
    only_after: int
    newest_only_before: list[PreviewAlert]
    newest_only_after: list[PreviewAlert]
    crashed: list[str]


class ScopeOption(Schema):
    """Something that a rule can be set for. ``version``: of the rule that is set for just this, 0 where there is none."""

    scope: RuleScope
    version: int


class RuleDraft(Schema):
    """What the form to set a rule begins with: the rule that applies now, and what it can be set for, the nearest first."""

    kind: str
    name: str
    spec: dict[str, Any]
    applies: RuleScope
    chosen: RuleScope
    scopes: list[ScopeOption]


class AppliedRule(Schema):
    """The rule of a name that applies to a device, and the ones that it hides, the nearest first."""

    rule: RuleView
    hides: list[RuleScope]


class DeviceItem(Schema):
    """A device, and where it is fitted now. ``placed``: where in the dwelling."""

    id: UUID
    kind: str
    address: str
    model: str
    site: str
    registered: bool
    zone: Named
    dwelling: str | None
    placed: str
    resident: Named | None
    last_seen: datetime | None
    online: bool | None
    state: dict[str, Any]


class DevicePage(Schema):
    """Devices in order of address. ``next_cursor``: for the next page, None at the end."""

    devices: list[DeviceItem]
    next_cursor: str | None


class DeviceDetail(DeviceItem):
    """A device with the rules that apply to it, those that are switched off too. ``silent_after_seconds``: how long it may
    say nothing."""

    fitted_since: datetime | None
    silent_after_seconds: int
    rules: list[AppliedRule]
    may_change: bool


class FieldProblem(Schema):
    """What is wrong with one field of a rule, and how to mend it."""

    field: str
    code: str
    what: str
    mend: str


class Problem(Schema):
    """An error as RFC 9457 has it. ``reason``: a short code to act on; ``mend``: what to do about it; ``errors``: field by
    field, where several are wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    reason: str
    mend: str = ""
    errors: list[FieldProblem] = []
