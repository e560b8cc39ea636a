"""Time as devices tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.model import CLOCK_TOLERANCE, CLOCK_UNSET_BEFORE, Flag, parse_time, settle_time

NOW = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
claims = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28), timezones=zones)


@pytest.mark.parametrize(
    ("claimed", "occurred_at", "flags"),
    [
        (NOW - SECOND, NOW - SECOND, set()),
        (NOW, NOW, set()),
        (NOW + CLOCK_TOLERANCE, NOW, set()),
        (NOW + CLOCK_TOLERANCE + timedelta(microseconds=1), NOW, {Flag.CLOCK_AHEAD}),
        (NOW + timedelta(days=3650), NOW, {Flag.CLOCK_AHEAD}),
        (NOW - timedelta(days=400), NOW - timedelta(days=400), set()),
        (CLOCK_UNSET_BEFORE, CLOCK_UNSET_BEFORE, set()),
        (CLOCK_UNSET_BEFORE - SECOND, NOW, {Flag.CLOCK_UNSET}),
        (datetime(1970, 1, 1, tzinfo=UTC), NOW, {Flag.CLOCK_UNSET}),
    ],
)
def test_settle_time(claimed: datetime, occurred_at: datetime, flags: set[Flag]) -> None:
    assert settle_time(claimed, NOW) == (occurred_at, frozenset(flags))


@given(claims)
def test_nothing_happens_after_it_was_heard(claimed: datetime) -> None:
    occurred_at, _ = settle_time(claimed, NOW)
    assert CLOCK_UNSET_BEFORE <= occurred_at <= NOW
    assert occurred_at.tzinfo is UTC


@given(claims)
def test_every_time_reads_as_it_was_written(moment: datetime) -> None:
    assert parse_time(moment.isoformat()) == moment
    assert parse_time(moment.isoformat()).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["2026-11-22T02:10:00Z", "2026-11-22T02:10:00z", "2026-11-22t03:10:00+01:00", "2026-11-22T03:10:00.000+01:00",
             "2026-11-21 23:10:00-03:00", "2026-11-22T03:10:00+0100"],
)  # fmt: skip
def test_ways_to_write_a_time(text: str) -> None:
    assert parse_time(text) == NOW


@pytest.mark.parametrize(
    "value", ["", "now", "2026-11-22", "2026-11-22T03:10:00", "2026-11-22T03:10:00+25:00", "2026-13-01T00:00:00Z", "03:10:00+01:00",
              "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1795313400", 1795313400, 1.5, None, True, [], {}],
)  # fmt: skip
def test_what_is_not_a_time(value: object) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_time(value)
