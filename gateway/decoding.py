"""Decoding again: what is in quarantine is given another try, after a device was registered rightly or we have learnt its
words.

Theory
    The message is read with the time at which it was *received*, so that what it says of when is what it always was; then
    it is stored and judged as one that reaches us *now*. So it is late, and how late is said; what is a day old is
    history. It is no sign of life: the device spoke then.
    It goes through the same code as what has just come (``gateway.ingest.take_in``): what is known is dropped.
    The row in quarantine is locked before anything else, and all is one transaction: a message is decoded once, however
    many try. Nobody who has any other lock ever waits for that one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

import structlog

from devices.dialects import dialect_of
from devices.model import DecodeError, Flag, Message, Observation, Reason
from gateway.batches import Batch
from gateway.errors import NotFound
from gateway.ingest import look, take_in
from gateway.rulebook import RulebookCache
from gateway.stamping import Read, of_their_kind
from gateway.store import audit, quarantine
from gateway.store.audit import Audited
from gateway.store.db import Connection, Database, DatabaseGone
from gateway.store.quarantine import Kept, Wanted
from gateway.store.sites import Site

log = structlog.get_logger()

AT_ONCE = 200
"""So many are decoded again in one go."""

Outcome = Literal["decoded", "seen_before", "already_decoded", "unreadable"]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and of which zones' sites they may."""

    person_id: int
    zones: Sequence[int]


@dataclass(frozen=True, slots=True)
class Again:
    """What became of a message; where it is still unreadable, why."""

    outcome: Outcome
    error: DecodeError | None = None


async def decode_again(database: Database, asker: Asker, uid: UUID, now: datetime, cache: RulebookCache) -> Again:
    """One message, in one transaction. NotFound where there is none that they may see; DatabaseGone."""
    try:
        return await database.run(lambda each: _again(each, asker, uid, now, cache))
    except (NotFound, *DatabaseGone):
        raise
    except Exception as error:  # noqa: BLE001 - whatever storing it does, the message stays and says why
        poison = DecodeError(Reason.POISON, f"{type(error).__name__}: {error}")
        return await database.run(lambda each: _still_unreadable(each, asker, uid, poison))


async def decode_all_again(
    database: Database, asker: Asker, wanted: Wanted, after: UUID | None, now: datetime, cache: RulebookCache
) -> tuple[Counter[Outcome], UUID | None]:
    """All that wait and are wanted, in the order in which they came, each by itself; what became of how many, and after
    which to go on (None when that was all)."""
    found = await database.run(lambda each: quarantine.oldest_waiting(each, asker.zones, wanted, after, AT_ONCE + 1))
    now_tried = found[:AT_ONCE]
    outcomes = [(await decode_again(database, asker, uid, now, cache)).outcome for uid in now_tried]
    return Counter(outcomes), now_tried[-1] if len(found) > AT_ONCE else None


async def _again(connection: Connection, asker: Asker, uid: UUID, now: datetime, cache: RulebookCache) -> Again:
    kept = await _locked(connection, asker, uid)
    if kept.decoded:
        return Again("already_decoded")
    try:
        said = await _read(connection, kept.site, kept.message, now, cache)
    except DecodeError as error:
        await quarantine.still_waiting(connection, kept.id, error)
        return Again("unreadable", error)
    late = replace(said, received_at=now, flags=said.flags | {Flag.DECODED_AGAIN})
    batch = Batch([kept.message], [Read(kept.message, late)])
    standing = await cache.standing(connection)
    looked = await look(connection, kept.site, batch, now, standing)
    stored = await take_in(connection, kept.site, looked, now, standing.book)
    await quarantine.mark_decoded(connection, kept.id, asker.person_id, now)
    line = Audited("quarantine.decoded", "quarantine", kept.id, asker.person_id, {"new": bool(stored.new)})
    await audit.add(connection, now, (line,))
    for failure in stored.failures:
        log.error("rule.failed", rule=failure.rule, exc_info=failure.error)
    return Again("decoded" if stored.new else "seen_before")


async def _read(
    connection: Connection, site: Site, message: Message, now: datetime, cache: RulebookCache
) -> Observation:
    """What it says. DecodeError where it is unreadable still, or its device is registered as another kind still."""
    said = dialect_of(message.topic).decode(message)
    register = (await cache.standing(connection)).register
    known = await register.speakers(connection, site, [said], now)
    _, mismatched = of_their_kind([Read(message, said)], known)
    if mismatched:
        raise mismatched[0].error
    return said


async def _still_unreadable(connection: Connection, asker: Asker, uid: UUID, error: DecodeError) -> Again:
    kept = await _locked(connection, asker, uid)
    if kept.decoded:
        return Again("already_decoded")
    await quarantine.still_waiting(connection, kept.id, error)
    return Again("unreadable", error)


async def _locked(connection: Connection, asker: Asker, uid: UUID) -> Kept:
    kept = await quarantine.lock(connection, uid, asker.zones)
    if kept is None:
        raise NotFound("quarantine", "there is no such message, or it is not yours to see", "look at the list again")
    return kept
