"""A gateway whose database goes away while it starts waits for it, as it does at any other time."""

from __future__ import annotations

import asyncio

import pytest

from gateway import serve
from gateway.app import Gateway
from gateway.clock import pause
from gateway.embedded import Broker
from tests.support.databases import refused
from tests.support.world import settings_for


async def test_it_waits_for_a_database_that_went_away_when_its_tables_were_made(
    migrated_url: str, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = asyncio.Event()

    async def migrate(url: str) -> None:
        made.set()

    monkeypatch.setattr(serve, "_migrate", migrate)
    monkeypatch.setattr(serve, "DATABASE_WAIT", 0.1)
    gateway = Gateway(settings_for(broker, None, None), migrated_url, roles=("engine",))
    with refused(migrated_url):
        preparing = asyncio.create_task(serve.prepare(gateway, migrated_url))
        await made.wait()
        await pause(0.5)
        assert not preparing.done()
    await preparing
    async with gateway.running():
        assert (await gateway.health()).open_alerts == 0
