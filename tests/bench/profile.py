"""Where a process' time goes, seen from outside: py-spy looks a hundred times a second, and a table counts what it saw.

``own``: the function itself was running. ``with callees``: it, or what it called. Threads that wait are not counted. Being looked
at costs the process some percent, so that figures of a profiled run are not compared with others.
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


class Profile:
    """Looks at a process within the block, and writes a table into a file. None: does nothing."""

    def __init__(self, pid: int, path: Path | None) -> None:
        self._pid = pid
        self._path = path
        self._looking: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._looking = subprocess.Popen(
                [_program(), "record", "--pid", str(self._pid), "--format", "raw", "--rate", "100",
                 "--output", str(self._raw)],
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looking is not None and self._path is not None:
            self._looking.send_signal(signal.SIGINT)
            self._looking.wait(30)
            self._path.write_text("\n".join(table(self._raw.read_text().splitlines())) + "\n")
            self._raw.unlink()
            print(f"  where the gateway's time went: {self._path}", flush=True)

    @property
    def _raw(self) -> Path:
        assert self._path is not None
        return self._path.with_suffix(".raw")


def table(stacks: list[str]) -> list[str]:
    """Lines for people from py-spy's raw ones (``function (file:line);… count``)."""
    own, within, total = Counter[str](), Counter[str](), 0
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] + ")" for frame in stack.split(";") if ":" in frame]
        if frames:
            total += int(count)
            own[frames[-1]] += int(count)
            within.update(dict.fromkeys(frames, int(count)))
    head = [f"{total} samples", "", f"{'with callees':>12} {'own':>7}  function (file)"]
    shown = sorted(within, key=lambda each: (-within[each], each))
    rows = [f"{within[each] / total:12.1%} {own[each] / total:7.1%}  {each}" for each in shown[:ROWS]]
    most = [f"{own[each] / total:12.1%}  {each}" for each, _ in own.most_common(ROWS)]
    return [*head, *rows, "", f"{'own':>12}  function (file)", *most]


def _program() -> str:
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if found is None:
        raise FileNotFoundError("py-spy is missing: make check installs what developers need, or pip install py-spy")
    return found
