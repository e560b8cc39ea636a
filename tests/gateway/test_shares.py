"""Who should have which lane: evenly, by exactly one, and nothing moves without need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.model import Lane
from gateway.shares import Decision, Key, Reason, Seen, decide, sharers, shares

A, B = Lane.ALARM, Lane.BULK
NAMES = ("ann", "bo", "cy", "di")
Lanes = Mapping[Key, str | None]


def lanes(*holders: str) -> dict[Key, str | None]:
    """Of one site each: who has the alarm lane and who the bulk lane, as "ann bo"; "-" is nobody."""
    return {
        (site, lane): None if holder == "-" else holder
        for site, both in enumerate(holders)
        for lane, holder in zip((A, B), both.split(), strict=True)
    }


def chosen(us: str, living: str, held: Lanes, settled: bool = True, left: bool = False) -> Decision:
    """`living` as "ann bo!": who has a lease; one with a "!" does not reach the broker."""
    seen = Seen({each.rstrip("!"): not each.endswith("!") for each in living.split()}, held)
    return decide(us, seen, set(held) if settled else (), set(held) if left else ())


OURS, LEFT, TOO_MANY, NO_BROKER = Reason.OUR_SHARE, Reason.NOBODY_ELSE, Reason.TOO_MANY, Reason.NO_BROKER


@pytest.mark.parametrize(
    ("why", "us", "living", "held", "take", "give"),
    [
        ("alone: everything", "ann", "ann", ("- -",), {(0, A): OURS, (0, B): OURS}, {}),
        ("alone and settled", "ann", "ann", ("ann ann",), {}, {}),
        ("two and one site: a lane each", "ann", "ann bo", ("ann ann",), {}, {(0, B): TOO_MANY}),
        ("the newcomer waits for it", "bo", "ann bo", ("ann ann",), {}, {}),
        ("and takes it", "bo", "ann bo", ("ann -",), {(0, B): OURS}, {}),
        ("more processes than lanes: one stands by", "cy", "ann bo cy", ("ann bo",), {}, {}),
        ("the holder has died: who stands by takes it", "cy", "bo cy", ("- bo",), {(0, A): OURS}, {}),
        ("a death among few: somebody gets two", "bo", "bo", ("- bo",), {(0, A): OURS}, {}),
        ("two sites, two processes", "ann", "ann bo", ("ann ann", "ann ann"), {}, {(1, A): TOO_MANY, (1, B): TOO_MANY}),
        ("already even", "bo", "ann bo", ("ann bo", "bo ann"), {}, {}),
        ("who does not reach the broker has no share", "bo", "ann bo!", ("- -",), {}, {}),
        ("so the other has all", "ann", "ann bo!", ("- -",), {(0, A): OURS, (0, B): OURS}, {}),
        ("and gives back what it cannot use", "bo", "ann bo!", ("ann bo",), {}, {(0, B): NO_BROKER}),
        ("nobody reaches it: all go on trying", "bo", "ann! bo!", ("ann bo",), {}, {}),
    ],
)
def test_what_a_process_does(
    why: str, us: str, living: str, held: tuple[str, ...], take: dict[Key, Reason], give: dict[Key, Reason]
) -> None:
    assert chosen(us, living, lanes(*held)) == Decision(take, give), why


def test_what_nobody_takes_is_taken_by_anybody_who_can() -> None:
    held = lanes("ann -")
    assert chosen("ann", "ann bo", held, left=False).take == {}, "it is bo's"
    assert chosen("ann", "ann bo", held, left=True).take == {(0, B): Reason.NOBODY_ELSE}
    assert chosen("ann", "ann! bo", held, left=True).take == {}, "there is no use in it"


def test_what_has_just_come_is_not_given_back() -> None:
    assert chosen("ann", "ann bo", lanes("ann ann"), settled=False).give == {}


def test_who_is_taken_for_dead_decides_nothing() -> None:
    assert chosen("ann", "bo", lanes("ann -"), left=True) == Decision({}, {})


# Whatever anybody may have --------------------------------------------------------------------------------------------

people = st.sets(st.sampled_from(NAMES), min_size=1)
worlds = st.integers(0, 9).flatmap(
    lambda sites: st.fixed_dictionaries(
        {(site, lane): st.one_of(st.none(), st.sampled_from(NAMES)) for site in range(sites) for lane in Lane}
    )
)


def of(living: set[str], held: Lanes) -> dict[Key, str | None]:
    """As those see it who live: what the dead had is free."""
    return {key: holder if holder in living else None for key, holder in held.items()}


def moves(before: Lanes, after: Lanes) -> int:
    """How many lanes go from somebody who has them to somebody else."""
    return sum(1 for key, holder in before.items() if holder is not None and after[key] != holder)


@given(people, worlds)
def test_every_lane_is_wanted_by_one_and_the_burden_is_even(living: set[str], held: Lanes) -> None:
    wanted = shares(living, of(living, held))
    assert set(wanted) == set(held)
    assert set(wanted.values()) <= living
    for some in (tuple(Lane), (A,), (B,)):
        many = Counter(holder for key, holder in wanted.items() if key[1] in some)
        counts = [many[each] for each in living]
        assert max(counts) - min(counts) <= 1


@given(people, worlds)
def test_nothing_moves_when_nothing_has_changed(living: set[str], held: Lanes) -> None:
    wanted = shares(living, of(living, held))
    assert shares(living, wanted) == wanted


@given(people, worlds, st.sampled_from(NAMES))
def test_few_move_when_one_comes_or_goes(living: set[str], held: Lanes, one: str) -> None:
    """A newcomer's share moves, and what the one who leaves had; of others' lanes hardly any."""
    before = shares(living, of(living, held))
    more, fewer = living | {one}, living - {one}
    joined = shares(more, before)
    assert moves(before, joined) <= -(-len(held) // len(more)) + 1
    if fewer:
        assert moves(of(fewer, before), shares(fewer, of(fewer, before))) <= 2


@given(people, worlds, st.data())
def test_all_together_take_each_free_lane_once_and_come_to_rest(
    living: set[str], held: Lanes, data: st.DataObject
) -> None:
    """Each decides for itself, one after the other in any order; after a few rounds nobody wants anything."""
    able = data.draw(st.sets(st.sampled_from(NAMES)))
    now = of(living, held)
    for _ in range(3):
        for us in data.draw(st.permutations(sorted(living))):
            decision = decide(us, Seen({each: each in able for each in living}, now), set(now), ())
            assert all(now[key] is None for key in decision.take)
            assert all(now[key] == us for key in decision.give)
            now |= dict.fromkeys(decision.take, us)
            now |= dict.fromkeys(decision.give)
    assert now == shares(sharers({each: each in able for each in living}), now)
