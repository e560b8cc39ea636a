"""Parts: what is done for a whole batch is done a part at a time, and in between whatever else there is to do has its turn.

Theory
    All lanes of a process share one thread. An alarm's way through it is a dozen short pieces of work, each of which may come
    to wait for whatever runs: so nothing runs for long. A hundred messages are a millisecond or two of any one stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

from gateway.clock import pause

Item = TypeVar("Item")

PART = 100
"""Messages."""


def parted(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """In order, not more than a part at a time."""
    return (items[start : start + PART] for start in range(0, len(items), PART))


let_others = partial(pause, 0)
"""Let whatever else is ready run first."""
