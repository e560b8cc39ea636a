"""Judging: every rule by itself, and failing towards the alarm.

A rule that crashes is a technical alert and never stops the others. A message on an alarm topic that no rule
understood – an unknown type, a device that is fitted nowhere, a crashed rule – is raised as an *uninterpretable alarm*.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from alerts.model import (
    NOTHING,
    Evidence,
    Heard,
    Inform,
    Judgement,
    Lateness,
    Raise,
    Severity,
    Signal,
    Subject,
    Track,
    Watch,
)
from alerts.rulebook import Hearing, Rulebook
from alerts.rules import OUTSTANDING, LastWord, Moment, Rule, Scene, Wanted, word_of
from alerts.rules.compound import Compound
from alerts.rules.dose import Dose
from alerts.rules.rate import Rate
from alerts.waiting import outstanding
from devices.kinds import kinds
from devices.model import DecodeError, Flag, Message, Observation
from devices.value import value

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


@dataclass
class Ledger:
    """The watches and the homes' last words that a run of observations is judged with, each as the one before left them.

    Two sorts are looked for by what they are of: those of doses by fitting, and those of compound rules by home."""

    watches: dict[str, Watch] = field(default_factory=dict)
    words: dict[int, dict[str, LastWord]] = field(default_factory=dict)
    _doses: dict[str, dict[str, Watch]] = field(default_factory=dict, init=False)
    _by_home: dict[int, dict[str, Watch]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.take(tuple(self.watches.values()))

    def take(self, watches: Iterable[Watch]) -> None:
        """Watches as they are now."""
        for watch in watches:
            key = watch.key
            self.watches[key] = watch
            if key.startswith("dose:"):
                self._doses.setdefault(watch.subject.scope, {})[key] = watch
            elif key.startswith("compound:") and watch.subject.dwelling_id is not None:
                self._by_home.setdefault(watch.subject.dwelling_id, {})[key] = watch

    def of(self, rule: Rule, key: str, subject: Subject) -> Sequence[Watch]:
        """A rule's watches of one fitting; another fitting of the same device was in another home."""
        if key:
            watch = self.watches.get(key)
            return () if watch is None else (watch,)
        return list(self._doses.get(subject.scope, {}).values()) if isinstance(rule.spec, Dose) else ()

    def waiting_in(self, dwelling: int | None, besides: Subject) -> list[Watch]:
        """The outstanding watches that compound rules have of the other fittings of a home."""
        home = self._by_home.get(dwelling) if dwelling is not None else None
        if not home:
            return []
        return [each for each in home.values() if outstanding(each) and each.subject.scope != besides.scope]

    def say(self, dwelling: int | None, word: str, last: LastWord) -> None:
        """A home's last word of a type, if it is newer."""
        if dwelling is not None:
            said = self.words.setdefault(dwelling, {})
            said[word] = max(said.get(word, last), last, key=lambda each: each.rank)


Asked = tuple[Rule, Wanted, str]
"""A rule that hears a message, which of its watches it needs to see, and the key of its watch where it keeps one a fitting (else
an empty one)."""


@value(frozen=True, slots=True)
class Concern:
    """Something a device said, and what it may concern."""

    heard: Heard
    hearing: Hearing
    asked: Sequence[Asked]


def concern(heard: Heard, book: Rulebook) -> Concern:
    """Found out once, and handed on: what is read of the database follows from it, and what is judged."""
    said, subject = heard.observation, heard.subject
    hearing = book.hearing(said.kind, subject, said.type)
    scope = subject.scope
    try:
        asked = [(rule, rule.spec.wants(said), prefix and prefix + scope) for rule, prefix in hearing.rules]
    except Exception:  # noqa: BLE001 - a crash of any kind must not stop the other rules; it is told when it is judged
        asked = [(rule, _wanted_of(rule, said), prefix and prefix + scope) for rule, prefix in hearing.rules]
    return Concern(heard, hearing, asked)


def _wanted_of(rule: Rule, said: Observation) -> Wanted:
    """Whatever there is of it, where it crashes over the question."""
    try:
        return rule.spec.wants(said)
    except Exception:  # noqa: BLE001 - as above
        return Wanted.ANY


def judge_heard(heard: Heard, book: Rulebook, ledger: Ledger, failures: Failures) -> Judgement:
    """What all rules make of something a device said; see :func:`judge_concern`."""
    return judge_concern(concern(heard, book), book, ledger, failures)


def judge_concern(concerned: Concern, book: Rulebook, ledger: Ledger, failures: Failures) -> Judgement:
    """What all rules make of something a device said, its own and those of the home's other devices that wait for it.

    The ledger moves on; crashes go to ``failures``.
    """
    heard, hearing = concerned.heard, concerned.hearing
    said, dwelling = heard.observation, heard.subject.dwelling_id
    if hearing.kept:
        ledger.say(dwelling, hearing.word, LastWord(said.occurred_at, said.received_at))
    judged = _by_neighbours(heard, book, ledger, failures) if hearing.awaited else NOTHING
    # A rule that looks for what is outstanding only makes nothing of it where nothing is: so is nearly every sign of life.
    speaking = [
        (rule, key) for rule, wanted, key in concerned.asked if wanted is not OUTSTANDING or key in ledger.watches
    ]
    if speaking or said.is_alarm:
        home = ledger.words.get(dwelling or 0, {})
        ended = {watch.key.split(":")[1] for watch in judged.watches}
        scenes = [
            (rule, Scene(book.local, ledger.of(rule, key, heard.subject), home, ended=rule.spec.name in ended))
            for rule, key in speaking
        ]
        judged = judge_observation(heard, scenes, failures) + judged
    ledger.take(judged.watches)
    return judged


def judge_observation(heard: Heard, scenes: Sequence[tuple[Rule, Scene]], failures: Failures) -> Judgement:
    """What the rules of a device make of something it said, each in its own scene."""
    before = len(failures)
    total = NOTHING
    for rule, scene in scenes:
        total += _guarded(rule, rule.spec.observe, heard, scene, failures)
    if not heard.observation.is_alarm:
        return _told_once(total)
    crashed = len(failures) > before
    counting = {rule.id for rule, _ in scenes if isinstance(rule.spec, Rate)}
    understood = any(_understands(each, counting, crashed=crashed) for each in total.signals)
    return _told_once(total) + _uninterpretable(heard, understood=understood, crashed=crashed) + _old_alarm(heard)


def _understands(signal: Signal, counting: Collection[int], *, crashed: bool) -> bool:
    """Whether a signal says what an alarm is about. To have counted it is not to have understood it; and where a rule has
    crashed, one that calls technical services may not be all there is to it."""
    if not isinstance(signal, Raise) or signal.condition == RULE_FAILED or signal.rule_id in counting:
        return False
    return signal.track is Track.CARE or not crashed


def _by_neighbours(heard: Heard, book: Rulebook, ledger: Ledger, failures: Failures) -> Judgement:
    total = NOTHING
    for watch in ledger.waiting_in(heard.subject.dwelling_id, heard.subject):
        rule = book.following(watch)
        if rule is None or not isinstance(rule.spec, Compound) or _of_others(watch.subject, heard.subject):
            continue
        if word_of(heard.observation) in rule.spec.listens(rule.kind):
            total += _guarded(rule, rule.spec.neighbour, heard, watch, failures)
    return total


def _of_others(one: Subject, other: Subject) -> bool:
    """Whether two devices of a home are known to be of two people."""
    return None not in (one.resident_id, other.resident_id) and one.resident_id != other.resident_id


Seen = TypeVar("Seen")


def _guarded(
    rule: Rule, judge: Callable[[int, Heard, Seen], Judgement], heard: Heard, seen: Seen, failures: Failures
) -> Judgement:
    try:
        return judge(rule.id, heard, seen)
    except Exception as error:  # noqa: BLE001 - a crash of any kind must not stop the other rules
        failures.append(Failure(rule.spec.name, error))
        return Judgement(signals=(_failed(rule, heard.subject, heard.observation.received_at),))


def _told_once(judged: Judgement) -> Judgement:
    """Where several rules have the same to tell, it is told once: of one key the severest is raised, and what informs an
    alert comes after what raises it."""
    if len(judged.signals) < 2:
        return judged
    raises: dict[str, Raise] = {}
    others: dict[tuple[str, str], Signal] = {}
    for each in judged.signals:
        if isinstance(each, Raise):
            raises[each.key] = _joined(raises[each.key], each) if each.key in raises else each
        else:
            others.setdefault((each.key, each.code if isinstance(each, Inform) else ""), each)
    return Judgement(judged.watches, (*raises.values(), *others.values()))


def _joined(one: Raise, other: Raise) -> Raise:
    heavier = max(one, other, key=lambda each: each.severity)
    return replace(heavier, repeats=max(one.repeats, other.repeats))


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


def _uninterpretable(heard: Heard, *, understood: bool, crashed: bool) -> Judgement:
    observation = heard.observation
    if heard.lateness is Lateness.HISTORY:
        return NOTHING
    kind = kinds().get(observation.kind)
    harmless = kind and observation.type in kind.harmless and Flag.UNKNOWN_TYPE not in observation.flags
    fitted = heard.subject.installation_id is not None
    if understood or (harmless and fitted and not crashed):
        return NOTHING
    return Judgement(signals=(_alarm(heard.subject, Evidence.of(observation), heard.subject.scope),))


def _old_alarm(heard: Heard) -> Judgement:
    """An alarm from before yesterday is history, or its device's clock is wrong: care is not called, somebody is told."""
    said = heard.observation
    kind = kinds().get(said.kind)
    harmless = kind is not None and said.type in kind.harmless
    if harmless or heard.lateness is not Lateness.HISTORY or Flag.RETAINED in said.flags:
        return NOTHING
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
