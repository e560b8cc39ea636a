"""Shares: which gateway process should have which lane. Pure.

    what everybody sees (processes and their leases, lanes and their holders) ──▶ who wants what ──▶ what we take and give

Rules
    - A share counts for those that live and reach the broker; where nobody reaches it, for all that live.
    - The alarm lanes are shared out evenly, and so are the bulk lanes; who has one alarm lane more than others is the last
      to get a bulk lane more. So no two have numbers of lanes that differ by more than one.
    - Whoever has a lane keeps it as long as it has no more than its share: nothing moves where nothing has changed.
    - A lane that is free is taken by whoever should have it. Where that one does not, anybody takes it: a lane is better with
      the wrong process than with none.
    - What one has too much it gives back, but no lane that has just come: whatever goes wrong, a lane does not go to and fro.

All see the same rows and reckon the same; where they do not, because one has looked a moment earlier, the database decides
who has a lane, and the next look puts it right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from devices.model import Lane

Key = tuple[int, Lane]
"""A site's id and one of its lanes."""


class Reason(StrEnum):
    """Why a lane is taken or given back."""

    OUR_SHARE = "our_share"
    NOBODY_ELSE = "nobody_else"
    TOO_MANY = "too_many"
    NO_BROKER = "no_broker"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process sees. ``living``: each one that has a lease, and whether it reaches the broker; ``lanes``: each lane, and
    who has it – None where it is free, also since its holder has died."""

    living: Mapping[str, bool]
    lanes: Mapping[Key, str | None]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a process does about lanes, and why."""

    take: Mapping[Key, Reason]
    give: Mapping[Key, Reason]


def decide(us: str, seen: Seen, settled: Collection[Key], left: Collection[Key]) -> Decision:
    """What we take and give back. ``settled``: lanes that are held for long enough to move; ``left``: free ones that nobody has
    taken for a while. Nothing, where we are not among the living ourselves."""
    sharing = sharers(seen.living)
    wanted = shares(sharing, seen.lanes)
    ours = {key for key, holder in wanted.items() if holder == us}
    free = {key for key, holder in seen.lanes.items() if holder is None}
    abandoned = free & set(left) if us in sharing else set()
    too_many = {key for key, holder in seen.lanes.items() if holder == us} - ours if us in seen.living else set()
    return Decision(
        take={**dict.fromkeys(abandoned - ours, Reason.NOBODY_ELSE), **dict.fromkeys(free & ours, Reason.OUR_SHARE)},
        give=dict.fromkeys(too_many & set(settled), Reason.TOO_MANY if us in sharing else Reason.NO_BROKER),
    )


def sharers(living: Mapping[str, bool]) -> list[str]:
    """Who gets a share."""
    return sorted(each for each, able in living.items() if able) or sorted(living)


def shares(sharing: Collection[str], lanes: Mapping[Key, str | None]) -> dict[Key, str]:
    """Who should have each lane: every lane has one, unless nobody shares."""
    wanted: dict[Key, str] = {}
    if sharing:
        for lane in Lane:
            of_one = {key: holder for key, holder in lanes.items() if key[1] is lane}
            of_all, have, given = Counter(lanes.values()), Counter(of_one.values()), Counter(wanted.values())
            first = partial(_rank, given=given, have=have, of_all=of_all)
            wanted |= _dealt(sorted(sharing, key=first), of_one)
    return wanted


def _rank(each: str, given: Counter[str], have: Counter[str | None], of_all: Counter[str | None]) -> tuple[object, ...]:
    """Who comes first to have one lane of a sort more than others: who was given less of the other sort, then who has it
    already, then who has little else."""
    return given[each], -have[each], of_all[each] - have[each], each


def _dealt(order: Sequence[str], lanes: Mapping[Key, str | None]) -> dict[Key, str]:
    """Lanes of one sort, among those who share, in the order in which they get one more than others."""
    every, more = divmod(len(lanes), len(order))
    room = {each: every + (place < more) for place, each in enumerate(order)}
    kept: dict[Key, str] = {}
    for key in sorted(lanes):
        holder = lanes[key]
        if holder is not None and room.get(holder, 0) > 0:
            kept[key] = holder
            room[holder] -= 1
    takers = [each for each in order for _ in range(room[each])]
    return kept | dict(zip(sorted(set(lanes) - set(kept)), takers, strict=True))
