"""Ingest: one batch of messages, one transaction, no network call inside.

    decode (pure) → fence → stamp with device and fitting → drop what is known → store → judge → settle commands → act

Only when it has committed may the batch be acknowledged. What cannot be decoded goes to quarantine, and is raised when
it came on an alarm topic. A message that makes storing fail (the database refuses its content or gives up over it, or we
have a bug) is found by halving the batch until it is alone, and is quarantined with the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from alerts.judge import Failure, undecodable
from alerts.model import Judgement, Signal
from devices.dialects import dialect_of, dialects
from devices.model import DecodeError, Lane, Message, Observation, Reason
from gateway import commanding, judging, positions
from gateway.engine import act
from gateway.rulebook import RulebookCache
from gateway.stamping import Read, note_signs, of_their_kind, speakers, store_new, subjects_of
from gateway.store import audit, quarantine, sites
from gateway.store.audit import Changed
from gateway.store.db import Connection, Database, DatabaseGone, TooMuch
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


@dataclass(frozen=True, slots=True)
class Receipt:
    """Our word to a device that its message is stored."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch. ``new`` of ``total`` were not known; ``failures`` are rules that crashed."""

    total: int
    new: int
    quarantined: int
    receipts: tuple[Receipt, ...]
    failures: tuple[Failure, ...]
    changed: Changed


@dataclass(slots=True)
class Batch:
    """A decoded batch: what could be read, and what could not."""

    read: list[Read] = field(default_factory=list)
    rejected: list[Quarantined] = field(default_factory=list)

    @property
    def observed(self) -> list[Observation]:
        return [each.observation for each in self.read]


async def store_batch(
    database: Database, held: Held, messages: Sequence[Message], now: datetime, cache: RulebookCache
) -> Stored:
    """Store a batch in one transaction. LaneLost when the lane is another's; DatabaseGone when there is no database."""
    batch = _decode(messages)
    try:
        return await database.run(lambda connection: _store(connection, held, batch, now, cache))
    except TooMuch as error:
        if len(messages) == 1:
            return await _store_stubborn(database, held, messages[0], now, cache)
        log.warning("batch.halved", messages=len(messages), error=type(error).__name__)
    except (sites.LaneLost, *DatabaseGone):
        raise
    except Exception as error:  # noqa: BLE001 - whatever one message does must not hold up the others
        if len(messages) == 1:
            return await _store_poison(database, held, messages[0], f"{type(error).__name__}: {error}", now, cache)
    half = len(messages) // 2
    parts = [await store_batch(database, held, each, now, cache) for each in (messages[:half], messages[half:])]
    return _sum(parts)


def _decode(messages: Iterable[Message]) -> Batch:
    batch = Batch()
    for message in messages:
        try:
            batch.read.append(Read(message, dialect_of(message.topic).decode(message)))
        except DecodeError as error:
            batch.rejected.append(Quarantined(message, error))
    return batch


async def _store(connection: Connection, held: Held, batch: Batch, now: datetime, cache: RulebookCache) -> Stored:
    await sites.fence(connection, held.site.id, held.lane, held.epoch)
    return await take_in(connection, held.site, batch, now, cache)


async def take_in(connection: Connection, site: Site, batch: Batch, now: datetime, cache: RulebookCache) -> Stored:
    """All that becomes of a batch of a site, within the caller's transaction."""
    book = await cache.read(connection)
    known = await speakers(connection, site, batch.observed)
    observed, mismatched = of_their_kind(batch.read, known)
    rejected = [*batch.rejected, *mismatched]
    heard = await store_new(connection, observed, known, now)
    await note_signs(connection, site, observed, known, rejected)
    failures: list[Failure] = []
    judged = await judging.judge_batch(connection, heard, book, now, failures)
    refused = await _quarantine(connection, site, rejected)
    await judging.save(connection, judged)
    signals: list[Signal] = [*judged.signals, *(signal for each in refused for signal in each.signals)]
    changed = await commanding.hear(connection, heard, signals, now, book)
    changed |= await act(connection, signals, now, book)
    changed |= await positions.noticed(connection, observed, known, now)
    await audit.announce(connection, changed)
    receipts = tuple(_receipts(batch, rejected))
    return Stored(
        total=len(batch.read) + len(batch.rejected),
        new=len(heard),
        quarantined=len(rejected),
        receipts=receipts,
        failures=tuple(failures),
        changed=changed,
    )


async def _quarantine(connection: Connection, site: Site, rejected: Sequence[Quarantined]) -> list[Judgement]:
    """Store what could not be read; answers what is to be raised of what is new."""
    new = [each for each in rejected if await quarantine.add(connection, site.id, each)]
    subjects = await subjects_of(connection, site, new)
    return [undecodable(each.message, each.error, subject) for each, subject in zip(new, subjects, strict=True)]


async def _store_stubborn(
    database: Database, held: Held, message: Message, now: datetime, cache: RulebookCache
) -> Stored:
    """A message by itself that the database gave up over. Perhaps it was busy: it gets other tries. Where it can store
    that the message could not be stored, and still not the message, the message is at fault; else TooMuch, and all waits.
    """
    batch, told = _decode([message]), ""
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
    origin = _decode([message])
    said = origin.observed[0] if origin.read else None
    reason = DecodeError(
        Reason.POISON,
        error,
        said.device if said else None,
        said.kind if said else None,
        said.message_class if said else origin.rejected[0].error.message_class,
        said.message_id if said else None,
    )
    batch = Batch(rejected=[Quarantined(message, reason)])
    return await database.run(lambda connection: _store(connection, held, batch, now, cache))


def _receipts(batch: Batch, rejected: Sequence[Quarantined]) -> Iterable[Receipt]:
    """For all that is stored now and has a readable id: also what was stored before, and what is in quarantine."""
    said = [(each.device, each.kind, each.message_id) for each in batch.observed]
    refused = [(each.error.device, each.error.kind, each.error.message_id) for each in rejected]
    for device, kind, message_id in dict.fromkeys([*said, *refused]):
        if device is not None and kind is not None and message_id is not None:
            receipt = dialects()[device.ecosystem].receipt(device, kind, message_id)
            if receipt is not None:
                yield Receipt(*receipt)


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
    )
