"""Judging a batch: gather the watches and words that it may concern, then judge it in order of arrival (pure).

Watches that a rule begins in this transaction are inserted, not merged: where another lane has begun the same one
meanwhile, the transaction is tried again and sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.judge import Concern, Failure, Ledger, concern, judge_concern
from alerts.model import NOTHING, Heard, Signal, Watch
from alerts.rulebook import Rulebook
from alerts.rules import ANY, OUTSTANDING, LastWord
from gateway.doses import open_doses
from gateway.parts import DONE_AHEAD, let_others, parted
from gateway.store import watches, words
from gateway.store.db import Asked, Connection
from gateway.store.watches import Wish
from gateway.store.words import Words

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


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be judged, in order, and the watches and words that it may concern."""

    concerns: Sequence[Concern]
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Concerns:
    """What a batch may concern, message by message, and what has to be read of it."""

    each: Sequence[Concern]
    needed: _Needed


async def concerns(heard: Sequence[Heard], book: Rulebook) -> Concerns:
    """As the rulebook has it; the database is not asked."""
    found: list[Concern] = []
    for part in parted(heard):
        found += [concern(each, book) for each in part]
        await let_others(part, DONE_AHEAD)
    return Concerns(found, _needed(found))


@dataclass(frozen=True, slots=True)
class Asking:
    """What a batch concerns, and that the watches and words were asked for that it is judged with."""

    concerns: Sequence[Concern]
    watches: Asked[list[Watch]] | None
    words: Asked[Words] | None

    async def told(self) -> Case:
        found = await self.watches.told() if self.watches is not None else []
        home = await self.words.told() if self.words is not None else {}
        return Case(self.concerns, Ledger({watch.key: watch for watch in found}, home))


async def ask(connection: Connection, concerned: Concerns, book: Rulebook, now: datetime) -> Asking:
    """Ask for what a batch is judged with. The watches are locked; those of doses that have come due are opened first."""
    needed = concerned.needed
    asked = await words.of_homes(connection, needed.asking, book.asked_for) if needed.asking else None
    if needed.dosing:
        schedules = await watches.schedules_of(connection, sorted(needed.dosing), now)
        await open_doses(connection, [each for each in schedules if each.watched_until <= now], now, book)
    wish = Wish(needed.keys, needed.outstanding, needed.dosing, now - WATCHED_BACK, needed.listening)
    return Asking(concerned.each, await watches.wanted(connection, wish) if wish.anything else None, asked)


async def judge(case: Case, book: Rulebook, failures: list[Failure]) -> Judged:
    """What the rules make of a batch; each message sees watches and words as the one before left them."""
    ledger = case.ledger
    known = frozenset(ledger.watches)
    signals: list[Signal] = []
    touched: set[str] = set()
    for some in parted(case.concerns):
        for concerned in some:
            judged = judge_concern(concerned, book, ledger, failures)
            if judged is not NOTHING:
                touched |= {watch.key for watch in judged.watches}
                signals += judged.signals
        await let_others(some)
    return Judged(
        begun=[ledger.watches[key] for key in sorted(touched - known)],
        moved=[ledger.watches[key] for key in sorted(touched & known)],
        words=_words(case.concerns),
        signals=signals,
    )


async def begin(connection: Connection, judged: Judged) -> None:
    """Store the watches that are new, and the homes' last words, before the signals are acted on. UniqueViolation (and another
    try) where another transaction has begun one of the watches."""
    await watches.add(connection, judged.begun)
    await words.save(connection, judged.words)


async def save(connection: Connection, judged: Judged) -> None:
    """Store how the watches stand that were locked. Nobody waits for them: it is the last thing a batch writes, so that what is
    asked before it is answered before it."""
    await watches.save(connection, judged.moved)


def _needed(concerns: Sequence[Concern]) -> _Needed:
    needed = _Needed()
    keys, outstanding = needed.keys.add, needed.outstanding.add
    for each in concerns:
        subject, hearing = each.heard.subject, each.hearing
        home = subject.dwelling_id
        if home is not None and hearing.awaited:
            needed.listening.add(home)
        if home is not None and hearing.looks:
            needed.asking.add(home)
        for _, wanted, key in each.asked:
            if wanted is OUTSTANDING:
                outstanding(key)
            elif wanted is ANY and key:
                keys(key)
            elif wanted is ANY and subject.device_id is not None:
                needed.dosing.add(subject.device_id)
    return needed


def _words(concerns: Sequence[Concern]) -> dict[tuple[int, str], LastWord]:
    """The newest of each home and word that some rule asks for."""
    found: dict[tuple[int, str], LastWord] = {}
    for each in concerns:
        hearing, home = each.hearing, each.heard.subject.dwelling_id
        if hearing.kept and home is not None:
            said = each.heard.observation
            last = LastWord(said.occurred_at, said.received_at)
            found[home, hearing.word] = max(found.get((home, hearing.word), last), last, key=lambda word: word.rank)
    return found
