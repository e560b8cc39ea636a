"""What is measured is what two processors take. Where there are more, all of it – gateway, database, broker and devices – is held to
two, of different cores where that can be seen: two threads of one core do the work of little more than one.

Who is started inherits it, so that it is done before anything is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

MOST = 2


@dataclass(frozen=True, slots=True)
class Held:
    """The numbers of the processors that are used, and how many there are."""

    used: tuple[int, ...]
    there: int

    def told(self) -> str:
        numbers = " and ".join(map(str, self.used))
        if len(self.used) < MOST:
            return f"{len(self.used)} processor used, number {numbers}, of {self.there}: fewer than the {MOST} that the aims are for"
        return f"{len(self.used)} processors used" + (
            f", held to numbers {numbers} of {self.there}" if self.there > len(self.used) else ""
        )


def hold(most: int = MOST) -> Held:
    """This process, and whatever it starts from now on, uses so many processors at most. To be called before there are threads."""
    allowed = os.sched_getaffinity(0)
    used = chosen(allowed, _core, most)
    os.sched_setaffinity(0, used)
    return Held(used, os.cpu_count() or len(allowed))


def chosen(allowed: Iterable[int], core: Callable[[int], str], most: int) -> tuple[int, ...]:
    """The first ones, of one core each; where there are too few cores, of the same ones."""
    cores: dict[str, int] = {}
    for number in sorted(allowed, reverse=True):
        cores[core(number)] = number
    first = sorted(cores.values())
    others = sorted(set(allowed) - set(first))
    return tuple(sorted([*first, *others][:most]))


def _core(number: int) -> str:
    """What the threads of a core have in common; where it is not told, each is one of its own."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(number)
