"""The form of a policy: its data as controls, and what came back as data again. Pure.

Rules
    What is not in the form stays as it was. Minutes are shown, seconds kept. A step's fields are ``steps.N.…``; its buttons come
    back as ``do`` with what to do and the step: nothing is saved by them.
    What cannot be read is handed on as it is, for the check to say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alerts.model import Severity
from alerts.policy import DEFAULT_POLICIES, Policy, PolicyStep, StageLimits, Target
from gateway.web import formlist
from gateway.web.ruleform import Answers

MOST_STEPS = 20
Spec = dict[str, Any]
LIMITS = tuple(StageLimits.model_fields)
SEVERITIES = (Severity.CRITICAL, Severity.SERIOUS, Severity.MODERATE, Severity.NORMAL)
"""Severities that can have limits of their own."""
NEW_STEP = PolicyStep(target=Target.RESPONSE_CENTRE, wait_seconds=300).model_dump(mode="json")


def fresh() -> Spec:
    """What a new policy begins with: the ladder for what is urgent, without a name."""
    return {**DEFAULT_POLICIES[0].model_dump(mode="json"), "name": ""}


def spec_of(policy: Policy) -> Spec:
    return policy.model_dump(mode="json")


def read(answers: Answers, before: Spec) -> Spec:
    """The data that a form says. ``before``: the policy that it was made from."""
    steps = [_step(answers, number) for number in range(MOST_STEPS) if f"steps.{number}.whom" in answers]
    return {
        **before,
        "name": _one(answers, "name"),
        "track": _one(answers, "track"),
        "min_severity": _number(_one(answers, "min_severity")),
        "max_severity": _number(_one(answers, "max_severity")),
        "codes": [*answers.get("codes", ()), *_one(answers, "vkp").replace(",", " ").split()],
        "window": _window(answers),
        "steps": steps,
        "rounds": _number(_one(answers, "rounds")),
        "repeat_seconds": _seconds(_one(answers, "repeat")),
        "limits": {name: _seconds(_one(answers, f"limits.{name}")) for name in LIMITS},
        "severity_limits": [each for severity in SEVERITIES if (each := _limits_of(answers, severity))],
    }


def limit_rows(spec: Spec) -> list[tuple[Severity, Mapping[str, Any]]]:
    """The limits of each severity as a table has them; empty where it has none of its own."""
    own = {each["severity"]: each for each in spec.get("severity_limits", ())}
    return [(severity, own.get(severity, {})) for severity in SEVERITIES]


def done(spec: Spec, what: str) -> Spec:
    """The data after a button of its steps, of which there is always one."""
    return {**spec, "steps": formlist.done(spec["steps"], what, NEW_STEP, MOST_STEPS, least=1)}


def minutes(seconds: Any) -> str:
    """Seconds as a field shows them."""
    return f"{round(seconds / 60, 2):g}" if isinstance(seconds, int | float) else str(seconds or "")


def whom(step: Mapping[str, Any]) -> str:
    """A step's target as its control has it: ``zone_lead``, ``person:…``."""
    return f"{step['target']}:{step['id']}" if step.get("id") else str(step["target"])


def vkp(spec: Spec, offered: Sequence[str]) -> str:
    """The codes that are no conditions on offer, as the text field has them."""
    return " ".join(str(each) for each in spec["codes"] if each not in offered)


def _step(answers: Answers, number: int) -> Spec:
    target, _, uid = _one(answers, f"steps.{number}.whom").partition(":")
    return {
        "target": target,
        "id": uid or None,
        "wait_seconds": _seconds(_one(answers, f"steps.{number}.wait")),
        "only_on_duty": bool(uid) and f"steps.{number}.only_on_duty" in answers,
        "contacts": list(answers.get(f"steps.{number}.contacts", ())),
        "first_contact": f"steps.{number}.first_contact" in answers,
    }


def _limits_of(answers: Answers, severity: Severity) -> Spec | None:
    """What is filled in for a severity; a field that is left empty beside others is as it is for the rest."""
    given = {name: _one(answers, f"severity_limits.{int(severity)}.{name}") for name in LIMITS}
    if not any(given.values()):
        return None
    rest = {name: _one(answers, f"limits.{name}") for name in LIMITS}
    return {"severity": int(severity), **{name: _seconds(given[name] or rest[name]) for name in LIMITS}}


def _window(answers: Answers) -> Spec | None:
    since, until = _one(answers, "window.from_time"), _one(answers, "window.to_time")
    if not since and not until:
        return None
    days = [int(each) for each in answers.get("window.weekdays", ()) if each.isdigit()]
    return {"from_time": since, "to_time": until, "weekdays": days or list(range(7))}


def _one(answers: Answers, name: str) -> str:
    given = answers.get(name, ())
    return given[-1].strip() if given else ""


def _number(text: str) -> Any:
    return int(text) if text.isdigit() else text or None


def _seconds(text: str) -> Any:
    try:
        return round(float(text.replace(",", ".")) * 60)
    except (ValueError, OverflowError):
        return text or None
