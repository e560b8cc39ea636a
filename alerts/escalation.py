"""Escalation: how an alert climbs until somebody answers, as a table.

Rules
    1. An alert that is not closed has a ``due_at``; what it is due *for* decides what passing time does.
    2. A ladder never ends in silence: a step that reaches nobody is skipped at once, the last one repeats.
    3. Every attempt to reach people has a number of its own: a step, a repeat, a join, a hand-over, a call for help, word
       of a command that was not done.
    4. An answer withdraws the pages of all others, also those that were handed over, received or shown: what phones show
       is taken back where a channel can. Whoever answers keeps the alert only as long as something is heard: each stage
       has a limit, and then it climbs again. Help that the holder wants is not answered by the holder: it is called for
       until somebody else comes, or the alert is closed.
    5. A pause has a reason and an end, and is not for what is critical: nobody is paged meanwhile but for new evidence, which
       ends it (and for a command that whoever is paged has asked for). Then the ladder begins again.
    6. Nothing is merged away: new evidence pages again and never lowers the severity. The same again and again climbs at
       once, also where somebody has the alert.

Theory
    ``stage`` says how far the answer has come, ``due_for`` what we are waiting for::

        open ──claim──▶ claimed ──▶ on_way ──▶ arrived ──close──▶ closing ──5 s──▶ closed
          ▲                │           │           │                 │ undo, evidence
          └────── stage limit passed ──┴───────────┘ ◀───────────────┘

        due_for   step      the ladder's next step: nobody has the alert, or its holder wants help
                  stage     the limit of the stage that somebody has answered with, by the alert's severity
                  confirm   the holder's word that new evidence was seen; then the ladder climbs too, until the holder
                            speaks or somebody comes (``step`` tells the two apart)
                  accept    a colleague's acceptance of a hand-over; declined or late, it falls back to its holder
                  keep      the word of that holder that they have it still; then the ladder
                  pause     the end of a pause; then the ladder. New evidence ends it at once
                  close     the end of the time in which closing can be undone (``step``: help was wanted until then)

    ``step(alert, event, now, people)`` is the whole interface: a new alert with timeline entries and pages, or a
    refusal with its reason. It reads no clock and finds no people: both are arguments. What people answer is in
    ``alerts.answers``, what several events do alike in ``alerts.stages``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from alerts import answers
from alerts.alert import (
    Alert,
    Arrived,
    Claim,
    Cleared,
    Close,
    CommandNotDone,
    ContactTested,
    Decline,
    DueFor,
    Event,
    HandOver,
    Joined,
    NeedHelp,
    OnWay,
    Outcome,
    PagesFailed,
    Pause,
    People,
    Raised,
    Refusal,
    Refused,
    Release,
    Repeated,
    Resume,
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
    ends_round,
    last_step,
    page,
    persons_of,
    reached_by,
    told_of,
)
from alerts.model import Entry
from alerts.stages import CONFIRM_WITHIN, and_climb, back_to_holder, back_to_ladder, reopened

WAITS_FOR_PEOPLE = (DueFor.STEP, DueFor.CONFIRM, DueFor.ACCEPT, DueFor.KEEP)
"""What only somebody who was paged can bring about."""


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
            return back_to_ladder(alert, Entry("stage_lapsed", {"stage": alert.stage}), now, people)
        case DueFor.CONFIRM if alert.step is None:
            return and_climb(alert, Entry("evidence_unconfirmed"), now, people)
        case DueFor.ACCEPT:
            return back_to_holder(alert, Entry("hand_over_lapsed", {"to": alert.offered_to}), now, people)
        case DueFor.KEEP:
            return back_to_ladder(alert, Entry("not_kept"), now, people)
        case DueFor.PAUSE:
            return back_to_ladder(alert, Entry("pause_over"), now, people)
        case DueFor.CLOSE:
            return _closed(alert, now)
        case _:
            return climb(alert, now, people)


def _closed(alert: Alert, now: datetime) -> Step:
    closed = replace(alert, stage=Stage.CLOSED, closed_at=now, due_at=None, due_for=None, step=None, offered_to=None)
    return Step(closed, (Entry("closed"),), withdraw=True)


def _pages_failed(alert: Alert, event: PagesFailed, now: datetime, people: People) -> Step:
    """Nobody of the newest attempt was reached: what was waited for will not come, so go on at once.

    The last step of a round waits all the same: the same people at once would only fail again, as fast as it can.
    """
    waits_for_people = alert.due_for in WAITS_FOR_PEOPLE
    if event.attempt != alert.attempt or not waits_for_people:
        return Step(alert)
    unreached = Entry("attempt_failed", {"attempt": event.attempt})
    if climbing(alert) and ends_round(alert):
        soon = min(alert.due_at or now, now + LOOK_FOR_PEOPLE)
        exhausted = alert.exhausted_at or (now if alert.step is not None and alert.step >= last_step(alert) else None)
        return Step(replace(alert, due_at=soon, exhausted_at=exhausted), (unreached,))
    went_on = _due(alert, now, people)
    return replace(went_on, entries=(unreached, *went_on.entries))


# Evidence -------------------------------------------------------------------------------------------------------------


def _joined(alert: Alert, event: Joined, now: datetime, people: People) -> Step:
    """Page again: whoever has it (and whoever is offered it) first, else the step that the ladder stands on."""
    heavier = replace(alert, severity=max(alert.severity, event.severity), version=alert.version + 1)
    entry = Entry("evidence_joined", {"severity": int(heavier.severity)})
    if heavier.stage is Stage.CLOSING:
        heavier = reopened(heavier, now)
    joined = _page_holder(heavier, now, people) if heavier.holder is not None else _page_step(heavier, now, people)
    return replace(joined, entries=(entry, *_pause_ended(alert), *joined.entries))


def _pause_ended(alert: Alert) -> tuple[Entry, ...]:
    return (Entry("pause_ended"),) if alert.due_for is DueFor.PAUSE else ()


def _repeated(alert: Alert, event: Repeated, now: datetime, people: People) -> Step:
    """The next step at once, and whoever has it (or is offered it) besides; the ladder climbs on until one of them speaks."""
    heavier = replace(alert, severity=max(alert.severity, event.severity), version=alert.version + 1)
    entry = Entry("repeated", {"severity": int(heavier.severity), "times": event.times})
    if heavier.stage is Stage.CLOSING:
        heavier = reopened(heavier, now)
    concerned = (*contacts_of(heavier.holder, people), *contacts_of(heavier.offered_to, people))
    if heavier.holder is not None and not climbing(heavier):
        heavier = replace(heavier, step=None, due_for=DueFor.CONFIRM)
    called = also_page(climb(heavier, now, people), concerned, "holder_paged")
    return replace(called, entries=(entry, *_pause_ended(alert), *called.entries))


def _command_not_done(alert: Alert, event: CommandNotDone, now: datetime, people: People) -> Step:
    """Whoever asked for it stands at a door, perhaps: they are paged, else whoever has the alert. Nothing else changes."""
    contacts = contacts_of(event.requested_by, people) or contacts_of(alert.holder, people)
    if not contacts:
        return Step(alert, (event.entry,))
    paged = page(alert, contacts, "requester_paged", {"persons": persons_of(contacts)})
    pages = tuple(replace(each, about=event.entry.code) for each in paged.pages)
    return replace(paged, entries=(event.entry, *paged.entries), pages=pages)


def _page_holder(alert: Alert, now: datetime, people: People) -> Step:
    """The holder has a minute to confirm, and less where something else would be due before; a ladder that climbs goes on."""
    contacts = (*contacts_of(alert.holder, people), *contacts_of(alert.offered_to, people))
    if not contacts:
        return _page_for_holder(alert, now, people)
    paged = page(alert, contacts, "holder_paged", {"persons": persons_of(contacts)})
    confirm = now + CONFIRM_WITHIN
    waits_for = alert.due_for if climbing(alert) else DueFor.CONFIRM
    return replace(paged, alert=replace(paged.alert, due_at=min(alert.due_at or confirm, confirm), due_for=waits_for))


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


def _cleared(alert: Alert, event: Cleared, now: datetime, people: People) -> Step:
    closed = _closed(replace(alert, version=alert.version + 1), now)
    return replace(closed, entries=(Entry("cleared"), *closed.entries))


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
    Claim: answers.claim,
    OnWay: answers.on_way,
    Arrived: answers.arrived,
    Close: answers.close,
    UndoClose: answers.undo_close,
    HandOver: answers.hand_over,
    Decline: answers.decline,
    Pause: answers.pause,
    Resume: answers.resume,
    Release: answers.release,
    NeedHelp: answers.need_help,
}
"""Event to transition. What an event means in a stage is decided in its one function, here or in ``alerts.answers``."""
