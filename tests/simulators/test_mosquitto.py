"""Simulated devices against a real broker: they do not let go of an alarm before the gateway has it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomqtt
import pytest

from devices.dialects.native import DIALECT, parse_topic, topic_of
from devices.model import DeviceAddress, Lane, Message
from gateway.embedded import Broker as Server
from simulators.cli import main
from simulators.clock import Clock, live
from simulators.device import Habits, Patience
from simulators.home import Fitting, Life
from simulators.link import Broker, receipt_id
from simulators.run import Connections, Options, Simulation, simulate

WEARER = Fitting(address="fa-1", kind="fall_alarm")
DISPENSER = Fitting(address="md-1", kind="medicine_dispenser", doses=(time(8),))
QUICK = Patience(timedelta(seconds=0.2), timedelta(seconds=0.4))
HURRIED = Habits(alarm=QUICK, event=QUICK)


@pytest.fixture
def site() -> str:
    """A site of this test's own, so that tests can share a broker."""
    return f"s{uuid4().hex[:12]}"


def options(server: Server, site: str, *devices: Fitting, **more: Any) -> Options:
    calm = {"life": Life(0, 0), "habits": HURRIED}
    return Options(site=site, devices=devices, broker=Broker(server.host, server.port), **{**calm, **more})


def at_night() -> Clock:
    """The clock of a town in which nothing happens by itself, whatever the hour is here."""
    now = datetime.now(UTC)
    later = now.replace(hour=1, minute=30) - now
    return Clock(lambda: datetime.now(UTC) + later, asyncio.sleep)


@asynccontextmanager
async def running(wanted: Options, clock: Clock | None = None) -> AsyncIterator[Simulation]:
    simulation = Simulation(wanted, clock or at_night())
    task = asyncio.ensure_future(simulation.run())
    try:
        yield simulation
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Ears:
    """Stands for the gateway: hears a site, and gives a receipt where ``thanks`` says so."""

    def __init__(self, server: Server, site: str, thanks: Callable[[str], bool]) -> None:
        self.server, self.site, self.thanks = server, site, thanks
        self.heard: list[Message] = []

    async def listen(self, listening: asyncio.Event) -> None:
        while True:
            with suppress(aiomqtt.MqttError):
                await self._listen(listening)
            await asyncio.sleep(0.05)

    async def _listen(self, listening: asyncio.Event) -> None:
        async with aiomqtt.Client(self.server.host, self.server.port, timeout=2) as client:
            await client.subscribe([(each, 1) for lane in Lane for each in DIALECT.subscriptions(self.site, lane)])
            listening.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                heard = Message(message.topic.value, message.payload, live().now(), retained=message.retain)
                self.heard.append(heard)
                await self._thank(client, heard)

    async def _thank(self, client: aiomqtt.Client, message: Message) -> None:
        observation = DIALECT.decode(message)
        if observation.message_id is not None and self.thanks(observation.type):
            receipt = DIALECT.receipt(observation.device, observation.kind, observation.message_id)
            assert receipt is not None
            await client.publish(*receipt, qos=1)

    def types(self) -> list[str]:
        return [DIALECT.decode(message).type for message in self.heard]

    def of(self, type_: str) -> list[Message]:
        return [message for message in self.heard if DIALECT.decode(message).type == type_]


@asynccontextmanager
async def listening(server: Server, site: str, thanks: Callable[[str], bool] = lambda _: True) -> AsyncIterator[Ears]:
    ears, ready = Ears(server, site, thanks), asyncio.Event()
    task = asyncio.ensure_future(ears.listen(ready))
    try:
        await asyncio.wait_for(ready.wait(), 60)
        yield ears
        assert not task.done()
    finally:
        while not task.done():  # on Python 3.11 a client's time-out can swallow a cancellation
            task.cancel()
            await asyncio.wait({task}, timeout=0.5)


async def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("connections", Connections)
async def test_an_alarm_is_sent_again_until_its_receipt_and_no_longer(
    broker: Server, site: str, connections: Connections
) -> None:
    generous: set[str] = set()
    async with (
        listening(broker, site, generous.__contains__) as gateway,
        running(options(broker, site, WEARER, connections=connections)) as simulation,
    ):
        kept = simulation.say("fa-1", "fall", {"impact_g": 5.5})
        await eventually(lambda: len(gateway.of("fall")) >= 3)
        assert len({(message.topic, message.payload) for message in gateway.of("fall")}) == 1, (
            "the same id, time and bytes"
        )
        assert [each.message_id for each in simulation.outstanding("fa-1")] == [kept.message_id]

        generous.add("fall")
        await eventually(lambda: not simulation.outstanding("fa-1"))
        await asyncio.sleep(0.5)  # one more may have been on its way
        sent = len(gateway.of("fall"))
        await asyncio.sleep(1.0)
        assert len(gateway.of("fall")) == sent, "silence after the receipt"
        report = simulation.report()
        assert (report.said, report.receipted, report.outstanding) == (1, 1, 0)
        assert report.resent >= 2


async def test_a_receipt_for_somebody_else_changes_nothing(broker: Server, site: str) -> None:
    async with listening(broker, site, lambda _: False), running(options(broker, site, WEARER)) as simulation:
        simulation.say("fa-1", "fall")
        async with aiomqtt.Client(broker.host, broker.port) as client:
            for payload in (b"", b"{}", b"[]", b"\xff", b'{"id": 1}', b'{"id": "another"}'):
                await client.publish(f"hv/v1/{site}/fall_alarm/fa-1/receipt", payload, qos=1)
        await asyncio.sleep(0.3)
        assert len(simulation.outstanding("fa-1")) == 1


@pytest.mark.parametrize("connections", Connections)
async def test_what_was_said_survives_the_broker(own_broker: Server, site: str, connections: Connections) -> None:
    generous: set[str] = set()
    async with (
        listening(own_broker, site, generous.__contains__) as gateway,
        running(options(own_broker, site, WEARER, DISPENSER, connections=connections)) as simulation,
    ):
        simulation.say("fa-1", "fall")
        await eventually(lambda: "fall" in gateway.types())

        await asyncio.to_thread(own_broker.kill9)
        for _ in range(20):
            simulation.say("md-1", "dose_taken")
        gateway.heard.clear()
        generous.update({"fall", "dose_taken"})
        await asyncio.sleep(1)
        own_broker.start()

        await eventually(lambda: simulation.report().outstanding == 0)
        assert len({message.payload for message in gateway.of("dose_taken")}) == 20, "doses survive an outage"
        assert simulation.report().lost == 0
        assert simulation.report().receipted == 21


async def test_a_restart_of_the_broker_is_not_a_reason_to_forget(own_broker: Server, site: str) -> None:
    async with running(options(own_broker, site, WEARER)) as simulation:
        simulation.say("fa-1", "fall")
        await asyncio.sleep(0.3)
        await asyncio.to_thread(own_broker.stop)
        own_broker.start()
        async with listening(own_broker, site) as gateway:
            await eventually(lambda: not simulation.outstanding("fa-1"))
            assert "fall" in gateway.types()


async def test_an_alarm_overtakes_a_long_buffer(broker: Server, site: str) -> None:
    roomy = Habits(buffer=1000)
    async with (
        listening(broker, site) as gateway,
        running(options(broker, site, WEARER, DISPENSER, habits=roomy)) as simulation,
    ):
        for _ in range(1000):
            simulation.say("md-1", "dose_taken")
        await eventually(lambda: "dose_taken" in gateway.types())
        simulation.say("fa-1", "fall")
        await eventually(lambda: simulation.report().outstanding == 0, 120)
        assert gateway.types().index("fall") < 900
        assert len({message.payload for message in gateway.of("dose_taken")}) == 1000


async def presence(server: Server, site: str) -> bool | None:
    """The retained word on a device's status topic, or None where there is none."""
    async with aiomqtt.Client(server.host, server.port) as client:
        await client.subscribe(f"hv/v1/{site}/fall_alarm/fa-1/status", qos=1)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                async for message in client.messages:
                    body = json.loads(message.payload) if message.payload else {}
                    if message.retain and isinstance(body.get("online"), bool):
                        return bool(body["online"])
    return None


async def becomes(server: Server, site: str, wanted: bool | None) -> None:
    async with asyncio.timeout(60):
        while await presence(server, site) is not wanted:
            await asyncio.sleep(0.05)


async def test_a_device_of_its_own_is_online_and_then_not(broker: Server, site: str) -> None:
    async with running(options(broker, site, WEARER, connections=Connections.PER_DEVICE)):
        await becomes(broker, site, wanted=True)
    await becomes(broker, site, wanted=False)


async def test_shared_devices_do_not_pretend_to_have_a_will(broker: Server, site: str) -> None:
    async with listening(broker, site) as gateway, running(options(broker, site, WEARER)):
        await eventually(lambda: "heartbeat" in gateway.types())
        assert await presence(broker, site) is None


async def test_the_last_will_of_a_device_that_dies(broker: Server, site: str, tmp_path: Path) -> None:
    process = await start_cli(broker, site, tmp_path, "--per-device")
    try:
        await becomes(broker, site, wanted=True)
    finally:
        process.kill()
        await process.communicate()
    await becomes(broker, site, wanted=False)


async def start_cli(server: Server, site: str, folder: Path, *more: str) -> asyncio.subprocess.Process:
    devices = folder / "devices.json"
    devices.write_text('[{"address": "fa-1", "kind": "fall_alarm"}]')
    where = ("--host", server.host, "--port", str(server.port), "--site", site, "--devices", str(devices))
    command = (sys.executable, "-m", "simulators.cli", *where, *more)
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_ends_with_a_report(
    broker: Server, site: str, tmp_path: Path, number: signal.Signals
) -> None:
    async with listening(broker, site) as gateway:
        process = await start_cli(broker, site, tmp_path)
        await eventually(lambda: "heartbeat" in gateway.types())
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err) == (0, b"")
    assert b"1 devices at" in out
    assert re.search(rb"said (\d), receipted \1, outstanding 0", out), "but what the hour brings"


async def test_somebody_falls_from_the_command_line(broker: Server, site: str, tmp_path: Path) -> None:
    async with listening(broker, site) as gateway:
        process = await start_cli(broker, site, tmp_path, "--say", "fa-1", "fall", "--fields", '{"impact_g": 6}')
        out, err = await asyncio.wait_for(process.communicate(), 60)
        fall, *again = gateway.of("fall")
    assert {each.payload for each in again} <= {fall.payload}, "sent again where the receipt was slow"
    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"fa-1: fall stored, receipt after ")
    assert DIALECT.decode(fall).fields == {"impact_g": 6}
    assert DIALECT.decode(fall).is_alarm


def test_the_command_line_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--devices", str(tmp_path / "none.json")]) == 2
    assert main(["--say", "no-such", "fall"]) == 2
    assert main(["--say", "fa-1", "fall", "--fields", "[]"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].split(" ")[0] for line in said] == ["simulate", "no", "simulate"]


async def test_six_hundred_devices_on_one_connection(broker: Server, site: str) -> None:
    town = [Fitting(address=f"fa-{number}", kind="fall_alarm") for number in range(600)]
    patient = Habits()
    async with (
        listening(broker, site) as gateway,
        running(options(broker, site, *town, habits=patient)) as simulation,
    ):
        for fitting in town:
            simulation.say(fitting.address, "worn")
        await eventually(lambda: simulation.report().receipted == 600, 120)
        assert len({parse_topic(message.topic)[1] for message in gateway.of("worn")}) == 600


async def test_stopping_does_not_wait_for_a_broker_that_is_away(own_broker: Server, site: str) -> None:
    stop = asyncio.Event()
    devices: Sequence[Fitting] = (WEARER, DISPENSER)
    task = asyncio.ensure_future(
        simulate(options(own_broker, site, *devices, connections=Connections.PER_DEVICE), at_night(), stop)
    )
    await asyncio.sleep(0.5)
    await asyncio.to_thread(own_broker.kill9)
    await asyncio.sleep(0.5)
    stop.set()
    report = await asyncio.wait_for(task, 60)
    assert report.outstanding == 0


def test_a_receipt_is_read_with_care() -> None:
    assert receipt_id(b'{"id": "a"}') == "a"
    for payload in (None, 1, "x", b"", b"\xff", b"[]", b'{"id": null}', b"[" * 100_000):
        assert receipt_id(payload) is None


async def test_a_simulated_lock_obeys_over_mqtt(broker: Server, site: str) -> None:
    """It reports the new state in the command's name, once; what comes late, it refuses."""
    lock = Fitting(address="el-1", kind="e_lock")
    address = DeviceAddress(site, "native", "el-1")
    clock = at_night()
    async with listening(broker, site) as ears:
        async with running(options(broker, site, lock), clock), aiomqtt.Client(broker.host, broker.port) as gateway:
            await eventually(lambda: "heartbeat" in ears.types())
            now = clock.now()
            for command_id, name, until in (
                ("c-1", "unlatch", now + timedelta(minutes=1)),
                ("c-1", "unlatch", now + timedelta(minutes=1)),
                ("c-2", "lock", now - timedelta(seconds=1)),
            ):
                message = DIALECT.command(address, "e_lock", command_id, name, until, now)
                assert message is not None
                await gateway.publish(*message, qos=1)
            await gateway.publish(topic_of(address, "e_lock", "command"), b"rubbish", qos=1)
            await eventually(lambda: {"unlatched", "command_refused"} <= set(ears.types()))
        heard = [DIALECT.decode(each) for each in ears.heard]
        told = {(each.type, each.fields["command"]) for each in heard if "command" in each.fields}
        assert told == {("unlatched", "c-1"), ("command_refused", "c-2")}
        assert len({each.message_id for each in heard if "command" in each.fields}) == 2
