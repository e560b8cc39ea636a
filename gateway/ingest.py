"""Ingest: one batch of messages, one transaction, no network call inside.

    decode (pure) → fence → stamp with device and fitting → drop what is known → store → judge → act

Only when it has committed may the batch be acknowledged. What cannot be decoded goes to quarantine, and is raised when
it came on an alarm topic. A message that makes storing fail (the database refuses its content, or we have a bug) is
found by halving the batch until it is alone, and is quarantined with the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from alerts.judge import Failure, judge_observation, undecodable
from alerts.model import Heard, Judgement, Lateness, Signal, Subject, Watch
from alerts.rules import Rule, nearest
from alerts.rules.missed import Missed
from devices.dialects import dialect_of, dialects
from devices.dialects.native import topic_of
from devices.health import PRESENCE
from devices.model import DecodeError, DeviceAddress, Flag, Lane, Message, Observation, Reason
from gateway.doses import open_doses
from gateway.engine import Rulebook, act
from gateway.rulebook import RulebookCache
from gateway.store import audit, devices, observations, quarantine, sites, watches
from gateway.store.audit import Changed
from gateway.store.db import Connection, Database, DatabaseGone, TooMuch
from gateway.store.devices import Device, Sign
from gateway.store.observations import Stamped
from gateway.store.quarantine import Quarantined
from gateway.store.sites import Site

log = structlog.get_logger()

WATCHED_BACK = timedelta(days=3)
"""How old a dose may be for something said about it to still concern its watch."""


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
class _Sorted:
    """A decoded batch."""

    observed: list[Observation] = field(default_factory=list)
    rejected: list[Quarantined] = field(default_factory=list)


async def store_batch(
    database: Database, held: Held, messages: Sequence[Message], now: datetime, cache: RulebookCache
) -> Stored:
    """Store a batch in one transaction. LaneLost when the lane is another's; DatabaseGone when there is no database."""
    batch = _decode(messages)
    try:
        return await database.run(lambda connection: _store(connection, held, batch, now, cache))
    except TooMuch as error:
        if len(messages) == 1:
            raise
        log.warning("batch.halved", messages=len(messages), error=type(error).__name__)
    except (sites.LaneLost, *DatabaseGone):
        raise
    except Exception as error:  # noqa: BLE001 - whatever one message does must not hold up the others
        if len(messages) == 1:
            return await _store_poison(database, held, messages[0], f"{type(error).__name__}: {error}", now, cache)
    half = len(messages) // 2
    parts = [await store_batch(database, held, each, now, cache) for each in (messages[:half], messages[half:])]
    return _sum(parts)


def _decode(messages: Iterable[Message]) -> _Sorted:
    batch = _Sorted()
    for message in messages:
        try:
            batch.observed.append(dialect_of(message.topic).decode(message))
        except DecodeError as error:
            batch.rejected.append(Quarantined(message, error))
    return batch


async def _store(connection: Connection, held: Held, batch: _Sorted, now: datetime, cache: RulebookCache) -> Stored:
    await sites.fence(connection, held.site.id, held.lane, held.epoch)
    book = await cache.read(connection)
    known = await _devices(connection, held.site, batch.observed)
    observed, mismatched = _of_their_kind(batch.observed, known)
    rejected = [*batch.rejected, *mismatched]
    heard = await _new(connection, observed, known, now)
    await _note_signs(connection, held.site, observed, known, rejected)
    failures: list[Failure] = []
    judged = await _judge(connection, heard, book, now, failures)
    refused = await _quarantine(connection, held.site, rejected)
    await watches.save(connection, judged.watches)
    signals: list[Signal] = [*judged.signals, *(signal for each in refused for signal in each.signals)]
    changed = await act(connection, signals, now, book)
    await audit.announce(connection, changed)
    receipts = tuple(_receipts(batch, rejected))
    return Stored(
        total=len(batch.observed) + len(batch.rejected),
        new=len(heard),
        quarantined=len(rejected),
        receipts=receipts,
        failures=tuple(failures),
        changed=changed,
    )


# Devices --------------------------------------------------------------------------------------------------------------

Known = dict[DeviceAddress, Device]


async def _devices(connection: Connection, site: Site, observed: Sequence[Observation]) -> Known:
    """The devices that speak; those that nobody registered are added as such."""
    kinds = {each.device: each.kind for each in observed}
    known = await _known(connection, site, kinds)
    strangers = {address: kind for address, kind in kinds.items() if address not in known}
    if strangers:
        await devices.add_unregistered(connection, site.id, strangers)
        known |= await _known(connection, site, strangers)
    return known


async def _known(connection: Connection, site: Site, kinds: dict[DeviceAddress, str]) -> Known:
    found = await devices.known(connection, site.id, list(kinds))
    return {_address(site, each): each for each in found}


def _address(site: Site, device: Device) -> DeviceAddress:
    return DeviceAddress(site.name, device.ecosystem, device.address)


def _of_their_kind(observed: Sequence[Observation], known: Known) -> tuple[list[Observation], list[Quarantined]]:
    """Apart: what came under a kind that the device is not registered as."""
    fitting = [each for each in observed if _speaks_as_it_is(each, known[each.device])]
    others = [each for each in observed if not _speaks_as_it_is(each, known[each.device])]
    return fitting, [_mismatch(each, known[each.device].kind) for each in others]


def _speaks_as_it_is(said: Observation, device: Device) -> bool:
    """A device that nobody registered is whatever it says it is."""
    return said.kind == device.kind or not device.registered


def _mismatch(said: Observation, registered: str) -> Quarantined:
    error = DecodeError(
        Reason.KIND_MISMATCH,
        f"device {said.device} speaks as {said.kind!r} but is registered as {registered!r}",
        said.device,
        said.kind,
        said.message_class,
        said.message_id,
    )
    topic = topic_of(said.device, said.kind, said.message_class)
    return Quarantined(Message(topic, said.raw, said.received_at, Flag.RETAINED in said.flags), error)


# Storing --------------------------------------------------------------------------------------------------------------


async def _new(
    connection: Connection, observed: Sequence[Observation], known: Known, now: datetime
) -> list[tuple[Heard, str]]:
    """Store what is not known yet, with its fitting; answers it with the device's kind."""
    if not observed:
        return []
    fresh = await _unseen(connection, observed, known, now)
    moments = [(known[each.device].id, each.occurred_at) for each in fresh]
    subjects = await devices.subjects_at(connection, moments)
    stamped = [
        Stamped(said, known[said.device].id, subject.installation_id)
        for said, subject in zip(fresh, subjects, strict=True)
    ]
    if stamped:
        await observations.add(connection, stamped)
    heard = [(Heard(said, subject), said.kind) for said, subject in zip(fresh, subjects, strict=True)]
    return [*heard, *await _also_where_it_is_now(connection, heard)]


async def _also_where_it_is_now(connection: Connection, heard: Sequence[tuple[Heard, str]]) -> list[tuple[Heard, str]]:
    """A late alarm of a device that has been moved since: either it is late, or the device's clock is slow and help is
    needed where it is now. Both homes get an alert."""
    late = [
        (each, kind)
        for each, kind in heard
        if each.observation.is_alarm and each.lateness is Lateness.LATE and each.subject.device_id is not None
    ]
    moments = [(each.subject.device_id or 0, each.observation.received_at) for each, _ in late]
    subjects = await devices.subjects_at(connection, moments) if moments else []
    return [
        (Heard(each.observation, now), kind)
        for (each, kind), now in zip(late, subjects, strict=True)
        if now.installation_id not in (None, each.subject.installation_id)
    ]


async def _unseen(
    connection: Connection, observed: Sequence[Observation], known: Known, now: datetime
) -> list[Observation]:
    """In order; an id that came before with another content is kept and flagged."""
    identities = [(known[each.device].id, each.message_id, each.content_hash) for each in observed if each.message_id]
    new = await observations.mark_seen(connection, identities, now)
    reused = await observations.reused_ids(connection, list(new)) if new else set()
    fresh: list[Observation] = []
    for said in observed:
        if said.message_id is None:
            fresh.append(said)
            continue
        identity = (known[said.device].id, said.message_id, said.content_hash)
        if identity in new:
            new.discard(identity)
            flags = said.flags | {Flag.ID_REUSED} if identity[:2] in reused else said.flags
            fresh.append(replace(said, flags=flags))
    return fresh


def _signs(observed: Sequence[Observation], known: Known) -> list[Sign]:
    """One a device: its newest sign of life, and the fields of its status messages, the device's newest last."""
    by_device: dict[int, list[Observation]] = {}
    for said in observed:
        by_device.setdefault(known[said.device].id, []).append(said)
    return [_sign(device_id, said) for device_id, said in by_device.items()]


def _sign(device_id: int, said: Sequence[Observation]) -> Sign:
    in_order = sorted(said, key=lambda each: (each.occurred_at, each.received_at))
    fields: dict[str, Any] = {}
    for each in in_order:
        if each.type in (PRESENCE, "heartbeat"):
            fields |= each.fields
    alive = [each for each in in_order if not _by_the_broker(each)]
    return Sign(
        device_id=device_id,
        seen_at=max((each.received_at for each in alive), default=None),
        said_at=in_order[-1].occurred_at,
        online=fields.get("online", True if alive else None),
        fields=fields,
    )


def _by_the_broker(said: Observation) -> bool:
    """A last will, or something retained: the broker speaks in the device's name, which is no sign of life."""
    last_will = said.type == PRESENCE and said.fields.get("online") is False
    return last_will or Flag.RETAINED in said.flags


async def _note_signs(
    connection: Connection, site: Site, observed: Sequence[Observation], known: Known, rejected: Sequence[Quarantined]
) -> None:
    """All at once, in the order of the devices. A device that talks nonsense is alive all the same."""
    signs = {sign.device_id: sign for sign in _signs(observed, known)}
    spoke = {each.error.device: each.message.received_at for each in rejected if each.error.device is not None}
    for device in await devices.known(connection, site.id, list(spoke)) if spoke else ():
        at = spoke[_address(site, device)]
        sign = signs.get(device.id, Sign(device.id, at, at, None, {}))
        signs[device.id] = replace(sign, seen_at=max(sign.seen_at or at, at))
    if signs:
        await devices.save_signs(connection, list(signs.values()))


async def _quarantine(connection: Connection, site: Site, rejected: Sequence[Quarantined]) -> list[Judgement]:
    """Store what could not be read; answers what is to be raised of what is new."""
    new = [each for each in rejected if await quarantine.add(connection, site.id, each)]
    subjects = await _subjects(connection, site, new)
    return [undecodable(each.message, each.error, subject) for each, subject in zip(new, subjects, strict=True)]


async def _subjects(connection: Connection, site: Site, rejected: Sequence[Quarantined]) -> list[Subject]:
    """Whom it concerns where the device is known: an alarm that cannot be read still comes from somebody's home."""
    spoke = [each.error.device for each in rejected if each.error.device is not None]
    found = await devices.known(connection, site.id, spoke) if spoke else []
    ids: dict[DeviceAddress | None, int] = {_address(site, each): each.id for each in found}
    moments = [(ids.get(each.error.device, 0), each.message.received_at) for each in rejected]
    fitted = [moment for moment in dict.fromkeys(moments) if moment[0]]
    subjects = dict(zip(fitted, await devices.subjects_at(connection, fitted), strict=True))
    return [subjects.get(moment, Subject(site.id, site.zone_id)) for moment in moments]


async def _store_poison(
    database: Database, held: Held, message: Message, error: str, now: datetime, cache: RulebookCache
) -> Stored:
    """A message that cannot be stored as what it is."""
    origin = _decode([message])
    said = origin.observed[0] if origin.observed else None
    reason = DecodeError(
        Reason.POISON,
        error,
        said.device if said else None,
        said.kind if said else None,
        said.message_class if said else origin.rejected[0].error.message_class,
        said.message_id if said else None,
    )
    batch = _Sorted(rejected=[Quarantined(message, reason)])
    return await database.run(lambda connection: _store(connection, held, batch, now, cache))


# Judging --------------------------------------------------------------------------------------------------------------


async def _judge(
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


# Receipts -------------------------------------------------------------------------------------------------------------


def _receipts(batch: _Sorted, rejected: Sequence[Quarantined]) -> Iterable[Receipt]:
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
