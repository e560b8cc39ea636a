"""The MQTT connection of simulated devices.

Rules
    Everything outstanding goes out at QoS 1 when it is due, alarms first, and stays outstanding until its receipt.
    A connection that breaks is made again with back-off, for ever; then everything outstanding is due.
    A device with a connection of its own has a fixed client id, a persistent session and a retained last will
    ``{"online": false}`` on its status topic, and says ``{"online": true}`` there when it is connected.
    Devices that share a connection (600 devices need not be 600 sockets) have no wills and no session: their
    receipts come again when they send again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import aiomqtt
from pydantic_core import from_json

from devices.dialects.native import Ordered, read_command
from devices.kinds import kinds
from devices.model import DecodeError, MessageClass
from simulators.clock import Clock
from simulators.device import Device, Kept, Receipted
from simulators.faults import NO_FAULTS, Arrival, Fault, Injected, Sending, carry

ONLINE, OFFLINE = b'{"online":true}', b'{"online":false}'
BATCH = 20
"""Messages sent before the outboxes are looked at again, so that an alarm overtakes a long buffer."""
FILTERS = 100
"""Topic filters in one SUBSCRIBE."""
GOODBYE_SECONDS = 2.0
LONGEST_PAUSE = 10.0
AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""A small packet does not wait for the acknowledgement of the one before it."""

OnReceipt = Callable[[Device, Receipted], None]
OnCommand = Callable[[Device, Ordered], None]
UnderWay = Callable[[Sending], tuple[tuple[Arrival, ...], tuple[Injected, ...]]]
WITHOUT_FAULTS: UnderWay = partial(carry, faults=NO_FAULTS, seed=0)

log = logging.getLogger("simulators")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who we are to it."""

    host: str = "localhost"
    port: int = 1883
    username: str | None = None
    password: str | None = None
    timeout: float = 5.0


class Link:
    """One connection, for one device (``own``) or many. ``on_receipt`` is told of each receipt, ``on_command`` of each
    command; without it nobody listens for any. ``under_way``: what becomes of a sending, and the faults in it; ``injected``
    counts them."""

    def __init__(
        self,
        broker: Broker,
        devices: Sequence[Device],
        clock: Clock,
        on_receipt: OnReceipt,
        *,
        on_command: OnCommand | None = None,
        own: bool = False,
        under_way: UnderWay = WITHOUT_FAULTS,
    ) -> None:
        self._broker = broker
        self._devices = tuple(devices)
        self._clock = clock
        self._on_receipt = on_receipt
        self._own = devices[0] if own else None
        self._on_command = on_command
        self._under_way = under_way
        self._in_the_air: set[asyncio.Task[None]] = set()
        self.injected: Counter[Fault] = Counter()
        self._by_receipt = {device.topic("receipt"): device for device in devices}
        obeying = [each for each in devices if on_command is not None and kinds()[each.kind].commands]
        self._by_command = {device.topic("command"): device for device in obeying}
        self._wake = asyncio.Event()
        self._talking = self._greeted = False

    def wake(self) -> None:
        """Something was said: look at the outboxes."""
        self._wake.set()

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        pause = _PAUSES.first
        while True:
            self._greeted = False
            try:
                await self._connect_and_talk()
            except aiomqtt.MqttError as error:
                log.warning("connection lost: %s", error)
            _raise_if_cancelled()
            pause = _PAUSES.after(pause, connected=self._greeted)
            await self._clock.sleep(pause)

    async def _connect_and_talk(self) -> None:
        async with self._client() as client:
            _raise_if_cancelled()
            try:
                await self._talk(client)
            except asyncio.CancelledError:
                await self._take_leave(client)
                raise

    async def _talk(self, client: aiomqtt.Client) -> None:
        """Listen and speak until one of them ends."""
        self._talking = True
        tasks = [asyncio.ensure_future(self._listen(client)), asyncio.ensure_future(self._speak(client))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._talking = False
            ends = await _ended([*tasks, *self._in_the_air])
        for error in ends:
            raise error

    def _client(self) -> aiomqtt.Client:
        own = self._own
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._broker.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            identifier=f"{own.address.site}.{own.kind}.{own.address.address}" if own else None,
            clean_session=own is None,
            will=aiomqtt.Will(own.topic(MessageClass.STATUS), OFFLINE, qos=1, retain=True) if own else None,
            keepalive=30,
            timeout=self._broker.timeout,
            socket_options=[AT_ONCE],
        )

    async def _greet(self, client: aiomqtt.Client) -> None:
        topics = sorted([*self._by_receipt, *self._by_command])
        for start in range(0, len(topics), FILTERS):
            await client.subscribe([(topic, 1) for topic in topics[start : start + FILTERS]])
        await self._say_presence(client, ONLINE)
        now = self._clock.now()
        for device in self._devices:
            device.reconnected(now)
        self._greeted = True

    async def _take_leave(self, client: aiomqtt.Client) -> None:
        """A clean good-bye discards the last will, so say it ourselves."""
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._say_presence(client, OFFLINE)

    async def _say_presence(self, client: aiomqtt.Client, payload: bytes) -> None:
        if self._own is not None:
            await client.publish(self._own.topic(MessageClass.STATUS), payload, qos=1, retain=True)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            device = self._by_receipt.get(message.topic.value)
            message_id = receipt_id(message.payload)
            if device is not None and message_id is not None:
                self._settle(device, message_id)
            if (commanded := self._by_command.get(message.topic.value)) is not None:
                self._obey(commanded, message.payload)

    def _obey(self, device: Device, payload: object) -> None:
        try:
            ordered = read_command(payload if isinstance(payload, bytes) else b"")
        except DecodeError as error:
            log.warning("%s does not understand a command: %s", device.address, error)
            return
        if self._on_command is not None:
            self._on_command(device, ordered)

    def _settle(self, device: Device, message_id: str) -> None:
        receipted = device.receipted(message_id, self._clock.now())
        if receipted is not None:
            self._on_receipt(device, receipted)

    async def _speak(self, client: aiomqtt.Client) -> None:
        await self._greet(client)
        while self._talking:
            due = self._due()
            for device, kept in due[:BATCH]:
                await self._send(client, device, kept)
            if not due:
                await self._clock.until_set(self._wake, self._next_due())

    async def _send(self, client: aiomqtt.Client, device: Device, kept: Kept) -> None:
        if device.outbox.find(kept.message_id) is None:
            return  # its receipt came while others were sent
        topic, payload = device.message(kept)
        now = self._clock.now()
        sending = Sending(device.address.address, kept.message_id, kept.tries + 1, now, topic, payload)
        arrivals, injected = self._under_way(sending)
        self.injected.update(each.fault for each in injected)
        for each in arrivals:
            await self._arrives(client, each)
        device.sent(kept.message_id, self._clock.now())
        level = logging.INFO if kept.is_alarm or kept.tries == 0 else logging.DEBUG
        log.log(level, "%s sent %s %s, time %d", device.address, kept.said.type, kept.message_id, kept.tries + 1)

    async def _arrives(self, client: aiomqtt.Client, arrival: Arrival) -> None:
        """At once, or in a while; what is under way when the connection ends is lost."""
        if not arrival.after:
            await client.publish(arrival.topic, arrival.payload, qos=1)
            return
        task = asyncio.create_task(self._arrives_later(client, arrival))
        self._in_the_air.add(task)
        task.add_done_callback(self._in_the_air.discard)

    async def _arrives_later(self, client: aiomqtt.Client, arrival: Arrival) -> None:
        await self._clock.sleep(arrival.after.total_seconds())
        with suppress(aiomqtt.MqttError):
            await client.publish(arrival.topic, arrival.payload, qos=1)

    def _due(self) -> list[tuple[Device, Kept]]:
        now = self._clock.now()
        due = [(device, kept) for device in self._devices for kept in device.outbox.due(now)]
        return sorted(due, key=lambda pair: pair[1].rank)

    def _next_due(self) -> datetime | None:
        moments = (device.outbox.next_due for device in self._devices)
        return min((moment for moment in moments if moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Pauses:
    """Seconds between two attempts to connect: doubled while they fail, short again after one that did not."""

    first: float
    longest: float

    def after(self, pause: float, *, connected: bool) -> float:
        return self.first if connected else min(self.longest, pause * 2)


def _raise_if_cancelled() -> None:
    """The client can lose a cancellation: its time-outs, and its errors on disconnecting, win over it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _ended(tasks: Sequence[asyncio.Future[None]]) -> list[BaseException]:
    """End tasks; the errors they ended with."""
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    return [end for end in ends if end is not None and not isinstance(end, asyncio.CancelledError)]


_PAUSES = _Pauses(first=0.25, longest=LONGEST_PAUSE)


def receipt_id(payload: object) -> str | None:
    """The id in a receipt, or None where it is not one."""
    try:
        body = from_json(payload) if isinstance(payload, bytes | bytearray) else None
    except ValueError:
        return None
    message_id = body.get("id") if isinstance(body, dict) else None
    return message_id if isinstance(message_id, str) else None
