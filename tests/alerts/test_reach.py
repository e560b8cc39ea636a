"""Whether ladders reach people: now, in every hour to come, and whom they would page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import Alert, Contact, Raised, Step, TimePassed
from alerts.choosing import Case, choose
from alerts.duty import spans
from alerts.escalation import step as escalate
from alerts.finding import Member, Missed, Staff, people
from alerts.model import Severity, Track
from alerts.policy import DEFAULT_POLICIES, LONGEST_REPEAT, Policy, PolicyStep, StoredPolicy, Target
from alerts.policycheck import LONGEST_WAIT, check
from alerts.reach import CLASSES, HOUR, Gap, Outlook, Place, look_ahead, reached
from alerts.rehearsal import rehearse
from alerts.roster import Plan, Shift
from alerts.schedule import Window
from tests.alerts.staffing import (
    BERIT,
    KARI,
    NOON,
    OLA,
    OSLO,
    PHONES,
    ROLES,
    SIRI,
    TEAM,
    UIDS,
    VAKT,
    Duty,
    Held,
    always,
    staff,
)

WEEK = 7 * 24
ZONE = 3
CARE = DEFAULT_POLICIES[0]
STORED = [StoredPolicy(number, policy, number) for number, policy in enumerate(DEFAULT_POLICIES, 1)]


def policy(*steps: PolicyStep, **more: Any) -> Policy:
    return Policy(**{"name": "own", "track": Track.CARE, "steps": steps, **more})


def step(target: Target, wait: int = 60, **more: Any) -> PolicyStep:
    return PolicyStep(target=target, wait_seconds=wait, **more)


def outlook(
    there: Staff, policies: list[StoredPolicy], since: datetime = NOON, hours: int = WEEK, **more: Any
) -> Outlook:
    assert isinstance(there.duty, Duty)
    shifts = [shift for each in there.duty.shifts.values() for shift in each]
    changes = [each.begins for each in spans(Plan(shifts), since, since + hours * HOUR, OSLO)][1:]
    return look_ahead(Place(ZONE, (ZONE, 2, 1), there, changes=changes, **more), policies, since, hours)


# Now ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "gap"),
    [
        ([Target.FIRST_ON_DUTY, Target.RESPONSE_CENTRE], None),
        ([Target.TECHNICAL_ON_DUTY, Target.ALL_ON_DUTY], Gap.FIRST_STEP),
        ([Target.FIRST_ON_DUTY], Gap.ONE),
        ([Target.FIRST_ON_DUTY, Target.FIRST_ON_DUTY], Gap.ONE),
        ([Target.TECHNICAL_ON_DUTY], Gap.NOBODY),
    ],
)
def test_two_different_persons_are_enough_and_the_first_step_should_reach_one(
    steps: list[Target], gap: Gap | None
) -> None:
    assert reached(policy(*(step(each) for each in steps)), staff(), NOON).gap is gap


def test_who_has_no_contact_that_works_is_not_reached() -> None:
    mute = staff(contacts={KARI: PHONES[KARI], VAKT: PHONES[VAKT]})
    assert reached(CARE, mute, NOON).persons == 2
    assert reached(CARE, staff(contacts={}), NOON).gap is Gap.NOBODY
    by_mail = policy(step(Target.ALL_ON_DUTY, contacts=("email",)), step(Target.ZONE_LEAD, contacts=("email",)))
    assert (reached(by_mail, staff(), NOON).persons, reached(by_mail, staff(), NOON).first) == (1, 1)


# The week to come -----------------------------------------------------------------------------------------------------


def test_where_all_is_well_nothing_is_weak() -> None:
    found = outlook(staff(), STORED[:2])
    assert found.weak == ()
    assert set(found.hours[Track.CARE]) == {4}
    assert len(found.hours[Track.CARE]) == WEEK


def test_what_is_over_of_the_hour_is_no_gap() -> None:
    """Whoever came a quarter of an hour ago is there; that nobody was before is history."""
    came = NOON + timedelta(minutes=15)
    roles = tuple(replace(each, since=came) for each in ROLES)
    assert outlook(staff(roles=roles), STORED[:2], came).weak == ()
    assert [each.gap for each in outlook(staff(roles=roles), STORED[:1]).weak] == [Gap.NOBODY]
    assert outlook(staff(roles=roles), STORED[:2], came).since == NOON


def test_a_night_without_anybody_on_duty_is_one_gap_each_night() -> None:
    """Kari by day, nobody by night: 22 to 7 in Oslo. The rest of the ladder is there."""
    days = [Shift(KARI, day, time(7), time(22)) for day in range(7)]
    found = outlook(staff(days), STORED[:1])
    assert {each.gap for each in found.weak} == {Gap.FIRST_STEP}
    assert [(each.since.astimezone(OSLO).hour, (each.until - each.since)) for each in found.weak] == [
        (22, timedelta(hours=9))
    ] * 7
    assert sorted(set(found.hours[Track.CARE])) == [2, 3]
    assert found.weak[0].severities == CLASSES, "there is no other for care"


def test_a_policy_of_the_night_is_looked_at_at_night_only_and_hides_the_other() -> None:
    lonely = policy(step(Target.ZONE_LEAD), window=Window(from_time=time(22), to_time=time(6)))
    found = outlook(staff(), [*STORED, StoredPolicy(9, lonely, 9, zone_id=2)])
    weak = [
        (each.stored.id, each.gap, each.until - each.since)
        for each in found.weak
        if each.stored.policy.track is Track.CARE
    ]
    assert weak == [(9, Gap.ONE, timedelta(hours=8))] * 7
    elsewhere = outlook(staff(), [*STORED, StoredPolicy(9, lonely, 9, zone_id=77)])
    assert {each.stored.policy.track for each in elsewhere.weak} == {Track.TECHNICAL}


def test_a_resident_s_own_policy_and_one_for_a_code_are_looked_at_too() -> None:
    mine = StoredPolicy(9, policy(step(Target.PERSON, id=UIDS[SIRI])), 9, resident_id=7)
    fire = StoredPolicy(10, policy(step(Target.RESPONSE_CENTRE), codes=("4.11",)), 10)
    both = [*STORED[:1], mine, fire]
    assert {each.stored.id for each in outlook(staff(), both, residents=[7]).weak} == {9, 10}
    assert {each.stored.id for each in outlook(staff(), both).weak} == {10}, "nobody lives here who has one"


def test_roles_and_memberships_that_end_are_gaps_from_that_minute_on() -> None:
    ends = NOON + timedelta(hours=30, minutes=17)
    roles = [Held(SIRI, "lead"), Held(VAKT, "centre", until=ends)]
    (weak,) = outlook(
        staff([], roles=roles), [StoredPolicy(1, policy(step(Target.ZONE_LEAD), step(Target.RESPONSE_CENTRE)), 1)]
    ).weak
    assert (weak.since, weak.gap) == (ends, Gap.ONE)
    members = [Member(KARI), Member(OLA, NOON, ends)]
    (weak,) = outlook(staff([], members=members), [StoredPolicy(1, policy(step(Target.TEAM, id=TEAM)), 1)]).weak
    assert (weak.since, weak.until, weak.persons) == (ends, NOON + WEEK * HOUR, 1)


MOMENTS = st.integers(0, 47).map(lambda half: time(half // 2, 30 * (half % 2)))
SHIFTS = st.lists(
    st.builds(Shift, st.sampled_from((KARI, OLA, BERIT)), st.integers(0, 6), MOMENTS, MOMENTS, st.integers(0, 2)),
    max_size=10,
)
STEPS = st.lists(
    st.one_of(
        st.builds(
            step,
            st.sampled_from([each for each in Target if each not in (Target.PERSON, Target.TEAM)]),
            st.sampled_from((60, 600, 3600)),
            contacts=st.sampled_from(((), ("in_app",), ("sms", "in_app"))),
            first_contact=st.booleans(),
        ),
        st.builds(
            lambda who, wait, duty: step(Target.PERSON, wait, id=UIDS[who], only_on_duty=duty),
            st.sampled_from((KARI, SIRI, BERIT)),
            st.sampled_from((60, 600)),
            st.booleans(),
        ),
        st.builds(lambda wait: step(Target.TEAM, wait, id=TEAM), st.sampled_from((60, 3600))),
    ),
    min_size=1,
    max_size=4,
)
WINDOWS = st.one_of(st.none(), st.builds(lambda since, until: Window(from_time=since, to_time=until), MOMENTS, MOMENTS))
PLACES = st.sampled_from((None, ZONE, 2, 77))
SETS = st.lists(st.tuples(STEPS, WINDOWS, PLACES, st.integers(1, 3)), min_size=1, max_size=4)
STARTS = st.sampled_from(
    (
        NOON,
        datetime(2026, 3, 28, 20, 0, tzinfo=UTC),  # the night in which an hour is skipped
        datetime(2026, 10, 24, 20, 0, tzinfo=UTC),  # the night in which one comes twice
    )
)


def _there(shifts: list[Shift]) -> Staff:
    roles = [*(Held(each, "responder") for each in (KARI, OLA, BERIT)), Held(SIRI, "lead"), Held(VAKT, "centre", 2)]
    return staff(shifts, roles=roles, members=[Member(OLA), Member(BERIT, None, NOON + timedelta(hours=5))])


def _policies(made: list[tuple[list[PolicyStep], Window | None, int | None, int]]) -> list[StoredPolicy]:
    own = [
        StoredPolicy(number, policy(*steps, window=window, rounds=rounds), number, zone_id=zone)
        for number, (steps, window, zone, rounds) in enumerate(made, 10)
    ]
    return [*STORED, *own]


@settings(max_examples=20, deadline=None)
@given(shifts=SHIFTS, made=SETS, start=STARTS)
def test_looking_span_by_span_finds_what_looking_every_half_hour_finds(
    shifts: list[Shift], made: Any, start: datetime
) -> None:
    there, policies, hours = _there(shifts), _policies(made), 8
    found = outlook(there, policies, start, hours)
    for half in range(hours * 2):
        at = start + half * HOUR / 2
        chosen = {
            stored.id: stored
            for severity in CLASSES
            for stored in [choose(policies, Case(Track.CARE, severity), (ZONE, 2, 1), at, OSLO)]
        }
        gaps = {number: reached(each.policy, there, at).gap for number, each in chosen.items()}
        now_weak = [each for each in found.weak if each.since <= at < each.until]
        told = {each.stored.id: each.gap for each in now_weak if each.stored.policy.track is Track.CARE}
        assert told == {number: gap for number, gap in gaps.items() if gap is not None}
        fewest = min(reached(each.policy, there, at).persons for each in chosen.values())
        assert found.hours[Track.CARE][half // 2] <= fewest


# Who would be paged ---------------------------------------------------------------------------------------------------


def test_a_rehearsal_tells_every_step_and_who_is_missed() -> None:
    ladder = policy(
        step(Target.PERSON, 120, id=UIDS[OLA], only_on_duty=True),
        step(Target.ZONE_LEAD, 60),
        step(Target.TECHNICAL_ON_DUTY, 60),
        step(Target.RESPONSE_CENTRE, 60),
        repeat_seconds=300,
    )
    rungs = rehearse(ladder, Severity.CRITICAL, NOON, staff(always(KARI)))
    told = [
        (int((each.at - NOON).total_seconds()), each.code, each.step, [contact.person_id for contact in each.contacts])
        for each in rungs
    ]
    assert told == [
        (0, "step_skipped", 0, []),
        (0, "step_reached", 1, [SIRI]),
        (60, "step_skipped", 2, []),
        (60, "step_reached", 3, [VAKT]),
        (360, "step_repeated", 3, [VAKT]),
    ]
    assert rungs[0].missed == ((OLA, Missed.OFF_DUTY),)


def test_a_rehearsal_of_several_rounds_and_of_nobody_ends() -> None:
    twice = policy(step(Target.FIRST_ON_DUTY), step(Target.ZONE_LEAD), rounds=2)
    rungs = rehearse(twice, Severity.NORMAL, NOON, staff())
    assert [(each.round, each.step) for each in rungs] == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 1)]
    nobody = rehearse(twice, Severity.NORMAL, NOON, staff(contacts={}))
    assert [each.code for each in nobody] == ["step_skipped"] * 4 + ["nobody_reachable"]


def test_where_nobody_is_reached_by_the_kinds_asked_for_any_contact_will_do() -> None:
    by_mail = policy(step(Target.ZONE_LEAD, contacts=("email",)))
    *_, last = rehearse(by_mail, Severity.CRITICAL, NOON, staff())
    assert (last.code, [each.id for each in last.contacts]) == ("step_repeated", [30])


@settings(max_examples=50, deadline=None)
@given(
    shifts=SHIFTS,
    steps=STEPS,
    rounds=st.integers(1, 3),
    severity=st.sampled_from(Severity),
    start=STARTS,
    minutes=st.integers(0, 600),
)
def test_what_a_rehearsal_says_is_what_the_timekeeper_then_pages(
    shifts: list[Shift], steps: list[PolicyStep], rounds: int, severity: Severity, start: datetime, minutes: int
) -> None:
    """Minute by minute, as the timekeeper looks, with the people of that minute."""
    there, ladder = _there(shifts), policy(*steps, rounds=rounds, repeat_seconds=900)
    raised_at = start + timedelta(minutes=minutes)
    said = [
        (each.at, sorted((page.contact.id, page.after) for page in each.pages))
        for each in rehearse(ladder, severity, raised_at, there)
    ]
    paged: list[tuple[datetime, list[tuple[int, timedelta]]]] = []
    alert, now = Alert(ladder, severity), raised_at
    while alert.exhausted_at is None:
        if alert.due_at is None or now >= alert.due_at:
            event = TimePassed() if alert.attempt or alert.due_at else Raised()
            outcome = escalate(alert, event, now, people(ladder, there, now))
            assert isinstance(outcome, Step)
            alert = outcome.alert
            paged += [(now, sorted((page.contact.id, page.after) for page in outcome.pages))] if outcome.pages else []
        now += timedelta(minutes=1)
    assert [each for each in said if each[1]] == paged
    assert all(before <= after for (before, _), (after, _) in pairwise(said))


# Checking -------------------------------------------------------------------------------------------------------------

DATA = CARE.model_dump(mode="json")
STEP = DATA["steps"][0]


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, []),
        ({"codes": ["fall", "4", "4.11"]}, []),
        ({"codes": ["flying", "77.1"]}, [("codes", "code"), ("codes", "code")]),
        ({"steps": []}, [("steps", "value")]),
        ({"steps": [{**STEP, "wait_seconds": 5}]}, [("steps.0.wait_seconds", "range")]),
        ({"steps": [STEP, {**STEP, "contacts": ["pigeon"]}]}, [("steps.1.contacts", "contact")]),
        ({"steps": [{**STEP, "wait_seconds": LONGEST_WAIT + 1}]}, [("steps.0.wait_seconds", "wait")]),
        ({"steps": [{**STEP, "wait_seconds": 3600}], "min_severity": 0, "max_severity": 20}, []),
        ({"steps": [{**STEP, "wait_seconds": 3600}], "track": "technical", "repeat_seconds": 3600}, []),
        ({"repeat_seconds": LONGEST_REPEAT + 1}, [("repeat_seconds", "repeat")]),
        ({"colour": "red"}, [("colour", "unknown")]),
        ({"name": None}, [("name", "value")]),
        ({"name": "a\x00b"}, [("name", "value")]),
        ({"name": "  "}, [("name", "value")]),
        ({"min_severity": 40, "max_severity": 10}, [("policy", "value")]),
        ({"window": {"from_time": "22:00", "to_time": "06:00", "weekdays": []}}, [("window.weekdays", "value")]),
    ],
)
def test_what_is_wrong_with_a_policy_is_told_field_by_field(
    changed: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    found = check({**DATA, **changed}, {"fall"}, {"in_app", "email"})
    assert [(each.field, each.code) for each in found.wrong] == wrong
    assert (found.policy is None) == bool(wrong)
    assert all(each.what and each.mend for each in found.wrong)


def test_a_contact_of_a_kind_is_told_with_it() -> None:
    assert Contact(1, 2).kind == ""
