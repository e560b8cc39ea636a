"""Judging a batch: the rules of each device, in order of arrival, with the watches that what it said may concern."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from alerts.judge import Failure, judge_observation
from alerts.model import Heard, Judgement, Subject, Watch
from alerts.rules import Rule, nearest
from alerts.rules.missed import Missed
from gateway.doses import open_doses
from gateway.engine import Rulebook
from gateway.store import watches
from gateway.store.db import Connection

WATCHED_BACK = timedelta(days=3)
"""How old a dose may be for something said about it to still concern its watch."""


async def judge_batch(
    connection: Connection, heard: Sequence[tuple[Heard, str]], book: Rulebook, now: datetime, failures: list[Failure]
) -> Judgement:
    """What the rules make of a batch, in order; each sees the watches as the one before left them."""
    current = await _watches(connection, heard, book, now)
    total = Judgement()
    for each, kind in heard:
        zones = book.ancestry.get(each.subject.zone_id, ())
        rules = nearest(book.rules.get(kind, ()), kind, each.subject, zones)
        judged = judge_observation(each, rules, _by_rule(current.values(), each.subject, rules, book), failures)
        current |= {watch.key: watch for watch in judged.watches}
        total += judged
    return Judgement(tuple(current[key] for key in sorted({w.key for w in total.watches})), total.signals)


async def _watches(
    connection: Connection, heard: Sequence[tuple[Heard, str]], book: Rulebook, now: datetime
) -> dict[str, Watch]:
    """The watches that the batch may concern, by key; those of doses that have come due meanwhile are opened first."""
    relevant = _watched_types(book)
    concerned = sorted(
        {
            each.subject.device_id
            for each, kind in heard
            if each.subject.device_id is not None and each.observation.type in relevant.get(kind, frozenset())
        }
    )
    if not concerned:
        return {}
    schedules = await watches.schedules_of(connection, concerned)
    await open_doses(connection, [each for each in schedules if each.watched_until <= now], now, book)
    found = await watches.of_devices(connection, concerned, now - WATCHED_BACK)
    return {watch.key: watch for watch in found}


def _watched_types(book: Rulebook) -> dict[str, frozenset[str]]:
    """By kind, the event types that may concern a watch."""
    return {
        kind: frozenset(
            said for rule in rules if isinstance(rule.spec, Missed) for said in rule.spec.met_by + rule.spec.answered_by
        )
        for kind, rules in book.rules.items()
    }


def _by_rule(
    current: Iterable[Watch], subject: Subject, rules: Sequence[Rule], book: Rulebook
) -> dict[int, list[Watch]]:
    """The fitting's watches by the rule that applies now: outstanding ones follow a nearer rule of the same name.

    Another fitting of the same device was in another home: what is said in this one does not concern it.
    """
    by_name: dict[str, list[Watch]] = {}
    for watch in current:
        if watch.subject.installation_id == subject.installation_id and watch.rule_id in book.by_id:
            by_name.setdefault(book.by_id[watch.rule_id].spec.name, []).append(watch)
    return {rule.id: by_name.get(rule.spec.name, []) for rule in rules}
