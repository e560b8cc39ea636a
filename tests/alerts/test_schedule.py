"""Local time: doses, over the two days a year that are not 24 hours long."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.schedule import DosePlan, doses, local

OSLO = ZoneInfo("Europe/Oslo")
EVERY_DAY = frozenset(range(7))
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))
PLANS = st.builds(
    DosePlan,
    local_time=TIMES,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    from_date=DAYS,
    to_date=st.none() | DAYS,
)


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def on(day: date, at: time) -> list[datetime]:
    """The doses of one local day."""
    plan = DosePlan(at, EVERY_DAY, day, day)
    return list(doses(plan, utc(day, 0) - timedelta(days=2), utc(day, 0) + timedelta(days=3), OSLO))


# Doses ----------------------------------------------------------------------------------------------------------------


def test_a_dose_moves_with_the_clock_of_the_house() -> None:
    assert on(SPRING - timedelta(days=1), time(8)) == [utc(SPRING - timedelta(days=1), 7)]
    assert on(SPRING, time(8)) == [utc(SPRING, 6)]
    assert on(AUTUMN, time(8)) == [utc(AUTUMN, 7)]


def test_a_dose_in_the_hour_that_is_skipped_comes_once_when_the_clock_has_moved_on() -> None:
    assert on(SPRING, time(2, 30)) == [utc(SPRING, 1, 30)]
    assert utc(SPRING, 1, 30).astimezone(OSLO).time() == time(3, 30)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_dose_in_the_hour_that_comes_twice_comes_once_the_first_time(fold: int) -> None:
    assert on(AUTUMN, time(2, 30, fold=fold)) == [utc(AUTUMN, 0, 30)]


def test_once_taken_the_second_half_past_two_is_no_dose() -> None:
    plan = DosePlan(time(2, 30), EVERY_DAY, AUTUMN)
    following = doses(plan, utc(AUTUMN, 0, 30), utc(AUTUMN, 0, 30), OSLO)
    assert following == (utc(AUTUMN + timedelta(days=1), 1, 30),)


def test_the_first_dose_beyond_is_always_there_however_far_we_look() -> None:
    plan = DosePlan(time(8), frozenset({2}), date(2026, 1, 1))
    found = doses(plan, utc(date(2026, 1, 1), 0), utc(date(2026, 3, 1), 0), OSLO)
    assert len(found) == 9
    assert found[-1] == utc(date(2026, 3, 4), 7)


def test_a_plan_that_begins_next_year_has_its_first_dose_already() -> None:
    plan = DosePlan(time(8), frozenset({6}), date(2027, 11, 1))
    assert doses(plan, utc(date(2026, 11, 22), 0), utc(date(2026, 11, 23), 0), OSLO) == (utc(date(2027, 11, 7), 7),)


def test_from_and_to_are_days_of_the_plan() -> None:
    plan = DosePlan(time(0, 15), EVERY_DAY, date(2026, 11, 20), date(2026, 11, 22))
    found = doses(plan, utc(date(2026, 11, 1), 0), utc(date(2026, 12, 1), 0), OSLO)
    assert [each.astimezone(OSLO).date().day for each in found] == [20, 21, 22]
    assert doses(plan, found[-1], utc(date(2026, 12, 1), 0), OSLO) == ()


def test_the_weekday_is_that_of_the_house() -> None:
    plan = DosePlan(time(0, 15), frozenset({0}), date(2026, 11, 1))
    first, *_ = doses(plan, utc(date(2026, 11, 20), 0), utc(date(2026, 11, 20), 0), OSLO)
    assert first == utc(date(2026, 11, 22), 23, 15)


@given(plan=PLANS, after=INSTANTS, ahead=st.timedeltas(timedelta(0), timedelta(days=60)))
def test_doses_come_in_order_after_now_and_one_lies_beyond(plan: DosePlan, after: datetime, ahead: timedelta) -> None:
    found = doses(plan, after, after + ahead, OSLO)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(after < each for each in found)
    assert all(each.utcoffset() == timedelta(0) for each in found)
    beyond = [each for each in found if each > after + ahead]
    assert len(beyond) <= 1
    if plan.to_date is None:
        assert len(beyond) == 1


@given(plan=PLANS, after=INSTANTS, ahead=st.timedeltas(timedelta(0), timedelta(days=60)))
def test_every_planned_day_has_exactly_one_dose(plan: DosePlan, after: datetime, ahead: timedelta) -> None:
    until = after + ahead
    found = {each for each in doses(plan, after, until, OSLO) if each <= until}
    start = after.astimezone(OSLO).date() - timedelta(days=1)
    days = [start + timedelta(days=number) for number in range(ahead.days + 4)]
    planned = [day for day in days if day.weekday() in plan.weekdays and plan.from_date <= day <= (plan.to_date or day)]
    assert found == {at for day in planned if after < (at := local(day, plan.local_time, OSLO)) <= until}


@given(plan=PLANS, after=INSTANTS, ahead=st.timedeltas(timedelta(0), timedelta(days=20)))
def test_looking_step_by_step_finds_the_same(plan: DosePlan, after: datetime, ahead: timedelta) -> None:
    found, at = [], after
    while following := doses(plan, at, at, OSLO):
        at = following[0]
        if at > after + ahead:
            break
        found.append(at)
    assert tuple(found) == tuple(each for each in doses(plan, after, after + ahead, OSLO) if each <= after + ahead)
