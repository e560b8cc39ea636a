"""Times of day by the clock on the wall: past midnight, on some days, and on the two days a year with another length."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rules import Scene, parse_rule
from alerts.schedule import Window
from tests.alerts.homes import said
from tests.alerts.lives import OSLO

NIGHT = Window(from_time=time(22), to_time=time(6))
OFFICE = Window(from_time=time(8), to_time=time(16), weekdays=(0, 1, 2, 3, 4))
FRIDAY_NIGHT = Window(from_time=time(22), to_time=time(6), weekdays=(4,))


def oslo(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OSLO, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("window", "at", "within"),
    [
        (NIGHT, "2026-11-20T21:59:59", False),
        (NIGHT, "2026-11-20T22:00:00", True),
        (NIGHT, "2026-11-21T05:59:59", True),
        (NIGHT, "2026-11-21T06:00:00", False),
        (OFFICE, "2026-11-20T08:00:00", True),
        (OFFICE, "2026-11-20T16:00:00", False),
        (OFFICE, "2026-11-21T09:00:00", False),
        (FRIDAY_NIGHT, "2026-11-20T23:00:00", True),
        (FRIDAY_NIGHT, "2026-11-21T05:00:00", True),
        (FRIDAY_NIGHT, "2026-11-21T23:00:00", False),
        (FRIDAY_NIGHT, "2026-11-20T05:00:00", False),
        (Window(from_time=time(7), to_time=time(7)), "2026-11-20T06:59:00", True),
    ],
)
def test_within(window: Window, at: str, within: bool) -> None:
    assert window.covers(oslo(at), OSLO) is within


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-11-20", 8)], ids=["spring", "autumn", "else"]
)
def test_the_night_is_as_long_as_it_is(day: str, hours: int) -> None:
    """22 to 06 is seven hours when the clocks go forward and nine when they go back."""
    noon = oslo(f"{day}T12:00:00")
    within = [minute for minute in range(24 * 60) if NIGHT.covers(noon + timedelta(minutes=minute), OSLO)]
    assert len(within) == hours * 60
    assert within == list(range(within[0], within[-1] + 1)), "in one piece"


def test_the_hour_that_comes_twice_is_in_it_twice_and_the_skipped_one_never() -> None:
    small = Window(from_time=time(2, 15), to_time=time(2, 45))
    assert [small.covers(oslo("2026-10-25T02:30:00", fold), OSLO) for fold in (0, 1)] == [True, True]
    night = oslo("2026-03-29T00:00:00")
    assert not any(small.covers(night + timedelta(minutes=minute), OSLO) for minute in range(240))
    assert small.first_within(night, OSLO) == oslo("2026-03-30T02:15:00")


@given(
    st.times(), st.times(), st.sets(st.integers(0, 6), min_size=1),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)  # fmt: skip
def test_the_next_time_within_is_within_and_not_before(start: time, end: time, days: set[int], at: datetime) -> None:
    window = Window(from_time=start, to_time=end, weekdays=tuple(days))
    if start < end < time(start.hour, 59, 59) and start.hour == 2:
        return  # may lie in the hour that spring skips
    found = window.first_within(at, OSLO)
    assert found >= at
    assert window.covers(found, OSLO)


def test_a_door_is_raised_at_night_and_told_on_the_open_alert_at_any_time() -> None:
    rule = parse_rule({
        "type": "window", "name": "door_at_night", "condition": "door_at_night", "vkp_code": "4.15", "severity": 20,
        "track": "care", "on": ["opened"], "inform_on": ["closed"], "window": {"from_time": "22:00", "to_time": "06:00"},
    })  # fmt: skip
    scene = Scene(OSLO)
    at_night, at_noon = oslo("2026-11-20T23:30:00"), oslo("2026-11-20T12:00:00")

    def came_of(type_: str, at: datetime, delay: timedelta = timedelta(seconds=1)) -> list[str]:
        heard = said(type_, at, kind="door_sensor", delay=delay)
        return [type(each).__name__ for each in rule.observe(1, heard, scene).signals]

    assert came_of("opened", at_night) == ["Raise"]
    assert came_of("opened", at_night, timedelta(hours=10)) == ["Raise"], "what counts is when it was opened"
    assert came_of("opened", at_night, timedelta(hours=25)) == []
    assert came_of("opened", at_noon) == []
    assert came_of("opened", at_noon, timedelta(hours=11)) == []
    assert came_of("closed", at_noon) == ["Inform"]
