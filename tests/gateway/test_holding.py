"""What is held back while its silence ends at the same moment is not lost; and what cannot be read holds back nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.model import Clear, Evidence, Raise, Severity, Signal, Track
from alerts.silence import Kind
from alerts.silence_ends import Ended
from gateway import lifting
from gateway.engine import act
from gateway.store import silences
from gateway.store.db import Connection
from gateway.store.silences import New
from tests.gateway.place import NOW, Home, Place, place

Work = Callable[[Connection], Awaitable[object]]


async def silenced(town: Place, home: Home) -> int:
    """The home's device is silenced for a day."""
    new = New(
        kind=Kind.SILENCE,
        zone_id=town.zones["Nord"],
        device_id=home.device,
        installation_id=home.installation,
        resident_id=None,
        condition=None,
        track=None,
        severity=Severity.SERIOUS,
        vital=False,
        needs_consent=False,
        reason="repair",
        note="",
        owner_id=town.staff["Berit"],
        since=NOW - timedelta(hours=1),
        until=NOW + timedelta(days=1),
    )
    inner, _ = await town.run(lambda each: silences.add(each, new, NOW - timedelta(hours=1), NOW))
    return inner


async def raised(town: Place, home: Home, rule: str = "button_pressed") -> Raise:
    """By a rule of the home's device."""
    (row,) = await town.rows("SELECT id FROM rule WHERE kind = 'fall_alarm' AND name = %s", rule)
    told = {"condition": rule, "vkp_code": None, "severity": Severity.SERIOUS, "rule_id": row["id"]}
    return town.raising(home, **{**told, "key": f"{rule}:{town.subject(home).scope}"})


def does(town: Place, *signals: Signal) -> Work:
    async def work(connection: Connection) -> object:
        return await act(connection, signals, NOW, await town.cache.read(connection))

    return work


def lifts(town: Place) -> Work:
    async def work(connection: Connection) -> object:
        (row,) = await (await connection.execute("SELECT uid FROM silence")).fetchall()
        locked = await silences.lock(connection, row["uid"])
        assert locked is not None
        if locked["ended_at"] is not None:
            return None
        (silence,) = silences.readable([locked])
        book = await town.cache.read(connection)
        return await lifting.end(connection, silence, Ended.BY_HAND, None, NOW, book)

    return work


async def one_waits_for_the_other(town: Place, first: Work, second: Work) -> None:
    """The first has done its work and not committed yet when the second begins."""
    done, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(connection: Connection) -> None:
        await first(connection)
        done.set()
        await go_on.wait()

    slow = asyncio.create_task(town.run(slowly))
    await done.wait()
    fast = asyncio.create_task(town.run(second))
    while not await town.rows(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    ):
        assert not fast.done()
        await asyncio.sleep(0.02)
    go_on.set()
    await asyncio.gather(slow, fast)


@pytest.mark.parametrize("end_first", [True, False], ids=["the end first", "the alarm first"])
async def test_an_alarm_and_the_end_of_its_silence_at_once(migrated_url: str, end_first: bool) -> None:
    async with place(migrated_url) as town:
        home = town.homes[0]
        await silenced(town, home)
        alarm = does(town, await raised(town, home))
        await one_waits_for_the_other(town, *((lifts(town), alarm) if end_first else (alarm, lifts(town))))
        assert await town.rows("SELECT condition, closed_at FROM alert") == [
            {"condition": "button_pressed", "closed_at": None}
        ]
        assert len(await town.rows("SELECT 1 FROM held_back WHERE settled_at IS NULL")) == 0


async def test_a_device_that_is_well_again_while_its_silence_ends(migrated_url: str) -> None:
    """Its alert is raised by the end, and closed by the word that waited for it."""
    async with place(migrated_url) as town:
        home = town.homes[0]
        await silenced(town, home)
        low = replace(await raised(town, home, "battery_percent"), track=Track.TECHNICAL)
        await town.run(does(town, low))
        well = Clear(low.key, Evidence("heartbeat", NOW, NOW))
        await one_waits_for_the_other(town, lifts(town), does(town, well))
        assert [each["closed_at"] for each in await town.rows("SELECT closed_at FROM alert")] == [NOW]


async def test_a_silence_that_nobody_can_read_holds_back_nothing(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        home = town.homes[0]
        await silenced(town, home)
        await town.rows("ALTER TABLE silence DROP CONSTRAINT silence_track_check")
        await town.rows("UPDATE silence SET track = 'both'")
        await town.run(does(town, await raised(town, home)))
        assert len(await town.rows("SELECT 1 FROM alert")) == 1
