"""Stories of escalation: what happens, who is paged and who is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

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
    DueFor,
    Event,
    HandOver,
    Joined,
    NeedHelp,
    OnWay,
    PagesFailed,
    People,
    Raised,
    Refusal,
    Refused,
    Release,
    Repeated,
    Stage,
    Step,
    TimePassed,
    UndoClose,
)
from alerts.escalation import TABLE, step
from alerts.ladder import wants_help
from alerts.model import Entry, Severity
from alerts.policy import PolicyStep, Target
from tests.alerts.stories import ANNE, BJARTE, CECILIE, DAG, POLICY, START, Story

CLOSE = Close(ANNE, Cause.REAL, Action.VISITED)
EVIDENCE = Joined(Severity.SERIOUS)
THIRD_TIME = Repeated(Severity.CRITICAL, 3)


def claimed() -> Story:
    return Story().happens(Claim(ANNE), after=20)


def test_the_table_knows_every_event() -> None:
    assert set(TABLE) == set(get_args(Event))
    assert set(get_args(Answer)) < set(TABLE)


# The ladder -----------------------------------------------------------------------------------------------------------


def test_left_alone_it_climbs_from_the_first_on_duty_to_a_centre_that_is_paged_until_it_answers() -> None:
    story = Story()
    assert story.paged == [ANNE, ANNE]
    assert story.waits(59).paged == []
    assert story.waits(1).paged == [ANNE, ANNE, BJARTE, BJARTE]
    assert story.waits(120).paged == [CECILIE]
    assert story.waits(120).paged == [DAG]
    assert story.alert.exhausted_at is None
    assert story.waits(900).paged == [DAG, DAG, DAG]
    assert story.alert.exhausted_at == START + timedelta(seconds=600)


def test_a_responder_in_two_steps_is_paged_by_both_with_numbers_of_their_own() -> None:
    story = Story()
    first = story.last.pages
    second = story.waits(60).last.pages
    assert {page.contact.id for page in first} < {page.contact.id for page in second}
    assert {page.attempt for page in first} == {1}
    assert {page.attempt for page in second} == {2}


def test_a_contact_behind_two_names_is_paged_once() -> None:
    contact = Contact(10, ANNE)
    people = People({Target.FIRST_ON_DUTY: (contact, contact)})
    raised = step(Alert(POLICY, Severity.SERIOUS), Raised(), START, people)
    assert isinstance(raised, Step)
    assert [page.contact for page in raised.pages] == [contact]


def test_steps_that_reach_nobody_are_skipped_at_once() -> None:
    story = Story(duty={Target.ZONE_LEAD: (CECILIE,)})
    assert story.paged == [CECILIE]
    assert story.codes == ["step_skipped", "step_skipped", "step_reached"]


def test_when_the_rest_of_the_ladder_is_empty_everybody_below_is_paged_again() -> None:
    story = Story(duty={Target.FIRST_ON_DUTY: (ANNE,), Target.ALL_ON_DUTY: (ANNE, BJARTE)}).waits(60)
    assert story.waits(120).paged == [ANNE, ANNE, BJARTE, BJARTE]
    assert story.waits(300).paged == [ANNE, ANNE, BJARTE, BJARTE]
    assert story.alert.exhausted_at is not None


def test_with_nobody_reachable_it_looks_every_minute_and_finds_whoever_comes() -> None:
    story = Story(reachable=set())
    assert story.codes[-1] == "nobody_reachable"
    assert story.waits(300).paged == []
    assert story.alert.exhausted_at == START
    story.reachable.add(BJARTE)
    assert story.waits(60).paged == [BJARTE, BJARTE]


def test_an_alert_is_raised_once() -> None:
    story = claimed()
    assert story.happens(Raised()).last == Step(story.alert)
    assert story.alert.due_for is DueFor.STAGE


def test_an_early_timekeeper_changes_nothing() -> None:
    story = Story()
    assert story.happens(TimePassed(), after=59).last == Step(story.alert)


def test_a_position_beyond_a_shorter_policy_is_the_last_step() -> None:
    story = Story()
    story.alert = replace(story.alert, step=9)
    assert story.happens(EVIDENCE).paged == [DAG]
    assert story.happens(PagesFailed(story.alert.attempt)).due_in <= 60
    assert story.waits(60).paged == [DAG]


# Pages that fail ------------------------------------------------------------------------------------------------------


def test_a_step_whose_pages_all_failed_is_left_at_once() -> None:
    story = Story()
    assert story.happens(PagesFailed(1), after=5).paged == [ANNE, ANNE, BJARTE, BJARTE]


def test_an_older_attempt_that_failed_changes_nothing() -> None:
    story = Story().waits(60)
    assert story.happens(PagesFailed(1)).last == Step(story.alert)


def test_the_last_step_waits_a_minute_so_that_it_does_not_fail_in_circles() -> None:
    story = Story().waits(300)
    story.happens(PagesFailed(story.alert.attempt))
    assert (story.paged, story.due_in) == ([], 60)
    assert story.alert.exhausted_at is not None
    assert story.waits(60).paged == [DAG]


def test_the_end_of_a_round_waits_as_well_and_then_the_next_one_begins() -> None:
    """Where everything fails at once nobody is called twice in the same minute."""
    story = Story(Alert(POLICY.model_copy(update={"rounds": 2}), Severity.SERIOUS))
    for _ in range(len(POLICY.steps)):
        story.happens(PagesFailed(story.alert.attempt))
    assert (story.codes, story.paged, story.due_in) == (["attempt_failed"], [], 60)
    assert story.alert.exhausted_at is None, "there is another round"
    assert story.waits(60).paged == [ANNE, ANNE]


def test_failed_pages_of_an_answered_alert_change_nothing() -> None:
    story = claimed()
    assert story.happens(PagesFailed(1)).last == Step(story.alert)
    story.happens(CLOSE)
    assert story.happens(PagesFailed(1)).last == Step(story.alert)


def test_a_holder_whose_page_failed_is_not_waited_for() -> None:
    story = claimed().happens(EVIDENCE)
    assert story.happens(PagesFailed(story.alert.attempt), after=3).paged == [BJARTE, BJARTE]


def test_a_hand_over_whose_page_failed_falls_back_at_once() -> None:
    story = claimed().happens(HandOver(ANNE, BJARTE))
    story.happens(PagesFailed(story.alert.attempt), after=3)
    assert (story.codes, story.paged) == (["attempt_failed", "hand_over_lapsed", "asked_to_keep"], [ANNE, ANNE])
    assert (story.alert.holder, story.alert.due_for, story.due_in) == (ANNE, DueFor.KEEP, 60)


def test_failed_calls_for_help_go_on_up() -> None:
    story = claimed().happens(NeedHelp(ANNE))
    assert story.paged == [BJARTE, BJARTE]
    assert story.happens(PagesFailed(story.alert.attempt)).paged == [CECILIE]
    assert wants_help(story.alert)


# Answers --------------------------------------------------------------------------------------------------------------


def test_an_answer_withdraws_what_is_queued_and_the_ladder_rests() -> None:
    story = claimed()
    assert story.last.withdraw
    assert (story.alert.stage, story.alert.holder, story.alert.step) == (Stage.CLAIMED, ANNE, None)
    assert story.waits(599).paged == []


@pytest.mark.parametrize(("answer", "limit"), [(Claim(ANNE), 600), (OnWay(ANNE), 1800), (Arrived(ANNE), 3600)])
def test_answered_and_then_silence_comes_back_from_the_first_step(answer: Answer, limit: float) -> None:
    story = Story().waits(60).happens(answer)
    assert story.due_in == limit
    assert story.waits(limit).paged == [ANNE, ANNE]
    assert (story.alert.stage, story.alert.holder) == (Stage.OPEN, None)
    assert story.codes == ["stage_lapsed", "step_reached"]


def test_the_whole_way_to_closed() -> None:
    story = claimed().happens(OnWay(ANNE), after=60).happens(Arrived(ANNE), after=900).happens(CLOSE, after=600)
    assert (story.alert.stage, story.alert.cause, story.alert.action) == (Stage.CLOSING, Cause.REAL, Action.VISITED)
    assert story.waits(5).codes == ["closed"]
    assert story.alert.closed_at == story.now
    assert (story.alert.due_at, story.alert.due_for) == (None, None)
    assert [entry.actor_id for entry in story.last.entries] == [None]


def test_nothing_happens_to_a_closed_alert() -> None:
    story = claimed().happens(CLOSE).waits(5)
    for event in (EVIDENCE, Claim(ANNE), TimePassed(), UndoClose(ANNE), Raised(), Cleared()):
        assert story.happens(event).refused is not None
        assert story.refused is not None
        assert story.refused.reason is Refusal.CLOSED


def test_what_one_has_another_must_take_over_in_so_many_words() -> None:
    story = claimed()
    for answer in (Claim(BJARTE), OnWay(BJARTE), Arrived(BJARTE), Close(BJARTE, Cause.TEST, Action.NOTHING)):
        before = story.alert
        assert story.happens(answer).refused is not None
        assert story.alert == before
    story.happens(Claim(BJARTE, take_over=True))
    assert (story.alert.holder, story.alert.stage, story.last.withdraw) == (BJARTE, Stage.CLAIMED, True)


def test_who_lets_go_is_not_the_one_who_is_paged_for_it() -> None:
    story = claimed().happens(Release(ANNE), after=30)
    assert story.paged == [BJARTE, BJARTE]
    assert story.last.withdraw
    assert (story.alert.stage, story.alert.holder) == (Stage.OPEN, None)
    assert story.codes == ["released", "step_skipped", "step_reached"]


def test_who_lets_go_and_is_alone_is_paged_all_the_same() -> None:
    story = claimed()
    story.reachable = {ANNE}
    assert set(story.happens(Release(ANNE)).paged) == {ANNE}
    assert story.alert.stage is Stage.OPEN


@pytest.mark.parametrize("answer", [Release(ANNE), NeedHelp(ANNE), HandOver(ANNE, BJARTE)])
def test_only_the_holder_lets_go_calls_for_help_or_hands_over(answer: Answer) -> None:
    nobodys = Story().happens(answer).refused
    others = Story().happens(Claim(CECILIE)).happens(answer).refused
    closing = claimed().happens(CLOSE).happens(answer).refused
    assert [each.reason for each in (nobodys, others, closing) if each] == ["not_held", "held_by_other", "not_held"]


def test_every_answer_that_is_taken_makes_the_version_grow() -> None:
    story = Story()
    answers: list[Answer] = [
        Claim(ANNE), OnWay(ANNE), Arrived(ANNE), NeedHelp(ANNE), OnWay(ANNE), Claim(BJARTE), HandOver(ANNE, BJARTE),
        Claim(BJARTE), Close(BJARTE, Cause.REAL, Action.TALKED), UndoClose(BJARTE), Release(BJARTE), OnWay(ANNE),
    ]  # fmt: skip
    versions = [story.happens(answer).alert.version for answer in answers]
    assert versions == list(range(1, len(answers) + 1))


# Closing --------------------------------------------------------------------------------------------------------------


def test_closing_can_be_undone_for_five_seconds() -> None:
    story = claimed().happens(Arrived(ANNE)).happens(CLOSE, after=60)
    story.happens(UndoClose(ANNE), after=4)
    assert (story.alert.stage, story.alert.holder, story.due_in) == (Stage.ARRIVED, ANNE, 3600)
    assert (story.alert.cause, story.alert.action) == (None, None)
    refused = story.happens(UndoClose(ANNE)).refused
    assert refused is not None
    assert refused.reason is Refusal.NOT_CLOSING


def test_undoing_the_closing_of_what_nobody_had_taken_pages_again() -> None:
    story = Story().happens(CLOSE, after=5).happens(UndoClose(ANNE), after=2)
    assert (story.alert.stage, story.alert.holder) == (Stage.OPEN, None)
    assert story.waits(0).paged == [ANNE, ANNE]


def test_only_who_closed_undoes_it_and_nobody_claims_meanwhile() -> None:
    story = claimed().happens(CLOSE)
    for answer in (
        UndoClose(BJARTE),
        Claim(BJARTE, take_over=True),
        OnWay(ANNE),
        CLOSE.__class__(BJARTE, Cause.TEST, Action.OTHER),
    ):
        assert story.happens(answer).refused is not None


def test_evidence_while_closing_takes_the_closing_back_and_pages_whoever_closed() -> None:
    story = claimed().happens(Arrived(ANNE)).happens(CLOSE)
    assert story.happens(EVIDENCE, after=4).paged == [ANNE, ANNE]
    assert (story.alert.stage, story.alert.due_for, story.due_in) == (Stage.ARRIVED, DueFor.CONFIRM, 60)
    refused = story.happens(UndoClose(ANNE)).refused
    assert refused is not None
    assert refused.reason is Refusal.NOT_CLOSING


def test_evidence_while_an_unclaimed_alert_is_closing_starts_the_ladder_again() -> None:
    story = Story().waits(60).happens(CLOSE).happens(EVIDENCE, after=2)
    assert story.paged == [ANNE, ANNE]
    assert (story.alert.stage, story.alert.holder, story.due_in) == (Stage.OPEN, None, 60)


def test_a_closing_that_is_corrected_keeps_where_it_came_from() -> None:
    story = claimed().happens(OnWay(ANNE)).happens(CLOSE).happens(Close(ANNE, Cause.TEST, Action.NOTHING), after=2)
    assert (story.alert.cause, story.due_in) == (Cause.TEST, 5)
    assert story.happens(UndoClose(ANNE)).alert.stage is Stage.ON_WAY


def test_what_is_over_by_itself_is_closed() -> None:
    story = claimed().happens(Cleared())
    assert (story.alert.stage, story.last.withdraw, story.codes) == (Stage.CLOSED, True, ["cleared", "closed"])


# New evidence ---------------------------------------------------------------------------------------------------------


def test_evidence_on_an_open_alert_pages_the_step_it_stands_on_and_delays_nothing() -> None:
    story = Story().waits(60)
    assert story.happens(EVIDENCE, after=100).paged == [ANNE, ANNE, BJARTE, BJARTE]
    assert story.due_in == 20


def test_evidence_pages_the_holder_and_after_a_minute_the_ladder() -> None:
    story = claimed()
    assert story.happens(EVIDENCE, after=100).paged == [ANNE, ANNE]
    assert story.waits(59).paged == []
    assert story.waits(1).paged == [BJARTE, BJARTE]
    assert story.alert.holder == ANNE
    assert story.waits(120).paged == [CECILIE]


def test_the_third_time_climbs_at_once_and_weighs_more() -> None:
    story = Story().happens(THIRD_TIME, after=10)
    assert (story.paged, story.codes) == ([ANNE, ANNE, BJARTE, BJARTE], ["repeated", "step_reached"])
    assert (story.alert.severity, story.alert.step, story.due_in) == (Severity.CRITICAL, 1, 120)
    assert story.happens(THIRD_TIME, after=1).paged == [CECILIE]
    assert story.happens(THIRD_TIME, after=1).paged == [DAG]
    assert story.happens(THIRD_TIME, after=1).paged == [DAG], "the last step again"


def test_the_third_time_calls_others_also_where_somebody_has_it() -> None:
    story = claimed().happens(THIRD_TIME, after=100)
    assert story.paged == [BJARTE, BJARTE, ANNE, ANNE]
    assert len({page.attempt for page in story.last.pages}) == 1
    assert (story.alert.stage, story.alert.holder, story.alert.due_for) == (Stage.CLAIMED, ANNE, DueFor.CONFIRM)
    assert story.waits(120).paged == [CECILIE]
    assert story.happens(Claim(ANNE)).waits(590).paged == [], "the holder's word is enough"


def test_the_third_time_takes_a_closing_back() -> None:
    story = claimed().happens(Arrived(ANNE)).happens(CLOSE).happens(THIRD_TIME, after=2)
    assert story.alert.stage is Stage.ARRIVED
    assert set(story.paged) == {ANNE, BJARTE}


def test_more_evidence_does_not_put_the_ladder_off() -> None:
    story = claimed().happens(EVIDENCE)
    story.happens(EVIDENCE, after=40)
    assert story.due_in == 20


@pytest.mark.parametrize("word", [Claim(ANNE), OnWay(ANNE), Arrived(ANNE)])
def test_any_word_of_the_holder_confirms_evidence_also_when_the_ladder_climbs(word: Answer) -> None:
    story = claimed().happens(EVIDENCE).waits(61)
    story.happens(word)
    assert (story.alert.due_for, story.last.withdraw, story.alert.step) == (DueFor.STAGE, True, None)


def test_evidence_while_the_ladder_climbs_pages_the_holder_and_the_next_step_within_a_minute() -> None:
    story = claimed().happens(NeedHelp(ANNE))
    assert story.due_in == 120
    assert story.happens(EVIDENCE).paged == [ANNE, ANNE]
    assert story.due_in == 60
    assert story.waits(60).paged == [CECILIE]


def test_evidence_while_it_is_on_offer_pages_both_and_does_not_wait_two_minutes() -> None:
    story = claimed().happens(HandOver(ANNE, BJARTE)).happens(EVIDENCE, after=5)
    assert story.paged == [ANNE, ANNE, BJARTE, BJARTE]
    assert (story.alert.due_for, story.due_in) == (DueFor.CONFIRM, 60)
    assert story.waits(60).paged == [BJARTE, BJARTE], "the ladder, without whoever has it"
    assert (story.alert.holder, story.alert.offered_to) == (ANNE, BJARTE)


def test_evidence_for_a_holder_who_cannot_be_reached_goes_to_the_ladder_at_once() -> None:
    story = claimed()
    story.reachable.remove(ANNE)
    assert story.happens(EVIDENCE).paged == [BJARTE, BJARTE]
    assert story.alert.holder == ANNE
    assert story.waits(120).paged == [CECILIE]


def test_a_silent_holder_who_is_the_only_one_reachable_is_paged_again() -> None:
    story = claimed().happens(EVIDENCE)
    story.reachable = {ANNE}
    assert set(story.waits(60).paged) == {ANNE}
    assert set(story.waits(300).paged) == {ANNE}


def test_evidence_makes_it_heavier_and_never_lighter() -> None:
    story = Story().happens(Joined(Severity.CRITICAL)).happens(Joined(Severity.NORMAL))
    assert story.alert.severity is Severity.CRITICAL


def test_somebody_else_answers_unconfirmed_evidence() -> None:
    story = claimed().happens(EVIDENCE).waits(60)
    story.happens(OnWay(BJARTE))
    assert story.codes == ["assisted"]
    assert (story.alert.holder, story.alert.due_for) == (ANNE, DueFor.STAGE)


# Hand-over ------------------------------------------------------------------------------------------------------------


def test_a_hand_over_pages_the_colleague_who_takes_it() -> None:
    story = claimed().happens(HandOver(ANNE, BJARTE))
    assert (story.paged, story.due_in, story.alert.holder) == ([BJARTE, BJARTE], 120, ANNE)
    assert story.last.entries[0].actor_id == ANNE
    story.happens(OnWay(BJARTE))
    assert (story.alert.holder, story.alert.stage, story.alert.offered_to) == (BJARTE, Stage.ON_WAY, None)


def test_a_hand_over_that_nobody_accepts_falls_back_to_whoever_has_it_and_then_to_the_ladder() -> None:
    story = claimed().happens(HandOver(ANNE, BJARTE))
    assert story.waits(120).codes == ["hand_over_lapsed", "asked_to_keep"]
    assert story.paged == [ANNE, ANNE]
    assert (story.alert.stage, story.alert.holder, story.alert.offered_to) == (Stage.CLAIMED, ANNE, None)
    assert story.waits(59).paged == []
    assert story.waits(1).codes == ["not_kept", "step_reached"]
    assert (story.alert.stage, story.alert.holder, story.alert.offered_to) == (Stage.OPEN, None, None)


def test_a_word_of_the_holder_takes_the_offer_back() -> None:
    story = claimed().happens(HandOver(ANNE, BJARTE)).happens(OnWay(ANNE))
    assert (story.alert.offered_to, story.last.withdraw) == (None, True)
    assert story.happens(Claim(BJARTE)).refused is not None


def test_nothing_is_handed_to_oneself_or_to_somebody_who_cannot_be_reached() -> None:
    story = claimed()
    story.reachable.remove(BJARTE)
    reasons = [story.happens(HandOver(ANNE, to)).refused for to in (ANNE, BJARTE)]
    assert [each.reason for each in reasons if each] == [Refusal.SAME_PERSON, Refusal.UNREACHABLE]


# Help -----------------------------------------------------------------------------------------------------------------


def test_help_is_called_for_from_the_second_step_until_somebody_else_answers() -> None:
    story = claimed().happens(NeedHelp(ANNE))
    assert story.paged == [BJARTE, BJARTE]
    for word in (OnWay(ANNE), Arrived(ANNE), Claim(ANNE)):
        assert not story.happens(word).last.withdraw
        assert wants_help(story.alert)
    assert story.waits(120).paged == [CECILIE]
    story.happens(Claim(CECILIE))
    assert (story.codes, story.last.withdraw) == (["assisted"], True)
    assert (story.alert.holder, story.alert.due_for) == (ANNE, DueFor.STAGE)


@pytest.mark.parametrize("answer", [Claim(DAG), OnWay(DAG), Arrived(DAG)])
def test_whoever_comes_to_help_may_say_so_in_any_words(answer: Answer) -> None:
    story = claimed().happens(NeedHelp(ANNE)).happens(answer)
    assert (story.codes, story.alert.holder, story.alert.due_for) == (["assisted"], ANNE, DueFor.STAGE)


def test_who_helps_may_also_take_over() -> None:
    story = claimed().happens(NeedHelp(ANNE)).happens(Claim(BJARTE, take_over=True))
    assert (story.alert.holder, story.codes) == (BJARTE, ["taken_over"])


def test_asking_again_is_heard_further_up_and_withdraws_nothing() -> None:
    story = claimed().happens(NeedHelp(ANNE))
    assert story.last.withdraw
    assert story.happens(NeedHelp(ANNE), after=5).paged == [CECILIE]
    assert story.happens(NeedHelp(ANNE), after=5).paged == [DAG]
    assert story.happens(NeedHelp(ANNE), after=5).paged == [DAG]
    assert not story.last.withdraw


def test_help_is_wanted_while_it_is_on_offer_and_whoever_answers_takes_it() -> None:
    story = claimed().happens(NeedHelp(ANNE)).happens(HandOver(ANNE, DAG), after=10)
    assert (story.paged, story.last.withdraw, story.due_in) == ([DAG], False, 110)
    assert story.waits(110).paged == [CECILIE]
    story.happens(Claim(CECILIE))
    assert (story.alert.holder, story.alert.offered_to) == (CECILIE, None)


def test_help_is_wanted_still_when_closing_was_a_mistake() -> None:
    story = claimed().happens(NeedHelp(ANNE)).happens(CLOSE, after=10).happens(UndoClose(ANNE), after=3)
    assert wants_help(story.alert)
    assert story.waits(0).paged == [CECILIE]


def test_help_is_wanted_still_when_evidence_reopens_it() -> None:
    story = claimed().happens(NeedHelp(ANNE)).happens(CLOSE).happens(CLOSE).happens(EVIDENCE, after=3)
    assert story.paged == [ANNE, ANNE]
    assert story.waits(0).paged == [CECILIE]


def test_help_on_a_ladder_of_one_step() -> None:
    one = (PolicyStep(target=Target.RESPONSE_CENTRE, wait_seconds=60),)
    story = Story(Alert(POLICY.model_copy(update={"steps": one}), Severity.SERIOUS))
    story.happens(Claim(ANNE)).happens(NeedHelp(ANNE))
    assert (story.paged, story.codes) == ([DAG], ["help_wanted", "step_reached"])


def test_who_calls_for_help_and_is_alone_hears_that_nobody_comes() -> None:
    story = claimed()
    story.reachable = {ANNE}
    assert set(story.happens(NeedHelp(ANNE)).paged) == {ANNE}
    story.reachable = {ANNE, DAG}
    assert story.waits(300).paged == [DAG]


def test_who_lets_go_of_unconfirmed_evidence_leaves_an_open_alert() -> None:
    for waited in (10, 61):
        story = claimed().happens(EVIDENCE).waits(waited).happens(Release(ANNE))
        assert (story.alert.stage, story.alert.due_for, story.paged) == (Stage.OPEN, DueFor.STEP, [BJARTE, BJARTE])


def test_unconfirmed_evidence_that_was_closed_by_mistake_is_no_call_for_help() -> None:
    story = claimed().happens(EVIDENCE).waits(61).happens(CLOSE).happens(UndoClose(ANNE))
    assert not wants_help(story.alert)
    assert (story.alert.stage, story.alert.due_for) == (Stage.CLAIMED, DueFor.STAGE)


def test_help_after_unconfirmed_evidence_goes_on_from_where_the_ladder_stands() -> None:
    story = claimed().happens(EVIDENCE).waits(61).happens(NeedHelp(ANNE))
    assert story.paged == [CECILIE]
    assert wants_help(story.alert)
    assert not story.last.withdraw


# A lock that does not do it -------------------------------------------------------------------------------------------


SILENT_LOCK = CommandNotDone(ANNE, Entry("command_unanswered"))


def test_whoever_asked_the_lock_is_paged_and_nothing_else_changes() -> None:
    story = claimed()
    before = story.alert
    story = story.happens(SILENT_LOCK, after=30)
    assert story.paged == [ANNE, ANNE]
    assert {page.about for page in story.last.pages} == {"command_unanswered"}
    assert [entry.code for entry in story.last.entries] == ["command_unanswered", "requester_paged"]
    assert story.alert == replace(before, attempt=before.attempt + 1)
    assert not story.last.withdraw


def test_a_ladder_that_climbs_is_not_disturbed_by_a_lock() -> None:
    story = Story().happens(SILENT_LOCK, after=20)
    assert story.paged == [ANNE, ANNE]
    assert story.waits(40).paged == [ANNE, ANNE, BJARTE, BJARTE], "at its time"


def test_whoever_asked_cannot_be_reached_so_the_holder_is() -> None:
    story = claimed()
    asked = step(story.alert, CommandNotDone(99, Entry("command_failed")), story.now, story.people)
    assert isinstance(asked, Step)
    assert {page.contact.person_id for page in asked.pages} == {ANNE}
    nobody = step(story.alert, SILENT_LOCK, story.now, People())
    assert isinstance(nobody, Step)
    assert (nobody.alert, nobody.pages, len(nobody.entries)) == (story.alert, (), 1)


def test_a_closed_alert_hears_of_no_lock() -> None:
    story = claimed().happens(CLOSE).waits(5)
    assert step(story.alert, SILENT_LOCK, story.now, story.people) == Refused(Refusal.CLOSED)
