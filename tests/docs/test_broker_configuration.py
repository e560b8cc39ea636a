"""The broker configuration in deploy/, with a real Mosquitto: who may connect, and who may say what."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import pytest

from devices.dialects import dialects
from devices.dialects.native import DIALECT
from devices.model import DeviceAddress, Lane, Message
from gateway import canary
from gateway.clock import SystemClock
from gateway.embedded import LOOPBACK, free_port
from gateway.mqtt import BrokerSettings, Link, connect
from tests.support import databases, parts

DEPLOY = Path(__file__).parents[2] / "deploy"
SITE = "stavanger"
GATEWAY, DEVICE, OTHER = "hjemmevakt", "fall-001", "fall-002"
REPLACED = {
    "\nlistener 1883\n": "\nlistener {port} {host}\n",
    "/etc/mosquitto/hjemmevakt.passwd": "{folder}/passwd",
    "/etc/mosquitto/hjemmevakt.acl": "{folder}/acl",
    "/var/lib/mosquitto/": "{folder}/",
}


@pytest.fixture(scope="module")
def site_broker() -> Iterator[int]:
    """The port of a Mosquitto that runs with our files; only what names this machine's paths and port is replaced."""
    mosquitto = parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    passwd = parts.program("Mosquitto (apt: mosquitto)", "mosquitto_passwd")
    with databases.short_folder() as folder:
        port = free_port()
        (folder / "mosquitto.conf").write_text(_configuration(folder, port))
        (folder / "acl").write_text((DEPLOY / "acl.example").read_text("utf-8"))
        (folder / "passwd").touch(mode=0o600)
        for user in (GATEWAY, DEVICE, OTHER):
            subprocess.run([passwd, "-b", folder / "passwd", user, f"secret of {user}"], check=True)
        process = subprocess.Popen([mosquitto, "-c", folder / "mosquitto.conf"], stderr=subprocess.PIPE, text=True)
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=10)


def _configuration(folder: Path, port: int) -> str:
    text = (DEPLOY / "mosquitto.conf").read_text("utf-8")
    for found, instead in REPLACED.items():
        assert text.count(found) == 1
        text = text.replace(found, instead.format(folder=folder, port=port, host=LOOPBACK))
    return text + ("user root\n" if os.geteuid() == 0 else "")


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(200):
        assert process.poll() is None, process.communicate()[1]
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("Mosquitto does not answer")


@asynccontextmanager
async def gateway(port: int, lane: Lane = Lane.ALARM) -> AsyncIterator[Link]:
    """The gateway's own connection of a lane, subscribed to all that the lane hears."""
    settings = BrokerSettings(LOOPBACK, port, username=GATEWAY, password=f"secret of {GATEWAY}")
    filters = [each for dialect in dialects().values() for each in dialect.subscriptions(SITE, lane)]
    async with connect(settings, f"hjemmevakt-{SITE}-{lane}", SystemClock()) as link:
        await link.subscribe([*filters, canary.topic(SITE, lane)])
        yield link


def device(port: int, user: str) -> aiomqtt.Client:
    return aiomqtt.Client(LOOPBACK, port, username=user, password=f"secret of {user}")


async def heard(link: Link) -> Message:
    async with asyncio.timeout(10):
        [delivery] = await link.batch(1)
    link.acknowledge([delivery])
    return delivery.message


@pytest.mark.parametrize(("user", "password"), [(None, None), (DEVICE, "a guess"), (DEVICE, None)])
async def test_nobody_connects_without_a_password(site_broker: int, user: str | None, password: str | None) -> None:
    with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori"):
        async with aiomqtt.Client(LOOPBACK, site_broker, username=user, password=password):
            pass


FORBIDDEN = (
    f"hv/v1/{SITE}/fall_alarm/{OTHER}/alarm",
    f"hv/v1/sandnes/fall_alarm/{DEVICE}/alarm",
    f"hv/v1/{SITE}/fall_alarm/{DEVICE}/receipt",
    canary.topic(SITE, Lane.ALARM),
)


async def test_a_device_is_heard_as_itself_and_as_nobody_else(site_broker: int) -> None:
    own = f"hv/v1/{SITE}/fall_alarm/{DEVICE}/alarm"
    async with gateway(site_broker) as link:
        for topic in (*FORBIDDEN, own):
            with suppress(aiomqtt.MqttError):  # Mosquitto 2.0.11 hangs up on who says what it may not
                async with device(site_broker, DEVICE) as client:
                    await client.publish(topic, topic, qos=1)
        assert (await heard(link)).topic == own


async def test_a_receipt_comes_from_the_gateway_only(site_broker: int) -> None:
    topic = f"hv/v1/{SITE}/fall_alarm/{DEVICE}/receipt"
    async with device(site_broker, DEVICE) as client:
        await client.subscribe(topic, qos=1)
        for user in (DEVICE, OTHER):
            with suppress(aiomqtt.MqttError):
                async with device(site_broker, user) as liar:
                    await liar.publish(topic, b"a lie", qos=1)
        async with gateway(site_broker) as link:
            await link.publish(topic, b"the truth")
        async with asyncio.timeout(10):
            assert (await anext(aiter(client.messages))).payload == b"the truth"


async def test_a_last_will_in_another_devices_name_is_not_passed_on(site_broker: int) -> None:
    topic = f"hv/v1/{SITE}/fall_alarm/{OTHER}/status"
    async with gateway(site_broker, Lane.BULK) as link:
        will = aiomqtt.Will(topic, b'{"online":false}', qos=1)
        client = aiomqtt.Client(LOOPBACK, site_broker, username=DEVICE, password=f"secret of {DEVICE}", will=will)
        async with client:
            client._client._sock_close()  # gone without a good-bye
        async with device(site_broker, OTHER) as other:
            await other.publish(topic, b'{"online":true}', qos=1)
        assert (await heard(link)).payload == b'{"online":true}'


async def test_the_gateway_hears_itself(site_broker: int) -> None:
    async with gateway(site_broker) as link:
        await link.publish(canary.topic(SITE, Lane.ALARM), b"song")
        assert (await heard(link)).payload == b"song"


async def test_a_receipt_reaches_its_device_and_nobody_listens_in(site_broker: int) -> None:
    receipt = DIALECT.receipt(DeviceAddress(SITE, "native", DEVICE), "fall_alarm", "m-1")
    assert receipt is not None
    async with gateway(site_broker) as link, device(site_broker, DEVICE) as one, device(site_broker, OTHER) as other:
        for client in (one, other):
            await client.subscribe("hv/v1/#", qos=1)
            await link.publish(*receipt)
        await link.publish(f"hv/v1/{SITE}/fall_alarm/{OTHER}/receipt", b"the end")
        async with asyncio.timeout(10):
            assert (await anext(aiter(one.messages))).payload == receipt[1]
            assert (await anext(aiter(other.messages))).payload == b"the end"


async def test_a_command_comes_from_the_gateway_only_and_reaches_one_lock(site_broker: int) -> None:
    moment = SystemClock().now()
    command = DIALECT.command(DeviceAddress(SITE, "native", DEVICE), "e_lock", "c-1", "unlock", moment, moment)
    assert command is not None
    async with device(site_broker, DEVICE) as lock, device(site_broker, OTHER) as other:
        for client in (lock, other):
            await client.subscribe("hv/v1/#", qos=1)
        for user in (DEVICE, OTHER):
            with suppress(aiomqtt.MqttError):
                async with device(site_broker, user) as liar:
                    await liar.publish(command[0], b"open, says a thief", qos=1)
        async with gateway(site_broker) as link:
            await link.publish(*command, expires_in=30)
            await link.publish(f"hv/v1/{SITE}/e_lock/{OTHER}/command", b"the end")
        async with asyncio.timeout(10):
            assert (await anext(aiter(lock.messages))).payload == command[1]
            assert (await anext(aiter(other.messages))).payload == b"the end"


async def test_a_lock_that_was_away_gets_no_command_that_is_over(site_broker: int) -> None:
    """The broker keeps what a lock with a session misses, and drops a command when its time is over."""
    topic = f"hv/v1/{SITE}/e_lock/{DEVICE}/command"
    session = {"identifier": f"{DEVICE}-lock", "clean_session": False}
    credentials = {"username": DEVICE, "password": f"secret of {DEVICE}"}
    async with aiomqtt.Client(LOOPBACK, site_broker, **credentials, **session) as lock:  # type: ignore[arg-type]
        await lock.subscribe(topic, qos=1)
    async with gateway(site_broker) as link:
        await link.publish(topic, b"short", expires_in=1)
        await link.publish(topic, b"long", expires_in=60)
    await asyncio.sleep(2.1)
    async with aiomqtt.Client(LOOPBACK, site_broker, **credentials, **session) as lock:  # type: ignore[arg-type]
        async with asyncio.timeout(10):
            assert (await anext(aiter(lock.messages))).payload == b"long"
