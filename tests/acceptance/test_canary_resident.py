"""The canary resident: a real alarm every few seconds, through a real broker and database, answered the whole way; and what is
said when it stops somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from alerts.channels import Outgoing
from alerts.delivery import Failed, SendResult
from gateway.app import Gateway
from gateway.clock import pause
from gateway.embedded import Broker
from gateway.store.db import Connection
from tests.support.town import found
from tests.support.world import connected, settings_for

QUICK = {"canary_resident_seconds": 1, "canary_resident_within": 2, "deaf_seconds": 3600}


class Town:
    """A gateway in real time, and what its database says."""

    def __init__(self, gateway: Gateway, site: str) -> None:
        self.gateway = gateway
        self.site = site

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async def ask(connection: Connection) -> list[dict[str, Any]]:
            cursor = await connection.execute(query.encode(), arguments)
            return await cursor.fetchall() if cursor.description else []

        return await self.gateway.database.run(ask)

    async def passed(self, more_than: int = 0) -> list[dict[str, Any]]:
        """Wait until so many alarms have passed, and one more."""
        found: list[dict[str, Any]] = []

        async def enough() -> bool:
            found[:] = await self.rows(
                "SELECT * FROM canary_passage WHERE answered_at IS NOT NULL ORDER BY published_at"
            )
            return len(found) > more_than

        await until(enough)
        return found

    async def lost(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM alert WHERE condition = 'canary_lost' ORDER BY id")


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await pause(0.1)


@asynccontextmanager
async def town(url: str, broker: Broker, **settings: Any) -> AsyncIterator[Town]:
    """One site, with everything that a gateway does but the web."""
    site = f"k{uuid4().hex[:12]}"
    gateway = Gateway(settings_for(broker, None, None, **QUICK | settings), url, roles=("ingest", "engine"))
    await gateway.database.open()
    await gateway.database.run(lambda connection: found(connection, site, datetime.now(UTC)))
    async with gateway.running():
        await connected(gateway)
        yield Town(gateway, site)


async def test_its_alarm_goes_the_whole_way_and_every_leg_is_timed(migrated_url: str, broker: Broker) -> None:
    async with town(migrated_url, broker) as here:
        for each in await here.passed(1):
            order = [
                each[f"{leg}_at"] for leg in ("published", "stored", "queued", "leased", "handed_over", "answered")
            ]
            assert None not in order
            assert order == sorted(order)

        alert = (await here.rows("SELECT * FROM alert WHERE condition = 'fall' ORDER BY id"))[0]
        pages = await here.rows(
            "SELECT state, received_at, shown_at, answered_at FROM page WHERE alert_id = %s", alert["id"]
        )
        assert {each["state"] for each in pages} == {"answered"}
        assert pages[0]["received_at"] <= pages[0]["shown_at"] <= pages[0]["answered_at"]
        timeline = [
            each["code"]
            for each in await here.rows("SELECT code FROM alert_entry WHERE alert_id = %s ORDER BY seq", alert["id"])
        ]
        assert timeline[:1] == ["raised"]
        assert {"claimed", "closing"} <= set(timeline)

        health = await here.gateway.health()
        (canary,) = health.canaries
        assert (canary.site, canary.missing) == (here.site, None)
        assert {"stored", "receipted", "raised", "queued", "leased", "handed_over", "answered", "whole"} == {
            each.leg for each in canary.legs
        }
        assert await here.lost() == []


async def test_a_page_that_does_not_get_out_is_the_leg_that_is_missing_until_it_does(
    migrated_url: str, broker: Broker
) -> None:
    async with town(migrated_url, broker) as here:
        await here.passed()
        phone = here.gateway.dispatcher._channels["canary"]
        send = phone.send

        async def dead(outgoing: Outgoing) -> SendResult:
            return Failed("the phone is at the bottom of the fjord")

        phone.send = dead  # type: ignore[method-assign]

        async def red() -> bool:
            return bool(await here.lost())

        await until(red)
        health = await here.gateway.health()
        assert [each.missing for each in health.canaries] == ["handed_over"]
        assert "canary" in {each.reason for each in health.findings}
        (told,) = await here.lost()
        assert (told["track"], told["severity"]) == ("technical", 30)

        phone.send = send  # type: ignore[method-assign]

        async def cleared() -> bool:
            return all(each["closed_at"] for each in await here.lost())

        await until(cleared)
        assert len(await here.lost()) == 1
