"""The ladder: the steps of a policy, climbed until somebody answers.

Rules
    A step that reaches nobody is skipped at once, with an entry; after the last round the last one repeats.
    Whoever already has the alert is not paged by the ladder – unless there is nobody else in the world to page.
    Who is on duty and has not checked in is passed over, with an entry, where others can be reached (``alerts.checkin``).
    Each attempt has a number of its own, and pages each contact once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.alert import Alert, Contact, DueFor, Page, People, Step
from alerts.finding import by_kind
from alerts.model import Entry
from alerts.policy import PolicyStep, Target

LOOK_FOR_PEOPLE = timedelta(seconds=60)
"""How soon a ladder that reaches nobody at all looks again."""


def wants_help(alert: Alert) -> bool:
    """Whether the holder has called for help and nobody else has answered yet."""
    return alert.due_for is DueFor.STEP and alert.holder is not None


def climbing(alert: Alert) -> bool:
    """Whether the ladder pages people at this time, also where somebody has the alert."""
    return alert.due_for is DueFor.STEP or (alert.due_for is DueFor.CONFIRM and alert.step is not None)


def climb(alert: Alert, now: datetime, people: People) -> Step:
    """To the next step that reaches somebody, or the last one again."""
    following = 0 if alert.step is None else alert.step + 1
    if following <= last_step(alert):
        return climb_from(alert, following, now, people)
    return _repeat_last(alert, now, people)


def climb_from(alert: Alert, first: int, now: datetime, people: People) -> Step:
    skipped: list[Entry] = []
    for index in range(first, len(alert.policy.ladder)):
        contacts = reached_by(alert, index, people)
        skipped += _passed_over(alert, index, people)
        if contacts:
            reached = _fire(alert, index, contacts, now, "step_reached")
            return replace(reached, entries=(*skipped, *reached.entries))
        skipped.append(Entry("step_skipped", told_of(alert, index)))
    found_none = _fall_to_any(alert, now, people)
    return replace(found_none, entries=(*skipped, *found_none.entries))


def _repeat_last(alert: Alert, now: datetime, people: People) -> Step:
    contacts = reached_by(alert, last_step(alert), people)
    if not contacts:
        return _fall_to_any(alert, now, people)
    return _fire(
        replace(alert, exhausted_at=alert.exhausted_at or now), last_step(alert), contacts, now, "step_repeated"
    )


def _fall_to_any(alert: Alert, now: datetime, people: People) -> Step:
    """The rest of the ladder reaches nobody: page everyone whom any step means, by whatever contact, else the holder; look
    again soon."""
    exhausted = replace(alert, exhausted_at=alert.exhausted_at or now)
    anyone = tuple(each for step in alert.policy.steps for each in _without_holder(alert, step, people))
    contacts = anyone or contacts_of(alert.holder, people)
    if contacts:
        in_order = tuple(sorted(contacts, key=lambda each: each.id))
        return _fire(exhausted, last_step(alert), in_order, now, "step_repeated")
    waiting = replace(exhausted, step=last_step(alert), due_at=now + LOOK_FOR_PEOPLE, due_for=_climbs_for(alert))
    return Step(waiting, (Entry("nobody_reachable"),))


def reached_by(alert: Alert, index: int, people: People) -> tuple[Contact, ...]:
    """The step's contacts, of the kinds that it asks for, without whoever already has the alert."""
    step = alert.policy.ladder[index]
    return by_kind(step, _without_holder(alert, step, people))


def _without_holder(alert: Alert, step: PolicyStep, people: People) -> tuple[Contact, ...]:
    return tuple(each for each in people.targets.get(step.whom, ()) if each.person_id != alert.holder)


def told_of(alert: Alert, index: int) -> dict[str, object]:
    """What the timeline tells of a step: its number from 0 and whom it means; the round (from 0) but for the first."""
    again, number = alert.policy.round_of(index)
    told: dict[str, object] = {"step": number, "target": alert.policy.steps[number].target}
    return {**told, "round": again} if again else told


def _passed_over(alert: Alert, index: int, people: People) -> list[Entry]:
    """Whom a step of those on duty would page, had they checked in."""
    if alert.policy.ladder[index].target not in (Target.FIRST_ON_DUTY, Target.ALL_ON_DUTY):
        return []
    return [Entry(f"passed_over_{each.reason}", {"persons": [each.person_id]}) for each in people.skipped]


def contacts_of(person: int | None, people: People) -> tuple[Contact, ...]:
    """Every way to reach a person, also one that is known only as a step's target."""
    if person is None:
        return ()
    targeted = (each for contacts in people.targets.values() for each in contacts if each.person_id == person)
    return people.persons.get(person, ()) or tuple(targeted)


def _fire(alert: Alert, index: int, contacts: tuple[Contact, ...], now: datetime, code: str) -> Step:
    wait = timedelta(seconds=alert.policy.wait_after(index, alert.severity))
    climbed = replace(alert, step=index, due_at=now + wait, due_for=_climbs_for(alert))
    return page(climbed, contacts, code, {**told_of(alert, index), "persons": persons_of(contacts)})


def _climbs_for(alert: Alert) -> DueFor:
    """Why the ladder climbs: for the holder's word on new evidence where we wait for that, else for anybody."""
    return DueFor.CONFIRM if alert.due_for is DueFor.CONFIRM else DueFor.STEP


def page(alert: Alert, contacts: tuple[Contact, ...], code: str, params: Mapping[str, object]) -> Step:
    """A new attempt at these contacts, each once."""
    attempt = alert.attempt + 1
    once = {each.id: each for each in contacts}
    pages = tuple(Page(attempt, contact) for contact in once.values())
    return Step(replace(alert, attempt=attempt), (Entry(code, {**params, "attempt": attempt}),), pages)


def also_page(step: Step, contacts: tuple[Contact, ...], code: str) -> Step:
    """These contacts, too, in the same attempt; in one of their own where there was none."""
    paged = {page.contact.id for page in step.pages}
    others = tuple(each for each in contacts if each.id not in paged)
    if not others:
        return step
    told = {"persons": persons_of(others)}
    if not step.pages:
        alone = page(step.alert, others, code, told)
        return replace(alone, entries=(*step.entries, *alone.entries))
    attempt = step.alert.attempt
    entry = Entry(code, {**told, "attempt": attempt})
    pages = (*step.pages, *(Page(attempt, contact) for contact in {each.id: each for each in others}.values()))
    return replace(step, entries=(*step.entries, entry), pages=pages)


def persons_of(contacts: tuple[Contact, ...]) -> list[int]:
    return sorted({each.person_id for each in contacts})


def last_step(alert: Alert) -> int:
    """The position of the last step of the last round."""
    return len(alert.policy.ladder) - 1
