"""Several writers at once over the same devices, watches and alerts: nobody fails, and (lock order) nobody deadlocks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import uuid4

import psycopg
import pytest

from devices.model import Lane, Message
from gateway.canary import Limits
from gateway.clock import ControlledClock
from gateway.store import devices, observations, watches
from gateway.store.db import Connection
from gateway.store.devices import Sign
from gateway.store.watches import Wish
from gateway.timekeeper import Timekeeper
from tests.gateway.place import NOW, Place, fall, heartbeat, place

ROUNDS = 6


async def deadlocks(town: Place) -> int:
    """How many there have been in this database."""
    await town.rows("SELECT pg_stat_force_next_flush()")
    (row,) = await town.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(row["deadlocks"])


def broken(message: Message) -> Message:
    """The same device, talking nonsense."""
    return replace(message, payload=b'{"id": "%s", "type": 7}' % uuid4().hex.encode())


async def test_batches_over_the_same_homes_in_any_order(migrated_url: str) -> None:
    """Two lanes, falls and heartbeats and nonsense of the same devices, shuffled: all stored, no alert twice."""
    async with place(migrated_url, homes=12) as town:
        lanes = [await town.held(lane) for lane in Lane]

        async def flood(number: int) -> int:
            random = Random(number)
            total = 0
            for turn in range(ROUNDS):
                said = [fall(home, f"f{number}-{turn}") for home in town.homes]
                said += [heartbeat(home, f"h{number}-{turn}", battery_percent=turn) for home in town.homes]
                said += [broken(fall(home, "x")) for home in random.sample(town.homes, 4)]
                random.shuffle(said)
                total += (await town.store(lanes[number % 2], said)).total
            return total

        totals = await asyncio.gather(*(flood(number) for number in range(4)))
        assert totals == [ROUNDS * 28] * 4
        counted = await town.rows(
            """SELECT (SELECT count(*) FROM said) AS said, (SELECT count(*) FROM quarantine) AS refused,
                      (SELECT count(*) FROM alert WHERE condition = 'fall') AS falls"""
        )
        assert counted == [{"said": 4 * ROUNDS * 24, "refused": 4 * ROUNDS * 4, "falls": 12}]
        assert await deadlocks(town) == 0


async def test_nonsense_of_one_device_beside_sense_of_another(migrated_url: str) -> None:
    """Both touch the device's state, so both take part in its lock order."""
    async with place(migrated_url, homes=2) as town:
        lanes = [await town.held(lane) for lane in Lane]

        async def speak(number: int) -> None:
            sense, nonsense = town.homes if number % 2 else reversed(town.homes)
            for turn in range(15):
                said = [heartbeat(sense, f"{number}-{turn}"), broken(fall(nonsense, "x"))]
                await town.store(lanes[number % 2], said)

        await asyncio.gather(*(speak(number) for number in range(6)))
        assert await deadlocks(town) == 0


async def test_signals_for_the_same_alerts_in_opposite_order(migrated_url: str) -> None:
    async with place(migrated_url, homes=15) as town:
        raised = [town.raising(home) for home in town.homes]
        await asyncio.gather(*(town.raise_(*(raised if turn % 2 else raised[::-1])) for turn in range(8)))
        (row,) = await town.rows("SELECT count(*) AS n FROM alert")
        assert row["n"] == 15
        assert await deadlocks(town) == 0


async def test_time_passes_while_devices_speak(migrated_url: str) -> None:
    async with place(migrated_url, homes=10) as town:
        clock = ControlledClock(NOW)
        keeper = Timekeeper(town.database, clock, town.cache, Limits(timedelta(hours=1), timedelta(0)))
        held = await town.held()
        await town.store(held, [fall(home, "1") for home in town.homes])
        clock.move_to(NOW + timedelta(minutes=3))

        async def speak() -> None:
            for turn in range(ROUNDS):
                await town.store(
                    held, [fall(home, f"s{turn}", clock.now()) for home in reversed(town.homes)], clock.now()
                )

        async def tick() -> None:
            for _ in range(ROUNDS):
                await keeper.run_once()

        await asyncio.gather(speak(), tick(), tick())
        await keeper.run_once()  # what was locked by those who speak was left to the next look
        assert await deadlocks(town) == 0
        (row,) = await town.rows("SELECT count(*) AS n FROM alert WHERE due_at <= %s", clock.now())
        assert row["n"] == 0


async def test_sets_are_taken_in_the_order_of_their_keys(migrated_url: str) -> None:
    """The store's own functions, given their rows in opposite orders."""
    async with place(migrated_url, homes=20) as town:
        ids = [home.device for home in town.homes]

        async def work(order: list[int]) -> None:
            async def batch(connection: Connection) -> None:
                await observations.mark_seen(
                    connection, dict.fromkeys((each, "same", b"") for each in order).keys(), NOW
                )
                await devices.save_signs(connection, [Sign(each, NOW, NOW, None, {}) for each in order])
                await watches.wanted(connection, Wish((), (), order, NOW, ()))

            await town.run(batch)

        await asyncio.gather(*(work(ids if turn % 2 else ids[::-1]) for turn in range(30)))
        assert await deadlocks(town) == 0


async def test_a_deadlock_is_tried_again_and_callers_never_see_it(migrated_url: str) -> None:
    """Made on purpose: two transactions that take two rows crosswise."""
    async with place(migrated_url, homes=2) as town:
        ids = [home.resident for home in town.homes]
        both = asyncio.Barrier(2)
        tries = 0

        async def cross(first: int, second: int) -> None:
            met = False

            async def work(connection: Connection) -> None:
                nonlocal met, tries
                tries += 1
                await connection.execute("UPDATE resident SET notes = notes || 'x' WHERE id = %s", (first,))
                if not met:
                    met = True
                    await both.wait()
                await connection.execute("UPDATE resident SET notes = notes || 'x' WHERE id = %s", (second,))

            await town.run(work)

        await asyncio.gather(cross(*ids), cross(*reversed(ids)))
        assert tries >= 3, "at least one of them was tried again; both, where each saw it at the same time"
        assert await town.rows("SELECT DISTINCT notes FROM resident") == [{"notes": "xx"}]


async def test_what_fails_every_time_is_told_in_the_end(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await town.rows("INSERT INTO person (uid, name, username) VALUES (gen_random_uuid(), 'x', 'nina')")
