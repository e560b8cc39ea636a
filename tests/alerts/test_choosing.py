"""Which policy an alert gets: the nearest, then the most specific; and why."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.choosing import Because, Case, Verdict, choose, explain
from alerts.model import Severity, Track
from alerts.policy import DEFAULT_POLICIES, OF_STAFF, Policy, PolicyStep, StoredPolicy, Target
from alerts.schedule import Window
from tests.alerts.staffing import NOON, OSLO

ZONE, MUNICIPALITY, CENTRE, OTHER = 3, 2, 1, 9
AROUND = (ZONE, MUNICIPALITY, CENTRE)
NIGHT = Window(from_time=time(22), to_time=time(6))
MIDNIGHT = NOON + timedelta(hours=12)
FALL = Case(Track.CARE, Severity.CRITICAL, "fall", "4.1", resident_id=7)


def stored(number: int, *, zone: int | None = None, resident: int | None = None, **spec: Any) -> StoredPolicy:
    step = PolicyStep(target=Target.RESPONSE_CENTRE, wait_seconds=60)
    given_ = {"name": f"p{number}", "track": Track.CARE, "steps": (step,), **spec}
    return StoredPolicy(number, Policy(**given_), number, zone, resident)


WHOLE = stored(1)


@pytest.mark.parametrize(
    ("better", "at", "because"),
    [
        (stored(2, min_severity=Severity.SERIOUS), NOON, [Because.WHOLE, Because.SEVERITY]),
        (stored(2, window=NIGHT), MIDNIGHT, [Because.WHOLE, Because.TIME]),
        (stored(2, codes=("4",)), NOON, [Because.WHOLE, Because.CODE]),
        (stored(2, codes=("fall",)), NOON, [Because.WHOLE, Because.CODE]),
        (stored(2, zone=CENTRE), NOON, [Because.ZONE]),
        (stored(2, resident=7), NOON, [Because.RESIDENT]),
        (stored(2), NOON, [Because.WHOLE]),
    ],
    ids=["severity", "time", "code above", "condition", "zone", "resident", "set later"],
)
def test_what_is_nearer_or_more_specific_is_chosen(better: StoredPolicy, at: datetime, because: list[Because]) -> None:
    for policies in ([WHOLE, better], [better, WHOLE]):
        choice = explain(policies, FALL, AROUND, at, OSLO)
        assert choice.stored is choose(policies, FALL, AROUND, at, OSLO) is better
        assert list(choice.because) == because
        assert [each.stored for each in choice.others] == [WHOLE]


ORDER = [
    stored(1, resident=7),
    stored(2, zone=ZONE, codes=("fall",), window=NIGHT),
    stored(3, zone=ZONE, codes=("fall",)),
    stored(4, zone=ZONE, codes=("4",), window=NIGHT),
    stored(5, zone=ZONE, window=NIGHT),
    stored(6, zone=ZONE, min_severity=Severity.SERIOUS),
    stored(7, zone=ZONE),
    stored(8, zone=MUNICIPALITY, codes=("fall",), window=NIGHT),
    stored(9, zone=CENTRE, min_severity=Severity.CRITICAL),
    stored(11, min_severity=Severity.CRITICAL),
    stored(10, min_severity=Severity.CRITICAL),
]


def test_the_order_is_total() -> None:
    """Whatever is taken away, and in whatever order they stand, the first of those that are left is it."""
    for first in range(len(ORDER)):
        left = ORDER[first:]
        for some in ([*left], [*reversed(left)], *([*each] for each in permutations(left[:4]))):
            assert choose(some, FALL, AROUND, MIDNIGHT, OSLO) is ORDER[first]


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        (stored(2, track=Track.TECHNICAL), Verdict.OTHER_TRACK),
        (stored(2, zone=OTHER), Verdict.ELSEWHERE),
        (stored(2, resident=8), Verdict.ELSEWHERE),
        (stored(2, codes=("5", "fire")), Verdict.OTHER_CODE),
        (stored(2, codes=("4.11",)), Verdict.OTHER_CODE),
        (stored(2, max_severity=Severity.SERIOUS), Verdict.OTHER_SEVERITY),
        (stored(2, zone=ZONE, window=NIGHT), Verdict.OTHER_TIME),
    ],
    ids=lambda each: str(each) if isinstance(each, Verdict) else "",
)
def test_what_is_not_for_an_alert_is_not_chosen_and_says_why(policy: StoredPolicy, verdict: Verdict) -> None:
    choice = explain([policy, WHOLE], FALL, AROUND, NOON, OSLO)
    assert choice.stored is WHOLE
    assert [each.verdict for each in choice.others] == [verdict]
    alone = explain([policy], FALL, AROUND, NOON, OSLO)
    assert (alone.stored, alone.because) == (policy, (Because.LAST_RESORT,)), "an alert is never lost"


def test_the_last_resort_is_of_the_same_place_and_track_where_there_is_one() -> None:
    elsewhere, technical = stored(1, zone=OTHER), stored(2, track=Track.TECHNICAL)
    here = stored(3, codes=("fire",))
    assert choose([elsewhere, technical, here], FALL, AROUND, NOON, OSLO) is here
    assert choose([elsewhere, technical], FALL, AROUND, NOON, OSLO) is elsewhere


@pytest.mark.parametrize("condition", sorted(OF_STAFF))
def test_what_is_about_staff_passes_a_zone_s_technical_policy_by(condition: str) -> None:
    named, whole = (each for each in DEFAULT_POLICIES if each.codes == (condition,) or each.name == "technical")
    named, whole = sorted((named, whole), key=lambda each: not each.codes)
    defaults = [StoredPolicy(10, named, 10), StoredPolicy(11, whole, 11)]
    zone = stored(1, zone=ZONE, track=Track.TECHNICAL)
    case = Case(Track.TECHNICAL, Severity.MODERATE, condition)
    choice = explain([*defaults, zone], case, AROUND, NOON, OSLO)
    assert choice.stored is defaults[0]
    assert {each.stored.id: each.verdict for each in choice.others}[1] is Verdict.OTHER_CODE
    assert choose([defaults[1], zone], case, AROUND, NOON, OSLO) is defaults[1], "also where no policy names it"
    own = stored(2, zone=ZONE, track=Track.TECHNICAL, codes=(condition,))
    assert choose([*defaults, zone, own], case, AROUND, NOON, OSLO) is own
    assert choose([*defaults, zone], Case(Track.TECHNICAL, Severity.MODERATE, "silent"), AROUND, NOON, OSLO) is zone


def test_less_specific_and_less_near_are_told_apart() -> None:
    choice = explain([*ORDER[1:]], FALL, AROUND, MIDNIGHT, OSLO)
    assert choice.stored is ORDER[1]
    assert {each.stored.id: each.verdict for each in choice.others} == {
        **dict.fromkeys(range(3, 8), Verdict.LESS_SPECIFIC),
        **dict.fromkeys(range(8, 12), Verdict.LESS_NEAR),
    }
    assert explain([WHOLE, stored(2)], FALL, AROUND, NOON, OSLO).others[0].verdict is Verdict.OLDER


POLICIES = st.lists(
    st.builds(
        lambda number, place, codes, low, high, window, track: stored(
            number,
            zone=place if place and place > 0 else None,
            resident=7 if place == -1 else None,
            codes=codes,
            min_severity=min(low, high),
            max_severity=max(low, high),
            window=window,
            track=track,
        ),
        st.integers(1, 10_000),
        st.sampled_from((None, -1, ZONE, MUNICIPALITY, OTHER)),
        st.sampled_from(((), ("fall",), ("4",), ("fire",))),
        st.sampled_from(Severity),
        st.sampled_from(Severity),
        st.sampled_from((None, NIGHT)),
        st.sampled_from(Track),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each.id,
)


@given(policies=POLICIES, severity=st.sampled_from(Severity), hours=st.integers(0, 48), data=st.data())
def test_some_policy_is_always_chosen_whatever_order_they_stand_in(
    policies: list[StoredPolicy], severity: Severity, hours: int, data: st.DataObject
) -> None:
    case, at = Case(Track.CARE, severity, "fall", "4.1", 7), NOON + timedelta(hours=hours)
    choice = explain(policies, case, AROUND, at, OSLO)
    assert choose(data.draw(st.permutations(policies)), case, AROUND, at, OSLO) is choice.stored
    assert len(choice.others) == len(policies) - 1
    outranked = {Verdict.LESS_NEAR, Verdict.LESS_SPECIFIC, Verdict.OLDER}
    if choice.because == (Because.LAST_RESORT,):
        assert not {each.verdict for each in choice.others} & outranked or choice.stored.policy.track is not Track.CARE
