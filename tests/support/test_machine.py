"""A machine that stands still is told from a process that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.machine import STOOD_STILL, watched

BUSY = "import os\nos.sched_setaffinity(0, {int(os.sys.argv[1])})\nwhile True: pass"


@contextmanager
def on_one_processor(many: int) -> Iterator[list[int]]:
    """So many processes that want the same processor all the time."""
    where = str(min(os.sched_getaffinity(0)))
    busy = [subprocess.Popen([sys.executable, "-c", BUSY, where]) for _ in range(many)]
    try:
        time.sleep(0.5)
        yield [each.pid for each in busy]
    finally:
        for each in busy:
            each.kill()
            each.wait()


def test_who_waits_for_a_processor_is_seen() -> None:
    with on_one_processor(4) as pids, watched(pids) as machine:
        time.sleep(2.5)
    assert machine.kept_waiting > STOOD_STILL
    assert machine.stood_still
    assert machine.excuses(machine.kept_waiting)
    assert not machine.excuses(60), "it did not stand still for so long"


def test_who_only_sleeps_was_not_kept_waiting() -> None:
    program = "import time; print(flush=True); time.sleep(60)"
    sleeper = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert sleeper.stdout is not None
    sleeper.stdout.readline()
    time.sleep(0.5)  # what it waits for a processor until it sleeps is no sleep
    try:
        with watched([sleeper.pid]) as machine:
            time.sleep(1.5)
    finally:
        sleeper.kill()
        sleeper.communicate()
    assert machine.kept_waiting < STOOD_STILL
    assert not machine.excuses(0.1) or machine.late >= STOOD_STILL
