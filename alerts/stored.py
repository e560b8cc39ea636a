"""Rules and policies as they are stored: so that the release before this one still reads them. Pure.

Rules
    Two releases run side by side while one replaces the other, and the older one forbids what it does not know. A field that is
    newer than the first release is therefore written only where it is set to something.
    Those fields are named beside their models (``NEWER``). Every other one is written in full: a frozen policy must not change
    its meaning when a default changes. So the default of a field that is named there must never change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from alerts.policy import Policy
from alerts.rules import RuleType


def as_stored(model: Policy | RuleType) -> dict[str, Any]:
    """Its JSON, without the newer fields that are at their defaults."""
    dumped = _without(model, model.NEWER, model.model_dump(mode="json"))
    if isinstance(model, Policy):
        steps = zip(model.steps, dumped["steps"], strict=True)
        dumped["steps"] = [_without(step, step.NEWER, told) for step, told in steps]
        dumped["limits"] = _without(model.limits, model.limits.NEWER, dumped["limits"])
    return dumped


def _without(model: BaseModel, newer: Collection[str], dumped: Mapping[str, Any]) -> dict[str, Any]:
    fields = type(model).model_fields
    at_default = {each for each in newer if getattr(model, each) == fields[each].default}
    return {name: value for name, value in dumped.items() if name not in at_default}
