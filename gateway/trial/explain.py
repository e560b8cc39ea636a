"""What led to an alert: something that happened, or a fault that can mislead a rule of its type. Pure, as ``expect`` is.

An alert with neither is an invented one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from alerts.judge import OLD_ALARM, UNINTERPRETABLE
from devices.kinds import kinds
from gateway.trial.expect import SLACK, Script, rules_of, same, wait, within
from simulators.faults import Fault, Injected
from simulators.field import Happened
from simulators.home import Fitting

HEARD_BY = ("on", "enters", "leaves", "unless", "met_by", "answered_by")
"""What of a rule names types that it makes something of."""
NOW_AND_THEN = timedelta(hours=3)
"""What was delayed or dropped may still mislead so long after."""
CARRIED = frozenset({Fault.DROP, Fault.DELAY, Fault.REORDER, Fault.CORRUPT})
MISLEADS: Mapping[str, frozenset[Fault]] = {
    "immediate": frozenset({Fault.FLOOD, Fault.CORRUPT}),
    "repeat": frozenset({Fault.FLOOD, Fault.CORRUPT}),
    "rate": frozenset({Fault.FLOOD, Fault.CORRUPT}),
    "window": frozenset({Fault.SKEW, Fault.CORRUPT}),
    "threshold": frozenset({Fault.BATTERY_DEATH, Fault.CORRUPT}),
    "state": CARRIED | {Fault.SKEW, Fault.BATTERY_DEATH},
    "compound": CARRIED | {Fault.SKEW, Fault.BATTERY_DEATH},
    "dose": CARRIED | {Fault.BATTERY_DEATH},
    "silence": CARRIED | {Fault.BATTERY_DEATH},
    UNINTERPRETABLE: frozenset({Fault.CORRUPT}),
    OLD_ALARM: frozenset({Fault.DELAY, Fault.SKEW, Fault.CORRUPT}),
}
"""Type of rule (or condition without one) to the faults that can lead to an alert by it."""


class Seen(Protocol):
    """What is asked of an alert."""

    @property
    def condition(self) -> str: ...
    @property
    def track(self) -> str: ...
    @property
    def device(self) -> str | None: ...
    @property
    def home(self) -> str | None: ...
    @property
    def raised_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Cause:
    """What led to an alert. ``real``: something had happened; else ``told`` names the fault that explains it."""

    real: bool
    told: str


def cause(script: Script, alert: Seen) -> Cause | None:
    """What in the script led to an alert; None where nothing did."""
    fitting = script.fitting(alert.device)
    if fitting is None:
        return None
    rules = [
        each for each in rules_of(fitting.kind) if (each["condition"], each["track"]) == (alert.condition, alert.track)
    ]
    for rule in rules:
        if told := _happened(script, alert, fitting, rule):
            return Cause(real=True, told=told)
    names = [each["type"] for each in rules] or [alert.condition]
    can = frozenset[Fault]().union(*(MISLEADS.get(name, frozenset()) for name in names))
    if (fault := _misled(script, alert, fitting, rules, can)) is None:
        return None
    told = f"{fault.fault} {fault.told}".strip() + f" at {fault.at:%F %H:%M} UTC"
    return Cause(real=fault.fault is Fault.BATTERY_DEATH, told=told)


def _happened(script: Script, alert: Seen, fitting: Fitting, rule: Mapping[str, Any]) -> str | None:
    """What truly happened that this rule is about."""
    at = alert.raised_at
    match rule["type"]:
        case "dose":
            return _missed(script, fitting, rule, at)
        case "silence" | "threshold":
            return None  # only a fault keeps a device silent, or empties its battery
        case "state":
            return _left(script.of(fitting.address), rule, at)
        case _:
            return _said(script, alert, fitting, rule, at)


def _said(script: Script, alert: Seen, fitting: Fitting, rule: Mapping[str, Any], at: datetime) -> str | None:
    addresses = script.homes.get(alert.home or "", []) if rule.get("per") == "dwelling" else [fitting.address]
    since = at - SLACK - wait(rule)
    for each in (one for address in addresses for one in script.of(address)):
        heard = each.touched_at is not None and since <= each.touched_at <= at
        if each.real and heard and each.type in rule["on"] and ("window" not in rule or _at_night(rule, each)):
            return f"{each.type} at {each.at:%F %H:%M} UTC"
    return None


def _at_night(rule: Mapping[str, Any], one: Happened) -> bool:
    return within(rule["window"], one.at)


def _left(happened: Sequence[Happened], rule: Mapping[str, Any], at: datetime) -> str | None:
    """A state that was entered and not left in time, in truth."""
    lasts = timedelta(seconds=rule["for_seconds"])
    for entered in (each for each in happened if each.type in rule["enters"] and each.at <= at - lasts + SLACK):
        left = [each for each in happened if each.type in rule["leaves"] and entered.at < each.at < entered.at + lasts]
        if not left and entered.at + lasts >= at - SLACK - lasts:
            return f"{entered.type} at {entered.at:%F %H:%M} UTC, for too long"
    return None


def _missed(script: Script, fitting: Fitting, rule: Mapping[str, Any], at: datetime) -> str | None:
    grace = timedelta(seconds=rule["grace_seconds"])
    for _, dose_at in (each for each in script.truth.doses() if each[0] is fitting):
        due = dose_at + grace
        if due <= at <= due + SLACK and not any(same(each.dose_at, dose_at) for each in script.of(fitting.address)):
            return f"nothing of the dose of {dose_at:%F %H:%M} UTC"
    return None


def _misled(
    script: Script, alert: Seen, fitting: Fitting, rules: Sequence[Mapping[str, Any]], can: frozenset[Fault]
) -> Injected | None:
    longest = max([wait(each) for each in rules], default=timedelta(0))
    if any(each["type"] == "silence" for each in rules):
        longest = kinds()[fitting.kind].silent_after
    since = alert.raised_at - longest - NOW_AND_THEN
    shared = any(each.get("per") == "dwelling" for each in rules)
    addresses = script.homes.get(alert.home or "", []) if shared else [fitting.address]
    floods = {type_ for each in rules for type_ in each.get("on", ())}
    words = {word.rsplit("/", 1)[-1] for each in rules for name in HEARD_BY for word in each.get(name, ())}
    found = [
        each
        for address in addresses
        for each in script.faults(address)
        if each.fault in can
        and each.at <= alert.raised_at
        and each.until >= since
        and _of_these(script, each, floods, words)
    ]
    return min(
        found, key=lambda each: (each.fault is not Fault.BATTERY_DEATH, each.fault is not Fault.FLOOD), default=None
    )


def _of_these(script: Script, injected: Injected, floods: Collection[str], words: Collection[str]) -> bool:
    """A flood misleads those rules only that are about what it says; and that something did not come, or not in its turn, those
    only that wait for it, where they wait for some words and not for any sign of life."""
    if injected.fault is Fault.FLOOD:
        return injected.told.rsplit(" ", 1)[-1] in floods
    if not words or injected.fault not in (Fault.DROP, Fault.DELAY, Fault.REORDER):
        return True
    return (script.type_of(injected) if injected.fault is Fault.DROP else injected.told) in words
