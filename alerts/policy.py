"""Policies: the steps an alert climbs, as data.

Rules
    The steps and their version are frozen into an alert when it is raised; the people behind a step are found when it
    fires (``alerts.finding``). Which policy an alert gets is decided in ``alerts.choosing``.
    The whole ladder is climbed ``rounds`` times; then its last step repeats until somebody answers. What is serious for care
    staff is repeated every 5 minutes at least, whatever a policy says.
    What was stored is read for ever: a field that is new has a default that means what was meant before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from alerts.model import Severity, Track
from alerts.schedule import Window

SPEC = 3
"""The version of a policy's data that is written; 1 had neither names nor contacts in its steps, and no codes, time or rounds, 2 no
limits by severity and none for accepting a hand-over."""
LONGEST_REPEAT = 300
"""Seconds between two repeats of the last step at most, where care staff are called for something serious."""

NOT_CHECKED_IN = "not_checked_in"
"""The condition that somebody on duty has not checked in: for whoever leads, who may have to find another."""
REACH_GAP = "reach_gap"
"""The condition that a policy reaches too few in the week to come."""
OF_STAFF = frozenset({NOT_CHECKED_IN, REACH_GAP})
"""What leads have to mend, though it is technical: nobody who repairs devices can."""


class Target(StrEnum):
    """Whom a step pages, seen from the alert's zone."""

    FIRST_ON_DUTY = "first_on_duty"
    NEXT_ON_DUTY = "next_on_duty"
    ALL_ON_DUTY = "all_on_duty"
    ZONE_LEAD = "zone_lead"
    RESPONSE_CENTRE = "response_centre"
    TECHNICAL_ON_DUTY = "technical_on_duty"
    TECHNICAL_ALL = "technical_all"
    PERSON = "person"
    TEAM = "team"


BY_ID = frozenset({Target.PERSON, Target.TEAM})
"""Targets that a step names by an id."""


def _sorted(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(codes)))


ContactKind = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
Codes = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._]{0,63}$")], ...],
    Field(max_length=20),
    AfterValidator(_sorted),
]


class PolicyStep(BaseModel):
    """One step: whom, and how many seconds until the next.

    ``id``: the outer id of the person or the team, where the target is one. ``only_on_duty``: these only while they are on
    duty in the alert's zone. ``contacts``: the kinds of contact by which to reach them, all where none is named.
    ``first_contact``: each person by one contact alone, the first of these kinds that they have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Target
    wait_seconds: Annotated[int, Field(ge=10, le=24 * 3600)]
    id: UUID | None = None
    only_on_duty: bool = False
    contacts: Annotated[tuple[ContactKind, ...], Field(max_length=8)] = ()
    first_contact: bool = False

    NEWER: ClassVar[frozenset[str]] = frozenset({"id", "only_on_duty", "contacts", "first_contact"})
    """Fields that the first release does not know (``alerts.stored``)."""

    @model_validator(mode="after")
    def _names_whom_it_means(self) -> Self:
        if (self.target in BY_ID) != (self.id is not None):
            raise ValueError(f"a step to a person or a team needs its id, and no other has one: {self.target}")
        return self

    @property
    def whom(self) -> str:
        """What people are found by: the same for steps that mean the same people."""
        return str(self.target) if self.id is None else f"{self.target}:{self.id}:{int(self.only_on_duty)}"


Limit = Annotated[int, Field(ge=60, le=24 * 3600)]


class StageLimits(BaseModel):
    """Seconds after which somebody who answered and then said nothing has the alert taken back to the ladder; ``accept``: after
    which a colleague to whom it is handed over, and who has not accepted, leaves it with its holder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claimed: Limit = 600
    on_way: Limit = 1800
    arrived: Limit = 3600
    accept: Annotated[int, Field(ge=30, le=3600)] = 120

    NEWER: ClassVar[frozenset[str]] = frozenset({"accept"})
    """Fields that the first release does not know (``alerts.stored``)."""


class SeverityLimits(StageLimits):
    """The limits of alerts of a severity, and of those that are severer and have none of their own."""

    severity: Severity


def _by_severity(limits: tuple[SeverityLimits, ...]) -> tuple[SeverityLimits, ...]:
    if len({each.severity for each in limits}) < len(limits):
        raise ValueError("a severity has its limits twice")
    return tuple(sorted(limits, key=lambda each: each.severity))


class Policy(BaseModel):
    """Which alerts it is for, and its steps. ``repeat_seconds`` between repeats of the last.

    ``codes``: conditions or VKP codes, «4» for all below it; any where none is named. ``window``: the time of day at which
    the alert is raised; any where there is none. ``rounds``: how often all steps are climbed before the last one repeats.
    ``severity_limits``: from which severity on which limits hold instead of ``limits``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    track: Track
    min_severity: Severity = Severity.NOT_REPORTED
    max_severity: Severity = Severity.CRITICAL
    codes: Codes = ()
    window: Window | None = None
    steps: Annotated[tuple[PolicyStep, ...], Field(min_length=1, max_length=20)]
    rounds: Annotated[int, Field(ge=1, le=5)] = 1
    repeat_seconds: Annotated[int, Field(ge=60, le=24 * 3600)] = 300
    limits: StageLimits = StageLimits()
    severity_limits: Annotated[
        tuple[SeverityLimits, ...], Field(max_length=len(Severity)), AfterValidator(_by_severity)
    ] = ()

    NEWER: ClassVar[frozenset[str]] = frozenset({"max_severity", "codes", "window", "rounds", "severity_limits"})
    """Fields that the first release does not know (``alerts.stored``)."""

    @model_validator(mode="after")
    def _is_for_something(self) -> Self:
        if self.min_severity > self.max_severity:
            raise ValueError("it is for no severity: `min_severity` is above `max_severity`")
        if self.window and (self.window.from_time.tzinfo or self.window.to_time.tzinfo):
            raise ValueError("the times of `window` are local ones, without an offset")
        return self

    @property
    def ladder(self) -> tuple[PolicyStep, ...]:
        """Every step as it is climbed, round after round."""
        return self.steps * self.rounds

    def round_of(self, index: int) -> tuple[int, int]:
        """Of a position on the ladder the round and the step, both from 0."""
        return divmod(index, len(self.steps))

    def wait_after(self, index: int, severity: Severity) -> int:
        """Seconds until what follows a position on the ladder: the next step, or the last one again."""
        if index < len(self.ladder) - 1:
            return self.ladder[index].wait_seconds
        serious = self.track is Track.CARE and severity >= Severity.SERIOUS
        return min(self.repeat_seconds, LONGEST_REPEAT) if serious else self.repeat_seconds

    def limits_for(self, severity: Severity) -> StageLimits:
        """How long each stage of an alert of this severity may last."""
        up_to = [each for each in self.severity_limits if each.severity <= severity]
        return up_to[-1] if up_to else self.limits


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as stored: the version is what an alert freezes. ``zone_id``, ``resident_id``: what it is set for, the whole
    installation where neither is named."""

    version_id: int
    policy: Policy
    id: int = 0
    zone_id: int | None = None
    resident_id: int | None = None


def _step(target: Target, wait_seconds: int) -> PolicyStep:
    return PolicyStep(target=target, wait_seconds=wait_seconds)


_SERIOUS = SeverityLimits(severity=Severity.SERIOUS)
_CRITICAL = SeverityLimits(severity=Severity.CRITICAL, claimed=300, on_way=1200, arrived=3600, accept=60)

DEFAULT_POLICIES = (
    Policy(
        name="care_urgent",
        track=Track.CARE,
        min_severity=Severity.SERIOUS,
        steps=(
            _step(Target.FIRST_ON_DUTY, 60),
            _step(Target.ALL_ON_DUTY, 120),
            _step(Target.ZONE_LEAD, 120),
            _step(Target.RESPONSE_CENTRE, 300),
        ),
        severity_limits=(_CRITICAL,),
    ),
    Policy(
        name="care",
        track=Track.CARE,
        steps=(
            _step(Target.FIRST_ON_DUTY, 600),
            _step(Target.ALL_ON_DUTY, 900),
            _step(Target.ZONE_LEAD, 900),
            _step(Target.RESPONSE_CENTRE, 900),
        ),
        repeat_seconds=900,
        limits=StageLimits(claimed=1800, on_way=3600, arrived=3600),
        severity_limits=(_SERIOUS, _CRITICAL),
    ),
    Policy(
        name="technical",
        track=Track.TECHNICAL,
        steps=(_step(Target.TECHNICAL_ON_DUTY, 3600), _step(Target.TECHNICAL_ALL, 3600)),
        repeat_seconds=12 * 3600,
        limits=StageLimits(claimed=24 * 3600, on_way=24 * 3600, arrived=24 * 3600),
    ),
    Policy(
        name="technical_urgent",
        track=Track.TECHNICAL,
        min_severity=Severity.SERIOUS,
        steps=(
            _step(Target.TECHNICAL_ON_DUTY, 900),
            _step(Target.TECHNICAL_ALL, 1800),
            _step(Target.RESPONSE_CENTRE, 1800),
        ),
        repeat_seconds=3600,
        limits=StageLimits(claimed=4 * 3600, on_way=4 * 3600, arrived=4 * 3600),
        severity_limits=(
            SeverityLimits(severity=Severity.CRITICAL, claimed=3600, on_way=2 * 3600, arrived=2 * 3600, accept=60),
        ),
    ),
    Policy(
        name="staffing",
        track=Track.TECHNICAL,
        codes=(NOT_CHECKED_IN,),
        steps=(_step(Target.ZONE_LEAD, 900), _step(Target.RESPONSE_CENTRE, 900)),
        repeat_seconds=3600,
        limits=StageLimits(claimed=4 * 3600, on_way=4 * 3600, arrived=4 * 3600),
    ),
    Policy(
        name="reach",
        track=Track.TECHNICAL,
        codes=(REACH_GAP,),
        steps=(_step(Target.ZONE_LEAD, 3600), _step(Target.RESPONSE_CENTRE, 3600)),
        repeat_seconds=12 * 3600,
        limits=StageLimits(claimed=24 * 3600, on_way=24 * 3600, arrived=24 * 3600),
    ),
)
"""What a municipality starts with; the waits are proposals (settings), no source gives them."""
