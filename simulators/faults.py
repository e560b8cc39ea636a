"""What can go wrong with a device and on its way to the broker: transformations of what a device says. Pure.

Rules
    The same seed, device and message go wrong in the same way, whatever else is simulated; faults combine.
    Every fault that is injected is told (``Injected``): when, on which device, what. A trial explains by it what it sees.
    The device keeps the protocol's promise all the same: what has no receipt is sent again, by ``simulators.device``.

Theory
    A fault has a share, and a share is of one of two things::

        of messages   drop        a sending that does not arrive
                      duplicate   a sending that arrives twice
                      corrupt     a sending that arrives with broken bytes
                      delay       a message that leaves minutes or hours late
                      reorder     a message that leaves after the next one
        of devices    skew        the clock is wrong: ahead, behind, drifting, or never set
                      battery_death   the battery falls, warns, and then there is silence until it is replaced
                      flood       the same again and again, for some minutes, once

    ``tell`` is what happens inside of the device, to all that it says, in order: what it says, by its clock, and when it
    leaves. ``carry`` is what happens under way, to one sending: a re-sent message is another sending, with its own luck.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from random import Random

from devices.kinds import kinds
from devices.model import NAME, MessageClass, Said
from devices.vkp import Severity


class Fault(StrEnum):
    DROP = "drop"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    REORDER = "reorder"
    SKEW = "skew"
    CORRUPT = "corrupt"
    BATTERY_DEATH = "battery_death"
    FLOOD = "flood"


OF_DEVICES = frozenset({Fault.SKEW, Fault.BATTERY_DEATH, Fault.FLOOD})
"""The others' shares are of messages."""
NAMED_SHARE = 0.5
"""Of messages of a device that was named, where the fault's share is of messages."""
FALLS_FOR = timedelta(hours=12)
"""How long a battery takes from full to nothing."""
LOW, EMPTY = 15, 3
"""Percent at which a device warns."""
NEVER_SET = datetime(1970, 1, 1, tzinfo=UTC)


class FaultError(ValueError):
    """A fault that was asked for cannot be understood: what, and how it is written."""


@dataclass(frozen=True)
class Faults:
    """Which faults there are: by share, and on devices that were named (``on``: address and fault).

    ``within``: how long after the beginning that which happens once to a device has begun.
    """

    shares: Mapping[Fault, float] = field(default_factory=dict)
    on: frozenset[tuple[str, Fault]] = frozenset()
    within: timedelta = timedelta(hours=1)

    def __bool__(self) -> bool:
        return bool(self.on) or any(self.shares.values())

    def share(self, fault: Fault, address: str) -> float:
        """The chance of this fault: of the device, or of each of its messages."""
        if (address, fault) in self.on:
            return 1.0 if fault in OF_DEVICES else NAMED_SHARE
        return self.shares.get(fault, 0.0)


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that was injected: on which device, at which moment (until when, where it lasts), into which message."""

    fault: Fault
    address: str
    at: datetime
    until: datetime
    message_id: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Something a device says. ``said``: with the time that its clock shows. ``at``: when it was in truth; ``due_at``: when it
    leaves the device. ``real``: False where nothing has happened, but a fault."""

    said: Said
    at: datetime
    due_at: datetime
    real: bool = True
    faults: tuple[Injected, ...] = ()


@dataclass(frozen=True, slots=True)
class Sending:
    """One sending of a message. ``tries``: the how manieth it is, from 1."""

    address: str
    message_id: str
    tries: int
    at: datetime
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """What arrives of a sending, ``after`` it left. ``whole``: False where its bytes are broken."""

    after: timedelta
    topic: str
    payload: bytes
    whole: bool = True


AT_ONCE = timedelta(0)


def parse(given: Iterable[str], within: timedelta = Faults().within) -> Faults:
    """Faults as a command line has them: ``battery_death=0.01``, or on one device, ``fall-001:flood``. FaultError."""
    shares: dict[Fault, float] = {}
    on: set[tuple[str, Fault]] = set()
    for each in given:
        if named := re.fullmatch(rf"({NAME.pattern}):(\w+)", each):
            on.add((named[1], _fault(named[2], each)))
            continue
        name, _, share = each.partition("=")
        shares[_fault(name, each)] = _share(share, each)
    return Faults(shares, frozenset(on), within)


def tell(address: str, kind: str, said: Iterable[Said], faults: Faults, seed: int, since: datetime) -> Iterator[Told]:
    """All that a device says from ``since`` on, with the faults that are its own; in the order in which it happens."""
    if not faults:
        yield from (Told(each, each.at, each.at) for each in said)
        return
    device = _Device(address, kind, faults, seed, since)
    yield from _held_back(device, _by_its_clock(device, _flooded(device, _dying(device, said))))


def carry(sending: Sending, faults: Faults, seed: int) -> tuple[tuple[Arrival, ...], tuple[Injected, ...]]:
    """What arrives of one sending, and the faults that were injected into it."""
    whole = Arrival(AT_ONCE, sending.topic, sending.payload)
    if not faults:
        return (whole,), ()
    random = Random(f"{seed}:wire:{sending.address}:{sending.message_id}:{sending.tries}")
    drops, breaks, doubles = (
        random.random() < faults.share(fault, sending.address) for fault in (Fault.DROP, Fault.CORRUPT, Fault.DUPLICATE)
    )
    if drops:
        return (), (_into(sending, Fault.DROP),)
    arrival = replace(whole, payload=_broken(sending.payload, random), whole=False) if breaks else whole
    injected = (_into(sending, Fault.CORRUPT),) if breaks else ()
    if not doubles:
        return (arrival,), injected
    again = replace(arrival, after=timedelta(seconds=random.uniform(0, 30)))
    return (arrival, again), (*injected, _into(sending, Fault.DUPLICATE))


# Inside of the device -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Device:
    address: str
    kind: str
    faults: Faults
    seed: int
    since: datetime

    def random(self, fault: Fault) -> Random:
        return Random(f"{self.seed}:{fault}:{self.address}")

    def has(self, fault: Fault, random: Random) -> bool:
        return random.random() < self.faults.share(fault, self.address)

    def injected(self, fault: Fault, at: datetime, until: datetime | None = None, told: str = "") -> Injected:
        return Injected(fault, self.address, at, until or at, told=told)


def _dying(device: _Device, said: Iterable[Said]) -> Iterator[Told]:
    """The battery falls over half a day, warns, and there is silence; a new one comes after a day or two."""
    random = device.random(Fault.BATTERY_DEATH)
    if not device.has(Fault.BATTERY_DEATH, random):
        yield from (Told(each, each.at, each.at) for each in said)
        return
    dies = device.since + random.uniform(0.05, 1) * device.faults.within
    falls = max(device.since, dies - FALLS_FOR)
    back = dies + timedelta(hours=random.uniform(12, 48))
    death: tuple[Injected, ...] = (device.injected(Fault.BATTERY_DEATH, falls, back, f"dies at {dies:%F %H:%M} UTC"),)
    warnings = [
        Said(falls + (dies - falls) * (1 - percent / 100), MessageClass.EVENT, type_, {"battery": percent})
        for percent, type_ in ((LOW, "battery_low"), (EMPTY, "battery_empty"))
    ]
    for each in _in_order(said, warnings):
        if each.at < falls or each.at >= back:
            yield Told(each, each.at, each.at)
        elif each.at < dies:
            yield Told(_with_battery(each, falls, dies), each.at, each.at, faults=death)
            death = ()


def _with_battery(said: Said, falls: datetime, dies: datetime) -> Said:
    """As much in the battery as is left at this time, where it says so."""
    if "battery" not in said.fields or said.type != "heartbeat":
        return said
    percent = round(100 * (dies - said.at) / (dies - falls))
    mains = {"mains": False} if "mains" in said.fields else {}
    return replace(said, fields={**said.fields, "battery": min(said.fields["battery"], percent), **mains})


def _flooded(device: _Device, told: Iterable[Told]) -> Iterator[Told]:
    """Once, for some minutes, the same again and again: a sign of life, or an alarm that nobody has given."""
    random = device.random(Fault.FLOOD)
    if not device.has(Fault.FLOOD, random):
        yield from told
        return
    begins = device.since + random.uniform(0.02, 0.98) * device.faults.within
    lasts, count = timedelta(minutes=random.uniform(2, 10)), random.randint(20, 60)
    alarm = alarm_type(device.kind) if random.random() < 0.5 else None
    class_ = MessageClass.ALARM if alarm else MessageClass.STATUS
    flood = [
        Told(Said(at, class_, alarm or "heartbeat", {}), at, at, real=False)
        for at in (begins + lasts * number / count for number in range(count))
    ]
    what = f"{count} × {alarm or 'heartbeat'}"
    flood[0] = replace(flood[0], faults=(device.injected(Fault.FLOOD, begins, begins + lasts, what),))
    yield from _merged(told, flood)


def alarm_type(kind: str) -> str | None:
    """What a device of a kind says first on an alarm topic; None for a kind that has no alarm."""
    return next(
        (
            rule["on"][0]
            for rule in kinds()[kind].default_rules
            if rule["type"] == "immediate" and rule["track"] == "care" and rule["severity"] >= Severity.SERIOUS
        ),
        None,
    )


def _by_its_clock(device: _Device, told: Iterable[Told]) -> Iterator[Told]:
    """What the device's clock shows: off by minutes or hours, running fast or slow, or never set."""
    random = device.random(Fault.SKEW)
    if not device.has(Fault.SKEW, random):
        yield from told
        return
    how = random.choice(("ahead", "behind", "drifting", "never set"))
    off = timedelta(minutes=random.choice((2, 7, 30, 90, 240)))
    drift = random.uniform(-120, 120)
    skewed: tuple[Injected, ...] = (device.injected(Fault.SKEW, device.since, datetime.max.replace(tzinfo=UTC), how),)
    for each in told:
        days = (each.at - device.since) / timedelta(days=1)
        shows = {
            "ahead": each.at + off,
            "behind": each.at - off,
            "drifting": each.at + timedelta(seconds=drift * days),
            "never set": NEVER_SET + (each.at - device.since),
        }[how]
        yield replace(each, said=replace(each.said, at=shows), faults=(*each.faults, *skewed))
        skewed = ()


def _held_back(device: _Device, told: Iterable[Told]) -> Iterator[Told]:
    """Some leave late, and some after the next one."""
    late, swapped = (device.faults.share(each, device.address) for each in (Fault.DELAY, Fault.REORDER))
    if not late and not swapped:
        yield from told
        return
    random = device.random(Fault.DELAY)
    for each, following in pairwise(_with_an_end(told)):
        if each is None:
            return
        if random.random() < late:
            yield _leaves(device, Fault.DELAY, each, each.at + timedelta(minutes=random.uniform(1, 120)))
        elif random.random() < swapped and following is not None:
            yield _leaves(device, Fault.REORDER, each, following.at + timedelta(seconds=1))
        else:
            yield each


def _leaves(device: _Device, fault: Fault, told: Told, due_at: datetime) -> Told:
    injected = device.injected(fault, told.at, due_at, told.said.type)
    return replace(told, due_at=due_at, faults=(*told.faults, injected))


def _with_an_end(told: Iterable[Told]) -> Iterator[Told | None]:
    yield from told
    yield None


def _in_order(said: Iterable[Said], more: list[Said]) -> Iterator[Said]:
    waiting = list(more)
    for each in said:
        while waiting and waiting[0].at <= each.at:
            yield waiting.pop(0)
        yield each


def _merged(told: Iterable[Told], more: list[Told]) -> Iterator[Told]:
    waiting = list(more)
    for each in told:
        while waiting and waiting[0].at <= each.at:
            yield waiting.pop(0)
        yield each


# Under way ------------------------------------------------------------------------------------------------------------


def _broken(payload: bytes, random: Random) -> bytes:
    """Cut off, or some bytes that are none of its own."""
    if random.random() < 0.5:
        return payload[: random.randrange(len(payload))]
    broken = bytearray(payload)
    for _ in range(random.randint(1, 4)):
        broken[random.randrange(len(broken))] = random.randrange(256)
    return bytes(broken)


def _into(sending: Sending, fault: Fault) -> Injected:
    told = f"sending {sending.tries}"
    return Injected(fault, sending.address, sending.at, sending.at, sending.message_id, told)


# As they are written --------------------------------------------------------------------------------------------------


def _fault(name: str, given: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join(Fault)
        raise FaultError(f"--fault {given}: {name!r} is no fault; there are {known}") from None


def _share(text: str, given: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise FaultError(f"--fault {given}: give a share from 0 to 1, as drop=0.05, or a device, as fall-001:flood")
    return share
