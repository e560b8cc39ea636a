"""A weekend without a gateway: what devices said meanwhile is stored, though each said more than may be said in a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt

from devices.dialects.native import encode
from devices.model import DeviceAddress, MessageClass, Said
from gateway.embedded import Broker
from gateway.seed import SITE
from tests.support.processes import GatewayProcess, alerts, devices_of, eventually, rows, seeded

FRIDAY = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
MONDAY = FRIDAY + timedelta(hours=72)
MINUTES = 72 * 60
NEVER_SET = datetime(2000, 1, 1, tzinfo=UTC)


async def test_a_message_a_minute_over_a_weekend_is_stored_once_and_a_flood_is_none_the_less_one(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    """Three devices trust the broker's word and never say anything again: one with a clock, one whose clock was never set, one
    that was itself without the broker. The bound is the one that comes with us."""
    await seeded(migrated_url, 20, FRIDAY - timedelta(days=1))
    kinds = await devices_of(migrated_url)
    right, unset, offline, flooding = sorted(each for each, kind in kinds.items() if kind == "fall_alarm")[:4]
    gateway = GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=own_broker.port)
    with gateway:
        gateway.start(controlled_clock=FRIDAY.isoformat())
        await gateway.connected()
        async with gateway.signed_in("admin") as client:
            await client.post("/clock", json={"advance_seconds": 1})
        gateway.kill9()

        weekend = [FRIDAY + timedelta(minutes=each) for each in range(1, MINUTES + 1)]
        async with aiomqtt.Client(own_broker.host, own_broker.port, max_inflight_messages=0) as devices:
            await _all(devices, [*(_of(right, at) for at in weekend), *(_of(unset, at, NEVER_SET) for at in weekend)])

            gateway.start(controlled_clock=MONDAY.isoformat())
            await gateway.connected()
            async with gateway.signed_in("admin") as client:
                await client.post("/clock", json={"advance_seconds": 1})
                assert await _stored(migrated_url, right, unset) == {right: MINUTES, unset: MINUTES}

                await _all(devices, [_of(offline, at) for at in weekend])
                await client.post("/clock", json={"advance_seconds": 1})
                assert await _stored(migrated_url, offline) == {offline: MINUTES}
                assert not await alerts(migrated_url, "device_floods")

                await client.post("/clock", json={"advance_seconds": 70})  # the lane has settled
                await _all(devices, [_of(flooding, at, MONDAY + timedelta(seconds=72)) for at in weekend])
                await client.post("/clock", json={"advance_seconds": 1})
                assert await _stored(migrated_url, flooding) == {flooding: 3000}
                (flood,) = await alerts(migrated_url, "device_floods")
                assert flood["closed_at"] is None
            # What floods while nobody is there for ten seconds has waited for ten seconds, and not for a weekend.
            gateway.kill9()
            await _all(
                devices, [_of(flooding, at + timedelta(days=7), MONDAY + timedelta(seconds=74)) for at in weekend]
            )
            gateway.start(controlled_clock=(MONDAY + timedelta(seconds=83)).isoformat())
            await gateway.connected()
            async with gateway.signed_in("admin") as client:
                await client.post("/clock", json={"advance_seconds": 1})
                assert await _stored(migrated_url, flooding) == {flooding: 6000}
                await client.post("/clock", json={"advance_seconds": 180})

            # Another process than the one that told of it tells that it is over.
            async def over() -> bool:
                (flood,) = await alerts(migrated_url, "device_floods")
                return flood["closed_at"] is not None

            await eventually(over, "the alert of the flood is closed")
        assert await gateway.stop() == 0


def _of(address: str, at: datetime, claims: datetime | None = None) -> tuple[str, bytes]:
    """Topic and payload of what a device says at a time, which is its id, too; ``claims``: the time that it tells."""
    said = Said(claims or at, MessageClass.STATUS, "heartbeat")
    return encode(DeviceAddress(SITE, "native", address), "fall_alarm", f"{at:%d-%H-%M}", said)


async def _all(devices: aiomqtt.Client, words: Sequence[tuple[str, bytes]]) -> None:
    """At QoS 1; whoever says it forgets it with the broker's word."""
    for first in range(0, len(words), 10):
        await asyncio.gather(*(devices.publish(*each, qos=1) for each in words[first : first + 10]))


async def _stored(url: str, *devices: str) -> dict[str, int]:
    """How many different messages of each are stored; that none is stored twice is seen, too."""
    found = await rows(
        url,
        """SELECT d.address, count(*) AS times, count(DISTINCT o.message_id) AS different
           FROM said o JOIN device d ON d.id = o.device_id WHERE d.address = ANY(%s) GROUP BY 1""",
        list(devices),
    )
    assert all(each["times"] == each["different"] for each in found), found
    return {each["address"]: each["times"] for each in found}
