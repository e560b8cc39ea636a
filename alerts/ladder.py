"""The ladder: the steps of a policy, climbed until somebody answers.

Rules
    A step that reaches nobody is skipped at once, with an entry; after the last round the last one repeats.
    Whoever already has the alert is not paged by the ladder – unless there is nobody else in the world to page.
    Who is on duty and has not checked in is passed over, with an entry, as long as the step reaches others (``alerts.checkin``);
    so is who leads and is away. Where it does not – one has the alert, others have no such contact – they are called all the
    same, with an entry.
    Each attempt has a number of its own, and pages each contact once: of each person one after the other (``alerts.chain``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.alert import Alert, Contact, DueFor, Page, People, Step
from alerts.chain import awake, chained
from alerts.finding import by_kind
from alerts.model import Entry
from alerts.policy import PolicyStep

Targets = Mapping[str, tuple[Contact, ...]]

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
        skipped += _passed_over(alert, index, contacts, people)
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
    exhausted = replace(alert, exhausted_at=alert.exhausted_at or now)
    repeated = _fire(exhausted, last_step(alert), contacts, now, "step_repeated")
    return replace(repeated, entries=(*_all_the_same(contacts, people), *repeated.entries))


def _fall_to_any(alert: Alert, now: datetime, people: People) -> Step:
    """The rest of the ladder reaches nobody: page everyone whom any step means, by whatever contact, else the holder; look
    again soon."""
    exhausted = replace(alert, exhausted_at=alert.exhausted_at or now)
    anyone = tuple(
        each
        for step in alert.policy.steps
        for targets in (people.targets, people.unskipped)
        for each in _without_holder(alert, step, targets)
    )
    contacts = anyone or contacts_of(alert.holder, people)
    if contacts:
        in_order = tuple(sorted(contacts, key=lambda each: each.id))
        fired = _fire(exhausted, last_step(alert), in_order, now, "step_repeated")
        return replace(fired, entries=(*_all_the_same(in_order, people), *fired.entries))
    waiting = replace(exhausted, step=last_step(alert), due_at=now + LOOK_FOR_PEOPLE, due_for=_climbs_for(alert))
    return Step(waiting, (Entry("nobody_reachable"),))


def reached_by(alert: Alert, index: int, people: People) -> tuple[Contact, ...]:
    """The step's contacts, of the kinds that it asks for, without whoever already has the alert; where that is nobody, also
    of whoever is passed over."""
    return _chosen(alert, index, people.targets) or _chosen(alert, index, people.unskipped)


def _chosen(alert: Alert, index: int, targets: Targets) -> tuple[Contact, ...]:
    step = alert.policy.ladder[index]
    return by_kind(step, _without_holder(alert, step, targets))


def _without_holder(alert: Alert, step: PolicyStep, targets: Targets) -> tuple[Contact, ...]:
    return tuple(each for each in targets.get(step.whom, ()) if each.person_id != alert.holder)


def told_of(alert: Alert, index: int) -> dict[str, object]:
    """What the timeline tells of a step: its number from 0 and whom it means; the round (from 0) but for the first."""
    again, number = alert.policy.round_of(index)
    told: dict[str, object] = {"step": number, "target": alert.policy.steps[number].target}
    return {**told, "round": again} if again else told


def _passed_over(alert: Alert, index: int, reached: tuple[Contact, ...], people: People) -> list[Entry]:
    """Whom a step would page, had they checked in; or whom it pages all the same."""
    called, would = set(persons_of(reached)), set(persons_of(_chosen(alert, index, people.unskipped)))
    left_out = [each for each in people.skipped if each.person_id in would - called]
    told = [Entry(f"passed_over_{each.reason}", {"persons": [each.person_id]}) for each in left_out]
    return [*told, *_all_the_same(reached, people)]


def _all_the_same(reached: tuple[Contact, ...], people: People) -> list[Entry]:
    """Who is paged though they have not checked in, as nobody else of the step can be."""
    persons = sorted({each.person_id for each in people.skipped} & set(persons_of(reached)))
    return [Entry("called_all_the_same", {"persons": persons})] if persons else []


def contacts_of(person: int | None, people: People) -> tuple[Contact, ...]:
    """Every way to reach a person, also one that is known only as a step's target."""
    if person is None:
        return ()
    every = (*people.targets.values(), *people.unskipped.values())
    targeted = {each.id: each for contacts in every for each in contacts if each.person_id == person}
    return people.persons.get(person, ()) or tuple(targeted.values())


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
    wanted = awake(tuple(once.values()), alert.severity)
    pages = tuple(Page(attempt, contact, after=after) for contact, after in chained(wanted, alert.severity))
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
    attempt, severity = step.alert.attempt, step.alert.severity
    entry = Entry(code, {**told, "attempt": attempt})
    before = [page.contact for page in step.pages]
    wanted = awake(tuple({each.id: each for each in others}.values()), severity, before)
    added = (Page(attempt, contact, after=after) for contact, after in chained(wanted, severity, before))
    return replace(step, entries=(*step.entries, entry), pages=(*step.pages, *added))


def persons_of(contacts: tuple[Contact, ...]) -> list[int]:
    return sorted({each.person_id for each in contacts})


def last_step(alert: Alert) -> int:
    """The position of the last step of the last round."""
    return len(alert.policy.ladder) - 1


def ends_round(alert: Alert) -> bool:
    """Whether the ladder stands on the last step of a round: everybody whom it means has been called."""
    return alert.step is not None and (alert.step >= last_step(alert) or alert.policy.round_of(alert.step + 1)[1] == 0)
