"""Rhythms and stories: reproducible, in order, and true to local time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest

from devices.kinds import kinds
from devices.model import MessageClass, Said
from simulators.home import OSLO, Fitting, Life, class_of, midnight, saying, script, story
from simulators.town import DevicesFileError, devices_file, town

NOW = datetime(2026, 11, 22, 11, tzinfo=UTC)
DISPENSER = Fitting(address="md-1", kind="medicine_dispenser", doses=(time(8), time(20, 30)))
WEARER = Fitting(address="fa-1", kind="fall_alarm")
CALM = Life(falls_per_day=0, missed_per_dose=0)


def planned(said: list[Said]) -> list[datetime]:
    return [datetime.fromisoformat(one.fields["dose_at"]) for one in said if one.type == "dose_dispensed"]


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 7, 1), date(2026, 10, 25), date(2026, 11, 22)])
def test_doses_keep_their_local_time_when_the_clocks_change(day: date) -> None:
    doses = planned(script(DISPENSER, day, CALM, seed=1))
    assert [dose.astimezone(OSLO).time() for dose in doses] == [time(8), time(20, 30)]
    assert all(dose.utcoffset() == timedelta(0) for dose in doses)


def test_a_day_begins_at_local_midnight() -> None:
    assert midnight(date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert midnight(date(2026, 11, 22)) == datetime(2026, 11, 21, 23, tzinfo=UTC)


def test_the_same_seed_tells_the_same() -> None:
    day = date(2026, 11, 22)
    assert script(WEARER, day, Life(), 1) == script(WEARER, day, Life(), 1)
    assert script(WEARER, day, Life(), 1) != script(WEARER, day, Life(), 2)
    assert script(WEARER, day, Life(), 1) != script(WEARER, day + timedelta(days=1), Life(), 1)


def test_a_fall_a_day_is_a_fall_on_every_day() -> None:
    falls = [
        one
        for day in range(1, 29)
        for one in script(WEARER, date(2026, 2, day), Life(falls_per_day=1), 1)
        if one.type == "fall"
    ]
    assert len(falls) == 28
    assert all(fall.message_class is MessageClass.ALARM for fall in falls)


def test_a_missed_dose_is_silence() -> None:
    assert planned(script(DISPENSER, date(2026, 11, 22), Life(missed_per_dose=1), 1)) == []


@pytest.mark.parametrize("since", [NOW, datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
@pytest.mark.parametrize("fitting", [DISPENSER, WEARER], ids=lambda fitting: fitting.kind)
def test_a_story_begins_now_and_goes_on_in_order(fitting: Fitting, since: datetime) -> None:
    told = list(islice(story(fitting, CALM, 1, since), 300))
    assert told[0].at >= since
    assert all(one.at <= other.at for one, other in pairwise(told))
    assert told[-1].at - since > timedelta(days=4)


def test_what_runs_past_midnight_is_told_after_it() -> None:
    late = Fitting(address="md-2", kind="medicine_dispenser", doses=(time(23, 59, 59),))
    told = list(islice(story(late, CALM, 1, NOW), 200))
    assert [one.type for one in told].count("dose_taken") >= 3
    before = next(story(late, CALM, 1, midnight(date(2026, 11, 23))))
    assert before.at >= midnight(date(2026, 11, 23))


@pytest.mark.parametrize(
    ("kind", "type_", "expected"),
    [
        ("fall_alarm", "fall", MessageClass.ALARM),
        ("fall_alarm", "button_pressed", MessageClass.ALARM),
        ("fall_alarm", "fall_cancelled", MessageClass.EVENT),
        ("fall_alarm", "battery_empty", MessageClass.EVENT),
        ("fall_alarm", "heartbeat", MessageClass.STATUS),
        ("fall_alarm", "never heard of", MessageClass.EVENT),
        ("medicine_dispenser", "dose_missed", MessageClass.ALARM),
        ("medicine_dispenser", "dose_taken", MessageClass.EVENT),
        ("medicine_dispenser", "low_stock", MessageClass.EVENT),
    ],
)
def test_what_is_urgent(kind: str, type_: str, expected: MessageClass) -> None:
    assert class_of(kind, type_) is expected
    assert saying(kind, type_, {"x": 1}, NOW) == Said(NOW, expected, type_, {"x": 1})


def test_a_town_is_reproducible_and_has_every_kind() -> None:
    fittings = town(1, homes=50)
    assert fittings == town(1, homes=50) != town(2, homes=50)
    assert {fitting.kind for fitting in fittings} <= kinds().keys()
    assert len({fitting.address for fitting in fittings}) == len(fittings) >= 50
    assert all(bool(fitting.doses) == (fitting.kind == "medicine_dispenser") for fitting in fittings)


def test_a_devices_file(tmp_path: Path) -> None:
    path = tmp_path / "devices.json"
    path.write_text(
        '[{"address": "md-1", "kind": "medicine_dispenser", "doses": ["08:00", "20:30"]}, {"address": "fa-1", "kind": "fall_alarm"}]'
    )
    assert devices_file(path) == (DISPENSER, WEARER)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Invalid JSON"),
        ("{}", "the whole"),
        ('[{"address": "a"}]', "0.kind: Field required"),
        ('[{"address": "a b", "kind": "fall_alarm"}]', "0.address"),
        ('[{"address": "a", "kind": "toaster"}]', "is not one of door_sensor"),
        ('[{"address": "a", "kind": "fall_alarm", "doses": ["25:00"]}]', "0.doses.0"),
        ('[{"address": "a", "kind": "fall_alarm", "dozes": []}]', "0.dozes"),
        (
            '[{"address": "a", "kind": "fall_alarm"}, {"address": "a", "kind": "fall_alarm"}]',
            "a stands there more than once",
        ),
    ],
)
def test_a_devices_file_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "devices.json"
    path.write_text(text)
    with pytest.raises(DevicesFileError) as refused:
        devices_file(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_devices_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DevicesFileError, match="No such file"):
        devices_file(tmp_path / "none.json")
