"""Who has not checked in, or leads and is away: passed over where a step reaches others, and never the last one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert, Claim, Contact, NeedHelp, Raised, Step, TimePassed
from alerts.checkin import Presence, Skipped
from alerts.escalation import step
from alerts.finding import Member, Missed, Staff, find, people
from alerts.ladder import reached_by
from alerts.model import Severity, Track
from alerts.policy import BY_ID, Policy, PolicyStep, Target
from tests.alerts.staffing import BERIT, KARI, NOON, OLA, PHONES, SIRI, TEAM, TEK, UIDS, VAKT, Held, always, staff

ROLES = (
    *(Held(each, "responder") for each in (KARI, OLA, BERIT)),
    *(Held(SIRI, "lead"), Held(VAKT, "lead", 1), Held(VAKT, "centre", 2)),
    *(Held(TEK, "technical"), Held(SIRI, "technical")),
)
TURNS = (KARI, OLA, BERIT)


def there(
    missing: Collection[int] = (), away: Collection[int] = (), contacts: dict[int, tuple[Contact, ...]] = PHONES
) -> Staff:
    """Kari, Ola and Berit on duty in this order, all of one team; some have not checked in, some are away."""
    whole = staff(
        [shift for place, each in enumerate(TURNS) for shift in always(each, place)],
        roles=ROLES,
        contacts=contacts,
        members=[Member(each) for each in TURNS],
    )
    present = staff([shift for place, each in enumerate(TURNS) if each not in missing for shift in always(each, place)])
    return replace(
        whole,
        duty=replace(whole.duty, shifts=present.duty.shifts),  # type: ignore[type-var, attr-defined]
        unskipped=whole.duty,
        skipped=tuple(Skipped(each, Presence.NOT_CHECKED_IN) for each in sorted(missing)),
        away=tuple(Member(each) for each in sorted(away)),
    )


def policy(*targets: Target, **more: Any) -> Policy:
    ids = {Target.PERSON: UIDS[KARI], Target.TEAM: TEAM}
    steps = tuple(PolicyStep(target=each, wait_seconds=60, id=ids.get(each), **more) for each in targets)
    return Policy(name="any", track=Track.CARE, steps=steps)


class Climb:
    """An alert with these people, and whom its last event paged."""

    def __init__(self, policy: Policy, staff: Staff) -> None:
        self.staff, self.alert = staff, Alert(policy, Severity.CRITICAL)
        self.last = self.happens(Raised())

    def happens(self, event: Raised | Claim | NeedHelp | TimePassed) -> Step:
        known = people(self.alert.policy, self.staff, self.alert.due_at or NOON, PHONES)
        outcome = step(self.alert, event, self.alert.due_at or NOON, known)
        assert isinstance(outcome, Step)
        self.alert, self.last = outcome.alert, outcome
        return outcome

    @property
    def paged(self) -> list[int]:
        return sorted({each.contact.person_id for each in self.last.pages})

    def told(self, code: str) -> list[int]:
        return [person for each in self.last.entries if each.code == code for person in each.params["persons"]]


@pytest.mark.parametrize(
    "targets",
    [
        (Target.FIRST_ON_DUTY, Target.ALL_ON_DUTY, Target.ZONE_LEAD, Target.RESPONSE_CENTRE),
        (Target.FIRST_ON_DUTY, Target.NEXT_ON_DUTY),
        (Target.FIRST_ON_DUTY, Target.TEAM),
    ],
)
def test_whoever_is_alone_in_having_checked_in_and_needs_help_gets_the_others(targets: tuple[Target, ...]) -> None:
    """Kari has taken it; nobody but her has checked in, and neither lead nor centre can be reached."""
    calls = policy(*targets)
    calls = calls.model_copy(
        update={
            "steps": tuple(each.model_copy(update={"only_on_duty": each.target is Target.TEAM}) for each in calls.steps)
        }
    )
    phones = {person: PHONES[person] for person in (KARI, OLA, BERIT)}
    alert = Climb(calls, there(missing=(OLA, BERIT), contacts=phones))
    assert alert.paged == [KARI]
    alert.happens(Claim(KARI))
    alert.happens(NeedHelp(KARI))
    assert alert.paged == [OLA, BERIT]
    assert alert.told("called_all_the_same") == [OLA, BERIT]
    assert alert.told("passed_over_not_checked_in") == []


def test_where_those_who_are_there_have_no_such_contact_the_others_are_called() -> None:
    """Kari has checked in and has the app alone; Ola has not, and has a phone."""
    phones = {KARI: PHONES[KARI][:1], OLA: PHONES[OLA]}
    alert = Climb(policy(Target.ALL_ON_DUTY, contacts=("sms",)), there(missing=(OLA, BERIT), contacts=phones))
    assert alert.paged == [OLA]
    assert alert.told("called_all_the_same") == [OLA]


@pytest.mark.parametrize(
    ("calls", "passed_over"),
    [
        (policy(Target.FIRST_ON_DUTY), [KARI]),
        (policy(Target.ALL_ON_DUTY), [KARI, BERIT]),
        (policy(Target.NEXT_ON_DUTY), []),
        (policy(Target.TEAM, only_on_duty=True), [KARI, BERIT]),
        (policy(Target.ZONE_LEAD), []),
    ],
)
def test_whom_a_step_passes_over_is_told(calls: Policy, passed_over: list[int]) -> None:
    assert Climb(calls, there(missing=(KARI, BERIT))).told("passed_over_not_checked_in") == passed_over


def test_next_on_duty_tells_whom_it_passes_over() -> None:
    alert = Climb(policy(Target.NEXT_ON_DUTY), there(missing=(OLA,)))
    assert (alert.paged, alert.told("passed_over_not_checked_in")) == ([BERIT], [OLA])


@pytest.mark.parametrize(
    ("target", "away", "called"),
    [
        (Target.ZONE_LEAD, (), [SIRI]),
        (Target.ZONE_LEAD, (SIRI,), [VAKT]),
        (Target.ZONE_LEAD, (SIRI, VAKT), []),
        (Target.RESPONSE_CENTRE, (VAKT,), []),
        (Target.TECHNICAL_ALL, (SIRI,), [TEK]),
    ],
)
def test_who_leads_and_is_away_is_not_counted_on(target: Target, away: tuple[int, ...], called: list[int]) -> None:
    phones = {**PHONES, TEK: (Contact(50, TEK, "sms"),)}
    calls, present = policy(target), there(away=away, contacts=phones)
    found = find(calls.steps[0], Track.CARE, present, NOON)
    assert [each.person_id for each in found.contacts] == called
    assert all(why is Missed.AWAY and person in away for person, why in found.missed)
    nobody = not called
    assert bool(Climb(calls, present).paged), "and called all the same where there is nobody else"
    assert bool(found.missed) or not nobody


PERSONS = (KARI, OLA, SIRI, VAKT, TEK, BERIT)
STEPS = st.builds(
    lambda target, kinds, first, on_duty: policy(target, contacts=kinds, first_contact=first, only_on_duty=on_duty).steps[0],
    st.sampled_from(Target),
    st.sampled_from(((), ("sms",), ("in_app", "email"))),
    st.booleans(),
    st.booleans(),
)  # fmt: skip
SOME = st.sets(st.sampled_from(PERSONS))


@given(steps=st.lists(STEPS, min_size=1, max_size=4), missing=SOME, away=SOME, reachable=SOME, holder=st.sampled_from((None, *PERSONS)))  # fmt: skip
def test_never_the_last_reachable_person(
    steps: list[PolicyStep], missing: set[int], away: set[int], reachable: set[int], holder: int | None
) -> None:
    """Whatever a step reaches with everybody there, it reaches somebody; and no ladder is silent that would not be anyway."""
    phones = {**PHONES, TEK: (Contact(50, TEK, "sms"),)}
    phones = {person: phones[person] for person in reachable}
    climbs = Policy(name="any", track=Track.CARE, steps=tuple(steps))
    named = {each for each in away if any(step.target in BY_ID for step in steps)}
    alert = replace(Alert(climbs, Severity.CRITICAL), holder=holder)
    everybody = people(climbs, there((), named, phones), NOON)
    present = people(climbs, there(missing & set(TURNS), away, phones), NOON)
    for index, each in enumerate(steps):
        without = people(climbs, there((), away if each.target in BY_ID else (), phones), NOON)
        assert bool(reached_by(alert, index, without)) <= bool(reached_by(alert, index, present)), each
    if any(every and any(each.person_id != holder for each in every) for every in everybody.targets.values()):
        outcome = step(Alert(climbs, Severity.CRITICAL), Raised(), NOON, present)
        assert isinstance(outcome, Step)
        assert outcome.pages
