"""What a visitor can make happen, and the simulated devices that say it.

Rules
    These devices stand apart from the town's: nothing happens to them but what is asked for. They give a sign of life every
    20 seconds, unless they are dead.
    Whatever happens is published over MQTT, and goes the way of every message.
    What takes time in a home takes it here, too, by short contracts: a device that may be silent for one minute, a dose with
    five minutes of grace (the least there is), a home for which the night's rule holds all day.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from itertools import count, cycle
from typing import Any

from devices.dialects.native import DIALECT
from devices.kinds import kinds
from devices.model import DeviceAddress
from gateway import seed as seeding
from gateway.clock import pause
from gateway.demo.stories import DOOR, POWER, REVIVES_AFTER, SHORT, STORIES, WEAK, Happened
from gateway.store import demo as store
from gateway.store.db import Connection, Database
from simulators.clock import Clock
from simulators.device import Device, Habits, Receipted
from simulators.home import Fitting, saying
from simulators.link import Broker, Link

BEAT_SECONDS = 20.0
REMEMBERED = 200
GRACE_SECONDS = 300
ALL_DAY = {"from_time": "00:00", "to_time": "00:00"}


async def prepare(connection: Connection, now: datetime) -> None:
    """The short contracts, and the rule whose night is always; once."""
    found = await store.fitted(connection, seeding.SITE)
    await store.set_contracts(connection, {address: limit for address, limit in SHORT.items() if address in found})
    if DOOR in found:
        default = next(each for each in kinds()["door_sensor"].default_rules if each["name"] == "door_at_night")
        await store.set_device_rule(connection, found[DOOR], {**default, "window": ALL_DAY}, now)


class Happenings:
    """The devices on one connection, what was made to happen with them, and the receipts they got."""

    def __init__(
        self, database: Database, broker: Broker, fittings: Mapping[str, Fitting], clock: Clock, local: tzinfo
    ) -> None:
        self._database, self._clock, self._local = database, clock, local
        self._devices = {
            address: Device(DeviceAddress(seeding.SITE, DIALECT.name, address), each.kind, Habits())
            for address, each in fittings.items()
        }
        self._link = Link(broker, list(self._devices.values()), clock, self._on_receipt)
        self._dead: dict[str, datetime] = {}
        self._numbers = count(1)
        self._turns = {name: cycle(each.addresses) for name, each in STORIES.items()}
        self._later: set[asyncio.Task[None]] = set()
        self.receipts: dict[str, datetime] = {}
        self.happened: deque[Happened] = deque(maxlen=REMEMBERED)

    async def run(self) -> None:
        """Connected, and alive, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            group.create_task(self._beat())

    async def happen(self, what: str) -> Happened:
        """Make something happen. KeyError for what there is not."""
        story, now = STORIES[what], self._clock.now()
        addresses = story.addresses if story.together else (next(self._turns[what]),)
        happened = Happened(next(self._numbers), what, addresses, now)
        if story.type is not None:
            said = [self.say(address, story.type, story.fields) for address in addresses]
            happened = replace(happened, message_id=said[0])
        if what == "silent_dose":
            happened = replace(happened, at=await self._plan(addresses[0], now))
        elif what == "dies":
            self._die(addresses, now)
        elif what == "power":
            self._die(WEAK, now)
            self._do_later(self._power_returns())
        elif what == "door":
            self._do_later(self._say_later(8, addresses[0], "closed"))
        self.happened.append(happened)
        return happened

    def say(self, address: str, type_: str, fields: Mapping[str, Any] | None = None) -> str:
        """A device says something now; the id of the message."""
        device, now = self._devices[address], self._clock.now()
        kept = device.say(saying(device.kind, type_, fields or {}, now), now)
        self._link.wake()
        return kept.message_id

    def alive(self, now: datetime) -> Iterator[str]:
        """Who gives signs of life."""
        for address in self._devices:
            if self._dead.get(address, now) <= now:
                yield address

    async def _plan(self, address: str, now: datetime) -> datetime:
        """A dose that is due at the next full second, and of which the dispenser will say nothing."""
        at = now.replace(microsecond=0) + timedelta(seconds=1)

        async def work(connection: Connection) -> None:
            device = (await store.fitted(connection, seeding.SITE))[address]
            await store.plan_dose_once(connection, device, at, at.astimezone(self._local), GRACE_SECONDS)

        await self._database.run(work)
        return at

    def _die(self, addresses: tuple[str, ...], now: datetime) -> None:
        self._dead |= dict.fromkeys(addresses, now + REVIVES_AFTER)

    async def _power_returns(self) -> None:
        await pause(REVIVES_AFTER.total_seconds())
        for address in POWER:
            self.say(address, "mains_on")

    async def _say_later(self, seconds: float, address: str, type_: str) -> None:
        await pause(seconds)
        self.say(address, type_)

    def _do_later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _beat(self) -> None:
        while True:
            for address in self.alive(self._clock.now()):
                self.say(address, "heartbeat", {"battery": 88, "rssi": -67})
            await pause(BEAT_SECONDS)

    def _on_receipt(self, _: Device, receipted: Receipted) -> None:
        self.receipts[receipted.message_id] = self._clock.now()
        while len(self.receipts) > REMEMBERED:
            del self.receipts[next(iter(self.receipts))]
