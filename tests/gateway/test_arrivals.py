"""What arrives over a real broker is taken in order, once, and stays the broker's until it is acknowledged on its own link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime

import aiomqtt
import pytest
import uvloop

from gateway import arrivals, frames
from gateway.clock import SystemClock, pause
from gateway.embedded import Broker
from gateway.frames import Delivery
from gateway.mqtt import BrokerSettings, Link, LinkLost, connect
from tests.support import parts
from tests.support.databases import short_folder

TOPIC = "hv/v1/s/fall_alarm/fall-001/alarm"


@asynccontextmanager
async def linked(broker: Broker, most: int = 1000) -> AsyncIterator[Link]:
    """A gateway's connection, always of the same session, which has subscribed."""
    async with again(broker, most) as link:
        await link.subscribe([TOPIC])
        yield link


def again(broker: Broker, most: int = 1000) -> AbstractAsyncContextManager[Link]:
    """The same; its session knows already what it listens to."""
    return connect(BrokerSettings(broker.host, broker.port, receive_maximum=most), "arrivals", SystemClock())


async def said(broker: Broker, numbers: range) -> None:
    async with aiomqtt.Client(broker.host, broker.port, max_inflight_messages=1) as device:
        for number in numbers:
            await device.publish(TOPIC, str(number), qos=1)


async def taken(link: Link, count: int, *, most: int = 500) -> list[Delivery]:
    found: list[Delivery] = []
    async with asyncio.timeout(60):
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
        link.acknowledge(first)
        assert numbers([*first, *await taken(link, 7)]) == list(range(12))


async def test_more_than_we_can_hold_stays_with_the_broker(own_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood that nobody takes, at QoS 0 too, which no receive maximum bounds; what is held is taken in the end, in order."""
    monkeypatch.setattr(arrivals, "MOST_WAITING", 100)
    monkeypatch.setattr(arrivals, "CHUNK", 4096)
    flood = [b"%06d" % number + b"." * 1000 for number in range(3000)]
    async with linked(own_broker) as link, aiomqtt.Client(own_broker.host, own_broker.port) as device:
        for qos in (0, 1):
            for payload in flood:
                await device.publish(TOPIC, payload, qos=qos)
            async with asyncio.timeout(60):
                while not link.held:
                    await pause(0.01)
            await pause(0.2)
            assert len(link._arrivals._waiting) < 110
            heard: list[bytes] = []
            async with asyncio.timeout(60):
                while len(heard) < len(flood):
                    batch = await link.batch(50)
                    link.acknowledge(batch)
                    heard += [each.message.payload for each in batch]
            assert heard == flood
            assert not link.held


async def test_what_is_held_outlives_the_keep_alive(own_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """paho would give the connection up: the broker's word that it is there is among what is not read."""
    monkeypatch.setattr(arrivals, "MOST_WAITING", 10)
    monkeypatch.setattr(arrivals, "EXCUSE_EVERY", 0.2)
    async with linked(own_broker) as link:
        # paho's own: the broker knows of the usual one, and hangs up on nobody who stands still for a moment
        link._client._client._keepalive = 3
        await said(own_broker, range(30))
        async with asyncio.timeout(60):
            while not link.held:
                await pause(0.01)
        lost = asyncio.create_task(link.lost())
        await pause(8)
        assert not lost.done()
        lost.cancel()
        assert numbers(await taken(link, 30, most=5)) == list(range(30))


async def test_a_packet_of_many_pieces_is_put_together_once(
    own_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each of its pieces, one that is large would hold up everything for seconds."""
    looked, take_apart = [], frames.take_apart

    def counted(data: bytes, five: bool, now: datetime) -> frames.Taken:
        looked.append(len(data))
        return take_apart(data, five, now)

    async with linked(own_broker) as link:
        await said(own_broker, range(1))
        await taken(link, 1)
        monkeypatch.setattr(frames, "take_apart", counted)
        async with aiomqtt.Client(own_broker.host, own_broker.port) as device:
            await device.publish(TOPIC, b" " * 1_000_000 + b"7", qos=1)
            await device.publish(TOPIC, b"8", qos=1)
        assert numbers(await taken(link, 2)) == [7, 8]
    assert sum(looked) < 3_000_000, "some of it may be looked at twice, and not all of it with each piece"


async def test_who_stops_waiting_takes_nothing_along(own_broker: Broker) -> None:
    """Cancelled again and again, also in the moment in which something comes, and while more is waited for."""
    async with linked(own_broker) as link:
        saying = asyncio.create_task(said(own_broker, range(60)))
        found: list[Delivery] = []
        async with asyncio.timeout(60):
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
        await last.publish("behind", b"them")  # the broker has those when it has this
    async with linked(own_broker) as empty:
        await nothing_more(empty)


async def test_receipts_all_get_out_in_order_whatever_the_broker_takes_at_once() -> None:
    """Mosquitto's own default is 20 on their way; receipts need no word of the broker's, so nothing bounds them."""
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, Broker(folder, server="mosquitto", settings="max_inflight_messages 3\n") as broker:
        async with linked(broker) as link, aiomqtt.Client(broker.host, broker.port) as device:
            await device.subscribe("receipts", qos=1)
            link.send(("receipts", str(number).encode()) for number in range(2000))
            async with asyncio.timeout(60):
                messages = aiter(device.messages)
                heard = [int((await anext(messages)).payload) for _ in range(2000)]
    assert heard == list(range(2000))


@pytest.mark.parametrize("quiet", [False, True], ids=["while it talks", "while nothing is read"])
def test_a_broker_that_dies_under_load_is_noticed_at_once(quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the loop that a gateway runs in, which does not always tell; keep-alive would, after half a minute."""
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")

    async def dies(broker: Broker) -> None:
        async with linked(broker):
            await said(broker, range(400))
        if quiet:
            monkeypatch.setattr(arrivals, "MOST_WAITING", 50)
        async with again(broker) as link:

            async def works() -> None:
                while True:
                    batch = await link.batch(50)
                    link.acknowledge(batch)
                    link.send(("receipts", b"x") for _ in batch)

            working = None if quiet else asyncio.create_task(works())
            while quiet and not link.held:
                await pause(0.01)
            broker.kill9()
            async with asyncio.timeout(60):
                with pytest.raises(LinkLost):
                    await link.lost()
            if working is not None:
                working.cancel()

    with (
        short_folder() as folder,
        Broker(folder, server="mosquitto") as broker,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(dies(broker))
