"""Ingest: one batch of messages, one transaction, no network call inside.

    decode (pure) → stamp with device and fitting → drop what is known → store → our turn (``gateway/turns.py``) → fence →
    gather → judge → settle commands → act

What is only written, and asked for nothing, goes to the database without waiting for its answer (a pipeline): a batch costs
five ways there and back, and not a dozen. What fails there is told at the next one, and how many rows a statement touched
is not known (``rowcount``): what has to know asks for a row (``RETURNING``). What was said is sent to be stored before our
turn has come: the database writes it while the batch before is judged.

Only when it has committed may the batch be acknowledged. What cannot be decoded goes to quarantine, and is raised when
it came on an alarm topic. A message that makes storing fail (the database refuses its content or gives up over it, or we
have a bug) is found by halving the batch until it is alone, and is quarantined with the error. Where an alarm cannot even be
raised as its home's, it is raised as its site's; and where that fails, nothing is acknowledged, and /health is red.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from alerts.judge import Failure, undecodable
from alerts.model import Heard, Judgement, Signal
from alerts.rulebook import Rulebook
from devices.model import Lane, Observation
from gateway import commanding, holding, judging, positions, register
from gateway.batches import Batch, Receipt, halved, poisoned, receipts_for, spoken
from gateway.engine import act
from gateway.judging import Concerns
from gateway.parts import DONE_AHEAD, let_others
from gateway.rate import Flood, signal_of
from gateway.register import Known
from gateway.rulebook import RulebookCache, Standing
from gateway.stamping import Names, Signs, note_signs, of_their_kind, signs_in, subjects_of, take_new
from gateway.store import audit, observations, quarantine, sites
from gateway.store.audit import Changed
from gateway.store.db import Connection, Database, DatabaseGone, TooMuch, commit_behind, has_committed, told_of
from gateway.store.quarantine import Quarantined
from gateway.store.sites import Site
from gateway.turns import Stumbled, Turn

log = structlog.get_logger()

STUBBORN_TRIES = 2
"""Further tries of a message over which the database gave up, before it counts as one that cannot be stored."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lane of a site that this process holds."""

    site: Site
    lane: Lane
    epoch: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch. ``new`` of ``total`` were not known; ``failures`` are rules that crashed; ``held_back``
    was not taken, by the rate guard."""

    total: int
    new: int
    quarantined: int
    receipts: tuple[Receipt, ...]
    failures: tuple[Failure, ...]
    changed: Changed
    held_back: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """A batch that was looked at: the devices that speak, what was said by those that are what they say they are, what was
    refused, how devices are by it, and what is new, what it names, and what of the rulebook and the database it concerns."""

    batch: Batch
    known: Known
    observed: Sequence[Observation]
    rejected: Sequence[Quarantined]
    signs: Signs
    heard: Sequence[Heard]
    names: Names
    concerns: Concerns


async def store_batch(
    database: Database, held: Held, batch: Batch, now: datetime, cache: RulebookCache, turn: Turn | None = None
) -> Stored:
    """Store a batch in one transaction, and in its turn. LaneLost when the lane is another's; DatabaseGone when there is no
    database; Stumbled when the batch before it has to be stored first."""
    way = _Way(database, held, now, cache, turn or Turn())
    return await _stored(way, batch)


@dataclass(frozen=True, slots=True)
class _Way:
    """How batches are stored, each in a transaction of its own: where, by whom, when, by which rules, in which turn."""

    database: Database
    held: Held
    now: datetime
    cache: RulebookCache
    turn: Turn

    async def store(self, batch: Batch) -> Stored:
        return await self.database.run(lambda connection: _store(connection, self, batch))


async def _stored(way: _Way, batch: Batch) -> Stored:
    """Where storing fails, in halves: until the message that is at fault is alone."""
    ours, count = bool(batch.read or batch.rejected), len(batch.messages)
    try:
        return await way.store(batch)
    except TooMuch as error:
        if not ours:
            raise
        if count == 1:
            return await _stubborn(way, batch)
        log.warning("batch.halved", messages=count, error=type(error).__name__)
    except (sites.LaneLost, Stumbled, *DatabaseGone):
        raise
    except Exception as error:
        if not ours:
            raise  # it is no message's fault
        if count == 1:
            return await _poison(way, batch, told_of(error))
    return _sum([await _stored(way, each) for each in halved(batch)])


async def _store(connection: Connection, way: _Way, batch: Batch) -> Stored:
    held, turn = way.held, way.turn
    try:
        async with connection.pipeline():
            fence = await _fence(connection, held) if turn.has_come else None
            standing = await way.cache.standing(connection)
            if fence is not None:
                await fence.is_held()
            looked = await look(connection, held.site, batch, way.now, standing, turn.just_named)
            turn.looked(looked.names)
            if fence is None:
                await _come(connection, held, standing, turn)
            stored = await take_in(connection, held.site, looked, way.now, standing.book)
            commit = await commit_behind(connection)
        has_committed(commit)
        return stored
    except BaseException:
        turn.stumbles()
        raise


async def _come(connection: Connection, held: Held, standing: Standing, turn: Turn) -> None:
    """Wait for our turn; from then on the lane is held. Stumbled where what was looked at does not stand any more: a device was
    moved meanwhile, say, or a rule set, or somebody erased."""
    await turn.comes()
    fence = await _fence(connection, held)
    stands = await standing.still_stands(connection)
    await fence.is_held()
    if not stands:
        raise Stumbled


async def _fence(connection: Connection, held: Held) -> sites.Fence:
    return await sites.fence_asked(connection, held.site.id, held.lane, held.epoch)


async def look(
    connection: Connection, site: Site, batch: Batch, now: datetime, standing: Standing, just_named: Names = frozenset()
) -> Looked:
    """Store what was said: who speaks, what of it is new, and what it may concern. Nothing that others may wait for is locked
    by it, but what was said itself, and devices that nobody has registered."""
    known = await standing.register.speakers(connection, site, batch.observed, now)
    observed, mismatched = of_their_kind(batch.read, known)
    rejected = [*batch.rejected, *mismatched]
    spoke = spoken(batch, rejected)
    concerned = {*spoke, *(each.device for each in batch.floods)}
    known |= await standing.register.known(connection, site, concerned, now)
    heard, stamped, names = await take_new(connection, observed, known, now, just_named)
    await let_others(heard, DONE_AHEAD)
    await observations.add(connection, stamped)
    signs = signs_in(observed, known, spoke)
    await let_others(heard, DONE_AHEAD)
    concerns = await judging.concerns(heard, standing.book)
    return Looked(batch, known, observed, rejected, signs, heard, names, concerns)


async def take_in(connection: Connection, site: Site, looked: Looked, now: datetime, book: Rulebook) -> Stored:
    """All that becomes of a batch of a site that was looked at, within the caller's transaction."""
    batch, known, observed, rejected, heard = looked.batch, looked.known, looked.observed, looked.rejected, looked.heard
    await note_signs(connection, looked.signs)
    await let_others(observed)
    failures: list[Failure] = []
    alive = await holding.look_for_life(connection, heard, now)
    case = await (await judging.ask(connection, looked.concerns, book, now)).told()
    judged = await judging.judge(case, book, failures)
    refused = await _quarantine(connection, site, known, rejected)
    await judging.begin(connection, judged)
    signals: list[Signal] = [
        *judged.signals,
        *(signal for each in refused for signal in each.signals),
        *await _of_floods(connection, known, batch.floods),
        *await holding.signs_of_life(connection, alive, now),
    ]
    changed = await commanding.hear(connection, heard, signals, now, book)
    changed |= await act(connection, signals, now, book)
    changed |= await positions.noticed(connection, observed, known, now)
    await judging.save(connection, judged)
    await audit.announce(connection, changed)
    return Stored(
        total=len(batch.read) + len(batch.rejected),
        new=len(heard),
        quarantined=len(rejected),
        receipts=receipts_for(batch, rejected),
        failures=tuple(failures),
        changed=changed,
        held_back=sum(each.held_back for each in batch.floods),
    )


async def _of_floods(connection: Connection, known: Known, floods: Sequence[Flood]) -> list[Signal]:
    """Of devices that there are; one that nobody has ever heard of may begin with its first word."""
    flooding = [each for each in floods if each.device in known]
    devices = [known[each.device] for each in flooding]
    subjects = await register.subjects(connection, devices, [each.at for each in flooding])
    told = map(signal_of, flooding, subjects)
    return [each for each in told if each is not None]


async def _quarantine(
    connection: Connection, site: Site, known: Known, rejected: Sequence[Quarantined]
) -> list[Judgement]:
    """Store what could not be read; answers what is to be raised of what is new."""
    new = [each for each in rejected if await quarantine.add(connection, site.id, each)]
    subjects = await subjects_of(connection, site, known, new)
    return [undecodable(each.message, each.error, subject) for each, subject in zip(new, subjects, strict=True)]


async def _stubborn(way: _Way, batch: Batch) -> Stored:
    """A message by itself that the database gave up over. Perhaps it was busy: it gets other tries. Where it can store
    that the message could not be stored, and still not the message, the message is at fault; else TooMuch, and all waits.
    """
    told = ""
    for left in reversed(range(STUBBORN_TRIES)):
        try:
            return await way.store(batch)
        except TooMuch as error:
            told = told_of(error)
            log.warning("message.too_much", topic=batch.messages[0].topic, error=told, tries_left=left)
    return await _poison(way, batch, told)


async def _poison(way: _Way, batch: Batch, told: str) -> Stored:
    """A message by itself that cannot be stored as what it is. An alarm that cannot be raised as its home's is its site's."""
    try:
        return await way.store(poisoned(batch, told))
    except (sites.LaneLost, Stumbled, *TooMuch, *DatabaseGone):
        raise
    except Exception as error:  # noqa: BLE001 - what is at fault is known; its text may quote a row
        again = told_of(error)
        log.error("message.not_raised", topic=batch.messages[0].topic, error=again)
        return await way.store(poisoned(batch, f"{told}; and to raise it as its home's: {again}", of_site=True))


def _sum(parts: Sequence[Stored]) -> Stored:
    changed = Changed()
    for part in parts:
        changed |= part.changed
    return Stored(
        total=sum(part.total for part in parts),
        new=sum(part.new for part in parts),
        quarantined=sum(part.quarantined for part in parts),
        receipts=tuple(receipt for part in parts for receipt in part.receipts),
        failures=tuple(failure for part in parts for failure in part.failures),
        changed=changed,
        held_back=sum(part.held_back for part in parts),
    )
