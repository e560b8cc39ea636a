"""Stories of what is counted and measured: thresholds, repeats, and a device that cries too often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.model import Raise
from alerts.rules import parse_rule
from tests.alerts.homes import NIGHT, WEARABLE
from tests.alerts.lives import Life

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BASE = {"name": "r", "condition": "c", "vkp_code": None, "severity": 40, "track": "care"}


def life(data: dict[str, Any]) -> Life:
    return Life(parse_rule({**BASE, **data}), WEARABLE)


# Threshold ------------------------------------------------------------------------------------------------------------

LOW = {"type": "threshold", "on": ["heartbeat"], "field": "battery", "below": 20, "clear_at": 30, "track": "technical"}
FAR = {"type": "threshold", "on": ["position"], "field": "distance", "above": 1000, "clear_at": 500}


def measured(data: dict[str, Any], *values: Any) -> list[str]:
    found = life(data)
    for number, value in enumerate(values):
        found.says(data["on"][0], NIGHT + number * MINUTE, fields={data["field"]: value})
    return found.log


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ((80, 21, 20), []),
        ((19,), ["c"]),
        ((19, 21, 19, 29, 3), ["c"]),
        ((19, 30), ["c", "cleared"]),
        ((19, 30, 25, 19), ["c", "cleared", "c"]),
        (("19", None, True, False, [1]), []),
        ((-5.5,), ["c"]),
    ],
    ids=str,
)
def test_hysteresis(values: tuple[Any, ...], log: list[str]) -> None:
    assert measured(LOW, *values) == log


def test_above_is_the_other_side_and_a_care_alert_is_told_not_closed() -> None:
    assert measured(FAR, 900, 1000, 1001, 600, 500, 1200) == ["c", "told position", "c"]


def test_what_is_older_than_what_was_raised_does_not_clear() -> None:
    battery = life(LOW).says("heartbeat", NIGHT, fields={"battery": 10})
    battery.says("heartbeat", NIGHT - MINUTE, fields={"battery": 90}, delay=5 * MINUTE)
    assert battery.log == ["c"]
    battery.says("heartbeat", NIGHT + 9 * MINUTE, fields={"battery": 12})
    battery.says("heartbeat", NIGHT + MINUTE, fields={"battery": 90}, delay=20 * MINUTE)
    assert battery.log == ["c"]
    assert battery.says("heartbeat", NIGHT + 10 * MINUTE, fields={"battery": 90}).log == ["c", "cleared"]


def test_history_is_not_raised() -> None:
    assert life(LOW).says("heartbeat", NIGHT, fields={"battery": 1}, delay=timedelta(hours=25)).log == []


@pytest.mark.parametrize(
    "wrong", [{"below": None}, {"above": 5}, {"clear_at": 10}, {"below": float("nan")}, {"field": ""}]
)
def test_a_threshold_has_one_side_and_a_good_one(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse_rule({**BASE, **LOW, **wrong})


# Repeat ---------------------------------------------------------------------------------------------------------------

PRESSES = {"type": "repeat", "on": ["button_pressed"], "count": 3, "within_seconds": 600}


def pressed(*minutes: float) -> list[int]:
    """How often it was pressed together, for each press that calls more people."""
    found, calls = life(PRESSES), []
    for minute in minutes:
        found.says("button_pressed", NIGHT + minute * MINUTE, delay=timedelta(hours=1))
        calls += [each.repeats for each in found.judged.signals if isinstance(each, Raise)]
    return calls


@pytest.mark.parametrize(
    ("minutes", "calls"),
    [
        ((0, 5), []),
        ((0, 5, 10), [3]),
        ((0, 5, 10.1), []),
        ((0, 5, 10.1, 11), [3]),
        ((0, 1, 2, 3, 4), [3, 4, 5]),
        ((0, 1, 2, 60, 61), [3]),
        ((0, 1, 2, 60, 61, 62), [3, 3]),
        ((0, 0, 0), [3]),
        ((10, 0, 5), [3]),
    ],
    ids=str,
)
def test_the_third_press_within_ten_minutes_calls_more_people(minutes: tuple[float, ...], calls: list[int]) -> None:
    """By the times the device gives, in whatever order word of them comes."""
    assert pressed(*minutes) == calls


def test_history_counts_for_nothing() -> None:
    found = life(PRESSES)
    for minute in range(5):
        found.says("button_pressed", NIGHT + minute * MINUTE, delay=timedelta(hours=25))
    assert (found.log, found.watch) == ([], None)


@given(st.lists(st.floats(0, 1440), min_size=1, max_size=60))
def test_three_within_the_time_are_never_missed(minutes: list[float]) -> None:
    ordered = sorted(minutes)
    together = any(later - first <= 10 for first, later in zip(ordered, ordered[2:], strict=False))
    assert bool(pressed(*ordered)) == together


def test_what_is_kept_of_a_storm_is_bounded() -> None:
    found = life(PRESSES)
    for second in range(500):
        found.says("button_pressed", NIGHT + timedelta(seconds=second))
    assert found.watch is not None
    assert len(found.watch.facts["times"]) == 100
    assert len(found.log) == 498


# Rate -----------------------------------------------------------------------------------------------------------------

CRIES = {"type": "rate", "on": ["fall", "button_pressed"], "count": 30, "days": 30, "track": "technical"}


def test_thirty_times_a_month_is_raised_once_and_over_when_it_has_calmed_down() -> None:
    device = life(CRIES)
    for day in range(29):
        device.says("fall", NIGHT + day * DAY).until(NIGHT + day * DAY)
    assert device.log == []
    device.says("button_pressed", NIGHT + 29 * DAY)
    assert device.log == ["c"]
    (raised,) = [each for each in device.judged.signals if isinstance(each, Raise)]
    assert raised.evidence.fields == {"times": 30, "days": 30}
    device.says("button_pressed", NIGHT + 29 * DAY + MINUTE)
    assert device.log == ["c"]
    assert device.until(NIGHT + 30 * DAY + timedelta(hours=1)).log == ["c"], "thirty in thirty days still"
    assert device.until(NIGHT + 34 * DAY).log == ["c", "cleared"]
    assert device.watch is not None
    assert device.watch.due_at is None


def test_twenty_nine_a_month_for_ever_are_never_raised() -> None:
    device = life(CRIES)
    for day in range(200):
        if day % 30 != 0:
            device.says("fall", NIGHT + day * DAY)
    assert device.log == []
    assert device.watch is not None
    assert len(device.watch.facts["by_day"]) <= 30
