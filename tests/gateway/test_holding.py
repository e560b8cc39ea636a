"""What is held back while its silence ends at the same moment is not lost; what cannot be read holds back nothing; and one bad
thing stops nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from alerts.model import Clear, Evidence, Heard, Raise, Severity, Signal, Track
from alerts.silence import Kind
from alerts.silence_ends import Ended
from devices.dialects.native import encode
from devices.model import DeviceAddress, Lane, Message, MessageClass, Said
from gateway import canary, commanding, lifting
from gateway.batches import decode
from gateway.clock import ControlledClock
from gateway.engine import act
from gateway.store import duesilences, municipality, silences
from gateway.store.db import Connection
from gateway.store.silences import New
from gateway.timekeeper import Passed, Timekeeper
from tests.gateway.place import NOW, SITE, Home, Place, place

Work = Callable[[Connection], Awaitable[object]]
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def silenced(town: Place, home: Home, due: datetime = NOW) -> int:
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
    inner, _ = await town.run(lambda each: silences.add(each, new, NOW - timedelta(hours=1), due))
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
    while not await town.rows(WAITING):
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


async def passes(town: Place, at: datetime) -> Passed:
    """Everything that is due at a time."""
    keeper = Timekeeper(town.database, ControlledClock(at), town.cache, canary.Limits(timedelta(days=3), timedelta(0)))
    return await keeper.run_once()


async def test_one_thing_that_cannot_be_raised_keeps_nothing_else_back(migrated_url: str) -> None:
    """It is tried again until it can be; until then it is overdue, which turns /health red."""
    async with place(migrated_url) as town:
        home, later = town.homes[0], NOW + timedelta(days=1)
        await silenced(town, home)
        both = await raised(town, home), await raised(town, home, "battery_percent")
        await town.run(does(town, *both))
        await town.rows("UPDATE held_back SET evidence = '{}' WHERE condition = 'battery_percent'")
        assert (await passes(town, later)).silences == 1
        assert await town.rows("SELECT condition FROM alert WHERE rule_id IS NOT NULL") == [
            {"condition": "button_pressed"}
        ]
        assert (await passes(town, later + timedelta(hours=1))).silences == 0, "nothing was done"
        assert await town.run(lambda each: duesilences.oldest_overdue(each, later + timedelta(hours=2))) == later
        await town.rows(
            "UPDATE held_back SET evidence = h.evidence FROM held_back h WHERE h.evidence <> '{}' AND held_back.evidence = '{}'"
        )
        assert (await passes(town, later + timedelta(hours=2))).silences == 1
        assert len(await town.rows("SELECT 1 FROM alert WHERE rule_id IS NOT NULL")) == 2
        assert await town.run(lambda each: duesilences.oldest_overdue(each, later + timedelta(days=1))) is None


async def test_a_zone_whose_leads_cannot_be_told(migrated_url: str) -> None:
    """The others are; and it is tried again, and counts as nothing done."""
    async with place(migrated_url) as town:
        await silenced(town, town.homes[0], due=NOW + timedelta(days=1))
        for zone in (town.zones["Nord"], town.zones["Sør"]):
            await town.run(partial(duesilences.plan_summary, zone_id=zone, due_at=NOW))
        await town.raise_(town.raising(town.homes[0], key=f"silences_in_force:zone:{town.zones['Nord']}"))
        await town.rows("UPDATE alert SET cause = 'rubbish', due_at = %s", NOW + timedelta(days=2))
        assert (await passes(town, NOW)).silences == 1
        assert await town.rows("SELECT zone_id FROM silence_summary WHERE due_at = %s", NOW) == [
            {"zone_id": town.zones["Nord"]}
        ]
        assert (await passes(town, NOW)).silences == 0


async def test_an_alarm_waits_for_its_own_silence_alone(migrated_url: str) -> None:
    """At eight all silences are due: while one is looked at, what touches another goes on."""
    async with place(migrated_url, homes=2) as town:
        for home in town.homes:
            await silenced(town, home)
        first, second = await town.run(lambda each: duesilences.due(each, NOW, 0, 10))
        alarm = does(town, await raised(town, town.homes[1]))

        async def looked_at(connection: Connection) -> None:
            assert await lifting.pass_time(connection, first, NOW, await town.cache.read(connection)) == 1
            async with asyncio.timeout(60):
                await town.run(alarm)

        await town.run(looked_at)
        held = await town.rows("SELECT silence_id FROM held_back")
        assert held == [{"silence_id": second}]
        assert await town.run(lambda each: duesilences.due(each, NOW, first, 10)) == [second]


async def test_what_fails_hides_nothing_behind_it(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        one, two = [await silenced(town, home) for home in town.homes]
        assert await town.run(lambda each: duesilences.due(each, NOW, one, 1)) == [two]
        assert await town.run(lambda each: duesilences.due(each, NOW, two, 1)) == [one]


async def test_what_another_device_of_the_home_has_raised_meanwhile_is_not_raised_again(migrated_url: str) -> None:
    """Both say the same of a dwelling, and one of them is silenced: what it held back was dealt with."""
    async with place(migrated_url) as town:
        home = town.homes[0]
        await silenced(town, home)
        mine = await raised(town, home)
        other = replace(mine, subject=replace(mine.subject, device_id=None, installation_id=None))
        await town.run(does(town, mine))
        await town.run(does(town, other))
        (alert,) = await town.rows("SELECT id FROM alert")
        assert await town.rows("SELECT outcome, alert_id FROM held_back") == [
            {"outcome": "raised", "alert_id": alert["id"]}
        ]
        await town.run(does(town, Clear(mine.key, Evidence("heartbeat", NOW, NOW))))
        await town.run(lifts(town))
        assert len(await town.rows("SELECT 1 FROM alert")) == 1


async def test_what_a_lock_reports_takes_silences_before_alerts(migrated_url: str) -> None:
    """With a batch that raises something, too. Whoever ends the silence takes the alert after it, and finds it free."""
    async with place(migrated_url) as town:
        home = town.homes[0]
        again = await raised(town, home)
        await town.run(does(town, again))
        await silenced(town, home)
        said = await reported(town, home)

        async def hears(connection: Connection) -> None:
            book = await town.cache.read(connection)
            await commanding.hear(connection, [said], [again], NOW, book)
            await act(connection, [again], NOW, book)

        async def ends(connection: Connection) -> None:
            await connection.execute("SELECT 1 FROM silence FOR UPDATE")
            hearing = asyncio.create_task(town.run(hears))
            heard.append(hearing)
            while not await town.rows(WAITING):
                assert not hearing.done()
                await asyncio.sleep(0.02)
            await connection.execute("SELECT 1 FROM alert WHERE key = %s FOR UPDATE NOWAIT", (again.key,))

        heard: list[asyncio.Task[None]] = []
        await town.run(ends)
        (first,) = heard  # who meets somebody head on is tried again
        await first
        assert await town.rows("SELECT state FROM command") == [{"state": "done"}]


async def reported(town: Place, home: Home) -> Heard:
    """What an electronic lock says of a command that was sent to it."""
    address = DeviceAddress(SITE, "native", "lock-1")
    device = await town.run(partial(municipality.add_device, site=SITE, address="lock-1", kind="e_lock"))
    fitted = await town.run(lambda each: municipality.fit(each, device, home.dwelling, home.resident, "gang", NOW))
    (asked,) = await town.rows(
        """INSERT INTO command (uid, site_id, device_id, installation_id, alert_id, name, reason, requested_by_id, requested_at,
                                valid_until, state, due_at, sent_at)
           SELECT gen_random_uuid(), site_id, %s, %s, id, 'unlock', 'get_in', %s, raised_at, later, 'sent', later, raised_at
           FROM (SELECT *, raised_at + interval '1 minute' AS later FROM alert) a
           RETURNING uid""",
        device,
        fitted,
        town.staff["Nina"],
    )
    topic, payload = encode(
        address, "e_lock", "1", Said(NOW, MessageClass.RESULT, "unlocked", {"command": str(asked["uid"])})
    )
    (said,) = decode([Message(topic, payload, NOW)], Lane.ALARM).observed
    return Heard(said, replace(town.subject(home), device_id=device, installation_id=fitted))
