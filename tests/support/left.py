"""What runs on this machine, and what is left running when it should have ended."""

from __future__ import annotations

import time
from pathlib import Path


def running(word: Path | str) -> list[str]:
    """Command lines of running processes that name `word`."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(word) in line:
            lines.append(line)
    return lines


def left_running(word: Path | str) -> list[str]:
    """Those that are still there when they have had time to go: a server's file says that it has gone a moment before it is."""
    tries = 1200
    while (found := running(word)) and (tries := tries - 1):
        time.sleep(0.05)
    return found
