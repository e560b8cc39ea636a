"""How the stories of escalation are told: people, an alert, and what happens to it at which second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alerts.alert import Alert, Contact, Event, Outcome, People, Raised, Refused, Step, TimePassed
from alerts.escalation import step
from alerts.model import Severity, Track
from alerts.policy import Policy, PolicyStep, StageLimits, Target

START = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
ANNE, BJARTE, CECILIE, DAG = 1, 2, 3, 4
PHONES = {person: (Contact(person * 10, person), Contact(person * 10 + 1, person)) for person in (ANNE, BJARTE)} | {
    person: (Contact(person * 10, person),) for person in (CECILIE, DAG)
}
ON_DUTY = {
    Target.FIRST_ON_DUTY: (ANNE,),
    Target.ALL_ON_DUTY: (ANNE, BJARTE),
    Target.ZONE_LEAD: (CECILIE,),
    Target.RESPONSE_CENTRE: (DAG,),
}
POLICY = Policy(
    name="care_urgent",
    track=Track.CARE,
    steps=(
        PolicyStep(target=Target.FIRST_ON_DUTY, wait_seconds=60),
        PolicyStep(target=Target.ALL_ON_DUTY, wait_seconds=120),
        PolicyStep(target=Target.ZONE_LEAD, wait_seconds=120),
        PolicyStep(target=Target.RESPONSE_CENTRE, wait_seconds=300),
    ),
    repeat_seconds=300,
    limits=StageLimits(claimed=600, on_way=1800, arrived=3600),
)


@dataclass
class Story:
    """An alert that lives: ``reachable`` can be changed while it does. Every page that was ever wished is kept."""

    alert: Alert = field(default_factory=lambda: Alert(POLICY, Severity.SERIOUS))
    now: datetime = START
    reachable: set[int] = field(default_factory=lambda: set(PHONES))
    duty: dict[Target, tuple[int, ...]] = field(default_factory=lambda: dict(ON_DUTY))
    last: Step = field(init=False)
    refused: Refused | None = None

    def __post_init__(self) -> None:
        self.happens(Raised())

    @property
    def people(self) -> People:
        return People(
            targets={target: self._phones(persons) for target, persons in self.duty.items()},
            persons={person: PHONES[person] for person in self.reachable},
        )

    def happens(self, event: Event, *, after: float = 0) -> Story:
        """An event, some seconds after the one before it."""
        self.now += timedelta(seconds=after)
        outcome: Outcome = step(self.alert, event, self.now, self.people)
        self.refused = outcome if isinstance(outcome, Refused) else None
        if isinstance(outcome, Step):
            self.last, self.alert = outcome, outcome.alert
        return self

    def waits(self, seconds: float) -> Story:
        """Nobody does anything; the timekeeper does its work. ``last`` is all that it brought."""
        until, all_that_came = self.now + timedelta(seconds=seconds), Step(self.alert)
        while self.alert.due_at is not None and self.alert.due_at <= until:
            self.now = max(self.now, self.alert.due_at)
            self.happens(TimePassed())
            all_that_came = _joined(all_that_came, self.last)
        self.now, self.last = until, all_that_came
        return self

    @property
    def paged(self) -> list[int]:
        """Who was paged by what happened last, a person as often as on contacts."""
        return [page.contact.person_id for page in self.last.pages]

    @property
    def codes(self) -> list[str]:
        return [entry.code for entry in self.last.entries]

    @property
    def due_in(self) -> float:
        assert self.alert.due_at is not None
        return (self.alert.due_at - self.now).total_seconds()

    def _phones(self, persons: Iterable[int]) -> tuple[Contact, ...]:
        return tuple(contact for person in persons if person in self.reachable for contact in PHONES[person])


def _joined(before: Step, after: Step) -> Step:
    entries, pages = before.entries + after.entries, before.pages + after.pages
    return Step(after.alert, entries, pages, before.withdraw or after.withdraw)
