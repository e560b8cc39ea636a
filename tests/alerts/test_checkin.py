"""Check-in: who is there, who is passed over, and that it is never the last one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.checkin import MISSED, CheckIn, OnRoster, Presence, Skipped, presence, skipped

BEGINS = datetime(2026, 11, 22, 21, tzinfo=UTC)
TEN = timedelta(minutes=10)
KARI, OLA = OnRoster(1, BEGINS, TEN), OnRoster(2, BEGINS, TEN)


def minutes(number: float) -> datetime:
    """So long after the shift has begun."""
    return BEGINS + timedelta(minutes=number)


@pytest.mark.parametrize(("came", "left", "now", "there"), [
    (None, None, 0, Presence.EXPECTED),
    (None, None, 9.9, Presence.EXPECTED),
    (None, None, 10, Presence.NOT_CHECKED_IN),
    (-120, None, 10, Presence.CHECKED_IN),
    (-121, None, 10, Presence.NOT_CHECKED_IN),
    (300, None, 299, Presence.NOT_CHECKED_IN),
    (300, None, 300, Presence.CHECKED_IN),
    (5, 200, 199, Presence.CHECKED_IN),
    (5, 200, 200, Presence.CHECKED_OUT),
    (-90, -5, 5, Presence.EXPECTED),
])  # fmt: skip
def test_who_is_there(came: float | None, left: float | None, now: float, there: Presence) -> None:
    last = None if came is None else CheckIn(1, minutes(came), None if left is None else minutes(left))
    assert presence(KARI, last, minutes(now)) is there
    assert presence(OnRoster(1, BEGINS, None), last, minutes(now)) is Presence.NOT_USED


@pytest.mark.parametrize(("came", "reachable", "now", "who"), [
    ([], [1, 2], 30, []),
    ([2], [1, 2], 30, [1]),
    ([2], [1], 30, []),
    ([2], [1, 2], 9, []),
    ([1, 2], [1, 2], 30, []),
])  # fmt: skip
def test_who_is_passed_over(came: list[int], reachable: list[int], now: float, who: list[int]) -> None:
    checks = {each: CheckIn(each, minutes(5)) for each in came}
    found = skipped((KARI, OLA), checks, reachable, minutes(now))
    assert found == tuple(Skipped(each, Presence.NOT_CHECKED_IN) for each in who)


@given(
    rosters=st.lists(st.builds(OnRoster, st.integers(1, 5), st.just(BEGINS), st.sampled_from([None, TEN])), unique_by=lambda each: each.person_id),
    checks=st.dictionaries(st.integers(1, 5), st.integers(-200, 200)),
    reachable=st.sets(st.integers(1, 5)),
    now=st.integers(-10, 300),
)  # fmt: skip
def test_somebody_who_can_be_reached_is_always_left(
    rosters: list[OnRoster], checks: dict[int, int], reachable: set[int], now: int
) -> None:
    came = {person: CheckIn(person, minutes(at)) for person, at in checks.items()}
    out = {each.person_id for each in skipped(rosters, came, reachable, minutes(now))}
    before = {each.person_id for each in rosters} & reachable
    assert not before or before - out
    assert all(
        presence(each, came.get(each.person_id), minutes(now)) in MISSED for each in rosters if each.person_id in out
    )
