"""Silences: what holds an alert back, for whom and for how long; and what becomes of it afterwards. Pure.

Rules
    1. A silence has an owner, a reason and an end, at most 30 days after somebody last said that it is to be. It concerns a
       device as it is fitted now, a resident wherever they live, or a zone with what is below it; all that is raised of that,
       or one condition.
    2. It holds back what a *rule* raises, and only that: an alarm that nobody could read, a rule that crashed, a site that
       is not heard are never held back. Nor is anything that is more severe than what was silenced.
    3. What is *vital* – critical, or of a condition or code whose every default rule is critical care: a fall, a fire – is
       held back only where the silence names it and a second person has agreed. So has a silence of all that a whole zone
       raises for care. What nobody has agreed to holds back nothing at all.
    4. An alert that is open already is not touched: a silence never quiets what somebody waits for.
    5. A resident who is *away* is a silence of another kind: it holds back what waits for life at home (``while_away`` of the
       rule) until the day of return, never longer. Past that day the lead is asked every morning.
    6. What was held back and is not known to be over is raised when the silence ends (:mod:`alerts.silence_ends`).
    7. Every doubt is decided for the alarm.

Theory
    ``decide(silences, subject, condition, severity, at, …)`` is the whole question, and answers with a named reason. It is
    asked when an alert would be opened, with the silences as they stand in that transaction; and by whoever wants to know
    who would be called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from alerts.model import Severity, Subject, Track
from alerts.rules import Rule
from devices.kinds import kinds

LONGEST = timedelta(days=30)
LONGEST_AWAY = timedelta(days=92)
SHORT = timedelta(hours=12)
"""So long the response centre may silence something by itself: until the lead is at work again."""


class Kind(StrEnum):
    SILENCE = "silence"
    AWAY = "away"


class Reason(StrEnum):
    """Why something is silenced, or where a resident is."""

    REPAIR = "repair"
    VISIT = "visit"
    FALSE_ALARMS = "false_alarms"
    AGREED = "agreed"
    EXERCISE = "exercise"
    HOSPITAL = "hospital"
    RESPITE = "respite"
    HOLIDAY = "holiday"
    FAMILY = "family"
    OTHER = "other"


REASONS: Mapping[Kind, tuple[Reason, ...]] = {
    Kind.SILENCE: (
        Reason.REPAIR,
        Reason.VISIT,
        Reason.FALSE_ALARMS,
        Reason.AGREED,
        Reason.EXERCISE,
        Reason.OTHER,
    ),
    Kind.AWAY: (Reason.HOSPITAL, Reason.RESPITE, Reason.HOLIDAY, Reason.FAMILY, Reason.OTHER),
}


class State(StrEnum):
    """Asked: somebody else has to agree first. Overdue: the resident should be back, and nobody has said so."""

    ASKED = "asked"
    PLANNED = "planned"
    IN_FORCE = "in_force"
    OVERDUE = "overdue"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence as decisions need it. Exactly one of device, resident or neither (then the zone) is what it concerns.

    ``severity``: the highest that it holds back. ``vital``: whether that includes what is vital. ``agreed_at``: when somebody
    last said that it is to be until ``until``.
    """

    id: int
    owner_id: int
    zone_id: int
    since: datetime
    until: datetime
    agreed_at: datetime
    kind: Kind = Kind.SILENCE
    device_id: int | None = None
    installation_id: int | None = None
    resident_id: int | None = None
    condition: str | None = None
    track: Track | None = None
    severity: Severity = Severity.SERIOUS
    vital: bool = False
    needs_consent: bool = False
    consented_at: datetime | None = None
    warned_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def agreed(self) -> bool:
        return not self.needs_consent or self.consented_at is not None


def longest(kind: Kind) -> timedelta:
    """From when somebody says so until it ends."""
    return LONGEST_AWAY if kind is Kind.AWAY else LONGEST


def state_of(silence: Silence, at: datetime) -> State:
    """Where a silence stands at a time; one whose time is up is over, whether that was noted or not."""
    if silence.ended_at is not None:
        return State.ENDED
    if at >= silence.until:
        return State.OVERDUE if silence.kind is Kind.AWAY else State.ENDED
    if not silence.agreed:
        return State.ASKED
    return State.IN_FORCE if at >= silence.since else State.PLANNED


# What is held back ----------------------------------------------------------------------------------------------------


class Why(StrEnum):
    """Why something is held back (the first two), or not."""

    SILENCED = "silenced"
    AWAY = "away"
    VITAL = "vital"
    MORE_SEVERE = "more_severe"
    NOT_AGREED = "not_agreed"
    NOT_IN_FORCE = "not_in_force"
    NO_SILENCE = "no_silence"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is held back, why, and by which silence – or which one nearly did."""

    why: Why
    silence: Silence | None = None

    @property
    def held(self) -> bool:
        return self.why in (Why.SILENCED, Why.AWAY)


def decide(
    silences: Iterable[Silence],
    subject: Subject,
    condition: str,
    severity: Severity,
    at: datetime,
    *,
    zones: Collection[int] = (),
    track: Track = Track.CARE,
    vkp_code: str | None = None,
    rests: bool = False,
) -> Decision:
    """Whether what a rule would raise about a subject is held back. ``zones``: the subject's with those around it;
    ``rests``: whether the rule waits for life at home (:func:`rests_while_away`).

    Of several that hold it back the one that lasts longest does.
    """
    vital = is_vital(condition, severity, track, vkp_code)
    around = {subject.zone_id, *zones}
    decided = [
        Decision(_why(each, severity, at, vital=vital, rests=rests), each)
        for each in silences
        if _concerns(each, subject, condition, track, around)
    ]
    order = list(Why)
    return min(
        decided,
        key=lambda each: (order.index(each.why), -(each.silence.until if each.silence else at).timestamp()),
        default=Decision(Why.NO_SILENCE),
    )


def _concerns(silence: Silence, subject: Subject, condition: str, track: Track, around: Collection[int]) -> bool:
    if silence.condition not in (None, condition) or silence.track not in (None, track):
        return False
    if silence.device_id is not None:
        return (silence.device_id, silence.installation_id) == (subject.device_id, subject.installation_id)
    if silence.resident_id is not None:
        return silence.resident_id == subject.resident_id
    return silence.kind is Kind.SILENCE and silence.zone_id in around


def _why(silence: Silence, severity: Severity, at: datetime, *, vital: bool, rests: bool) -> Why:
    state = state_of(silence, at)
    if silence.kind is Kind.AWAY:
        if not rests or vital:
            return Why.NO_SILENCE
        return Why.AWAY if state is State.IN_FORCE else Why.NOT_IN_FORCE
    if vital and not silence.vital:
        return Why.VITAL
    if severity > silence.severity:
        return Why.MORE_SEVERE
    if state is State.ASKED:
        return Why.NOT_AGREED
    return Why.SILENCED if state is State.IN_FORCE else Why.NOT_IN_FORCE


@cache
def _vital_by() -> tuple[frozenset[str], frozenset[str]]:
    """The conditions and the codes of which every default rule for care is critical."""
    mildest: list[dict[str, int]] = [{}, {}]
    for rule in (each for kind in kinds().values() for each in kind.default_rules if each["track"] == Track.CARE):
        for found, name in zip(mildest, (rule["condition"], rule["vkp_code"]), strict=True):
            if name is not None:
                found[name] = min(found.get(name, Severity.CRITICAL), rule["severity"])
    conditions, codes = ({name for name, low in each.items() if low >= Severity.CRITICAL} for each in mildest)
    return frozenset(conditions), frozenset(codes)


def is_vital(condition: str, severity: Severity, track: Track = Track.CARE, vkp_code: str | None = None) -> bool:
    """Whether it is about life and death: it takes two to silence it."""
    conditions, codes = _vital_by()
    return severity >= Severity.CRITICAL or (track is Track.CARE and (condition in conditions or vkp_code in codes))


def rests_while_away(rule: Rule) -> bool:
    """Whether a rule waits for life at home. One that does not say is as the rule of its name that comes with the kind."""
    if rule.spec.while_away is not None:
        return rule.spec.while_away == "rest"
    known = kinds().get(rule.kind)
    default: Any = next((each for each in known.default_rules if each["name"] == rule.spec.name), {}) if known else {}
    return bool(default.get("while_away") == "rest")


def severity_of(rules: Iterable[Rule], condition: str | None, *, vital: bool) -> Severity:
    """The highest severity that a silence is for: of the condition as its rules raise it now; of everything, all that is not
    vital."""
    if vital:
        return Severity.CRITICAL
    found = [rule.spec.severity for rule in rules if rule.spec.condition == condition and rule.spec.enabled]
    below = [each for each in found if each < Severity.CRITICAL]
    return max(below, default=Severity.SERIOUS)


def needs_consent(scope: str, condition: str | None, track: Track | None, *, vital: bool) -> bool:
    """Whether a second person has to agree: to what is vital, and to all that a whole zone raises for care."""
    return vital or (scope == "zone" and condition is None and track is not Track.TECHNICAL)
