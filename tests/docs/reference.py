"""The parts of the documentation that are made from the code, so that they cannot lag behind it.

    python -m tests.docs.reference        writes them anew

A made part stands between ``<!-- made: NAME -->`` and ``<!-- end -->``; tests compare it with what the code says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from alerts.render import SEVERITIES
from devices.dialects.native import ENVELOPE
from devices.health import HEALTH_WORDS, HOUR, MINUTE
from devices.kinds import Event, Kind, kinds
from devices.position import Located
from devices.vkp import ALERT_CODES, Severity, code_list
from gateway.broker.configure import examples as broker_examples
from tests.devices.golden import Example, examples_of

ROOT = Path(__file__).parents[2]
PROTOCOL = ROOT / "docs/protocol.md"
CONDITIONS = ROOT / "docs/conditions.md"
MADE = re.compile(r"(<!-- made: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def made_parts() -> dict[str, Callable[[], str]]:
    """Every made part by name."""
    parts: dict[str, Callable[[], str]] = {}
    for kind in kinds().values():
        parts[f"events {kind.name}"] = lambda kind=kind: events_table(kind)  # type: ignore[misc]
        parts[f"rules {kind.name}"] = lambda kind=kind: rules_table(kind)  # type: ignore[misc]
        parts[f"examples {kind.name}"] = lambda kind=kind: examples(kind)  # type: ignore[misc]
        parts[f"conditions {kind.name}"] = lambda kind=kind: conditions_table(kind)  # type: ignore[misc]
    return parts


def events_table(kind: Kind) -> str:
    """What a kind can say, and what comes of it at once by the default rules; a row for each rule."""
    rows = []
    for event, model in kind.events.items():
        at_once = [rule for rule in kind.default_rules if rule["type"] == "immediate" and event in rule["on"]]
        rows.append((f"`{event}`", _fields(model) or "–", *_raised(at_once[0] if at_once else None)))
        rows += [("", "", *_raised(rule)) for rule in at_once[1:]]
    return _table(("type", "own fields", "alert", "VKP", "severity", "for"), rows)


def rules_table(kind: Kind) -> str:
    """The default rules that look at more than one message: what has to happen, or must not, and what comes of it."""
    rows = []
    for rule in kind.default_rules:
        if rule["type"] != "immediate":
            named = f"`{rule['name']}`" + ("" if rule.get("enabled", True) else " (off)")
            told = ("–",) * 3 if rule.get("tells") else _raised(rule)[1:]
            rows.append((named, in_words(rule, kind), f"`{rule['condition']}`", *told))
    return _table(("rule", "when", "alert", "VKP", "severity", "for"), rows)


def conditions_table(kind: Kind) -> str:
    """Every default rule of a kind, as tests/acceptance/test_every_condition.py walks them."""
    words = {**HEALTH_WORDS.conditions, **kind.words.conditions}
    rows = []
    for rule in kind.default_rules:
        named = words[rule["condition"]] + ("" if rule.get("enabled", True) else " (off)")
        told = ("told on the open alert", "", "") if rule.get("tells") else _raised(rule)[1:]
        rows.append((named, in_words(rule, kind), *told))
    return _table(("condition", "when", "VKP", "severity", "for"), rows)


def in_words(rule: Mapping[str, Any], kind: Kind) -> str:
    """When a default rule raises, or tells, in words."""
    return WORDS[rule["type"]](rule, kind)


def _immediate(rule: Mapping[str, Any], kind: Kind) -> str:
    return f"{_any_of(rule['on'])}{_where(rule, kind)}"


def _silence(rule: Mapping[str, Any], kind: Kind) -> str:
    return f"nothing at all said for {kind.silent_after.total_seconds() / HOUR:g} h"


def _dose(rule: Mapping[str, Any], kind: Kind) -> str:
    return f"no {_any_of(rule['met_by'])} within {_for(rule['grace_seconds'])} of a planned dose"


def _window(rule: Mapping[str, Any], kind: Kind) -> str:
    return f"{_any_of(rule['on'])} {_within(rule)}"


def _state(rule: Mapping[str, Any], kind: Kind) -> str:
    ended = f"no {_any_of(rule['leaves'])} within {_for(rule['for_seconds'])}"
    return f"{_any_of(rule['enters'])}{_where(rule, kind)}, and {ended}"


def _missed(rule: Mapping[str, Any], kind: Kind) -> str:
    if rule.get("by"):
        return f"no {_any_of(rule['met_by'])} between {rule['since']} and {rule['by']}"
    return f"{_any_of(rule['after'])}, and no {_any_of(rule['met_by'])} within {_for(rule['within_seconds'])}"


def _threshold(rule: Mapping[str, Any], kind: Kind) -> str:
    side, back = ("below", "or more") if "below" in rule else ("above", "or less")
    limit = f"`{rule['field']}` of {_any_of(rule['on'])} {side} {rule[side]:g}"
    return f"{limit}, until {rule['clear_at']:g} {back}"


def _repeat(rule: Mapping[str, Any], kind: Kind) -> str:
    return f"{_any_of(rule['on'])} {rule['count']} times within {_for(rule['within_seconds'])}"


def _rate(rule: Mapping[str, Any], kind: Kind) -> str:
    return f"{_any_of(rule['on'])} {rule['count']} times in {rule['days']} days"


def _compound(rule: Mapping[str, Any], kind: Kind) -> str:
    said = [f"{_any_of(rule['on'])}{' ' + _within(rule) if 'window' in rule else ''}"]
    if rule.get("unless"):
        said.append(f"and no {_any_of(rule['unless'])} in the home within {_for(rule['within_seconds'])}")
    for given in rule.get("given", ()):
        last = [each for each in given["of"] if each not in given["is_one_of"]]
        said.append(f"and the home has last said {_any_of(given['is_one_of'])}, not {_any_of(last)}")
    if rule.get("tells"):
        said.append(f"is told on the open alert as `{rule['tells']}`")
    return ", ".join(said)


WORDS: Mapping[str, Callable[[Mapping[str, Any], Kind], str]] = {
    "immediate": _immediate,
    "silence": _silence,
    "dose": _dose,
    "window": _window,
    "state": _state,
    "missed": _missed,
    "threshold": _threshold,
    "repeat": _repeat,
    "rate": _rate,
    "compound": _compound,
}


def _any_of(words: Iterable[str]) -> str:
    *others, last = (f"`{each}`" for each in words)
    return f"{', '.join(others)} or {last}" if others else last


def _where(rule: Mapping[str, Any], kind: Kind) -> str:
    """What the fields must be; one that may be left out counts where it is."""
    wanted = rule.get("only_if", {})
    named = [f"`{field}` is {_any_of(_value(each) for each in values)}" for field, values in wanted.items()]
    required = {
        name
        for event in rule.get("enters") or rule["on"]
        for name, field in kind.events[event].model_fields.items()
        if field.is_required()
    }
    others = [f"`{field}` is not {_any_of(map(_value, values))}" for field, values in rule.get("except_if", {}).items()]
    unsaid = "" if wanted.keys() <= required else ", or was not sent"
    told = [*named, *others]
    return f" (where {' and '.join(told)}{unsaid})" if told else ""


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _within(rule: Mapping[str, Any]) -> str:
    return f"between {rule['window']['from_time']} and {rule['window']['to_time']}"


def _for(seconds: float) -> str:
    if seconds < MINUTE:
        return f"{seconds:g} s"
    return f"{seconds / MINUTE:g} min" if seconds < 2 * HOUR else f"{seconds / HOUR:g} h"


def examples(kind: Kind) -> str:
    """One message for each type, from the golden examples."""
    found: dict[str, Example] = {}
    for example in examples_of(kind.name):
        if example.observation is not None and b'"id"' in example.message.payload:
            found.setdefault(example.observation["type"], example)
    lines = (_example(found[event]) for event in kind.events)
    return "```text\n" + "\n".join(lines) + "\n```\n"


def with_made_parts(text: str) -> str:
    """A document with its made parts as they should be."""
    parts = made_parts()
    return MADE.sub(lambda found: f"{found[1]}\n{parts[found['name']]()}\n{found[3]}", text)


def _example(example: Example) -> str:
    topic = "/".join(example.message.topic.split("/")[-2:])
    return f"…/{topic}  {json.dumps(json.loads(example.message.payload), ensure_ascii=False)}"


def _raised(rule: Mapping[str, Any] | None) -> tuple[str, str, str, str]:
    if rule is None:
        return "–", "–", "–", "–"
    code = rule.get("vkp_code")
    shown = f"{code} {code_list(ALERT_CODES)[code]}" if code else "no code"
    severity = Severity(rule["severity"])
    return f"`{rule['condition']}`", shown, f"{int(severity)} {SEVERITIES[severity].lower()}", str(rule["track"])


def _fields(model: type[Event]) -> str:
    """A type's own fields; those of a position are told once, in a place of their own."""
    properties = model.model_json_schema().get("properties", {})
    located = Located.model_fields.keys() if issubclass(model, Located) else set()
    own = [_field(name, schema) for name, schema in properties.items() if name not in located]
    return "; ".join([*own, *(["a [position](#positions)"] if located else [])])


def _field(name: str, schema: Mapping[str, Any]) -> str:
    shape: Mapping[str, Any] = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    assert name not in ENVELOPE
    return f"`{name}` {_shape(shape)}"


def _shape(shape: Mapping[str, Any]) -> str:
    if shape.get("format") == "date-time":
        return "time with offset"
    if "maxLength" in shape:
        return f"text, at most {shape['maxLength']}"
    if "minimum" in shape:
        return f"{shape['type']}, {shape['minimum']:g} to {shape['maximum']:g}"
    return str(shape["type"])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *(list(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for document in (PROTOCOL, CONDITIONS):
        document.write_text(with_made_parts(document.read_text("utf-8")), "utf-8")
    for shown, text in broker_examples().items():
        (ROOT / "deploy" / shown).write_text(text, "utf-8")
