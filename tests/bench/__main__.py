"""``make bench``: what the gateway can take, and how fast an alarm is through. Everything is real, and on this machine.

| leg | what | keys |
|---|---|---|
| drain | a full queue is stored by the gateway, by ``mosquitto_sub`` into ``psql COPY``, by Node-RED | ``ingest_per_s ceiling_per_s ratio node_red_per_s`` |
| live | published as fast as it is stored | ``live_per_s`` |
| alarms | from publish to page, idle and with telemetry behind it | ``alarm_idle_p50_ms alarm_idle_p99_ms alarm_load_p99_ms`` |
| size | 100,000 devices: memory, and time until ready | ``rss_mb ready_s`` |

Every leg has a database and a broker of its own and is bounded in time; ``lost`` and ``duplicated`` count all of them. The figures
of two runs on a shared machine say little; the ratios of one run, and processor seconds a thousand messages, say something.
The last line is JSON. The exit code is 1 when a leg failed, or something was lost or doubled; docs/performance.md says more.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path

from gateway.embedded import EmbeddedPostgres
from gateway.seed import SITE
from tests.bench import drain, report
from tests.bench.alarms import Reached, alarms
from tests.bench.live import live
from tests.bench.load import messages, named
from tests.bench.size import size
from tests.bench.stage import Stage, looking, say

LEGS = ("drain", "node-red", "live", "alarms", "size")


class Bench:
    """A run: its legs one after the other, and what they found."""

    def __init__(self, arguments: argparse.Namespace, stage: Stage) -> None:
        self.figures: dict[str, float | None] = {}
        self.failed: list[str] = []
        self._arguments = arguments
        self._stage = stage

    async def run(self) -> None:
        legs: dict[str, Callable[[], Awaitable[None]]] = {
            "drain": self._drain,
            "node-red": self._node_red,
            "live": self._live,
            "alarms": self._alarms,
            "size": self._size,
        }
        for name in self._arguments.only:
            say(f"– {name}")
            try:
                async with asyncio.timeout(self._arguments.limit):
                    await legs[name]()
            except Exception as error:  # noqa: BLE001 - the other legs are worth their figures
                self.failed.append(name)
                late = f"not done within {self._arguments.limit:g} s"
                say(f"{name} FAILED: {late if isinstance(error, TimeoutError) else f'{type(error).__name__}: {error}'}")

    async def _drain(self) -> None:
        given = self._arguments
        said = list(islice(messages(SITE, named(given.devices)), given.messages))
        ours = await drain.by_the_gateway(self._stage, given.devices, said, given.profile)
        say(f"the gateway had {ours.rss_mb:.0f} MB at most")
        ceiling = await drain.by_the_ceiling(self._stage, said)
        self.figures["ingest_per_s"] = round(ours.per_second)
        self.figures["ceiling_per_s"] = round(ceiling.per_second)
        self.figures["ratio"] = round(ours.per_second / ceiling.per_second, 3)
        self._amiss(ours.lost, ours.duplicated)

    async def _node_red(self) -> None:
        said = list(islice(messages(SITE, named(self._arguments.devices)), self._arguments.messages))
        peer = await drain.by_node_red(self._stage, said)
        self.figures["node_red_per_s"] = round(peer.per_second) if peer else None

    async def _live(self) -> None:
        found = await live(self._stage, self._arguments.devices, self._arguments.seconds)
        self.figures["live_per_s"] = round(found.per_second)
        self._amiss(found.lost, found.duplicated)

    async def _alarms(self) -> None:
        given = self._arguments
        idle, loaded = await alarms(self._stage, given.devices, given.alarms, given.behind)
        say(_percentiles("idle", idle))
        say(_percentiles("with telemetry", loaded))
        self.figures["alarm_idle_p50_ms"] = round(idle.handed_ms(50), 1)
        self.figures["alarm_idle_p99_ms"] = round(idle.handed_ms(99), 1)
        self.figures["alarm_load_p99_ms"] = round(loaded.handed_ms(99), 1)
        self._amiss(idle.missing + loaded.missing, 0)

    async def _size(self) -> None:
        found = await size(self._stage, self._arguments.fitted, self._arguments.starts)
        self.figures["rss_mb"] = round(found.rss_mb)
        self.figures["ready_s"] = round(found.ready_s, 2)
        self._amiss(found.lost, found.duplicated)

    def _amiss(self, lost: int, duplicated: int) -> None:
        self.figures["lost"] = (self.figures.get("lost") or 0) + lost
        self.figures["duplicated"] = (self.figures.get("duplicated") or 0) + duplicated


def main(given: Sequence[str]) -> int:
    arguments = _arguments(given)
    if shutil.which("mosquitto_sub") is None:
        print("bench: mosquitto_sub is missing (Debian: apt-get install mosquitto-clients)", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="hjemmevakt-bench-"))
    try:
        with EmbeddedPostgres(folder / "postgres") as postgres:
            with looking(postgres.url) as look:
                for line in report.machine(look):
                    say(line)
            say(f"{arguments.devices} devices, {arguments.messages} messages, 1 % of them twice, 0.1 % alarms")
            bench = Bench(arguments, Stage(postgres, folder))
            asyncio.run(bench.run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.tell(bench.figures)
    return 1 if bench.failed or bench.figures.get("lost") or bench.figures.get("duplicated") else 0


def _percentiles(name: str, reached: Reached) -> str:
    handed, accepted = reached.handed, reached.accepted
    if not handed:
        return f"{name}: no page at all"
    return (
        f"{name}: {len(handed)} alarms, {reached.missing} without a page; publish → page at its channel: "
        f"p50 {reached.handed_ms(50):.0f}, p99 {reached.handed_ms(99):.0f}, longest {handed[-1]:.0f} ms; "
        f"accepted by the mail server: p50 {accepted[len(accepted) // 2]:.0f}, longest {accepted[-1]:.0f} ms"
    )


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "bench", description="What the gateway can take, and how fast an alarm is through."
    )
    parser.add_argument("--only", type=_legs, default=LEGS, metavar="LEGS", help=f"some of {','.join(LEGS)}")
    parser.add_argument("--messages", type=_count, default=200_000, help="in the queue that is drained")
    parser.add_argument("--devices", type=_count, default=20_000, help="that speak")
    parser.add_argument("--fitted", type=_count, default=100_000, help="devices of the leg size")
    parser.add_argument("--starts", type=_count, default=3, help="how often the time until ready is taken")
    parser.add_argument("--alarms", type=_count, default=300, help="one after the other, twice")
    parser.add_argument("--behind", type=_count, default=5_000, help="messages a second behind the second ones")
    parser.add_argument("--seconds", type=_count, default=20, help="of the leg live")
    parser.add_argument("--limit", type=_count, default=600, help="seconds that a leg may take")
    parser.add_argument("--profile", type=Path, help="a file for where the gateway's time went while it drained")
    return parser.parse_args(given)


def _legs(text: str) -> tuple[str, ...]:
    asked = text.split(",")
    unknown = [each for each in asked if each not in LEGS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no leg {unknown[0]!r}; there are {', '.join(LEGS)}")
    return tuple(each for each in LEGS if each in asked)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
