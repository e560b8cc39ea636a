"""The database is away, the broker is away: nothing is acknowledged that is not stored, and it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from gateway.embedded import Broker, EmbeddedPostgres
from gateway.mqtt import KEEP_ALIVE
from gateway.store.migrate import migrate
from tests.support.databases import short_folder
from tests.support.processes import (
    GatewayProcess,
    Homes,
    alerts,
    devices_of,
    eventually,
    rows,
    seeded,
    stored_once,
    written_at,
)


async def test_without_its_database_nothing_is_acknowledged(own_broker: Broker, tmp_path: Path) -> None:
    with short_folder() as folder, EmbeddedPostgres(folder) as postgres:
        await migrate(postgres.url)
        await seeded(postgres.url, 4)
        homes = Homes(own_broker, await devices_of(postgres.url))
        with GatewayProcess(tmp_path, database_url=postgres.url, mqtt_port=own_broker.port) as gateway:
            gateway.start()
            await gateway.connected()
            await gateway.healthy()
            async with homes.connected():
                before = homes.say("fall-001", "fall")
                await homes.has_receipt(before)
                async with gateway.signed_in("vakt1a") as client:
                    await asyncio.to_thread(postgres.crash)
                    during = homes.say("fall-002", "fall")
                    await homes.has_reached_broker(during)
                    (status, reasons), answer = await asyncio.gather(gateway.health(), client.get("/alerts"))
                assert status == 503
                assert "database" in reasons
                assert answer.status_code == 503
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["reason"] == "database"
                assert (await gateway.get("/health/live")).status_code == 200
                assert during not in homes.receipted

                await asyncio.to_thread(postgres.recover)
                began = time.monotonic()
                await homes.has_receipt(during)
                print(f"the fall is stored {time.monotonic() - began:.1f} s after the database is back")
                await gateway.healthy()
                print(f"healthy {time.monotonic() - began:.1f} s after the database is back")
                assert len(await alerts(postgres.url, "fall")) == 2

                await asyncio.to_thread(postgres.crash)
                last = homes.say("fall-003", "fall")
                await homes.has_reached_broker(last)
                await asyncio.sleep(1)
            gateway.kill9()
            await asyncio.to_thread(postgres.recover)
            gateway.start()

            async def raised() -> bool:
                return len(await alerts(postgres.url, "fall")) == 3

            await eventually(raised, "the broker still had the third fall, although its device has gone")
            assert not await stored_once(postgres.url, [before, during, last])
            assert await gateway.stop() == 0


async def test_a_broker_that_was_away_is_found_again_with_our_session(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    await seeded(migrated_url, 4)
    homes = Homes(own_broker, await devices_of(migrated_url))
    gateway = GatewayProcess(
        tmp_path, database_url=migrated_url, mqtt_port=own_broker.port, deaf_seconds=2, settle_seconds=1
    )
    with gateway:
        gateway.start()
        await gateway.connected()
        await gateway.healthy()
        assert not gateway.entries("lane.session_lost"), "the first connection loses nothing"
        async with homes.connected():
            await homes.has_receipt(homes.say("fall-001", "fall"))
            await _save(own_broker)
            await asyncio.to_thread(own_broker.kill9)
            await gateway.reports("loop", "deaf")

            async def more_slowly() -> bool:
                failed = gateway.entries("loop.failed", loop="lane stavanger/alarm")
                return bool(failed) and failed[-1]["again_in"] > failed[0]["again_in"]

            await eventually(more_slowly, "it tries again, and each time waits for longer")
            assert (await gateway.get("/health/ready")).status_code == 200, "people can answer all the same"

            await asyncio.to_thread(own_broker.start)
            told = homes.say("fall-002", "fall")
            await homes.has_receipt(told)
            await gateway.healthy()
            assert len(gateway.entries("lane.connected", resumed=True)) == 2
            assert not await alerts(migrated_url, "session_lost")

            async def heard_again() -> bool:
                return {each["stage"] for each in await alerts(migrated_url, "site_deaf")} == {"closed"}

            await eventually(heard_again, "the incident «site deaf» is over")

            await asyncio.to_thread(own_broker.stop)
            (own_broker.folder / "mosquitto.db").unlink()
            await asyncio.to_thread(own_broker.start)
            await homes.has_receipt(homes.say("fall-003", "fall"))
            await gateway.healthy()
        lost = await rows(
            migrated_url,
            """SELECT a.track, e.params FROM alert a JOIN alert_entry e ON e.alert_id = a.id AND e.code = 'raised'
               WHERE a.condition = 'session_lost'""",
        )
        assert {each["track"] for each in lost} == {"technical"}
        gaps = [each["params"]["evidence"]["fields"] for each in lost]
        assert {each["lane"] for each in gaps} == {"alarm", "bulk"}
        assert all(each["heard_until"] for each in gaps)
        assert await gateway.stop() == 0


async def test_a_broker_that_stands_still_is_noticed_and_nothing_is_lost(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    """Its connections stay open and say nothing. When it goes on, the newest connection counts."""
    await seeded(migrated_url, 4)
    homes = Homes(own_broker, await devices_of(migrated_url))
    assert own_broker.pid is not None
    with GatewayProcess(
        tmp_path, database_url=migrated_url, mqtt_port=own_broker.port, canary_resident_seconds=0
    ) as gateway:
        gateway.start()
        await gateway.connected()
        async with homes.connected():
            await homes.has_receipt(homes.say("fall-001", "fall"))
            os.kill(own_broker.pid, signal.SIGSTOP)
            began = time.monotonic()
            try:
                # Asked after one keep-alive, and given up after another.
                await gateway.logged("loop.failed", seconds=2 * KEEP_ALIVE + 60, loop="lane stavanger/alarm")
                print(f"noticed after {time.monotonic() - began:.1f} s")
                told = homes.say("fall-002", "fall")
                await asyncio.sleep(3)
                status, reasons = await gateway.health()
                assert (status, reasons - {"deaf"}) == (503, {"loop"}), "deaf as well, where that was noticed late"
            finally:
                os.kill(own_broker.pid, signal.SIGCONT)
            began = time.monotonic()
            await homes.has_receipt(told)
            print(f"receipt {time.monotonic() - began:.1f} s after it went on")
            await gateway.healthy()
            await homes.all_receipted()
        assert len(await alerts(migrated_url, "fall")) == 2
        assert await gateway.stop() == 0


async def _save(broker: Broker) -> None:
    """Mosquitto writes down its sessions, as it does now and then by itself."""
    assert broker.pid is not None
    before = written_at(broker.folder / "mosquitto.db")
    os.kill(broker.pid, signal.SIGUSR1)

    async def look() -> bool:
        return written_at(broker.folder / "mosquitto.db") != before

    await eventually(look, "mosquitto.db")
