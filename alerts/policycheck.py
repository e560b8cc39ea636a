"""Whether a policy can be set: what is wrong with it, field by field, in words that say how to mend it. Pure.

Rules
    Its data can be read; its codes are conditions that some rule raises, or VKP codes; its kinds of contact are some that we know.
    Where it may call care staff for something serious, nobody waits longer than a quarter of an hour for the next step: what
    may take longer is given a ladder of its own, up to a lower severity. The last step repeats every 5 minutes then.
    Whom it reaches is not looked at here: see ``alerts.reach``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from alerts.model import Severity, Track
from alerts.policy import LONGEST_REPEAT, Policy
from alerts.rulecheck import Wrong
from devices.vkp import ALERT_CODES, code_list

LONGEST_WAIT = 900
"""Seconds between two steps at most, where care staff are called for something serious. A proposal: no source gives it."""
SEE = "the schema of a policy is at /docs"


@dataclass(frozen=True, slots=True)
class Checked:
    """The policy, or what is wrong with it."""

    policy: Policy | None
    wrong: tuple[Wrong, ...] = ()


def check(data: Mapping[str, Any], conditions: Collection[str], kinds: Collection[str]) -> Checked:
    """``conditions`` that rules raise; ``kinds`` of contact that there are."""
    try:
        policy = Policy.model_validate(data)
    except ValidationError as error:
        every = error.errors()
        return Checked(None, tuple(_told(each) for each in every if not _follows(each, every)))
    wrong = (*_name(policy), *_codes(policy, conditions), *_contacts(policy, kinds), *_waits(policy))
    return Checked(None if wrong else policy, wrong)


def _follows(error: Any, every: Iterable[Any]) -> bool:
    """Whether it is too short only because what is in it cannot be read."""
    where = error["loc"]
    return error["type"] == "too_short" and any(
        each["loc"][: len(where)] == where and each["loc"] != where for each in every
    )


def _told(error: Any) -> Wrong:
    field, what = ".".join(str(part) for part in error["loc"]) or "policy", error["msg"]
    match error["type"]:
        case "missing":
            return Wrong(field, "missing", "it is missing", "give it")
        case "extra_forbidden":
            return Wrong(field, "unknown", "a policy has no such field", f"leave it out; {SEE}")
        case "greater_than_equal" | "less_than_equal":
            limit = ", ".join(f"{name} {value}" for name, value in error.get("ctx", {}).items())
            return Wrong(field, "range", "the number is out of range", f"keep to: {limit}")
        case "value_error":
            return Wrong(field, "value", what.removeprefix("Value error, "), SEE)
        case _:
            return Wrong(field, "value", what, SEE)


def _name(policy: Policy) -> Iterator[Wrong]:
    if not policy.name.strip() or not policy.name.isprintable():
        yield Wrong("name", "value", "a name is a text on one line that says something", "give it a name")


def _codes(policy: Policy, conditions: Collection[str]) -> Iterator[Wrong]:
    vkp = code_list(ALERT_CODES)
    for code in policy.codes:
        if code not in conditions and code not in vkp and not any(each.startswith(f"{code}.") for each in vkp):
            yield Wrong("codes", "code", f"{code} is no condition that a rule raises, and no VKP code", "leave it out")


def _contacts(policy: Policy, kinds: Collection[str]) -> Iterator[Wrong]:
    for number, step in enumerate(policy.steps):
        for kind in step.contacts:
            if kind not in kinds:
                known = ", ".join(sorted(kinds))
                yield Wrong(
                    f"steps.{number}.contacts", "contact", f"there is no kind of contact {kind}", f"one of: {known}"
                )


def _waits(policy: Policy) -> Iterator[Wrong]:
    if policy.track is not Track.CARE or policy.max_severity < Severity.SERIOUS:
        return
    for number, step in enumerate(policy.steps):
        if step.wait_seconds > LONGEST_WAIT:
            yield Wrong(
                f"steps.{number}.wait_seconds",
                "wait",
                f"for something serious nobody waits longer than {LONGEST_WAIT} seconds for the next step",
                "wait less long, or let the policy be for less serious alerts alone",
            )
    if policy.min_severity >= Severity.SERIOUS and policy.repeat_seconds > LONGEST_REPEAT:
        yield Wrong(
            "repeat_seconds",
            "repeat",
            f"what is serious is repeated every {LONGEST_REPEAT} seconds at least",
            "repeat it sooner",
        )
