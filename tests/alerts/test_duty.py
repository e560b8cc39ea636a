"""Duty: patterns, rotations, holidays, and what is changed of them, over the two days a year that are not 24 hours long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import duty
from alerts.duty import on_duty, spans
from alerts.holidays import EVE, HOLIDAY, keys_of, names_of
from alerts.roster import Absence, Change, Layer, Part, Plan, Planned, Rotation, Shift
from alerts.rosterchange import Unfit, changed, unfit
from alerts.schedule import local

OSLO = ZoneInfo("Europe/Oslo")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def oslo(text: str) -> datetime:
    """A time on the wall."""
    return datetime.fromisoformat(text).replace(tzinfo=OSLO).astimezone(UTC)


# A week ---------------------------------------------------------------------------------------------------------------

SATURDAY, SUNDAY, MONDAY = 5, 6, 0
ANNE, BJARTE = 1, 2


def serving(shifts: list[Shift], day: date, hour: int, minute: int = 0) -> tuple[int, ...]:
    """Who is on duty at a time in UTC."""
    return on_duty(shifts, utc(day, hour, minute), OSLO)


def test_a_shift_begins_with_its_first_second_and_ends_before_its_last() -> None:
    shift = [Shift(ANNE, SUNDAY, time(8), time(16))]
    day = date(2026, 11, 22)
    assert [serving(shift, day, *at) for at in ((6, 59), (7, 0), (14, 59), (15, 0))] == [(), (ANNE,), (ANNE,), ()]


def test_a_shift_over_midnight_belongs_to_the_day_it_begins() -> None:
    shift = [Shift(ANNE, SUNDAY, time(22), time(7))]
    assert serving(shift, date(2026, 11, 22), 22) == (ANNE,)
    assert serving(shift, date(2026, 11, 23), 5, 59) == (ANNE,)
    assert serving(shift, date(2026, 11, 23), 6) == ()
    assert serving(shift, date(2026, 11, 22), 3) == ()


def test_a_shift_of_a_whole_day() -> None:
    shift = [Shift(ANNE, SUNDAY, time(8), time(8))]
    assert serving(shift, date(2026, 11, 22), 7) == serving(shift, date(2026, 11, 23), 6, 59) == (ANNE,)
    assert serving(shift, date(2026, 11, 23), 7) == ()


def test_the_last_night_of_a_contract_is_served_to_its_end() -> None:
    shift = [Shift(ANNE, SUNDAY, time(22), time(7), from_date=date(2026, 11, 22), to_date=date(2026, 11, 22))]
    assert serving(shift, date(2026, 11, 23), 5) == (ANNE,)
    assert serving(shift, date(2026, 11, 15), 22) == serving(shift, date(2026, 11, 29), 22) == ()


def test_who_is_paged_first_is_an_order_and_nobody_stands_in_it_twice() -> None:
    shifts = [
        Shift(ANNE, SUNDAY, time(8), time(16), position=2),
        Shift(BJARTE, SUNDAY, time(8), time(16), position=1),
        Shift(ANNE, SUNDAY, time(7), time(12), position=3),
    ]
    assert serving(shifts, date(2026, 11, 22), 9) == (BJARTE, ANNE)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (date(2026, 11, 22), 24)])
@pytest.mark.parametrize("change", [time(2), time(2, 30), time(3), time(7)])
def test_shifts_that_follow_each_other_leave_no_gap_and_no_overlap(day: date, hours: int, change: time) -> None:
    shifts = [Shift(ANNE, SUNDAY, time(0), change), Shift(BJARTE, SUNDAY, change, time(0))]
    start = local(day, time(0), OSLO)
    served = [on_duty(shifts, start + timedelta(minutes=minute), OSLO) for minute in range(hours * 60)]
    assert set(served) == {(ANNE,), (BJARTE,)}
    assert on_duty(shifts, start + timedelta(hours=hours), OSLO) == ()
    assert served == sorted(served), "one hands over to the other, once"


def test_the_night_of_the_change_is_served_whole() -> None:
    night = [Shift(ANNE, SATURDAY, time(22), time(7))]
    for day, hours in ((SPRING, 8), (AUTUMN, 10)):
        start = local(day - timedelta(days=1), time(22), OSLO)
        served = [on_duty(night, start + timedelta(minutes=minute), OSLO) for minute in range(-1, hours * 60 + 1)]
        assert served == [(), *[(ANNE,)] * hours * 60, ()]


@given(now=INSTANTS, weekday=st.integers(0, 6), start=TIMES, end=TIMES)
def test_a_week_of_the_same_shift_is_served_when_its_clock_says_so(
    now: datetime, weekday: int, start: time, end: time
) -> None:
    week = [Shift(ANNE, day, start, end) for day in range(7)]
    today = now.astimezone(OSLO).date()
    spans = []
    for day in (today - timedelta(days=1), today):
        ends_on = day if end > start else day + timedelta(days=1)
        spans.append((local(day, start, OSLO), local(ends_on, end, OSLO)))
    assert (on_duty(week, now, OSLO) == (ANNE,)) == any(begin <= now < stop for begin, stop in spans)


# Several weeks, turns, holidays ---------------------------------------------------------------------------------------

CARL, DINA = 3, 4
WHO = {0: "-", ANNE: "A", BJARTE: "B", CARL: "C", DINA: "D"}


def told(plan: Plan, *times: str) -> str:
    """Who serves at times on the wall, by initials: those on duty together side by side."""
    at_each = ["".join(WHO[each.person_id] for each in duty.serving(plan, oslo(at), OSLO)) or "-" for at in times]
    return " ".join(at_each)


def test_a_turnus_of_three_weeks_begins_with_the_week_of_its_anchor() -> None:
    anchor = date(2026, 11, 4)  # a Wednesday
    turnus = [
        Shift(person, 0, time(8), time(16), weeks=3, week=week, anchor=anchor) for week, person in enumerate((1, 2, 3))
    ]
    mondays = [f"2026-{day}T10:00" for day in ("10-26", "11-02", "11-09", "11-16", "11-23", "11-30")]
    assert told(Plan(turnus), *mondays) == "C A B C A B"


def test_turns_are_handed_over_at_their_weekday_and_time_and_a_shift_is_finished_by_whoever_began_it() -> None:
    weekly = Rotation((ANNE, BJARTE, CARL), date(2026, 11, 2), time(12))
    times = ("11-02T11:59", "11-02T12:00", "11-09T11:59", "11-09T12:00", "11-16T12:00", "11-23T12:00")
    assert told(Plan(rotations=[weekly]), *(f"2026-{each}" for each in times)) == "- A A B C A"
    nights = replace(weekly, hand_over=time(2), start=time(22), end=time(7), turn_days=1)
    times = ("11-01T23:00", "11-02T23:00", "11-03T01:59", "11-03T06:59", "11-03T12:00", "11-03T22:00")
    assert told(Plan(rotations=[nights]), *(f"2026-{each}" for each in times)) == "- A A A - B"


@pytest.mark.parametrize(("day", "keys"), [
    ("2026-04-01", {"wednesday_before_easter"}),
    ("2026-04-04", {"easter_eve", EVE}),
    ("2026-04-05", {"easter_sunday", HOLIDAY}),
    ("2026-05-23", {"pentecost_eve", EVE}),
    ("2026-05-17", {"constitution_day", HOLIDAY}),
    ("2012-05-17", {"constitution_day", "ascension_day", HOLIDAY}),
    ("2026-12-24", {"christmas_eve", EVE}),
    ("2026-12-31", {"new_years_eve", EVE}),
    ("2026-11-22", set()),
])  # fmt: skip
def test_norwegian_days_and_the_eves_that_the_law_does_not_name(day: str, keys: set[str]) -> None:
    assert keys_of(date.fromisoformat(day)) == keys
    assert set(names_of(date.fromisoformat(day))) == keys - {HOLIDAY, EVE}


def test_a_holidays_pattern_replaces_the_weekdays_but_where_it_has_nobody() -> None:
    week = [Shift(ANNE, day, time(7), time(15)) for day in range(7)] + [
        Shift(BJARTE, day, time(15), time(7)) for day in range(7)
    ]
    christmas = Shift(CARL, None, time(9), time(20), days=frozenset({EVE, HOLIDAY}))
    eve = Shift(DINA, None, time(8), time(16), days=frozenset({"christmas_eve"}))
    times = ("12-23T10:00", "12-24T07:30", "12-24T08:00", "12-24T15:30", "12-24T16:00", "12-25T03:00", "12-25T10:00")
    at = [f"2026-{each}" for each in times]
    assert told(Plan([*week, christmas, eve]), *at) == "A A D D B B C", "the day's own pattern before that of its kind"
    assert told(Plan([*week, replace(eve, nearness=1)]), *at) == "A A AD BD B B A", "of its own zone alone"


# Changes --------------------------------------------------------------------------------------------------------------

DAY = Plan([Shift(ANNE, day, time(8), time(16)) for day in range(7)] + [
    Shift(BJARTE, day, time(16), time(0)) for day in range(7)
])  # fmt: skip
TEN, NOON, SIX = oslo("2026-11-22T10:00"), oslo("2026-11-22T12:00"), oslo("2026-11-22T18:00")


def override(leaves: int | None, comes: int | None, begins: datetime = TEN, ends: datetime = NOON) -> Change:
    return Change(Layer.OVERRIDE, (Part(leaves, comes, begins, ends),), position=1)


def swap(day: str, other: str) -> Change:
    """Anne's day for Bjarte's evening of another day."""
    mine = Part(ANNE, BJARTE, oslo(f"{day}T08:00"), oslo(f"{day}T16:00"))
    evening = oslo(f"{other}T16:00")
    return Change(Layer.SWAP, (mine, Part(BJARTE, ANNE, evening, evening + timedelta(hours=8))))


def test_the_layers_lie_one_above_the_other() -> None:
    at = ("2026-11-22T11:00",)
    plan = DAY
    assert told(plan, *at) == "A"
    plan = changed(plan, override(ANNE, CARL))
    assert told(plan, *at) == "C"
    plan = changed(plan, override(CARL, None))
    assert told(plan, *at) == "-"
    plan = replace(changed(DAY, swap("2026-11-22", "2026-11-23")), absences=[Absence(BJARTE, TEN, None, DINA)])
    assert told(plan, *at) == "D", "away is away, whatever was swapped"
    (found,) = duty.serving(plan, oslo(*at), OSLO)
    assert (found.why, found.instead_of, found.begins) == (Layer.COVER, BJARTE, TEN)
    plan = replace(plan, absences=[*plan.absences, Absence(DINA, TEN, None, CARL), Absence(CARL, TEN, NOON, BJARTE)])
    assert told(plan, *at, "2026-11-22T13:00") == "- C", "the cover's cover, and nobody is asked in a circle"


def test_a_zones_decisions_concern_its_shifts_and_those_around_it() -> None:
    around = replace(DAY, shifts=[*DAY.shifts, replace(DAY.shifts[6], person_id=CARL, nearness=1)])
    assert told(changed(around, replace(override(ANNE, None), nearness=1)), "2026-11-22T11:00") == "AC"
    assert told(changed(around, override(CARL, None)), "2026-11-22T11:00") == "A"


@pytest.mark.parametrize(("change", "why"), [
    (override(ANNE, CARL), None),
    (override(None, CARL), None),
    (override(CARL, DINA), Unfit.NOT_ON_DUTY),
    (override(None, ANNE), Unfit.TWO_PLACES),
    (override(ANNE, ANNE), Unfit.SAME_PERSON),
    (override(None, DINA, NOON, SIX), Unfit.AWAY),
    (swap("2026-11-24", "2026-11-25"), None),
    (swap("2026-11-24", "2026-11-24"), None),
    (Change(Layer.SWAP, (Part(ANNE, BJARTE, TEN, SIX), Part(BJARTE, ANNE, SIX, SIX + timedelta(hours=1)))), Unfit.NOT_ON_DUTY),
    (Change(Layer.SWAP, (Part(ANNE, CARL, TEN, NOON), Part(CARL, ANNE, SIX, SIX + timedelta(hours=1)))), Unfit.NOT_ON_DUTY),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(change: Change, why: Unfit | None) -> None:
    assert unfit(replace(DAY, absences=[Absence(DINA, NOON)]), change, OSLO) == why


def test_what_changes_nothing_is_refused() -> None:
    swapped = changed(DAY, swap("2026-11-22", "2026-11-23"))
    taken_off = override(BJARTE, None, TEN, NOON)  # who serves by the swap, which has the last word
    assert unfit(swapped, taken_off, OSLO) is Unfit.CHANGES_NOTHING


def test_whoever_serves_two_shifts_in_a_row_began_with_the_first() -> None:
    plan = Plan([Shift(ANNE, 6, time(8), time(12)), Shift(ANNE, 6, time(12), time(20))])
    (now,) = duty.serving(plan, SIX, OSLO)
    assert (now.begins, duty.began(plan, now, OSLO)) == (NOON, oslo("2026-11-22T08:00"))
    always = Plan([Shift(ANNE, day, time(0), time(0)) for day in range(7)])
    (now,) = duty.serving(always, SIX, OSLO)
    assert SIX - timedelta(hours=48) < duty.began(always, now, OSLO) < SIX, "as far as a day back"


PERSONS = st.integers(1, 4)
DAYS = st.dates(date(2026, 3, 24), date(2026, 4, 7))
SHIFTS = st.builds(
    Shift,
    PERSONS,
    st.integers(0, 6),
    TIMES,
    TIMES,
    position=st.integers(0, 2),
    weeks=st.just(2),
    week=st.integers(0, 1),
    nearness=st.integers(0, 1),
) | st.builds(Shift, PERSONS, st.none(), TIMES, TIMES, days=st.just(frozenset({HOLIDAY})))
ROTATIONS = st.builds(
    Rotation,
    st.lists(PERSONS, min_size=1, max_size=3).map(tuple),
    DAYS,
    TIMES,
    st.integers(1, 8),
    nearness=st.integers(0, 1),
)
STRETCHES = st.tuples(
    st.datetimes(datetime(2026, 3, 24), datetime(2026, 4, 7), timezones=st.just(UTC)), st.integers(1, 60)
)
CHANGES = st.builds(
    lambda leaves, comes, at: Change(Layer.OVERRIDE, (Part(leaves, comes, at[0], at[0] + timedelta(hours=at[1])),)),
    st.none() | PERSONS,
    st.none() | PERSONS,
    STRETCHES,
)
ABSENCES = st.builds(
    lambda person, at, cover: Absence(person, at[0], at[0] + timedelta(hours=at[1]), cover),
    PERSONS,
    STRETCHES,
    st.none() | PERSONS,
)
PLANS = st.builds(
    Plan,
    shifts=st.lists(SHIFTS, max_size=6),
    rotations=st.lists(ROTATIONS, max_size=2),
    planned=st.lists(
        st.builds(lambda who, at: Planned(who, at[0], at[0] + timedelta(hours=at[1])), PERSONS, STRETCHES), max_size=3
    ),
    changes=st.lists(CHANGES, max_size=3),
    absences=st.lists(ABSENCES, max_size=3),
)
MARCH = st.datetimes(datetime(2026, 3, 26), datetime(2026, 4, 6), timezones=st.just(UTC))


@given(plan=PLANS, now=MARCH)
def test_whoever_is_away_serves_nowhere_and_nobody_twice(plan: Plan, now: datetime) -> None:
    found = duty.serving(plan, now, OSLO)
    persons = [each.person_id for each in found]
    assert len(set(persons)) == len(persons)
    assert not {each.person_id for each in plan.absences if each.at(now)} & set(persons)
    assert [each.position for each in found] == sorted(each.position for each in found)
    assert all(each.begins <= now < each.ends for each in found), "what is told of a duty holds now"


@given(plan=PLANS, since=MARCH, hours=st.integers(1, 72), probe=st.floats(0, 0.999))
def test_spans_are_without_gaps_and_tell_who_serves_at_each_instant(
    plan: Plan, since: datetime, hours: int, probe: float
) -> None:
    until = since + timedelta(hours=hours)
    found = spans(plan, since, until, OSLO)
    assert [each.begins for each in found] == [since, *(each.ends for each in found[:-1])]
    assert found[-1].ends == until
    at = since + (until - since) * probe
    (span,) = [each for each in found if each.begins <= at < each.ends]
    assert span.duties == duty.serving(plan, at, OSLO)


@given(plan=PLANS, one=PERSONS, other=PERSONS, mine=STRETCHES, theirs=STRETCHES, now=MARCH)
def test_a_swap_opens_no_gap_and_puts_nobody_in_two_places(
    plan: Plan, one: int, other: int, mine: tuple[datetime, int], theirs: tuple[datetime, int], now: datetime
) -> None:
    parts = [(one, other, mine), (other, one, theirs)]
    made = Change(Layer.SWAP, tuple(Part(a, b, at, at + timedelta(hours=hours)) for a, b, (at, hours) in parts))
    if unfit(plan, made, OSLO) is None:
        assert len(duty.serving(changed(plan, made), now, OSLO)) == len(duty.serving(plan, now, OSLO))


@given(plan=PLANS, now=MARCH, order=st.randoms(use_true_random=False))
def test_in_which_order_plans_were_written_down_does_not_matter(plan: Plan, now: datetime, order: object) -> None:
    mixed = list(plan.shifts)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    again = replace(plan, shifts=mixed)
    assert duty.serving(again, now, OSLO) == duty.serving(plan, now, OSLO)
