"""What the default rules of each kind make of what its devices say, and do not say – to the code, severity and track."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from devices.kinds import kinds
from devices.vkp import Severity
from simulators.home import Fitting
from tests.alerts.households import Households, book_with, told
from tests.alerts.lives import OSLO

NOON = datetime(2026, 3, 3, 12, tzinfo=OSLO)
NIGHT = datetime(2026, 3, 3, 23, tzinfo=OSLO)
CARE, TECHNICAL = "care", "technical"
NORMAL, MODERATE, SERIOUS, CRITICAL = (int(each) for each in list(Severity)[1:])
A_YEAR = timedelta(days=365)

Said = tuple[float, str] | tuple[float, str, dict[str, Any]]
"""Minutes after the beginning, type, fields."""
Alert = tuple[str, str | None, int, str]


def raised(
    kind: str, said: list[Said], *, since: datetime = NOON, hours: float = 2, enabled: tuple[str, ...] = ()
) -> list[Alert]:
    """The alerts of one device that says these things: condition, code, severity, track."""
    homes = Households(since, book_with(*enabled))
    homes.fit(Fitting(address="one", kind=kind), silent_after=A_YEAR)
    for minutes, type_, *fields in said:
        homes.says("one", since + timedelta(minutes=minutes), type_, **(fields[0] if fields else {}))
    alerts = told(homes.alerts(since + timedelta(hours=hours)))
    return [(each["condition"], each["vkp"], each["severity"], each["track"]) for each in alerts]


AT_ONCE: dict[str, dict[str, list[Alert]]] = {
    "door_sensor": {},
    "e_lock": {
        "jammed": [("jammed", "6", SERIOUS, CARE), ("needs_repair", None, SERIOUS, TECHNICAL)],
        "forced": [("forced", "6", CRITICAL, CARE)],
        "motor_blocked": [("motor_blocked", None, SERIOUS, TECHNICAL)],
    },
    "fire_sensor": {
        "smoke": [("fire", "4.11", CRITICAL, CARE)],
        "heat": [("fire", "4.11", CRITICAL, CARE)],
        "end_of_life": [("end_of_life", None, SERIOUS, TECHNICAL)],
    },
    "fall_alarm": {
        "fall": [("fall", "4.1", CRITICAL, CARE)],
        "button_pressed": [("button_pressed", "4.13", SERIOUS, CARE)],
        "battery_empty": [("unprotected", None, MODERATE, CARE), ("battery_empty", None, SERIOUS, TECHNICAL)],
        "end_of_life": [("end_of_life", None, SERIOUS, TECHNICAL)],
    },
    "safety_alarm": {
        "button_pressed": [("button_pressed", "3", SERIOUS, CARE)],
        "fall": [("fall", "4.1", CRITICAL, CARE)],
        "zone_left": [("zone_left", "2", SERIOUS, CARE)],
        "immobility": [("immobility", "4.19", SERIOUS, CARE)],
        "battery_empty": [("unprotected", None, MODERATE, CARE), ("battery_empty", None, SERIOUS, TECHNICAL)],
        "end_of_life": [("end_of_life", None, SERIOUS, TECHNICAL)],
    },
    "medicine_dispenser": {
        "dose_missed": [("dose_missed", "1.3", SERIOUS, CARE)],
        "dose_not_dispensed": [("dose_not_dispensed", "1.1", SERIOUS, CARE)],
        "no_medicine": [("no_medicine", "1.2", SERIOUS, CARE)],
        "technical_stop": [("technical_stop", "1.5", SERIOUS, CARE), ("needs_repair", "1.5", SERIOUS, TECHNICAL)],
        "bag_unreadable": [("bag_unreadable", "1.6", MODERATE, CARE)],
        "roll_fault": [("roll_fault", "1.7", MODERATE, CARE)],
        "jam": [("jam", "1.8", SERIOUS, CARE), ("needs_repair", "1.5", SERIOUS, TECHNICAL)],
        "tray_full": [("tray_full", "1.9", MODERATE, CARE)],
        "low_stock": [("low_stock", "1.12", NORMAL, CARE)],
        "empty": [("empty", "1.13", SERIOUS, CARE)],
        "break_in": [("break_in", "1.22", SERIOUS, CARE)],
        "left_open": [("left_open", "1.21", MODERATE, TECHNICAL)],
        "battery_low": [("battery_low", "1.17", MODERATE, TECHNICAL)],
        "battery_empty": [("battery_empty", "1.18", SERIOUS, TECHNICAL)],
        "fault": [("fault", "1.5", SERIOUS, TECHNICAL)],
    },
}
HEALTH: dict[str, list[Alert]] = {
    "battery_low": [("battery_low", None, MODERATE, TECHNICAL)],
    "battery_empty": [("battery_empty", None, SERIOUS, TECHNICAL)],
    "fault": [("fault", None, SERIOUS, TECHNICAL)],
    "tamper": [("tamper", None, MODERATE, TECHNICAL)],
    "end_of_life": [("end_of_life", None, MODERATE, TECHNICAL)],
}


def test_the_table_has_every_kind() -> None:
    assert AT_ONCE.keys() == kinds().keys()


@pytest.mark.parametrize("kind", AT_ONCE)
def test_what_it_says_is_raised_at_once_or_not_at_all(kind: str) -> None:
    """By day, and with nothing else said: everything that is not in the table calls nobody."""
    expected = {**HEALTH, **AT_ONCE[kind]}
    for event in kinds()[kind].events:
        fields = {"online": True} if event == "presence" else {}
        assert sorted(raised(kind, [(1, event, fields)], hours=1 / 40)) == sorted(expected.get(event, [])), event


@pytest.mark.parametrize("kind", AT_ONCE)
def test_the_health_of_every_kind(kind: str) -> None:
    codes = {
        "medicine_dispenser": {"battery_low": "1.17", "disconnected": "1.20", "device_silent": "1.20"},
    }.get(kind, {})
    low = ("battery_low", codes.get("battery_low"), MODERATE, TECHNICAL)
    assert raised(kind, [(1, "heartbeat", {"battery": 19})]) == [low]
    wavering: list[Said] = [(1, "heartbeat", {"battery": 19}), (5, "heartbeat", {"battery": 21}), (9, "heartbeat", {"battery": 19})]  # fmt: skip
    assert raised(kind, wavering) == [low]
    assert raised(kind, [*wavering, (20, "heartbeat", {"battery": 30}), (30, "heartbeat", {"battery": 12})]) == [
        low,
        low,
    ]
    assert raised(kind, [(1, "battery_low", {"battery": 18}), (9, "heartbeat", {"battery": 18})]) == [low]

    lost = ("disconnected", codes.get("disconnected"), MODERATE, TECHNICAL)
    assert raised(kind, [(1, "presence", {"online": False}), (10, "presence", {"online": True})]) == []
    assert raised(kind, [(1, "presence", {"online": False}), (10, "heartbeat")]) == []
    assert raised(kind, [(1, "presence", {"online": False}), (12, "heartbeat")]) == [lost]

    homes = Households(NOON)
    homes.fit(Fitting(address="one", kind=kind))
    silent = homes.alerts(NOON + timedelta(hours=26))
    (alert,) = [each for each in silent if each.first.condition == "device_silent"]
    assert (alert.first.vkp_code, alert.severity) == (codes.get("device_silent"), SERIOUS)
    assert alert.raised_at == NOON + kinds()[kind].silent_after


# Doors --------------------------------------------------------------------------------------------------------------

AT_NIGHT = ("door_at_night", "4.15", MODERATE, CARE)
NOT_BACK = ("not_back", "4.21", SERIOUS, CARE)
LEFT_OPEN = ("left_open", "4.15", MODERATE, CARE)


def test_a_door_at_night_is_told_at_once_and_who_does_not_come_back_is_searched_for() -> None:
    out: list[Said] = [(0, "went_out"), (0.05, "opened"), (0.2, "closed")]
    assert raised("door_sensor", out, since=NIGHT, hours=1 / 7) == [AT_NIGHT]
    assert raised("door_sensor", out, since=NIGHT) == [AT_NIGHT, NOT_BACK]
    assert raised("door_sensor", out, since=NOON) == []
    morning = NIGHT + timedelta(hours=7)
    assert raised("door_sensor", out, since=morning) == []
    assert raised("door_sensor", out, since=morning - timedelta(seconds=1)) == [AT_NIGHT, NOT_BACK]


@pytest.mark.parametrize(("back", "then"), [("came_in", [AT_NIGHT]), ("opened", [AT_NIGHT, NOT_BACK])])
def test_who_comes_back_within_ten_minutes_is_not_searched_for(back: str, then: list[Alert]) -> None:
    """Somebody who opens the door may be anybody."""
    assert (
        raised(
            "door_sensor", [(0, "opened"), (0.05, "went_out"), (0.2, "closed"), (9, back), (9.2, "closed")], since=NIGHT
        )
        == then
    )


def test_who_comes_home_late_and_who_visits_at_night_is_not_taken_for_somebody_who_left() -> None:
    """A plain contact cannot tell; it says that the door was opened, and no more."""
    late: list[Said] = [(0, "opened"), (0.2, "closed")]
    assert raised("door_sensor", late, since=NIGHT) == [AT_NIGHT]
    assert raised("door_sensor", [*late, (20, "opened"), (20.2, "closed")], since=NIGHT) == [AT_NIGHT]


@pytest.mark.parametrize(("home", "expected"), [("one", [AT_NIGHT]), ("another", [AT_NIGHT, NOT_BACK])])
def test_the_safety_alarm_of_the_home_sees_who_comes_back(home: str, expected: list[Alert]) -> None:
    homes = Households(NIGHT)
    homes.fit(Fitting(address="door", kind="door_sensor", home="one"))
    homes.fit(Fitting(address="alarm", kind="safety_alarm", home=home))
    for second, type_ in enumerate(("opened", "went_out", "closed")):
        homes.says("door", NIGHT + timedelta(seconds=second), type_)
    homes.says("alarm", NIGHT + timedelta(minutes=7), "zone_entered")
    alerts = told(homes.alerts(NIGHT + timedelta(hours=1)))
    assert [(each["condition"], each["vkp"], each["severity"], each["track"]) for each in alerts] == expected


def test_a_door_stands_open_for_five_minutes() -> None:
    assert raised("door_sensor", [(0, "opened"), (4.9, "closed")]) == []
    assert raised("door_sensor", [(0, "opened"), (6, "closed")]) == [LEFT_OPEN]


@pytest.mark.parametrize("word", ["unlocked", "unlatched"])
@pytest.mark.parametrize("method", ["app", "code", "fob", "remote", "fingerprint", None])
def test_a_door_that_staff_left_unlocked(word: str, method: str | None) -> None:
    fields = {} if method is None else {"method": method}
    left = ("left_unlocked", "6", MODERATE, CARE)
    assert raised("e_lock", [(0, word, fields), (9, "locked", {"method": "auto"})]) == []
    assert raised("e_lock", [(0, word, fields), (11, "locked")]) == [left]


@pytest.mark.parametrize("method", ["key", "button", "auto"])
def test_whoever_lives_there_may_leave_the_door_unlocked(method: str) -> None:
    assert raised("e_lock", [(0, "unlocked", {"method": method})], hours=9) == []


def test_a_locks_door_and_battery() -> None:
    assert raised("e_lock", [(0, "door_opened"), (9, "door_closed")]) == []
    assert raised("e_lock", [(0, "door_opened")]) == [("door_left_open", "6", MODERATE, CARE)]
    assert raised("e_lock", [(0, "heartbeat", {"battery": 9})]) == [
        ("battery_critical", None, SERIOUS, TECHNICAL),
        ("battery_low", None, MODERATE, TECHNICAL),
    ]


# Fire ---------------------------------------------------------------------------------------------------------------


def test_all_sensors_of_a_home_are_one_fire_and_neighbours_another() -> None:
    homes = Households(NOON)
    for address, home in (("a", "one"), ("b", "one"), ("c", "two")):
        homes.fit(Fitting(address=address, kind="fire_sensor", home=home), silent_after=A_YEAR)
    for number, address in enumerate(("a", "b", "c")):
        homes.says(address, NOON + timedelta(seconds=number), "heat" if number else "smoke", temperature=61)
    first, second = homes.alerts(NOON + timedelta(hours=1))
    assert (first.times, second.times) == (2, 1)


@pytest.mark.parametrize("since", [NOON, NIGHT])
def test_fire_is_raised_in_the_second_it_is_told_at_any_time(since: datetime) -> None:
    homes = Households(since)
    homes.fit(Fitting(address="a", kind="fire_sensor"))
    homes.says("a", since, "smoke")
    (fire,) = homes.alerts(since + timedelta(minutes=1))
    assert fire.raised_at == fire.first.evidence.received_at == since + timedelta(seconds=1)


def test_a_test_is_no_smoke() -> None:
    assert raised("fire_sensor", [(0, "test"), (1, "silenced"), (2, "cleared")]) == []


# Wearables ----------------------------------------------------------------------------------------------------------


def test_three_presses_in_ten_minutes_are_critical() -> None:
    button = "button_pressed"
    assert raised("fall_alarm", [(0, button), (4, button)]) == [(button, "4.13", SERIOUS, CARE)]
    assert raised("fall_alarm", [(0, button), (4, button), (9, button)]) == [(button, "4.13", CRITICAL, CARE)]
    assert raised("fall_alarm", [(0, button), (9, button), (18, button)]) == [(button, "4.13", SERIOUS, CARE)]


def test_an_alarm_that_nobody_wears() -> None:
    assert raised("fall_alarm", [(0, "not_worn"), (23 * 60, "worn")], hours=48) == []
    assert raised("fall_alarm", [(0, "not_worn"), (25 * 60, "worn")], hours=48) == [("not_worn", None, NORMAL, CARE)]


def test_an_alarm_that_is_not_put_on_in_the_morning_where_somebody_wants_to_know() -> None:
    evening = NIGHT - timedelta(hours=1)
    missed = ("not_put_on", None, NORMAL, CARE)
    assert raised("fall_alarm", [], since=evening, hours=14) == []
    assert raised("fall_alarm", [], since=evening, hours=14, enabled=("not_put_on",)) == [missed]
    put_on: list[Said] = [(10 * 60, "worn")]
    assert raised("fall_alarm", put_on, since=evening, hours=14, enabled=("not_put_on",)) == []


@pytest.mark.parametrize(("kind", "type_"), [("fall_alarm", "fall"), ("fire_sensor", "smoke"), ("e_lock", "jammed")])
def test_thirty_alarms_in_thirty_days_are_too_many(kind: str, type_: str) -> None:
    def wolf(count: int) -> list[Alert]:
        alarms: list[Said] = [(60 * 20 * number, type_) for number in range(count)]
        return [each for each in raised(kind, alarms, hours=24 * 29) if each[0] == "cries_wolf"]

    assert wolf(29) == []
    assert wolf(30) == [("cries_wolf", None, NORMAL, TECHNICAL)]


# Dispensers ---------------------------------------------------------------------------------------------------------


def test_a_short_power_cut_calls_nobody() -> None:
    assert raised("medicine_dispenser", [(0, "mains_off"), (0.9, "mains_on")]) == []
    assert raised("medicine_dispenser", [(0, "mains_off"), (2, "mains_on"), (60, "mains_off"), (61.5, "mains_on")]) == [
        ("mains_off", "1.19", MODERATE, TECHNICAL),
        ("mains_off", "1.19", MODERATE, TECHNICAL),
    ]


def test_a_dispenser_that_stands_open() -> None:
    stands_open = ("left_open", "1.21", MODERATE, TECHNICAL)
    assert raised("medicine_dispenser", [(0, "opened"), (9, "closed")]) == []
    assert raised("medicine_dispenser", [(0, "opened"), (11, "closed")]) == [stands_open]
    assert raised("medicine_dispenser", [(0, "opened"), (2, "left_open"), (40, "closed")]) == [stands_open]


def test_a_dose_that_lies_there_where_the_model_says_when_it_is_taken() -> None:
    dispensed: list[Said] = [(0, "dose_dispensed")]
    waits = ("not_taken", "1.10", MODERATE, CARE)
    assert raised("medicine_dispenser", dispensed) == []
    assert raised("medicine_dispenser", dispensed, enabled=("not_taken",)) == [waits]
    assert raised("medicine_dispenser", [*dispensed, (29, "dose_taken")], enabled=("not_taken",)) == []
