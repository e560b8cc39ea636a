"""What happens to the processes, drawn from a seed before anything runs. Pure: the same seed is the same torture.

Theory
    A deck of blows is shuffled and dealt, and shuffled again when it is empty, so that even ten blows are of many sorts.
    The pauses between blows are drawn apart from how long each lasts: often the next one falls before the last is healed.
    A run has two parts. As long as the broker is not killed, its acknowledgement is a promise as good as the gateway's
    receipt; afterwards only the receipt is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.torture.hop import Cut

LONGER_THAN_A_LEASE = (4.5, 7.0)
"""Seconds for which a gateway stands still. Its lease runs 3.5 s from its last beat; that it has run out is noticed within 0.5 s
more (``LEASE`` and ``BEAT_EVERY`` in ``gateway/sharing.py``)."""


class Whom(StrEnum):
    """What a blow can strike. A gateway and its hops are one of several."""

    GATEWAY = "gateway"
    DATABASE = "database"
    BROKER = "broker"
    TO_BROKER = "gateway–broker"
    TO_DATABASE = "gateway–database"
    PUBLISHERS = "publishers–broker"


class How(StrEnum):
    """How it is struck."""

    KILL = "kill −9"
    STOP = "SIGSTOP"
    CLOSED = Cut.CLOSED.value
    FROZEN = Cut.FROZEN.value
    HALF_OPEN = Cut.HALF_OPEN.value


@dataclass(frozen=True, slots=True)
class Blow:
    """After ``pause`` seconds it strikes, and lasts for ``seconds``. ``index``: which of the gateways."""

    whom: Whom
    how: How
    index: int
    pause: float
    seconds: float

    def __str__(self) -> str:
        letter = f" {'abcdefgh'[self.index]}" if self.whom in OF_A_GATEWAY else ""
        what = f"cut {self.whom}{letter} ({self.how})" if self.whom in HOPS else f"{self.how} {self.whom}{letter}"
        return f"{what} for {self.seconds:.1f} s"


HOPS = frozenset({Whom.TO_BROKER, Whom.TO_DATABASE, Whom.PUBLISHERS})
OF_A_GATEWAY = frozenset({Whom.GATEWAY, Whom.TO_BROKER, Whom.TO_DATABASE})
CUTS = (How.CLOSED, How.FROZEN, How.HALF_OPEN)
DECK: tuple[tuple[Whom, How], ...] = (
    *[(Whom.GATEWAY, How.KILL)] * 6,
    *[(Whom.GATEWAY, How.STOP)] * 2,
    *[(Whom.DATABASE, How.KILL)] * 3,
    *((hop, cut) for hop in (Whom.TO_BROKER, Whom.TO_DATABASE, Whom.PUBLISHERS) for cut in CUTS),
)
BROKER_CARDS: tuple[tuple[Whom, How], ...] = ((Whom.BROKER, How.KILL),) * 5
LASTS = {
    How.KILL: (0.3, 2.5),
    How.STOP: LONGER_THAN_A_LEASE,
    How.CLOSED: (0.5, 6.0),
    How.FROZEN: (0.5, 6.0),
    How.HALF_OPEN: (0.5, 6.0),
}


def plan(
    times: int, seed: int, *, gateways: int, broker_falls: bool, longest_pause: float, hows: frozenset[How]
) -> tuple[Blow, ...]:
    """So many blows. ``broker_falls``: the broker is killed, too. ``longest_pause``: seconds between two of them. ``hows``:
    of these sorts only."""
    random = Random(f"{seed}/{broker_falls}")
    deck = [card for card in DECK + (BROKER_CARDS if broker_falls else ()) if card[1] in hows]
    cards = _dealt(deck, random)
    return tuple(_blow(*next(cards), gateways, longest_pause, random) for _ in range(times))


def parts(
    times: int, seed: int, gateways: int, longest_pause: float, hows: frozenset[How]
) -> tuple[tuple[Blow, ...], tuple[Blow, ...]]:
    """Half of them while the broker stays, the other half while it falls."""

    def part(count: int, *, broker_falls: bool) -> tuple[Blow, ...]:
        return plan(count, seed, gateways=gateways, broker_falls=broker_falls, longest_pause=longest_pause, hows=hows)

    return part((times + 1) // 2, broker_falls=False), part(times // 2, broker_falls=True)


def _dealt(deck: Sequence[tuple[Whom, How]], random: Random) -> Iterator[tuple[Whom, How]]:
    while True:
        yield from random.sample(deck, len(deck))


def _blow(whom: Whom, how: How, gateways: int, longest_pause: float, random: Random) -> Blow:
    index = random.randrange(gateways)
    return Blow(whom, how, index, random.uniform(0.2, longest_pause), random.uniform(*LASTS[how]))
