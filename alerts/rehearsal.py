"""Who would be paged: an alert that nobody answers, climbing its ladder at some time, by the code that pages. Pure.

Rules
    Every step is taken by ``alerts.escalation``; nothing of it is told twice. It ends where the last step repeats, or where
    nobody at all can be reached.
    Whom a step misses, and why, comes from ``alerts.finding`` at the time at which the step fires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.alert import Alert, Contact, Page, Raised, Step, TimePassed
from alerts.escalation import step
from alerts.finding import Missed, Staff, find, people
from alerts.model import Entry, Severity
from alerts.policy import Policy

PAGED = frozenset({"step_reached", "step_repeated", "step_skipped", "nobody_reachable"})
"""Entries that tell of a step."""


@dataclass(frozen=True, slots=True)
class Rung:
    """What happens at a time. ``code``: of the timeline's entry; ``step``, ``round``: from 0, None where it is no step's.
    ``pages`` are sent, each its ``after`` later, ``missed`` are meant by the step and not reached."""

    at: datetime
    code: str
    step: int | None
    round: int
    pages: tuple[Page, ...]
    missed: tuple[tuple[int, Missed], ...]

    @property
    def contacts(self) -> tuple[Contact, ...]:
        return tuple(each.contact for each in self.pages)


def rehearse(policy: Policy, severity: Severity, at: datetime, staff: Staff) -> tuple[Rung, ...]:
    """All that happens from an alert's raising until its last step repeats."""
    alert, now, rungs = Alert(policy, severity), at, list[Rung]()
    happens: Raised | TimePassed = Raised()
    while alert.exhausted_at is None:
        outcome = step(alert, happens, now, people(policy, staff, now))
        assert isinstance(outcome, Step)
        rungs += _rungs(policy, outcome, now, staff)
        alert, happens = outcome.alert, TimePassed()
        now = alert.due_at or now
    return tuple(rungs)


def _rungs(policy: Policy, outcome: Step, now: datetime, staff: Staff) -> Sequence[Rung]:
    told = [entry for entry in outcome.entries if entry.code in PAGED]
    return [_rung(policy, entry, outcome, now, staff) for entry in told]


def _rung(policy: Policy, entry: Entry, outcome: Step, now: datetime, staff: Staff) -> Rung:
    number = entry.params.get("step")
    missed = find(policy.steps[number], policy.track, staff, now).missed if isinstance(number, int) else ()
    pages = outcome.pages if "attempt" in entry.params else ()
    called = {each.contact.person_id for each in pages}
    left_out = tuple((person, why) for person, why in missed if person not in called)
    return Rung(now, entry.code, number, entry.params.get("round", 0), pages, left_out)
