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
from devices.kinds import Event, Kind, kinds
from devices.position import Located
from devices.vkp import ALERT_CODES, Severity, code_list
from tests.devices.golden import Example, examples_of

ROOT = Path(__file__).parents[2]
PROTOCOL = ROOT / "docs/protocol.md"
MADE = re.compile(r"(<!-- made: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def made_parts() -> dict[str, Callable[[], str]]:
    """Every made part by name."""
    parts: dict[str, Callable[[], str]] = {}
    for kind in kinds().values():
        parts[f"events {kind.name}"] = lambda kind=kind: events_table(kind)  # type: ignore[misc]
        parts[f"absence {kind.name}"] = lambda kind=kind: absence_table(kind)  # type: ignore[misc]
        parts[f"examples {kind.name}"] = lambda kind=kind: examples(kind)  # type: ignore[misc]
    return parts


def events_table(kind: Kind) -> str:
    """What a kind can say, and what comes of it by the default rules."""
    raising = {event: rule for rule in kind.default_rules if rule["type"] == "immediate" for event in rule["on"]}
    rows = []
    for event, model in kind.events.items():
        rows.append((f"`{event}`", _fields(model) or "–", *_raised(raising.get(event))))
    return _table(("type", "own fields", "alert", "VKP", "severity", "for"), rows)


def absence_table(kind: Kind) -> str:
    """What the default rules make of something that did not happen."""
    rows = []
    for rule in kind.default_rules:
        if rule["type"] == "silence":
            rows.append((f"nothing at all said for {_hours(kind)}", *_raised(rule)))
        if rule["type"] == "dose":
            met = " or ".join(f"`{each}`" for each in rule["met_by"])
            rows.append((f"no {met} within {rule['grace_seconds'] // 60} min of a planned dose", *_raised(rule)))
    return _table(("what does not happen", "alert", "VKP", "severity", "for"), rows)


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


def _hours(kind: Kind) -> str:
    return f"{kind.silent_after.total_seconds() / 3600:g} h"


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
    PROTOCOL.write_text(with_made_parts(PROTOCOL.read_text("utf-8")), "utf-8")
