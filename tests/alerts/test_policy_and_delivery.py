"""Which policy takes an alert, and what becomes of a page after an attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.delivery import LONGEST_BACK_OFF, MAX_TRIES, Failed, GiveUp, HandedOver, Retry, settle
from alerts.model import Severity, Track
from alerts.policy import DEFAULT_POLICIES, Policy, StoredPolicy, Target, choose
from devices.vkp import ALERT_CODES, HANDLING_EVENTS, code_list

STORED = [StoredPolicy(number, policy) for number, policy in enumerate(DEFAULT_POLICIES)]


@pytest.mark.parametrize("track", Track)
@pytest.mark.parametrize("severity", Severity)
def test_the_defaults_take_every_alert(track: Track, severity: Severity) -> None:
    policy = choose(STORED, track, severity).policy
    assert policy.track is track
    assert policy.name.endswith("urgent") == (severity >= Severity.SERIOUS)


def test_an_alert_that_no_policy_is_for_is_taken_by_another() -> None:
    only_urgent = [each for each in STORED if each.policy.name != "care"]
    assert choose(only_urgent, Track.CARE, Severity.NORMAL).policy.name == "care_urgent"
    only_technical = [each for each in STORED if each.policy.track is Track.TECHNICAL]
    assert choose(only_technical, Track.CARE, Severity.CRITICAL).policy.track is Track.TECHNICAL


def test_without_any_policy_it_is_an_error_that_says_so() -> None:
    with pytest.raises(LookupError, match="there are no policies"):
        choose([], Track.CARE, Severity.NORMAL)


@pytest.mark.parametrize("policy", DEFAULT_POLICIES, ids=lambda policy: policy.name)
def test_a_default_policy_survives_being_stored(policy: Policy) -> None:
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_care_ends_at_the_response_centre() -> None:
    assert {each.steps[-1].target for each in DEFAULT_POLICIES if each.track is Track.CARE} == {Target.RESPONSE_CENTRE}


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": ()},
        {"repeat_seconds": 5},
        {"limits": {"claimed": 0}},
        {"steps": [{"target": "anybody", "wait_seconds": 60}]},
        {"steps": [{"target": "zone_lead", "wait_seconds": 0}]},
        {"colour": "red"},
    ],
)
def test_a_policy_that_could_end_in_silence_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate({**DEFAULT_POLICIES[0].model_dump(), **wrong})


def test_a_page_that_was_taken_is_done() -> None:
    assert settle(HandedOver("ok"), 3) == HandedOver("ok")


def test_a_wrong_address_is_given_up_at_once_and_the_contact_is_broken() -> None:
    certain = Failed("no such user", permanent=True, contact_broken=True)
    assert settle(certain, 1) == GiveUp("no such user", contact_broken=True)
    assert settle(Failed("not today", permanent=True), 1) == GiveUp("not today", contact_broken=False)


def test_the_rest_is_tried_again_ever_more_slowly_and_then_given_up_aloud() -> None:
    verdicts = [settle(Failed("busy"), tries) for tries in range(1, MAX_TRIES + 1)]
    waits = [each.after.total_seconds() for each in verdicts if isinstance(each, Retry)]
    assert waits == [2, 4, 8, 16]
    assert verdicts[-1] == GiveUp("busy", contact_broken=False)


@given(tries=st.integers(1, 10_000), permanent=st.booleans())
def test_settling_ends(tries: int, *, permanent: bool) -> None:
    verdict = settle(Failed("x", permanent=permanent), tries)
    assert isinstance(verdict, GiveUp) == (permanent or tries >= MAX_TRIES)
    assert not isinstance(verdict, Retry) or verdict.after <= LONGEST_BACK_OFF


def test_the_national_codes_are_there() -> None:
    assert code_list(ALERT_CODES)["1.3"] == "Mangler utleveringsbekreftelse"
    assert code_list(HANDLING_EVENTS)
    with pytest.raises(KeyError):
        code_list("http://example.org/no-such-list")
