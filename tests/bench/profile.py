"""Where a process' time goes, seen from outside: py-spy looks a hundred times a second, and tables count what it saw. They are
Markdown, with a heading that says what was looked at and when: the first one goes into docs/performance.md as it is.

``own``: the function itself was running. ``with callees``: it, or what it called. A module of ours has whatever is done for it by
others: each sample belongs to the innermost of ours. Threads that wait are not counted. To be looked at costs the process some
percent: figures of such a run are not compared with others.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

ROWS = 40
COMMAND = "gateway/cli.py"
"""What runs the loop: where nothing else is ours, the loop does its own work."""
LEAST = 0.005
"""A share; what is less is not told."""
OURS = ("gateway", "alerts", "devices")
STANDARD = (
    "asyncio",
    "uvloop",
    "concurrent",
    "json",
    "email",
    "logging",
    "importlib",
    "zoneinfo",
    "collections",
    "encodings",
)
IDLE = "_worker (concurrent/futures/thread.py"
"""A thread of the pool that has nothing to do: py-spy takes it for a busy one."""


class Profile:
    """Looks at a process within the block, and writes tables into a file afterwards. None: does nothing."""

    def __init__(self, pid: int, path: Path | None) -> None:
        self._pid = pid
        self._path = path
        self._looking: subprocess.Popen[bytes] | None = None
        self._stacks: list[str] = []

    def __enter__(self) -> Self:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._looking = subprocess.Popen(
                [_program(), "record", "--pid", str(self._pid), "--format", "raw", "--rate", "100",
                 "--output", str(self._raw)],
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._looking.send_signal(signal.SIGINT)
            self._looking.wait(30)
            self._stacks = self._raw.read_text().splitlines()
            self._raw.unlink()

    def write(self, heading: str, what: str) -> None:
        """``heading``: when, and of which code. ``what`` was looked at."""
        if self._path is not None:
            self._path.write_text("\n".join([f"### {heading}", "", what, *tables(self._stacks)]) + "\n")
            print(f"  where the gateway's time went: {self._path}", flush=True)

    @property
    def _raw(self) -> Path:
        assert self._path is not None
        return self._path.with_suffix(".raw")


def tables(stacks: list[str]) -> list[str]:
    """Lines for people from py-spy's raw ones (``function (folder/file:line);… count``)."""
    own, within, packages, modules = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [f"{frame.rpartition(':')[0]})" for frame in stack.split(";") if ":" in frame]
        if frames and not frames[-1].startswith(IDLE):
            own[frames[-1]] += int(count)
            within.update(dict.fromkeys(frames, int(count)))
            packages[_package(frames[-1])] += int(count)
            modules[_module(frames)] += int(count)
    ours = Counter({frame: count for frame, count in within.items() if _package(frame) in OURS})
    return [
        *_section("our module, with what others did for it", modules, own.total()),
        *_section("package, own", packages, own.total()),
        *_section("our function, with callees", ours, own.total()),
        *_section("function, own", own, own.total()),
    ]


def _section(title: str, counted: Counter[str], total: int) -> list[str]:
    rows = sorted(counted.items(), key=lambda each: (-each[1], each[0]))[:ROWS]
    told = (f"| {count / total:.1%} | {name} |" for name, count in rows if count >= LEAST * total)
    return ["", f"| of {total} samples | {title} |", "| ---: | --- |", *told]


def _module(frames: list[str]) -> str:
    """Of the innermost frame that is ours, as Markdown."""
    ours = (frame.rpartition("(")[2].rstrip(")") for frame in reversed(frames) if _package(frame) in OURS)
    module = next(ours, "none of ours")
    return {COMMAND: "the loop"}.get(module, f"`{module}`")


def _package(frame: str) -> str:
    """Of ``function (folder/file.py)``; the standard library's and the loop's own files are together."""
    folder, slash, _ = frame.rpartition("(")[2].partition("/")
    return folder if slash and folder not in STANDARD else "Python and its loop"


def _program() -> str:
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if found is None:
        raise FileNotFoundError("py-spy is missing: make check installs what developers need, or pip install py-spy")
    return found
