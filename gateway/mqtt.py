"""MQTT: the one seam to the broker. A link is one connection of one lane; what it hands out can only be
acknowledged on that same connection.

Theory
    The broker keeps a persistent session for each lane (fixed client id, clean start off, session expiry): what is not
    acknowledged comes again. aiomqtt acknowledges a message before our code sees it, so paho's manual acknowledgement
    is switched on before connecting, and each message is acknowledged by its packet id after its transaction has
    committed, in the order of arrival. ``receive_maximum`` bounds what the broker sends ahead of acknowledgement, and
    with it our memory; what has arrived is never dropped. What arrives is read by ``gateway/arrivals.py``.

    aiomqtt awaits each message that is sent: a batch is acknowledged, and its receipts sent, in one piece. Receipts go at QoS 0:
    a device without its receipt asks again, so nobody waits for the broker's word.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway import frames
from gateway.arrivals import Arrivals, Reader
from gateway.clock import Clock
from gateway.frames import Delivery

LinkLost = aiomqtt.MqttError
"""The connection is gone, or was refused."""

AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""A small packet does not wait for the acknowledgement of the one before it: that is 40 ms for each receipt, measured."""

SESSION_EXPIRY = 30 * 24 * 3600
"""How long the broker keeps a lane's session while we are away, in seconds."""

KEEP_ALIVE = 15
"""Seconds."""
LOOK_EVERY = 0.5
"""Seconds between two looks at the socket."""
LONGEST_BACKLOG = 3600.0
"""Seconds after which a broker that has not said a word on a subscription is given up."""


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
    receive_maximum: int = 4000


class Link:
    """An open connection."""

    def __init__(self, client: aiomqtt.Client, arrivals: Arrivals, *, resumed: bool, five: bool) -> None:
        self._client = client
        self._five = five
        self._arrivals = arrivals
        self.resumed = resumed
        """Whether the broker still had our session, with what came while we were away."""

    async def subscribe(self, topics: Sequence[str]) -> None:
        """At QoS 1. LinkLost when the broker refuses one. Its word on it comes behind all that it has sent us before."""
        granted = await self._client.subscribe([(topic, 1) for topic in topics], timeout=LONGEST_BACKLOG)
        refused = [topic for topic, code in zip(topics, granted, strict=True) if _is_refused(code)]
        if refused:
            raise LinkLost(f"the broker refuses to let us subscribe to {', '.join(refused)}: check its access list")

    async def lost(self) -> None:
        """Returns never: LinkLost when the connection ends, also while nobody reads or writes.

        The socket itself is looked at, too: where it breaks while something is written, uvloop tells nobody (measured).
        """
        ended = self._client._disconnected  # noqa: SLF001 - it tells only those who read
        while not (await asyncio.wait([ended], timeout=LOOK_EVERY))[0]:
            if _is_broken(self._client._client.socket()):  # noqa: SLF001 - as above
                ended.set_exception(LinkLost("the socket is broken"))  # so that leaving it waits for nothing
        why = ended.exception()
        raise LinkLost(f"disconnected: {why}" if why else "disconnected") from why

    async def batch(self, most: int, linger: float = 0.0) -> list[Delivery]:
        """What has arrived, at least one message. Waits for ever where none comes: :meth:`lost` tells of the end.

        ``linger``: seconds to wait for what comes right behind the first one.
        """
        return await self._arrivals.take(most, linger)

    @property
    def held(self) -> bool:
        """Whether more has arrived than we can hold, so that nothing is read: not even the broker's word on what we publish."""
        return self._arrivals.held

    def acknowledge(self, batch: Sequence[Delivery]) -> None:
        """In order of arrival. What was sent at QoS 0 needs none."""
        self._write(frames.acknowledgements(each.packet_id for each in batch if each.packet_id))

    async def publish(self, topic: str, payload: bytes, expires_in: int | None = None) -> None:
        """At QoS 1; waits for the broker's acknowledgement. ``expires_in``: whole seconds after which the broker drops it,
        where it speaks MQTT 5."""
        properties = _publish_properties(expires_in) if self._five and expires_in is not None else None
        await self._client.publish(topic, payload, qos=1, properties=properties)

    def publish_behind(self, topic: str, payload: bytes) -> None:
        """At QoS 1, without waiting: the broker's word on it comes behind all that it has for us, which may be a long while."""
        self._client._client.publish(topic, payload, qos=1)  # noqa: SLF001 - publish() gives a connection up over it

    def send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Topics and payloads at QoS 0: nobody learns whether they got out."""
        self._write(frames.publications(messages, self._five))

    def _write(self, packets: bytes) -> None:
        """In one piece, behind whatever waits to be written; lost with the connection."""
        if packets:
            self._client._client._packet_queue(frames.PUBACK, packets, 0, 0)  # noqa: SLF001 - it looks at no more than bytes


@asynccontextmanager
async def connect(settings: BrokerSettings, client_id: str, clock: Clock) -> AsyncIterator[Link]:
    """Connect with a persistent session. LinkLost when it cannot be done."""
    async with try_out(settings, client_id, clock) as trying:
        yield trying.link


async def reach(settings: BrokerSettings, client_id: str) -> None:
    """Connect and hang up, and leave no session behind. LinkLost when it cannot be done."""
    async with _client(settings, client_id, keep=False):
        pass


def _client(settings: BrokerSettings, client_id: str, *, keep: bool = True) -> aiomqtt.Client:
    """``keep``: the session outlives the connection. Without, an older one of that name ends, too."""
    five = settings.version == 5
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
        clean_session=None if five else not keep,
        clean_start=not keep if five else MQTT_CLEAN_START_FIRST_ONLY,
        properties=_connect_properties(settings, SESSION_EXPIRY if keep else 0) if five else None,
        tls_context=ssl.create_default_context(cafile=settings.ca_file) if settings.tls else None,
        keepalive=KEEP_ALIVE,
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
        self.said: object = None
        """The properties of the answer, in MQTT 5."""
        self._paho = client._client  # noqa: SLF001 - aiomqtt hands neither on
        self._passed_on = self._paho.on_connect
        self._paho.on_connect = self._on_connect

    def _on_connect(self, client: object, data: object, flags: object, *rest: object) -> None:
        self.present = bool(getattr(flags, "session_present", False))
        self.said = rest[-1] if rest else None
        most = getattr(self.said, "ReceiveMaximum", None)
        if most is not None:  # MQTT 5: who sends more without an acknowledgement may be hung up on
            self._paho._max_inflight_messages = most  # noqa: SLF001 - the setter refuses once connected, and nothing is out yet
        if self._passed_on is not None:
            self._passed_on(client, data, flags, *rest)  # type: ignore[arg-type]


def _is_broken(sock: Any) -> bool:
    """Whether the other side has gone, or the network said so; whatever of it has not been read yet comes again."""
    if sock is None or sock.fileno() < 0:
        return True
    look = select.poll()
    look.register(sock.fileno(), select.POLLRDHUP)
    return bool(look.poll(0))


def _is_refused(code: object) -> bool:
    value = code if isinstance(code, int) else getattr(code, "value", 0)
    return isinstance(value, int) and value >= 128


# Trying a broker ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Granted:
    """What a broker that speaks MQTT 5 says it will do for us. What it leaves out is what the protocol promises then.

    ``session_expiry`` in seconds, ``largest_packet`` in bytes, None: no limit.
    """

    receive_maximum: int = 65535
    maximum_qos: int = 2
    session_expiry: int = SESSION_EXPIRY
    largest_packet: int | None = None
    retains: bool = True
    wildcards: bool = True


@dataclass(frozen=True, slots=True)
class Trying:
    """A connection to try the broker with. ``granted``: None with MQTT 3.1.1, in which no broker says."""

    link: Link
    granted: Granted | None
    _client: aiomqtt.Client

    async def retain(self, topic: str, payload: bytes) -> None:
        """Publish something that the broker is to keep, at QoS 1; waits for its acknowledgement."""
        await self._client.publish(topic, payload, qos=1, retain=True)


@asynccontextmanager
async def try_out(
    settings: BrokerSettings, client_id: str, clock: Clock, *, keep: bool = True
) -> AsyncIterator[Trying]:
    """Connect as :func:`connect` does, with what the broker grants. ``keep=False``: no session before, none after."""
    client = _client(settings, client_id, keep=keep)
    five = settings.version == 5
    session, arrivals = _SessionPresent(client), Arrivals(Reader(client, clock, five=five))
    async with client:
        ended = client._disconnected  # noqa: SLF001 - it tells only those who read
        link = Link(client, arrivals, resumed=session.present, five=five)
        try:
            yield Trying(link, _granted(session.said) if five else None, client)
        finally:
            if ended.done():
                ended.exception()  # whoever used the link knows; a future that nobody asks complains when it is collected


def _granted(said: object) -> Granted:
    return Granted(
        receive_maximum=getattr(said, "ReceiveMaximum", 65535),
        maximum_qos=getattr(said, "MaximumQoS", 2),
        session_expiry=getattr(said, "SessionExpiryInterval", SESSION_EXPIRY),
        largest_packet=getattr(said, "MaximumPacketSize", None),
        retains=bool(getattr(said, "RetainAvailable", 1)),
        wildcards=bool(getattr(said, "WildcardSubscriptionAvailable", 1)),
    )
