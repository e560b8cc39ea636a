"""Judging: every rule by itself, and failing towards the alarm.

A rule that crashes is a technical alert and never stops the others. A message on an alarm topic that no rule
understood – an unknown type, a device that is fitted nowhere, a crashed rule – is raised as an *uninterpretable alarm*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.model import Evidence, Heard, Inform, Judgement, Lateness, Raise, Severity, Subject, Track, Watch
from alerts.rules import Moment, Rule
from devices.kinds import kinds
from devices.model import DecodeError, Flag, Message

UNINTERPRETABLE = "uninterpretable_alarm"
RULE_FAILED = "rule_failed"
OLD_ALARM = "old_alarm"
RETRY_CRASHED = timedelta(minutes=5)
LONGEST_TOPIC = 300
"""Of a topic that nobody could read, so much is kept: it is part of a key, and a broker takes 65,535 bytes."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that crashed, for the log: its name and the exception."""

    rule: str
    error: Exception


Failures = list[Failure]


def judge_observation(
    heard: Heard, rules: Sequence[Rule], watches: Mapping[int, Sequence[Watch]], failures: Failures
) -> Judgement:
    """What all rules of a device make of something it said. ``watches`` by rule id; crashes go to ``failures``."""
    before = len(failures)
    total = Judgement()
    for rule in rules:
        try:
            total += rule.spec.observe(rule.id, heard, watches.get(rule.id, ()))
        except Exception as error:  # noqa: BLE001 - a crash of any kind must not stop the other rules
            failures.append(Failure(rule.spec.name, error))
            total += Judgement(signals=(_failed(rule, heard.subject, heard.observation.received_at),))
    crashed = len(failures) > before
    return _told_once(total) + _uninterpretable(heard, total, crashed=crashed) + _old_alarm(heard)


def _told_once(judged: Judgement) -> Judgement:
    """Where several rules have the same to tell an open alert, it is told once."""
    informs = {(each.key, each.code): each for each in reversed(judged.signals) if isinstance(each, Inform)}
    kept = (each for each in judged.signals if not isinstance(each, Inform) or informs[each.key, each.code] is each)
    return Judgement(judged.watches, tuple(kept))


def judge_time(watch: Watch, rule: Rule, moment: Moment, failures: Failures) -> Judgement:
    """What a rule makes of a due watch. One whose rule crashes is tried again later, and said so."""
    try:
        return rule.spec.elapse(watch, moment)
    except Exception as error:  # noqa: BLE001 - as above
        failures.append(Failure(rule.spec.name, error))
        later = replace(watch, due_at=moment.now + RETRY_CRASHED)
        return Judgement((later,), (_failed(rule, watch.subject, moment.now),))


def undecodable(message: Message, error: DecodeError, subject: Subject) -> Judgement:
    """A message that could not be decoded is raised when it came on an alarm topic."""
    if not error.is_alarm:
        return Judgement()
    topic = message.topic.replace("\x00", "\ufffd")[:LONGEST_TOPIC]
    evidence = Evidence(
        type="undecodable",
        occurred_at=message.received_at,
        received_at=message.received_at,
        fields={"topic": topic, "reason": str(error.reason)},
        device=str(error.device) if error.device else None,
    )
    return Judgement(signals=(_alarm(subject, evidence, topic),))


def _uninterpretable(heard: Heard, judged: Judgement, *, crashed: bool) -> Judgement:
    observation = heard.observation
    if not observation.is_alarm or heard.lateness is Lateness.HISTORY:
        return Judgement()
    understood = any(isinstance(signal, Raise) and signal.condition != RULE_FAILED for signal in judged.signals)
    kind = kinds().get(observation.kind)
    harmless = kind and observation.type in kind.harmless and Flag.UNKNOWN_TYPE not in observation.flags
    fitted = heard.subject.installation_id is not None
    if understood or (harmless and fitted and not crashed):
        return Judgement()
    return Judgement(signals=(_alarm(heard.subject, Evidence.of(observation), heard.subject.scope),))


def _old_alarm(heard: Heard) -> Judgement:
    """An alarm from before yesterday is history, or its device's clock is wrong: care is not called, somebody is told."""
    said = heard.observation
    kind = kinds().get(said.kind)
    harmless = kind is not None and said.type in kind.harmless
    if not said.is_alarm or harmless or heard.lateness is not Lateness.HISTORY or Flag.RETAINED in said.flags:
        return Judgement()
    told = Raise(
        key=f"{OLD_ALARM}:{heard.subject.scope}",
        condition=OLD_ALARM,
        vkp_code=None,
        severity=Severity.MODERATE,
        track=Track.TECHNICAL,
        subject=heard.subject,
        evidence=Evidence.of(said),
    )
    return Judgement(signals=(told,))


def _alarm(subject: Subject, evidence: Evidence, scope: str) -> Raise:
    return Raise(
        key=f"{UNINTERPRETABLE}:{scope}",
        condition=UNINTERPRETABLE,
        vkp_code=None,
        severity=Severity.CRITICAL,
        track=Track.CARE,
        subject=subject,
        evidence=evidence,
    )


def _failed(rule: Rule, subject: Subject, at: datetime) -> Raise:
    evidence = Evidence(RULE_FAILED, at, at, fields={"rule": rule.spec.name, "version": rule.version})
    return Raise(
        key=f"{RULE_FAILED}:{rule.id}:{subject.scope}",
        condition=RULE_FAILED,
        vkp_code=None,
        severity=Severity.SERIOUS,
        track=Track.TECHNICAL,
        subject=subject,
        evidence=evidence,
        rule_id=rule.id,
    )
