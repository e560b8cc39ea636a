"""Every rule type and every default rule of every kind, found by themselves, keep the same promises."""

from __future__ import annotations

import ast
import inspect
import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.model import NOTHING, Clear, Evidence, Inform, Judgement, Raise, Watch, WatchState
from alerts.render import condition_text
from alerts.rules import Rule, RuleType, Scene, Wanted, parse_rule, rule_types
from devices.health import HEALTH_WORDS
from devices.kinds import kinds
from devices.model import Flag, MessageClass
from devices.vkp import ALERT_CODES, code_list
from tests.alerts.homes import HOME, NIGHT, SHELF, moment, said

DEFAULTS = [(kind, dict(data)) for kind, each in sorted(kinds().items()) for data in each.default_rules]
NAMED = pytest.mark.parametrize(("kind", "data"), DEFAULTS, ids=[f"{kind}-{data['name']}" for kind, data in DEFAULTS])
KEEP_WATCHES = [(kind, data) for kind, data in DEFAULTS if rule_types()[data["type"]].waits]
WAITING = pytest.mark.parametrize(
    ("kind", "data"), KEEP_WATCHES, ids=[f"{kind}-{data['name']}" for kind, data in KEEP_WATCHES]
)
EVERY_TYPE = pytest.mark.parametrize("rule_type", rule_types().values(), ids=list(rule_types()))
DELAYS = (timedelta(0), timedelta(minutes=20), timedelta(days=3))
ODD_FIELDS: tuple[dict[str, Any], ...] = (
    {},
    {"dose_at": "yesterday"},
    {"dose_at": None},
    {"dose_at": 7},
    {"dose_at": "2026-11-22T02:30:00z"},
    {"dose_at": "2026-11-22T02:30:00"},
    {"dose_at": "0001-01-01T00:00:00+14:00"},
    {"doses_left": "many"},
)


def watches_of(rule_id: int) -> list[Watch]:
    """A watch in each state, as the shell would open them."""
    facts = {"silent_after_seconds": 3600.0, "evidence": Evidence.of(said("fall").observation).as_json()}
    return [
        Watch(f"watch:{state}", rule_id, HOME, NIGHT - timedelta(hours=1), NIGHT, state, facts) for state in WatchState
    ]


def check(judgement: Judgement, rule_id: int) -> None:
    assert isinstance(judgement, Judgement)
    assert all(isinstance(signal, Raise | Inform | Clear) for signal in judgement.signals)
    assert all(watch.rule_id == rule_id for watch in judgement.watches)
    assert all(watch.due_at is not None or watch.state is not WatchState.WAITING for watch in judgement.watches)
    json.dumps([dict(watch.facts) for watch in judgement.watches])


def test_there_are_rule_types_and_every_one_is_used_by_default() -> None:
    assert {data["type"] for _, data in DEFAULTS} <= set(rule_types())
    assert {"immediate", "dose", "silence"} <= set(rule_types())


@EVERY_TYPE
def test_it_reads_no_clock(rule_type: type[RuleType]) -> None:
    source = ast.parse(inspect.getsource(inspect.getmodule(rule_type) or rule_type))
    called = {
        node.func.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert called.isdisjoint({"now", "utcnow", "today", "time", "monotonic"})


@EVERY_TYPE
def test_its_name_is_its_file(rule_type: type[RuleType]) -> None:
    assert rule_type.__module__ == f"alerts.rules.{rule_type.model_fields['type'].default}"
    assert rule_type.__doc__


@NAMED
def test_it_comes_back_from_json(kind: str, data: dict[str, Any]) -> None:
    rule = parse_rule(data)
    assert parse_rule(json.loads(json.dumps(rule.model_dump(mode="json")))) == rule
    assert parse_rule(json.loads(rule.model_dump_json())) == rule


@NAMED
@pytest.mark.parametrize(
    "wrong", [{"colour": "red"}, {"severity": 15}, {"track": "post"}, {"name": ""}, {"type": "guess"}]
)
def test_it_refuses_what_it_does_not_know(kind: str, data: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse_rule({**data, **wrong})


@NAMED
def test_its_condition_has_a_name_and_its_code_is_national(kind: str, data: dict[str, Any]) -> None:
    rule = parse_rule(data)
    words = {**HEALTH_WORDS.conditions, **kinds()[kind].words.conditions}
    assert condition_text(rule.condition, kind, "en") == words[rule.condition]
    assert rule.vkp_code is None or rule.vkp_code in code_list(ALERT_CODES)


@pytest.mark.parametrize("kind", kinds())
def test_the_names_of_a_kinds_rules_are_unique(kind: str) -> None:
    names = [data["name"] for data in kinds()[kind].default_rules]
    assert len(names) == len(set(names))


@NAMED
def test_it_names_only_events_that_the_kind_knows(kind: str, data: dict[str, Any]) -> None:
    own = {each for each in parse_rule(data).hears() if "/" not in each}
    assert own <= set(kinds()[kind].events)


@NAMED
def test_it_makes_nothing_of_what_it_does_not_hear(kind: str, data: dict[str, Any]) -> None:
    """So nobody asks it: a sign of life costs the rules about signs of life."""
    rule = Rule(3, 1, kind, parse_rule(data))
    deaf_to = [event for event in (*kinds()[kind].events, "never_heard_of") if not rule.hears(event)]
    assert deaf_to
    for event in deaf_to:
        for message_class in MessageClass:
            for watch in watches_of(rule.id):
                heard = said(event, kind=kind, message_class=message_class, subject=HOME)
                assert rule.spec.wants(heard.observation) is Wanted.NOTHING
                assert rule.spec.observe(rule.id, heard, Scene(watches=[watch])) == NOTHING


@NAMED
def test_it_makes_nothing_where_nothing_is_of_what_it_looks_for_outstanding_watches(
    kind: str, data: dict[str, Any]
) -> None:
    """So nobody asks it either."""
    rule = Rule(3, 1, kind, parse_rule(data))
    for event in filter(rule.hears, (*kinds()[kind].events, "never_heard_of")):
        for message_class in MessageClass:
            for fields in ODD_FIELDS:
                heard = said(event, kind=kind, message_class=message_class, fields=fields, subject=HOME)
                if rule.spec.wants(heard.observation) is Wanted.OUTSTANDING:
                    assert rule.spec.observe(rule.id, heard, Scene()) == NOTHING


@NAMED
def test_it_takes_whatever_a_device_says(kind: str, data: dict[str, Any]) -> None:
    rule = Rule(3, 1, kind, parse_rule(data))
    for event in (*kinds()[kind].events, "never_heard_of"):
        for message_class in MessageClass:
            for fields in ODD_FIELDS:
                heard = said(event, kind=kind, message_class=message_class, fields=fields, subject=SHELF)
                check(rule.spec.observe(rule.id, heard, Scene(watches=watches_of(rule.id))), rule.id)


@NAMED
def test_history_raises_nothing(kind: str, data: dict[str, Any]) -> None:
    rule = Rule(3, 1, kind, parse_rule(data))
    for event in kinds()[kind].events:
        heard = said(event, kind=kind, delay=timedelta(hours=24, seconds=1), flags=frozenset({Flag.RETAINED}))
        judged = rule.spec.observe(rule.id, heard, Scene(watches=watches_of(rule.id)))
        assert not any(isinstance(signal, Raise) for signal in judged.signals)


@WAITING
def test_time_passes_over_a_watch_in_every_state(kind: str, data: dict[str, Any]) -> None:
    spec = parse_rule(data)
    for watch in watches_of(3):
        for now in (NIGHT, NIGHT + timedelta(hours=30)):
            for last_seen in (None, NIGHT - timedelta(days=9), now):
                for silent_after in (None, 0.0, 7200.0):
                    known = moment(now, last_seen=last_seen, silent_after_seconds=silent_after, resumed_at=last_seen)
                    check(spec.elapse(watch, known), 3)


@pytest.mark.parametrize("delay", DELAYS, ids=str)
@pytest.mark.parametrize("kind", kinds())
def test_evidence_says_what_was_said_and_when(kind: str, delay: timedelta) -> None:
    for data in kinds()[kind].default_rules:
        rule = Rule(3, 1, kind, parse_rule(data))
        for event in kinds()[kind].events:
            judged = rule.spec.observe(rule.id, said(event, kind=kind, delay=delay), Scene())
            raised = [signal for signal in judged.signals if isinstance(signal, Raise)]
            assert all(each.evidence.type == event for each in raised)
            assert all(each.evidence.received_at - each.evidence.occurred_at == delay for each in raised)
            assert all(each.rule_id == 3 and each.subject == HOME for each in raised)
