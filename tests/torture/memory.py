"""What devices know: what they said, and what became of it as far as they were told. The verdict takes it for the truth.

Rules
    A message has an id. It is kept until it is let go of, and asks to be stored once.
    A state has none: ``{"online": …}``, retained, said by the device or, as its last will, by the broker. Only the newest one
    counts, so it is not kept: it is said anew on each new connection, as devices do. What asks to be stored is each time
    that it was said, also twice the same; what must not be is that an older one wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from devices.model import DeviceAddress
from tests.support.processes import Word


@dataclass(frozen=True, slots=True)
class Speaker:
    """A device: who it is, and as what it speaks."""

    address: DeviceAddress
    kind: str


@dataclass(frozen=True, slots=True)
class Saying:
    """What was said. ``promised``: the broker was not to be killed then, so that its acknowledgement is a promise, too."""

    type: str
    at: datetime
    alarm: bool
    promised: bool
    fields: Mapping[str, Any] = field(default_factory=dict)


class State(NamedTuple):
    """Whether a device is there, as it was said."""

    address: str
    online: bool

    def __str__(self) -> str:
        return f"{self.address} online: {str(self.online).lower()}"


@dataclass
class States:
    """``last``: of each device what was said last; ``said``: all that was ever said, or is a last will; ``promised``: how often
    the broker acknowledged it while nobody was to kill it."""

    last: dict[str, bool] = field(default_factory=dict)
    said: set[State] = field(default_factory=set)
    promised: Counter[State] = field(default_factory=Counter)


@dataclass
class Memory:
    """Everything that was said, and what became of it as far as devices can know. ``sendings``: how often messages were sent, all
    in all."""

    said: dict[Word, Saying] = field(default_factory=dict)
    acknowledged: set[Word] = field(default_factory=set)
    receipted: set[Word] = field(default_factory=set)
    sendings: int = 0
    states: States = field(default_factory=States)

    @property
    def promised(self) -> frozenset[Word]:
        """Acknowledged while nobody was to kill the broker."""
        return frozenset(word for word in self.acknowledged if self.said[word].promised)
