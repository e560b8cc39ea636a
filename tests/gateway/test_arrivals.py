"""What arrives over a real broker is taken in order, once, and stays the broker's until it is acknowledged on its own link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import aiomqtt
import pytest

from gateway.clock import SystemClock, pause
from gateway.embedded import Broker
from gateway.mqtt import BrokerSettings, Delivery, Link, connect
from tests.support import parts
from tests.support.databases import short_folder

TOPIC = "hv/v1/s/fall_alarm/fall-001/alarm"


@asynccontextmanager
async def linked(broker: Broker, most: int = 1000) -> AsyncIterator[Link]:
    """A gateway's connection, always of the same session."""
    settings = BrokerSettings(broker.host, broker.port, receive_maximum=most)
    async with connect(settings, "arrivals", SystemClock()) as link:
        await link.subscribe([TOPIC])
        yield link


async def said(broker: Broker, numbers: range) -> None:
    async with aiomqtt.Client(broker.host, broker.port, max_inflight_messages=1) as device:
        for number in numbers:
            await device.publish(TOPIC, str(number), qos=1)


async def taken(link: Link, count: int, *, most: int = 500) -> list[Delivery]:
    found: list[Delivery] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += await link.batch(most)
    return found


def numbers(batch: Sequence[Delivery]) -> list[int]:
    return [int(each.message.payload) for each in batch]


async def nothing_more(link: Link) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await link.batch(500)


async def test_more_than_the_broker_sends_ahead_comes_as_it_is_acknowledged(own_broker: Broker) -> None:
    async with linked(own_broker, most=5) as link:
        await said(own_broker, range(12))
        first = await taken(link, 5)
        await nothing_more(link)
        link.acknowledge(first[:2])
        second = await taken(link, 2)
        link.acknowledge(first[2:])
        link.acknowledge(second)
        assert numbers([*first, *second, *await taken(link, 5)]) == list(range(12))


async def test_who_stops_waiting_takes_nothing_along(own_broker: Broker) -> None:
    """Cancelled again and again, also in the moment in which something comes, and while more is waited for."""
    async with linked(own_broker) as link:
        saying = asyncio.create_task(said(own_broker, range(60)))
        found: list[Delivery] = []
        async with asyncio.timeout(10):
            while len(found) < 60:
                waiting = asyncio.create_task(link.batch(3, 0.002))
                await pause(0.001)
                waiting.cancel()
                with suppress(asyncio.CancelledError):
                    found += await waiting
                found += await link.batch(3) if len(found) < 60 else []
        await saying
        assert numbers(found) == list(range(60))


async def test_an_acknowledgement_is_worth_nothing_on_another_connection(own_broker: Broker) -> None:
    """A batch is in hand while the connection ends; that it is acknowledged afterwards reaches nobody."""
    async with linked(own_broker) as link:
        await said(own_broker, range(6))
        first = await taken(link, 6)
        link.acknowledge(first[:2])
        await pause(0.1)
    async with linked(own_broker) as again:
        assert again.resumed
        link.acknowledge(first)
        assert numbers(await taken(again, 4)) == [2, 3, 4, 5]
    async with linked(own_broker) as last:
        batch = await taken(last, 4)
        assert numbers(batch) == [2, 3, 4, 5]
        last.acknowledge(batch)
        await pause(0.1)
    async with linked(own_broker) as empty:
        await nothing_more(empty)


async def test_receipts_keep_to_what_the_broker_takes_at_once_and_all_get_out() -> None:
    """Mosquitto's own default is 20; ours asks for no bound. Whoever exceeds what a broker has named may be hung up on."""
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, Broker(folder, server="mosquitto", settings="max_inflight_messages 3\n") as broker:
        async with linked(broker) as link, aiomqtt.Client(broker.host, broker.port) as device:
            await device.subscribe("receipts", qos=1)
            for number in range(200):
                link.send("receipts", str(number).encode())
            assert link._client._client._inflight_messages == 3
            async with asyncio.timeout(10):
                messages = aiter(device.messages)
                heard = [int((await anext(messages)).payload) for _ in range(200)]
    assert heard == list(range(200))
