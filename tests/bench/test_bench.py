"""``make bench`` in small: it runs to its end, finds nothing lost and nothing doubled, and prints what it promises."""

import asyncio
import json
import sys

import pytest

from tests.bench import profile, report
from tests.bench.__main__ import main
from tests.support import parts, wire

SMALL = "--messages=2000 --devices=600 --fitted=600 --alarms=2 --behind=200 --seconds=1 --starts=1 --limit=90"
MEASURED = set(report.AIMS) - {"node_red_per_s"}


@pytest.mark.timeout(300)
async def test_the_bench_runs_to_its_end_and_loses_nothing() -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    parts.program("mosquitto_sub (apt: mosquitto-clients)", "mosquitto_sub")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench", *SMALL.split(), "--only=size,drain,live,alarms",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
    said = out.decode()
    assert process.returncode == 0, said
    assert "fsync on, synchronous_commit on" in said
    assert "CPU seconds a thousand messages" in said
    figures = json.loads(said.splitlines()[-1])
    assert list(figures) == list(report.AIMS)
    assert figures["node_red_per_s"] is None
    assert all(figures[name] > 0 for name in MEASURED - {"lost", "duplicated"}), said
    assert (figures["lost"], figures["duplicated"]) == (0, 0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only=drain,nothing"], "there is no leg 'nothing'; there are drain, node-red, live, alarms, size"),
        (["--messages=0"], "'0' is not a whole number above 0"),
        (["--alarms=many"], "'many' is not a whole number above 0"),
    ],
)
def test_what_cannot_be_run_is_told_at_once(options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(options)
    assert told in capsys.readouterr().err


def test_the_table_tells_what_was_aimed_at_and_whether_it_was_reached() -> None:
    figures = {
        "ingest_per_s": 30_000,
        "ratio": 0.449,
        "node_red_per_s": 24_000,
        "alarm_idle_p99_ms": 50.0,
        "rss_mb": 201,
    }
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in report.table(figures)[1:]}
    assert lines["ingest_per_s"] == "30000 ≥ 30000 reached"
    assert lines["ratio"] == "0.449 ≥ 0.45 not reached"
    assert lines["node_red_per_s"] == "24000"
    assert lines["ready_s"] == "– ≤ 3"
    assert lines["alarm_idle_p99_ms"] == "50.0 ≤ 50 reached"
    assert lines["rss_mb"] == "201 ≤ 200 not reached"
    assert lines["ours"] == "/ Node-RED 1.25 ≥ 1.25 × node_red_per_s reached"
    assert json.loads(report.as_json(figures))["lost"] is None


def test_a_profile_counts_each_function_once_a_stack_and_no_idle_thread() -> None:
    lines = profile.table(
        [
            "run (gateway/app.py:1);store (gateway/ingest.py:7);store (gateway/ingest.py:9) 2",
            "run (gateway/app.py:1);store (gateway/ingest.py:7);wait (asyncio/locks.py:9) 1",
            "run (gateway/app.py:2);send (paho/mqtt/client.py:4) 1",
            "_bootstrap (threading.py:995);_worker (concurrent/futures/thread.py:81) 40",
        ]
    )
    assert [line for line in lines if line] == [
        "4 samples",
        "own, by package",
        "  50.0%  gateway",
        "  25.0%  Python and its loop",
        "  25.0%  paho",
        "with callees: our functions",
        " 100.0%  run (gateway/app.py)",
        "  75.0%  store (gateway/ingest.py)",
        "own, by function",
        "  50.0%  store (gateway/ingest.py)",
        "  25.0%  send (paho/mqtt/client.py)",
        "  25.0%  wait (asyncio/locks.py)",
    ]


@pytest.mark.parametrize("size", [0, 1, 121, 122, 123, 16_383, 70_000])
def test_packets_are_found_wherever_the_stream_is_cut(size: int) -> None:
    packet = wire._framed(0x30, wire._text("t") + b"x" * size)
    stream = packet + b"\x40\x02\x00\x07"
    for cut in {0, 1, 2, 3, 4, len(packet) - 1, len(packet), len(packet) + 1, len(stream)}:
        reader = wire.Reader()
        said, acknowledged = [*reader.feed(stream[:cut]), *reader.feed(stream[cut:])]
        assert (said.kind, said.topic, said.payload) == (wire.Kind.PUBLISH, "t", b"x" * size)
        assert (acknowledged.kind, acknowledged.packet_id) == (wire.Kind.PUBACK, 7)
