"""The broker as the devices of a trial see it: everything that leaves is published over one connection, and receipts come back.

``deliver`` returns when the broker has everything; ``receipts`` when everything that was published before it was called
has come: a mark is sent behind it, on a topic of nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiomqtt
from paho.mqtt.client import MQTTMessage

from devices.dialects.native import PREFIX
from simulators.field import Leaving
from simulators.link import AT_ONCE, Broker, receipt_id

PATIENCE = 20.0


class Wire:
    """An open connection of a site's devices. Hundreds of thousands of messages go over it, so what comes is taken from paho's
    callback, and of many that go only the last one is waited for: the broker answers in order."""

    def __init__(self, client: aiomqtt.Client, site: str) -> None:
        self._client = client
        self._paho = client._client  # noqa: SLF001 - see above
        self._paho.on_message = self._arrived
        self._mark = f"{PREFIX}/{site}/-/-/receipt"
        self._marked = asyncio.Event()
        self._receipts: list[tuple[str, str]] = []

    async def deliver(self, leaving: Sequence[Leaving]) -> None:
        """In order, at QoS 1."""
        for each in leaving[:-1]:
            self._paho.publish(each.topic, each.payload, qos=1)
        for each in leaving[-1:]:
            await self._client.publish(each.topic, each.payload, qos=1)

    async def receipts(self) -> Sequence[tuple[str, str]]:
        """Topic and message id of each receipt since last asked."""
        self._marked.clear()
        await self._client.publish(self._mark, b"{}", qos=1)
        async with asyncio.timeout(PATIENCE):
            await self._marked.wait()
        found, self._receipts = self._receipts, []
        return found

    def _arrived(self, _client: object, _data: object, message: MQTTMessage) -> None:
        if message.topic == self._mark:
            self._marked.set()
        elif (message_id := receipt_id(message.payload)) is not None:
            self._receipts.append((message.topic, message_id))


@asynccontextmanager
async def wired(broker: Broker, site: str) -> AsyncIterator[Wire]:
    """A connection that listens for all receipts of a site."""
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        timeout=PATIENCE,
        socket_options=[AT_ONCE],
        max_inflight_messages=0,
        max_queued_outgoing_messages=0,
    )
    async with client:
        wire = Wire(client, site)
        await client.subscribe(f"{PREFIX}/{site}/+/+/receipt", qos=0)
        yield wire
