"""Policies and teams, whom they would page, and whether they will reach people in the week to come."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from alerts.choosing import Because, Verdict
from alerts.finding import Missed
from alerts.model import Severity, Track
from alerts.policy import Policy, Target
from alerts.reach import Gap
from alerts.silence import Why
from gateway.api.schemas.base import Code, Filled, Moment, Named, PersonRef, Schema, Taken


class PolicyScope(Schema):
    """What a policy is set for. ``id`` and ``text``: of the zone or resident; None and empty for the whole installation."""

    name: Literal["whole", "zone", "resident"]
    id: UUID | None
    text: str


class PolicyScopeRequest(Taken):
    """What a policy is to be set for: a zone (with all below it) or a resident by its id; neither means everywhere."""

    zone: UUID | None = None
    resident: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.zone is not None and self.resident is not None:
            raise ValueError("name a zone or a resident, not both")
        return self


class PolicyWords(Schema):
    """A policy in the reader's language: what it is called, which alerts it is for, each of its steps, and how long somebody who
    has answered may say nothing (for all severities, then from which one on otherwise)."""

    title: str
    applies: str
    steps: list[str]
    limits: list[str]


class PolicyVersion(Schema):
    """One version of a policy. ``policy``: as it is followed; ``readable``: else a default one is followed instead."""

    version: int
    policy: Policy
    words: PolicyWords
    readable: bool
    withdrawn: bool
    since: datetime
    by: PersonRef | None


class PolicyView(PolicyVersion):
    """A policy as it stands. ``may_change``: whether the reader may set it anew or withdraw it."""

    id: UUID
    name: str
    scope: PolicyScope
    may_change: bool


class PolicyDetail(PolicyView):
    """A policy with its versions, the newest first. Alerts keep the version with which they were raised."""

    versions: list[PolicyVersion]


class PolicyRequest(Taken):
    """A new policy. ``policy``: its data, as :class:`Policy` has it."""

    scope: PolicyScopeRequest = PolicyScopeRequest()
    policy: dict[str, Any]


class PolicyChange(Taken):
    """A policy as it is to be. ``version``: of the one that was looked at."""

    policy: dict[str, Any]
    version: Annotated[int, Field(ge=1)]


class ConditionView(Schema):
    """Something that alerts are about. ``severity`` and ``track``: by the rules that come with the program."""

    condition: str
    text: str
    vkp_code: str | None
    severity: Severity
    track: Track


class PolicyOptions(Schema):
    """What a form to set a policy offers: for what it is set, whom steps can name, by which kinds of contact, for which
    conditions."""

    scope: PolicyScope
    people: list[PersonRef]
    teams: list[Named]
    contacts: list[str]
    conditions: list[ConditionView]


# Teams ----------------------------------------------------------------------------------------------------------------


class MemberRequest(Taken):
    """A member of a team. ``since``: None for now; ``until``: None for no end."""

    person: UUID
    since: Moment | None = None
    until: Moment | None = None


class TeamRequest(Taken):
    """A new team of a zone, with its members in the order in which they are called."""

    zone: UUID
    name: Annotated[Filled, Field(max_length=64)]
    members: Annotated[tuple[MemberRequest, ...], Field(max_length=100)] = ()


class TeamChange(Taken):
    """A team as it is to be. ``version``: of the one that was looked at."""

    name: Annotated[Filled, Field(max_length=64)]
    members: Annotated[tuple[MemberRequest, ...], Field(max_length=100)]
    version: Annotated[int, Field(ge=1)]


class MemberView(Schema):
    """A member, from and until."""

    person: PersonRef
    since: datetime | None
    until: datetime | None


class TeamView(Schema):
    """A team of a zone. ``may_change``: whether the reader may change it."""

    id: UUID
    name: str
    zone: Named
    version: int
    withdrawn: bool
    members: list[MemberView]
    may_change: bool


# Who would be paged ---------------------------------------------------------------------------------------------------


class RehearsalQuery(Taken):
    """An alert as it may be: where (a zone or a resident), about what, when. ``severity`` and ``track``: None for those that
    the condition has by the rules that come with the program; ``at``: None for now."""

    zone: UUID | None = None
    resident: UUID | None = None
    condition: Code = "fall"
    severity: Severity | None = None
    track: Track | None = None
    at: Moment | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.zone is None) == (self.resident is None):
            raise ValueError("name a zone or a resident")
        return self


class CalledPerson(Schema):
    """Somebody who would be paged, by these kinds of contact in this order. ``after_seconds``: for each, how much later than the
    step; it is tried unless a phone says until then that it has the page."""

    person: PersonRef
    contacts: list[str]
    contacts_text: str
    after_seconds: list[int]


class MissedPerson(Schema):
    """Somebody whom the step means, and does not reach."""

    person: PersonRef
    reason: Missed
    reason_text: str


class RungView(Schema):
    """What would happen at a time. ``code``: of the timeline's entry; ``step`` and ``round``: from 0; ``text``: whom it means."""

    at: datetime
    after_seconds: int
    code: str
    step: int | None
    round: int
    target: Target | None
    text: str
    after_text: str
    called: list[CalledPerson]
    missed: list[MissedPerson]


class PolicyRef(Schema):
    """A policy, in short."""

    id: UUID
    title: str
    scope: PolicyScope
    version: int


class OtherPolicy(Schema):
    """A policy that was considered, and why it is not the one."""

    policy: PolicyRef
    verdict: Verdict
    verdict_text: str


class HeldBack(Schema):
    """A silence would hold it back, or that the resident is away."""

    why: Why
    why_text: str
    until: datetime


class Rehearsal(Schema):
    """Who would be paged, if nobody answered: which policy, because of what, and step by step whom. ``persons``: how many
    different ones. ``repeat_seconds``: how often the last step is repeated after that. ``assumes_check_in``: people have to check in
    there, and at another time than now everybody on duty is taken to have done so. ``held_back``: it would page nobody before that
    silence ends; a silence of a single device is not looked at."""

    zone: Named
    resident: Named | None
    condition: str
    condition_text: str
    severity: Severity
    severity_text: str
    track: Track
    at: datetime
    policy: PolicyRef
    because: list[Because]
    because_text: list[str]
    others: list[OtherPolicy]
    rungs: list[RungView]
    persons: int
    repeat_seconds: int
    assumes_check_in: bool
    held_back: HeldBack | None


# The week to come -----------------------------------------------------------------------------------------------------


class ReachZone(Schema):
    """Of each hour from ``since`` on, how many persons the weakest policy of each track reaches; 99 where none is for it."""

    zone: Named
    since: datetime
    care: list[int]
    technical: list[int]


class ReachGap(Schema):
    """A time in which a policy reaches too few. ``told_at``: when the lead was told."""

    zone: Named
    policy: Named
    track: Track
    gap: Gap
    gap_text: str
    since: datetime
    until: datetime
    persons: int
    severities: list[Severity]
    told_at: datetime | None


class ReachView(Schema):
    """The next seven days in the zones that the reader oversees, as they were last looked at (None: not yet), and when
    that will be done again."""

    time_zone: str
    looked_at: datetime | None
    due_at: datetime | None
    zones: list[ReachZone]
    gaps: list[ReachGap]
