"""Waiting for something that follows: the watch that a word of a device begins, another word ends, or time lapses.

Rules
    ``since`` is when the device said what began the wait. Only what happened after it ends it: a word that comes late may
    begin a wait, but never ends a newer one.
    ``facts["newest"]`` is the newest word, of any kind, that was taken into account: a beginning that is older than it
    tells of something that is known to be over.
    What is raised after the wait has the word that began it as its evidence. Once it was raised, a further beginning begins
    anew: nobody promises that we hear of every end. (A state that is only told again is the same: see ``again_after``.)
    A word that came late gets a moment (``SETTLE``) for what was sent right behind it.
    A device that is fitted nowhere keeps nobody waiting.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alerts.model import NOTHING, Evidence, Heard, Judgement, Lateness, Watch, WatchState
from alerts.rules import Moment, RuleType

SETTLE = timedelta(seconds=60)
"""How long what was sent together may take to come, once the first of it has come late."""


def outstanding(watch: Watch | None) -> bool:
    """Whether something may still come of it: it waits, or it was raised and what began it is not over."""
    return watch is not None and (watch.due_at is not None or watch.state is WatchState.RAISED)


def begun(
    rule: RuleType,
    rule_id: int,
    heard: Heard,
    watch: Watch | None,
    due_at: datetime,
    *,
    again_after: timedelta = timedelta(0),
) -> Judgement:
    """A word that begins a wait until ``due_at``. It changes nothing while one goes on, but that it was said; nor after it
    was raised, within ``again_after`` of the word before it."""
    said, lateness = heard.observation, heard.lateness
    nowhere = heard.subject.installation_id is None
    if nowhere or lateness is Lateness.HISTORY or (watch is not None and said.occurred_at < newest(watch)):
        return NOTHING
    if watch is not None and outstanding(watch) and not _again(watch, said.occurred_at, again_after):
        return Judgement((_noting(watch, said.occurred_at),))
    evidence = Evidence.of(said).as_json()
    facts: dict[str, Any] = {"newest": evidence["occurred_at"], "evidence": evidence}
    if lateness is Lateness.LATE:
        facts["not_before"] = (said.received_at + SETTLE).isoformat()
        due_at = max(due_at, said.received_at + SETTLE)
    began = Watch(rule.watch_key(heard.subject), rule_id, heard.subject, said.occurred_at, due_at, facts=facts)
    return Judgement((began,))


def _again(watch: Watch, at: datetime, again_after: timedelta) -> bool:
    return watch.state is WatchState.RAISED and at >= newest(watch) + again_after


def ended(rule: RuleType, rule_id: int, heard: Heard, watch: Watch | None) -> Judgement:
    """A word that ends a wait, or tells whoever deals with the alert that it is over."""
    at = heard.observation.occurred_at
    if watch is None or not outstanding(watch):
        return Judgement((_settled(rule, rule_id, heard, watch),))
    if at < newest(watch):
        return NOTHING
    facts = {**watch.facts, "newest": at.isoformat()}
    over = Watch(watch.key, rule_id, watch.subject, at, None, WatchState.MET, facts)
    raised = watch.state is WatchState.RAISED
    return Judgement((over,), (rule.over(watch.subject, Evidence.of(heard.observation)),) if raised else ())


def lapsed(rule: RuleType, watch: Watch, moment: Moment, due_at: datetime) -> Judgement:
    """The wait is over, and nothing has ended it – or it goes on, until ``due_at`` as the rule has it now."""
    if watch.state is not WatchState.WAITING:
        return Judgement((replace(watch, due_at=None),))
    if "not_before" in watch.facts:
        due_at = max(due_at, datetime.fromisoformat(watch.facts["not_before"]))
    if due_at > moment.known_until:
        return Judgement((replace(watch, due_at=due_at),))
    raised = replace(watch, due_at=None, state=WatchState.RAISED)
    return Judgement((raised,), (rule.raised(watch.rule_id, watch.subject, began_with(watch, moment.now)),))


def began_with(watch: Watch, now: datetime) -> Evidence:
    """What began the wait, as evidence of an alert that is raised ``now``: no message, so it is never late."""
    said = Evidence.from_json(watch.facts["evidence"])
    return replace(said, received_at=now, device=None)


def newest(watch: Watch) -> datetime:
    """The newest word that the watch has taken into account."""
    return datetime.fromisoformat(watch.facts["newest"]) if "newest" in watch.facts else watch.since


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def _noting(watch: Watch, at: datetime) -> Watch:
    return replace(watch, facts={**watch.facts, "newest": max(at, newest(watch)).isoformat()})


def _settled(rule: RuleType, rule_id: int, heard: Heard, watch: Watch | None) -> Watch:
    """Nothing waits; that this was said is kept, for a beginning that comes later than its end."""
    at = heard.observation.occurred_at if watch is None else max(heard.observation.occurred_at, newest(watch))
    facts = {"newest": at.isoformat()}
    key = rule.watch_key(heard.subject)
    return Watch(key, rule_id, heard.subject, at, None, WatchState.MET, facts)
