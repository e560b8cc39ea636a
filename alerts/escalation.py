"""Escalation: how an alert climbs until somebody answers, as a table.

Rules
    1. An alert that is not closed has a ``due_at``; what it is due *for* decides what passing time does.
    2. A ladder never ends in silence: a step that reaches nobody is skipped at once, the last one repeats.
    3. Every attempt to reach people has a number of its own: a step, a repeat, a join, a hand-over, a call for help, word
       of a command that was not done.
    4. An answer withdraws every page that is not yet handed over. Whoever answers keeps the alert only as long as
       something is heard: each stage has a limit, and then it climbs again. Help that the holder wants is not answered
       by the holder: it is called for until somebody else comes, or the alert is closed.
    5. Nothing is merged away: new evidence pages again and never lowers the severity. The same again and again climbs at
       once, also where somebody has the alert.

Theory
    ``stage`` says how far the answer has come, ``due_for`` what we are waiting for::

        open ──claim──▶ claimed ──▶ on_way ──▶ arrived ──close──▶ closing ──5 s──▶ closed
          ▲                │           │           │                 │ undo, evidence
          └────── stage limit passed ──┴───────────┘ ◀───────────────┘

        due_for   step      the ladder's next step: nobody has the alert, or its holder wants help
                  stage     the limit of the stage that somebody has answered with
                  confirm   the holder's word that new evidence was seen; then the ladder climbs too, until the holder
                            speaks or somebody comes (``step`` tells the two apart)
                  accept    a colleague's acceptance of a hand-over; then the ladder
                  close     the end of the time in which closing can be undone (``step``: help was wanted until then)

    ``step(alert, event, now, people)`` is the whole interface: a new alert with timeline entries and pages, or a
    refusal with its reason. It reads no clock and finds no people: both are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.alert import (
    Alert,
    Arrived,
    Claim,
    Cleared,
    Close,
    CommandNotDone,
    ContactTested,
    DueFor,
    Event,
    HandOver,
    Joined,
    NeedHelp,
    OnWay,
    Outcome,
    PagesFailed,
    People,
    Raised,
    Refusal,
    Refused,
    Release,
    Repeated,
    Stage,
    Step,
    TimePassed,
    UndoClose,
)
from alerts.contacts import PAGE_TEST
from alerts.ladder import (
    LOOK_FOR_PEOPLE,
    also_page,
    climb,
    climb_from,
    climbing,
    contacts_of,
    last_step,
    page,
    persons_of,
    reached_by,
    told_of,
    wants_help,
)
from alerts.model import Entry

UNDO_CLOSING = timedelta(seconds=5)
CONFIRM_WITHIN = timedelta(seconds=60)
ACCEPT_WITHIN = timedelta(seconds=120)


def step(alert: Alert, event: Event, now: datetime, people: People) -> Outcome:
    """What an event makes of an alert; see the table at the end of this file."""
    if alert.stage is Stage.CLOSED:
        return Refused(Refusal.CLOSED)
    return TABLE[type(event)](alert, event, now, people)


def _raised(alert: Alert, event: Raised, now: datetime, people: People) -> Step:
    if alert.attempt or alert.stage is not Stage.OPEN:
        return Step(alert)
    climbed = climb_from(alert, 0, now, people)
    also = tuple(contact for person in event.also for contact in contacts_of(person, people))
    return also_page(climbed, also, "owner_paged") if also else climbed


def _tested(alert: Alert, event: ContactTested, now: datetime, people: People) -> Step:
    """One contact alone, whatever its quiet hours; the ladder begins when that time is up."""
    if alert.attempt or alert.stage is not Stage.OPEN:
        return Step(alert)
    waiting = replace(alert, due_at=now + event.within, due_for=DueFor.STEP)
    paged = page(waiting, (event.contact,), "test_paged", {"persons": persons_of((event.contact,))})
    return replace(paged, pages=tuple(replace(each, about=PAGE_TEST) for each in paged.pages))


# Passing time ---------------------------------------------------------------------------------------------------------


def _time_passed(alert: Alert, event: TimePassed, now: datetime, people: People) -> Step:
    if alert.due_at is not None and now < alert.due_at:
        return Step(alert)
    return _due(alert, now, people)


def _due(alert: Alert, now: datetime, people: People) -> Step:
    match alert.due_for:
        case DueFor.STAGE:
            return _fall_back(alert, Entry("stage_lapsed", {"stage": alert.stage}), now, people)
        case DueFor.CONFIRM if alert.step is None:
            return _and_climb(alert, Entry("evidence_unconfirmed"), now, people)
        case DueFor.ACCEPT:
            return _fall_back(alert, Entry("hand_over_lapsed", {"to": alert.offered_to}), now, people)
        case DueFor.CLOSE:
            return _closed(alert, now)
        case _:
            return climb(alert, now, people)


def _fall_back(alert: Alert, why: Entry, now: datetime, people: People) -> Step:
    """Back to the first step, as if nobody had answered; the timeline keeps who had."""
    return _and_climb(_let_go(alert), replace(why, params={**why.params, "holder": alert.holder}), now, people)


def _let_go(alert: Alert) -> Alert:
    free = replace(alert, stage=Stage.OPEN, holder=None, offered_to=None, before_closing=None, due_for=DueFor.STEP)
    return replace(free, version=alert.version + 1)


def _and_climb(alert: Alert, why: Entry, now: datetime, people: People) -> Step:
    climbed = climb_from(replace(alert, step=None), 0, now, people)
    return replace(climbed, entries=(why, *climbed.entries))


def _closed(alert: Alert, now: datetime) -> Step:
    closed = replace(alert, stage=Stage.CLOSED, closed_at=now, due_at=None, due_for=None, step=None, offered_to=None)
    return Step(closed, (Entry("closed"),), withdraw=True)


def _pages_failed(alert: Alert, event: PagesFailed, now: datetime, people: People) -> Step:
    """Nobody of the newest attempt was reached: what was waited for will not come, so go on at once.

    The last step waits all the same: repeating it at once would only fail again, as fast as it can.
    """
    waits_for_people = alert.due_for in (DueFor.STEP, DueFor.CONFIRM, DueFor.ACCEPT)
    if event.attempt != alert.attempt or not waits_for_people:
        return Step(alert)
    unreached = Entry("attempt_failed", {"attempt": event.attempt})
    if climbing(alert) and alert.step is not None and alert.step >= last_step(alert):
        soon = min(alert.due_at or now, now + LOOK_FOR_PEOPLE)
        return Step(replace(alert, due_at=soon, exhausted_at=alert.exhausted_at or now), (unreached,))
    went_on = _due(alert, now, people)
    return replace(went_on, entries=(unreached, *went_on.entries))


# Evidence -------------------------------------------------------------------------------------------------------------


def _joined(alert: Alert, event: Joined, now: datetime, people: People) -> Step:
    """Page again: whoever has it (and whoever is offered it) first, else the step that the ladder stands on."""
    heavier = replace(alert, severity=max(alert.severity, event.severity), version=alert.version + 1)
    entry = Entry("evidence_joined", {"severity": int(heavier.severity)})
    if heavier.stage is Stage.CLOSING:
        heavier = _reopened(heavier, now)
    joined = _page_holder(heavier, now, people) if heavier.holder is not None else _page_step(heavier, now, people)
    return replace(joined, entries=(entry, *joined.entries))


def _repeated(alert: Alert, event: Repeated, now: datetime, people: People) -> Step:
    """The next step at once, and whoever has it (or is offered it) besides; the ladder climbs on until one of them speaks."""
    heavier = replace(alert, severity=max(alert.severity, event.severity), version=alert.version + 1)
    entry = Entry("repeated", {"severity": int(heavier.severity), "times": event.times})
    if heavier.stage is Stage.CLOSING:
        heavier = _reopened(heavier, now)
    concerned = (*contacts_of(heavier.holder, people), *contacts_of(heavier.offered_to, people))
    if heavier.holder is not None and not climbing(heavier):
        heavier = replace(heavier, step=None, due_for=DueFor.CONFIRM)
    called = also_page(climb(heavier, now, people), concerned, "holder_paged")
    return replace(called, entries=(entry, *called.entries))


def _command_not_done(alert: Alert, event: CommandNotDone, now: datetime, people: People) -> Step:
    """Whoever asked for it stands at a door, perhaps: they are paged, else whoever has the alert. Nothing else changes."""
    contacts = contacts_of(event.requested_by, people) or contacts_of(alert.holder, people)
    if not contacts:
        return Step(alert, (event.entry,))
    paged = page(alert, contacts, "requester_paged", {"persons": persons_of(contacts)})
    pages = tuple(replace(each, about=event.entry.code) for each in paged.pages)
    return replace(paged, entries=(event.entry, *paged.entries), pages=pages)


def _page_holder(alert: Alert, now: datetime, people: People) -> Step:
    """The holder has a minute to confirm; a ladder that climbs already, or an offer, does not wait longer than that."""
    contacts = (*contacts_of(alert.holder, people), *contacts_of(alert.offered_to, people))
    if not contacts:
        return _page_for_holder(alert, now, people)
    paged = page(alert, contacts, "holder_paged", {"persons": persons_of(contacts)})
    confirm = now + CONFIRM_WITHIN
    if alert.due_for is DueFor.STAGE:
        return replace(paged, alert=replace(paged.alert, due_at=confirm, due_for=DueFor.CONFIRM))
    return replace(paged, alert=replace(paged.alert, due_at=min(alert.due_at or confirm, confirm)))


def _page_for_holder(alert: Alert, now: datetime, people: People) -> Step:
    """Whoever has it cannot be reached: the ladder, now."""
    if climbing(alert):
        return _page_step(alert, now, people)
    return climb_from(replace(alert, step=None, due_for=DueFor.CONFIRM), 0, now, people)


def _page_step(alert: Alert, now: datetime, people: People) -> Step:
    if alert.step is None:
        return climb(alert, now, people)
    stands_on = min(alert.step, last_step(alert))
    contacts = reached_by(alert, stands_on, people)
    if not contacts:
        return climb(alert, now, people)
    return page(alert, contacts, "step_paged_again", {**told_of(alert, stands_on), "persons": persons_of(contacts)})


def _reopened(alert: Alert, now: datetime) -> Alert:
    """As it was before closing: open and climbing, or answered; help that was wanted is wanted still."""
    stage = alert.before_closing or Stage.OPEN
    back = replace(alert, stage=stage, before_closing=None, cause=None, action=None)
    if stage is Stage.OPEN:
        return _in_stage(replace(back, holder=None), stage, now)
    if alert.step is not None:
        return replace(back, due_at=now, due_for=DueFor.STEP)
    return _in_stage(back, stage, now)


def _cleared(alert: Alert, event: Cleared, now: datetime, people: People) -> Step:
    closed = _closed(replace(alert, version=alert.version + 1), now)
    return replace(closed, entries=(Entry("cleared"), *closed.entries))


# Answers --------------------------------------------------------------------------------------------------------------


def _claim(alert: Alert, event: Claim, now: datetime, people: People) -> Outcome:
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
    helped = _in_stage(replace(alert, version=alert.version + 1, exhausted_at=None), alert.stage, now)
    return Step(helped, (Entry("assisted", {"stage": stage}, by),), withdraw=True)


def _on_way(alert: Alert, event: OnWay, now: datetime, people: People) -> Outcome:
    return _advance(alert, event.by, Stage.ON_WAY, "on_way", now)


def _arrived(alert: Alert, event: Arrived, now: datetime, people: People) -> Outcome:
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
    return Step(_in_stage(taken, stage, now), (Entry(code, had, by),), withdraw=True)


def _answered(alert: Alert, by: int, stage: Stage, code: str, now: datetime) -> Step:
    """A word from the holder. Help that was called for is still wanted; unconfirmed evidence is now confirmed."""
    told = replace(alert, stage=stage, version=alert.version + 1)
    entries = (Entry(code, {}, by),)
    if wants_help(alert):
        return Step(told, entries)
    return Step(_in_stage(replace(told, offered_to=None, exhausted_at=None), stage, now), entries, withdraw=True)


def _in_stage(alert: Alert, stage: Stage, now: datetime) -> Alert:
    """Somebody has it: the ladder rests, and the stage's limit runs. An open alert is due at once instead."""
    if stage is Stage.OPEN:
        return replace(alert, stage=stage, step=None, due_at=now, due_for=DueFor.STEP)
    limits = alert.policy.limits
    seconds = {Stage.CLAIMED: limits.claimed, Stage.ON_WAY: limits.on_way, Stage.ARRIVED: limits.arrived}[stage]
    return replace(alert, stage=stage, step=None, due_at=now + timedelta(seconds=seconds), due_for=DueFor.STAGE)


def _close(alert: Alert, event: Close, now: datetime, people: People) -> Outcome:
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
        step=remembered,
        exhausted_at=None,
        due_at=now + UNDO_CLOSING,
        due_for=DueFor.CLOSE,
        version=alert.version + 1,
    )
    return Step(closing, (Entry("closing", {"cause": event.cause, "action": event.action}, event.by),), withdraw=True)


def _undo_close(alert: Alert, event: UndoClose, now: datetime, people: People) -> Outcome:
    if alert.stage is not Stage.CLOSING:
        return Refused(Refusal.NOT_CLOSING)
    if alert.holder != event.by:
        return Refused(Refusal.HELD_BY_OTHER)
    return Step(_reopened(replace(alert, version=alert.version + 1), now), (Entry("closing_undone", {}, event.by),))


def _hand_over(alert: Alert, event: HandOver, now: datetime, people: People) -> Outcome:
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
        offered = replace(offered, step=None, due_at=now + ACCEPT_WITHIN, due_for=DueFor.ACCEPT)
    paged = page(offered, contacts, "handed_over", {"to": event.to, "persons": persons_of(contacts)})
    entry = replace(paged.entries[0], actor_id=event.by)
    return replace(paged, entries=(entry,), withdraw=not wants_help(alert))


def _release(alert: Alert, event: Release, now: datetime, people: People) -> Outcome:
    """Back to the first step that reaches somebody else; to whoever let go only where there is nobody else."""
    refused = _not_the_holder(alert, event.by)
    if refused:
        return refused
    without = replace(_let_go(alert), holder=event.by)
    released = _and_climb(without, Entry("released", {"holder": event.by}, event.by), now, people)
    return replace(released, alert=replace(released.alert, holder=None), withdraw=True)


def _need_help(alert: Alert, event: NeedHelp, now: datetime, people: People) -> Outcome:
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


# The table ------------------------------------------------------------------------------------------------------------

Transition = Callable[..., Outcome]

TABLE: Mapping[type, Transition] = {
    Raised: _raised,
    ContactTested: _tested,
    TimePassed: _time_passed,
    Joined: _joined,
    Repeated: _repeated,
    PagesFailed: _pages_failed,
    CommandNotDone: _command_not_done,
    Cleared: _cleared,
    Claim: _claim,
    OnWay: _on_way,
    Arrived: _arrived,
    Close: _close,
    UndoClose: _undo_close,
    HandOver: _hand_over,
    Release: _release,
    NeedHelp: _need_help,
}
"""Event to transition. What an event means in a stage is decided in its one function above."""
