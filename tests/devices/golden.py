"""The golden examples that live beside each kind, and what "storable" means."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

from devices.kinds import kinds
from devices.model import Message


@dataclass(frozen=True)
class Example:
    """One line of ``examples.jsonl``: a message, and the observation or the reason for its refusal."""

    kind: str
    name: str
    message: Message
    observation: dict[str, Any] | None
    error: str | None

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def examples_of(kind: str) -> tuple[Example, ...]:
    text = files(f"devices.kinds.{kind}").joinpath("examples.jsonl").read_text("utf-8")
    return tuple(_example(kind, json.loads(line)) for line in text.splitlines())


def all_examples() -> tuple[Example, ...]:
    return tuple(example for kind in sorted(kinds()) for example in examples_of(kind))


def assert_storable(value: Any) -> None:
    """Goes into PostgreSQL's jsonb and text, and comes out the same: the database's own limits, written again."""
    assert json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()) == value
    _assert_each_storable(value)


def _assert_each_storable(value: Any) -> None:
    match value:
        case str():
            assert "\0" not in value
            assert not any(0xD800 <= ord(character) <= 0xDFFF for character in value)
        case dict():
            for key, item in value.items():
                _assert_each_storable(key)
                _assert_each_storable(item)
        case list():
            for item in value:
                _assert_each_storable(item)
        case float():
            assert math.isfinite(value)
        case None | bool():
            pass
        case int():
            assert -(2**63) <= value < 2**63
        case _:
            raise AssertionError(f"{type(value).__name__} is not JSON")


def _example(kind: str, line: dict[str, Any]) -> Example:
    payload = line["payload"]
    text = payload if isinstance(payload, str) else json.dumps(payload)
    received_at = datetime.fromisoformat(line["received_at"])
    message = Message(line["topic"], text.encode(), received_at, retained=line.get("retained", False))
    return Example(kind, line["name"], message, line.get("observation"), line.get("error"))
