"""``make bench-store`` in small: what it generates is as it says, and it asks everything and prints what it promises."""

from __future__ import annotations

import json
import sys
from asyncio import create_subprocess_exec, subprocess
from collections import Counter
from datetime import datetime, timedelta

import pytest

from gateway.store.db import Connection
from tests.bench.months import BY_DAY, DAYS, NOW, Fitted, Months
from tests.bench.store import main, sizes
from tests.gateway.place import place

ASKED = ("resident_day", "device_month", "fleet", "activity", "alerts")


def test_the_months_are_full_in_order_and_livelier_by_day() -> None:
    months = Months(tuple(Fitted(n, 100 + n, "fall_alarm") for n in range(20)), 20_000, NOW)
    health, happened = list(months.health()), list(months.happened())
    assert (len(health), len(happened)) == (18_000, 2_000)
    assert happened == list(months.happened()), "the same seed, the same rows"
    for lines in (health, happened):
        rows = [line.rstrip("\n").split("\t") for line in lines]
        assert {len(row) for row in rows} == {10}
        times = [datetime.fromisoformat(row[7]) for row in rows]
        assert times == sorted(times)
        assert NOW - timedelta(days=DAYS) <= times[0] < times[-1] < NOW
        assert times[-1] - times[0] > timedelta(days=DAYS - 1)
        assert all(json.loads(row[9]) == {} or -102 < json.loads(row[9])["rssi"] < -54 for row in rows)
    assert {count for _, count in Counter(line.split("\t")[0] for line in health).items()} == {900}
    hours = Counter((datetime.fromisoformat(line.split("\t")[7]).hour + 1) % 24 for line in happened)
    assert hours[BY_DAY.index(max(BY_DAY))] > 4 * hours[2]


async def test_the_bench_asks_everything() -> None:
    process = await create_subprocess_exec(
        sys.executable, "-m", "tests.bench.store", "--rows=20000", "--times=2", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )  # fmt: skip
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
    told = out.decode()
    assert process.returncode == 0, told
    figures = json.loads(told.splitlines()[-1])
    assert (figures["rows"], figures["bytes_per_row"] > 50) == (20_000, True)
    assert "bytes_per_row_compressed" in figures
    assert figures["p95_ms"] == max(figures[f"{name}_p95_ms"] for name in ASKED) > 0


async def test_what_is_measured_of_all_rows_may_take_its_time(migrated_url: str) -> None:
    async with place(migrated_url, homes=1) as town:
        await town.rows(
            """INSERT INTO device_health (device_id, kind, message_class, type, occurred_at, received_at, flags, fields)
               SELECT 1, 'e_lock', 'status', 'heartbeat', now(), now(), '{}', '{}' FROM generate_series(1, 10)"""
        )

        async def long(connection: Connection) -> object:
            await sizes(connection)
            cursor = await connection.execute("SHOW statement_timeout")
            return (await cursor.fetchone() or {})["statement_timeout"]

        assert await town.database.apart(long) == "0"


def test_what_cannot_be_run_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--rows=0"])
    assert "'0' is not a whole number above 0" in capsys.readouterr().err
