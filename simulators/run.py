"""Running simulated devices against a broker, in real time.

    Options ──▶ a Device per fitting ──▶ links (one shared, or one each)
    story (scripts by the real local time) ──▶ faults.tell ──▶ Device.say ──▶ Link, faults.carry ──▶ broker
    receipts ──▶ Report

What is already past today is skipped: a device that is switched on does not tell of the morning.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from random import Random
from typing import Any

from devices.dialects.native import DIALECT, Ordered
from devices.model import DeviceAddress, Said
from simulators.clock import Clock
from simulators.device import Device, Habits, Kept, Receipted
from simulators.faults import NO_FAULTS, Fault, Faults, Injected, carry, tell
from simulators.home import Fitting, Life, saying, story
from simulators.link import Broker, Link, OnCommand, OnReceipt

REMEMBERED = 10_000
"""Receipts that the report's times are taken from."""

log = logging.getLogger("simulators")


class Connections(StrEnum):
    """Whether devices share one connection, or each has its own, with a last will."""

    SHARED = "shared"
    PER_DEVICE = "per_device"


@dataclass(frozen=True)
class Options:
    """What to simulate, and where."""

    site: str
    devices: Sequence[Fitting]
    broker: Broker = field(default_factory=Broker)
    seed: int = 1
    life: Life = field(default_factory=Life)
    habits: Habits = field(default_factory=Habits)
    connections: Connections = Connections.SHARED
    faults: Faults = NO_FAULTS


@dataclass(frozen=True)
class Report:
    """How it went, state messages left out. ``outstanding``: kept without a receipt; ``resent``: sendings beyond the first
    of what was receipted; ``lost``: events that a full buffer dropped.
    """

    said: int
    receipted: int
    outstanding: int
    resent: int
    lost: int
    median_receipt: timedelta | None
    slowest_receipt: timedelta | None
    injected: Mapping[Fault, int] = field(default_factory=dict)


class Simulation:
    """Devices that live, until they are cancelled. Make it, and run it, inside one event loop."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._devices = {each.address: _device(options, each) for each in options.devices}
        self._links = _links(options, list(self._devices.values()), clock, self._on_receipt, self._on_command)
        self._injected: Counter[Fault] = Counter()
        self._random = Random(f"{options.seed}:obeying")
        self._said = self._receipted = self._resent = 0
        self._took: deque[timedelta] = deque(maxlen=REMEMBERED)

    async def run(self) -> None:
        """Connect, and let every device live its days. Never returns."""
        async with asyncio.TaskGroup() as group:
            for link in dict.fromkeys(self._links.values()):
                group.create_task(link.run())
            for fitting in self._options.devices:
                group.create_task(self._live(fitting))

    def say(self, address: str, type_: str, fields: Mapping[str, Any] | None = None) -> Kept:
        """Make something happen at once. KeyError for an address that is not simulated."""
        device = self._devices[address]
        return self._tell(device, saying(device.kind, type_, fields or {}, self._clock.now()))

    def outstanding(self, address: str) -> tuple[Kept, ...]:
        """What a device has no receipt for."""
        return self._devices[address].outbox.kept

    def report(self) -> Report:
        outboxes = [device.outbox for device in self._devices.values()]
        return Report(
            said=self._said,
            receipted=self._receipted,
            outstanding=sum(len(outbox.kept) for outbox in outboxes),
            resent=self._resent,
            lost=sum(outbox.lost for outbox in outboxes),
            median_receipt=sorted(self._took)[len(self._took) // 2] if self._took else None,
            slowest_receipt=max(self._took, default=None),
            injected=self._injected + sum((link.injected for link in set(self._links.values())), Counter()),
        )

    async def _live(self, fitting: Fitting) -> None:
        self.say(fitting.address, "heartbeat")
        options, now = self._options, self._clock.now()
        said = story(fitting, options.life, options.seed, now)
        for told in tell(fitting.address, fitting.kind, said, options.faults, options.seed, now):
            await self._clock.until(told.at)
            self._note(told.faults)
            self._tell(self._devices[fitting.address], told.said, told.due_at)

    def _note(self, injected: Iterable[Injected]) -> None:
        for each in injected:
            self._injected[each.fault] += 1
            log.info("%s has the fault %s %s", each.address, each.fault, each.told)

    def _tell(self, device: Device, said: Said, due_at: datetime | None = None) -> Kept:
        kept = device.say(said, self._clock.now(), due_at)
        self._said += not kept.is_state
        self._links[device.address].wake()
        log.log(_loudness(kept), "%s says %s %s", device.address, said.type, kept.message_id)
        return kept

    def _on_command(self, device: Device, ordered: Ordered) -> None:
        answers = device.obeys(ordered, self._clock.now(), self._random)
        log.info(
            "%s has the command %s %s, and says %d", device.address, ordered.name, ordered.command_id, len(answers)
        )
        for said in answers:
            self._tell(device, said, due_at=said.at)

    def _on_receipt(self, device: Device, receipted: Receipted) -> None:
        self._receipted += 1
        self._resent += max(0, receipted.tries - 1)
        self._took.append(receipted.took)
        seconds = receipted.took.total_seconds()
        log.info(
            "%s has the receipt of %s %s after %.3f s",
            device.address,
            receipted.said.type,
            receipted.message_id,
            seconds,
        )


async def simulate(options: Options, clock: Clock, until: asyncio.Event | None = None) -> Report:
    """Simulate until ``until`` is set (or for ever), and say how it went."""
    simulation = Simulation(options, clock)
    running = asyncio.ensure_future(simulation.run())
    stopped = asyncio.ensure_future((until or asyncio.Event()).wait())
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = running.done()
        running.cancel()
        stopped.cancel()
        await asyncio.wait({running, stopped})
    if ended:
        await running
    return simulation.report()


async def say_once(
    options: Options, clock: Clock, address: str, type_: str, fields: Mapping[str, Any], patience: timedelta
) -> Receipted | None:
    """One device says one thing and waits for its receipt; None when none came within ``patience``."""
    device = _device(options, next(each for each in options.devices if each.address == address))
    receipts: asyncio.Queue[Receipted] = asyncio.Queue()
    link = Link(options.broker, [device], clock, lambda _, receipted: receipts.put_nowait(receipted))
    device.say(saying(device.kind, type_, fields, clock.now()), clock.now())
    running = asyncio.ensure_future(link.run())
    try:
        async with asyncio.timeout(patience.total_seconds()):
            return await receipts.get()
    except TimeoutError:
        return None
    finally:
        running.cancel()
        await asyncio.wait({running})


def _device(options: Options, fitting: Fitting) -> Device:
    address = DeviceAddress(options.site, DIALECT.name, fitting.address)
    return Device(address, fitting.kind, options.habits)


def _links(
    options: Options, devices: list[Device], clock: Clock, on_receipt: OnReceipt, on_command: OnCommand
) -> dict[DeviceAddress, Link]:
    luck = partial(carry, faults=options.faults, seed=options.seed)
    if options.connections is Connections.PER_DEVICE:
        return {
            each.address: Link(
                options.broker, [each], clock, on_receipt, on_command=on_command, own=True, under_way=luck
            )
            for each in devices
        }
    shared = Link(options.broker, devices, clock, on_receipt, on_command=on_command, under_way=luck)
    return dict.fromkeys((device.address for device in devices), shared)


def _loudness(kept: Kept) -> int:
    return logging.DEBUG if kept.is_state else logging.INFO
