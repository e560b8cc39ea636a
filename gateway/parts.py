"""Parts: what is done for a whole batch is done a part at a time, and in between whatever else there is to do has its turn.

Theory
    All lanes of a process share one thread. An alarm's way through it is a dozen short pieces of work, each of which may come
    to wait for whatever runs: so nothing runs for long. A hundred messages are a millisecond or two of any one stage. What is
    less than that, as an alarm is, gives way to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from typing import TypeVar

from gateway.clock import pause

Item = TypeVar("Item")

PART = 100
"""Messages."""
DONE_AHEAD = 8
"""How often the others have their turn before the next part of what is done ahead: whoever is in turn has done a few parts of
theirs by then. So this is done while they wait for the database, and not before."""


def parted(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """In order, not more than a part at a time."""
    return (items[start : start + PART] for start in range(0, len(items), PART))


async def let_others(after: Sized, times: int = 1) -> None:
    """Let whatever else is ready run first, so many times, where a whole part was worked at."""
    if len(after) >= PART:
        for _ in range(times):
            await pause(0)
