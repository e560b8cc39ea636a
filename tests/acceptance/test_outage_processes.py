"""Two hours without a gateway: what was kept meanwhile is heard first, and only then is silence judged."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx

from gateway.embedded import Broker
from gateway.seed import SITE
from tests.support.processes import GatewayProcess, Homes, Word, alerts, devices_of, rows, seeded, stored_once

SEED = 8
HALF_PAST_SEVEN = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)
"""A Tuesday, in Oslo's winter time."""
EIGHT = HALF_PAST_SEVEN + timedelta(minutes=30)
DOSES = ("08:00", "08:20", "08:40")
KILLED, BACK = EIGHT - timedelta(minutes=15), EIGHT + timedelta(minutes=105)


async def test_after_two_hours_down_only_the_real_misses_are_raised(
    migrated_url: str, own_broker: Broker, tmp_path: Path
) -> None:
    """More than a thousand devices; 600 doses fall due meanwhile, of which the dispensers kept the word on 500. Heartbeats are lost."""
    random = Random(SEED)
    await seeded(migrated_url, 400, HALF_PAST_SEVEN - timedelta(days=1))
    await _three_doses_each(migrated_url)
    kinds = await devices_of(migrated_url)
    dispensers = sorted(address for address, kind in kinds.items() if kind == "medicine_dispenser")
    assert len(kinds) > 1000
    assert len(dispensers) == 200
    gateway = GatewayProcess(
        tmp_path, database_url=migrated_url, mqtt_port=own_broker.port, deaf_seconds=600, settle_seconds=120
    )
    homes = Homes(own_broker, kinds, patience=60)
    with gateway:
        gateway.start(controlled_clock=HALF_PAST_SEVEN.isoformat())
        await gateway.connected()
        async with homes.connected(), gateway.signed_in("admin") as client:
            await _passes(client, minutes=10)
            for address in kinds:
                homes.say(address, "heartbeat", HALF_PAST_SEVEN + timedelta(minutes=10))
            await homes.has_reached_broker(*homes.said)
            assert await _passes(client, minutes=5) == KILLED
        assert not await alerts(migrated_url)
        gateway.kill9()

        missed = {address: random.randrange(3) for address in random.sample(dispensers, 100)}
        async with homes.connected():
            kept = [word for address in dispensers for word in _doses(homes, address, missed.get(address), random)]
            await homes.has_reached_broker(*kept)
        assert len(kept) == 500

        began = time.monotonic()
        gateway.start(controlled_clock=BACK.isoformat())
        await gateway.connected()
        async with gateway.signed_in("admin") as client:
            await _passes(client, minutes=1)
            assert await _open(migrated_url) == {"site_deaf": 1}
            await gateway.reports("deaf")
            assert not await stored_once(migrated_url, kept)

            await _passes(client, minutes=9)
            assert await _open(migrated_url) == {"dose_missed": 100}
            assert [each["stage"] for each in await alerts(migrated_url, "site_deaf")] == ["closed"]
            await gateway.reports()
        print(f"{time.monotonic() - began:.1f} s from the start until everything is judged")
        assert await _missed(migrated_url) == {(address, DOSES[dose]) for address, dose in missed.items()}

        async with gateway.signed_in("admin") as client:
            await _passes(client, minutes=20)
        assert await _open(migrated_url) == {"dose_missed": 100}, "nobody has been silent for two hours that were heard"
        assert await gateway.stop() == 0


def _doses(homes: Homes, address: str, missed: int | None, random: Random) -> list[Word]:
    """The dispenser's word on its doses; it names the dose where that is not clear from the time."""
    words = []
    said = random.choice(("dose_dispensed", "dose_taken"))
    for number, dose in enumerate(DOSES):
        planned = _planned(dose)
        if number != missed:
            at = planned + timedelta(minutes=random.uniform(0, 15))
            named = {"dose_at": planned.isoformat()} if missed is not None or random.random() < 0.5 else {}
            words.append(homes.say(address, said, at, **named))
    return words


def _planned(dose: str) -> datetime:
    return EIGHT + timedelta(minutes=DOSES.index(dose) * 20)


async def _passes(client: httpx.AsyncClient, **time_: float) -> datetime:
    answer = await client.post("/clock", json={"advance_seconds": timedelta(**time_).total_seconds()})
    assert answer.status_code == 200, answer.text
    return datetime.fromisoformat(answer.json()["now"])


async def _three_doses_each(url: str) -> None:
    """Every dispenser has three doses this morning, and every device promises a sign of life every two hours."""
    await rows(url, "DELETE FROM dose_schedule WHERE local_time <> '08:00'")
    await rows(
        url,
        """INSERT INTO dose_schedule (uid, installation_id, local_time, weekdays, from_date, watched_until)
           SELECT gen_random_uuid(), installation_id, dose::time, weekdays, from_date, watched_until
           FROM dose_schedule, unnest(%s::text[]) AS dose""",
        list(DOSES[1:]),
    )
    await rows(url, "UPDATE dose_schedule SET watched_until = %s", HALF_PAST_SEVEN - timedelta(hours=1))
    await rows(url, "UPDATE device SET silent_after_seconds = 7200")


async def _open(url: str) -> dict[str, int]:
    found = await rows(url, "SELECT condition, count(*) AS n FROM alert WHERE stage <> 'closed' GROUP BY 1")
    return {each["condition"]: each["n"] for each in found}


async def _missed(url: str) -> set[tuple[str, str]]:
    """Device and local time of every dose that was raised as missed."""
    found: list[dict[str, Any]] = await rows(
        url,
        """SELECT d.address, a.occurred_at FROM alert a JOIN device d ON d.id = a.device_id
           WHERE a.condition = 'dose_missed'""",
    )
    planned = {_planned(dose): dose for dose in DOSES}
    return {(each["address"], planned[each["occurred_at"]]) for each in found}


async def test_only_an_administrator_moves_the_clock_and_nobody_a_real_one(
    migrated_url: str, broker: Broker, tmp_path: Path
) -> None:
    await seeded(migrated_url, 1)
    await rows(migrated_url, "UPDATE site SET name = 'klokke' WHERE name = %s", SITE)
    with GatewayProcess(tmp_path, database_url=migrated_url, mqtt_port=broker.port) as gateway:
        for clock, role, status in (({}, "admin", 404), ({"controlled_clock": "2027-01-01T00:00:00Z"}, "vakt1a", 403)):
            gateway.start(**clock)
            async with gateway.signed_in(role) as client:
                assert (await client.post("/clock", json={"advance_seconds": 1})).status_code == status
            assert await gateway.stop() == 0
