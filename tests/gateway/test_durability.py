"""A database that may lose what is receipted says so: in /health, as an alert, and how to mend it – until it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from alerts.render import condition_text
from gateway import durability
from gateway.app import Gateway
from gateway.durability import WORDS, told, verdict
from gateway.embedded import Broker, EmbeddedPostgres
from gateway.health import State
from gateway.store.durability import Setup
from gateway.store.migrate import migrate
from tests.support.databases import short_folder
from tests.support.processes import GatewayProcess, rows, seeded
from tests.support.world import settings_for

GOOD = Setup("on", "on", "on")


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        ({}, ()),
        ({"synchronous_commit": "local"}, ()),
        ({"synchronous_commit": "remote_write"}, ()),
        ({"synchronous_commit": "remote_apply"}, ()),
        ({"fsync": "off"}, ("fsync",)),
        ({"full_page_writes": "off"}, ("full_page_writes",)),
        ({"synchronous_commit": "off"}, ("synchronous_commit",)),
        ({"synchronous_commit": "off", "full_page_writes": "off", "fsync": "off"}, tuple(WORDS)),
    ],
)
def test_what_is_found_is_judged(found: dict[str, str], codes: tuple[str, ...]) -> None:
    assert verdict(GOOD._replace(**found)) == codes


def test_each_finding_says_what_may_be_lost_and_how_to_mend_it() -> None:
    for code, said in zip(WORDS, told([*WORDS]), strict=True):
        assert code in said
        assert WORDS[code].mend in said
        assert "lost" in said or "cannot be mended" in said
    assert condition_text(durability.LOSES, None, "nb") == "Databasen kan miste det den har lagret"


@asynccontextmanager
async def gateway_on(url: str, broker: Broker, environment: str) -> AsyncIterator[Gateway]:
    """A gateway whose loops do not run: each look is asked for."""
    settings = settings_for(broker, None, None, environment=environment, canary_resident_seconds=0)
    gateway = Gateway(settings, url, roles=("web",))
    async with gateway.running():
        yield gateway


async def stages(url: str) -> list[str]:
    found = await rows(url, "SELECT stage, track FROM alert WHERE condition = 'database_loses' ORDER BY id")
    assert {each["track"] for each in found} <= {"technical"}
    return [each["stage"] for each in found]


async def reasons(gateway: Gateway) -> tuple[State, bool | None, set[str]]:
    health = await gateway.health()
    return health.state, health.durable, {each.detail.partition(" ")[0] for each in health.findings}


async def set_on_server(url: str, **values: str) -> None:
    """And wait until a new connection sees it."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
        for name, value in values.items():
            await admin.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        await admin.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(60):
        while await _shown(url, values) != values:
            await asyncio.sleep(0.05)


async def _shown(url: str, names: dict[str, str]) -> dict[str, str]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
        return {each: (await (await admin.execute(f"SHOW {each}".encode())).fetchall())[0][0] for each in names}


async def test_a_server_that_is_set_to_lose_is_an_alert_until_it_is_not(broker: Broker) -> None:
    with short_folder() as folder, EmbeddedPostgres(folder) as postgres:
        url = postgres.url
        await migrate(url)
        async with gateway_on(url, broker, "production") as gateway:
            await gateway.durability_watch.look()
            assert (await gateway.health()).durable is True
            await set_on_server(url, fsync="off")
            await gateway.durability_watch.look()
            assert await reasons(gateway) == (State.DEGRADED, False, {"fsync"})
            assert await stages(url) == [], "there is nobody yet who could be told"

            await seeded(url, 2)
            await gateway.durability_watch.look()
            assert await stages(url) == ["open"]
            await set_on_server(url, full_page_writes="off", synchronous_commit="off")
            await gateway.durability_watch.look()
            assert await reasons(gateway) == (State.DEGRADED, False, {"fsync", "full_page_writes"})
            async with gateway_on(url, broker, "production") as another:
                await another.durability_watch.look()
            assert await stages(url) == ["open"], "it is told once"

            await set_on_server(url, fsync="on", full_page_writes="on")
            await gateway.durability_watch.look()
            assert await stages(url) == ["closed"]
            assert (await gateway.health()).durable is True


async def test_a_database_of_tests_says_so_and_calls_nobody(migrated_url: str, broker: Broker) -> None:
    durable = await _shown(migrated_url, {"fsync": "", "full_page_writes": ""}) == {
        "fsync": "on",
        "full_page_writes": "on",
    }
    await seeded(migrated_url, 2)
    async with gateway_on(migrated_url, broker, "test") as gateway:
        await gateway.durability_watch.look()
        health = await gateway.health()
    assert (health.durable, health.state) == (durable, State.OK)
    assert await stages(migrated_url) == []


async def test_a_process_says_it_when_it_starts(tmp_path: Path, broker: Broker) -> None:
    with short_folder() as folder, EmbeddedPostgres(folder, durable=False) as postgres:
        await migrate(postgres.url)
        await seeded(postgres.url, 2)
        with GatewayProcess(tmp_path, database_url=postgres.url, mqtt_port=broker.port) as gateway:
            gateway.start(environment="production", canary_resident_seconds=0)
            warned = await gateway.logged("database.not_durable", finding="fsync")
            assert "receipted is lost" in warned["what"]
            assert "ALTER SYSTEM SET fsync = on" in warned["mend"]
            (looked,) = gateway.entries("database.looked_at")
            assert (looked["fsync"], looked["synchronous_commit"]) == ("off", "local"), "ours, and not the server's"
            said = (await gateway.get("/health")).json()
            assert said["durable"] is False
            assert [each["reason"] for each in said["findings"]].count("durability") == 2
            assert await gateway.stop() == 0
        assert await stages(postgres.url) == ["open"]
