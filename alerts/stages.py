"""Stages: what answers, evidence and passing time do alike to an alert that somebody has, or had. Theory: ``alerts.escalation``.

Rules
    In a stage the ladder rests, and the limit runs that the alert's policy has for the stage and the severity.
    What falls back to its holder waits for a word of theirs, and then for the ladder; what falls back to the ladder begins at
    its first step, as if nobody had answered. The timeline keeps who had.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from alerts.alert import Alert, DueFor, People, Stage, Step
from alerts.ladder import climb_from, climbing, contacts_of, page, persons_of
from alerts.model import Entry

CONFIRM_WITHIN = timedelta(seconds=60)
"""How long a holder has to say that they have it still, after new evidence or a hand-over that came to nothing."""


def in_stage(alert: Alert, stage: Stage, now: datetime) -> Alert:
    """Somebody has it: the ladder rests, and the stage's limit runs. An open alert is due at once instead."""
    if stage is Stage.OPEN:
        return replace(alert, stage=stage, step=None, due_at=now, due_for=DueFor.STEP)
    limits = alert.policy.limits_for(alert.severity)
    seconds = {Stage.CLAIMED: limits.claimed, Stage.ON_WAY: limits.on_way, Stage.ARRIVED: limits.arrived}[stage]
    return replace(alert, stage=stage, step=None, due_at=now + timedelta(seconds=seconds), due_for=DueFor.STAGE)


def let_go(alert: Alert) -> Alert:
    """Nobody has it any more."""
    free = replace(alert, stage=Stage.OPEN, holder=None, offered_to=None, before_closing=None, due_for=DueFor.STEP)
    return replace(free, version=alert.version + 1)


def and_climb(alert: Alert, why: Entry, now: datetime, people: People) -> Step:
    """The ladder from its first step, after an entry that says why."""
    climbed = climb_from(replace(alert, step=None), 0, now, people)
    return replace(climbed, entries=(why, *climbed.entries))


def back_to_ladder(alert: Alert, why: Entry, now: datetime, people: People) -> Step:
    """Back to the first step, as if nobody had answered."""
    return and_climb(let_go(alert), replace(why, params={**why.params, "holder": alert.holder}), now, people)


def back_to_holder(alert: Alert, why: Entry, now: datetime, people: People) -> Step:
    """A hand-over came to nothing: its holder has it still, is paged about that, and must say so within a minute.

    A ladder that climbs, or a minute that runs for evidence, goes on as it is. Who cannot be reached is not waited for.
    """
    kept = replace(alert, offered_to=None, version=alert.version + 1)
    contacts = contacts_of(alert.holder, people)
    if not contacts:
        return Step(kept, (why,)) if climbing(alert) else back_to_ladder(kept, why, now, people)
    if alert.due_for is DueFor.ACCEPT:
        kept = replace(kept, step=None, due_at=now + CONFIRM_WITHIN, due_for=DueFor.KEEP)
    paged = page(kept, contacts, "asked_to_keep", {"persons": persons_of(contacts)})
    pages = tuple(replace(each, about=why.code) for each in paged.pages)
    return replace(paged, entries=(why, *paged.entries), pages=pages)


def reopened(alert: Alert, now: datetime) -> Alert:
    """As it was before closing: open and climbing, or answered; help that was wanted is wanted still."""
    stage = alert.before_closing or Stage.OPEN
    back = replace(alert, stage=stage, before_closing=None, cause=None, action=None, cause_code=None, action_code=None)
    if stage is Stage.OPEN:
        return in_stage(replace(back, holder=None), stage, now)
    if alert.step is not None:
        return replace(back, due_at=now, due_for=DueFor.STEP)
    return in_stage(back, stage, now)
