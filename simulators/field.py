"""All devices of a town in a time that somebody else moves: what leaves them until then, and what was true. No network.

Rules
    The script is the seed's: ``transcript`` is byte for byte the same for the same town, seed, life, faults and days.
    Devices keep the protocol's promise: what has no receipt leaves again, in the patience of ``simulators.device``.
    The truth is what the script says and what arrived at the broker – never what a gateway has made of it.

Theory
    A day is looked ahead at its beginning, by ``faults.tell``. ``leave(now)`` lives as far as ``now``, in order: what is said
    goes to its device's outbox, what leaves an outbox goes through ``faults.carry``. ``urgent_before`` tells the next moment at which an alarm leaves, so that it can leave at that moment.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from devices.dialects.native import DIALECT
from devices.model import DeviceAddress, MessageClass, Said
from simulators.device import Device, Habits
from simulators.faults import NO_FAULTS, Faults, Injected, Sending, Told, carry, tell
from simulators.home import Fitting, Life, story
from simulators.people import A_DAY, OSLO, midnight, moment


@dataclass(frozen=True)
class Plan:
    """What is to be lived: which devices, how, from when until when (aware)."""

    site: str
    devices: Sequence[Fitting]
    since: datetime
    until: datetime
    seed: int = 1
    life: Life = field(default_factory=Life)
    faults: Faults = NO_FAULTS
    habits: Habits = field(default_factory=Habits)


@dataclass(slots=True)
class Happened:
    """Something that a device had to say, signs of life left out. ``at``: in truth; ``claimed``: by its clock. ``real``: False
    for a flood's. ``arrived_at``: when it was first at the broker, whole; ``touched_at``: or broken."""

    fitting: Fitting
    type: str
    message_class: MessageClass
    at: datetime
    claimed: datetime
    message_id: str
    dose_at: str | None
    real: bool
    arrived_at: datetime | None = None
    touched_at: datetime | None = None


@dataclass(slots=True)
class Truth:
    """What was true. ``heard``: by address, the moments at which anything of a device arrived at the broker.

    ``receipts``: by address and id, how many came. ``outstanding``: by address, what arrived and has none at the end.
    """

    plan: Plan
    happened: list[Happened] = field(default_factory=list)
    injected: list[Injected] = field(default_factory=list)
    heard: dict[str, list[datetime]] = field(default_factory=dict)
    receipts: dict[tuple[str, str], int] = field(default_factory=dict)
    outstanding: list[tuple[str, str]] = field(default_factory=list)
    said: int = 0
    sendings: int = 0
    arrivals: int = 0

    def doses(self) -> Iterator[tuple[Fitting, datetime]]:
        """Every dose that was planned."""
        for fitting in self.plan.devices:
            day = self.plan.since.astimezone(OSLO).date()
            while midnight(day) < self.plan.until:
                for local in fitting.doses:
                    if self.plan.since < (at := moment(day, local)) < self.plan.until:
                        yield fitting, at
                day += A_DAY


@dataclass(frozen=True, slots=True)
class Leaving:
    """Bytes on their way to the broker, on a topic."""

    address: str
    message_id: str
    topic: str
    payload: bytes
    whole: bool


class Field:
    """The devices of a plan. ``truth`` grows as they live."""

    def __init__(self, plan: Plan) -> None:
        self.truth = Truth(plan)
        self._plan = plan
        self._devices = {each.address: _device(plan, each) for each in plan.devices}
        self._by_receipt = {device.topic("receipt"): device for device in self._devices.values()}
        self._stories = [(each, _telling(plan, each)) for each in plan.devices]
        self._ahead: list[tuple[datetime, int, Fitting, Told]] = []
        self._told_until = plan.since
        self._heap: list[tuple[datetime, int, Device, str]] = []
        self._air: list[tuple[datetime, int, Leaving]] = []
        self._urgent: list[datetime] = []
        self._order = count()
        self._known: dict[tuple[str, str], Happened] = {}

    def urgent_before(self, until: datetime) -> datetime | None:
        """The next moment before ``until`` at which an alarm leaves."""
        self._live_until(until)
        return self._urgent[0] if self._urgent and self._urgent[0] < until else None

    def leave(self, now: datetime) -> list[Leaving]:
        """All that arrives at the broker until ``now``, in order."""
        self._live_until(now)
        while self._urgent and self._urgent[0] <= now:
            heapq.heappop(self._urgent)
        leaving: list[Leaving] = []
        while (first := min((each[0][0] for each in (self._ahead, self._heap) if each), default=None)) and first <= now:
            if self._ahead and self._ahead[0][0] == first:
                _, _, fitting, told = heapq.heappop(self._ahead)
                self._say(fitting, told)
            else:
                _, _, device, message_id = heapq.heappop(self._heap)
                leaving += self._send(device, message_id, now)
        while self._air and self._air[0][0] <= now:
            leaving.append(heapq.heappop(self._air)[2])
        for each in leaving:
            self._arrives(each, now)
        return leaving

    def receipted(self, topic: str, message_id: str, now: datetime) -> None:
        """A receipt has come."""
        device = self._by_receipt.get(topic)
        if device is None:
            return
        key = device.address.address, message_id
        self.truth.receipts[key] = self.truth.receipts.get(key, 0) + 1
        device.receipted(message_id, now)

    def end(self) -> Truth:
        """Nobody lives on: what was true, with what has no receipt."""
        for (address, message_id), happened in self._known.items():
            if happened.arrived_at and (address, message_id) not in self.truth.receipts:
                self.truth.outstanding.append((address, message_id))
        return self.truth

    # Living ---------------------------------------------------------------------------------------------------------

    def _live_until(self, moment: datetime) -> None:
        while self._told_until <= moment and self._told_until < self._plan.until:
            self._told_until = min(self._told_until + A_DAY, self._plan.until)
            for index, (fitting, told) in enumerate(self._stories):
                self._stories[index] = (fitting, self._look_ahead(fitting, told))

    def _look_ahead(self, fitting: Fitting, told: Iterator[Told]) -> Iterator[Told]:
        """Everything up to the end of the part that is told; answers with the rest."""
        for each in told:
            if each.at >= self._told_until:
                return _again(each, told)
            heapq.heappush(self._ahead, (each.at, next(self._order), fitting, each))
            if each.real and each.said.message_class is MessageClass.ALARM:
                heapq.heappush(self._urgent, each.due_at)
        return iter(())

    def _say(self, fitting: Fitting, told: Told) -> None:
        device = self._devices[fitting.address]
        kept = device.say(told.said, told.at, told.due_at)
        self.truth.said += 1
        self.truth.injected += told.faults
        if not kept.is_state:
            dose_at = told.said.fields.get("dose_at")
            happened = Happened(
                fitting,
                told.said.type,
                told.said.message_class,
                told.at,
                told.said.at,
                kept.message_id,
                dose_at,
                told.real,
            )
            self.truth.happened.append(happened)
            self._known[fitting.address, kept.message_id] = happened
        self._plan_sending(device, kept.message_id, told.due_at)

    def _plan_sending(self, device: Device, message_id: str, at: datetime, *, urgent: bool = False) -> None:
        heapq.heappush(self._heap, (at, next(self._order), device, message_id))
        if urgent:
            heapq.heappush(self._urgent, at)

    def _send(self, device: Device, message_id: str, now: datetime) -> Iterator[Leaving]:
        kept = device.outbox.find(message_id)
        if kept is None or kept.due_at > now:
            return
        topic, payload = device.message(kept)
        address = device.address.address
        sending = Sending(address, message_id, kept.tries + 1, now, topic, payload)
        arrivals, injected = carry(sending, self._plan.faults, self._plan.seed)
        self.truth.sendings += 1
        self.truth.injected += injected
        device.sent(message_id, now)
        if (waits := device.outbox.find(message_id)) is not None:
            self._plan_sending(device, message_id, waits.due_at, urgent=kept.is_alarm)
        for each in arrivals:
            leaving = Leaving(address, message_id, each.topic, each.payload, each.whole)
            if each.after:
                heapq.heappush(self._air, (now + each.after, next(self._order), leaving))
            else:
                yield leaving

    def _arrives(self, leaving: Leaving, now: datetime) -> None:
        self.truth.arrivals += 1
        heard = self.truth.heard.setdefault(leaving.address, [])
        if not heard or heard[-1] != now:
            heard.append(now)
        happened = self._known.get((leaving.address, leaving.message_id))
        if happened is not None:
            happened.touched_at = happened.touched_at or now
            if leaving.whole:
                happened.arrived_at = happened.arrived_at or now


def transcript(plan: Plan) -> bytes:
    """All that the devices of a plan say, with all that goes wrong, as bytes: what reproducible is measured by."""
    lines = (
        f"{each.at.isoformat()} {each.due_at.isoformat()} {fitting.address} {each.said} {each.real} {each.faults}\n"
        for fitting in plan.devices
        for each in _telling(plan, fitting)
    )
    return "".join(lines).encode()


def digest(plan: Plan) -> str:
    """A short name for a transcript."""
    return hashlib.sha256(transcript(plan)).hexdigest()[:12]


def _telling(plan: Plan, fitting: Fitting) -> Iterator[Told]:
    """What a device says from the beginning to the end."""
    endless = story(fitting, plan.life, plan.seed, plan.since)
    said = _until(endless, plan.until)
    return tell(fitting.address, fitting.kind, said, plan.faults, plan.seed, plan.since)


def _until(said: Iterator[Said], until: datetime) -> Iterator[Said]:
    for each in said:
        if each.at >= until:
            return
        yield each


def _again(first: Told, rest: Iterator[Told]) -> Iterator[Told]:
    yield first
    yield from rest


def _device(plan: Plan, fitting: Fitting) -> Device:
    return Device(DeviceAddress(plan.site, DIALECT.name, fitting.address), fitting.kind, plan.habits)
