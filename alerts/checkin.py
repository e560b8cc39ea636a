"""Check-in: whoever is on the roster says that they are there. Who does not is passed over – and never the last one.

Rules
    Checking in counts for the shift that begins within ``EARLY``, or has begun, and for those that follow it without a break.
    Until ``grace`` after its beginning nobody is missed. Whoever has checked out is off, whatever the roster says.
    Somebody who is missed is not paged as long as another one is on duty, is there, and can be reached. Else everybody is.
    It is of no account where a zone does not use it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

EARLY = timedelta(hours=2)


class Presence(StrEnum):
    """Whether somebody who is on the roster is there."""

    CHECKED_IN = "checked_in"
    EXPECTED = "expected"
    NOT_CHECKED_IN = "not_checked_in"
    CHECKED_OUT = "checked_out"
    NOT_USED = "not_used"


MISSED = frozenset({Presence.NOT_CHECKED_IN, Presence.CHECKED_OUT})


@dataclass(frozen=True, slots=True)
class CheckIn:
    """When somebody last said that they are on duty, and when that they are not any more."""

    person_id: int
    in_at: datetime
    out_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OnRoster:
    """Somebody on duty, since when without a break; ``grace``: how long they may take to check in, None where nobody does."""

    person_id: int
    since: datetime
    grace: timedelta | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Somebody on duty who is not paged, and why."""

    person_id: int
    reason: Presence


def presence(on_roster: OnRoster, last: CheckIn | None, now: datetime) -> Presence:
    """Whether somebody is there, by when they last checked in."""
    if on_roster.grace is None:
        return Presence.NOT_USED
    counts = last is not None and on_roster.since - EARLY <= last.in_at <= now
    if last is not None and counts and (last.out_at is None or last.out_at > on_roster.since):
        return Presence.CHECKED_IN if last.out_at is None or now < last.out_at else Presence.CHECKED_OUT
    return Presence.NOT_CHECKED_IN if now >= on_roster.since + on_roster.grace else Presence.EXPECTED


def skipped(
    on_rosters: Iterable[OnRoster], checks: Mapping[int, CheckIn], reachable: Collection[int], now: datetime
) -> tuple[Skipped, ...]:
    """Who of those on duty is passed over; nobody, where that would leave nobody who can be reached."""
    by_person = {each.person_id: presence(each, checks.get(each.person_id), now) for each in on_rosters}
    if not any(person in reachable for person, there in by_person.items() if there not in MISSED):
        return ()
    return tuple(Skipped(person, there) for person, there in by_person.items() if there in MISSED)
