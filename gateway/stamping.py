"""Stamping: what a batch says becomes observations of known devices, stamped with where each was fitted at the time.

What is known already is dropped; a device that nobody registered is added as such; a device that speaks under another
kind than its own is not believed. Each device's sign of life is noted once a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from alerts.model import Heard, Lateness, Subject
from devices.health import PRESENCE, by_the_broker
from devices.kinds import kinds
from devices.model import DecodeError, DeviceAddress, Flag, Message, Observation, Reason
from devices.position import without_position
from gateway import positions, register
from gateway.parts import DONE_AHEAD, let_others
from gateway.register import Known
from gateway.store import devices, observations
from gateway.store.db import Connection
from gateway.store.devices import Device, PartWord, Sign
from gateway.store.observations import Identity, Stamped
from gateway.store.quarantine import Quarantined
from gateway.store.sites import Site


class Read(NamedTuple):
    """A message and what it was read as."""

    message: Message
    observation: Observation


def of_their_kind(read: Sequence[Read], known: Known) -> tuple[list[Observation], list[Quarantined]]:
    """Apart: what came under a kind that the device is not registered as."""
    fitting: list[Observation] = []
    others: list[Quarantined] = []
    for each in read:
        said = each.observation
        device = known[said.device]
        if said.kind == device.kind or not device.registered:  # one that nobody registered is whatever it says it is
            fitting.append(said)
        else:
            others.append(Quarantined(each.message, _mismatch(said, known)))
    return fitting, others


def _mismatch(said: Observation, known: Known) -> DecodeError:
    return DecodeError(
        Reason.KIND_MISMATCH,
        f"device {said.device} speaks as {said.kind!r} but is registered as {known[said.device].kind!r}",
        said.device,
        said.kind,
        said.message_class,
        said.message_id,
    )


Names = AbstractSet[tuple[int, str]]
"""Devices and ids of messages."""


class New(NamedTuple):
    """What is not known yet: what it is about, without coordinates; the same with its device and fitting, to be stored; and
    what it names."""

    heard: Sequence[Heard] = ()
    stamped: Sequence[Stamped] = ()
    names: Names = frozenset()


async def take_new(
    connection: Connection,
    observed: Sequence[Observation],
    known: Known,
    now: datetime,
    just_named: Names = frozenset(),
) -> New:
    """Remember what was said, and set apart where devices are; answers what is to be stored and judged. ``just_named``: what
    has been said in a batch that has not committed yet."""
    if not observed:
        return New()
    spoke = [known[each.device] for each in observed]
    fresh, names = await _unseen(connection, observed, spoke, now, just_named)
    said, speakers = list(fresh.values()), [spoke[place] for place in fresh]
    subjects = await register.subjects(connection, speakers, [each.occurred_at for each in said])
    heard = list(map(Heard, said, subjects))
    await let_others(heard, DONE_AHEAD)
    moved = await _also_where_it_is_now(connection, heard)
    apart = await positions.set_apart(connection, [*heard, *moved])
    await let_others(heard, DONE_AHEAD)
    stamped = [
        Stamped(each.observation, device.id, each.subject.installation_id)
        for each, device in zip(apart, speakers, strict=False)  # without those that moved, which come behind
    ]
    return New(apart, stamped, names)


async def _also_where_it_is_now(connection: Connection, heard: Sequence[Heard]) -> list[Heard]:
    """A late alarm of a device that has been moved since: either it is late, or the device's clock is slow and help is
    needed where it is now. Both homes get an alert."""
    late = [
        each
        for each in heard
        if each.observation.is_alarm and each.lateness is Lateness.LATE and each.subject.device_id is not None
    ]
    if not late:
        return []
    moments = [(each.subject.device_id or 0, each.observation.received_at) for each in late]
    subjects = await devices.subjects_at(connection, moments)
    return [
        Heard(each.observation, now)
        for each, now in zip(late, subjects, strict=True)
        if now.installation_id not in (None, each.subject.installation_id)
    ]


async def _unseen(
    connection: Connection,
    observed: Sequence[Observation],
    speakers: Sequence[Device],
    now: datetime,
    just_named: Names,
) -> tuple[dict[int, Observation], Names]:
    """By place in ``observed``, in order, and what is named by them; an id that came before with another content is kept and
    flagged."""
    places: dict[Identity, int] = {}
    states: list[int] = []
    for place, (said, device) in enumerate(zip(observed, speakers, strict=True)):
        if said.message_id is None:
            states.append(place)
        else:
            places.setdefault((device.id, said.message_id, said.content_hash), place)
    seen = await observations.mark_seen(connection, places.keys(), now)
    for each in seen.known:
        del places[each]
    fresh = {place: observed[place] for place in sorted([*places.values(), *states])}
    names = {each[:2] for each in places}
    reused = (names & seen.reused) | (names & just_named)
    again = [place for each, place in places.items() if each[:2] in reused] if reused else []
    return fresh | {place: _with_flag(fresh[place], Flag.ID_REUSED) for place in again}, names


def _with_flag(said: Observation, flag: Flag) -> Observation:
    return replace(said, flags=said.flags | {flag})


def _signs(observed: Sequence[Observation], known: Known) -> dict[int, Sign]:
    """One a device: its newest sign of life, and the fields of its status messages, the device's newest last."""
    last: dict[int, Observation] = {}
    several: dict[int, list[Observation]] = {}
    for said in observed:
        device_id = known[said.device].id
        if device_id in last:
            several.setdefault(device_id, [last[device_id]]).append(said)
        last[device_id] = said
    signs = {device_id: _only_sign(device_id, said) for device_id, said in last.items()}
    return signs | {device_id: _sign(device_id, said) for device_id, said in several.items()}


def _sign(device_id: int, said: Sequence[Observation]) -> Sign:
    signs = [
        _only_sign(device_id, each) for each in sorted(said, key=lambda each: (each.occurred_at, each.received_at))
    ]
    fields: dict[str, Any] = {}
    for each in signs:
        fields |= each.fields
    alive = max((each.seen_at for each in signs if each.seen_at is not None), default=None)
    return Sign(device_id, alive, signs[-1].said_at, fields.get("online", True if alive else None), fields)


def _only_sign(device_id: int, said: Observation) -> Sign:
    alive = None if by_the_broker(said) else said.received_at
    fields = _known_fields(said) if said.type in _SIGNS_OF_LIFE else {}
    return Sign(device_id, alive, said.occurred_at, fields.get("online", True if alive else None), fields)


_SIGNS_OF_LIFE = frozenset({PRESENCE, "heartbeat"})


def _known_fields(said: Observation) -> dict[str, Any]:
    """Of a sign of life what its kind knows: whatever else a device may think of is in the observation, not for ever here."""
    known = _fields_of(said.kind, said.type)
    if not said.may_have_position and said.fields.keys() <= known:
        return dict(said.fields)
    kept = {name: value for name, value in said.fields.items() if name in known}
    return kept if _NESTED.isdisjoint(map(type, kept.values())) else without_position(kept)


_NESTED = frozenset({dict, list})


@cache
def _fields_of(kind: str, type_: str) -> frozenset[str]:
    """The fields that a kind knows of a sign of life, but those that say where it is."""
    known = kinds().get(kind)
    fields = known.events[type_].model_fields if known and type_ in known.events else {}
    return frozenset(without_position(dict.fromkeys(fields)))


class Signs(NamedTuple):
    """What a batch says of how its devices are: their signs of life, and their last words of their parts."""

    of_life: Sequence[Sign]
    of_parts: Sequence[PartWord]


def signs_in(observed: Sequence[Observation], known: Known, spoke: Mapping[DeviceAddress, datetime]) -> Signs:
    """``spoke``: when devices last said what is not among it: one that talks nonsense is alive all the same."""
    signs = _signs(observed, known)
    for address, at in spoke.items():
        device = known.get(address)
        if device is not None:
            sign = signs.get(device.id, Sign(device.id, at, at, None, {}))
            signs[device.id] = sign._replace(seen_at=max(sign.seen_at or at, at))
    words = [
        PartWord(known[said.device].id, part, said.type, said.occurred_at, said.received_at)
        for said in observed
        if (part := _parts(said.kind).get(said.type)) is not None
    ]
    return Signs(list(signs.values()), words)


async def note_signs(connection: Connection, signs: Signs) -> None:
    """All at once, in the order of the devices."""
    if signs.of_life:
        await devices.save_signs(connection, signs.of_life)
    if signs.of_parts:
        await devices.save_parts(connection, signs.of_parts)


@cache
def _parts(kind: str) -> Mapping[str, str]:
    """By type, the part of a device of a kind that it says something of."""
    known = kinds().get(kind)
    return known.parts if known else {}


async def subjects_of(
    connection: Connection, site: Site, known: Known, rejected: Sequence[Quarantined]
) -> list[Subject]:
    """Whom it concerns where the device is known: an alarm that cannot be read still comes from somebody's home."""
    nobody = Subject(site.id, site.zone_id)
    speakers = [
        None if each.of_site or each.error.device is None else known.get(each.error.device) for each in rejected
    ]
    spoke = [
        (device, at.message.received_at) for device, at in zip(speakers, rejected, strict=True) if device is not None
    ]
    found = iter(await register.subjects(connection, [device for device, _ in spoke], [at for _, at in spoke]))
    return [nobody if device is None else next(found) for device in speakers]
