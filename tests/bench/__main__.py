"""``make bench``: what the gateway can take, and how fast an alarm is through. Everything is real, and on this machine.

| leg | what | keys |
|---|---|---|
| drain | a full queue is stored by the gateway, by ``mosquitto_sub`` into ``psql COPY``, by Node-RED | ``ingest_per_s ceiling_per_s ratio node_red_per_s`` |
| live | published as fast as it is stored | ``live_per_s`` |
| alarms | from publish to page, idle and with telemetry behind it | ``alarm_idle_p50_ms alarm_idle_p99_ms alarm_load_p99_ms alarm_load_per_s`` |
| size | 100,000 devices: memory, and time until ready | ``rss_mb ready_s`` |

Every leg has a database and a broker of its own and is bounded in time; ``lost`` and ``duplicated`` count all of them, also those
that failed. All of it runs on two processors. The figures of two runs on a shared machine say little; the ratios of one run, and
processor seconds a thousand messages, say something.
The last line is JSON. The exit code is 1 when a leg failed, or something was lost or doubled; docs/performance.md says more.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from gateway.embedded import EmbeddedPostgres
from gateway.seed import SITE
from tests.bench import drain, processors, report
from tests.bench.account import Accounts
from tests.bench.alarms import Reached, alarms
from tests.bench.live import live
from tests.bench.load import messages, named
from tests.bench.size import size
from tests.bench.stage import Stage, looking, say

KEYS: Mapping[str, tuple[str, ...]] = {
    "drain": ("ingest_per_s", "ceiling_per_s", "ratio", *report.COUNTED),
    "node-red": ("node_red_per_s",),
    "live": ("live_per_s", *report.COUNTED),
    "alarms": ("alarm_idle_p50_ms", "alarm_idle_p99_ms", "alarm_load_p99_ms", "alarm_load_per_s", *report.COUNTED),
    "size": ("rss_mb", "ready_s", *report.COUNTED),
}
LEGS = tuple(KEYS)


class Bench:
    """A run: its legs one after the other, and what they found."""

    def __init__(self, arguments: argparse.Namespace, stage: Stage) -> None:
        self.figures: dict[str, float | None] = {key: None for leg in arguments.only for key in KEYS[leg]}
        self.failed: list[str] = []
        self._arguments = arguments
        self._stage = stage

    @property
    def code(self) -> int:
        """For the shell: 1 when a leg failed, or something was lost or doubled."""
        return 1 if self.failed or any(self.figures.get(key) for key in report.COUNTED) else 0

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
            if report.COUNTED[0] in KEYS[name]:
                accounts = self._stage.accounts
                self.figures |= zip(report.COUNTED, (accounts.lost, accounts.duplicated), strict=True)

    async def _drain(self) -> None:
        given = self._arguments
        said = list(islice(messages(SITE, named(given.devices)), given.messages))
        ours = await drain.by_the_gateway(self._stage, given.devices, said, given.profile)
        say(f"the gateway had {ours.rss_mb:.0f} MB at most")
        self.figures["ingest_per_s"] = round(ours.per_second)
        ceiling = await drain.by_the_ceiling(self._stage, said)
        self.figures["ceiling_per_s"] = round(ceiling.per_second)
        self.figures["ratio"] = round(ours.per_second / ceiling.per_second, 3)

    async def _node_red(self) -> None:
        said = list(islice(messages(SITE, named(self._arguments.devices)), self._arguments.messages))
        peer = await drain.by_node_red(self._stage, said)
        self.figures["node_red_per_s"] = round(peer.per_second) if peer else None

    async def _live(self) -> None:
        found = await live(self._stage, self._arguments.devices, self._arguments.seconds)
        self.figures["live_per_s"] = round(found.per_second)

    async def _alarms(self) -> None:
        given = self._arguments
        found = await alarms(self._stage, given.devices, given.alarms, given.behind, given.page_limit)
        say(_percentiles("idle", found.idle))
        say(_percentiles("with telemetry", found.loaded))
        self.figures["alarm_idle_p50_ms"] = _rounded(found.idle.handed_ms(50))
        self.figures["alarm_idle_p99_ms"] = _rounded(found.idle.handed_ms(99))
        self.figures["alarm_load_p99_ms"] = _rounded(found.loaded.handed_ms(99))
        self.figures["alarm_load_per_s"] = round(found.behind_per_s)
        if found.idle.handed_ms(99) is None or found.loaded.handed_ms(99) is None:
            raise RuntimeError(
                f"without a page: {found.idle.missing} alarms, and {found.loaded.missing} with telemetry"
            )

    async def _size(self) -> None:
        found = await size(self._stage, self._arguments.fitted, self._arguments.starts)
        self.figures["rss_mb"] = round(found.rss_mb)
        self.figures["ready_s"] = round(found.ready_s, 2)


def main(given: Sequence[str]) -> int:
    arguments = _arguments(given)
    if shutil.which("mosquitto_sub") is None:
        print("bench: mosquitto_sub is missing (Debian: apt-get install mosquitto-clients)", file=sys.stderr)
        return 2
    held = processors.hold()
    folder = Path(tempfile.mkdtemp(prefix="hjemmevakt-bench-"))
    try:
        with EmbeddedPostgres(folder / "postgres") as postgres:
            with looking(postgres.url) as look:
                for line in report.machine(look, held):
                    say(line)
            say(f"{arguments.devices} devices, {arguments.messages} messages, 1 % of them twice, 0.1 % alarms")
            bench = Bench(arguments, Stage(postgres, folder, Accounts(arguments.still)))
            asyncio.run(bench.run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.tell(bench.figures, bench.failed)
    return bench.code


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def _percentiles(name: str, reached: Reached) -> str:
    handed, accepted = reached.handed, reached.accepted
    if not handed:
        return f"{name}: no page at all"
    p50, p99 = (_rounded(reached.handed_ms(percent)) for percent in (50, 99))
    return (
        f"{name}: {len(handed)} alarms, {reached.missing} more without a page; publish → page at its channel: "
        f"p50 {p50 or '–'}, p99 {p99 or '–'}, longest {handed[-1]:.0f} ms; "
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
    parser.add_argument("--page-limit", type=_count, default=10, help="seconds after which an alarm's page is missing")
    parser.add_argument("--seconds", type=_count, default=20, help="of the leg live")
    parser.add_argument("--limit", type=_count, default=600, help="seconds that a leg may take")
    parser.add_argument("--still", type=_count, default=5, help="seconds after which nothing moves any more")
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
