"""Judging a batch: gather the watches and words that it may concern, then judge it in order of arrival (pure).

Watches that a rule begins in this transaction are inserted, not merged: where another lane has begun the same one
meanwhile, the transaction is tried again and sees it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.judge import Failure, Ledger, judge_heard
from alerts.model import Heard, Signal, Watch
from alerts.rulebook import Rulebook
from alerts.rules import LastWord, Wanted, word_of
from alerts.rules.dose import Dose
from gateway.doses import open_doses
from gateway.store import watches, words
from gateway.store.db import Connection
from gateway.store.watches import Wish

WATCHED_BACK = timedelta(days=3)
"""How old a dose may be for something said about it to still concern its watch."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be saved and done: watches that are new, watches that have changed, the homes' last words, signals."""

    begun: Sequence[Watch] = ()
    moved: Sequence[Watch] = ()
    words: Mapping[tuple[int, str], LastWord] = field(default_factory=dict)
    signals: Sequence[Signal] = ()


@dataclass(slots=True)
class _Needed:
    """What has to be read before a batch can be judged."""

    keys: set[str] = field(default_factory=set)
    outstanding: set[str] = field(default_factory=set)
    dosing: set[int] = field(default_factory=set)
    listening: set[int] = field(default_factory=set)
    asking: set[int] = field(default_factory=set)


async def judge_batch(
    connection: Connection, heard: Sequence[Heard], book: Rulebook, now: datetime, failures: list[Failure]
) -> Judged:
    """What the rules make of a batch, in order; each sees watches and words as the one before left them."""
    ledger = await _gather(connection, heard, book, now)
    known = frozenset(ledger.watches)
    signals: list[Signal] = []
    touched: set[str] = set()
    for each in heard:
        judged = judge_heard(each, book, ledger, failures)
        touched |= {watch.key for watch in judged.watches}
        signals += judged.signals
    return Judged(
        begun=[ledger.watches[key] for key in sorted(touched - known)],
        moved=[ledger.watches[key] for key in sorted(touched & known)],
        words=_words(heard, book),
        signals=signals,
    )


async def save(connection: Connection, judged: Judged) -> None:
    """Store it, before the signals are acted on. UniqueViolation (and another try) where another transaction has begun one
    of the watches."""
    await watches.save(connection, judged.moved)
    await watches.add(connection, judged.begun)
    await words.save(connection, judged.words)


async def _gather(connection: Connection, heard: Sequence[Heard], book: Rulebook, now: datetime) -> Ledger:
    """The watches are locked; those of doses that have come due are opened first."""
    needed = _needed(heard, book)
    said = await words.of_homes(connection, needed.asking, book.asked_for) if needed.asking else {}
    if needed.dosing:
        schedules = await watches.schedules_of(connection, sorted(needed.dosing), now)
        await open_doses(connection, [each for each in schedules if each.watched_until <= now], now, book)
    wish = Wish(needed.keys, needed.outstanding, needed.dosing, now - WATCHED_BACK, needed.listening)
    found = await watches.wanted(connection, wish) if wish.anything else []
    return Ledger({watch.key: watch for watch in found}, said)


def _needed(heard: Sequence[Heard], book: Rulebook) -> _Needed:
    needed = _Needed()
    for each in heard:
        said, subject = each.observation, each.subject
        word = word_of(said)
        if subject.dwelling_id is not None:
            needed.listening |= {subject.dwelling_id} if word in book.listened_for else set()
            needed.asking |= {subject.dwelling_id} if word in book.asked_on else set()
        for rule in book.hearing(said.kind, subject, said.type):
            if isinstance(rule.spec, Dose):
                needed.dosing |= {subject.device_id} - {None}  # type: ignore[arg-type]
                continue
            wanted = rule.spec.wants(said)
            if wanted is Wanted.ANY:
                needed.keys.add(rule.spec.watch_key(subject))
            elif wanted is Wanted.OUTSTANDING:
                needed.outstanding.add(rule.spec.watch_key(subject))
    return needed


def _words(heard: Sequence[Heard], book: Rulebook) -> dict[tuple[int, str], LastWord]:
    """The newest of each home and word that some rule asks for."""
    found: dict[tuple[int, str], LastWord] = {}
    for home, word, last in _asked_for(heard, book.asked_for):
        found[home, word] = max(found.get((home, word), last), last, key=lambda each: each.rank)
    return found


def _asked_for(heard: Sequence[Heard], asked_for: Collection[str]) -> Iterator[tuple[int, str, LastWord]]:
    for each in heard:
        said, word = each.observation, word_of(each.observation)
        if each.subject.dwelling_id is not None and word in asked_for:
            yield each.subject.dwelling_id, word, LastWord(said.occurred_at, said.received_at)
