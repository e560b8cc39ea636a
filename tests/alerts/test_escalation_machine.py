"""Escalation against its invariants: every event in every order, people who come and go, and time that passes.

After each transition the promises of ``alerts.escalation`` are checked; at the end, that nothing ends in silence.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.alert import (
    Action,
    Alert,
    Answer,
    Arrived,
    Cause,
    Claim,
    Cleared,
    Close,
    CommandNotDone,
    Contact,
    Decline,
    DueFor,
    Event,
    HandOver,
    Joined,
    NeedHelp,
    OnWay,
    PagesFailed,
    Pause,
    PauseReason,
    People,
    Raised,
    Refusal,
    Refused,
    Release,
    Repeated,
    Resume,
    Stage,
    Step,
    TimePassed,
    UndoClose,
)
from alerts.answers import PAUSE_AT_MOST
from alerts.checkin import Presence, Skipped
from alerts.escalation import step
from alerts.ladder import climbing, wants_help
from alerts.model import Entry, Severity, Track
from alerts.policy import BY_ID, Policy, PolicyStep, SeverityLimits, StageLimits, Target
from alerts.stages import CONFIRM_WITHIN
from alerts.timeline import LINES
from tests.alerts.stories import START

PERSONS = st.integers(1, 5)
SEVERITIES = st.sampled_from(Severity)
WAITS = st.sampled_from((10, 60, 120, 600, 3600))
LIMITS = st.sampled_from((60, 600, 3600))
ACCEPT = st.sampled_from((30, 120, 600))
TARGETS = [each for each in Target if each not in BY_ID]
POLICIES = st.builds(
    Policy,
    name=st.just("any"),
    track=st.just(Track.CARE),
    steps=st.lists(
        st.builds(
            PolicyStep,
            target=st.sampled_from(TARGETS),
            wait_seconds=WAITS,
            contacts=st.sampled_from(((), (), ("sms",))),
            first_contact=st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
    rounds=st.sampled_from((1, 1, 2)),
    repeat_seconds=st.sampled_from((60, 300, 3600)),
    limits=st.builds(StageLimits, claimed=LIMITS, on_way=LIMITS, arrived=LIMITS, accept=ACCEPT),
    severity_limits=st.lists(
        st.builds(SeverityLimits, severity=SEVERITIES, claimed=LIMITS, on_way=LIMITS, arrived=LIMITS, accept=ACCEPT),
        max_size=3,
        unique_by=lambda each: each.severity,
    ).map(tuple),
)
CONTACTS = {
    person: tuple(Contact(person * 10 + each, person, ("in_app", "sms")[each % 2]) for each in range(person % 3 + 1))
    for person in range(1, 6)
}
EVERYBODY = frozenset(CONTACTS)
FULL = {target: [1 + place % 5, 2 + place % 4] for place, target in enumerate(TARGETS)}
DUTY = st.one_of(st.just(FULL), st.dictionaries(st.sampled_from(TARGETS), st.lists(PERSONS, max_size=4)))
REACHABLE = st.one_of(st.just(EVERYBODY), st.frozensets(PERSONS, min_size=3), st.frozensets(PERSONS, max_size=2))
SKIPPED = st.one_of(st.just(frozenset[int]()), st.frozensets(PERSONS), st.just(EVERYBODY))
CLAIMS = st.builds(Claim, by=PERSONS, take_over=st.booleans())
PAUSES = st.builds(
    Pause,
    by=PERSONS,
    reason=st.sampled_from(PauseReason),
    time=st.integers(-1, 40).map(lambda each: timedelta(minutes=each)),
)
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    CLAIMS,
    st.builds(OnWay, by=PERSONS),
    st.builds(Arrived, by=PERSONS),
    st.builds(Release, by=PERSONS),
    st.builds(NeedHelp, by=PERSONS),
    st.builds(NeedHelp, by=PERSONS),
    st.builds(HandOver, by=PERSONS, to=PERSONS),
    st.builds(HandOver, by=PERSONS, to=PERSONS),
    st.builds(UndoClose, by=PERSONS),
    st.builds(Decline, by=PERSONS),
    st.builds(Resume, by=PERSONS),
    PAUSES,
)
ENDS: st.SearchStrategy[Answer] = st.builds(
    Close, by=PERSONS, cause=st.sampled_from(Cause), action=st.sampled_from(Action)
)
HELD = (Stage.CLAIMED, Stage.ON_WAY, Stage.ARRIVED)


class Escalation(RuleBasedStateMachine):
    """One alert's life. ``seen`` holds every (attempt, contact) that was ever paged."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = START
        self.people = People()
        self.alert: Alert | None = None
        self.seen: set[tuple[int, int]] = set()

    @initialize(policy=POLICIES, severity=SEVERITIES, duty=DUTY, reachable=REACHABLE, skipped=SKIPPED)
    def raised(
        self,
        policy: Policy,
        severity: Severity,
        duty: dict[Target, list[int]],
        reachable: frozenset[int],
        skipped: frozenset[int],
    ) -> None:
        self.alert = Alert(policy, severity)
        self._people(duty, reachable, skipped)
        self._happens(Raised())

    @rule(duty=DUTY, reachable=REACHABLE, skipped=SKIPPED)
    @precondition(lambda self: self._alive())
    def people_come_and_go(
        self, duty: dict[Target, list[int]], reachable: frozenset[int], skipped: frozenset[int]
    ) -> None:
        self._people(duty, reachable, skipped)

    @rule(known=REACHABLE)
    @precondition(lambda self: self._alive())
    def some_are_known_as_targets_only(self, known: frozenset[int]) -> None:
        self.people = replace(self.people, persons={person: CONTACTS[person] for person in known})

    @rule(seconds=st.integers(0, 1200))
    @precondition(lambda self: self._alive())
    def time_passes(self, seconds: int) -> None:
        self._wait(timedelta(seconds=seconds))

    @rule(late=st.integers(0, 3600))
    @precondition(lambda self: self._alive())
    def what_is_due_comes_late(self, late: int) -> None:
        self.now = max(self.now, self._due_at()) + timedelta(seconds=late)
        self._happens(TimePassed())

    @rule(answer=ANSWERS)
    @precondition(lambda self: self._alive())
    def anybody_answers(self, answer: Answer) -> None:
        self._answer(answer)

    @rule(answer=ANSWERS)
    @precondition(lambda self: self._held())
    def the_holder_answers(self, answer: Answer) -> None:
        self._answer(replace(answer, by=self._alert().holder or 0))

    @rule(pause=PAUSES, evidence=st.booleans())
    @precondition(lambda self: self._held())
    def the_holder_pauses(self, pause: Pause, *, evidence: bool) -> None:
        before = self._alert()
        self._answer(replace(pause, by=before.holder or 0))
        after = self._alert()
        if after == before:
            return
        assert after.due_for is DueFor.PAUSE
        assert after.severity < Severity.CRITICAL
        assert not wants_help(before)
        if evidence:
            self._joins(Severity.SERIOUS)
            assert self._alert().due_for is not DueFor.PAUSE

    @rule()
    @precondition(lambda self: self._held() and self._alert().due_for is DueFor.PAUSE)
    def a_pause_ends(self) -> None:
        self.now = max(self.now, self._due_at())
        self._happens(TimePassed())
        assert self._alert().stage is Stage.OPEN
        assert self._alert().holder is None

    @rule()
    @precondition(lambda self: self._held() and self._alert().offered_to is not None)
    def the_offer_is_declined(self) -> None:
        before = self._alert()
        outcome = self._happens(Decline(before.offered_to or 0))
        assert isinstance(outcome, Step)
        after = outcome.alert
        assert after.offered_to is None
        assert after.holder in {before.holder, None}
        assert outcome.pages or climbing(after) or not self._anybody(), "somebody hears of it, or is called already"
        if after.holder is not None and not climbing(after):
            assert self._due_at() <= self.now + CONFIRM_WITHIN

    @rule(answer=st.one_of(CLAIMS, st.builds(OnWay, by=PERSONS)))
    @precondition(lambda self: self._held() and self._alert().offered_to is not None)
    def whoever_it_is_offered_to_answers(self, answer: Answer) -> None:
        self._answer(replace(answer, by=self._alert().offered_to or 0))

    @rule(answer=ENDS, undo=st.booleans(), evidence=st.booleans())
    @precondition(lambda self: self._held() and self._alert().attempt > 2)
    def the_holder_closes(self, answer: Close, *, undo: bool, evidence: bool) -> None:
        holder, before = self._alert().holder, self._alert()
        self._answer(replace(answer, by=holder or 0))
        if undo and holder is not None:
            self._answer(UndoClose(holder))
        elif evidence:
            self._joins(Severity.NORMAL)
        if undo or evidence:
            assert wants_help(self._alert()) or not wants_help(before), "closing by mistake ends no call for help"

    @rule(answer=ENDS)
    @precondition(lambda self: self._alive() and self._alert().attempt > 5)
    def anybody_closes(self, answer: Close) -> None:
        self._answer(answer)

    @rule(severity=SEVERITIES)
    @precondition(lambda self: self._alive())
    def evidence_joins(self, severity: Severity) -> None:
        self._joins(severity)

    @rule(severity=SEVERITIES, times=st.integers(2, 9))
    @precondition(lambda self: self._alive())
    def it_happens_again_and_again(self, severity: Severity, times: int) -> None:
        before = self._alert()
        outcome = self._happens(Repeated(severity, times))
        assert isinstance(outcome, Step)
        assert outcome.pages or not self._anybody(), "it must reach somebody"
        assert climbing(outcome.alert), "more people are called, whoever has it"
        holder = outcome.alert.holder
        if holder is not None and self.people.persons.get(holder):
            assert holder in {page.contact.person_id for page in outcome.pages}
        assert before.stage is Stage.CLOSING or outcome.alert.stage is before.stage

    @rule(person=PERSONS)
    @precondition(lambda self: self._alive())
    def a_lock_does_not_answer(self, person: int) -> None:
        before = self._alert()
        outcome = self._happens(CommandNotDone(person, Entry("command_unanswered")))
        assert isinstance(outcome, Step)
        assert replace(outcome.alert, attempt=before.attempt) == before, "nothing else changes"
        paged = {page.contact.person_id for page in outcome.pages}
        assert paged == {person} or paged <= {before.holder}
        assert paged == {person} or person not in self.people.persons

    @rule(back=st.integers(0, 2))
    @precondition(lambda self: self._alive())
    def pages_fail(self, back: int) -> None:
        self._happens(PagesFailed(self._alert().attempt - back))

    @rule()
    @precondition(lambda self: self._alive())
    def raised_again(self) -> None:
        before = self._alert()
        self._happens(Raised())
        assert not before.attempt or self.alert == before

    @rule()
    @precondition(lambda self: self._alive() and self._alert().attempt > 20)
    def it_is_over(self) -> None:
        self._happens(Cleared())

    @rule(
        event=st.one_of(
            ANSWERS,
            ENDS,
            st.builds(Joined, SEVERITIES),
            st.builds(Repeated, SEVERITIES, st.just(3)),
            st.builds(CommandNotDone, PERSONS, st.just(Entry("command_failed"))),
            st.just(Raised()),
            st.just(TimePassed()),
        )
    )
    @precondition(lambda self: not self._alive())
    def closed_is_closed(self, event: Event) -> None:
        assert self._happens(event) == Refused(Refusal.CLOSED)

    @invariant()
    def it_is_due_unless_closed(self) -> None:
        alert = self.alert
        if alert is None:
            return
        closed = alert.stage is Stage.CLOSED
        assert closed == (alert.closed_at is not None) == (alert.due_at is None) == (alert.due_for is None)

    @invariant()
    def whoever_has_it_is_known(self) -> None:
        alert = self.alert
        if alert is None:
            return
        assert alert.stage is not Stage.OPEN or (alert.holder is None and alert.offered_to is None)
        assert alert.stage not in HELD or alert.holder is not None
        assert alert.stage is not Stage.OPEN or alert.due_for is DueFor.STEP
        assert (alert.stage is Stage.CLOSING) == (alert.due_for is DueFor.CLOSE)
        assert alert.due_for is not DueFor.ACCEPT or alert.offered_to is not None
        assert alert.due_for not in (DueFor.STAGE, DueFor.KEEP, DueFor.PAUSE) or (
            alert.step is None and alert.stage in HELD and alert.offered_to is None
        )

    @invariant()
    def nobody_waits_longer_than_the_policy_says(self) -> None:
        alert = self.alert
        if alert is None or alert.due_at is None:
            return
        steps = alert.policy.steps
        limits = [getattr(each, name) for each in self._limits(alert) for name in StageLimits.model_fields]
        longest = timedelta(
            seconds=max(600, alert.policy.repeat_seconds, *limits, *(each.wait_seconds for each in steps))
        )
        if alert.due_for is DueFor.PAUSE:
            longest = PAUSE_AT_MOST
        if alert.due_for is DueFor.KEEP:
            longest = CONFIRM_WITHIN
        assert alert.due_at <= self.now + longest

    @invariant()
    def nobody_is_silent_longer_than_the_severity_allows(self) -> None:
        alert = self.alert
        if alert is None or alert.due_at is None or alert.due_for is not DueFor.STAGE:
            return
        limits = self._limits(alert)
        assert alert.due_at <= self.now + timedelta(seconds=max(getattr(each, alert.stage) for each in limits))

    @staticmethod
    def _limits(alert: Alert) -> list[StageLimits]:
        """Those of the alert's severity, and of what it may have been when the stage began."""
        return [alert.policy.limits_for(each) for each in Severity if each <= alert.severity]

    def teardown(self) -> None:
        """Silence from now on: somebody is paged within the longest wait, unless it is closed or nobody is there."""
        if self.alert is None:
            return
        self._let_closing_end()
        if self._alive() and self._anybody():
            self._somebody_hears()
            self._somebody_hears()

    # What the machine is made of --------------------------------------------------------------------------------------

    def _alert(self) -> Alert:
        assert self.alert is not None
        return self.alert

    def _alive(self) -> bool:
        return self.alert is not None and self.alert.stage is not Stage.CLOSED

    def _held(self) -> bool:
        return self.alert is not None and self.alert.stage in HELD

    def _joins(self, severity: Severity) -> None:
        outcome = self._happens(Joined(severity))
        assert isinstance(outcome, Step)
        assert outcome.pages or not self._anybody(), "evidence must reach somebody"
        assert outcome.alert.stage is not Stage.CLOSING
        if any(entry.code == "holder_paged" for entry in outcome.entries):
            assert self._due_at() <= self.now + CONFIRM_WITHIN

    def _people(self, duty: dict[Target, list[int]], reachable: frozenset[int], skipped: frozenset[int]) -> None:
        whole: dict[str, tuple[Contact, ...]] = {
            target: tuple(each for person in persons if person in reachable for each in CONTACTS[person])
            for target, persons in duty.items()
        }
        found = {
            target: tuple(each for each in contacts if each.person_id not in skipped)
            for target, contacts in whole.items()
        }
        self.people = People(
            found,
            {person: CONTACTS[person] for person in reachable},
            tuple(Skipped(person, Presence.NOT_CHECKED_IN) for person in sorted(skipped)),
            whole,
        )

    def _anybody(self) -> bool:
        """Also where it is somebody who has not checked in: never the last reachable person."""
        return any(self.people.unskipped.get(each.target) for each in self._alert().policy.steps)

    def _due_at(self) -> datetime:
        due_at = self._alert().due_at
        assert due_at is not None
        return due_at

    def _answer(self, answer: Answer) -> None:
        before = self._alert()
        outcome = self._happens(answer)
        if isinstance(outcome, Refused):
            return
        if isinstance(answer, Pause):
            assert timedelta() < answer.time <= PAUSE_AT_MOST
            assert before.severity < Severity.CRITICAL
            assert before.holder in {None, answer.by} or before.offered_to == answer.by
        assert outcome.alert.version > before.version
        assert outcome.entries, "the timeline tells of every answer"
        assert any(entry.actor_id == answer.by for entry in outcome.entries)
        if outcome.alert.stage in HELD and not climbing(outcome.alert) and outcome.alert.due_for is not DueFor.ACCEPT:
            assert outcome.withdraw or isinstance(answer, UndoClose | Resume)
        if wants_help(before) and answer.by == before.holder and not isinstance(answer, Close | Release):
            assert wants_help(outcome.alert), "only somebody else ends a call for help"
        if isinstance(answer, Release):
            assert outcome.alert.stage is Stage.OPEN
        if isinstance(answer, NeedHelp | HandOver | Release):
            assert outcome.pages or not self._anybody()

    def _happens(self, event: Event) -> Step | Refused:
        before = self._alert()
        outcome = step(before, event, self.now, self.people)
        if before.stage is Stage.CLOSED:
            assert isinstance(outcome, Refused), "closed is closed"
        if isinstance(outcome, Step):
            self._check_step(before, outcome)
            self.alert = outcome.alert
        return outcome

    def _check_step(self, before: Alert, outcome: Step) -> None:
        after = outcome.alert
        assert after.attempt >= before.attempt
        assert after.version >= before.version
        assert after.severity >= before.severity
        assert after.policy == before.policy
        assert all(entry.code in LINES for entry in outcome.entries), "the timeline can tell everything"
        numbers = [(page.attempt, page.contact.id) for page in outcome.pages]
        assert len(set(numbers)) == len(numbers)
        assert self.seen.isdisjoint(numbers)
        assert all(attempt > before.attempt for attempt, _ in numbers)
        self.seen.update(numbers)

    def _wait(self, time: timedelta) -> None:
        """The timekeeper's loop up to a time from now; what is due comes in order."""
        until = self.now + time
        for _ in range(200):
            if not self._alive() or self._due_at() > until:
                break
            self.now = max(self.now, self._due_at())
            self._happens(TimePassed())
            assert not self._alive() or self._due_at() > self.now, "time must move on"
        self.now = max(self.now, until)

    def _let_closing_end(self) -> None:
        if self._alert().stage is Stage.CLOSING:
            self._wait(timedelta(seconds=5))

    def _somebody_hears(self) -> None:
        """One limit and one step after now at the latest, with nobody doing anything."""
        heard = len(self.seen)
        for _ in range(3):
            if len(self.seen) == heard:
                self.now = max(self.now, self._due_at())
                self._happens(TimePassed())
        assert len(self.seen) > heard, "it ended in silence"


TestEscalation = Escalation.TestCase
TestEscalation.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
