"""What the truth asks for. Pure; knows the kinds' default rules and the script, no database.

Theory
    Two questions, and they are asked apart. *Must* (here): something true arrived at the broker (or a dose or a sign of life did
    not) and a default rule covers it, so there has to be a line of evidence at that moment in an alert of that condition.
    *Cause* (``gateway.trial.explain``): an alert is there, so something in the script has to have led to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache, cached_property
from typing import Any

from alerts.judge import OLD_ALARM
from alerts.model import HISTORY_AFTER
from devices.kinds import kinds
from devices.model import MessageClass, settle_time
from simulators.faults import Injected
from simulators.field import Happened, Truth
from simulators.home import Fitting
from simulators.people import OSLO

SLACK = timedelta(minutes=2)
"""A quantum of controlled time and a bit: how much later than its moment something may be noticed."""
NOTHING_SAID = "nothing_said"
SIGN_OF_LIFE = "heartbeat"


@dataclass(frozen=True, slots=True)
class Must:
    """A line of evidence that has to be there. ``condition`` None: in whichever alert. ``dose_at``: of a dose."""

    device: str
    condition: str | None
    track: str | None
    evidence: str
    since: datetime
    until: datetime
    told: str
    dose_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that somebody gave and that was taken, at the moment at which they gave it."""

    alert_id: int
    person_id: int
    answer: str
    at: datetime


class Script:
    """A truth, to be asked. Grows with it."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self._happened: dict[str, list[Happened]] = {}
        self._injected: dict[str, list[Injected]] = {}
        self._read = [0, 0]
        self._fittings = {each.address: each for each in truth.plan.devices}

    def of(self, address: str) -> list[Happened]:
        self._catch_up()
        return self._happened.get(address, [])

    def faults(self, address: str) -> list[Injected]:
        self._catch_up()
        return self._injected.get(address, [])

    def type_of(self, injected: Injected) -> str:
        """Of the message into which a fault was injected on its way; what is no happening is a sign of life."""
        said = (each.type for each in self.of(injected.address) if each.message_id == injected.message_id)
        return next(said, SIGN_OF_LIFE)

    def fitting(self, address: str | None) -> Fitting | None:
        return self._fittings.get(address or "")

    @cached_property
    def homes(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for each in self.truth.plan.devices:
            found.setdefault(each.home or each.address, []).append(each.address)
        return found

    def _catch_up(self) -> None:
        happened, injected = self.truth.happened, self.truth.injected
        for one in happened[self._read[0] :]:
            self._happened.setdefault(one.fitting.address, []).append(one)
        for fault in injected[self._read[1] :]:
            self._injected.setdefault(fault.address, []).append(fault)
        self._read = [len(happened), len(injected)]


# Must -----------------------------------------------------------------------------------------------------------------


def musts(script: Script, until: datetime) -> Iterator[Must]:
    """All that has to have its evidence by now, in no order."""
    for each in script.truth.happened:
        if (each.touched_at or until) + SLACK < until:
            yield from _of_event(each)
            yield from _of_wait(script, each, until)
    for fitting, dose_at in script.truth.doses():
        yield from _of_dose(script, fitting, dose_at, until)
    for fitting in script.truth.plan.devices:
        yield from _of_silence(script.truth, fitting, until)


def _of_event(one: Happened) -> Iterator[Must]:
    address, what = one.fitting.address, f"{one.fitting.kind} {one.fitting.address} said {one.type} {one.message_id}"
    if one.arrived_at is None:
        if one.message_class is MessageClass.ALARM and one.touched_at is not None:
            since, until = one.touched_at, one.touched_at + SLACK
            yield Must(address, None, "care", "", since, until, f"{what}, with broken bytes")
        return
    occurred_at, _ = settle_time(one.claimed, one.arrived_at)
    if one.arrived_at - occurred_at > HISTORY_AFTER:
        if one.message_class is MessageClass.ALARM and one.type not in kinds()[one.fitting.kind].harmless:
            yield Must(address, OLD_ALARM, "technical", one.type, one.arrived_at, one.arrived_at + SLACK, what)
        return
    for rule in rules_of(one.fitting.kind):
        covers = rule["type"] == "immediate" or (rule["type"] == "window" and within(rule["window"], occurred_at))
        if covers and one.type in rule["on"]:
            since, until = one.arrived_at, one.arrived_at + SLACK
            yield Must(address, rule["condition"], rule["track"], one.type, since, until, what)


def _of_wait(script: Script, one: Happened, until: datetime) -> Iterator[Must]:
    """Somebody is out at night, a door stands open: begun by a word that came at once and whole, and nothing came that could
    have ended it. Rules that look at fields are left out: the truth has none."""
    if (
        one.arrived_at is None
        or one.arrived_at != one.touched_at
        or one.arrived_at > one.at + SLACK
        or one.claimed != one.at
    ):
        return
    for rule in rules_of(one.fitting.kind):
        begins, ends = rule.get("enters", rule.get("on", ())), {*rule.get("leaves", ()), *rule.get("unless", ())}
        due = one.at + wait(rule)
        if rule["type"] not in ("state", "compound") or not ends or one.type not in begins or due + SLACK >= until:
            continue
        if {"only_if", "except_if", "given"} & {*rule} or ("window" in rule and not within(rule["window"], one.at)):
            continue
        if _stands_already(script, one, {*begins}, ends) or _may_end(script, one, ends, due):
            continue
        what = f"{one.fitting.kind} {one.fitting.address} said {one.type} {one.message_id}, and nothing ended it"
        yield Must(one.fitting.address, rule["condition"], rule["track"], one.type, due, due + SLACK, what)


def _stands_already(script: Script, one: Happened, begins: Collection[str], ends: Collection[str]) -> bool:
    """Whether it had begun before: what began it counts."""
    before = [each for each in script.of(one.fitting.address) if each.at < one.at and each.type in {*begins, *ends}]
    return bool(before) and max(before, key=lambda each: each.at).type in begins


def _may_end(script: Script, one: Happened, ends: Collection[str], due: datetime) -> bool:
    """Whether the device, or another of the home, said anything in time that ends it, perhaps with broken bytes."""
    return any(
        (each.type if each.fitting is one.fitting else f"{each.fitting.kind}/{each.type}") in ends
        for address in script.homes[one.fitting.home or one.fitting.address]
        for each in script.of(address)
        if each.touched_at is not None and one.at <= each.touched_at <= due + SLACK
    )


def _of_dose(script: Script, fitting: Fitting, dose_at: datetime, until: datetime) -> Iterator[Must]:
    for rule in rules_of(fitting.kind):
        if rule["type"] != "dose":
            continue
        due = dose_at + timedelta(seconds=rule["grace_seconds"])
        if due + SLACK >= until or _word_of_dose(script, fitting, dose_at, rule, due) is not None:
            continue
        what = f"{fitting.kind} {fitting.address} said nothing of the dose of {dose_at:%F %H:%M} UTC"
        yield Must(fitting.address, rule["condition"], rule["track"], NOTHING_SAID, due, due + SLACK, what, dose_at)


def _word_of_dose(
    script: Script, fitting: Fitting, dose_at: datetime, rule: Mapping[str, Any], due: datetime
) -> Happened | None:
    """What the device said of a dose, if it arrived (perhaps broken) before the dose was given up."""
    said = {*rule["met_by"], *rule["answered_by"]}
    return next(
        (
            each
            for each in script.of(fitting.address)
            if each.type in said and same(each.dose_at, dose_at) and each.touched_at and each.touched_at <= due
        ),
        None,
    )


def _of_silence(truth: Truth, fitting: Fitting, until: datetime) -> Iterator[Must]:
    rule = next((each for each in rules_of(fitting.kind) if each["type"] == "silence"), None)
    if rule is None:
        return
    contract = kinds()[fitting.kind].silent_after
    heard = [truth.plan.since, *truth.heard.get(fitting.address, ())]
    for last, following in zip(heard, [*heard[1:], until], strict=True):
        if following - last > contract + 2 * SLACK:
            due = last + contract
            what = f"{fitting.kind} {fitting.address} was silent from {last:%F %H:%M} UTC on"
            yield Must(
                fitting.address, rule["condition"], rule["track"], NOTHING_SAID, due - SLACK, due + 2 * SLACK, what
            )


# Rules ----------------------------------------------------------------------------------------------------------------


@cache
def rules_of(kind: str) -> tuple[Mapping[str, Any], ...]:
    """The default rules of a kind that are on."""
    return tuple(each for each in kinds()[kind].default_rules if each.get("enabled", True))


def wait(rule: Mapping[str, Any]) -> timedelta:
    """The longest time from what a rule is about to its alert."""
    seconds = max(rule.get(name, 0) for name in ("for_seconds", "within_seconds", "grace_seconds"))
    return timedelta(days=rule.get("days", 0), seconds=seconds)


def within(window: Mapping[str, str], at: datetime) -> bool:
    local = at.astimezone(OSLO).time()
    begins, ends = time.fromisoformat(window["from_time"]), time.fromisoformat(window["to_time"])
    return begins <= local < ends if begins <= ends else local >= begins or local < ends


def same(dose_at: str | None, planned: datetime) -> bool:
    return dose_at is not None and datetime.fromisoformat(dose_at) == planned
