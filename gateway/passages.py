"""Passages: what the canary resident's alarms tell of the path, leg by leg. Pure.

Rules
    A passage begins when the alarm is published, and has passed when it is answered. A leg is the time since the one before it;
    clocks differ, and a leg that seems to go back took no time.
    The path is lost where an alarm has not passed within ``within`` seconds and no later one has; the leg that is missing is the
    first without a time. It is lost before its first leg where no alarm was even published for two intervals and ``within``.
    ``receipted`` – the device has our receipt – is measured, and holds nothing up: who has none sends again.

Theory
    Stored, raised and queued are one transaction (docs/concepts.md), so what they take together is known by the receipt, which
    comes after the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Leg(StrEnum):
    """The legs, in the order of the path. ``leased``: a dispatcher has taken the page."""

    PUBLISHED = "published"
    STORED = "stored"
    RECEIPTED = "receipted"
    RAISED = "raised"
    QUEUED = "queued"
    LEASED = "leased"
    HANDED_OVER = "handed_over"
    ANSWERED = "answered"


BEFORE: Mapping[Leg, Leg] = {
    Leg.STORED: Leg.PUBLISHED,
    Leg.RECEIPTED: Leg.STORED,
    Leg.RAISED: Leg.STORED,
    Leg.QUEUED: Leg.RAISED,
    Leg.LEASED: Leg.QUEUED,
    Leg.HANDED_OVER: Leg.LEASED,
    Leg.ANSWERED: Leg.HANDED_OVER,
}
"""Each leg with the one that it is reckoned from."""
WHOLE = "whole"
"""All of it: from published to answered."""
NEEDED = tuple(each for each in Leg if each is not Leg.RECEIPTED)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an alarm is published at each site, and within which time it has to pass."""

    interval: timedelta
    within: timedelta

    @property
    def unpublished(self) -> timedelta:
        """After how long without any alarm the path is lost before it begins."""
        return 2 * self.interval + self.within


@dataclass(frozen=True, slots=True)
class Passage:
    """One alarm, with the time of each leg that is done."""

    site_id: int
    published_at: datetime
    message_id: str
    stored_at: datetime | None = None
    receipted_at: datetime | None = None
    raised_at: datetime | None = None
    queued_at: datetime | None = None
    leased_at: datetime | None = None
    handed_over_at: datetime | None = None
    answered_at: datetime | None = None

    @property
    def passed(self) -> bool:
        return self.answered_at is not None

    @property
    def missing(self) -> Leg | None:
        """The first leg that is not done."""
        return next((each for each in NEEDED if self.at(each) is None), None)

    def at(self, leg: Leg) -> datetime | None:
        found: datetime | None = getattr(self, f"{leg}_at")
        return found

    def seconds(self) -> dict[str, float]:
        """How long each leg took that is done, and all of them."""
        pairs: dict[str, tuple[datetime | None, datetime | None]] = {
            leg: (self.at(before), self.at(leg)) for leg, before in BEFORE.items()
        }
        pairs[WHOLE] = (self.published_at, self.answered_at)
        return {
            name: max((end - begin).total_seconds(), 0.0)
            for name, (begin, end) in pairs.items()
            if begin is not None and end is not None
        }


@dataclass(frozen=True, slots=True)
class Lost:
    """No alarm of a site passes: since when, and which leg is missing."""

    leg: Leg
    since: datetime


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of how many passages, in seconds."""

    p50: float
    p99: float
    count: int


def lost(passages: Sequence[Passage], since: datetime, now: datetime, pace: Pace) -> Lost | None:
    """Whether the path of a site is lost. ``since``: from when on somebody publishes, where nobody has yet."""
    last = last_passed(passages)
    waiting = sorted(
        (each for each in passages if not each.passed and (last is None or each.published_at > last)),
        key=lambda each: each.published_at,
    )
    oldest = waiting[0] if waiting else None
    if oldest is not None and oldest.missing is not None and now - oldest.published_at > pace.within:
        return Lost(oldest.missing, oldest.published_at)
    newest = max((since, *(each.published_at for each in passages)))
    return Lost(Leg.PUBLISHED, newest) if now - newest > pace.unpublished else None


def last_passed(passages: Iterable[Passage]) -> datetime | None:
    """When the newest alarm that has passed was published."""
    return max((each.published_at for each in passages if each.passed), default=None)


def quantiles(passages: Iterable[Passage]) -> dict[str, Quantiles]:
    """Of each leg, and of all of them: the median and the 99th percentile, which one in a hundred exceeds. Legs that no
    passage has done are left out."""
    taken: dict[str, list[float]] = {}
    for each in passages:
        for leg, seconds in each.seconds().items():
            taken.setdefault(leg, []).append(seconds)
    order = [*BEFORE, WHOLE]
    return {
        leg: Quantiles(_nearest(sorted(taken[leg]), 50), _nearest(sorted(taken[leg]), 99), len(taken[leg]))
        for leg in order
        if leg in taken
    }


def _nearest(ordered: Sequence[float], percent: int) -> float:
    """By nearest rank: always a time that was measured."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
