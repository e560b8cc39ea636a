"""Stories of what is waited for: left in a state, missed, out and not back – in order, late, and when the clocks change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.model import Raise, WatchState
from alerts.rules import LastWord, Scene, Start, parse_rule
from alerts.rules.compound import Compound
from tests.alerts.homes import HOME, NIGHT, SHELF, said
from tests.alerts.lives import OSLO, Life

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BASE = {"name": "r", "condition": "left_open", "vkp_code": "4.15", "severity": 20, "track": "care"}


def life(data: dict[str, Any], **more: Any) -> Life:
    return Life(parse_rule({**BASE, **data}), **more)


# State ----------------------------------------------------------------------------------------------------------------

OPEN = {"type": "state", "enters": ["opened"], "leaves": ["closed"], "for_seconds": 300}
OFFLINE = {
    "type": "state", "enters": ["presence"], "only_if": {"online": [False]}, "leaves": ["presence", "heartbeat"],
    "for_seconds": 600, "track": "technical",
}  # fmt: skip


def test_a_door_that_is_left_open_is_raised_once() -> None:
    door = life(OPEN).says("opened", NIGHT).until(NIGHT + 5 * MINUTE - timedelta(seconds=1))
    assert door.log == []
    door.until(NIGHT + 5 * MINUTE).until(NIGHT + 9 * HOUR)
    assert door.log == ["left_open"]
    (raised,) = [each for each in door.judged.signals if isinstance(each, Raise)]
    assert (raised.evidence.type, raised.evidence.occurred_at, raised.evidence.late_seconds) == ("opened", NIGHT, 0)
    assert raised.evidence.received_at == NIGHT + 5 * MINUTE


def test_a_door_that_is_closed_in_time_is_nothing() -> None:
    assert life(OPEN).says("opened", NIGHT).says("closed", NIGHT + MINUTE).until(NIGHT + HOUR).log == []


def test_to_say_so_again_is_the_same_state() -> None:
    door = life(OPEN).says("opened", NIGHT)
    for minute in range(1, 5):
        door.says("opened", NIGHT + minute * MINUTE)
    assert door.until(NIGHT + 5 * MINUTE).log == ["left_open"]
    assert door.says("opened", NIGHT + 7 * MINUTE).until(NIGHT + HOUR).log == ["left_open"]


def test_a_lost_end_does_not_hide_the_next_night() -> None:
    door = life(OPEN).says("opened", NIGHT).until(NIGHT + HOUR).says("opened", NIGHT + 2 * HOUR).until(NIGHT + 5 * HOUR)
    assert door.log == ["left_open"], "told again: the same state"
    assert door.says("opened", NIGHT + 24 * HOUR).until(NIGHT + 25 * HOUR).log == ["left_open"] * 2


def test_a_late_end_that_is_older_than_an_entering_ends_nothing() -> None:
    door = life(OPEN).says("opened", NIGHT).says("opened", NIGHT + 3 * MINUTE).says("closed", NIGHT + 2 * MINUTE)
    assert door.until(NIGHT + HOUR).log == ["left_open"]


def test_what_is_left_out_counts_as_no_entering() -> None:
    by_hand = {**OPEN, "enters": ["unlocked"], "leaves": ["locked"], "except_if": {"method": ["key"]}}
    lock = life(by_hand).says("unlocked", NIGHT, fields={"method": "key"}).until(NIGHT + HOUR)
    assert lock.log == []
    assert lock.says("unlocked", NIGHT + HOUR, fields={"method": "fob"}).until(NIGHT + 2 * HOUR).log == ["left_open"]


def test_a_device_that_is_fitted_nowhere_keeps_nobody_waiting() -> None:
    rule = parse_rule({**BASE, **OPEN})
    assert rule.observe(1, said("opened", kind="door_sensor", subject=SHELF), Scene()).watches == ()


def test_what_ends_it_after_it_was_raised_is_told_and_closes_nothing() -> None:
    door = life(OPEN).says("opened", NIGHT).until(NIGHT + 6 * MINUTE).says("closed", NIGHT + 7 * MINUTE)
    assert door.log == ["left_open", "told closed"]
    assert door.says("opened", NIGHT + HOUR).until(NIGHT + 2 * HOUR).log == ["left_open", "told closed", "left_open"]


def test_what_comes_late_never_ends_something_newer() -> None:
    door = life(OPEN).says("opened", NIGHT + 10 * MINUTE).says("closed", NIGHT + 2 * MINUTE, delay=20 * MINUTE)
    assert door.until(NIGHT + HOUR).log == ["left_open"]


def test_an_opening_that_comes_after_its_own_end_is_over() -> None:
    """In the wrong order, also where it is the first that is ever heard of the door."""
    assert life(OPEN).says("closed", NIGHT + MINUTE).says("opened", NIGHT).until(NIGHT + HOUR).log == []
    door = life(OPEN).says("opened", NIGHT).says("closed", NIGHT + 2 * MINUTE).says("opened", NIGHT + MINUTE)
    assert door.until(NIGHT + HOUR).log == []


def test_a_late_opening_is_raised_soon_and_history_is_not() -> None:
    late = life(OPEN).says("opened", NIGHT, delay=2 * HOUR)
    assert late.until(NIGHT + 2 * HOUR + 30 * timedelta(seconds=1)).log == [], (
        "what was sent behind it may be on its way"
    )
    assert late.until(NIGHT + 2 * HOUR + 2 * MINUTE).log == ["left_open"]
    both = life(OPEN).says("opened", NIGHT, delay=2 * HOUR).says("closed", NIGHT + MINUTE, delay=2 * HOUR)
    assert both.until(NIGHT + 9 * HOUR).log == []
    assert life(OPEN).says("opened", NIGHT, delay=25 * HOUR).until(NIGHT + 30 * HOUR).log == []


def test_nothing_is_raised_of_a_time_that_was_not_heard() -> None:
    door = life(OPEN).says("opened", NIGHT).until(NIGHT + HOUR, heard_until=NIGHT + 4 * MINUTE)
    assert door.log == []
    assert door.until(NIGHT + HOUR).log == ["left_open"]


def test_a_changed_rule_moves_what_waits() -> None:
    """Whoever edits a rule makes its watches due at once; the rule as it is now says until when."""
    door = life(OPEN).says("opened", NIGHT)
    door.rule = parse_rule({**BASE, **OPEN, "for_seconds": 1200})
    door.until(NIGHT + 6 * MINUTE)
    assert (door.log, door.watch and door.watch.due_at) == ([], NIGHT + 20 * MINUTE)
    door.rule = parse_rule({**BASE, **OPEN, "for_seconds": 60})
    assert door.until(NIGHT + 20 * MINUTE).log == ["left_open"]


def test_connection_lost_is_a_state_of_its_fields() -> None:
    gone, back = {"online": False}, {"online": True}
    device = life(OFFLINE).says("presence", NIGHT, fields=gone).until(NIGHT + 11 * MINUTE)
    assert device.log == ["left_open"]
    assert device.says("presence", NIGHT + 12 * MINUTE, fields=back).log == ["left_open", "cleared"]
    for end in ({"type_": "presence", "fields": back}, {"type_": "heartbeat"}):
        quick = life(OFFLINE).says("presence", NIGHT, fields=gone).says(at=NIGHT + MINUTE, **end)
        assert quick.until(NIGHT + HOUR).log == []


def test_a_state_matters_within_its_window_only() -> None:
    """22 to 06: a door that is open since the evening is raised when the night begins, if it still is."""
    at_night = {**OPEN, "window": {"from_time": "22:00", "to_time": "06:00"}}
    evening = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)  # 20:00 in Oslo
    assert life(at_night).says("opened", evening).until(evening + 2 * HOUR).log == ["left_open"]
    assert life(at_night).says("opened", evening).until(evening + 119 * MINUTE).log == []
    assert life(at_night).says("opened", evening).says("closed", evening + HOUR).until(evening + 9 * HOUR).log == []


# Missed ---------------------------------------------------------------------------------------------------------------

AFTER = {"type": "missed", "after": ["dose_dispensed"], "met_by": ["dose_taken"], "within_seconds": 1800}
BY = {"type": "missed", "met_by": ["worn"], "since": "05:00", "by": "11:00"}


def test_one_thing_has_to_follow_another() -> None:
    assert life(AFTER).says("dose_dispensed", NIGHT).until(NIGHT + HOUR).log == ["left_open"]
    taken = life(AFTER).says("dose_dispensed", NIGHT).says("dose_taken", NIGHT + 10 * MINUTE)
    assert taken.until(NIGHT + HOUR).log == []
    late = life(AFTER).says("dose_dispensed", NIGHT).until(NIGHT + HOUR).says("dose_taken", NIGHT + 2 * HOUR)
    assert late.log == ["left_open", "told dose_taken"]


def test_each_time_that_it_does_not_follow_is_an_alert_of_its_own() -> None:
    doses = life(AFTER)
    for day in range(3):
        doses.says("dose_dispensed", NIGHT + day * 12 * HOUR).until(NIGHT + (day * 12 + 1) * HOUR)
    assert doses.log == ["left_open"] * 3


def test_a_word_that_follows_may_begin_the_next_wait() -> None:
    rounds = life({**AFTER, "after": ["opened"], "met_by": ["opened"], "within_seconds": 3600})
    for half in range(3):
        rounds.says("opened", NIGHT + half * 30 * MINUTE)
    assert rounds.until(NIGHT + 9 * HOUR).log == ["left_open"]


def standing(data: dict[str, Any], now: datetime) -> Life:

    begun = life(data)
    begun.watch = begun.rule.begin(1, HOME, Start(now, OSLO, 3600))
    return begun


def oslo(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=OSLO).astimezone(UTC)


def test_something_has_to_happen_by_a_time_every_day() -> None:
    wearer = standing(BY, oslo(20, 3)).until(oslo(20, 10))
    wearer.says("worn", oslo(20, 8)).until(oslo(20, 23))
    assert wearer.log == []
    wearer.until(oslo(21, 10, 59))
    assert wearer.log == []
    assert wearer.until(oslo(21, 11)).log == ["left_open"]
    assert wearer.says("worn", oslo(21, 12)).log == ["left_open", "told worn"]
    assert wearer.says("worn", oslo(22, 7)).until(oslo(22, 23)).log == ["left_open", "told worn"]


def test_a_day_that_has_begun_does_not_count_and_neither_does_the_evening_before() -> None:
    assert standing(BY, oslo(20, 9)).until(oslo(20, 23)).log == []
    assert standing(BY, oslo(20, 3)).says("worn", oslo(20, 4)).until(oslo(20, 12)).log == ["left_open"]


def edited(wearer: Life, now: datetime, **more: Any) -> Life:
    """Whoever edits a rule makes its watches due at once."""
    wearer.rule = parse_rule({**BASE, **BY, **more})
    assert wearer.watch is not None
    wearer.watch = replace(wearer.watch, due_at=now)
    return wearer.until(now)


def test_an_edited_beginning_loses_no_day_and_accuses_nobody() -> None:
    wearer = edited(standing(BY, oslo(20, 20)), oslo(20, 20), since="04:00")
    assert wearer.watch is not None
    assert (wearer.watch.since, wearer.watch.due_at) == (oslo(21, 4), oslo(21, 11))
    touched = standing(BY, oslo(20, 20)).until(oslo(21, 7))
    assert touched.watch is not None
    touched.watch = replace(touched.watch, due_at=oslo(21, 8))
    assert touched.says("worn", oslo(21, 8)).until(oslo(21, 23)).log == []


def test_after_an_outage_the_morning_that_was_heard_counts() -> None:
    """Yesterday nobody put it on; today somebody did, and word of it came before yesterday was judged."""
    wearer = standing(BY, oslo(20, 20)).until(oslo(21, 12), heard_until=oslo(21, 10))
    assert wearer.log == [], "not heard until eleven"
    wearer.says("worn", oslo(22, 7)).until(oslo(22, 9))
    assert wearer.log == ["left_open"]
    assert wearer.until(oslo(22, 23)).log == ["left_open"]
    assert wearer.until(oslo(23, 11)).log == ["left_open"] * 2


@pytest.mark.parametrize(("month", "day"), [(3, 29), (10, 25)], ids=["spring", "autumn"])
def test_by_a_time_is_by_the_clock_on_the_wall(month: int, day: int) -> None:
    wearer = standing(BY, oslo(day - 1, 23, month=month))
    assert wearer.watch is not None
    assert (wearer.watch.since, wearer.watch.due_at) == (oslo(day, 5, month=month), oslo(day, 11, month=month))
    assert wearer.until(oslo(day + 1, 4, month=month)).log == ["left_open"]
    assert wearer.watch.due_at == oslo(day + 1, 11, month=month)


def test_by_a_time_on_some_days() -> None:
    weekdays = standing({**BY, "weekdays": [0, 1, 2, 3, 4]}, oslo(20, 12))  # a Friday
    assert weekdays.until(oslo(23, 10)).log == []
    assert weekdays.until(oslo(23, 11)).log == ["left_open"]


@pytest.mark.parametrize(
    "wrong",
    [{}, {"after": ["a"]}, {"within_seconds": 5}, {"after": ["a"], "within_seconds": 5, "by": "11:00"}, {"by": "04:00", "since": "05:00"}],
)  # fmt: skip
def test_missed_is_one_of_two_things(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse_rule({**BASE, "type": "missed", "met_by": ["worn"], **wrong})


# Compound -------------------------------------------------------------------------------------------------------------

NOT_BACK = {
    "type": "compound", "on": ["opened", "went_out"], "unless": ["opened", "came_in", "safety_alarm/zone_entered"],
    "within_seconds": 600, "window": {"from_time": "22:00", "to_time": "06:00"}, "condition": "not_back",
}  # fmt: skip
CAME_IN = {
    "of": ["door_sensor/went_out", "door_sensor/came_in", "safety_alarm/zone_left"],
    "is_one_of": ["door_sensor/came_in"],
}
OCCUPIED = {
    "type": "compound",
    "on": ["smoke"],
    "condition": "fire",
    "per": "dwelling",
    "tells": "home_occupied",
    "given": [CAME_IN],
}


def test_out_at_night_and_not_back() -> None:
    assert life(NOT_BACK).says("opened", NIGHT).until(NIGHT + 10 * MINUTE).log == ["not_back"]
    back = life(NOT_BACK).says("opened", NIGHT).says("opened", NIGHT + 9 * MINUTE)
    assert back.until(NIGHT + HOUR).log == []
    again = back.says("opened", NIGHT + HOUR).until(NIGHT + 2 * HOUR)
    assert again.log == ["not_back"]
    assert again.says("came_in", NIGHT + 3 * HOUR).log == ["not_back", "told came_in"]


def test_out_by_day_is_nothing() -> None:
    noon = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
    assert life(NOT_BACK).says("opened", noon).until(noon + HOUR).log == []


def test_a_door_that_bounces_has_nobody_coming_back() -> None:
    door = life({**NOT_BACK, "settle_seconds": 30}).says("opened", NIGHT).says("opened", NIGHT + timedelta(seconds=3))
    assert door.until(NIGHT + HOUR).log == ["not_back"]


def test_another_night_is_another_alert_though_nobody_was_heard_to_come_back() -> None:
    out = life(NOT_BACK).says("went_out", NIGHT).until(NIGHT + HOUR)
    assert out.says("went_out", NIGHT + 24 * HOUR).until(NIGHT + 25 * HOUR).log == ["not_back"] * 2


@pytest.mark.parametrize("wrong", [{"tells": "home_empty"}, {"per": "dwelling", "track": "technical"}])
def test_what_a_compound_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse_rule({**BASE, **NOT_BACK, **wrong})


def test_a_late_coming_back_ends_it_only_if_it_was_after() -> None:
    out = life(NOT_BACK).says("went_out", NIGHT).says("came_in", NIGHT - MINUTE, delay=3 * MINUTE)
    assert out.until(NIGHT + HOUR).log == ["not_back"]


def test_another_device_of_the_home_may_see_them_come_back() -> None:
    out = life(NOT_BACK).says("went_out", NIGHT)
    rule, watch = out.rule, out.watch
    assert isinstance(rule, Compound)
    assert watch is not None
    assert "safety_alarm/zone_entered" in rule.listens("door_sensor")
    assert "door_sensor/opened" in rule.listens("door_sensor"), "another door of the home"
    home = rule.neighbour(1, said("zone_entered", NIGHT + MINUTE, kind="safety_alarm"), watch)
    assert home.watches[0].state is WatchState.MET
    too_early = rule.neighbour(1, said("zone_entered", NIGHT - MINUTE, kind="safety_alarm"), watch)
    assert too_early.watches == ()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, []),
        ({"door_sensor/came_in": 60}, ["told smoke"]),
        ({"door_sensor/came_in": 60, "door_sensor/went_out": 90}, ["told smoke"]),
        ({"door_sensor/came_in": 60, "door_sensor/went_out": 30}, []),
        ({"door_sensor/came_in": 60, "safety_alarm/zone_left": 10}, []),
        ({"door_sensor/came_in": 25 * 60}, []),
    ],
    ids=str,
)
def test_smoke_and_somebody_at_home(words: dict[str, int], told: list[str]) -> None:
    """What the devices of the home said last, so many minutes ago."""
    home = {word: LastWord(NIGHT - ago * MINUTE, NIGHT) for word, ago in words.items()}
    fire = life(OCCUPIED, kind="fire_sensor", home=home).says("smoke", NIGHT)
    assert fire.log == told
    assert [signal.key for signal in fire.judged.signals] == ["fire:dwelling:5"] * len(told)


def test_what_nobody_knows_can_count_as_so() -> None:
    unknown = {**OCCUPIED, "given": [{**CAME_IN, "if_unknown": True}]}
    assert life(unknown, kind="fire_sensor").says("smoke", NIGHT).log == ["told smoke"]
