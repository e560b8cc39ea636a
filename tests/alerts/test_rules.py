"""Stories of the rules: what is raised, what is not, and which rule is the nearest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from alerts.model import NOTHING, Clear, Inform, Judgement, Raise, Subject, Watch, WatchState
from alerts.rules import Rule, Scene, Start, nearest
from alerts.rules.dose import Dose
from alerts.rules.immediate import Immediate
from alerts.rules.silence import LOOK_AGAIN, Silence
from devices.model import Flag
from tests.alerts.homes import DISPENSER, HOME, NIGHT, WEARABLE, default_rule, moment, said

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EIGHT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def raised(judged: Judgement) -> list[str]:
    return [signal.condition for signal in judged.signals if isinstance(signal, Raise)]


def informed(judged: Judgement) -> list[str]:
    return [signal.evidence.type for signal in judged.signals if isinstance(signal, Inform)]


# Immediate ------------------------------------------------------------------------------------------------------------

FALL = default_rule(WEARABLE, "fall")


@pytest.mark.parametrize("delay", [timedelta(0), 20 * MINUTE, 24 * HOUR])
def test_a_fall_is_raised_fresh_and_late(delay: timedelta) -> None:
    assert raised(FALL.observe(1, said("fall", delay=delay), Scene())) == ["fall"]


def test_a_retained_fall_of_today_is_raised_and_says_so() -> None:
    judged = FALL.observe(1, said("fall", delay=HOUR, flags=frozenset({Flag.RETAINED})), Scene())
    assert [signal.evidence.flags for signal in judged.signals] == [("retained",)]


@pytest.mark.parametrize("event", ["fall", "fall_cancelled"])
def test_history_neither_raises_nor_tells_anything_of_todays_alert(event: str) -> None:
    assert FALL.observe(1, said(event, delay=25 * HOUR), Scene()) == NOTHING


def test_a_cancelled_fall_is_told_and_clears_nothing() -> None:
    judged = FALL.observe(1, said("fall_cancelled"), Scene())
    assert (raised(judged), informed(judged)) == ([], ["fall_cancelled"])
    assert judged.signals[0].key == "fall:installation:1000"


# Doses ----------------------------------------------------------------------------------------------------------------


def _dose() -> Dose:
    rule = default_rule(DISPENSER, "dose_unconfirmed")
    assert isinstance(rule, Dose)
    return rule


@dataclass
class Doses:
    """The watches of a dispenser, and the rule that keeps them."""

    times: tuple[datetime, ...] = (EIGHT,)
    rule: Dose = field(default_factory=_dose)
    watches: dict[datetime, Watch] = field(init=False)

    def __post_init__(self) -> None:
        self.watches = {at: self.rule.open(1, HOME, 4, at, None) for at in self.times}

    def hears(self, event: str, at: datetime, *, delay: timedelta = MINUTE, dose_at: str | None = None) -> Judgement:
        fields = {"dose_at": dose_at} if dose_at else {}
        heard = said(event, at, kind=DISPENSER, delay=delay, fields=fields)
        return self._kept(self.rule.observe(1, heard, Scene(watches=tuple(self.watches.values()))))

    def time_is(self, now: datetime, *, heard_until: datetime | None = None) -> Judgement:
        """The timekeeper judges what is due."""
        judged = NOTHING
        for watch in list(self.watches.values()):
            if watch.due_at is not None and watch.due_at <= now:
                judged += self._kept(self.rule.elapse(watch, moment(now, heard_until=heard_until or now)))
        return judged

    @property
    def states(self) -> list[str]:
        return [watch.state.value for _, watch in sorted(self.watches.items())]

    def _kept(self, judged: Judgement) -> Judgement:
        self.watches |= {watch.since: watch for watch in judged.watches}
        return judged


def test_a_dose_that_nobody_speaks_of_is_raised_when_its_grace_is_over() -> None:
    doses = Doses()
    assert doses.time_is(EIGHT + 59 * MINUTE) == NOTHING
    judged = doses.time_is(EIGHT + HOUR)
    assert raised(judged) == ["dose_missed"]
    assert doses.time_is(EIGHT + 5 * HOUR) == NOTHING


def test_a_dose_is_not_dose_before_the_site_was_heard_so_far() -> None:
    doses = Doses()
    assert raised(doses.time_is(EIGHT + 2 * HOUR, heard_until=EIGHT + 30 * MINUTE)) == []
    assert doses.states == ["waiting"]
    assert raised(doses.time_is(EIGHT + 2 * HOUR)) == ["dose_missed"]


@pytest.mark.parametrize("event", ["dose_dispensed", "dose_taken"])
@pytest.mark.parametrize("offset", [-60 * MINUTE, -10 * MINUTE, timedelta(0), 5 * MINUTE, 60 * MINUTE])
def test_a_dose_is_met_early_on_time_and_at_the_last_minute(event: str, offset: timedelta) -> None:
    doses = Doses()
    assert doses.hears(event, EIGHT + offset).signals == ()
    assert doses.states == ["met"]
    assert doses.time_is(EIGHT + 2 * HOUR) == NOTHING


def test_a_dose_that_was_buffered_for_two_days_is_met() -> None:
    doses = Doses()
    doses.hears("dose_dispensed", EIGHT + 2 * MINUTE, delay=48 * HOUR)
    assert doses.states == ["met"]


@pytest.mark.parametrize("offset", [-61 * MINUTE, 61 * MINUTE, -5 * HOUR])
def test_what_is_outside_every_window_meets_nothing(offset: timedelta) -> None:
    doses = Doses()
    doses.hears("dose_dispensed", EIGHT + offset)
    assert doses.states == ["waiting"]
    assert raised(doses.time_is(EIGHT + 2 * HOUR)) == ["dose_missed"]


def test_what_says_nothing_of_doses_meets_nothing() -> None:
    doses = Doses()
    assert doses.hears("heartbeat", EIGHT) == NOTHING


def test_what_comes_after_the_alert_informs_and_clears_nothing() -> None:
    doses = Doses()
    doses.time_is(EIGHT + HOUR)
    judged = doses.hears("dose_taken", EIGHT + 70 * MINUTE)
    assert (raised(judged), informed(judged)) == ([], ["dose_taken"])
    assert doses.states == ["raised"]
    assert judged.signals[0].key == "dose_missed:installation:1000"


def test_what_was_on_time_and_came_late_informs_too() -> None:
    doses = Doses()
    doses.time_is(EIGHT + HOUR)
    assert informed(doses.hears("dose_dispensed", EIGHT + 5 * MINUTE, delay=3 * HOUR)) == ["dose_dispensed"]


def test_a_dose_the_device_says_is_dose_is_one_alert() -> None:
    doses, own = Doses(), default_rule(DISPENSER, "dose_missed")
    doses.hears("dose_missed", EIGHT + 45 * MINUTE)
    assert doses.time_is(EIGHT + 3 * HOUR) == NOTHING
    by_device = own.observe(2, said("dose_missed", EIGHT + 45 * MINUTE, kind=DISPENSER), Scene())
    assert raised(by_device) == ["dose_missed"]


def test_both_ways_of_missing_a_dose_join_in_one_alert() -> None:
    own = default_rule(DISPENSER, "dose_missed")
    by_device = own.observe(2, said("dose_missed", EIGHT, kind=DISPENSER), Scene())
    by_silence = Doses().time_is(EIGHT + HOUR)
    assert by_device.signals[0].key == by_silence.signals[0].key


def test_a_miss_that_is_history_answers_nothing_for_no_other_rule_raises_it() -> None:
    doses = Doses()
    doses.hears("dose_missed", EIGHT + 45 * MINUTE, delay=25 * HOUR)
    assert doses.states == ["waiting"]
    assert raised(doses.time_is(EIGHT + 26 * HOUR)) == ["dose_missed"]


def test_two_doses_a_day_are_two() -> None:
    doses = Doses((EIGHT, EIGHT + 12 * HOUR))
    doses.hears("dose_dispensed", EIGHT)
    assert doses.states == ["met", "waiting"]
    doses.hears("dose_dispensed", EIGHT + 12 * HOUR)
    assert doses.states == ["met", "met"]


def test_the_device_says_which_dose_it_means() -> None:
    doses = Doses((EIGHT, EIGHT + 30 * MINUTE))
    doses.hears("dose_dispensed", EIGHT + 10 * MINUTE, dose_at="2026-11-22T09:30:20+01:00")
    assert doses.states == ["waiting", "met"]


def test_a_dose_nobody_planned_meets_nothing() -> None:
    doses = Doses()
    doses.hears("dose_dispensed", EIGHT, dose_at="2026-11-22T07:30:00Z")
    assert doses.states == ["waiting"]


def test_a_dose_named_in_nonsense_is_found_by_its_time() -> None:
    doses = Doses()
    doses.hears("dose_dispensed", EIGHT, dose_at="half past eight")
    assert doses.states == ["met"]


def test_taken_after_dispensed_is_the_same_dose() -> None:
    doses = Doses((EIGHT, EIGHT + 30 * MINUTE))
    doses.hears("dose_dispensed", EIGHT)
    doses.hears("dose_taken", EIGHT + 25 * MINUTE)
    assert doses.states == ["met", "waiting"]
    doses.hears("dose_dispensed", EIGHT + 30 * MINUTE)
    assert doses.states == ["met", "met"]


def test_taken_long_after_dispensed_is_no_early_word_on_the_next_dose() -> None:
    doses = Doses((EIGHT, EIGHT + 2 * HOUR))
    doses.hears("dose_dispensed", EIGHT + 30 * MINUTE)
    doses.hears("dose_taken", EIGHT + 70 * MINUTE)
    assert doses.states == ["met", "waiting"]


def test_a_missed_dose_given_late_is_no_early_word_on_the_next() -> None:
    doses = Doses((EIGHT, EIGHT + 2 * HOUR))
    doses.time_is(EIGHT + HOUR)
    judged = doses.hears("dose_dispensed", EIGHT + 70 * MINUTE)
    assert informed(judged) == ["dose_dispensed"]
    assert doses.states == ["raised", "waiting"]
    doses.hears("dose_dispensed", EIGHT + 2 * HOUR)
    assert doses.states == ["raised", "met"]


def test_a_dose_given_too_late_while_the_site_was_deaf_is_dose_all_the_same() -> None:
    doses = Doses((EIGHT, EIGHT + 2 * HOUR))
    doses.hears("dose_dispensed", EIGHT + 70 * MINUTE, delay=5 * MINUTE)
    assert doses.states == ["waiting", "waiting"]
    assert raised(doses.time_is(EIGHT + 80 * MINUTE)) == ["dose_missed"]


def test_yesterdays_miss_does_not_take_this_mornings_dose() -> None:
    yesterday = EIGHT - 12 * HOUR
    doses = Doses((yesterday, EIGHT))
    doses.time_is(yesterday + HOUR)
    doses.hears("dose_dispensed", EIGHT - timedelta(seconds=20))
    assert doses.states == ["raised", "met"]


def test_a_schedules_own_grace_wins() -> None:
    assert _dose().open(1, HOME, 4, EIGHT, 300).due_at == EIGHT + 5 * MINUTE
    assert _dose().open(1, HOME, 4, EIGHT, None).due_at == EIGHT + HOUR


def test_a_dose_has_one_key_however_its_time_is_written() -> None:
    local = EIGHT.astimezone(timezone(HOUR))
    assert _dose().open(1, HOME, 4, local, None).key == _dose().open(1, HOME, 4, EIGHT, None).key


# Silence --------------------------------------------------------------------------------------------------------------


def _silence() -> Silence:
    rule = default_rule(WEARABLE, "device_silent")
    assert isinstance(rule, Silence)
    return rule


CONTRACT = timedelta(hours=25)
WATCH = _silence().begin(1, HOME, Start(NIGHT, UTC, CONTRACT.total_seconds()))
DUE = NIGHT + CONTRACT


def elapse(watch: Watch, now: datetime, **known: object) -> tuple[Watch, Judgement]:
    judged = _silence().elapse(watch, moment(now, **{"silent_after_seconds": CONTRACT.total_seconds(), **known}))
    return judged.watches[0], judged


def test_a_silent_device_is_raised_once_and_looked_at_again() -> None:
    silent, judged = elapse(WATCH, DUE)
    assert raised(judged) == ["device_silent"]
    assert (silent.state, silent.due_at) == (WatchState.RAISED, DUE + LOOK_AGAIN)
    again, judged = elapse(silent, DUE + LOOK_AGAIN)
    assert judged.signals == ()
    assert again.due_at == DUE + 2 * LOOK_AGAIN


def test_a_device_that_was_heard_moves_its_watch_on() -> None:
    moved, judged = elapse(WATCH, DUE, last_seen=NIGHT + 3 * HOUR)
    assert judged.signals == ()
    assert (moved.since, moved.due_at, moved.state) == (NIGHT + 3 * HOUR, DUE + 3 * HOUR, WatchState.WAITING)


def test_a_device_that_is_back_clears_its_alert_and_can_fall_silent_again() -> None:
    silent, alert = elapse(WATCH, DUE)
    back, judged = elapse(silent, DUE + 5 * MINUTE, last_seen=DUE + 4 * MINUTE)
    assert [type(signal) for signal in judged.signals] == [Clear]
    assert judged.signals[0].key == alert.signals[0].key
    assert (back.state, back.due_at) == (WatchState.WAITING, DUE + 4 * MINUTE + CONTRACT)
    _, judged = elapse(back, DUE + 4 * MINUTE + CONTRACT, last_seen=DUE + 4 * MINUTE)
    assert raised(judged) == ["device_silent"]


def test_nobody_is_silent_as_far_as_the_site_was_not_heard() -> None:
    waiting, judged = elapse(WATCH, DUE + HOUR, heard_until=DUE - MINUTE)
    assert judged.signals == ()
    assert (waiting.state, waiting.due_at) == (WatchState.WAITING, DUE)


def test_time_in_which_we_were_deaf_is_not_held_against_a_device() -> None:
    deaf = {"resumed_at": NIGHT + 20 * HOUR, "deaf_seconds": 2 * 3600.0}
    waiting, judged = elapse(WATCH, DUE, **deaf)
    assert judged.signals == ()
    assert waiting.due_at == DUE + 2 * HOUR
    _, judged = elapse(waiting, DUE + 2 * HOUR, **deaf)
    assert raised(judged) == ["device_silent"]


def test_short_outages_every_night_do_not_excuse_a_dead_device_for_ever() -> None:
    watch, raised_at = WATCH, None
    for night in range(1, 4):
        now = NIGHT + night * 24 * HOUR
        while watch.due_at is not None and watch.due_at <= now and raised_at is None:
            deaf = {"resumed_at": now - HOUR, "deaf_seconds": night * 300.0}
            watch, judged = elapse(watch, now, **deaf)
            raised_at = now if judged.signals else None
    assert raised_at == NIGHT + 2 * 24 * HOUR


def test_an_outage_before_the_last_sign_of_life_means_nothing() -> None:
    _, judged = elapse(WATCH, DUE, resumed_at=NIGHT - HOUR)
    assert raised(judged) == ["device_silent"]


def test_what_a_device_said_before_it_was_fitted_means_nothing() -> None:
    waiting, judged = elapse(WATCH, DUE - HOUR, last_seen=NIGHT - timedelta(days=40))
    assert judged.signals == ()
    assert (waiting.since, waiting.due_at) == (NIGHT, DUE)


def test_an_unknown_contract_is_the_one_the_watch_was_opened_with() -> None:
    _, judged = elapse(WATCH, DUE - HOUR, silent_after_seconds=None)
    assert judged.signals == ()
    _, judged = elapse(WATCH, DUE, silent_after_seconds=None)
    assert raised(judged) == ["device_silent"]


def test_a_silent_device_says_nothing_by_speaking() -> None:
    assert _silence().observe(1, said("heartbeat"), Scene(watches=(WATCH,))) == NOTHING


# The nearest wins -----------------------------------------------------------------------------------------------------

CENTRE, MUNICIPALITY, ZONE = 30, 20, 10


def rule(number: int, scope: int, *, name: str = "fall", enabled: bool = True, **near: Any) -> Rule:
    assert isinstance(FALL, Immediate)
    spec = FALL.model_copy(update={"name": name, "enabled": enabled})
    return Rule(number, 1, WEARABLE, spec, scope, **near)


def chosen(*rules: Rule, subject: Subject = HOME) -> list[int]:
    every = [nearest(order, WEARABLE, subject, (ZONE, MUNICIPALITY, CENTRE)) for order in (rules, rules[::-1])]
    assert every[0] == every[1], "the order of the store means nothing"
    return [each.id for each in every[0]]


def test_device_before_resident_before_zone_before_kind() -> None:
    ladder = [rule(1, 0), rule(2, 1, zone_id=ZONE), rule(3, 2, resident_id=7), rule(4, 3, device_id=100)]
    assert [chosen(*ladder[:count]) for count in (1, 2, 3, 4)] == [[1], [2], [3], [4]]


def test_the_inner_zone_before_the_outer() -> None:
    zones = [rule(9, 1, zone_id=CENTRE), rule(5, 1, zone_id=MUNICIPALITY), rule(2, 1, zone_id=ZONE)]
    assert chosen(*zones) == [2]
    assert chosen(*zones[:2]) == [5]


def test_what_is_set_for_others_does_not_concern_it() -> None:
    assert chosen(rule(1, 0), rule(2, 1, zone_id=99), rule(3, 2, resident_id=8), rule(4, 3, device_id=9)) == [1]
    assert chosen(replace(rule(1, 0), kind=DISPENSER)) == []


def test_the_nearest_can_switch_a_rule_off_and_leaves_the_others() -> None:
    assert chosen(rule(1, 0), rule(2, 0, name="tamper"), rule(3, 3, enabled=False, device_id=100)) == [2]
