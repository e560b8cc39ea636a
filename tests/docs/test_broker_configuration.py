"""What `hjemmevakt broker config` writes, with a real Mosquitto and TLS: who may connect, who may say what, and what is kept.

Two sites share the broker, and each has a fall alarm of the same address.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomqtt
import pytest
import trustme
from typer.testing import CliRunner

from devices.dialects import dialects
from devices.dialects.native import DIALECT
from devices.model import DeviceAddress, Lane, Message
from gateway import canary
from gateway.broker.access import user_name
from gateway.broker.configure import examples
from gateway.cli import app
from gateway.clock import SystemClock
from gateway.embedded import LOOPBACK, free_port
from gateway.mqtt import BrokerSettings, Link, LinkLost, connect, try_out
from gateway.store import municipality
from gateway.store.broker import Account
from gateway.store.db import Connection, opened
from gateway.store.migrate import migrate
from tests.docs.reference import ROOT
from tests.support import databases, parts
from tests.support.processes import GatewayProcess, alerts, command, eventually, rows, written_at

SITE, OTHER_SITE = "sandnes", "stavanger"
DEVICE = Account(SITE, "fall_alarm", "fall-001")
NAMESAKE = Account(OTHER_SITE, "fall_alarm", "fall-001")
NEIGHBOUR = Account(SITE, "fall_alarm", "fall-002")
LOCK = Account(SITE, "e_lock", "las-001")
ODD = Account(SITE, "door_sensor", "00:12:4b")
DEVICES = (DEVICE, NAMESAKE, NEIGHBOUR, LOCK, ODD)
GATEWAY = "hjemmevakt"


def topic(account: Account, last: str) -> str:
    return "/".join(("hv/v1", *account, last))


@dataclass
class SiteBroker:
    """Mosquitto as our configuration makes it; only what names this machine's folders and ports is replaced."""

    folder: Path
    passwords: dict[str, str]
    devices_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> Path:
        return self.folder / "tls/ca.crt"

    def write(self) -> None:
        path = self.folder / "mosquitto.conf"
        text = path.read_text("utf-8")
        replaced = {
            "listener 8883\n": f"listener {self.devices_port} {LOOPBACK}\n",
            "listener 8884\n": f"listener {self.gateway_port} {LOOPBACK}\n",
            "/etc/mosquitto/tls/": f"{self.folder}/tls/",
            "/var/lib/mosquitto/": f"{self.folder}/",
            "autosave_interval 30\n": "autosave_interval 0\n",  # a story says when
        }
        for found, instead in replaced.items():
            assert found in text
            text = text.replace(found, instead)
        path.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))

    def start(self) -> None:
        mosquitto = parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([mosquitto, "-c", self.folder / "mosquitto.conf"], stderr=log)
        for _ in range(1200):
            assert self._process.poll() is None, (self.folder / "log").read_text("utf-8")
            with suppress(OSError):
                socket.create_connection((LOOPBACK, self.gateway_port), timeout=1).close()
                return
            time.sleep(0.05)
        pytest.fail("Mosquitto does not answer")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def save(self) -> None:
        """As it does now and then by itself."""
        assert self._process is not None
        before = written_at(self.folder / "mosquitto.db")
        self._process.send_signal(signal.SIGUSR1)
        for _ in range(1200):
            if written_at(self.folder / "mosquitto.db") != before:
                return
            time.sleep(0.05)
        pytest.fail("Mosquitto does not save")

    @property
    def for_gateway(self) -> BrokerSettings:
        password = self.passwords[GATEWAY]
        where = {"username": GATEWAY, "password": password, "tls": True, "ca_file": str(self.ca_file)}
        return BrokerSettings(LOOPBACK, self.gateway_port, **where)  # type: ignore[arg-type]

    def client(self, account: Account | None, password: str | None = None, **more: Any) -> aiomqtt.Client:
        """A device's connection; without a password its own."""
        user = user_name(account) if account else None
        return aiomqtt.Client(
            LOOPBACK,
            self.devices_port,
            username=user,
            password=password or (self.passwords[user] if user else None),
            tls_context=ssl.create_default_context(cafile=str(self.ca_file)),
            **more,
        )

    def say(self, account: Account, said: str, *more: str) -> bool:
        """Whether the broker takes a message on this topic from a device; it tells those who speak MQTT 5."""
        pub = parts.program("Mosquitto's tools (apt: mosquitto-clients)", "mosquitto_pub")
        where = ["-h", LOOPBACK, "-p", str(self.devices_port), "--cafile", str(self.ca_file)]
        who = ["-u", user_name(account), "-P", self.passwords[user_name(account)]]
        told = subprocess.run(
            [pub, *where, *who, "-V", "5", "-q", "1", "-t", said, "-m", said, *more],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert told.returncode == 0 or told.stderr, told
        return not told.stderr


async def _register(connection: Connection) -> None:
    zone = await municipality.add_zone(connection, None, "centre", "Senter")
    for site in (SITE, OTHER_SITE):
        await municipality.add_site(connection, site, zone)
    for each in DEVICES:
        await municipality.add_device(connection, each.site, each.address, each.kind)


async def _prepare(url: str) -> None:
    async with opened(url) as database:
        await database.run(_register)


def _certificates(folder: Path) -> None:
    authority = trustme.CA()
    server = authority.issue_cert(LOOPBACK, "localhost")
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / "ca.crt")
    server.private_key_pem.write_to_path(folder / "server.key")
    for each in server.cert_chain_pems:
        each.write_to_path(folder / "server.crt", append=True)


def configured(url: str, folder: Path, *options: str) -> dict[str, str]:
    """The command, for a database; the passwords that it shows, by account."""
    environment = {"HJEMMEVAKT_DATABASE_URL": url, "HJEMMEVAKT_ENVIRONMENT": "test"}
    told = CliRunner().invoke(app, ["broker", "config", "--folder", str(folder), *options], env=environment)
    if told.exception:
        raise told.exception
    return dict(line.split("\t") for line in told.stdout.splitlines())


@pytest.fixture(scope="module")
def register(database_server: databases.Server) -> Iterator[str]:
    """A database with the two sites and their devices."""
    with database_server.migrated(migrate) as url:
        asyncio.run(_prepare(url))
        yield url


@pytest.fixture(scope="module")
def site_broker(register: str) -> Iterator[SiteBroker]:
    with databases.short_folder() as folder:
        broker = SiteBroker(folder, configured(register, folder, "--at", str(folder), "--far"))
        _certificates(folder / "tls")
        broker.write()
        broker.start()
        try:
            yield broker
        finally:
            broker.end()


@asynccontextmanager
async def gateway(broker: SiteBroker, lane: Lane = Lane.ALARM, site: str = SITE) -> AsyncIterator[Link]:
    """A connection of the gateway's for a moment, subscribed to all that a lane hears."""
    async with try_out(broker.for_gateway, f"hjemmevakt-{uuid4().hex}", SystemClock(), keep=False) as trying:
        await _subscribe(trying.link, lane, site)
        yield trying.link


@asynccontextmanager
async def session(broker: SiteBroker, name: str) -> AsyncIterator[Link]:
    """A connection of the gateway's for which the broker keeps what comes while it is away."""
    async with connect(broker.for_gateway, name, SystemClock()) as link:
        await _subscribe(link, Lane.ALARM, SITE)
        yield link


async def _subscribe(link: Link, lane: Lane, site: str) -> None:
    filters = [each for dialect in dialects().values() for each in dialect.subscriptions(site, lane)]
    await link.subscribe([*filters, canary.topic(site, lane)])


CONNACK = b"\x20"


@asynccontextmanager
async def hand_written(
    wire: tuple[asyncio.StreamReader, asyncio.StreamWriter], user: str, password: str
) -> AsyncIterator[asyncio.StreamReader]:
    """Somebody who writes MQTT by hand, and has sent a CONNECT."""
    reader, writer = wire
    connecting = b"\0\4MQTT\4\xc2\0\x3c" + b"".join(_text(each) for each in ("x", user, password))
    try:
        writer.write(_packet(0x10, connecting))
        async with asyncio.timeout(60):
            yield reader
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def _text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


async def heard(link: Link) -> Message:
    """The next thing that is said, and not only kept."""
    async with asyncio.timeout(60):
        while True:
            [delivery] = await link.batch(1)
            link.acknowledge([delivery])
            if not delivery.message.retained:
                return delivery.message


# Who may connect ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "password"),
    [(None, None), (DEVICE, "a guess"), (DEVICE, "of another"), (Account("no", "such", "device"), "a guess")],
)
async def test_nobody_connects_without_a_password(
    site_broker: SiteBroker, account: Account | None, password: str | None
) -> None:
    given = site_broker.passwords[user_name(NAMESAKE)] if password == "of another" else password
    with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori"):
        async with site_broker.client(account, given):
            pass


async def test_nobody_connects_without_tls(site_broker: SiteBroker) -> None:
    for port in (site_broker.devices_port, site_broker.gateway_port):
        wire = await asyncio.open_connection(LOOPBACK, port)
        async with hand_written(wire, GATEWAY, site_broker.passwords[GATEWAY]) as reader:
            with suppress(ConnectionResetError):
                assert not (await reader.read()).startswith(CONNACK), "it hangs up, and takes nothing"


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves that socket to the collector
async def test_a_broker_that_nobody_vouches_for_is_not_told_the_password(
    site_broker: SiteBroker, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "another.crt")
    settings = BrokerSettings(LOOPBACK, site_broker.gateway_port, tls=True, ca_file=str(tmp_path / "another.crt"))
    with pytest.raises(LinkLost, match=r"(?i)certificate"):
        async with try_out(settings, "trusting", SystemClock(), keep=False):
            pass


async def test_a_device_cannot_take_the_gateways_place(site_broker: SiteBroker) -> None:
    """Whoever has the name of a session has what waits for it: a device's session has the name of its account."""
    name = f"hjemmevakt-{SITE}-{Lane.ALARM}"
    async with session(site_broker, name):
        pass
    thief = site_broker.client(DEVICE, identifier=name, protocol=aiomqtt.ProtocolVersion.V5, clean_start=True)
    async with thief:
        await thief.publish(topic(DEVICE, "alarm"), b"help", qos=1)
    async with session(site_broker, name) as link:
        assert link.resumed
        while (await heard(link)).payload != b"help":
            pass  # what another story has left there


# Who may say what ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", DEVICES, ids=user_name)
async def test_a_device_is_heard_as_itself(site_broker: SiteBroker, account: Account) -> None:
    for lane, last in ((Lane.ALARM, "alarm"), (Lane.BULK, "event"), (Lane.BULK, "status"), (Lane.BULK, "result")):
        async with gateway(site_broker, lane, account.site) as link:
            assert site_broker.say(account, topic(account, last))
            assert (await heard(link)).topic == topic(account, last)


FORBIDDEN = [
    topic(NEIGHBOUR, "alarm"),
    topic(NAMESAKE, "alarm"),
    topic(LOCK, "event"),
    topic(DEVICE._replace(kind="fire_sensor"), "alarm"),
    topic(DEVICE._replace(address="fall-0010"), "alarm"),
    topic(DEVICE, "receipt"),
    topic(DEVICE, "command"),
    topic(LOCK, "command"),
    topic(LOCK, "receipt"),
    topic(DEVICE, "canary"),
    canary.topic(SITE, Lane.ALARM),
    canary.topic(SITE, Lane.BULK),
    f"hv/v1/{SITE}/gateway/witness/canary",
    topic(DEVICE, "alarm") + "/more",
    "/" + topic(DEVICE, "alarm"),
    f"hv/v1/{SITE}/fall_alarm",
    "$SYS/broker/uptime",
    "$share/all/" + topic(DEVICE, "alarm"),
    "anything",
]


async def test_a_device_is_heard_as_nobody_else(site_broker: SiteBroker) -> None:
    taken = [each for each in FORBIDDEN if site_broker.say(DEVICE, each)]
    assert taken == []
    assert not site_broker.say(ODD, topic(ODD._replace(address="00~12~4b"), "alarm").replace("~", ":") + "/x")
    assert not site_broker.say(DEVICE, topic(ODD, "event"))
    async with gateway(site_broker) as link, gateway(site_broker, site=OTHER_SITE) as other:
        for account, each in ((DEVICE, link), (NAMESAKE, other)):
            assert site_broker.say(account, topic(account, "alarm"))
            assert (await heard(each)).topic == topic(account, "alarm"), "nothing came before it"


@pytest.mark.parametrize("said", ["hv/v1/#", topic(DEVICE._replace(address="+"), "alarm")])
async def test_a_wildcard_is_nowhere_to_speak(site_broker: SiteBroker, said: str) -> None:
    """A client's library refuses to send it, so it is written by hand; Mosquitto hangs up."""
    tls = ssl.create_default_context(cafile=str(site_broker.ca_file))
    wire = await asyncio.open_connection(LOOPBACK, site_broker.devices_port, ssl=tls)
    user = user_name(DEVICE)
    async with hand_written(wire, user, site_broker.passwords[user]) as reader:
        assert (await reader.readexactly(4)).startswith(CONNACK)
        wire[1].write(_packet(0x32, _text(said) + b"\0\1help"))
        assert await reader.read() == b""


async def test_nobody_listens_in(site_broker: SiteBroker) -> None:
    """Also who subscribes to everything hears only what is for itself."""
    receipt = DIALECT.receipt(DeviceAddress(SITE, "native", DEVICE.address), DEVICE.kind, "m-1")
    assert receipt is not None
    async with gateway(site_broker) as link, site_broker.client(DEVICE) as one, site_broker.client(NAMESAKE) as other:
        for client in (one, other):
            for each in ("#", "$SYS/#", topic(LOCK, "command")):
                await client.subscribe(each, qos=1)
        await link.publish(*receipt)
        await link.publish(topic(LOCK, "command"), b"open")
        await link.publish(canary.topic(SITE, Lane.ALARM), b"song")
        assert site_broker.say(NEIGHBOUR, topic(NEIGHBOUR, "alarm"))
        for account in (DEVICE, NAMESAKE):
            await link.publish(topic(account, "receipt"), b"the end")
        async with asyncio.timeout(60):
            assert (await anext(aiter(one.messages))).payload == receipt[1]
            assert (await anext(aiter(one.messages))).payload == b"the end"
            assert (await anext(aiter(other.messages))).payload == b"the end"
        assert (await heard(link)).payload == b"song", "the gateway hears itself"
        assert (await heard(link)).topic == topic(NEIGHBOUR, "alarm")


async def test_a_last_will_in_another_devices_name_is_not_passed_on(site_broker: SiteBroker) -> None:
    status = topic(NEIGHBOUR, "status")
    async with gateway(site_broker, Lane.BULK) as link:
        client = site_broker.client(DEVICE, will=aiomqtt.Will(status, b'{"online":false}', qos=1))
        async with client:
            client._client._sock_close()  # gone without a good-bye
        async with site_broker.client(NEIGHBOUR) as other:
            await other.publish(status, b'{"online":true}', qos=1)
        assert (await heard(link)).payload == b'{"online":true}'


async def test_a_lock_that_was_away_gets_no_command_that_is_over(site_broker: SiteBroker) -> None:
    """The broker keeps what a lock with a session misses, and drops a command when its time is over."""
    async with site_broker.client(LOCK, identifier="lock", clean_session=False) as lock:
        await lock.subscribe(topic(LOCK, "command"), qos=1)
    async with gateway(site_broker) as link:
        await link.publish(topic(LOCK, "command"), b"short", expires_in=1)
        await link.publish(topic(LOCK, "command"), b"long", expires_in=60)
    await asyncio.sleep(2.1)
    async with site_broker.client(LOCK, identifier="lock", clean_session=False) as lock:
        async with asyncio.timeout(60):
            assert (await anext(aiter(lock.messages))).payload == b"long"


# What is kept -------------------------------------------------------------------------------------------------------


async def _says(broker: SiteBroker, numbers: range) -> None:
    async with broker.client(NEIGHBOUR, max_inflight_messages=20, timeout=60) as device:
        await asyncio.gather(*(device.publish(topic(NEIGHBOUR, "alarm"), str(each), qos=1) for each in numbers))


async def _kept(link: Link) -> list[int]:
    """All that the broker has for us: what is said now comes behind it."""
    found: list[bytes] = []
    end = uuid4().hex.encode()
    link.publish_behind(canary.topic(SITE, Lane.ALARM), end)
    async with asyncio.timeout(60):
        while end not in found:
            batch = await link.batch(500)
            link.acknowledge(batch)
            found += [each.message.payload for each in batch]
    return sorted(int(each) for each in found if len(each) < len(end))


async def test_what_is_queued_survives_a_restart_and_a_crash_as_far_as_it_was_saved(site_broker: SiteBroker) -> None:
    """More than Mosquitto's own 1,000. After kill -9 what came since the last save is gone, although it was acknowledged."""
    name = "hjemmevakt-keeps"
    async with session(site_broker, name):
        pass
    await _says(site_broker, range(1300))
    site_broker.end()
    site_broker.start()
    async with session(site_broker, name) as link:
        assert link.resumed
        assert await _kept(link) == list(range(1300))
    await _says(site_broker, range(50))
    site_broker.save()
    await _says(site_broker, range(50, 100))
    site_broker.end(signal.SIGKILL)
    site_broker.start()
    async with session(site_broker, name) as link:
        assert link.resumed
        assert await _kept(link) == list(range(50)), "the devices still have the rest: no receipt came"


# The whole way ------------------------------------------------------------------------------------------------------


def _where(site_broker: SiteBroker, register: str) -> dict[str, Any]:
    """The gateway's settings beside this broker."""
    return {
        "database_url": register,
        "mqtt_port": site_broker.gateway_port,
        "mqtt_ca_file": site_broker.ca_file,
        "mqtt_username": GATEWAY,
        "mqtt_password": site_broker.passwords[GATEWAY],
    }


async def test_an_alarm_comes_in_and_its_receipt_goes_out(
    site_broker: SiteBroker, register: str, tmp_path: Path
) -> None:
    where = _where(site_broker, register)
    with GatewayProcess(tmp_path, **where) as process:
        process.start()
        for site in (SITE, OTHER_SITE):
            await process.logged("lane.connected", site=site, lane="alarm")
            await process.logged("lane.connected", site=site, lane="bulk")
        device = [sys.executable, str(ROOT / "docs/examples/device.py"), "--port", str(site_broker.devices_port)]
        who = ["--site", SITE, "--device", DEVICE.address, "--password", site_broker.passwords[user_name(DEVICE)]]
        said = await asyncio.to_thread(
            subprocess.run,
            [*device, *who, "--ca-file", str(site_broker.ca_file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "receipt" in said.stdout, said

        async def raised() -> bool:
            return bool(await alerts(register, "fall"))

        await eventually(raised, "the fall is an alert")
        told = await command("broker", "check", **where)
        assert (told.code, told.err) == (0, ""), told
        assert "nothing found" in told.out
        assert "mosquitto version" in told.out, "the gateway may read that"
        assert await process.stop() == 0


async def test_the_test_alarm_of_each_site_goes_the_whole_way(
    site_broker: SiteBroker, register: str, tmp_path: Path
) -> None:
    """The access list lets the gateway speak as the canary resident's device, and as no other."""
    where = {**_where(site_broker, register), "canary_resident_seconds": 5}
    with GatewayProcess(tmp_path, **where) as process:
        process.start()

        async def passed() -> bool:
            found = await rows(
                register,
                """SELECT DISTINCT s.name FROM canary_passage c JOIN site s ON s.id = c.site_id
                   WHERE c.answered_at IS NOT NULL AND c.receipted_at IS NOT NULL""",
            )
            return {each["name"] for each in found} == {SITE, OTHER_SITE}

        await eventually(passed, "a test alarm is answered at each site")
        assert await process.stop() == 0


# What is written ----------------------------------------------------------------------------------------------------


def test_accounts_are_kept_and_only_new_ones_get_passwords(register: str, tmp_path: Path) -> None:
    first = configured(register, tmp_path)
    assert set(first) == {GATEWAY, *map(user_name, DEVICES)}
    assert user_name(ODD) == f"{SITE}/door_sensor/00~12~4b"
    file = tmp_path / "hjemmevakt.passwd"
    before = file.read_text("utf-8")
    assert not any(password in before for password in first.values())
    assert file.stat().st_mode & 0o077 == 0
    assert configured(register, tmp_path) == {}
    assert file.read_text("utf-8") == before
    file.write_text(before + "somebody:$7$101$c2FsdA==$aGFzaA==\n", "utf-8")
    renewed = configured(register, tmp_path, "--renew", user_name(DEVICE))
    assert set(renewed) == {user_name(DEVICE)}
    assert renewed[user_name(DEVICE)] != first[user_name(DEVICE)]
    after = file.read_text("utf-8")
    assert "somebody:" in after, "what is not ours is told, and stays"
    changed = set(after.splitlines()) ^ set(before.splitlines())
    assert {line.partition(":")[0] for line in changed} == {user_name(DEVICE), "somebody"}


def test_a_password_file_of_mosquittos_own_is_the_same(tmp_path: Path) -> None:
    """Its tool takes ours, and adds to it."""
    from gateway.broker.access import hashed  # noqa: PLC0415

    passwd = parts.program("Mosquitto (apt: mosquitto)", "mosquitto_passwd")
    file = tmp_path / "passwd"
    file.write_text(hashed("a/b/c", "secret", b"0123456789ab") + "\n")
    file.chmod(0o600)
    subprocess.run([passwd, "-b", file, "d", "another"], check=True, capture_output=True)
    ours, theirs = file.read_text("utf-8").splitlines()
    assert ours.split("$")[1:3] == theirs.split("$")[1:3]
    assert [len(part) for part in ours.split("$")[3:]] == [len(part) for part in theirs.split("$")[3:]]


@pytest.mark.parametrize("name", examples())
def test_deploy_shows_what_the_command_writes(name: str) -> None:
    shown = (ROOT / "deploy" / name).read_text("utf-8")
    assert shown == examples()[name], "run: python -m tests.docs.reference"


def test_a_gateway_beside_its_broker_is_alone_on_its_port(register: str, tmp_path: Path) -> None:
    configured(register, tmp_path)
    text = (tmp_path / "mosquitto.conf").read_text("utf-8")
    assert text == examples()["mosquitto.conf"]
    assert "\nlistener 1883 127.0.0.1\n" in text
    assert "8884" not in text
