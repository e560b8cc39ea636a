"""Charts as geometry: what is where, in percent across and pixels down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.chart import AXIS, BARS, GAP, LABEL, LINE, Axis, Counted, Measured, Shade, chart, moments

OSLO = ZoneInfo("Europe/Oslo")
START = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def axis(hours: int = 10) -> Axis:
    return Axis(START, START + hours * HOUR, [START + number * HOUR for number in range(hours + 1)])


def test_bars_stand_on_their_floor_as_high_as_their_count() -> None:
    made = chart(axis(4), [Counted("often", [0, 1000, 1, 500]), Counted("once", [0, 0, 0, 1])], [])
    often, once = made.rows
    assert [(each.bucket, each.x, each.height) for each in often.bars] == [
        (1, 25.0, BARS), (2, 50.0, 3), (3, 75.0, BARS / 2),
    ]  # fmt: skip
    assert all(each.y + each.height == often.floor for each in often.bars)
    assert [each.height for each in once.bars] == [BARS], "each row has a scale of its own"
    assert (often.ceiling, often.floor) == (LABEL, LABEL + BARS)
    assert once.ceiling == often.floor + GAP + LABEL
    assert made.height == made.floor + AXIS


def test_a_line_is_broken_where_nobody_knows() -> None:
    values = [50.0, 100.0, None, 0.0, None, None, None, 25.0, None, 30.0]
    made = chart(axis(), [], [Measured("battery", values, 0, 100, 2 * HOUR)])
    (row,) = made.rows
    assert [(each.x1, each.x2) for each in row.pieces] == [(5.0, 15.0), (15.0, 35.0), (75.0, 95.0)]
    assert (row.pieces[0].y1, row.pieces[0].y2) == (LABEL + LINE / 2, LABEL)
    assert row.pieces[1].y2 == LABEL + LINE
    assert [each.x for each in row.dots] == [95.0], "the last value has a dot"
    (alone,) = chart(axis(), [], [Measured("b", [None] * 9 + [1.0], 0, 100, HOUR)]).rows
    assert (alone.pieces, [each.x for each in alone.dots]) == ((), [95.0])
    (flat,) = chart(axis(1), [], [Measured("b", [5.0], 5, 5, HOUR)]).rows
    assert flat.dots[0].y == flat.floor


def test_shades_are_cut_to_what_is_shown() -> None:
    shades = [
        Shade("deaf", START - 5 * HOUR, START + HOUR),
        Shade("silent", START + 9 * HOUR, START + 50 * HOUR),
        Shade("deaf", START + 5 * HOUR, START + 5 * HOUR + timedelta(seconds=1)),
        Shade("deaf", START - 5 * HOUR, START - HOUR),
    ]
    bands = chart(axis(), [], [], shades).bands
    assert [(each.kind, each.x, each.width) for each in bands] == [
        ("deaf", 0.0, 10.0), ("silent", 90.0, 10.0), ("deaf", 50.0, 0.35),
    ]  # fmt: skip


def test_a_row_has_a_value_for_each_bucket() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        chart(axis(4), [Counted("short", [1, 2])], [])


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_whatever_the_counts_are_nothing_leaves_the_picture(counts: list[int]) -> None:
    (row,) = chart(axis(len(counts)), [Counted("any", counts)], []).rows
    assert len(row.bars) == sum(each > 0 for each in counts)
    for bar in row.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= 100.01
        assert row.ceiling <= bar.y < row.floor
        assert bar.width > 0


@pytest.mark.parametrize(
    ("since", "length", "expected"),
    [
        (datetime(2026, 3, 3, 21, 40, tzinfo=OSLO), 24 * HOUR, ["00:00", "06:00", "12:00", "18:00"]),
        (datetime(2026, 3, 3, 12, 10, tzinfo=OSLO), 4 * HOUR, ["13:00", "14:00", "15:00", "16:00"]),
        (datetime(2026, 3, 28, 12, tzinfo=OSLO), timedelta(days=4), ["00:00"] * 4),
        (datetime(2026, 10, 24, 12, tzinfo=OSLO), timedelta(days=30), ["00:00"] * 5),
    ],
    ids=["a day", "some hours", "over spring", "a month over autumn"],
)
def test_marks_are_round_local_times(since: datetime, length: timedelta, expected: list[str]) -> None:
    found = moments(since.astimezone(UTC), since.astimezone(UTC) + length, OSLO)
    assert [each.astimezone(OSLO).strftime("%H:%M") for each in found] == expected
    assert all(each.tzinfo is UTC for each in found)
    assert all(one < two for one, two in pairwise(found))


@pytest.mark.parametrize("day", ["2026-03-28T23:00Z", "2026-10-24T22:00Z"], ids=["spring", "autumn"])
def test_hours_that_the_clocks_skip_or_repeat_are_marked_once(day: str) -> None:
    midnight = datetime.fromisoformat(day)
    found = moments(midnight, midnight + 25 * HOUR, OSLO, most=40)
    assert len(found) == len(set(found))
    assert found == sorted(found)


def test_however_long_the_marks_are_few() -> None:
    for days in (1, 3, 10, 40, 200, 366):
        assert 0 < len(moments(START, START + timedelta(days=days), OSLO)) <= 5
