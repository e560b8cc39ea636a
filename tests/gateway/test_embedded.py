"""The servers that come along, really started and really killed."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiomqtt
import psycopg
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.embedded import LOOPBACK, Broker, EmbeddedError, EmbeddedPostgres, free_port
from tests.support import databases, parts
from tests.support.left import left_running, running
from tests.support.processes import alive


@pytest.fixture
def folder() -> Iterator[Path]:
    with databases.short_folder() as folder:
        yield folder


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def setting(url: str, name: str) -> object:
    return value(url, f"SELECT current_setting('{name}')")


class TestPostgres:
    def test_keeps_what_was_stored_and_leaves_nothing_running(self, folder: Path) -> None:
        with EmbeddedPostgres(folder) as postgres, psycopg.connect(postgres.url) as connection:
            assert connection.info.dbname == "hjemmevakt"
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert left_running(folder) == []

        with EmbeddedPostgres(folder) as postgres:
            assert value(postgres.url, "SELECT answer FROM kept") == 42
            assert setting(postgres.url, "fsync") == "on"
            assert setting(postgres.url, "max_connections") == "200"
            assert setting(postgres.url, "TimeZone") == "UTC"
            assert setting(postgres.url, "listen_addresses") == ""
        assert left_running(folder) == []

    def test_gives_up_durability_only_when_asked(self, folder: Path) -> None:
        with EmbeddedPostgres(folder, durable=False) as postgres:
            asked = [setting(postgres.url, name) for name in ("fsync", "synchronous_commit", "full_page_writes")]
        assert asked == ["off", "off", "off"]

    def test_two_processes_share_a_folder_and_the_last_one_stops_it(self, folder: Path) -> None:
        program = (
            "import sys; from gateway.embedded import EmbeddedPostgres\n"
            f"with EmbeddedPostgres({str(folder)!r}, durable=False) as p: print(p.url, flush=True); sys.stdin.readline()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            url = other.stdout.readline().strip()
            with EmbeddedPostgres(folder, durable=False) as postgres:
                assert postgres.url == url
            assert value(url, "SELECT 1") == 1
            other.stdin.write("\n")
        assert other.returncode == 0
        assert left_running(folder) == []

    def test_a_user_killed_without_a_word_does_not_keep_the_server_for_ever(self, folder: Path) -> None:
        program = (
            "import os, signal; from gateway.embedded import EmbeddedPostgres\n"
            f"EmbeddedPostgres({str(folder)!r}, durable=False).start(); os.kill(os.getpid(), signal.SIGKILL)"
        )
        died = subprocess.run([sys.executable, "-c", program], check=False)
        assert died.returncode == -signal.SIGKILL
        with EmbeddedPostgres(folder, durable=False) as postgres:
            assert value(postgres.url, "SELECT 1") == 1
        assert left_running(folder) == []

    def test_takes_over_the_number_of_a_process_that_is_somebody_else_now(self, folder: Path) -> None:
        with EmbeddedPostgres(folder, durable=False) as postgres:
            pid_file = postgres.data / "postmaster.pid"
            lines = pid_file.read_text().splitlines()
            owner = pid_file.stat()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        with EmbeddedPostgres(folder, durable=False) as postgres:
            assert value(postgres.url, "SELECT 1") == 1

    def test_comes_back_after_a_power_cut(self, folder: Path) -> None:
        with EmbeddedPostgres(folder) as postgres:
            with psycopg.connect(postgres.url) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            postgres.crash()
            with pytest.raises(psycopg.OperationalError):
                value(postgres.url, "SELECT 1")
            postgres.recover()
            assert value(postgres.url, "SELECT answer FROM kept") == 42

    def test_a_long_path_finds_room_for_its_socket(self, folder: Path) -> None:
        with EmbeddedPostgres(folder / ("long" * 30), durable=False) as postgres:
            assert value(postgres.url, "SELECT 1") == 1

    def test_says_what_to_do_without_the_wheel(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
        with pytest.raises(EmbeddedError, match="HJEMMEVAKT_DATABASE_URL"):
            EmbeddedPostgres(folder).start()

    def test_says_which_folder_it_cannot_write_to(self, folder: Path) -> None:
        (folder / "file").write_text("")
        with pytest.raises(EmbeddedError, match=r"cannot create the folder .*/file/data"):
            EmbeddedPostgres(folder / "file" / "data").start()


class TestMosquitto:
    def test_speaks_mqtt_5_and_leaves_nothing_running(self, own_broker: Broker) -> None:
        assert (own_broker.name, own_broker.supports_mqtt5) == ("mosquitto", True)
        assert connect(own_broker, MQTTProtocolVersion.MQTTv5) == "Success"
        own_broker.stop()
        assert running(own_broker.folder) == []

    async def test_keeps_five_thousand_messages_for_a_subscriber_that_is_away(self, own_broker: Broker) -> None:
        def client(name: str) -> aiomqtt.Client:
            return aiomqtt.Client(
                own_broker.host,
                own_broker.port,
                identifier=name,
                clean_session=False,
                protocol=aiomqtt.ProtocolVersion.V311,
            )

        async with client("away") as away:
            await away.subscribe("t/#", qos=1)
        async with client("speaker") as speaker:
            for number in range(5000):
                await speaker.publish("t/x", str(number), qos=1)
        own_broker.restart()
        async with client("away") as away:
            heard = []
            async for message in away.messages:
                heard.append(int(bytes(message.payload)))
                if heard[-1] == 4999:
                    break
        assert heard == list(range(5000))

    def test_comes_back_on_the_same_port_after_kill_9(self, own_broker: Broker) -> None:
        port, pid = own_broker.port, own_broker.pid
        own_broker.kill9()
        assert own_broker.pid is None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((own_broker.host, port), timeout=1)
        own_broker.start()
        assert own_broker.port == port
        assert own_broker.pid != pid
        assert connect(own_broker, MQTTProtocolVersion.MQTTv311) == "Success"

    def test_takes_further_settings(self, folder: Path) -> None:
        parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
        with Broker(folder, server="mosquitto", allow_anonymous=False) as broker:
            assert connect(broker, MQTTProtocolVersion.MQTTv5) == "Not authorized"

    def test_names_the_port_that_is_taken(self, broker: Broker, folder: Path) -> None:
        with pytest.raises(EmbeddedError, match=f"port {broker.port} .* is taken"):
            Broker(folder, broker.port).start()

    def test_shows_what_the_broker_said_when_it_does_not_start(self, folder: Path) -> None:
        parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
        with pytest.raises(EmbeddedError, match="nonsense"):
            Broker(folder, server="mosquitto", settings="nonsense 1\n").start()

    def test_does_not_outlive_a_killed_parent(self, folder: Path) -> None:
        parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
        program = (
            "import os, signal; from gateway.embedded import Broker\n"
            f"b = Broker({str(folder)!r}, server='mosquitto'); b.start(); print(b.pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        died = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
        wait_until_gone(int(died.stdout))


class TestAmqtt:
    def test_is_a_stand_in_and_says_so(self, folder: Path) -> None:
        with Broker(folder, server="amqtt") as broker:
            assert (broker.name, broker.supports_mqtt5) == ("amqtt", False)
            assert connect(broker, MQTTProtocolVersion.MQTTv311) == "Success"
            pid = broker.pid
        assert pid is not None
        wait_until_gone(pid)

    def test_is_taken_where_mosquitto_is_missing(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gateway.embedded.broker._mosquitto_program", lambda: None)
        assert Broker(folder).name == "amqtt"

    def test_without_any_broker_says_what_to_install(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gateway.embedded.broker._mosquitto_program", lambda: None)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
        with pytest.raises(EmbeddedError, match="install mosquitto"):
            Broker(folder)


GIVEN = """
import itertools, sys
from gateway.embedded import ports
ports._next_port = itertools.count(7)
print(*(ports.free_port() for _ in range(100)), flush=True)
sys.stdin.read()
"""


def test_no_two_processes_are_given_the_same_port_while_both_live() -> None:
    """Also where both begin at the same place; whoever has ended has none any more."""
    with ExitStack() as living:
        others = [_asks(living) for _ in range(3)]
        given = [port for each in others for port in _answers(each)]
        assert len(given) == len(set(given)) == 300
    with ExitStack() as living:
        assert set(_answers(_asks(living))) & set(given), "what was theirs is free"


def _asks(living: ExitStack) -> subprocess.Popen[str]:
    asked = living.enter_context(
        subprocess.Popen([sys.executable, "-c", GIVEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    assert asked.stdin is not None
    living.callback(asked.stdin.close)
    return asked


def _answers(asked: subprocess.Popen[str]) -> list[int]:
    assert asked.stdout is not None
    return [int(each) for each in asked.stdout.readline().split()]


def test_a_free_port_is_free() -> None:
    with socket.create_server((LOOPBACK, free_port())):
        pass


def connect(broker: Broker, protocol: MQTTProtocolVersion) -> str:
    """Connect and disconnect; how the broker answered."""
    answers: list[str] = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)

    def answered(client: Client, userdata: object, flags: object, reason: object, properties: object) -> None:
        answers.append(str(reason))
        client.disconnect()

    client.on_connect = answered
    client.connect(broker.host, broker.port)
    while not answers:
        client.loop(timeout=1)
    client.loop(timeout=1)
    return answers[0]


def wait_until_gone(pid: int) -> None:
    for _ in range(200):
        if not alive(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")
