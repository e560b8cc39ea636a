"""Dose watches: every planned dose has one before anything can be said, or not said, about it.

The next dose of a schedule always exists as a watch. After an outage all doses that were planned meanwhile get theirs
before anything is judged, so that what a dispenser kept and sends late finds the dose it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.model import Watch
from alerts.rulebook import Rulebook
from alerts.rules import Rule
from alerts.rules.dose import Dose
from alerts.schedule import doses
from gateway.store import watches
from gateway.store.db import Connection
from gateway.store.watches import Schedule

LOOK_BACK = timedelta(days=7)
"""A schedule that nobody has watched for longer starts afresh: older doses are history."""
LOOK_AGAIN = timedelta(hours=1)
"""How long a schedule that no rule waits for rests; a rule that is set again wakes it by itself."""
JUST_BEFORE = timedelta(microseconds=1)


async def open_doses(connection: Connection, schedules: Sequence[Schedule], now: datetime, book: Rulebook) -> int:
    """Open the watches that these locked schedules lack, up to the first dose beyond now. How many."""
    opened: list[Watch] = []
    moved: list[tuple[int, datetime]] = []
    for schedule in schedules:
        rule = _rule(schedule, book)
        if rule is None and book.unreadable:
            continue  # nobody here can say how long to wait: what is planned meanwhile is opened when somebody can
        after = max(schedule.watched_until, now - LOOK_BACK, schedule.fitted_since or now - LOOK_BACK)
        planned = doses(schedule.plan, after, now, book.local)
        if rule is None or not isinstance(rule.spec, Dose):
            moved.append((schedule.id, _before(planned, now)))
            continue
        spec, subject = rule.spec, schedule.subject
        opened += [spec.open(rule.id, subject, schedule.id, at, schedule.grace_seconds) for at in planned]
        moved.append((schedule.id, planned[-1] if planned else now))
    await watches.open_new(connection, opened)
    await watches.set_watched_until(connection, moved)
    return len(opened)


def _before(planned: Sequence[datetime], now: datetime) -> datetime:
    """When to look again at a schedule that no rule waits for: soon, and before its next dose, or that would be passed by."""
    soon = now + LOOK_AGAIN
    return min(soon, planned[-1] - JUST_BEFORE) if planned else soon


def _rule(schedule: Schedule, book: Rulebook) -> Rule | None:
    """The rule that says how long to wait for a dose of this schedule."""
    found = book.applying(schedule.kind, schedule.subject)
    return next((rule for rule in found if isinstance(rule.spec, Dose)), None)
