"""Which policy an alert gets when it is raised, and why. Pure.

Rules
    A policy is for an alert where all of these fit: its track; the resident, or the zone or one around it, that it is set for;
    its codes; its severities; its time of day, at the moment at which the alert is raised.
    What is about staff (``OF_STAFF``) is for a zone's or a resident's policy only where it names that condition: one for whatever is
    technical there calls those who repair devices.
    Of those that are for it the nearest wins, and of equally near ones the most specific. The order is total:

        1. for the resident, for the zone, for the zone around it …, for the whole
        2. for the very code, for a code above it (4 for 4.1), for any
        3. at a time of day, at any
        4. from a higher severity on
        5. up to a lower severity
        6. set later

    An alert is not lost over a missing policy: where none is for it another one takes it – of its own track and place first, and
    of those one that is only for another severity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from alerts.model import Raise, Severity, Track
from alerts.policy import OF_STAFF, Policy, StoredPolicy

Rank = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """An alert as far as it matters for whom it calls."""

    track: Track
    severity: Severity
    condition: str = ""
    vkp_code: str | None = None
    resident_id: int | None = None

    @classmethod
    def of(cls, raised: Raise) -> Case:
        return cls(raised.track, raised.severity, raised.condition, raised.vkp_code, raised.subject.resident_id)


class Verdict(StrEnum):
    """Why a policy is the one, or is not."""

    CHOSEN = "chosen"
    LESS_NEAR = "less_near"
    LESS_SPECIFIC = "less_specific"
    OLDER = "older"
    OTHER_TRACK = "other_track"
    ELSEWHERE = "elsewhere"
    OTHER_CODE = "other_code"
    OTHER_SEVERITY = "other_severity"
    OTHER_TIME = "other_time"


class Because(StrEnum):
    """What the chosen one is for, the nearest first; ``last_resort``: it is not for it, and nothing is."""

    RESIDENT = "resident"
    ZONE = "zone"
    WHOLE = "whole"
    CODE = "code"
    TIME = "time"
    SEVERITY = "severity"
    LAST_RESORT = "last_resort"


@dataclass(frozen=True, slots=True)
class Considered:
    """A policy, and what became of it."""

    stored: StoredPolicy
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Choice:
    """The policy of an alert; every other one with the reason why not, the most likely ones first."""

    stored: StoredPolicy
    because: tuple[Because, ...]
    others: tuple[Considered, ...]


def choose(
    policies: Sequence[StoredPolicy], case: Case, around: Sequence[int], at: datetime, local: tzinfo
) -> StoredPolicy:
    """The policy of an alert that is raised at a time. ``around``: its zone and those around it, from the inside out.

    LookupError when there are no policies at all.
    """
    fitting = [each for each in policies if _unfit(each, case, around, at, local) is None]
    return max(fitting or _last_resorts(policies, case, around, at, local), key=lambda each: _rank(each, case, around))


def explain(policies: Sequence[StoredPolicy], case: Case, around: Sequence[int], at: datetime, local: tzinfo) -> Choice:
    """The same choice, with its reasons."""
    chosen = choose(policies, case, around, at, local)
    unfit = {each.version_id: _unfit(each, case, around, at, local) for each in policies}
    others = [each for each in policies if each is not chosen]
    told = [Considered(each, unfit[each.version_id] or _outranked(each, chosen, case, around)) for each in others]
    told.sort(key=lambda each: list(Verdict).index(each.verdict))
    if unfit[chosen.version_id] is not None:
        return Choice(chosen, (Because.LAST_RESORT,), tuple(told))
    return Choice(chosen, _because(chosen), tuple(told))


def concerns(stored: StoredPolicy, resident_id: int | None, around: Sequence[int]) -> bool:
    """Whether a policy is set for a place, or for what is around it."""
    if stored.resident_id is not None:
        return stored.resident_id == resident_id
    return stored.zone_id is None or stored.zone_id in around


def _last_resorts(
    policies: Sequence[StoredPolicy], case: Case, around: Sequence[int], at: datetime, local: tzinfo
) -> Sequence[StoredPolicy]:
    """Those that are for it but for the severity; of its track and place; of its track; any."""
    of_track = [each for each in policies if each.policy.track is case.track]
    here = [each for each in of_track if concerns(each, case.resident_id, around)]
    nearly = [each for each in here if _is_about(each, case) and _is_open(each.policy, at, local)]
    found = nearly or here or of_track or policies
    if not found:
        raise LookupError("there are no policies: nobody would hear of any alert")
    return found


def _unfit(stored: StoredPolicy, case: Case, around: Sequence[int], at: datetime, local: tzinfo) -> Verdict | None:
    """Why it is not for an alert; None where it is."""
    policy = stored.policy
    if policy.track is not case.track:
        return Verdict.OTHER_TRACK
    if not concerns(stored, case.resident_id, around):
        return Verdict.ELSEWHERE
    if not _is_about(stored, case):
        return Verdict.OTHER_CODE
    if not policy.min_severity <= case.severity <= policy.max_severity:
        return Verdict.OTHER_SEVERITY
    return None if _is_open(policy, at, local) else Verdict.OTHER_TIME


def _is_about(stored: StoredPolicy, case: Case) -> bool:
    if case.condition in OF_STAFF and (stored.zone_id is not None or stored.resident_id is not None):
        return case.condition in stored.policy.codes
    return not stored.policy.codes or _code_fit(stored.policy, case) > 0


def _is_open(policy: Policy, at: datetime, local: tzinfo) -> bool:
    return policy.window is None or policy.window.covers(at, local)


def _code_fit(policy: Policy, case: Case) -> int:
    """2 for the very condition or code, 1 for a code above it, 0 for none."""
    if case.condition in policy.codes or case.vkp_code in policy.codes:
        return 2
    return int(any((case.vkp_code or "").startswith(f"{each}.") for each in policy.codes))


def _near(stored: StoredPolicy, around: Sequence[int]) -> int:
    """The higher the nearer; a zone that is not around is as far as it can be."""
    if stored.resident_id is not None:
        return 1
    if stored.zone_id is None:
        return -len(around)
    return -around.index(stored.zone_id) if stored.zone_id in around else -len(around) - 1


def _rank(stored: StoredPolicy, case: Case, around: Sequence[int]) -> Rank:
    policy = stored.policy
    return (
        _near(stored, around),
        _code_fit(policy, case),
        int(policy.window is not None),
        int(policy.min_severity),
        -int(policy.max_severity),
        stored.id,
        stored.version_id,
    )


def _outranked(stored: StoredPolicy, chosen: StoredPolicy, case: Case, around: Sequence[int]) -> Verdict:
    (near, *specific), (its_near, *its_specific) = _rank(stored, case, around), _rank(chosen, case, around)
    if near < its_near:
        return Verdict.LESS_NEAR
    return Verdict.OLDER if specific[:4] == its_specific[:4] else Verdict.LESS_SPECIFIC


def _because(chosen: StoredPolicy) -> tuple[Because, ...]:
    policy = chosen.policy
    where = Because.RESIDENT if chosen.resident_id else Because.ZONE if chosen.zone_id else Because.WHOLE
    told: Mapping[Because, Callable[[], bool]] = {
        Because.CODE: lambda: bool(policy.codes),
        Because.TIME: lambda: policy.window is not None,
        Because.SEVERITY: lambda: policy.min_severity > 0 or policy.max_severity < Severity.CRITICAL,
    }
    return (where, *(each for each, holds in told.items() if holds()))
