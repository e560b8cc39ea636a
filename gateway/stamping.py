"""Stamping: what a batch says becomes observations of known devices, stamped with where each was fitted at the time.

What is known already is dropped; a device that nobody registered is added as such; a device that speaks under another
kind than its own is not believed. Each device's sign of life is noted once a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.model import Heard, Lateness, Subject
from devices.health import PRESENCE, by_the_broker
from devices.kinds import kinds
from devices.model import DecodeError, DeviceAddress, Flag, Message, Observation, Reason
from devices.position import without_position
from gateway import positions
from gateway.store import devices, observations
from gateway.store.db import Connection
from gateway.store.devices import Device, PartWord, Sign
from gateway.store.observations import Stamped
from gateway.store.quarantine import Quarantined
from gateway.store.sites import Site

Known = dict[DeviceAddress, Device]


@dataclass(frozen=True, slots=True)
class Read:
    """A message and what it was read as."""

    message: Message
    observation: Observation


async def speakers(connection: Connection, site: Site, observed: Sequence[Observation]) -> Known:
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


def of_their_kind(read: Sequence[Read], known: Known) -> tuple[list[Observation], list[Quarantined]]:
    """Apart: what came under a kind that the device is not registered as."""
    fitting = [each.observation for each in read if _speaks_as_it_is(each.observation, known)]
    others = [each for each in read if not _speaks_as_it_is(each.observation, known)]
    return fitting, [Quarantined(each.message, _mismatch(each.observation, known)) for each in others]


def _speaks_as_it_is(said: Observation, known: Known) -> bool:
    """A device that nobody registered is whatever it says it is."""
    device = known[said.device]
    return said.kind == device.kind or not device.registered


def _mismatch(said: Observation, known: Known) -> DecodeError:
    return DecodeError(
        Reason.KIND_MISMATCH,
        f"device {said.device} speaks as {said.kind!r} but is registered as {known[said.device].kind!r}",
        said.device,
        said.kind,
        said.message_class,
        said.message_id,
    )


async def store_new(
    connection: Connection, observed: Sequence[Observation], known: Known, now: datetime
) -> list[Heard]:
    """Store what is not known yet, with its fitting; answers it with what it is about, and without coordinates."""
    if not observed:
        return []
    fresh = await _unseen(connection, observed, known, now)
    moments = [(known[each.device].id, each.occurred_at) for each in fresh]
    subjects = await devices.subjects_at(connection, moments)
    heard = [Heard(said, subject) for said, subject in zip(fresh, subjects, strict=True)]
    moved = await _also_where_it_is_now(connection, heard)
    apart = await positions.set_apart(connection, [*heard, *moved])
    stamped = [
        Stamped(each.observation, known[each.observation.device].id, each.subject.installation_id)
        for each in apart[: len(heard)]
    ]
    if stamped:
        await observations.add(connection, stamped)
    return apart


async def _also_where_it_is_now(connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
    """A late alarm of a device that has been moved since: either it is late, or the device's clock is slow and help is
    needed where it is now. Both homes get an alert."""
    late = [
        each
        for each in heard
        if each.observation.is_alarm and each.lateness is Lateness.LATE and each.subject.device_id is not None
    ]
    moments = [(each.subject.device_id or 0, each.observation.received_at) for each in late]
    subjects = await devices.subjects_at(connection, moments) if moments else []
    return [
        Heard(each.observation, now)
        for each, now in zip(late, subjects, strict=True)
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
            fields |= _known_fields(each)
    alive = [each for each in in_order if not by_the_broker(each)]
    return Sign(
        device_id=device_id,
        seen_at=max((each.received_at for each in alive), default=None),
        said_at=in_order[-1].occurred_at,
        online=fields.get("online", True if alive else None),
        fields=fields,
    )


def _known_fields(said: Observation) -> dict[str, Any]:
    """Of a sign of life what its kind knows: whatever else a device may think of is in the observation, not for ever here."""
    kind = kinds().get(said.kind)
    known = kind.events[said.type].model_fields if kind and said.type in kind.events else {}
    return {name: value for name, value in without_position(said.fields).items() if name in known}


async def note_signs(
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
    words = [word for said in observed for word in _part_words(said, known[said.device])]
    if words:
        await devices.save_parts(connection, words)


def _part_words(said: Observation, device: Device) -> Iterator[PartWord]:
    """What it says of a part of the device, if it does."""
    kind = kinds().get(said.kind)
    part = kind.parts.get(said.type) if kind else None
    if part is not None:
        yield PartWord(device.id, part, said.type, said.occurred_at, said.received_at)


async def subjects_of(connection: Connection, site: Site, rejected: Sequence[Quarantined]) -> list[Subject]:
    """Whom it concerns where the device is known: an alarm that cannot be read still comes from somebody's home."""
    spoke = [each.error.device for each in rejected if each.error.device is not None]
    found = await devices.known(connection, site.id, spoke) if spoke else []
    ids: dict[DeviceAddress | None, int] = {_address(site, each): each.id for each in found}
    moments = [(ids.get(each.error.device, 0), each.message.received_at) for each in rejected]
    fitted = [moment for moment in dict.fromkeys(moments) if moment[0]]
    subjects = dict(zip(fitted, await devices.subjects_at(connection, fitted), strict=True))
    return [subjects.get(moment, Subject(site.id, site.zone_id)) for moment in moments]
