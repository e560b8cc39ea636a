"""Policies: the steps an alert climbs, as data.

The steps and their version are frozen into an alert when it is raised; the people behind a step are found when it
fires. The last step repeats until somebody answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from alerts.model import Severity, Track

NOT_CHECKED_IN = "not_checked_in"
"""The condition that somebody on duty has not checked in: for whoever leads, who may have to find another."""


class Target(StrEnum):
    """Whom a step pages, seen from the alert's zone."""

    FIRST_ON_DUTY = "first_on_duty"
    ALL_ON_DUTY = "all_on_duty"
    ZONE_LEAD = "zone_lead"
    RESPONSE_CENTRE = "response_centre"
    TECHNICAL_ON_DUTY = "technical_on_duty"
    TECHNICAL_ALL = "technical_all"


class PolicyStep(BaseModel):
    """One step: whom, and how many seconds until the next."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: Target
    wait_seconds: Annotated[int, Field(ge=10, le=24 * 3600)]


class StageLimits(BaseModel):
    """Seconds after which somebody who answered and then said nothing has the alert taken back to the ladder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claimed: Annotated[int, Field(ge=60, le=24 * 3600)] = 600
    on_way: Annotated[int, Field(ge=60, le=24 * 3600)] = 1800
    arrived: Annotated[int, Field(ge=60, le=24 * 3600)] = 3600


class Policy(BaseModel):
    """Which alerts it is for (track, from a severity on) and its steps. ``repeat_seconds`` between repeats of the last.

    ``conditions``: for alerts of these conditions alone, before any policy that is for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    track: Track
    min_severity: Severity = Severity.NOT_REPORTED
    conditions: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()
    steps: Annotated[tuple[PolicyStep, ...], Field(min_length=1)]
    repeat_seconds: Annotated[int, Field(ge=60, le=24 * 3600)] = 300
    limits: StageLimits = StageLimits()


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as stored: the version is what an alert freezes."""

    version_id: int
    policy: Policy


def choose(policies: list[StoredPolicy], track: Track, severity: Severity, condition: str = "") -> StoredPolicy:
    """The policy of the track with the highest ``min_severity`` that the severity reaches; first of those for the condition.

    Where none is for it, another takes it: an alert must not be lost over a missing policy. LookupError when there are
    no policies at all.
    """
    own = [each for each in policies if condition in each.policy.conditions and each.policy.min_severity <= severity]
    if own:
        return max(own, key=lambda each: each.policy.min_severity)
    policies = [each for each in policies if not each.policy.conditions]
    of_track = [each for each in policies if each.policy.track is track]
    fit = [each for each in of_track if each.policy.min_severity <= severity]
    candidates = fit or of_track or policies
    if not candidates:
        raise LookupError("there are no policies: nobody would hear of any alert")
    return max(candidates, key=lambda each: each.policy.min_severity)


def _step(target: Target, wait_seconds: int) -> PolicyStep:
    return PolicyStep(target=target, wait_seconds=wait_seconds)


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
    ),
    Policy(
        name="staffing",
        track=Track.TECHNICAL,
        conditions=(NOT_CHECKED_IN,),
        steps=(_step(Target.ZONE_LEAD, 900), _step(Target.RESPONSE_CENTRE, 900)),
        repeat_seconds=3600,
        limits=StageLimits(claimed=4 * 3600, on_way=4 * 3600, arrived=4 * 3600),
    ),
)
"""What a municipality starts with; the waits are proposals (settings), no source gives them."""
