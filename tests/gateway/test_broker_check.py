"""The broker is tried: what it would lose is told, in words, in /health and as an alert, and nobody is disturbed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.app import Gateway
from gateway.broker import check
from gateway.broker.check import Finding, Found, Witness, verdict
from gateway.broker.configure import configuration
from gateway.broker.probe import QUIET, NotTried, Place, _until_quiet, probe
from gateway.broker.watch import Pace, check_broker, first_site
from gateway.cli import app
from gateway.clock import SystemClock
from gateway.embedded import LOOPBACK, Broker, free_port
from gateway.health import State
from gateway.lanes import BATCH, IN_HAND
from gateway.mqtt import BrokerSettings, Granted, try_out
from gateway.rulebook import RulebookCache
from gateway.store.db import Database
from tests.support import parts
from tests.support.databases import short_folder
from tests.support.processes import command, rows, seeded
from tests.support.world import settings_for, until

MOSQUITTO_AS_IT_IS = "max_queued_messages 1000\nmax_inflight_messages 20\n"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LEFT = Witness("w", NOW - timedelta(hours=1))
GOOD = Found(
    granted=Granted(),
    session_kept=True,
    sent=check.MESSAGES,
    came=check.MESSAGES,
    in_order=True,
    ahead=check.AHEAD,
    witness=LEFT,
    left=LEFT,
    uptime=60.0,
    release="mosquitto version 2.0.11",
)


# What it means ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        ({}, []),
        ({"granted": None}, []),
        ({"session_kept": False, "came": 0, "ahead": 0}, ["session"]),
        ({"came": 1000}, ["queue"]),
        ({"came": 0, "ahead": 0}, ["queue"]),
        ({"in_order": False, "ahead": 20}, ["order", "ahead"]),
        ({"ahead": check.AHEAD - 1}, ["ahead"]),
        ({"sent": 50, "came": 50, "ahead": 50}, []),
        ({"witness": None}, ["forgot"]),
        ({"witness": Witness("another", NOW)}, []),
        ({"granted": Granted(retains=False), "witness": None}, ["retain"]),
        ({"granted": Granted(session_expiry=3600)}, ["expiry"]),
        ({"granted": Granted(maximum_qos=0)}, ["qos"]),
        ({"granted": Granted(largest_packet=60_000)}, ["packet"]),
        ({"granted": Granted(largest_packet=2_000_000, receive_maximum=20)}, []),
        ({"granted": Granted(wildcards=False), "came": 7}, ["queue", "wildcards"]),
    ],
)
def test_what_is_found_is_judged(found: dict[str, Any], codes: list[str]) -> None:
    findings = verdict(replace(GOOD, **found), LEFT)
    assert [each.code for each in findings] == codes
    assert all(each.words and each.mend for each in findings)


def test_what_was_never_left_is_not_missed() -> None:
    assert verdict(replace(GOOD, witness=None), None) == ()


@pytest.mark.parametrize(
    ("found", "known", "proven"),
    [
        ({}, LEFT, True),
        ({"uptime": 2 * 3600.0}, LEFT, False),
        ({"uptime": 3600.0 - 30}, LEFT, False),
        ({"uptime": None}, LEFT, False),
        ({"witness": None}, LEFT, False),
        ({}, None, False),
    ],
)
def test_a_restart_is_survived_only_where_that_is_proven(
    found: dict[str, Any], known: Witness | None, *, proven: bool
) -> None:
    found_ = replace(GOOD, **found)
    assert check.kept_over_a_restart(found_, known, NOW) == proven
    assert any("restarted" in each for each in check.unknown(found_, known, NOW)) != proven


# Real brokers -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def careless() -> Iterator[Broker]:
    """Mosquitto with its own limits."""
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, Broker(folder, server="mosquitto", settings=MOSQUITTO_AS_IT_IS) as broker:
        yield broker


def place(broker: Broker, version: int = 5, site: str = "s") -> Place:
    return Place(BrokerSettings(broker.host, broker.port, version=version), site)


async def found_on(broker: Broker, version: int = 5) -> Found:
    return await probe(place(broker, version), SystemClock(), check.MESSAGES)


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [each.code for each in findings]


@pytest.mark.parametrize("version", [3, 5])
async def test_a_careful_broker_is_found_to_be_one_and_left_as_it_was(broker: Broker, version: int) -> None:
    for _ in range(2):
        found = await found_on(broker, version)
        assert verdict(found, None) == ()
        assert (found.came, found.in_order, found.ahead >= check.AHEAD) == (check.MESSAGES, True, True)
        assert (found.granted is None) == (version == 3)
        assert found.release is not None
        assert found.release.startswith("mosquitto version")
    where = place(broker, version)
    async with try_out(where.broker, where.session, SystemClock()) as trying:
        assert not trying.link.resumed, "the throw-away session is gone"
    async with try_out(where.broker, where.session, SystemClock(), keep=False):
        pass


async def test_what_a_careless_broker_drops_is_counted(careless: Broker) -> None:
    found = await found_on(careless, version=3)
    assert (found.came, found.ahead) == (1000, 20)
    lost, slow = verdict(found, None)
    assert (lost.code, lost.loses, slow.code, slow.loses) == ("queue", True, "ahead", False)
    assert "of 3100 messages" in lost.words
    assert "kept 1000" in lost.words


@pytest.mark.parametrize(("bound", "version", "slow"), [(500, 3, True), (500, 5, False), (4000, 3, False)])
async def test_the_brokers_own_bound_counts_in_3_1_1_and_our_word_in_5(bound: int, version: int, *, slow: bool) -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with (
        short_folder() as folder,
        Broker(folder, server="mosquitto", settings=f"max_inflight_messages {bound}\n") as one,
    ):
        found = await found_on(one, version)
    assert codes(verdict(found, None)) == (["ahead"] if slow else [])
    assert (found.ahead == bound) if slow else (found.ahead >= check.AHEAD)


def test_as_much_is_tried_as_the_gateway_takes_and_is_configured() -> None:
    assert (IN_HAND + 1) * max(BATCH.values()) == check.AHEAD
    ours = BrokerSettings("broker", 1883).receive_maximum
    assert ours >= check.AHEAD
    assert f"max_inflight_messages {ours}\n" in configuration("/etc/mosquitto")
    assert f"max_inflight_messages {ours};" in check.WORDS["ahead"].mend


async def test_a_broker_that_drops_and_forgets_is_told_of_both() -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, Broker(folder, server="mosquitto", settings=MOSQUITTO_AS_IT_IS) as broker:
        left = (await found_on(broker)).left
        await asyncio.to_thread(broker.stop)
        (broker.folder / "mosquitto.db").unlink(missing_ok=True)
        await asyncio.to_thread(broker.start)
        found = await found_on(broker)
    assert "forgot" in codes(verdict(found, left))


async def test_a_broker_is_not_taken_for_quiet_because_we_stood_still() -> None:
    class Link:
        asked = 0

        async def batch(self, most: int) -> list[str]:
            self.asked += 1
            if self.asked == 2:
                return ["what was there all the while"]
            if self.asked == 1:
                time.sleep(QUIET + 0.3)  # all of us
            await asyncio.Event().wait()
            raise AssertionError(most)

    assert await _until_quiet(Link()) == ["what was there all the while"]  # type: ignore[arg-type, comparison-overlap]


async def test_the_stand_in_of_a_demo_keeps_nothing() -> None:
    with short_folder() as folder, Broker(folder, server="amqtt") as broker:
        found = await probe(place(broker, 3), SystemClock(), 200)
    assert found.came == 0
    assert verdict(found, None)[0].loses


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("max_packet_size 2000\n", ["packet"]),
        ("retain_available false\n", ["retain"]),
        ("max_queued_messages 0\nmax_queued_bytes 5000\n", ["queue"]),
    ],
)
async def test_what_a_broker_says_of_itself_is_heard(settings: str, expected: list[str]) -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    with short_folder() as folder, Broker(folder, server="mosquitto", settings=settings) as broker:
        assert codes(verdict(await found_on(broker), None)) == expected


async def test_who_tries_it_at_the_same_time_takes_it_for_no_worse(broker: Broker) -> None:
    """A process that was frozen, and the one that took its place: the one ends the session of the other."""
    where = place(broker, site="twice")
    both = await asyncio.gather(*(probe(where, SystemClock(), 200) for _ in range(2)), return_exceptions=True)
    assert [each for each in both if isinstance(each, Found) and verdict(each, None)] == []
    assert all(isinstance(each, Found | NotTried) for each in both), both


async def test_who_cannot_try_it_says_why() -> None:
    nobody = Place(BrokerSettings(LOOPBACK, free_port()), "s")
    with pytest.raises(NotTried, match="refused"):
        await probe(nobody, SystemClock(), 10)


# What is done with it ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def stages(url: str) -> list[tuple[str, str]]:
    found = await rows(url, "SELECT stage, track FROM alert WHERE condition = 'broker_loses' ORDER BY id")
    return [(each["stage"], each["track"]) for each in found]


async def test_a_broker_that_forgets_is_an_alert_until_it_keeps(migrated_url: str, own_broker: Broker) -> None:
    await seeded(migrated_url, 2)
    settings = settings_for(own_broker, None, None)
    cache = RulebookCache(settings.local, tuple(settings.channel_settings))
    async with opened(migrated_url) as database:
        site = await database.run(first_site)
        assert site is not None

        async def checked() -> list[str]:
            where = place(own_broker, site=site.name)
            return codes((await check_broker(database, SystemClock(), cache, where, site, 50)).findings)

        assert await checked() == []
        await asyncio.to_thread(own_broker.restart)
        assert await checked() == [], "it was stopped in order, and has kept the witness"
        assert await stages(migrated_url) == []
        await asyncio.to_thread(own_broker.stop)
        (own_broker.folder / "mosquitto.db").unlink()
        await asyncio.to_thread(own_broker.start)
        assert await checked() == ["forgot"]
        assert await stages(migrated_url) == [("open", "technical")]
        assert await checked() == [], "there is a new witness"
        assert await stages(migrated_url) == [("closed", "technical")]
    noted = await rows(migrated_url, "SELECT params FROM audit WHERE action = 'broker.checked' ORDER BY id")
    assert [len(each["params"]["findings"]) for each in noted] == [0, 0, 1, 0]


async def test_a_gateway_tries_its_broker_once_in_each_connection(migrated_url: str, careless: Broker) -> None:
    await seeded(migrated_url, 2)
    gateway = Gateway(settings_for(careless, None, None), migrated_url, roles=("ingest",))
    gateway.broker_watch.pace = Pace(rest=0.0, between=0.0)

    async def tried() -> int:
        return len(await rows(migrated_url, "SELECT id FROM audit WHERE action = 'broker.checked'"))

    async with gateway.running():
        await until(lambda: all(worker.connected for worker in gateway.lanes.values()) and bool(gateway.lanes))
        async with asyncio.timeout(60):
            while not await tried():
                await asyncio.sleep(0.1)
        health = await gateway.health()
        await asyncio.sleep(2.5)
        assert await tried() == 1
    assert health.state is State.DEGRADED
    assert {each.reason for each in health.findings} == {"broker"}
    assert any("acknowledged all and kept" in each.detail for each in health.findings)
    assert await stages(migrated_url) == [("open", "technical")]


async def test_the_command_says_what_is_lost_and_how_to_mend_it(careless: Broker) -> None:
    told = await command("broker", "check", "--site", "s", mqtt_port=careless.port, mqtt_version=3)
    assert told.code == 1
    assert "LOSES MESSAGES: of 3100 messages" in told.out
    assert "mend: Mosquitto: max_queued_messages" in told.out
    assert "worth a look: it sends 20 messages" in told.out
    assert "not known: whether it keeps sessions and queues when it is restarted" in told.out


def test_a_command_that_cannot_try_says_why(migrated_url: str) -> None:
    run, settings = CliRunner(), {"HJEMMEVAKT_DATABASE_URL": migrated_url, "HJEMMEVAKT_MQTT_PORT": str(free_port())}
    assert "name one with --site" in str(run.invoke(app, ["broker", "check"], env=settings).exception)
    assert "refused" in str(run.invoke(app, ["broker", "check", "--site", "s"], env=settings).exception)
