"""Which policy takes an alert, and what becomes of a page after an attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.choosing import Case, choose
from alerts.delivery import LONGEST_BACK_OFF, MAX_TRIES, Failed, GiveUp, HandedOver, Retry, settle
from alerts.model import Severity, Track
from alerts.policy import DEFAULT_POLICIES, Policy, StoredPolicy, Target
from devices.vkp import ALERT_CODES, HANDLING_EVENTS, code_list

NOW = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
STORED = [StoredPolicy(number, policy) for number, policy in enumerate(DEFAULT_POLICIES)]


def chosen(policies: list[StoredPolicy], track: Track, severity: Severity) -> Policy:
    return choose(policies, Case(track, severity), (1,), NOW, OSLO).policy


@pytest.mark.parametrize("track", Track)
@pytest.mark.parametrize("severity", Severity)
def test_the_defaults_take_every_alert(track: Track, severity: Severity) -> None:
    policy = chosen(STORED, track, severity)
    assert policy.track is track
    assert policy.name.endswith("urgent") == (severity >= Severity.SERIOUS)


def test_an_alert_that_no_policy_is_for_is_taken_by_another() -> None:
    only_urgent = [each for each in STORED if each.policy.name != "care"]
    assert chosen(only_urgent, Track.CARE, Severity.NORMAL).name == "care_urgent"
    only_technical = [each for each in STORED if each.policy.track is Track.TECHNICAL]
    assert chosen(only_technical, Track.CARE, Severity.CRITICAL).track is Track.TECHNICAL


def test_without_any_policy_it_is_an_error_that_says_so() -> None:
    with pytest.raises(LookupError, match="there are no policies"):
        chosen([], Track.CARE, Severity.NORMAL)


@pytest.mark.parametrize("policy", DEFAULT_POLICIES, ids=lambda policy: policy.name)
def test_a_default_policy_survives_being_stored(policy: Policy) -> None:
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_what_was_stored_before_names_codes_and_rounds_is_read_as_it_was_meant() -> None:
    old = {
        "name": "care_urgent",
        "track": "care",
        "min_severity": 30,
        "steps": [{"target": "first_on_duty", "wait_seconds": 60}, {"target": "response_centre", "wait_seconds": 300}],
        "repeat_seconds": 300,
        "limits": {"claimed": 600, "on_way": 1800, "arrived": 3600},
    }
    read = Policy.model_validate(old)
    assert (read.codes, read.window, read.max_severity) == ((), None, Severity.CRITICAL)
    assert [(each.target, each.contacts, each.first_contact) for each in read.ladder] == [
        ("first_on_duty", (), False),
        ("response_centre", (), False),
    ]


def test_what_is_serious_for_care_is_repeated_every_five_minutes_whatever_a_policy_says() -> None:
    care, technical = (each.policy for each in STORED[1:3])
    last = len(care.ladder) - 1
    assert [care.wait_after(last, each) for each in (Severity.MODERATE, Severity.SERIOUS)] == [900, 300]
    assert technical.wait_after(1, Severity.CRITICAL) == 12 * 3600


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
        {"steps": [{"target": "person", "wait_seconds": 60}]},
        {"steps": [{"target": "zone_lead", "wait_seconds": 60, "id": "01890000-0000-7000-8000-000000000000"}]},
        {"min_severity": 40, "max_severity": 30},
        {"rounds": 0},
        {"codes": ["Ω"]},
        {"window": {"from_time": "22:00Z", "to_time": "06:00"}},
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


@pytest.mark.parametrize(("asked", "waits"), [(0, 4), (3, 4), (7, 7), (59, 59), (61, 60), (86_400, 60)])
def test_who_asks_to_be_left_alone_is_but_not_for_longer_than_an_alarm_can_wait(asked: int, waits: int) -> None:
    assert settle(Failed("busy", after=timedelta(seconds=asked)), 2) == Retry(timedelta(seconds=waits))


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
