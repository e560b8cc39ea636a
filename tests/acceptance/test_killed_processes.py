"""Two gateways want the same site, and one of them is killed or stands still: nothing is lost or doubled, nobody fights."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from gateway.embedded import Broker
from tests.support.processes import (
    A_WHILE,
    GatewayProcess,
    Homes,
    alerts,
    devices_of,
    eventually,
    seeded,
    stored_once,
)

SEED = 20260303


@asynccontextmanager
async def _talk(homes: Homes, random: Random) -> AsyncIterator[asyncio.Event]:
    """Something is said all the time, until the event is set: now and then somebody falls."""
    stop = asyncio.Event()

    async def talk() -> None:
        for address, type_ in _words(homes, random):
            homes.say(address, type_)
            await asyncio.sleep(random.expovariate(1 / 0.01))
            if stop.is_set():
                return

    talking = asyncio.create_task(talk())
    try:
        yield stop
        await talking
    finally:
        talking.cancel()
        await asyncio.wait({talking})


def _words(homes: Homes, random: Random) -> Iterator[tuple[str, str]]:
    wearers = [address for address, kind in homes.devices.items() if kind == "fall_alarm"]
    yield from ((address, "fall") for address in wearers[:5])
    while True:
        address = random.choice(list(homes.devices))
        fell = random.random() < 0.03
        if homes.devices[address] == "medicine_dispenser":
            yield address, random.choice(("heartbeat", "dose_dispensed", "dose_taken"))
        else:
            yield address, "fall" if fell and address in wearers else "heartbeat"


async def _all_stored(url: str, homes: Homes) -> None:
    """What the gateway gave its receipt for, and what the broker had acknowledged: each exactly once."""
    promised = sorted(homes.receipted | homes.acknowledged)
    print(f"{len(homes.said)} said, {len(homes.acknowledged)} acknowledged, {len(homes.receipted)} receipted")
    assert len(homes.receipted) > 100

    async def look() -> bool:
        return not await stored_once(url, promised)

    try:
        await eventually(look, "everything is stored")
    except AssertionError:
        raise AssertionError((await stored_once(url, promised))[:10]) from None


async def test_a_standby_takes_over_when_the_first_is_killed(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    await seeded(migrated_url, 4)
    homes = Homes(own_broker, await devices_of(migrated_url))
    first, second = _pair(tmp_path, migrated_url, own_broker)
    with first, second:
        first.start()
        await first.connected()
        second.start()
        await second.logged("gateway.started")
        async with homes.connected():
            before = homes.say("fall-001", "fall")
            await homes.has_receipt(before)
            assert not second.entries("lane.connected")
            await second.healthy()

            first.kill9()
            killed = time.monotonic()
            between = homes.say("fall-002", "fall")
            await homes.has_receipt(between)
            took = time.monotonic() - killed
            print(f"taken over after {took:.1f} s")
            assert took < A_WHILE / 3
            await second.connected()
            assert all(each["resumed"] for each in second.entries("lane.connected"))
        assert not await stored_once(migrated_url, [before, between])
        assert len(await alerts(migrated_url, "fall")) == 2
        assert await second.stop() == 0


async def test_a_gateway_that_stood_still_wakes_up_as_the_standby(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    """Longer than its lease. It finds that the lanes are another's, stores nothing, and does not fight for them."""
    random = Random(SEED)
    await seeded(migrated_url, 33)
    homes = Homes(own_broker, await devices_of(migrated_url))
    first, second = _pair(tmp_path, migrated_url, own_broker)
    with first, second:
        first.start()
        await first.connected()
        second.start()
        await second.logged("gateway.started")
        async with homes.connected(), _talk(homes, random) as talking:
            await asyncio.sleep(1)
            first.signal(signal.SIGSTOP)
            await second.connected()
            fallen = homes.say("fall-030", "fall")
            await homes.has_receipt(fallen)
            first.signal(signal.SIGCONT)
            await first.logged("loop.failed", loop="lane stavanger/alarm")
            await asyncio.sleep(4)  # in which somebody who fights for the lane would have taken it back
            talking.set()
            await homes.all_receipted()
        await _all_stored(migrated_url, homes)
        assert len(second.entries("lane.connected", lane="alarm")) == 1, second.said
        assert len(first.entries("lane.connected", lane="alarm")) == 1, first.said
        await second.healthy()
        await first.healthy()
        assert await first.stop() == 0
        assert await second.stop() == 0


def _pair(folder: Path, url: str, broker: Broker) -> tuple[GatewayProcess, GatewayProcess]:
    return (
        GatewayProcess(folder, "first", database_url=url, mqtt_port=broker.port),
        GatewayProcess(folder, "second", database_url=url, mqtt_port=broker.port),
    )
