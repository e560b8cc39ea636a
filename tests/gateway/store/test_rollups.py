"""Rollups say the same on plain PostgreSQL and on TimescaleDB, outlive what they are made of, and forget whom they should."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.alert import Action, Arrived, Cause, Claim, Close, TimePassed
from alerts.model import Clear, Evidence
from gateway.engine import act, advance
from gateway.store import alerts as alert_store
from gateway.store import rollups
from gateway.store.counted import ROLLUPS
from gateway.store.db import Connection, Database
from gateway.store.migrate import migrate, migrations
from tests.gateway.place import NOW, Home, Place, place
from tests.support.timescale_server import forget_prepared, in_one_session

OSLO = ZoneInfo("Europe/Oslo")
SPRING = datetime(2026, 3, 29, tzinfo=OSLO)
"""The day that has 23 hours."""
SINCE, END = SPRING - timedelta(days=2), SPRING + timedelta(days=2, hours=10, minutes=30)
BETWEEN = SPRING + timedelta(days=1, hours=9, minutes=30), SPRING + timedelta(days=2, hours=4, minutes=30)
KEPT = timedelta(days=30)
BEATS = """
    INSERT INTO device_health (device_id, installation_id, kind, message_class, type, occurred_at, received_at, flags, fields)
    SELECT h.device, h.installation, 'fall_alarm', 'status', CASE WHEN n %% 40 = 0 THEN 'presence' ELSE 'heartbeat' END,
           at, at, CASE WHEN n %% 30 = 0 THEN '{retained}' ELSE '{}' END::text[],
           CASE WHEN n %% 40 = 0 THEN '{"online": false, "battery": 1}' WHEN n %% 7 = 0 THEN '{"battery": "?", "rssi": 1e300}'
                ELSE jsonb_build_object('battery', 100 - n %% 90, 'rssi', -60 - h.place) END
    FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS h (device, installation, place),
         generate_series(1, 1000) AS n, LATERAL (SELECT %s::timestamptz + n * interval '13 min' AS at) a WHERE at < %s"""
SAID = """
    INSERT INTO observation (device_id, installation_id, kind, message_class, type, occurred_at, received_at, flags, fields)
    SELECT h.device, CASE WHEN n %% 11 > 0 THEN h.installation END, 'fall_alarm', 'event',
           CASE WHEN n %% 3 = 0 THEN 'worn' ELSE 'not_worn' END, at, at, '{}', '{}'
    FROM unnest(%s::bigint[], %s::bigint[]) AS h (device, installation), generate_series(1, 1000) AS n,
         LATERAL (SELECT %s::timestamptz + n * interval '37 min' AS at) a WHERE at < %s"""
FACTS = """
    INSERT INTO alert_fact (raised_at, closed_at, zone_id, condition, kind, severity, track, cause, answer_seconds,
                            on_site_seconds, close_seconds)
    SELECT at, at + interval '1 hour', %s, 'fall', 'fall_alarm', 40, 'care', CASE WHEN n %% 3 > 0 THEN 'false_by_user' END,
           CASE WHEN n %% 3 > 0 THEN n END, CASE WHEN n %% 4 = 0 THEN n * 20 END, n * 30
    FROM generate_series(1, 100) AS n,
         LATERAL (SELECT date_trunc('hour', %s::timestamptz + n * interval '1 hour', 'UTC') AS at) a"""


async def fill(town: Place, since: datetime = SINCE, until: datetime = END) -> None:
    devices, fittings = [each.device for each in town.homes], [each.installation for each in town.homes]
    await town.rows(BEATS, devices, fittings, since, until)
    await town.rows(SAID, devices, fittings, since, until)
    await town.rows(FACTS, town.zones["Nord"], since)


async def reckon(town: Place, now: datetime, kept_for: timedelta = KEPT) -> int:
    return await town.database.apart(lambda each: rollups.refresh(each, now, rollups.Kept.alike(kept_for)))


async def told(town: Place) -> dict[str, list[tuple[Any, ...]]]:
    """All that the rollups say, in order."""
    found = {}
    for each in ROLLUPS:
        columns = ("bucket", *each.key, *each.values)
        rows = await town.rows(f"SELECT {', '.join(columns)} FROM {each.name}")
        plain = [
            tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row.values())
            for row in rows
        ]
        found[each.name] = sorted(plain, key=repr)
    return found


async def story(town: Place, *, live: bool) -> list[dict[str, list[tuple[Any, ...]]]]:
    """What is told after each step of a rollup's life; the same on both."""
    await fill(town)
    assert await town.run(rollups.is_live) == live
    assert await reckon(town, SPRING + timedelta(hours=5)) == len(ROLLUPS)
    half = await told(town)
    assert await reckon(town, END) == len(ROLLUPS)
    whole = await told(town)
    assert await reckon(town, END) == 0, "nothing has ended since"

    # A row that came late, and an alert of weeks ago that is closed now.
    late = END - timedelta(minutes=40)
    await town.rows(
        SAID,
        [town.homes[0].device],
        [town.homes[0].installation],
        late - timedelta(minutes=37),
        late + timedelta(minutes=1),
    )
    await town.rows(
        FACTS.replace("+ interval '1 hour'", "+ interval '21 days'"), town.zones["Sør"], END - timedelta(days=21)
    )
    await reckon(town, END + timedelta(hours=1))
    later = await told(town)

    # What was said is dropped, and reckoning goes on.
    gone = SPRING.astimezone(UTC).replace(hour=0) + timedelta(days=1)
    for table in ("device_health", "observation"):
        drop = (
            f"SELECT drop_chunks('{table}', %s::timestamptz)" if live else f"DELETE FROM {table} WHERE received_at < %s"
        )
        await town.rows(drop, gone)
    await fill(town, END + timedelta(hours=1), END + timedelta(hours=3))
    await reckon(town, gone + timedelta(days=3), timedelta(days=3) - timedelta(hours=1))
    dropped = await told(town)

    # Somebody is forgotten: nothing of their fitting is told any more, also not after the next time.
    forgotten = town.homes[1].installation
    for table in ("device_health", "observation"):
        await town.rows(f"DELETE FROM {table} WHERE installation_id = %s", forgotten)
    assert await forget(town, town.homes[1]) > 100
    await reckon(town, gone + timedelta(days=4), timedelta(days=3) - timedelta(hours=1))
    without = await told(town)

    # Somebody lived between two others, and from one half hour to another what their devices said goes.
    for table in ("device_health", "observation"):
        query = f"DELETE FROM {table} WHERE device_id = %s AND received_at >= %s AND received_at < %s"
        await town.rows(query, town.homes[2].device, *BETWEEN)
    assert await forget(town, town.homes[2], *BETWEEN) > 20
    between = await told(town)
    await reckon(town, gone + timedelta(days=5), timedelta(days=3) - timedelta(hours=1))
    after = await told(town)
    for each in ROLLUPS:
        if each.personal:  # days as whole chunks, hours with a part of one
            await prune(town, each.name, SPRING + timedelta(days=365) if each.daily else SPRING)
    return [half, whole, later, dropped, without, between, after, await told(town)]


async def forget(town: Place, home: Home, since: datetime | None = None, until: datetime | None = None) -> int:
    return await town.run(lambda each: rollups.forget_between(each, home.device, home.installation, since, until))


async def prune(town: Place, name: str, before: datetime) -> None:
    while await town.run(lambda each: rollups.prune(each, name, before)):
        pass


async def test_both_databases_tell_the_same(plain_url: str, hypertable_url: str) -> None:
    async with place(plain_url, homes=3) as town:
        plain = await story(town, live=False)
        forgotten, device, third = town.homes[1].installation, town.homes[0].device, town.homes[2].installation
    half, whole, later, dropped, without, between, after, pruned = plain

    # It is what was said.
    assert {row[0] for row in half["device_health_daily"]} == {
        (SPRING - timedelta(days=n)).astimezone(UTC) for n in (1, 2)
    }
    (long,) = [row for row in whole["device_health_daily"] if row[:2] == (SPRING.astimezone(UTC), device)]
    beats = [
        row
        for row in whole["device_health_hourly"]
        if row[1] == device and row[0].astimezone(OSLO).date() == SPRING.date()
    ]
    assert len({row[0] for row in beats}) == 23, "a short day"
    assert long[3] == sum(row[3] for row in beats)
    assert 0 < long[4] < 100
    assert long[6] == -61, "what no radio can be is no radio strength"
    assert all(row[1] is not None for row in whole["activity_hourly"])
    assert sum(row[4] for row in whole["zone_activity_hourly"]) == sum(row[4] for row in whole["activity_hourly"])
    assert sum(row[7] for row in whole["alert_daily"]) < sum(row[7] for row in whole["alert_hourly"]) <= 100
    assert max(row[0] for row in whole["activity_hourly"]) < END - timedelta(minutes=30)

    # What came late is counted, what was dropped is not forgotten, and whoever is forgotten is.
    assert sum(row[4] for row in later["activity_hourly"]) > sum(row[4] for row in whole["activity_hourly"])
    assert sum(row[7] for row in later["alert_daily"]) > sum(row[7] for row in whole["alert_daily"]) + 90
    for name, rows in later.items():
        assert not [row for row in rows if row not in dropped[name] and row[0] < END - timedelta(hours=1)], name
    assert len(dropped["activity_hourly"]) > len(later["activity_hourly"])
    for name in ("device_health_hourly", "device_health_daily"):
        assert forgotten in {row[2] for row in dropped[name]}
        assert forgotten not in {row[2] for row in without[name]}
    assert forgotten not in {row[1] for row in without["activity_hourly"] + without["activity_daily"]}
    assert [row for row in dropped["activity_hourly"] if row[1] != forgotten] == without["activity_hourly"]
    for name in ("device_health_hourly", "activity_hourly", "device_health_daily", "activity_daily"):
        others_before, others = ([row for row in rows[name] if third not in row[1:3]] for rows in (without, between))
        assert others == others_before, name
        had, has = ({row[0]: row for row in rows[name] if third in row[1:3]} for rows in (without, between))
        begin, end = (each.astimezone(UTC).replace(minute=0) for each in BETWEEN)
        if name == "device_health_hourly":  # a beat every 13 minutes
            assert [each for each in had if each not in has] == [each for each in had if begin < each < end]
            assert all(0 < has[each][3] < had[each][3] for each in (begin, end)), "counted anew"
        if name.endswith("daily"):
            assert has.keys() == had.keys(), "others lived there on the days of both ends"
            assert len([each for each in had if has[each] != had[each]]) == 2
    for name, rows in after.items():
        assert [row for row in rows if row in between[name]] == between[name] or name.startswith("zone"), name
    for each in ROLLUPS:
        young = [row for row in after[each.name] if not each.personal or (row[0] >= SPRING and not each.daily)]
        assert pruned[each.name] == young

    async with place(hypertable_url, homes=3, size=1) as town:
        for number, (here, there) in enumerate(zip(plain, await story(town, live=True), strict=True)):
            for name, rows in here.items():  # a zone's total has the forgotten in it, or not: it is nobody's data
                assert there[name] == rows or (number > 3 and name.startswith("zone")), (number, name)


async def test_a_plain_database_that_is_converted_tells_what_it_told(timescale_url: str) -> None:
    """What was kept stays, also where raw data is gone, and reckoning goes on where it stood."""
    every = in_one_session(migrations())
    await migrate(timescale_url, [each for each in every if each.requires is None])
    forget_prepared(timescale_url)
    async with place(timescale_url, homes=2, size=1) as town:
        await fill(town)
        await reckon(town, END)
        before = await told(town)
        await town.rows("DELETE FROM observation WHERE received_at < %s", SPRING)
        await town.rows("DELETE FROM device_health WHERE received_at < %s", SPRING)
    await migrate(timescale_url, every)
    forget_prepared(timescale_url)
    town = replace(town, database=Database(timescale_url, 1))
    await town.database.open()
    try:
        assert await town.run(rollups.is_live)
        await reckon(town, END, timedelta(days=1))
        assert await told(town) == before
        await fill(town, END, END + timedelta(days=2))
        await reckon(town, END + timedelta(days=2))
        after = await told(town)
        for name, rows in before.items():
            days = SPRING + timedelta(days=2) if name.endswith("daily") else END - timedelta(hours=1)
            assert [row for row in after[name] if row[0] < days] == rows, name
            assert len(after[name]) > len(rows)
        assert await forget(town, town.homes[0]) > 100
        assert town.homes[0].device not in {row[1] for row in (await told(town))["device_health_daily"]}
    finally:
        await town.database.close()


async def test_what_became_of_an_alert_is_noted_when_it_is_closed(migrated_url: str) -> None:
    """Once, and with nothing of whom it was about."""
    async with place(migrated_url, homes=2) as town:
        one, other = town.homes
        await town.raise_(town.raising(one), town.raising(other))
        book = await town.run(town.cache.read)
        nina = town.staff["Nina"]

        async def answered(connection: Connection) -> None:
            stored = (await alert_store.lock_open(connection, [town.raising(one).key]))[town.raising(one).key]
            for event, after in (
                (Claim(nina), 40),
                (Arrived(nina), 900),
                (Close(nina, Cause.REAL, Action.VISITED), 1800),
                (TimePassed(), 1805),
            ):
                at = NOW + timedelta(seconds=after)
                _, stored, _ = await advance(connection, stored, event, at, book)
                assert (await town_facts(connection) != []) == (after == 1805)

        await town.run(answered)
        over = Evidence("over", NOW, NOW + timedelta(hours=3))
        await town.run(lambda each: act(each, [Clear(town.raising(other).key, over)], NOW + timedelta(hours=3), book))
        found = await town.run(town_facts)
        hour = NOW.replace(minute=0)
        common = {"raised_at": hour, "zone_id": town.zones["Nord"], "condition": "fall", "vkp_code": "4.1",
                  "kind": "fall_alarm", "severity": 40, "track": "care"}  # fmt: skip
        assert found == [
            {**common, "closed_at": hour, "cause": "real", "answer_seconds": 40, "on_site_seconds": 900, "close_seconds": 1805,
             "cause_code": None, "action": "visited", "action_code": "9"},
            {**common, "closed_at": hour + timedelta(hours=3), "cause": None, "answer_seconds": None, "on_site_seconds": None,
             "close_seconds": 10_800, "cause_code": None, "action": None, "action_code": None},
        ]  # fmt: skip


async def town_facts(connection: Connection) -> list[dict[str, Any]]:
    cursor = await connection.execute("SELECT * FROM alert_fact ORDER BY close_seconds")
    return await cursor.fetchall()


async def test_one_reckons_at_a_time(migrated_url: str) -> None:
    async with place(migrated_url, homes=1) as town, town.database.connection() as other:
        await fill(town)
        await other.execute("SELECT pg_advisory_xact_lock(%s)", (rollups.LOCK,))
        assert await reckon(town, END) == 0
        await other.rollback()
        assert await reckon(town, END) == len(ROLLUPS)


async def waiting(town: Place, many: int) -> None:
    """Until so many connections wait for a lock."""
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(20):
        while len(await town.rows(query)) < many:
            await asyncio.sleep(0.02)


async def test_whoever_is_to_be_erased_waits_for_a_window_and_not_for_all(migrated_url: str) -> None:
    async with place(migrated_url, homes=1) as town, town.database.connection() as other:
        await fill(town)
        await other.execute("SELECT 1 FROM rollup FOR UPDATE")
        reckoning = asyncio.create_task(reckon(town, END))
        await waiting(town, 1)
        erasing = asyncio.create_task(forget(town, town.homes[0], END))
        await waiting(town, 2)
        await other.rollback()
        assert await erasing == 0
        assert await reckoning == 0, "it has given way"
        hours = "SELECT DISTINCT bucket FROM device_health_hourly"
        assert len(await town.rows(hours)) == 24, "the window that was begun"
        assert await reckon(town, END) == len(ROLLUPS)
        assert await reckon(town, END) == 0
        assert len(await town.rows(hours)) > 90


async def test_once_there_are_continuous_aggregates_nothing_is_filled_beside_them(migrated_url: str) -> None:
    """`migrate` makes them beside a gateway that has just begun to count."""
    async with place(migrated_url, homes=1) as town, town.database.connection() as migration:
        await fill(town)
        await migration.execute("UPDATE rollup SET live_since = NULL")
        await migration.execute("CREATE TABLE alert_hourly_live ()")
        reckoning = asyncio.create_task(reckon(town, END))
        await waiting(town, 1)
        await migration.commit()
        assert await reckoning == 0
        assert await town.rows("SELECT 1 FROM device_health_hourly_kept") == []
        assert await town.rows("SELECT 1 FROM rollup WHERE reckoned_until IS NOT NULL") == []
