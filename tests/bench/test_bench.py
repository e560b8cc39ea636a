"""``make bench`` in small: it runs to its end, finds nothing lost and nothing doubled, and prints what it promises."""

import asyncio
import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from gateway.embedded import Broker, EmbeddedPostgres
from gateway.mqtt import BrokerSettings
from tests.bench import load, processors, profile, report
from tests.bench.__main__ import Bench, _arguments, main
from tests.bench.account import Accounts
from tests.bench.alarms import GIVE_UP, Reached
from tests.bench.stage import Stage, looking, peak_mb, until
from tests.bench.town import Town
from tests.support import parts, wire
from tests.support.databases import short_folder

SMALL = (
    "--messages=7000 --devices=600 --fitted=600 --alarms=2 --behind=200 --seconds=10 --starts=1 --limit=300 --still=5"
)
SIZE = {"rss_mb", "ready_s"}
"""The leg runs beside the ones that lose something: each start of a gateway takes seconds."""
MEASURED = set(report.AIMS) - {"node_red_per_s"} - SIZE


async def test_the_bench_runs_to_its_end_and_loses_nothing() -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    parts.program("mosquitto_sub (apt: mosquitto-clients)", "mosquitto_sub")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench", *SMALL.split(), "--only=drain,live,alarms",
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
    assert list(figures) == [*report.AIMS, "failed"]
    assert figures["failed"] == []
    assert figures["node_red_per_s"] is None
    drained_at_once = {"ingest_per_s", "ratio"}
    assert all(figures[name] is not None for name in drained_at_once | {"alarm_load_per_s"}), said
    assert all(figures[name] > 0 for name in MEASURED - drained_at_once - {"lost", "duplicated"}), said
    assert (figures["lost"], figures["duplicated"]) == (0, 0)
    assert "processors used" in said or "fewer than the 2 that the aims are for" in said


async def test_what_is_lost_doubled_or_never_a_page_is_told_and_the_legs_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts.program("Mosquitto (apt: mosquitto)", "mosquitto")
    parts.program("mosquitto_sub (apt: mosquitto-clients)", "mosquitto_sub")
    given = _arguments([*SMALL.split(), "--only=size,drain,alarms", "--messages=3000"])
    given.page_limit = 0.3
    with short_folder() as folder, EmbeddedPostgres(folder / "postgres", durable=False) as postgres:
        bench = Bench(given, Leaky(postgres, folder, Accounts(given.still)))
        await bench.run()
    report.tell(bench.figures, bench.failed)
    told = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.strip()}
    assert bench.failed == ["alarms"], told
    assert bench.code == 1
    assert told.count("LOST: 2, DUPLICATED: 1, of") == 2, told
    assert f"LOST: {2 + 2 * GIVE_UP}, DUPLICATED: 1, of" in told, "two messages of telemetry, and all the pages"
    assert lines["lost"] == [str(6 + 2 * GIVE_UP), "≤", "0", "not", "reached"]
    assert lines["duplicated"] == ["3", "≤", "0", "not", "reached"]
    assert lines["alarm_idle_p99_ms"] == ["–", "≤", "50", "not", "reached"]
    figures = json.loads(told.splitlines()[-1])
    assert (figures["lost"], figures["duplicated"], figures["failed"]) == (6 + 2 * GIVE_UP, 3, ["alarms"])
    assert figures["ingest_per_s"] is not None
    assert all(figures[name] > 0 for name in SIZE), told
    assert (figures["alarm_idle_p50_ms"], figures["alarm_idle_p99_ms"], figures["alarm_load_p99_ms"]) == (None,) * 3


class Leaky(Stage):
    """Its database drops two messages of each leg and keeps another one twice; and nobody can be paged."""

    async def town(self, devices: int, leg: str) -> tuple[Town, str]:
        town, url = await super().town(devices, leg)
        with looking(url) as look:
            look.run("DELETE FROM contact")
            look.run("CREATE FUNCTION leak() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
            for table in ("observation", "device_health"):
                look.run(
                    f"""CREATE FUNCTION twice_{table}() RETURNS trigger LANGUAGE plpgsql AS
                        'BEGIN INSERT INTO {table} SELECT NEW.*; RETURN NEW; END'"""
                )
                for does, which in (("leak", "-[79]$"), (f"twice_{table}", "-8$")):
                    look.run(
                        f"""CREATE TRIGGER {does} BEFORE INSERT ON {table} FOR EACH ROW
                            WHEN (NEW.message_id ~ '{which}' AND pg_trigger_depth() = 0) EXECUTE FUNCTION {does}()"""
                    )
        return town, url


def test_one_message_in_a_hundred_comes_again_at_once_or_when_it_is_long_stored() -> None:
    said = list(islice(load.messages("oslo", load.named(600)), 100_000))
    ids = [load._id(payload) for _, payload in said]
    first: dict[bytes, int] = {}
    apart = [at - first[each] for at, each in enumerate(ids) if first.setdefault(each, at) != at]
    behind = apart.count(1)
    assert 900 < len(apart) < 1_100
    assert 0.4 * len(apart) < behind < 0.6 * len(apart)
    assert all(load.LATER <= each < 1.05 * load.LATER for each in apart if each != 1)
    assert ids == [load._id(payload) for _, payload in islice(load.messages("oslo", load.named(600)), 100_000)]
    assert BrokerSettings("localhost", 1883).receive_maximum < load.LATER


async def test_a_loop_counts_what_it_says_twice_once(own_broker: Broker) -> None:
    once, twice = ((f"hv/v1/oslo/e_lock/{name}/event", f'{{"id":"{name}"}}'.encode()) for name in "ab")
    with (
        wire.Wire(own_broker.host, own_broker.port, "devices") as devices,
        wire.Wire(own_broker.host, own_broker.port, "gateway") as gateway,
    ):
        gateway.subscribe("hv/v1/oslo/+/+/event")
        loop = asyncio.to_thread(load.closed_loop, devices, "oslo", iter([twice, once, twice]), 1, 10.0, [])
        receipts = asyncio.create_task(asyncio.to_thread(_receipts, gateway, 3))
        told = await loop
        await receipts
    assert (told["distinct"], told["missing"]) == (2, 0)


def _receipts(gateway: wire.Wire, count: int) -> None:
    while count > 0 and (come := gateway.received(20)):
        heard = [packet for packet in come if packet.kind == wire.Kind.PUBLISH]
        gateway.publish((packet.topic.replace("/event", "/receipt"), packet.payload) for packet in heard)
        count -= len(heard)


def test_all_of_it_is_held_to_so_many_processors_and_who_is_started_is_too() -> None:
    child = "import os, sys; sys.stdout.write(str(os.sched_getaffinity(0)))"
    program = f"""if True:
        import subprocess, sys
        from tests.bench import processors
        print(set(processors.hold(1).used))
        print(subprocess.run([sys.executable, "-c", {child!r}], capture_output=True, text=True).stdout)"""
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    mine, childs = out.splitlines()
    assert mine == childs == f"{{{min(os.sched_getaffinity(0))}}}"


def test_two_processors_are_of_two_cores_and_the_head_says_how_many_are_used() -> None:
    in_pairs, alone = (lambda number: str(number // 2)), str
    assert processors.chosen(range(8), in_pairs, 2) == (0, 2)
    assert processors.chosen([3, 5, 6], alone, 2) == (3, 5)
    assert processors.chosen([4, 5], in_pairs, 2) == (4, 5), "one core, two threads"
    assert processors.chosen([1], alone, 2) == (1,)
    assert processors.Held((0, 2), 8).told() == "2 processors used, held to numbers 0 and 2 of 8"
    assert processors.Held((0, 1), 2).told() == "2 processors used"
    assert processors.Held((1,), 4).told().startswith("1 processor used, number 1, of 4: fewer than the 2")


def test_a_gateway_that_has_ended_is_told_as_such() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    with pytest.raises(ProcessLookupError, match=f"process {ended.pid} has ended by itself"):
        peak_mb(ended.pid)
    assert peak_mb(os.getpid()) > 10


async def test_the_first_row_is_waited_for_no_longer_than_said() -> None:
    async with asyncio.timeout(5):
        await until(lambda: False, every=0.01, seconds=0.1)


def test_a_broker_that_acknowledges_nothing_more_ends_the_publishing() -> None:
    class Mute(wire.Wire):
        def __init__(self) -> None:
            self.left = [3, 2, 0]

        def acknowledged(self, seconds: float = 30.0) -> int:
            return self.left.pop(0)

    with pytest.raises(ConnectionError, match="nothing for 30 s, 1 are missing"):
        load._acknowledged(Mute(), 6)


def test_an_alarm_without_a_page_took_for_ever() -> None:
    assert Reached([10.0, 20.0, 30.0], [], 0).handed_ms(99) == 30.0
    assert Reached([10.0, 20.0, 30.0], [], 1).handed_ms(50) == 30.0
    assert Reached([10.0, 20.0, 30.0], [], 1).handed_ms(99) is None
    assert Reached([], [], 0).handed_ms(50) is None


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
    assert lines["ready_s"] == "– ≤ 3", "it was not asked for"
    assert lines["alarm_idle_p99_ms"] == "50.0 ≤ 50 reached"
    assert lines["rss_mb"] == "201 ≤ 200 not reached"
    assert lines["ours"] == "/ Node-RED 1.25 ≥ 1.25 × node_red_per_s reached"
    assert json.loads(report.as_json(figures))["lost"] is None


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"alarm_load_p99_ms": 60.0, "alarm_load_per_s": 4_500}, "60.0 ≤ 150 reached"),
        ({"alarm_load_p99_ms": 60.0, "alarm_load_per_s": 4_499}, "60.0 ≤ 150 not reached: alarm_load_per_s is not"),
        ({"alarm_load_p99_ms": 60.0, "alarm_load_per_s": None}, "60.0 ≤ 150 not reached: alarm_load_per_s is not"),
        ({"alarm_load_p99_ms": None, "alarm_load_per_s": 5_000}, "– ≤ 150 not reached"),
    ],
)
def test_an_alarm_under_load_counts_where_there_was_load(figures: report.Figures, told: str) -> None:
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in report.table(figures)[1:]}
    assert lines["alarm_load_p99_ms"] == told
    assert json.loads(report.as_json(figures))["alarm_load_per_s"] == figures["alarm_load_per_s"]


def test_a_leg_that_failed_has_not_shown_that_nothing_is_lost() -> None:
    figures = {"ready_s": None, "lost": 0, "duplicated": 1}
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in report.table(figures, ["size"])[1:]}
    assert lines["ready_s"] == "– ≤ 3 not reached"
    assert lines["lost"] == "0 ≤ 0 not shown: size failed"
    assert lines["duplicated"] == "1 ≤ 0 not reached"
    assert lines["FAILED:"] == "size"
    assert json.loads(report.as_json(figures, ["size"]))["failed"] == ["size"]


def test_a_profile_counts_each_function_once_a_stack_and_no_idle_thread() -> None:
    lines = profile.tables(
        [
            "run (gateway/app.py:1);store (gateway/ingest.py:7);store (gateway/ingest.py:9) 2",
            "run (gateway/app.py:1);store (gateway/ingest.py:7);wait (asyncio/locks.py:9) 1",
            "run (gateway/app.py:2);send (paho/mqtt/client.py:4) 1",
            "main (gateway/cli.py:1);run (uvloop/loop.pyx:3) 4",
            "_bootstrap (threading.py:995);_worker (concurrent/futures/thread.py:81) 40",
        ]
    )
    assert [line for line in lines if line] == [
        "| of 8 samples | our module, with what others did for it |",
        "| ---: | --- |",
        "| 50.0% | the loop |",
        "| 37.5% | `gateway/ingest.py` |",
        "| 12.5% | `gateway/app.py` |",
        "| of 8 samples | package, own |",
        "| ---: | --- |",
        "| 62.5% | Python and its loop |",
        "| 25.0% | gateway |",
        "| 12.5% | paho |",
        "| of 8 samples | our function, with callees |",
        "| ---: | --- |",
        "| 50.0% | main (gateway/cli.py) |",
        "| 50.0% | run (gateway/app.py) |",
        "| 37.5% | store (gateway/ingest.py) |",
        "| of 8 samples | function, own |",
        "| ---: | --- |",
        "| 50.0% | run (uvloop/loop.pyx) |",
        "| 25.0% | store (gateway/ingest.py) |",
        "| 12.5% | send (paho/mqtt/client.py) |",
        "| 12.5% | wait (asyncio/locks.py) |",
    ]


def test_a_profile_has_a_heading_and_leaves_out_what_is_next_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "profile.md"
    with profile.Profile(1, None) as nothing:
        pass
    nothing.write("26 November 2026", "1 message.")
    seen = profile.Profile(1, path)
    seen._stacks = ["run (gateway/app.py:1) 1000", "wait (asyncio/locks.py:9) 4"]
    seen.write("26 November 2026, commit abc", "1 message.")
    assert path.read_text().startswith(
        "### 26 November 2026, commit abc\n\n1 message.\n\n| of 1004 samples | our module"
    )
    assert "none of ours" not in path.read_text()


@pytest.mark.parametrize("size", [0, 1, 121, 122, 123, 16_383, 70_000])
def test_packets_are_found_wherever_the_stream_is_cut(size: int) -> None:
    packet = wire._framed(0x30, wire._text("t") + b"x" * size)
    stream = packet + b"\x40\x02\x00\x07"
    for cut in {0, 1, 2, 3, 4, len(packet) - 1, len(packet), len(packet) + 1, len(stream)}:
        reader = wire.Reader()
        said, acknowledged = [*reader.feed(stream[:cut]), *reader.feed(stream[cut:])]
        assert (said.kind, said.topic, said.payload) == (wire.Kind.PUBLISH, "t", b"x" * size)
        assert (acknowledged.kind, acknowledged.packet_id) == (wire.Kind.PUBACK, 7)
