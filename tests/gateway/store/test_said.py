"""Queries over what devices said give the same on plain PostgreSQL and on TimescaleDB, and use the indexes that there are."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import errors

from alerts.replay import Deaf
from devices.model import Lane
from gateway import buckets, observing
from gateway.errors import Invalid
from gateway.store import history, said
from gateway.store.db import Connection
from gateway.store.said import Spot, Stretch, Wanted
from tests.gateway.place import NOW, Place, fall, heartbeat, place

OSLO = ZoneInfo("Europe/Oslo")
SPRING = datetime(2026, 3, 29, 12, tzinfo=OSLO)
AUTUMN = datetime(2026, 10, 25, 12, tzinfo=OSLO)
WHEN = Wanted(NOW - timedelta(days=3), NOW)
GENERATED = """
    WITH batch AS MATERIALIZED (
        SELECT nextval('said_id') AS id, h.device, h.installation, n, n %% 50 = 0 AS worn,
               %s::timestamptz - n * interval '1 minute' AS at
        FROM unnest(%s::bigint[], %s::bigint[]) AS h (device, installation), generate_series(1, %s) AS n),
    bytes AS (
        INSERT INTO raw_message SELECT id, device, at, convert_to(n || ', as it came', 'UTF8') FROM batch WHERE n %% 3 > 0),
    events AS (
        INSERT INTO observation SELECT id, device, installation, 'fall_alarm', 'event', 'worn', 'm' || n, at, at, '{}', '{}'
        FROM batch WHERE worn)
    INSERT INTO device_health
    SELECT id, device, installation, 'fall_alarm', 'status', 'heartbeat', 'm' || n, at, at, '{}',
           CASE WHEN n %% 7 = 0 THEN '{"battery": "?"}' ELSE jsonb_build_object('battery', n %% 100, 'rssi', -60) END
    FROM batch WHERE NOT worn"""


LISTING = f"""SELECT o.* FROM {said._OF} CROSS JOIN LATERAL (
    SELECT * FROM said o WHERE {said._MATCHES} ORDER BY o.received_at DESC, o.id DESC LIMIT 51) o"""


async def explained(connection: Connection, query: str, asked: dict[str, Any]) -> str:
    """How a query was run."""
    cursor = await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode(), asked)
    return json.dumps(await cursor.fetchone())


async def generate(town: Place, minutes: int) -> None:
    """A word a minute of every home, back from now; nearly all are heartbeats, and of some the bytes are gone."""
    devices, fittings = [each.device for each in town.homes], [each.installation for each in town.homes]
    await town.rows(GENERATED, NOW, devices, fittings, minutes)


async def answers(town: Place) -> str:
    """Everything that is asked of what was said, as text."""
    home = town.homes[0]
    (row,) = await town.rows("SELECT uid FROM device WHERE id = %s", home.device)
    (resident,) = await town.rows("SELECT uid FROM resident WHERE id = %s", home.resident)
    edges = buckets.edges(WHEN.since, WHEN.until, buckets.width("6h"), OSLO)

    async def ask(connection: Connection) -> list[Any]:
        device = await said.device_in(connection, row["uid"], [town.zones["Nord"]])
        whose = await said.resident_in(connection, resident["uid"], [town.zones["Nord"]])
        assert device is not None
        assert whose is not None
        of = device[1]
        newest = await said.listed(connection, of, WHEN, "newest", None, 3)
        behind = Spot(newest[-1]["received_at"], newest[-1]["id"])
        rare = Wanted(WHEN.since, WHEN.until, ["worn"], "event")
        return [
            newest,
            await said.listed(connection, of, WHEN, "newest", behind, 3),
            await said.listed(connection, of, WHEN, "oldest", behind, 3),
            await said.listed(connection, whose[1], rare, "oldest", None, 3),
            await said.counted(connection, of, WHEN, edges, 100),
            await said.measured(connection, of, WHEN, edges, "battery"),
            await history.signs_of_life(connection, [(home.device, 3600)], NOW - timedelta(hours=5)),
        ]

    found = await town.run(ask)
    hidden = {"device_uid", "fitting", "id"}
    plain = [[{k: v for k, v in each.items() if k not in hidden} if isinstance(each, dict) else each for each in part] if isinstance(part, list) else part for part in found]  # fmt: skip
    return json.dumps(plain, default=str, indent=1)


async def test_both_databases_answer_alike(plain_url: str, hypertable_url: str) -> None:
    async with place(plain_url, homes=2, size=1) as plain:
        await generate(plain, 4 * 24 * 60)
        expected = await answers(plain)
        assert json.loads(expected)[4][0]["count"] > 100
    async with place(hypertable_url, homes=2, size=1) as hypertable:
        await generate(hypertable, 4 * 24 * 60)
        (chunks,) = await hypertable.rows("SELECT count(*) AS n FROM show_chunks('device_health')")
        assert chunks["n"] >= 4
        assert (await answers(hypertable)).replace("+00:00", "") == expected.replace("+00:00", "")
        await hypertable.rows(
            "SELECT count(compress_chunk(c)) FROM show_chunks('device_health', older_than => %s) c", NOW
        )
        assert (await answers(hypertable)).replace("+00:00", "") == expected.replace("+00:00", "")
        home, day = hypertable.homes[0], Wanted(NOW - timedelta(days=2), NOW - timedelta(days=1))
        asked = {**said.stretched([Stretch(home.device, home.installation)]), **day.arguments}
        told = await hypertable.run(partial(explained, query=LISTING, asked=asked))
        assert len(set(re.findall(r'"Relation Name": "(_hyper_\w+)"', told))) <= 3, (
            "chunks out of bounds are not opened"
        )
        assert "Seq Scan" not in told


async def test_a_batch_is_stored_in_three_tables_under_one_id_each(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        home = town.homes[0]
        held, messages = await town.held(Lane.BULK), [heartbeat(home, "h1", NOW), heartbeat(home, "h2", NOW, rssi=-60)]
        await town.store(held, messages)
        await town.store(await town.held(), [fall(home, "f1")])
        rows = await town.rows(
            """SELECT 'observation' AS name, id, message_id FROM observation
               UNION ALL SELECT 'device_health', id, message_id FROM device_health
               UNION ALL SELECT 'raw', id, convert_from(raw, 'UTF8')::jsonb ->> 'id' FROM raw_message ORDER BY id, name"""
        )
        assert [(each["name"], each["message_id"]) for each in rows] == [
            *[("device_health", "h1"), ("raw", "h1")],
            *[("device_health", "h2"), ("raw", "h2")],
            *[("observation", "f1"), ("raw", "f1")],
        ]
        assert len({each["id"] for each in rows}) == 3
        for table, wrong in (("observation", "status"), ("device_health", "alarm")):
            assert await town.refuses(f"UPDATE {table} SET message_class = '{wrong}'", errors.CheckViolation)


async def test_nothing_is_read_but_what_the_device_said_then(migrated_url: str) -> None:
    """Of 100,000 rows."""
    async with place(migrated_url, homes=10) as town:
        await generate(town, 10_000)
        await town.rows("ANALYZE observation, device_health")
        home = town.homes[0]
        asked = {**said.stretched([Stretch(home.device, home.installation)]), **WHEN.arguments}

        for query in (
            LISTING,
            f"SELECT o.type, count(*) FROM {said._OF} JOIN said o ON {said._MATCHES} GROUP BY 1",
        ):
            told = await town.run(partial(explained, query=query, asked=asked))
            assert "observation_device" in told
            assert "device_health_device" in told
            assert "Seq Scan" not in told or "_hyper_" in told, "a chunk may be so small that it is read as a whole"
            assert most_rows(told) <= 3 * 24 * 60


def most_rows(plan: str) -> int:
    """The most that any step of a plan gave."""
    return max(int(float(each)) for each in re.findall(r'"Actual Rows": ([\d.]+)', plan))


@pytest.mark.parametrize(
    ("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (SPRING - timedelta(days=2), 24)], ids=["spring", "autumn", "usual"]
)
async def test_a_day_is_as_long_as_people_live_it(migrated_url: str, day: datetime, hours: int) -> None:
    midnight = day.replace(hour=0)
    edges = buckets.edges(midnight + timedelta(hours=1), midnight + timedelta(hours=30), buckets.width("1d"), OSLO)
    assert [each.astimezone(OSLO).strftime("%H:%M") for each in edges] == ["00:00"] * 3
    assert edges[1] - edges[0] == timedelta(hours=hours)
    async with place(migrated_url) as town:
        home = town.homes[0]
        moments = [edges[0], edges[1] - timedelta(microseconds=1), edges[1]]
        for at in moments:
            await town.rows(
                """INSERT INTO device_health (device_id, installation_id, kind, message_class, type, occurred_at, received_at,
                                              flags, fields)
                   VALUES (%s, %s, 'fall_alarm', 'status', 'heartbeat', %s, %s, '{}', '{}')""",
                home.device, home.installation, at, at,
            )  # fmt: skip
        wanted = Wanted(edges[0], edges[-1])
        of = [Stretch(home.device, home.installation)]
        rows = await town.run(lambda each: said.counted(each, of, wanted, edges, 10))
        assert [(each["bucket"], each["count"]) for each in rows] == [(0, 2), (1, 1)]
        quarter = buckets.edges(edges[0], edges[1], buckets.width("15m"), OSLO)
        assert len(quarter) == hours * 4 + 1


def test_widths_are_written_so() -> None:
    assert buckets.width("15m").about == timedelta(minutes=15)
    assert buckets.width("2d").about == timedelta(days=2)
    for wrong in ("", "0m", "1", "-1h", "1.5h", "32d", "1w", "1h ", "99999m"):
        with pytest.raises(Invalid):
            buckets.width(wrong)
    with pytest.raises(Invalid, match="more than 1000 buckets"):
        buckets.edges(NOW - timedelta(days=1), NOW, buckets.width("1m"), OSLO)


def test_silence_is_longer_than_the_contract_in_time_that_could_be_heard() -> None:
    hour = timedelta(hours=1)
    signs = [NOW, NOW + 1 * hour, NOW + 5 * hour, NOW + 6 * hour, NOW + 9 * hour]
    deaf = [Deaf(NOW + 7 * hour, NOW + 8.5 * hour)]
    (silent,) = observing.silences(signs, 2 * hour, deaf)
    assert (silent.since, silent.until) == (NOW + 1 * hour, NOW + 5 * hour)
    assert len(observing.silences(signs, 2 * hour, [])) == 2
