"""How each default rule is provoked, read off its data: what a device says, and how much time passes. Nothing is stubbed.

for act in acts(rule): …        Say: one message, of this device or another of the home; Wait: seconds go by
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from devices.kinds import kinds
from simulators.home import class_of


@dataclass(frozen=True)
class Say:
    """``kind``: None for the device itself, else another device of the home. The class is the one a simulator chooses."""

    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    kind: str | None = None

    def message_class(self, own: str) -> str:
        return class_of(self.kind or own, self.type)


@dataclass(frozen=True)
class Wait:
    """Time goes by."""

    seconds: float


Act = Say | Wait
Rule = Mapping[str, Any]

NIGHT = time(23, 30)
"""A local time within every default window: stories of provoked rules begin at it."""
DOSE = time(23, 45)
"""When the dose is planned that nobody confirms."""


def acts(rule: Rule, kind: str) -> Iterator[Act]:
    """What has to happen for the rule to raise, or to tell."""
    yield from PROVOKE[rule["type"]](rule, kind)


def _immediate(rule: Rule, kind: str) -> Iterator[Act]:
    yield Say(rule["on"][0], _fitting(rule))


def _state(rule: Rule, kind: str) -> Iterator[Act]:
    yield Say(rule["enters"][0], _fitting(rule))
    yield Wait(rule["for_seconds"])


def _silence(rule: Rule, kind: str) -> Iterator[Act]:
    yield Wait(kinds()[kind].silent_after.total_seconds() + 60)


def _threshold(rule: Rule, kind: str) -> Iterator[Act]:
    value = rule["below"] - 1 if rule.get("below") is not None else rule["above"] + 1
    yield Say(rule["on"][0], {rule["field"]: value})


def _repeat(rule: Rule, kind: str) -> Iterator[Act]:
    yield from (Say(rule["on"][0]) for _ in range(rule["count"]))


def _rate(rule: Rule, kind: str) -> Iterator[Act]:
    yield from (Say(rule["on"][0]) for _ in range(rule["count"]))


def _dose(rule: Rule, kind: str) -> Iterator[Act]:
    yield Wait(15 * 60 + rule["grace_seconds"])


def _missed(rule: Rule, kind: str) -> Iterator[Act]:
    if rule.get("by"):
        yield Wait(48 * 3600)
        return
    yield Say(rule["after"][0])
    yield Wait(rule["within_seconds"])


def _compound(rule: Rule, kind: str) -> Iterator[Act]:
    for given in rule.get("given", ()):
        other, type_ = given["is_one_of"][0].split("/")
        yield Say(type_, kind=other)
    yield Say(rule["on"][0], _fitting(rule))
    yield Wait(rule.get("within_seconds", 0))


def _fitting(rule: Rule) -> dict[str, Any]:
    """Fields that fit the rule's ``only_if``."""
    return {name: values[0] for name, values in rule.get("only_if", {}).items()}


PROVOKE: Mapping[str, Callable[[Rule, str], Iterator[Act]]] = {
    "immediate": _immediate,
    "window": _immediate,
    "state": _state,
    "silence": _silence,
    "threshold": _threshold,
    "repeat": _repeat,
    "rate": _rate,
    "dose": _dose,
    "missed": _missed,
    "compound": _compound,
}
