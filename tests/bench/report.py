"""What was found, as a table for people and a line of JSON for programs; and what was measured where."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench.processors import Held
from tests.bench.stage import Looking, say

Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Aim:
    """``factor`` of another figure (``of``), or of one. ``least``: as much or more; else as much or less.

    ``under``: another figure, without whose aim this one says nothing."""

    factor: float
    least: bool = False
    of: str | None = None
    under: str | None = None

    def told(self) -> str:
        sign = "≥" if self.least else "≤"
        return f"{sign} {self.factor:g}" + (f" × {self.of}" if self.of else "")

    def is_met(self, value: float, figures: Figures) -> bool:
        """The other figure is there."""
        other = figures[self.of] if self.of else 1.0
        bound = self.factor * (other or 0.0)
        return value >= bound if self.least else value <= bound


AIMS: Mapping[str, Aim | None] = {
    "ingest_per_s": Aim(30_000, least=True),
    "ceiling_per_s": None,
    "ratio": Aim(0.45, least=True),
    "live_per_s": None,
    "node_red_per_s": None,
    "alarm_idle_p50_ms": None,
    "alarm_idle_p99_ms": Aim(50),
    "alarm_load_p99_ms": Aim(150, under="alarm_load_per_s"),
    "alarm_load_per_s": Aim(4_500, least=True),  # nine tenths of 5,000: beside less, the aim above says nothing
    "rss_mb": Aim(200),
    "ready_s": Aim(3),
    "lost": Aim(0),
    "duplicated": Aim(0),
}
COUNTED = ("lost", "duplicated")
"""What a leg that failed has not shown to be none."""
PEER = ("ingest_per_s", "node_red_per_s", Aim(1.25, least=True, of="node_red_per_s"))
"""Ours against the peer's, told in a line of its own."""


def table(figures: Figures, failed: Sequence[str] = ()) -> list[str]:
    """A line for each key, in the order of the aims; with what is aimed at and whether it was reached.

    A key that is in the figures and has none was asked for and not reached; one that is not in them was not asked for."""
    lines = [f"{'':<18} {'reached':>10}  aim"]
    for name, aim in AIMS.items():
        value = figures.get(name)
        shown = "–" if value is None else str(value)
        lines.append(f"{name:<18} {shown:>10}  {_judged(name, aim, figures, failed)}".rstrip())
    ours, peer, aim = PEER
    if figures.get(peer) is not None and figures.get(ours) is not None:
        lines.append(f"{'ours / Node-RED':<18} {_times(figures):>10}  {_judged(ours, aim, figures)}")
    return [*lines, f"FAILED: {', '.join(failed)}"] if failed else lines


def as_json(figures: Figures, failed: Sequence[str] = ()) -> str:
    """All keys, null where it was not measured; and the legs that failed."""
    return json.dumps({name: figures.get(name) for name in AIMS} | {"failed": list(failed)})


def machine(look: Looking, held: Held) -> list[str]:
    """What the figures belong to."""
    settings = ", ".join(f"{name} {look.text(f'SHOW {name}')}" for name in ("fsync", "synchronous_commit"))
    packages = ", ".join(f"{name} {version(name)}" for name in ("paho-mqtt", "aiomqtt", "psycopg"))
    return [
        f"{held.told()} ({_processor()}), load {os.getloadavg()[0]:.1f}, commit {commit()}",
        f"PostgreSQL {look.text('SHOW server_version')}: {settings}",
        f"Mosquitto {_mosquitto()}, Python {platform.python_version()}, {packages}",
    ]


def tell(figures: Figures, failed: Sequence[str]) -> None:
    for line in table(figures, failed):
        say(line)
    print(as_json(figures, failed), flush=True)


def _judged(name: str, aim: Aim | None, figures: Figures, failed: Sequence[str] = ()) -> str:
    if aim is None:
        return ""
    told = f"{aim.told()}  "
    if name not in figures:
        return told
    value, under = figures[name], AIMS.get(aim.under or "")
    if value is None or not aim.is_met(value, figures):
        return f"{told}not reached"
    if aim.under and under and not under.is_met(figures.get(aim.under) or 0, figures):
        return f"{told}not reached: {aim.under} is not"
    if name in COUNTED and failed:
        return f"{told}not shown: {', '.join(failed)} failed"
    return f"{told}reached"


def _times(figures: Figures) -> str:
    ours, peer = figures[PEER[0]], figures[PEER[1]]
    return f"{ours / peer:.2f}" if ours and peer else "–"


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", told.read_text()) if told.exists() else None
    return found[1].strip() if found else platform.machine()


def _mosquitto() -> str:
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    said = subprocess.run([program or "mosquitto", "-h"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"version (\S+)", said)
    return found[1] if found else "?"


def commit() -> str:
    """With a plus where files were changed since."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip() or "unknown"
