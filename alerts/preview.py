"""Preview: what a changed rule would have raised, beside what the rules of its name as they are would have. Pure.

Theory
    The same story is replayed twice by the code that judges live, under the rules of one name only: once as they are, once
    with the changed one among them. An alert is in both where the same device said the same at the same time – or failed
    to – whenever it was raised.
    An alarm that no rule understands any more would be raised as such, so it counts: unless a rule of another name raises
    it at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from alerts.judge import RULE_FAILED, UNINTERPRETABLE
from alerts.replay import Replayed, Story, Told, replay
from alerts.rulebook import Rulebook
from alerts.rules import Rule
from alerts.rules.immediate import Immediate
from alerts.rules.window import Window
from alerts.schedule import ONE_DAY

EDITED = -1
"""The id of a changed rule that is not stored yet."""


@dataclass(frozen=True, slots=True)
class Compared:
    """``before``, ``after``: the alerts in order of time. ``only_before``, ``only_after``: those without a counterpart.
    ``crashed``: rules that failed in the replay, by name."""

    before: Sequence[Told]
    after: Sequence[Told]
    only_before: Sequence[Told]
    only_after: Sequence[Told]
    crashed: Sequence[str] = ()


def edited(book: Rulebook, rule: Rule) -> Rulebook:
    """The book with a rule set in it, in the place of the one with its id or set for the same."""
    here = [each for each in book.rules.get(rule.kind, ()) if not _same_place(each, rule)]
    return Rulebook({**book.rules, rule.kind: [*here, rule]}, book.ancestry, book.local)


def compare(stories: Sequence[Story], book: Rulebook, rule: Rule, since: datetime) -> Compared:
    """What the stories of some sites come to under the book as it is, and with the rule set in it, from ``since`` on."""
    before, failed = _raised(stories, book, rule, since)
    after, failed_too = _raised(stories, edited(book, rule), rule, since)
    common = {_about(each) for each in before} & {_about(each) for each in after}
    return Compared(
        before,
        after,
        [each for each in before if _about(each) not in common],
        [each for each in after if _about(each) not in common],
        sorted({*failed, *failed_too}),
    )


def days(since: datetime, until: datetime, book: Rulebook) -> list[date]:
    """Every local day of a time."""
    first, last = since.astimezone(book.local).date(), until.astimezone(book.local).date()
    return [first + timedelta(days=number) for number in range((last - first) // ONE_DAY + 1)]


def per_day(alerts: Iterable[Told], book: Rulebook) -> Mapping[date, int]:
    """How many on each local day that had any."""
    found: dict[date, int] = {}
    for each in alerts:
        day = each.raised_at.astimezone(book.local).date()
        found[day] = found.get(day, 0) + 1
    return found


def _raised(stories: Sequence[Story], book: Rulebook, rule: Rule, since: datetime) -> tuple[list[Told], frozenset[str]]:
    of_name = [each for each in book.rules.get(rule.kind, ()) if each.spec.name == rule.spec.name]
    own = Rulebook({rule.kind: of_name}, book.ancestry, book.local)
    found = [replay(story, own) for story in stories]
    alerts = [each for result in found for each in result.alerts if each.raised_at >= since]
    shown = [each for each in alerts if _counts(each, rule, book)]
    return sorted(shown, key=lambda each: each.raised_at), _failed(found)


def _failed(found: Iterable[Replayed]) -> frozenset[str]:
    return frozenset(failure.rule for each in found for failure in each.failures)


def _counts(told: Told, rule: Rule, book: Rulebook) -> bool:
    """Whether the alert is one of the rule's name, or an alarm that nobody understands without it."""
    first = told.first
    if first.condition == UNINTERPRETABLE:
        others = book.applying(rule.kind, first.subject)
        return not any(
            isinstance(each.spec, Immediate | Window) and first.evidence.type in each.spec.on
            for each in others
            if each.spec.name != rule.spec.name
        )
    return first.rule_id is not None and first.condition != RULE_FAILED


def _about(told: Told) -> tuple[str, str, datetime]:
    evidence = told.first.evidence
    return told.first.subject.scope, evidence.type, evidence.occurred_at


def _same_place(each: Rule, rule: Rule) -> bool:
    return each.id == rule.id or (
        each.spec.name == rule.spec.name
        and (each.zone_id, each.resident_id, each.device_id) == (rule.zone_id, rule.resident_id, rule.device_id)
    )
