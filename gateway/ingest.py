"""Ingest: one batch of messages, one transaction, no network call inside.

    decode (pure) → fence → stamp with device and fitting → drop what is known → gather → store → judge → settle commands → act

What is only written, and asked for nothing, goes to the database without waiting for its answer (a pipeline): a batch costs
five ways there and back, and not a dozen. What fails there is told at the next one, and how many rows a statement touched
is not known (``rowcount``): what has to know asks for a row (``RETURNING``). What was said is sent to be stored once all
that judging needs has been read: the database writes while we judge.

Only when it has committed may the batch be acknowledged. What cannot be decoded goes to quarantine, and is raised when
it came on an alarm topic. A message that makes storing fail (the database refuses its content or gives up over it, or we
have a bug) is found by halving the batch until it is alone, and is quarantined with the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import structlog

from alerts.judge import Failure, undecodable
from alerts.model import Judgement, Signal
from devices.dialects import dialect_of, dialects, lane_of
from devices.model import DecodeError, DeviceAddress, Lane, Message, Observation, Reason
from devices.value import made
from gateway import commanding, holding, judging, positions, register
from gateway.engine import act
from gateway.parts import let_others
from gateway.rate import Flood, signal_of
from gateway.register import Known
from gateway.rulebook import RulebookCache, Standing
from gateway.stamping import Read, note_signs, of_their_kind, subjects_of, take_new
from gateway.store import audit, observations, quarantine, sites
from gateway.store.audit import Changed
from gateway.store.db import Connection, Database, DatabaseGone, TooMuch, commit_behind
from gateway.store.quarantine import Quarantined
from gateway.store.sites import Site

log = structlog.get_logger()

STUBBORN_TRIES = 2
"""Further tries of a message over which the database gave up, before it counts as one that cannot be stored."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lane of a site that this process holds."""

    site: Site
    lane: Lane
    epoch: int


class Receipt(NamedTuple):
    """Our word to a device that its message is stored."""

    topic: str
    payload: bytes


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


@dataclass(slots=True)
class Batch:
    """Messages, and what they were decoded to: what could be read, and what could not; what another lane takes in is in
    neither. ``floods``: what the rate guard has held back of it."""

    messages: Sequence[Message] = ()
    read: list[Read] = field(default_factory=list)
    rejected: list[Quarantined] = field(default_factory=list)
    floods: list[Flood] = field(default_factory=list)

    @property
    def observed(self) -> list[Observation]:
        return [each.observation for each in self.read]


def decode(messages: Sequence[Message], lane: Lane) -> Batch:
    """What messages that came on a lane say. A lane whose topics do not tell what comes on them takes what is its own."""
    batch = Batch(messages)
    for message in messages:
        dialect = dialect_of(message.topic)
        try:
            said = dialect.decode(message)
        except DecodeError as error:
            if dialect.topics_tell or lane_of(error.message_class) is lane:
                batch.rejected.append(Quarantined(message, error))
            continue
        if dialect.topics_tell or lane_of(said.message_class) is lane:
            batch.read.append(made(Read, (message, said)))
    return batch


def joined(messages: Sequence[Message], parts: Iterable[Batch]) -> Batch:
    """A batch that was decoded in parts."""
    whole = Batch(messages)
    for part in parts:
        whole.read += part.read
        whole.rejected += part.rejected
    return whole


async def store_batch(database: Database, held: Held, batch: Batch, now: datetime, cache: RulebookCache) -> Stored:
    """Store a batch in one transaction. LaneLost when the lane is another's; DatabaseGone when there is no database."""
    messages = batch.messages
    try:
        return await database.run(lambda connection: _store(connection, held, batch, now, cache))
    except TooMuch as error:
        if not messages:
            raise
        if len(messages) == 1:
            return await _store_stubborn(database, held, messages[0], now, cache)
        log.warning("batch.halved", messages=len(messages), error=type(error).__name__)
    except (sites.LaneLost, *DatabaseGone):
        raise
    except Exception as error:
        if not messages:
            raise  # it is no message's fault
        if len(messages) == 1:
            return await _store_poison(database, held, messages[0], f"{type(error).__name__}: {error}", now, cache)
    middle = len(messages) // 2
    halves = [decode(each, held.lane) for each in (messages[:middle], messages[middle:])]
    halves[0].floods = batch.floods
    return _sum([await store_batch(database, held, each, now, cache) for each in halves])


async def _store(connection: Connection, held: Held, batch: Batch, now: datetime, cache: RulebookCache) -> Stored:
    async with connection.pipeline():
        fence = await sites.fence_asked(connection, held.site.id, held.lane, held.epoch)
        standing = await cache.standing(connection)
        await fence.is_held()
        stored = await take_in(connection, held.site, batch, now, standing)
        await commit_behind(connection)
        return stored


async def take_in(connection: Connection, site: Site, batch: Batch, now: datetime, standing: Standing) -> Stored:
    """All that becomes of a batch of a site, within the caller's transaction."""
    book = standing.book
    known = await standing.register.speakers(connection, site, batch.observed, now)
    observed, mismatched = of_their_kind(batch.read, known)
    rejected = [*batch.rejected, *mismatched]
    spoke = _spoke(batch, rejected)
    known |= await standing.register.known(connection, site, spoke, now)
    heard, stamped = await take_new(connection, observed, known, now)
    await let_others(heard)
    await note_signs(connection, observed, known, spoke)
    await let_others(observed)
    failures: list[Failure] = []
    alive = await holding.look_for_life(connection, heard, now)
    case = await judging.gather(connection, heard, book, now)
    await let_others(heard)
    await observations.add(connection, stamped)  # the database is at it while we judge
    judged = await judging.judge(case, book, failures)
    refused = await _quarantine(connection, site, known, rejected)
    await judging.save(connection, judged)
    receipts = dict.fromkeys(each for each in _receipts(batch, rejected) if each is not None)
    signals: list[Signal] = [
        *judged.signals,
        *(signal for each in refused for signal in each.signals),
        *await _of_floods(connection, known, batch.floods),
        *await holding.signs_of_life(connection, alive, now),
    ]
    changed = await commanding.hear(connection, heard, signals, now, book)
    changed |= await act(connection, signals, now, book)
    changed |= await positions.noticed(connection, observed, known, now)
    await audit.announce(connection, changed)
    return Stored(
        total=len(batch.read) + len(batch.rejected),
        new=len(heard),
        quarantined=len(rejected),
        receipts=tuple(receipts),
        failures=tuple(failures),
        changed=changed,
        held_back=sum(each.held_back for each in batch.floods),
    )


def _spoke(batch: Batch, rejected: Sequence[Quarantined]) -> dict[DeviceAddress, datetime]:
    """When devices last said something that is not stored as said: they are alive all the same."""
    refused = [(each.error.device, each.message.received_at) for each in rejected if each.error.device is not None]
    held_back = [(each.device, each.at) for each in batch.floods]
    return dict(sorted([*refused, *held_back], key=lambda each: each[1]))


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


async def _store_stubborn(
    database: Database, held: Held, message: Message, now: datetime, cache: RulebookCache
) -> Stored:
    """A message by itself that the database gave up over. Perhaps it was busy: it gets other tries. Where it can store
    that the message could not be stored, and still not the message, the message is at fault; else TooMuch, and all waits.
    """
    batch, told = decode([message], held.lane), ""
    for left in reversed(range(STUBBORN_TRIES)):
        try:
            return await database.run(lambda connection: _store(connection, held, batch, now, cache))
        except TooMuch as error:
            told = f"{type(error).__name__}: {str(error).strip()}"
            log.warning("message.too_much", topic=message.topic, error=told, tries_left=left)
    return await _store_poison(database, held, message, told, now, cache)


async def _store_poison(
    database: Database, held: Held, message: Message, error: str, now: datetime, cache: RulebookCache
) -> Stored:
    """A message that cannot be stored as what it is."""
    origin = decode([message], held.lane)
    said = origin.observed[0] if origin.read else None
    reason = DecodeError(
        Reason.POISON,
        error,
        said.device if said else None,
        said.kind if said else None,
        said.message_class if said else origin.rejected[0].error.message_class,
        said.message_id if said else None,
    )
    batch = Batch([message], rejected=[Quarantined(message, reason)])
    return await database.run(lambda connection: _store(connection, held, batch, now, cache))


def _receipts(batch: Batch, rejected: Sequence[Quarantined]) -> Iterable[Receipt | None]:
    """For all that is stored now and has a readable id: also what was stored before, and what is in quarantine."""
    for _, said in batch.read:
        if said.message_id is not None:
            yield _receipt(said.device, said.kind, said.message_id)
    for each in rejected:
        error = each.error
        if error.device is not None and error.kind is not None and error.message_id is not None:
            yield _receipt(error.device, error.kind, error.message_id)


def _receipt(device: DeviceAddress, kind: str, message_id: str) -> Receipt | None:
    """None where the ecosystem has none."""
    found = dialects()[device.ecosystem].receipt(device, kind, message_id)
    return Receipt(*found) if found is not None else None


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
