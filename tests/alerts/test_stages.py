"""Stories of the stages between an answer and its end: limits by severity, a hand-over that is declined, pauses, causes and codes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from alerts.alert import (
    Action,
    Alert,
    Answer,
    Arrived,
    Cause,
    Claim,
    Close,
    CommandNotDone,
    Decline,
    DueFor,
    HandOver,
    Joined,
    NeedHelp,
    OnWay,
    PagesFailed,
    Pause,
    PauseReason,
    Refusal,
    Release,
    Repeated,
    Resume,
    Stage,
    UndoClose,
)
from alerts.answers import PAUSE_AT_MOST
from alerts.closing import ACTION_CODES, action_text, cause_codes, cause_text
from alerts.model import Entry, Severity
from alerts.policy import DEFAULT_POLICIES, Policy, SeverityLimits, StageLimits
from tests.alerts.stories import ANNE, BJARTE, CECILIE, POLICY, Story

EVIDENCE = Joined(Severity.SERIOUS)
BY_SEVERITY = POLICY.model_copy(
    update={
        "severity_limits": (
            SeverityLimits(severity=Severity.CRITICAL, claimed=120, on_way=300, arrived=900, accept=40),
        )
    }
)


def claimed(severity: Severity = Severity.SERIOUS, policy: Policy = POLICY) -> Story:
    return Story(Alert(policy, severity)).happens(Claim(ANNE), after=20)


def offered() -> Story:
    return claimed().happens(HandOver(ANNE, BJARTE), after=5)


def minutes(number: float, by: int = ANNE, reason: PauseReason = PauseReason.VISIT_SOON) -> Pause:
    return Pause(by, reason, timedelta(minutes=number))


def refusal(story: Story) -> Refusal | None:
    return story.refused.reason if story.refused else None


# Limits by severity ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "serious", "critical"), [(Claim(ANNE), 600, 120), (OnWay(ANNE), 1800, 300), (Arrived(ANNE), 3600, 900)]
)
def test_what_is_critical_is_taken_back_sooner(answer: Answer, serious: float, critical: float) -> None:
    assert Story(Alert(BY_SEVERITY, Severity.SERIOUS)).happens(answer).due_in == serious
    story = Story(Alert(BY_SEVERITY, Severity.CRITICAL)).happens(answer)
    assert story.due_in == critical
    assert story.waits(critical).codes == ["stage_lapsed", "step_reached"]
    assert story.alert.holder is None


def test_what_becomes_critical_has_the_limits_of_that_from_the_next_word_on() -> None:
    story = claimed(policy=BY_SEVERITY).happens(Joined(Severity.CRITICAL))
    assert story.due_in == 60, "the new event is confirmed first"
    assert story.happens(Claim(ANNE)).due_in == 120


def test_a_colleague_has_less_time_to_accept_what_is_critical() -> None:
    story = claimed(Severity.CRITICAL, BY_SEVERITY).happens(HandOver(ANNE, BJARTE))
    assert (story.alert.due_for, story.due_in) == (DueFor.ACCEPT, 40)


def test_the_limits_of_a_severity_hold_for_what_is_severer_and_has_none_of_its_own() -> None:
    rows = (
        SeverityLimits(severity=Severity.SERIOUS, claimed=300),
        SeverityLimits(severity=Severity.NORMAL, claimed=900),
    )
    policy = Policy.model_validate({**POLICY.model_dump(), "severity_limits": rows})
    claimed_by = {each: policy.limits_for(each).claimed for each in Severity}
    assert list(claimed_by.values()) == [600, 900, 900, 300, 300]


def test_a_severity_has_its_limits_once() -> None:
    twice = (SeverityLimits(severity=Severity.CRITICAL), SeverityLimits(severity=Severity.CRITICAL, claimed=60))
    with pytest.raises(ValidationError, match="twice"):
        Policy.model_validate({**POLICY.model_dump(), "severity_limits": twice})


@pytest.mark.parametrize("policy", DEFAULT_POLICIES, ids=lambda each: each.name)
def test_what_is_severer_never_has_longer_by_default(policy: Policy) -> None:
    every = [policy.limits_for(each) for each in Severity]
    for name in StageLimits.model_fields:
        lengths = [getattr(each, name) for each in every]
        assert lengths == sorted(lengths, reverse=True)


def test_critical_care_is_taken_back_sooner_by_default_than_serious_care_and_that_sooner_than_the_rest() -> None:
    urgent, other = DEFAULT_POLICIES[:2]
    critical, serious, rest = (
        each.claimed for each in (urgent.limits_for(Severity.CRITICAL), urgent.limits, other.limits)
    )
    assert critical < serious < rest


# Declining ------------------------------------------------------------------------------------------------------------


def test_a_colleague_declines_and_whoever_has_it_knows_at_once() -> None:
    story = offered().happens(Decline(BJARTE), after=10)
    assert (story.codes, story.paged) == (["declined", "asked_to_keep"], [ANNE, ANNE])
    assert {page.about for page in story.last.pages} == {"declined"}
    assert story.last.withdraw, "the colleague's other phones need not ring"
    assert (story.alert.holder, story.alert.offered_to, story.alert.stage) == (ANNE, None, Stage.CLAIMED)
    assert story.happens(Claim(BJARTE)).refused, "it is not on offer any more"


def test_a_word_of_the_holder_keeps_it_after_that() -> None:
    story = offered().happens(Decline(BJARTE)).happens(Claim(ANNE), after=30)
    assert (story.codes, story.alert.due_for, story.due_in) == (["confirmed"], DueFor.STAGE, 600)


def test_declined_and_then_silence_is_the_ladder_s_after_a_minute() -> None:
    story = offered().happens(Decline(BJARTE))
    assert (story.alert.due_for, story.due_in) == (DueFor.KEEP, 60)
    assert story.waits(60).codes == ["not_kept", "step_reached"]
    assert (story.alert.stage, story.alert.holder, story.paged) == (Stage.OPEN, None, [ANNE, ANNE])


def test_a_holder_who_cannot_be_reached_is_not_waited_for_when_it_is_declined() -> None:
    story = offered()
    story.reachable.remove(ANNE)
    assert story.happens(Decline(BJARTE)).codes == ["declined", "step_skipped", "step_reached"]
    assert (story.alert.stage, story.paged) == (Stage.OPEN, [BJARTE, BJARTE])


def test_a_holder_whose_page_about_it_failed_is_not_waited_for() -> None:
    story = offered().happens(Decline(BJARTE))
    assert story.happens(PagesFailed(story.alert.attempt), after=3).codes == [
        "attempt_failed",
        "not_kept",
        "step_reached",
    ]


def test_evidence_that_is_not_confirmed_yet_keeps_its_minute_when_the_offer_is_declined() -> None:
    story = offered().happens(EVIDENCE).happens(Decline(BJARTE), after=50)
    assert (story.alert.due_for, story.due_in) == (DueFor.CONFIRM, 10)
    assert story.waits(10).paged == [BJARTE, BJARTE]
    assert story.alert.holder == ANNE


def test_evidence_after_a_decline_is_confirmed_within_what_is_left() -> None:
    story = offered().happens(Decline(BJARTE)).happens(EVIDENCE, after=50)
    assert (story.alert.due_for, story.due_in) == (DueFor.CONFIRM, 10)


def test_help_is_called_for_still_when_the_offer_is_declined() -> None:
    story = claimed().happens(NeedHelp(ANNE)).happens(HandOver(ANNE, CECILIE))
    due_at = story.alert.due_at
    story.happens(Decline(CECILIE), after=10)
    assert (story.paged, story.last.withdraw, story.alert.due_at) == ([ANNE, ANNE], False, due_at)
    assert story.alert.due_for is DueFor.STEP


@pytest.mark.parametrize("by", [ANNE, CECILIE])
def test_only_who_it_is_offered_to_declines(by: int) -> None:
    assert refusal(offered().happens(Decline(by))) is Refusal.NOT_OFFERED
    assert refusal(claimed().happens(Decline(by))) is Refusal.NOT_OFFERED


def test_who_let_go_after_offering_it_is_not_asked_to_keep_it() -> None:
    story = offered().happens(Release(ANNE))
    assert refusal(story.happens(Decline(BJARTE))) is Refusal.NOT_OFFERED
    assert (story.alert.stage, story.alert.due_for) == (Stage.OPEN, DueFor.STEP)


# Pausing --------------------------------------------------------------------------------------------------------------


def test_nobody_is_paged_in_a_pause_and_then_the_ladder_begins_again() -> None:
    story = claimed().happens(minutes(20))
    assert (story.codes, story.last.withdraw, story.due_in) == (["paused"], True, 1200)
    assert story.last.entries[0].params == {"why": "visit_soon", "minutes": 20}
    assert story.waits(1199).paged == []
    assert story.waits(1).codes == ["pause_over", "step_reached"]
    assert (story.alert.stage, story.alert.holder, story.paged) == (Stage.OPEN, None, [ANNE, ANNE])
    assert story.last.entries[0].params == {"holder": ANNE}


def test_where_nobody_has_it_whoever_pauses_it_has_it() -> None:
    story = Story().waits(60).happens(minutes(10, BJARTE))
    assert (story.alert.holder, story.alert.stage, story.alert.step) == (BJARTE, Stage.CLAIMED, None)
    assert story.alert.due_for is DueFor.PAUSE


def test_a_pause_keeps_how_far_the_answer_has_come() -> None:
    story = claimed().happens(Arrived(ANNE)).happens(minutes(5))
    assert story.alert.stage is Stage.ARRIVED
    assert (story.happens(Resume(ANNE), after=60).codes, story.due_in) == (["resumed"], 3600)


@pytest.mark.parametrize("severity", [each for each in Severity if each < Severity.CRITICAL])
def test_what_is_not_critical_can_be_paused_for_half_an_hour_at_most(severity: Severity) -> None:
    assert claimed(severity).happens(minutes(30)).refused is None
    for wrong in (31, 0, -5, 0.5, 60 * 24 * 365):
        assert refusal(claimed(severity).happens(minutes(wrong))) is Refusal.TOO_LONG


def test_what_is_critical_is_never_paused() -> None:
    for story in (Story(Alert(POLICY, Severity.CRITICAL)), claimed(Severity.CRITICAL)):
        before = story.alert
        assert refusal(story.happens(minutes(1))) is Refusal.CRITICAL
        assert story.alert == before


def test_only_who_has_it_pauses_and_resumes_it() -> None:
    assert refusal(claimed().happens(minutes(5, BJARTE))) is Refusal.HELD_BY_OTHER
    assert refusal(claimed().happens(minutes(5)).happens(Resume(BJARTE))) is Refusal.HELD_BY_OTHER
    assert refusal(claimed().happens(Resume(ANNE))) is Refusal.NOT_PAUSED
    closing = claimed().happens(Close(ANNE, Cause.REAL, Action.VISITED))
    assert refusal(closing.happens(minutes(5))) is Refusal.HELD_BY_OTHER


def test_a_pause_is_not_made_longer_by_another() -> None:
    story = claimed().happens(minutes(30))
    due_at = story.alert.due_at
    assert refusal(story.happens(minutes(30), after=1700)) is Refusal.PAUSED
    assert story.alert.due_at == due_at


def test_a_call_for_help_is_not_paused() -> None:
    story = claimed().happens(NeedHelp(ANNE))
    assert refusal(story.happens(minutes(5))) is Refusal.HELP_WANTED
    assert story.waits(120).paged == [CECILIE]


def test_who_it_is_offered_to_may_take_it_and_pause_it() -> None:
    story = offered().happens(minutes(5, BJARTE))
    assert (story.alert.holder, story.alert.offered_to, story.alert.due_for) == (BJARTE, None, DueFor.PAUSE)


@pytest.mark.parametrize("evidence", [EVIDENCE, Joined(Severity.CRITICAL)])
def test_new_evidence_ends_a_pause_and_pages_whoever_paused(evidence: Joined) -> None:
    story = claimed().happens(minutes(20)).happens(evidence, after=300)
    assert (story.codes, story.paged) == (["evidence_joined", "pause_ended", "holder_paged"], [ANNE, ANNE])
    assert (story.alert.due_for, story.due_in) == (DueFor.CONFIRM, 60)
    assert story.waits(60).paged == [BJARTE, BJARTE]


def test_the_third_time_ends_a_pause_and_calls_the_others_at_once() -> None:
    story = claimed().happens(minutes(20)).happens(Repeated(Severity.CRITICAL, 3))
    assert story.codes[:2] == ["repeated", "pause_ended"]
    assert set(story.paged) == {ANNE, BJARTE}


def test_evidence_in_the_last_seconds_of_a_pause_does_not_put_the_ladder_off() -> None:
    story = claimed().happens(minutes(1)).happens(EVIDENCE, after=50)
    assert story.due_in == 10


def test_a_pause_does_not_come_back_when_a_closing_is_undone() -> None:
    story = claimed().happens(minutes(20)).happens(Close(ANNE, Cause.OTHER, Action.OTHER)).happens(UndoClose(ANNE))
    assert (story.alert.stage, story.alert.due_for) == (Stage.CLAIMED, DueFor.STAGE)


def test_pages_that_failed_before_a_pause_change_nothing_in_it() -> None:
    story = claimed().happens(minutes(20))
    assert story.happens(PagesFailed(story.alert.attempt)).paged == []
    assert story.alert.due_for is DueFor.PAUSE


def test_whoever_asked_a_lock_hears_of_it_in_a_pause_too_and_it_goes_on() -> None:
    story = claimed().happens(minutes(20)).happens(CommandNotDone(ANNE, Entry("command_unanswered")))
    assert (story.paged, story.alert.due_for) == ([ANNE, ANNE], DueFor.PAUSE)


@pytest.mark.parametrize("answer", [Claim(ANNE), OnWay(ANNE), Arrived(ANNE), Resume(ANNE)])
def test_any_word_of_the_holder_ends_a_pause(answer: Answer) -> None:
    assert claimed().happens(minutes(20)).happens(answer).alert.due_for is DueFor.STAGE


def test_a_colleague_takes_over_what_is_paused() -> None:
    story = claimed().happens(minutes(20)).happens(Claim(BJARTE, take_over=True))
    assert (story.alert.holder, story.alert.due_for) == (BJARTE, DueFor.STAGE)


def test_the_longest_pause_is_half_an_hour() -> None:
    assert timedelta(minutes=30) == PAUSE_AT_MOST


# Closing --------------------------------------------------------------------------------------------------------------


def test_closing_keeps_what_it_was_and_what_was_done_in_the_national_codes() -> None:
    story = claimed().happens(Close(ANNE, Cause.REAL, Action.TALKED, "4.1"))
    assert (story.alert.cause_code, story.alert.action_code) == ("4.1", "8")
    assert story.last.entries[0].params == {
        "cause": "real", "action": "talked", "cause_code": "4.1", "action_code": "8",
    }  # fmt: skip
    story.happens(UndoClose(ANNE))
    assert (story.alert.cause_code, story.alert.action_code) == (None, None)


def test_where_the_national_lists_have_no_code_there_is_none() -> None:
    story = claimed().happens(Close(ANNE, Cause.TEST, Action.NOTHING))
    assert (story.alert.cause_code, story.alert.action_code) == (None, None)
    assert set(story.last.entries[0].params) == {"cause", "action"}


def test_every_action_is_thought_of_and_its_code_is_on_the_list() -> None:
    assert set(ACTION_CODES) == set(Action)
    assert {action: action_text(code) for action, code in ACTION_CODES.items() if code} == {
        Action.VISITED: "aksjon",
        Action.TALKED: "samtale",
        Action.AMBULANCE: "annen aktør",
        Action.GENERAL_PRACTITIONER: "annen aktør",
        Action.REPAIRED: "tiltak",
        Action.OTHER: "tiltak",
    }


def test_the_codes_to_choose_from_begin_with_the_alert_s_own_chapter() -> None:
    chapters = cause_codes("4.1")
    assert [chapter for chapter, _, _ in chapters] == ["4", "1", "2", "3", "5", "6", "7"]
    assert chapters[0][2][:2] == [("4", "Digitalt tilsyn"), ("4.1", "Fall")]
    every = [code for _, _, codes in cause_codes(None) for code, _ in codes]
    assert len(every) == len(set(every)) == 65
    assert all(cause_text(code) for code in every)
    assert cause_text("9.9") is None
    assert cause_text(None) is None


def test_a_correction_of_a_closing_corrects_its_codes() -> None:
    story = claimed().happens(Close(ANNE, Cause.REAL, Action.VISITED, "4.1"))
    story.happens(Close(ANNE, Cause.FALSE_BY_DEVICE, Action.NOTHING))
    assert (story.alert.cause_code, story.alert.action_code) == (None, None)
    assert story.alert == replace(story.alert, cause=Cause.FALSE_BY_DEVICE, before_closing=Stage.CLAIMED)
