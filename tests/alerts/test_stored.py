"""What is stored can be read by the release before: newer fields are written only where they are set."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.policy import DEFAULT_POLICIES, Policy, PolicyStep, StageLimits, Target
from alerts.rules import RuleType, parse_rule
from alerts.stored import as_stored
from devices.kinds import kinds
from devices.vkp import Severity

RULES = [(kind.name, parse_rule(each)) for kind in kinds().values() for each in kind.default_rules]


@pytest.mark.parametrize("spec", [each for _, each in RULES], ids=[f"{kind}/{each.name}" for kind, each in RULES])
def test_a_default_rule_has_nothing_newer_that_is_not_set(spec: RuleType) -> None:
    told, whole = as_stored(spec), spec.model_dump(mode="json")
    _check(told, whole, spec.NEWER, {"while_away": None, "still_on": []})
    assert parse_rule(told) == spec


@pytest.mark.parametrize("policy", DEFAULT_POLICIES, ids=lambda each: each.name)
def test_a_default_policy_has_nothing_newer_that_is_not_set(policy: Policy) -> None:
    told, whole = as_stored(policy), policy.model_dump(mode="json")
    newer = {"max_severity": 40, "codes": [], "window": None, "rounds": 1, "severity_limits": []}
    _check({**told, "steps": whole["steps"], "limits": whole["limits"]}, whole, Policy.NEWER, newer)
    assert set(told["limits"]) == {"claimed", "on_way", "arrived"}
    first_release = {"target", "wait_seconds"}
    assert all(set(step) == first_release for step in told["steps"])
    assert Policy.model_validate(told) == policy


def test_what_is_set_is_written_and_nothing_old_is_left_out() -> None:
    step = PolicyStep(target=Target.ALL_ON_DUTY, wait_seconds=60, contacts=("sms",))
    policy = DEFAULT_POLICIES[1].model_copy(update={"steps": (step,), "rounds": 2})
    told = as_stored(policy)
    assert told["steps"] == [{"target": "all_on_duty", "wait_seconds": 60, "contacts": ["sms"]}]
    assert (told["rounds"], told["min_severity"], told["limits"]["claimed"]) == (2, 0, 1800), (
        "defaults of the first release"
    )
    assert Policy.model_validate(told) == policy


def test_limits_that_were_stored_before_there_were_any_by_severity_mean_what_they_meant() -> None:
    before = {name: value for name, value in as_stored(DEFAULT_POLICIES[1]).items() if name != "severity_limits"}
    read = Policy.model_validate(before)
    assert {read.limits_for(each) for each in Severity} == {
        StageLimits(claimed=1800, on_way=3600, arrived=3600, accept=120)
    }
    own = read.model_copy(update={"limits": StageLimits(accept=60)})
    assert as_stored(own)["limits"]["accept"] == 60, "what is set is written"


def _check(told: dict[str, Any], whole: dict[str, Any], newer: frozenset[str], defaults: dict[str, Any]) -> None:
    unset = {each for each in newer if whole[each] == defaults[each]}
    assert not set(told) & unset
    assert told == {name: value for name, value in whole.items() if name not in unset}
