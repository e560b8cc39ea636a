"""A healthy home raises nothing: simulated weeks of every kind, judged by every default rule."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from alerts.replay import Fitted, Planned, replay
from alerts.schedule import DosePlan
from devices.kinds import kinds
from devices.model import Said
from simulators.home import Fitting, Life, script
from tests.alerts.replays import SINCE, default_book, story, subject

WEEK = 7
FIRST_DAY = date(2026, 11, 2)
DOSES = (time(8), time(20))
HEALTHY = Life(falls_per_day=0, missed_per_dose=0)


def a_week(kind: str, address: str, seed: int) -> list[Said]:
    fitting = Fitting(address=address, kind=kind, doses=DOSES if kind == "medicine_dispenser" else ())
    days = [FIRST_DAY + timedelta(days=day) for day in range(WEEK)]
    return [said for day in days for said in script(fitting, day, HEALTHY, seed)]


@pytest.mark.parametrize("seed", range(3))
def test_a_week_of_a_healthy_home_with_every_device_raises_nothing(seed: int) -> None:
    said = {(kind, number): a_week(kind, f"{kind}-1", seed) for number, kind in enumerate(sorted(kinds()), start=1)}
    number = sorted(kinds()).index("medicine_dispenser") + 1
    silent_after = kinds()["medicine_dispenser"].silent_after.total_seconds()
    fitted = Fitted("medicine_dispenser", subject(number), silent_after, SINCE)
    planned = [Planned(index, fitted, DosePlan(at, frozenset(range(7)), FIRST_DAY)) for index, at in enumerate(DOSES)]
    found = replay(story(said, WEEK, planned=planned), default_book())
    assert [(each.first.condition, each.first.evidence.type, each.raised_at) for each in found.alerts] == []
    assert found.failures == []
    assert all(len(told) > WEEK for told in said.values()), "they lived"


def test_a_week_in_which_the_dispenser_says_nothing_of_its_doses_is_missed_every_time() -> None:
    """So that the story above can fail."""
    fitted = Fitted("medicine_dispenser", subject(1), 7200.0, SINCE)
    planned = [Planned(1, fitted, DosePlan(time(8), frozenset(range(7)), FIRST_DAY))]
    fitting = Fitting(address="d", kind="medicine_dispenser")
    days = [FIRST_DAY + timedelta(days=day) for day in range(WEEK)]
    said = {("medicine_dispenser", 1): [each for day in days for each in script(fitting, day, HEALTHY, 1)]}
    found = replay(story(said, WEEK, planned=planned), default_book())
    assert [each.first.condition for each in found.alerts] == ["dose_missed"] * WEEK
