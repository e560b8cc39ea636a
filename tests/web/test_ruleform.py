"""A rule's form: what it shows comes back as it was, and what somebody answers becomes the rule's data."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.rulecheck import check
from alerts.rules import parse_rule, rule_types
from devices.kinds import kinds
from gateway.web.ruleform import Control, controls, read
from tests.support.rules import own

DEFAULTS = [
    (kind, parse_rule(data).model_dump(mode="json"))
    for kind, each in sorted(kinds().items())
    for data in each.default_rules
]
DOOR, DISPENSER, FALL = "door_sensor", "medicine_dispenser", "fall_alarm"
TYPES: dict[str, dict[str, Any]] = {
    "missed": {"met_by": ["worn"], "after": ["not_worn"], "within_seconds": 600},
    "repeat": {"on": ["button_pressed"], "count": 3, "within_seconds": 3600},
    "rate": {"on": ["button_pressed"], "count": 4, "days": 2},
}


def answered(spec: dict[str, Any], kind: str) -> dict[str, list[str]]:
    """A browser sends the form as it came."""
    given: dict[str, list[str]] = {"enabled": ["on"]} if spec["enabled"] else {}
    for each in controls(spec, kinds()[kind], "nb"):
        chosen = [option.value for option in (*each.options, *each.rest) if option.chosen]
        if each.shape == "window":
            given |= {"window.from_time": [each.value], "window.to_time": [each.until], "window.weekdays": chosen}
        elif each.options or each.rest:
            given |= {each.name: chosen} if chosen else {}
        else:
            given[each.name] = [each.value]
    return given


def by_name(spec: dict[str, Any], kind: str, **more: Any) -> dict[str, Control]:
    return {each.name: each for each in controls(spec, kinds()[kind], "nb", **more)}


@pytest.mark.parametrize(("kind", "spec"), DEFAULTS, ids=[f"{kind}-{spec['name']}" for kind, spec in DEFAULTS])
def test_an_unchanged_form_is_the_same_rule(kind: str, spec: dict[str, Any]) -> None:
    found = check(kinds()[kind], read(answered(spec, kind), spec, kinds()[kind]))
    assert found.spec == parse_rule(spec), found.wrong


@pytest.mark.parametrize("type_", TYPES)
def test_the_other_types_come_back_too(type_: str) -> None:
    data = {"type": type_, "name": "ours", "condition": "ours", "severity": 20, "track": "care", **TYPES[type_]}
    spec = parse_rule(data).model_dump(mode="json")
    assert parse_rule(read(answered(spec, FALL), spec, kinds()[FALL])) == parse_rule(spec)


def test_every_field_has_a_control_or_stays_as_it_is() -> None:
    stay = {
        "name",
        "condition",
        "type",
        "enabled",
        "per",
        "only_if",
        "except_if",
        "given",
        "tells",
        "field",
        "settle_seconds",
        "still_on",
        "while_away",
    }
    shown = {name for each in DEFAULTS for name in by_name(each[1], each[0])}
    every = {name for each in rule_types().values() for name in each.model_fields}
    only_in_others = {"count", "within_seconds", "days", "after", "above"}
    assert every - shown - stay <= only_in_others


def test_answers_become_the_rule() -> None:
    spec = own(DOOR, "not_back")
    given = answered(spec, DOOR) | {
        "within_seconds": ["7,5"], "severity": ["40"], "on": ["opened"], "vkp_code": [""], "enabled": [],
        "window.from_time": ["23:30"], "window.weekdays": ["0", "4"],
    }  # fmt: skip
    found = read(given, spec, kinds()[DOOR])
    assert (found["within_seconds"], found["severity"], found["on"], found["vkp_code"]) == (450, 40, ["opened"], None)
    assert found["window"] == {"from_time": "23:30", "to_time": "06:00", "weekdays": [0, 4]}
    assert found["enabled"] is False
    assert found["unless"] == spec["unless"]
    always = read(given | {"window.from_time": [""], "window.to_time": [""]}, spec, kinds()[DOOR])
    assert always["window"] is None


def test_nonsense_is_handed_on_and_told_at_its_field() -> None:
    spec = own(DISPENSER, "dose_unconfirmed")
    given = answered(spec, DISPENSER) | {"grace_seconds": ["soon"], "met_by": [], "severity": ["15"]}
    found = check(kinds()[DISPENSER], read(given, spec, kinds()[DISPENSER]))
    wrong = [{"field": each.field, "code": each.code} for each in found.wrong]
    told = by_name(read(given, spec, kinds()[DISPENSER]), DISPENSER, wrong=wrong)
    assert told["grace_seconds"].value == "soon"
    assert {name for name, each in told.items() if each.wrong} == {"grace_seconds", "met_by", "severity"}
    assert told["met_by"].wrong == "Her må noe velges eller fylles ut."


def test_limits_are_shown_in_minutes() -> None:
    shown = by_name(own(DISPENSER, "dose_unconfirmed"), DISPENSER)["grace_seconds"]
    assert (shown.value, shown.least, shown.most) == ("60", "5", "300")
