"""The canary resident with processes that are killed: another one publishes and answers on, and nothing is left hanging."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.embedded import Broker
from tests.support.processes import GatewayProcess, eventually, rows, seeded

LONG = 90.0
"""Seconds. What takes some ten by itself, on a machine that has other things to do."""


async def test_when_one_process_is_killed_the_other_goes_on_and_neither_doubles_it(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    await seeded(migrated_url, residents=3)
    where: dict[str, Any] = {"database_url": migrated_url, "mqtt_port": own_broker.port, "canary_resident_seconds": 2}

    async def passed() -> int:
        found = await rows(migrated_url, "SELECT count(*) AS n FROM canary_passage WHERE answered_at IS NOT NULL")
        return int(found[0]["n"])

    async def two_more(than: int) -> None:
        async def look() -> bool:
            return await passed() >= than + 2

        await eventually(look, "test alarms are answered", LONG)

    with GatewayProcess(tmp_path, "one", **where) as one, GatewayProcess(tmp_path, "other", **where) as other:
        one.start()
        await one.connected()
        await two_more(0)
        other.start()
        await other.logged("gateway.started")
        one.kill9()
        await two_more(await passed())

        async with other.signed_in("teknisk1") as client:
            (site,) = (await client.get("/sites")).json()
            assert site["canary"]["missing"] is None
            assert {each["leg"] for each in site["canary"]["legs"]} >= {"stored", "answered", "whole"}
        metrics = (await other.get("/metrics")).text
        assert 'hjemmevakt_canary_hour_seconds{leg="whole",quantile="0.99",site="stavanger"}' in metrics

        twice = await rows(
            migrated_url,
            """SELECT 1 FROM canary_passage a JOIN canary_passage b ON b.site_id = a.site_id
               AND b.published_at > a.published_at AND b.published_at < a.published_at + interval '1.5 s'""",
        )
        assert len(twice) <= 1, "two processes do not publish for one site"
        open_now = await rows(migrated_url, "SELECT 1 FROM alert WHERE condition = 'canary_lost' AND closed_at IS NULL")
        assert open_now == []
        assert await other.stop() == 0
