"""The conformance suite of device kinds. It finds every kind by itself: a new kind needs no new test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from devices.dialects import dialect_of
from devices.dialects.native import ENVELOPE, encode
from devices.health import HEALTH_EVENTS, HEALTH_WORDS, PRESENCE
from devices.kinds import Kind, Rhythm, Span, kinds
from devices.model import NAME, DecodeError, DeviceAddress, Message, MessageClass, Observation, Said
from devices.vkp import ALERT_CODES, Severity, code_list
from tests.devices.golden import Example, all_examples, assert_storable, examples_of

every_kind = pytest.mark.parametrize("kind", kinds().values(), ids=kinds().keys())
EVENT_KEYS = ("on", "inform_on", "met_by", "answered_by", "after", "enters", "leaves", "unless")
MIDNIGHT = datetime(2026, 11, 21, 23, tzinfo=UTC)


def named(rule: Any) -> Iterator[str]:
    """Every type that a rule names; those of another kind as ``kind/type``."""
    yield from (event for key in EVENT_KEYS for event in rule.get(key, ()))
    yield from (word for given in rule.get("given", ()) for word in (*given["of"], *given["is_one_of"]))


def raising_at_once(kind: Kind) -> set[str]:
    """The types that a default rule raises by themselves, at any time."""
    return {event for rule in kind.default_rules if rule["type"] == "immediate" for event in rule["on"]}


def span(hour: float, minutes: float) -> Span:
    begins = MIDNIGHT + timedelta(hours=hour)
    return Span(begins, begins + timedelta(minutes=minutes))


def one_day(kind: Kind, seed: int) -> list[Said]:
    doses = tuple(MIDNIGHT + timedelta(hours=hour) for hour in (8, 20))
    rhythm = Rhythm(
        MIDNIGHT,
        date(2026, 11, 22),
        doses,
        fall_at=MIDNIGHT + timedelta(hours=14, minutes=3),
        up=span(6.5, 15 * 60),
        walks=(span(11, 40),),
        visits=(span(8.25, 12), span(19, 20)),
    )
    return list(kind.day(rhythm, Random(seed)))


def decoded(kind: Kind, number: int, said: Said) -> Observation:
    topic, payload = encode(DeviceAddress("stavanger", "native", "one"), kind.name, f"m-{number}", said)
    return dialect_of(topic).decode(Message(topic, payload, MIDNIGHT + timedelta(days=3)))


@pytest.mark.parametrize("example", all_examples(), ids=str)
def test_golden_example(example: Example) -> None:
    dialect = dialect_of(example.message.topic)
    if example.observation is None:
        with pytest.raises(DecodeError) as refused:
            dialect.decode(example.message)
        assert refused.value.reason == example.error
        return
    observation = dialect.decode(example.message)
    assert example.observation == {
        "type": observation.type,
        "occurred_at": observation.occurred_at.isoformat(),
        "fields": observation.fields,
        "flags": sorted(observation.flags),
        "message_id": observation.message_id,
    }
    assert observation.kind == example.kind
    assert observation.raw == example.message.payload
    assert_storable(dict(observation.fields))


@every_kind
def test_examples_are_complete(kind: Kind) -> None:
    examples = examples_of(kind.name)
    shown = {example.observation["type"] for example in examples if example.observation is not None}
    assert kind.events.keys() <= shown, "every event type has a good example"
    assert any(example.error for example in examples), "and something is malformed"
    assert len({example.name for example in examples}) == len(examples), "names tell them apart"


@every_kind
def test_names(kind: Kind) -> None:
    assert NAME.fullmatch(kind.name)
    assert kinds()[kind.name] is kind
    assert all(NAME.fullmatch(event) for event in kind.events)
    assert not any(model.model_fields.keys() & ENVELOPE for model in kind.events.values()), (
        "the envelope is not a field"
    )


@every_kind
def test_says_its_health(kind: Kind) -> None:
    assert kind.events.keys() >= HEALTH_EVENTS.keys()
    assert timedelta(0) < kind.silent_after <= timedelta(days=7)
    assert [rule["type"] for rule in kind.default_rules].count("silence") == 1


@every_kind
def test_rules_name_what_the_kind_says(kind: Kind) -> None:
    every = {word for rule in kind.default_rules for word in named(rule)}
    assert {word for word in every if "/" not in word} <= kind.events.keys()
    for other, event in (word.split("/") for word in every if "/" in word):
        assert event in kinds()[other].events
    names = [rule["name"] for rule in kind.default_rules]
    assert len(set(names)) == len(names), "a rule is overridden by name"


@every_kind
def test_rules_use_the_national_codes(kind: Kind) -> None:
    codes = {rule["vkp_code"] for rule in kind.default_rules} - {None}
    assert codes <= code_list(ALERT_CODES).keys()
    assert all(Severity(rule["severity"]) > Severity.NOT_REPORTED for rule in kind.default_rules)
    assert {rule["track"] for rule in kind.default_rules} <= {"care", "technical"}


@every_kind
def test_nothing_that_matters_goes_unheard(kind: Kind) -> None:
    assert kind.harmless <= kind.events.keys()
    raising = raising_at_once(kind)
    assert kind.events.keys() - kind.harmless <= raising, "an event is harmless or a default rule raises it"
    assert not kind.harmless & raising, "and never both"
    assert all(rule.get("enabled", True) for rule in kind.default_rules if rule["type"] == "immediate")
    assert PRESENCE in kind.harmless, "a lost connection is the silence rule's business"


@every_kind
@pytest.mark.parametrize("seed", range(5))
def test_simulated_day(kind: Kind, seed: int) -> None:
    day = one_day(kind, seed)
    assert day == one_day(kind, seed), "reproducible from the seed"
    assert day != one_day(kind, seed + 100), "and different for another"
    assert day == sorted(day, key=lambda said: said.at), "in time order"
    assert all(said.at.tzinfo is UTC for said in day)
    assert {said.type for said in day} <= kind.events.keys()
    longest = max(later.at - earlier.at for earlier, later in pairwise(day))
    assert longest < kind.silent_after, "a healthy device never counts as silent"


@every_kind
def test_simulated_day_decodes_to_itself(kind: Kind) -> None:
    for number, said in enumerate(one_day(kind, 1)):
        observation = decoded(kind, number, said)
        heard = Said(observation.occurred_at, observation.message_class, observation.type, observation.fields)
        assert heard == said
        assert not observation.flags
        assert observation.message_id == f"m-{number}"


@every_kind
def test_simulated_alarms_matter(kind: Kind) -> None:
    urgent = {said.type for said in one_day(kind, 1) if said.message_class is MessageClass.ALARM}
    assert not urgent & kind.harmless


@every_kind
def test_every_kind_is_watched_over_by_the_same_rules(kind: Kind) -> None:
    """A battery that runs low without a warning, a lost connection, and alarms without end."""
    by_condition: dict[str, set[str]] = {}
    for rule in kind.default_rules:
        by_condition.setdefault(rule["condition"], set()).add(rule["type"])
    assert by_condition["battery_low"] == {"immediate", "threshold"}
    assert by_condition["disconnected"] == {"state"}
    urgent = [
        rule for rule in kind.default_rules if rule["type"] == "immediate" and rule["track"] == "care" and
        rule["severity"] >= Severity.SERIOUS
    ]  # fmt: skip
    counted = {event for rule in kind.default_rules if rule["type"] == "rate" for event in rule["on"]}
    assert {event for rule in urgent for event in rule["on"]} <= counted


@every_kind
def test_words_for_all_it_says(kind: Kind) -> None:
    assert kind.words.name
    assert kind.events.keys() == kind.words.says.keys() | HEALTH_WORDS.says.keys()
    fields = {name for model in kind.events.values() for name in model.model_fields}
    assert fields == (kind.words.fields.keys() | HEALTH_WORDS.fields.keys()) - (HEALTH_WORDS.fields.keys() - fields)
    assert kind.words.units.keys() | kind.words.values.keys() <= kind.words.fields.keys()


@every_kind
def test_parts_are_told_of_by_what_it_says(kind: Kind) -> None:
    assert kind.parts.keys() <= kind.events.keys()
    done = {type_ for command in kind.commands.values() for type_ in command.done_by}
    assert done <= kind.parts.keys(), "what a command changes is shown as it was last said"


@every_kind
def test_commands_are_done_when_the_device_says_so(kind: Kind) -> None:
    for name, command in kind.commands.items():
        assert NAME.fullmatch(name)
        assert command.label
        assert command.done_by
        assert not command.done_by & command.failed_by
        assert command.done_by | command.failed_by <= kind.events.keys()
        replies = list(kind.obey(name, Random(1)))
        assert {reply.type for reply in replies} <= kind.events.keys()
        assert {reply.type for reply in replies} & command.done_by, "the simulator obeys"
