"""The order of the tests: what takes long is begun in the first half of what each worker has to do, among the short ones.

Chance puts it at the end, too, where one worker sits over it for a minute and the others have nothing to do; and two that only
wait are better not waited for side by side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Protocol, TypeVar


class Named(Protocol):
    """A test."""

    @property
    def nodeid(self) -> str: ...


Item = TypeVar("Item", bound=Named)

LONG = re.compile(
    r"""_processes\.py | /test_(axe|bench|examples|rollups|schemathesis|site|store|trial)\.py | test_every_page_fits
    | test_canary_resident\.py | test_escalation_machine\.py""",
    re.VERBOSE,
)
"""What is found in the ids of those that take some ten seconds and more. Where one is missing, that costs time and no more."""


def dealt(tests: Sequence[Item], workers: int) -> list[Item]:
    """The tests as xdist deals them out: to each worker a stretch, one as long as the other."""
    long = [each for each in tests if LONG.search(each.nodeid)]
    short = iter([each for each in tests if not LONG.search(each.nodeid)])
    found: list[Item] = []
    for worker in range(workers):
        mine = long[worker::workers]
        found += _among(mine, list(islice(short, max(0, len(tests) // workers - len(mine)))))
    return [*found, *short]


def _among(long: Sequence[Item], short: Sequence[Item]) -> list[Item]:
    """The long ones, evenly in the first half of the short ones."""
    gap = len(short) // (2 * len(long)) if long else 0
    first = [each for at, one in enumerate(long) for each in (one, *short[at * gap : (at + 1) * gap])]
    return [*first, *short[len(long) * gap :]]
