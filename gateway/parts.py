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
TURNS = 8
"""Of the others, before the next part of what is done ahead."""


def parted(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """In order, not more than a part at a time."""
    return (items[start : start + PART] for start in range(0, len(items), PART))


async def let_others(after: Sized) -> None:
    """Let whatever else is ready run first, where a whole part was worked at."""
    if len(after) >= PART:
        await pause(0)


async def let_others_more(after: Sized) -> None:
    """The same for what is done ahead: whoever is in turn has done a few parts of theirs before the next one of these. So this
    is done while they wait for the database, and not before."""
    if len(after) >= PART:
        for _ in range(TURNS):
            await pause(0)
