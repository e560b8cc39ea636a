"""Answers: what people say about an alert, and what it makes of it. Rules and theory: ``alerts.escalation``.

Each function is a row of its table: an alert, an answer, the time and the people ──▶ a step, or a refusal with its reason.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.alert import (
    Alert,
    Arrived,
    Claim,
    Close,
    Decline,
    DueFor,
    HandOver,
    NeedHelp,
    OnWay,
    Outcome,
    Pause,
    People,
    Refusal,
    Refused,
    Release,
    Resume,
    Stage,
    Step,
    UndoClose,
)
from alerts.closing import ACTION_CODES
from alerts.ladder import climb, climbing, last_step, page, persons_of, wants_help
from alerts.model import Entry, Severity
from alerts.stages import and_climb, back_to_holder, in_stage, let_go, reopened

UNDO_CLOSING = timedelta(seconds=5)
PAUSE_AT_MOST = timedelta(minutes=30)


def claim(alert: Alert, event: Claim, now: datetime, people: People) -> Outcome:
    if alert.stage is Stage.CLOSING:
        return Refused(Refusal.HELD_BY_OTHER)
    if alert.holder is None or alert.offered_to == event.by:
        return _take(alert, event.by, Stage.CLAIMED, "claimed", now)
    if alert.holder == event.by:
        return _answered(alert, event.by, alert.stage, "confirmed", now)
    if event.take_over:
        return _take(alert, event.by, Stage.CLAIMED, "taken_over", now)
    return _come_too(alert, event.by, Stage.CLAIMED, "claimed", now)


def _come_too(alert: Alert, by: int, stage: Stage, code: str, now: datetime) -> Outcome:
    """Somebody else answers an alert that is held: welcome while the ladder climbs, who takes it if it is on offer."""
    if not climbing(alert):
        return Refused(Refusal.HELD_BY_OTHER)
    if alert.offered_to is not None:
        return _take(alert, by, stage, code, now)
    helped = in_stage(replace(alert, version=alert.version + 1, exhausted_at=None), alert.stage, now)
    return Step(helped, (Entry("assisted", {"stage": stage}, by),), withdraw=True)


def on_way(alert: Alert, event: OnWay, now: datetime, people: People) -> Outcome:
    return _advance(alert, event.by, Stage.ON_WAY, "on_way", now)


def arrived(alert: Alert, event: Arrived, now: datetime, people: People) -> Outcome:
    return _advance(alert, event.by, Stage.ARRIVED, "arrived", now)


def _advance(alert: Alert, by: int, stage: Stage, code: str, now: datetime) -> Outcome:
    """The holder's next stage; from whoever answers first when nobody has it."""
    if alert.stage is Stage.CLOSING:
        return Refused(Refusal.HELD_BY_OTHER)
    if alert.holder is None or alert.offered_to == by:
        return _take(alert, by, stage, code, now)
    if alert.holder == by:
        return _answered(alert, by, stage, code, now)
    return _come_too(alert, by, stage, code, now)


def _take(alert: Alert, by: int, stage: Stage, code: str, now: datetime) -> Step:
    had = {"from": alert.holder} if alert.holder is not None else {}
    taken = replace(alert, holder=by, offered_to=None, exhausted_at=None, version=alert.version + 1)
    return Step(in_stage(taken, stage, now), (Entry(code, had, by),), withdraw=True)


def _answered(alert: Alert, by: int, stage: Stage, code: str, now: datetime) -> Step:
    """A word from the holder. Help that was called for is still wanted; unconfirmed evidence is now confirmed."""
    told = replace(alert, stage=stage, version=alert.version + 1)
    entries = (Entry(code, {}, by),)
    if wants_help(alert):
        return Step(told, entries)
    return Step(in_stage(replace(told, offered_to=None, exhausted_at=None), stage, now), entries, withdraw=True)


def close(alert: Alert, event: Close, now: datetime, people: People) -> Outcome:
    if alert.holder not in (None, event.by):
        return Refused(Refusal.HELD_BY_OTHER)
    remembered = alert.step if wants_help(alert) or alert.stage is Stage.CLOSING else None
    closing = replace(
        alert,
        stage=Stage.CLOSING,
        before_closing=alert.stage if alert.stage is not Stage.CLOSING else alert.before_closing,
        holder=event.by,
        offered_to=None,
        cause=event.cause,
        action=event.action,
        cause_code=event.cause_code,
        action_code=ACTION_CODES[event.action],
        step=remembered,
        exhausted_at=None,
        due_at=now + UNDO_CLOSING,
        due_for=DueFor.CLOSE,
        version=alert.version + 1,
    )
    coded = {"cause_code": closing.cause_code, "action_code": closing.action_code}
    told = {"cause": event.cause, "action": event.action, **{name: code for name, code in coded.items() if code}}
    return Step(closing, (Entry("closing", told, event.by),), withdraw=True)


def undo_close(alert: Alert, event: UndoClose, now: datetime, people: People) -> Outcome:
    if alert.stage is not Stage.CLOSING:
        return Refused(Refusal.NOT_CLOSING)
    if alert.holder != event.by:
        return Refused(Refusal.HELD_BY_OTHER)
    return Step(reopened(replace(alert, version=alert.version + 1), now), (Entry("closing_undone", {}, event.by),))


def hand_over(alert: Alert, event: HandOver, now: datetime, people: People) -> Outcome:
    """Offer it to a colleague. Help that is wanted is called for meanwhile."""
    refused = _not_the_holder(alert, event.by)
    if refused:
        return refused
    if event.to == event.by:
        return Refused(Refusal.SAME_PERSON)
    contacts = people.persons.get(event.to, ())
    if not contacts:
        return Refused(Refusal.UNREACHABLE)
    offered = replace(alert, offered_to=event.to, version=alert.version + 1)
    if not wants_help(alert):
        accept = timedelta(seconds=alert.policy.limits_for(alert.severity).accept)
        offered = replace(offered, step=None, due_at=now + accept, due_for=DueFor.ACCEPT)
    paged = page(offered, contacts, "handed_over", {"to": event.to, "persons": persons_of(contacts)})
    entry = replace(paged.entries[0], actor_id=event.by)
    return replace(paged, entries=(entry,), withdraw=not wants_help(alert))


def decline(alert: Alert, event: Decline, now: datetime, people: People) -> Outcome:
    """Whoever it is offered to says no: back to its holder at once."""
    if alert.offered_to is None or alert.offered_to != event.by:
        return Refused(Refusal.NOT_OFFERED)
    declined = Entry("declined", {"holder": alert.holder}, event.by)
    return replace(back_to_holder(alert, declined, now, people), withdraw=not climbing(alert))


def pause(alert: Alert, event: Pause, now: datetime, people: People) -> Outcome:
    """Nobody is called for a while; whoever says so has it, be it that nobody had."""
    refused = _cannot_pause(alert, event)
    if refused is not None:
        return Refused(refused)
    stage = alert.stage if alert.holder == event.by else Stage.CLAIMED
    paused = replace(
        alert,
        stage=stage,
        holder=event.by,
        offered_to=None,
        step=None,
        exhausted_at=None,
        due_at=now + event.time,
        due_for=DueFor.PAUSE,
        version=alert.version + 1,
    )
    minutes = int(event.time / timedelta(minutes=1))
    return Step(paused, (Entry("paused", {"why": event.reason, "minutes": minutes}, event.by),), withdraw=True)


def _cannot_pause(alert: Alert, event: Pause) -> Refusal | None:
    if alert.severity >= Severity.CRITICAL:
        return Refusal.CRITICAL
    if not timedelta(minutes=1) <= event.time <= PAUSE_AT_MOST:
        return Refusal.TOO_LONG
    if alert.stage is Stage.CLOSING or (alert.holder not in (None, event.by) and alert.offered_to != event.by):
        return Refusal.HELD_BY_OTHER
    if wants_help(alert):
        return Refusal.HELP_WANTED
    return Refusal.PAUSED if alert.due_for is DueFor.PAUSE else None


def resume(alert: Alert, event: Resume, now: datetime, people: People) -> Outcome:
    """The holder's stage goes on, with its whole limit."""
    if alert.due_for is not DueFor.PAUSE:
        return Refused(Refusal.NOT_PAUSED)
    if alert.holder != event.by:
        return Refused(Refusal.HELD_BY_OTHER)
    resumed = in_stage(replace(alert, version=alert.version + 1), alert.stage, now)
    return Step(resumed, (Entry("resumed", {}, event.by),))


def release(alert: Alert, event: Release, now: datetime, people: People) -> Outcome:
    """Back to the first step that reaches somebody else; to whoever let go only where there is nobody else."""
    refused = _not_the_holder(alert, event.by)
    if refused:
        return refused
    without = replace(let_go(alert), holder=event.by)
    released = and_climb(without, Entry("released", {"holder": event.by}, event.by), now, people)
    return replace(released, alert=replace(released.alert, holder=None), withdraw=True)


def need_help(alert: Alert, event: NeedHelp, now: datetime, people: People) -> Outcome:
    """The holder keeps it, and the ladder climbs from its second step until somebody else answers.

    From where it stands if it climbs already: whoever asks again and again is heard further up each time.
    """
    refused = _not_the_holder(alert, event.by)
    if refused:
        return refused
    stands_on = alert.step if climbing(alert) and alert.step is not None else min(1, last_step(alert)) - 1
    calling = replace(alert, step=stands_on, due_for=DueFor.STEP, offered_to=None, version=alert.version + 1)
    called = climb(calling, now, people)
    entries = (Entry("help_wanted", {}, event.by), *called.entries)
    return replace(called, entries=entries, withdraw=not climbing(alert))


def _not_the_holder(alert: Alert, by: int) -> Refused | None:
    if alert.stage is Stage.CLOSING or alert.holder is None:
        return Refused(Refusal.NOT_HELD)
    return Refused(Refusal.HELD_BY_OTHER) if alert.holder != by else None
