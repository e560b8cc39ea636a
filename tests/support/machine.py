"""Whether the machine stood still while something was measured on it.

Two things tell, and neither is our code's doing. A thread that does nothing but sleep a twentieth of a second wakes late where the
whole machine was held up (a virtual one that got no processor, a laptop's lid). And the kernel counts for each process how
long it was ready to run and got no processor (the second number of ``/proc/PID/schedstat``): that is time in which it
could not have done anything, however it is written. A process that waits for the network, a lock or a time-out is not ready.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STOOD_STILL = 1.0
"""Seconds, in one piece or of one process in all, from which on a measurement tells of the machine and not of us."""
NAP = 0.05
PROCESSES = 3
"""Gateway, database and broker, one after the other."""


@dataclass
class Machine:
    """Seconds. ``late``: the longest that a sleeper woke late; ``kept_waiting``: the most that one of the processes was ready and
    had no processor."""

    late: float = 0.0
    kept_waiting: float = 0.0

    @property
    def stood_still(self) -> bool:
        return self._still >= STOOD_STILL

    def excuses(self, seconds: float) -> bool:
        """Whether something that took so much longer than it may can be the machine's doing: what passes through several
        processes is held up in each."""
        return self.stood_still and seconds <= PROCESSES * self._still

    @property
    def _still(self) -> float:
        return max(self.late, self.kept_waiting)

    def __str__(self) -> str:
        return f"a sleeper woke {self.late:.2f} s late, a process had no processor for {self.kept_waiting:.2f} s"


@contextmanager
def watched(pids: Sequence[int]) -> Iterator[Machine]:
    """The machine, while the block runs; what it did is known afterwards. ``pids``: processes that live through it."""
    machine, over = Machine(), threading.Event()

    def sleeps() -> None:
        while not over.is_set():
            began = time.monotonic()
            time.sleep(NAP)
            machine.late = max(machine.late, time.monotonic() - began - NAP)

    before = [_kept_waiting(pid) for pid in pids]
    sleeper = threading.Thread(target=sleeps)
    sleeper.start()
    try:
        yield machine
    finally:
        over.set()
        sleeper.join()
        waited = [_kept_waiting(pid) - since for pid, since in zip(pids, before, strict=True)]
        machine.kept_waiting = max(waited, default=0.0)


def _kept_waiting(pid: int) -> float:
    """Seconds; none where the kernel does not count, or the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
