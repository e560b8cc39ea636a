"""The broker as the devices of a trial see it: everything that leaves is published over one connection, and receipts come back.

``deliver`` returns when the broker has everything; ``receipts`` when everything that was published before it was called
has come: a mark is sent behind it, on a topic of nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import aiomqtt

from devices.dialects.native import PREFIX
from simulators.field import Leaving
from simulators.link import AT_ONCE, Broker, receipt_id

MANY = 500
"""Messages on their way at once."""
PATIENCE = 20.0


class Wire:
    """An open connection of a site's devices."""

    def __init__(self, client: aiomqtt.Client, site: str) -> None:
        self._client = client
        self._mark = f"{PREFIX}/{site}/-/-/receipt"

    async def deliver(self, leaving: Sequence[Leaving]) -> None:
        """In order, at QoS 1."""
        for start in range(0, len(leaving), MANY):
            part = leaving[start : start + MANY]
            await asyncio.gather(*(self._client.publish(each.topic, each.payload, qos=1) for each in part))

    async def receipts(self) -> Iterable[tuple[str, str]]:
        """Topic and message id of each receipt since last asked."""
        await self._client.publish(self._mark, b"{}", qos=1)
        found: list[tuple[str, str]] = []
        async with asyncio.timeout(PATIENCE):
            async for message in self._client.messages:
                topic = message.topic.value
                if topic == self._mark:
                    break
                if (message_id := receipt_id(message.payload)) is not None:
                    found.append((topic, message_id))
        return found


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
        max_inflight_messages=MANY,
        max_queued_outgoing_messages=0,
    )
    client.pending_calls_threshold = 10 * MANY
    async with client:
        await client.subscribe(f"{PREFIX}/{site}/+/+/receipt", qos=1)
        yield Wire(client, site)
