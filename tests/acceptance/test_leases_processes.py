"""Several gateways share the lanes of several sites. One is killed, another stands still, one is told to go: every site is
heard on within five seconds, nothing is lost or doubled, and nobody fights for a lane."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from gateway.embedded import Broker, EmbeddedPostgres, free_port
from gateway.seed import SITE
from gateway.sharing import LEASE, SETTLED_AFTER
from gateway.store.migrate import migrate
from tests.support.databases import short_folder
from tests.support.machine import STOOD_STILL, watched
from tests.support.processes import (
    GatewayProcess,
    command,
    eventually,
)
from tests.support.sharing import LONG, Lanes, Town, town

SITES = (SITE, "b", "c", "d", "e", "f")
LONGER_THAN_A_LEASE = 6.0


async def test_three_gateways_share_six_sites_and_outlive_each_other(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    async with town(migrated_url, own_broker, tmp_path, SITES, 3) as it:
        first, second, third = it.gateways
        for each in it.gateways:
            each.start()
        await it.is_shared(4, 4, 4)
        async with it.talks():
            await it.is_heard_everywhere(await it.now(), "three at work")
            await _is_told(it)

            async def comes_back(gateway: GatewayProcess, struck: datetime, lanes: Lanes) -> None:
                await it.is_shared(6, 0, 6)
                gateway.start()
                await it.is_shared(4, 4, 4)

            async def goes_on(gateway: GatewayProcess, struck: datetime, lanes: Lanes) -> None:
                await asyncio.sleep(max(0.0, LONGER_THAN_A_LEASE - (await it.now() - struck).total_seconds()))
                await it.is_shared(6, 6, 0)
                known = len(gateway.entries("loop.failed"))
                gateway.signal(signal.SIGCONT)
                await gateway.logged("gateway.was_away", LONG)
                await it.is_shared(4, 4, 4)
                lost = {each["loop"] for each in gateway.entries("loop.failed")[known:]}
                names = {f"lane {site}/{lane}" for site, lane in await it.named(lanes)}
                assert {each for each in lost if each.startswith("lane ")} == names, (
                    "it learnt of each lane that it had"
                )

            killed_again = await it.outlives(second, GatewayProcess.kill9, comes_back)
            stopped_again = await it.outlives(third, _stands_still, goes_on)

            with watched([second.pid, third.pid]) as machine:
                lanes, told = await it.lanes_of(first), await it.now()
                assert await first.stop() == 0
                print(f"it goes {(await it.now() - told).total_seconds():.1f} s after it was told to")
                gone = await it.is_handled(told, lanes)
            assert not gone.late_by or machine.excuses(gone.late_by), f"{gone}; {machine}"
            await it.is_shared(0, 6, 6)
        await it.all_is_stored_once()
        struck = 8 * (killed_again + stopped_again) + 8 * max(0, it.away() - 1 - stopped_again)
        assert await it.epochs() <= 12 + 8 + 4 + 4 + 4 + 4 + 4 + 6 + struck, "no lane went to and fro"
        await asyncio.gather(second.healthy(), third.healthy())


def _stands_still(gateway: GatewayProcess) -> None:
    gateway.signal(signal.SIGSTOP)


async def _measures_four_of_three(gateway: GatewayProcess) -> bool:
    shown = (await gateway.get("/metrics")).text
    held = [line for line in shown.splitlines() if line.startswith("hjemmevakt_lane_held{")]
    return "hjemmevakt_gateways 3.0" in shown and sum(float(line.rpartition(" ")[2]) for line in held) == 4


async def _is_told(it: Town) -> None:
    """By /health, by the metrics of each, and at a terminal."""
    told = (await it.gateways[0].get("/health")).json()
    assert [(each["here"], each["part"], each["lanes"]) for each in told["gateways"]].count((True, "hears", 4)) == 1
    assert Counter(each["holder"] for each in told["lanes"]) == {each["holder"]: 4 for each in told["gateways"]}
    for gateway in it.gateways:
        await eventually(
            partial(_measures_four_of_three, gateway), "the metrics of a gateway, which are looked at now and then"
        )
    table = await command("lanes", database_url=it.url)
    assert table.code == 0
    lines = table.out.splitlines()
    assert lines[0].split()[:3] == ["site", "lane", "holder"]
    assert sum(line.startswith(SITES) for line in lines) == 12
    assert sum(line.endswith("hears") for line in lines) == 3


async def test_who_does_not_reach_the_broker_gets_nothing_and_a_database_that_was_away_moves_nothing(
    own_broker: Broker, tmp_path: Path
) -> None:
    with short_folder() as folder, EmbeddedPostgres(folder) as postgres:
        await migrate(postgres.url)
        async with town(postgres.url, own_broker, tmp_path, (SITE,), 2) as it:
            first, second = it.gateways
            first.start()
            await first.connected()
            road = free_port()
            second.start(mqtt_port=road)
            await second.reports("loop")
            await asyncio.sleep(SETTLED_AFTER.total_seconds())
            await it.is_shared(2, 0)  # who does not reach the broker has no share
            assert await it.epochs() == 2 or it.away()
            told = (await second.get("/health")).json()
            assert [(each["here"], each["part"]) for each in told["gateways"]] == [(False, "hears"), (True, "unable")]
            assert (await second.health())[1] == {"loop"}, "and says that it is of no use"
            await first.healthy()

            async with _road(road, own_broker), it.talks():
                await it.is_shared(1, 1)
                await second.healthy()
                await it.is_heard_everywhere(await it.now(), "two at work")
                with watched([first.pid, second.pid]) as machine:
                    taken = await it.epochs()
                    await asyncio.to_thread(postgres.crash)
                    await asyncio.sleep(LONGER_THAN_A_LEASE)
                    await asyncio.to_thread(postgres.recover)
                    back = await it.now()
                    await it.is_heard_everywhere(back, "the database is back")
                    await asyncio.sleep(LEASE.total_seconds() * 2)
                    epochs = await it.epochs()
                print(f"lanes taken: {taken} before the database went, {epochs} after it")
                assert epochs == taken or machine.late >= STOOD_STILL, f"nobody was taken for dead; {machine}"
                await it.is_shared(1, 1)
            await it.is_shared(2, 0)
            await it.all_is_stored_once()
            assert [await each.stop() for each in it.gateways] == [0, 0]


@asynccontextmanager
async def _road(port: int, broker: Broker) -> AsyncIterator[None]:
    """For the block, a way to the broker; whoever is on it when it ends is cut off."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while said := await reader.read(65536):
                writer.write(said)
                await writer.drain()
        finally:
            writer.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(broker.host, broker.port)
        ways = [asyncio.create_task(carry(reader, ours)), asyncio.create_task(carry(theirs, writer))]
        met.update(ways)
        await asyncio.wait(ways)
        with suppress(OSError):
            await asyncio.gather(ours.wait_closed(), writer.wait_closed())

    met: set[asyncio.Task[None]] = set()
    server = await asyncio.start_server(meet, broker.host, port)
    try:
        yield
    finally:
        server.close()
        for each in met:
            each.cancel()
        await asyncio.gather(*met, return_exceptions=True)
        await asyncio.sleep(0.1)  # in which the last sockets are closed
