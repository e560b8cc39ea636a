"""MQTT: the one seam to the broker. A link is one connection of one lane; what it hands out can only be
acknowledged on that same connection.

Theory
    The broker keeps a persistent session for each lane (fixed client id, clean start off, session expiry): what is not
    acknowledged comes again. aiomqtt acknowledges a message before our code sees it, so paho's manual acknowledgement
    is switched on before connecting, and each message is acknowledged by its packet id after its transaction has
    committed, in the order of arrival. ``receive_maximum`` bounds what the broker sends ahead of acknowledgement, and
    with it our memory; what has arrived is never dropped.

    aiomqtt makes a task for each message that is read and awaits each that is sent, which costs more than storing it. So
    what arrives is taken from paho's callback, and receipts are sent without waiting for the broker's word: a device
    without its receipt asks again.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.model import Message
from gateway.clock import Clock, pause

LinkLost = aiomqtt.MqttError
"""The connection is gone, or was refused."""

AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""A small packet does not wait for the acknowledgement of the one before it: that is 40 ms for each receipt, measured."""

SESSION_EXPIRY = 30 * 24 * 3600
"""How long the broker keeps a lane's session while we are away, in seconds."""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker is. ``version``: 5 or 3 (for 3.1.1). ``ca_file``: whom to trust under TLS; None: the system."""

    host: str
    port: int
    version: int = 5
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    receive_maximum: int = 1000


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and what its acknowledgement needs."""

    message: Message
    packet_id: int
    qos: int


class Link:
    """An open connection."""

    def __init__(self, client: aiomqtt.Client, arrivals: _Arrivals, *, resumed: bool, five: bool) -> None:
        self._client = client
        self._five = five
        self._arrivals = arrivals
        self.resumed = resumed
        """Whether the broker still had our session, with what came while we were away."""

    async def subscribe(self, topics: Sequence[str]) -> None:
        """At QoS 1. LinkLost when the broker refuses one."""
        granted = await self._client.subscribe([(topic, 1) for topic in topics])
        refused = [topic for topic, code in zip(topics, granted, strict=True) if _is_refused(code)]
        if refused:
            raise LinkLost(f"the broker refuses to let us subscribe to {', '.join(refused)}: check its access list")

    async def lost(self) -> None:
        """Returns never: LinkLost when the connection ends, also while nobody reads or writes."""
        await asyncio.wait([self._client._disconnected])  # noqa: SLF001 - it tells only those who read
        raise LinkLost("disconnected")

    async def batch(self, most: int, linger: float = 0.0) -> list[Delivery]:
        """What has arrived, at least one message. Waits for ever where none comes: :meth:`lost` tells of the end.

        ``linger``: seconds to wait for what comes right behind the first one.
        """
        return await self._arrivals.take(most, linger)

    def acknowledge(self, batch: Sequence[Delivery]) -> None:
        """In order of arrival. What was sent at QoS 0 needs none."""
        for each in batch:
            if each.qos > 0:
                self._client._client.ack(each.packet_id, each.qos)  # noqa: SLF001 - the one way to ack after commit

    async def publish(self, topic: str, payload: bytes, expires_in: int | None = None) -> None:
        """At QoS 1; waits for the broker's acknowledgement. ``expires_in``: whole seconds after which the broker drops it,
        where it speaks MQTT 5."""
        properties = _publish_properties(expires_in) if self._five and expires_in is not None else None
        await self._client.publish(topic, payload, qos=1, properties=properties)

    def send(self, topic: str, payload: bytes) -> None:
        """At QoS 1, without waiting: nobody learns whether it got out."""
        self._client._client.publish(topic, payload, qos=1)  # noqa: SLF001 - publish() waits, with a task for each


class _Arrivals:
    """What the broker has sent and nobody has taken yet, in order of arrival."""

    def __init__(self, client: aiomqtt.Client, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[Delivery] = deque()
        self._some = asyncio.Event()
        client._client.on_message = self._arrived  # noqa: SLF001 - before connecting: a session's messages come at once

    async def take(self, most: int, linger: float) -> list[Delivery]:
        await self._some.wait()
        if linger and len(self._waiting) < most:
            await pause(linger)
        batch = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if not self._waiting:
            self._some.clear()
        return batch

    def _arrived(self, _client: object, _data: object, message: MQTTMessage) -> None:
        said = Message(message.topic, bytes(message.payload), self._clock.now(), message.retain)
        self._waiting.append(Delivery(said, message.mid, message.qos))
        self._some.set()


@asynccontextmanager
async def connect(settings: BrokerSettings, client_id: str, clock: Clock) -> AsyncIterator[Link]:
    """Connect with a persistent session. LinkLost when it cannot be done."""
    client = _client(settings, client_id)
    session, arrivals = _SessionPresent(client), _Arrivals(client, clock)
    async with client:
        yield Link(client, arrivals, resumed=session.present, five=settings.version == 5)


async def reach(settings: BrokerSettings, client_id: str) -> None:
    """Connect and hang up, and leave no session behind. LinkLost when it cannot be done."""
    async with _client(settings, client_id, kept=False):
        pass


def _client(settings: BrokerSettings, client_id: str, *, kept: bool = True) -> aiomqtt.Client:
    """``kept``: whether the broker keeps the session while we are away."""
    five = settings.version == 5
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
        clean_session=None if five else not kept,
        clean_start=not kept if five else MQTT_CLEAN_START_FIRST_ONLY,
        properties=_connect_properties(settings, SESSION_EXPIRY if kept else 0) if five else None,
        tls_context=ssl.create_default_context(cafile=settings.ca_file) if settings.tls else None,
        keepalive=15,
        timeout=10,
        max_inflight_messages=0,  # no bound but the broker's: with one, paho goes through all that is on its way at each word
        socket_options=[AT_ONCE],
    )
    client._client.manual_ack_set(True)  # noqa: SLF001, FBT003 - before connecting: later, and messages are lost
    return client


def _connect_properties(settings: BrokerSettings, expiry: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = expiry
    properties.ReceiveMaximum = settings.receive_maximum
    return properties


def _publish_properties(expires_in: int) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = expires_in
    return properties


class _SessionPresent:
    """Listens in on the connection's answer: whether the broker kept our session, and how much it takes at once."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.present = False
        self._paho = client._client  # noqa: SLF001 - aiomqtt hands neither on
        self._passed_on = self._paho.on_connect
        self._paho.on_connect = self._on_connect

    def _on_connect(self, client: object, data: object, flags: object, *rest: object) -> None:
        self.present = bool(getattr(flags, "session_present", False))
        most = getattr(rest[-1], "ReceiveMaximum", None) if rest else None
        if most is not None:  # MQTT 5: who sends more without an acknowledgement may be hung up on
            self._paho._max_inflight_messages = most  # noqa: SLF001 - the setter refuses once connected, and nothing is out yet
        if self._passed_on is not None:
            self._passed_on(client, data, flags, *rest)  # type: ignore[arg-type]


def _is_refused(code: object) -> bool:
    value = code if isinstance(code, int) else getattr(code, "value", 0)
    return isinstance(value, int) and value >= 128
