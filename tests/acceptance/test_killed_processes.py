"""The gateway is killed again and again: nothing is lost or doubled. Several of them: see test_leases_processes.py."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

from gateway.embedded import Broker
from tests.support.processes import (
    GatewayProcess,
    Homes,
    alerts,
    devices_of,
    eventually,
    rows,
    seeded,
    stored_once,
)

SEED = 20260303
STEP = timedelta(seconds=10)
LATE = timedelta(seconds=6)
"""How late a step may come after a kill: the restart, and a machine that has other things to do."""
TARGETS = ("first_on_duty", "all_on_duty", "zone_lead", "first_on_duty", "all_on_duty", "zone_lead", "response_centre")


async def test_ten_kills_under_traffic_lose_nothing_and_double_nothing(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    random = Random(SEED)
    await seeded(migrated_url, 33)
    await _climb_fast(migrated_url)
    homes = Homes(own_broker, await devices_of(migrated_url))
    assert len(homes.devices) >= 50
    gateway = GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=own_broker.port)
    with gateway:
        gateway.start()
        await gateway.connected()
        async with homes.connected(), _talk(homes, random) as talking:
            for number in range(10):
                at_work = number % 3 < 2
                wait = random.uniform(0, 1)
                print(f"kill {number + 1} after {wait:.3f} s at work: {at_work}; {len(homes.receipted)} receipted")
                if at_work:
                    await gateway.connected()
                await asyncio.sleep(wait)
                gateway.kill9()
                await _lease_runs_out(migrated_url)
                gateway.start()
            started = time.monotonic()
            await asyncio.sleep(1)
            talking.set()
            await homes.all_receipted()
        await _all_stored(migrated_url, homes)
        await _falls_are_dealt_with(migrated_url, homes)
        await asyncio.sleep(max(0.0, STEP.total_seconds() + 2 - (time.monotonic() - started)))
        await _climbed_on_time(migrated_url)
        assert "Traceback" not in gateway.said


@asynccontextmanager
async def _talk(homes: Homes, random: Random) -> AsyncIterator[asyncio.Event]:
    """Something is said all the time, until the event is set: now and then somebody falls."""
    stop = asyncio.Event()

    async def talk() -> None:
        for address, type_ in _words(homes, random):
            homes.say(address, type_)
            await asyncio.sleep(random.expovariate(1 / 0.01))
            if stop.is_set():
                return

    talking = asyncio.create_task(talk())
    try:
        yield stop
        await talking
    finally:
        talking.cancel()
        await asyncio.wait({talking})


def _words(homes: Homes, random: Random) -> Iterator[tuple[str, str]]:
    wearers = [address for address, kind in homes.devices.items() if kind == "fall_alarm"]
    yield from ((address, "fall") for address in wearers[:5])
    while True:
        address = random.choice(list(homes.devices))
        fell = random.random() < 0.03
        if homes.devices[address] == "medicine_dispenser":
            yield address, random.choice(("heartbeat", "dose_dispensed", "dose_taken"))
        else:
            yield address, "fall" if fell and address in wearers else "heartbeat"


async def _climb_fast(url: str) -> None:
    """A policy as a municipality could set it, with the shortest waits there are."""
    steps = [{"target": target, "wait_seconds": int(STEP.total_seconds())} for target in TARGETS]
    await rows(
        url,
        """WITH next AS (UPDATE policy SET version = version + 1 WHERE name = 'care_urgent' RETURNING id, version)
           INSERT INTO policy_version (policy_id, version, spec, created_at)
           SELECT next.id, next.version, v.spec || jsonb_build_object('steps', %s::jsonb), v.created_at
           FROM next JOIN policy_version v ON v.policy_id = next.id AND v.version = next.version - 1""",
        json.dumps(steps),
    )


async def _lease_runs_out(url: str) -> None:
    """What takes four seconds by itself; the process that had the lanes is gone, and everybody waits only for time."""
    await rows(url, "UPDATE gateway SET lease_until = '-infinity'")


async def _all_stored(url: str, homes: Homes) -> None:
    """What the gateway gave its receipt for, and what the broker had acknowledged: each exactly once."""
    promised = sorted(homes.receipted | homes.acknowledged)
    print(f"{len(homes.said)} said, {len(homes.acknowledged)} acknowledged, {len(homes.receipted)} receipted")
    assert len(homes.receipted) > 100

    async def look() -> bool:
        return not await stored_once(url, promised)

    try:
        await eventually(look, "everything is stored")
    except AssertionError:
        raise AssertionError((await stored_once(url, promised))[:10]) from None


async def _falls_are_dealt_with(url: str, homes: Homes) -> None:
    """One open alert for each wearer who fell, with every fall on its timeline, and somebody paged."""
    fell: dict[str, int] = {}
    for word in homes.receipted:
        if homes.said[word].type == "fall":
            fell[word.address] = fell.get(word.address, 0) + 1
    found = await rows(
        url,
        """SELECT d.address, count(DISTINCT a.id) AS alerts,
                  count(*) FILTER (WHERE e.code IN ('raised', 'evidence_joined')) AS falls,
                  (SELECT count(*) FROM page p WHERE p.alert_id = min(a.id)) AS pages
           FROM alert a JOIN device d ON d.id = a.device_id JOIN alert_entry e ON e.alert_id = a.id
           WHERE a.condition = 'fall' GROUP BY 1""",
    )
    assert {each["address"]: each["falls"] for each in found} == fell
    assert all(each["alerts"] == 1 and each["pages"] > 0 for each in found)


async def _climbed_on_time(url: str) -> None:
    overdue = await rows(
        url, "SELECT id, due_at, clock_timestamp() AS now FROM alert WHERE due_at < clock_timestamp() - %s", LATE / 2
    )
    assert not overdue
    for alert in await alerts(url, "fall"):
        steps = await rows(
            url, "SELECT * FROM alert_entry WHERE alert_id = %s AND code LIKE 'step_reached' ORDER BY seq", alert["id"]
        )
        assert [each["params"]["step"] for each in steps] == list(range(len(steps)))
        waits = [after["at"] - before["at"] for before, after in pairwise(steps)]
        assert all(STEP <= wait <= STEP + LATE for wait in waits), waits
    climbed = await rows(
        url,
        """SELECT a.attempt, array_agg(DISTINCT p.attempt) AS paged, count(*) AS pages,
                  count(DISTINCT (p.attempt, p.contact_id)) AS different
           FROM alert a JOIN page p ON p.alert_id = a.id WHERE a.condition = 'fall' GROUP BY a.id""",
    )
    for each in climbed:
        assert each["paged"] == list(range(1, each["attempt"] + 1))
        assert each["pages"] == each["different"]
    stuck = await rows(
        url, "SELECT state, due_at, clock_timestamp() AS now FROM page WHERE due_at < clock_timestamp() - %s", LATE
    )
    assert not stuck
