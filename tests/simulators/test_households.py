"""Homes that are well: their devices agree with each other, and weeks of their lives raise nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile

import pytest

from devices.kinds import kinds
from devices.model import Said
from simulators.home import OSLO, Fitting, Life, script, story
from simulators.town import town
from tests.alerts.households import Households, told

CALM = Life(falls_per_day=0, missed_per_dose=0)
DAY = date(2026, 11, 22)
WEEKS = {
    "winter": datetime(2026, 2, 2, 12, tzinfo=UTC),
    "the clock goes forward": datetime(2026, 3, 25, 12, tzinfo=UTC),
    "the clock goes back": datetime(2026, 10, 21, 12, tzinfo=UTC),
}


def of(kind: str, home: str, address: str = "one") -> Fitting:
    return Fitting(address=f"{address}-{kind}", kind=kind, home=home)


def times(said: list[Said], *types: str) -> list[datetime]:
    return [each.at for each in said if each.type in types]


def homes_that_go_out(day: date) -> Iterator[str]:
    names = (f"home-{number}" for number in range(200))
    return (name for name in names if times(script(of("door_sensor", name), day, CALM, 1), "went_out"))


def test_whoever_goes_for_a_walk_opens_lock_and_door() -> None:
    for home in list(homes_that_go_out(DAY))[:20]:
        door, lock = (script(of(kind, home), DAY, CALM, 1) for kind in ("door_sensor", "e_lock"))
        assert times(door, "opened") == times(lock, "door_opened") != []
        unlocked = times(lock, "unlocked")
        assert len(unlocked) == len(times(door, "opened"))
        for unlocking, opening in zip(unlocked, times(door, "opened"), strict=True):
            assert timedelta(0) < opening - unlocking < timedelta(seconds=15)


def test_homes_differ_and_so_do_days() -> None:
    doors = {home: times(script(of("door_sensor", home), DAY, CALM, 1), "opened") for home in ("a", "b", "c", "d", "e")}
    assert len({tuple(each) for each in doors.values()}) > 2
    days = [times(script(of("fall_alarm", "a"), DAY + timedelta(days=each), CALM, 1), "worn") for each in range(7)]
    assert len({each[0].time() for each in days}) == 7
    assert script(of("door_sensor", "a"), DAY, CALM, 1) != script(of("door_sensor", "a"), DAY, CALM, 2)


def test_a_device_without_a_home_has_its_own() -> None:
    alone = Fitting(address="ds-1", kind="door_sensor")
    assert script(alone, DAY, CALM, 1) == script(Fitting(address="ds-1", kind="door_sensor", home="ds-1"), DAY, CALM, 1)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 7, 1), date(2026, 10, 25), DAY])
def test_no_door_is_opened_at_night_by_the_clock_on_the_wall(day: date) -> None:
    for number in range(60):
        for kind in ("door_sensor", "e_lock"):
            for each in script(of(kind, f"home-{number}"), day, CALM, 1):
                if each.type != "heartbeat":
                    assert time(6) <= each.at.astimezone(OSLO).time() < time(22)


def test_a_fall_happens_while_the_alarm_is_worn() -> None:
    for number in range(60):
        said = script(of("fall_alarm", f"home-{number}"), DAY, Life(falls_per_day=1), 1)
        (fall,) = times(said, "fall")
        assert (
            times(said, "worn")[0] - timedelta(minutes=15) <= fall <= times(said, "not_worn")[0] + timedelta(minutes=15)
        )


@pytest.mark.parametrize("since", WEEKS.values(), ids=WEEKS.keys())
def test_days_of_healthy_homes_raise_nothing(since: datetime) -> None:
    """Every kind of device, all default rules, and time that passes: no door, lock, dose or battery calls anybody."""
    until = since + timedelta(days=9)
    homes = Households(since)
    fittings = town(3, homes=15)
    assert {each.kind for each in fittings} == kinds().keys()
    for each in fittings:
        homes.fit(each)
        lived = story(each, CALM, 1, since)
        homes.lives(each.address, takewhile(lambda said: said.at < until, lived))
    assert told(homes.alerts(until)) == []


def test_what_would_raise_something_does() -> None:
    """The same homes, and one fire: the silence above is no deafness."""
    since = WEEKS["winter"]
    homes = Households(since)
    homes.fit(of("fire_sensor", "a"))
    homes.lives("one-fire_sensor", takewhile(lambda said: said.at < since + timedelta(days=2), story(of("fire_sensor", "a"), CALM, 1, since)))  # fmt: skip
    homes.says("one-fire_sensor", since + timedelta(hours=30), "smoke")
    assert [each["condition"] for each in told(homes.alerts(since + timedelta(days=2)))] == ["fire"]
