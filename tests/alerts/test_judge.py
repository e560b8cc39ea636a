"""Judging fails towards the alarm: a crash, an unknown word or an unknown device is never nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.judge import RETRY_CRASHED, Failures, Ledger, judge_heard, judge_observation, judge_time, undecodable
from alerts.model import Heard, Judgement, Raise, Severity, Track, Watch, WatchState
from alerts.rules import Moment, Rule, Scene, Wanted, parse_rule
from alerts.rules.immediate import Immediate
from devices.dialects.native import DIALECT
from devices.model import DecodeError, Flag, Message, MessageClass, Observation
from tests.alerts.homes import HOME, NIGHT, SHELF, WEARABLE, default_rules, moment, said
from tests.alerts.replays import book_of


class Crashing(Immediate):
    """A rule with a bug."""

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        raise ZeroDivisionError("a bug")

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        raise KeyError("another")


class CrashingEarlier(Crashing):
    """A rule with a bug in what it asks for, too."""

    def wants(self, said: Observation) -> Wanted:
        raise TypeError("a third")


BROKEN = Rule(
    99,
    3,
    WEARABLE,
    Crashing(name="broken", condition="fall", severity=Severity.CRITICAL, track=Track.CARE, on=("fall",)),
)


def judged(heard: Heard, *extra: Rule, rules: Sequence[Rule] | None = None) -> tuple[list[Raise], Failures]:
    failures: Failures = []
    known = default_rules(WEARABLE) if rules is None else rules
    judgement = judge_observation(heard, [(rule, Scene()) for rule in (*extra, *known)], failures)
    return [signal for signal in judgement.signals if isinstance(signal, Raise)], failures


def conditions(raised: list[Raise]) -> list[str]:
    return [each.condition for each in raised]


def test_a_fall_is_a_fall() -> None:
    raised, failures = judged(said("fall"))
    assert conditions(raised) == ["fall"]
    assert raised[0].vkp_code == "4.1"
    assert failures == []


def test_a_rule_that_crashes_is_a_technical_alert_and_the_others_go_on() -> None:
    raised, failures = judged(said("fall"), BROKEN)
    assert conditions(raised) == ["rule_failed", "fall"]
    assert raised[0].track is Track.TECHNICAL
    assert raised[0].evidence.fields == {"rule": "broken", "version": 3}
    assert [type(each.error) for each in failures] == [ZeroDivisionError]


def test_a_rule_that_crashes_over_what_it_asks_for_is_told_as_well() -> None:
    spec = CrashingEarlier(name="worse", condition="fall", severity=Severity.CRITICAL, track=Track.CARE, on=("fall",))
    failures: Failures = []
    book = book_of([Rule(98, 1, WEARABLE, spec), *default_rules(WEARABLE)])
    judgement = judge_heard(said("fall"), book, Ledger(), failures)
    assert {each.condition for each in judgement.signals if isinstance(each, Raise)} == {"rule_failed", "fall"}
    assert [type(each.error) for each in failures] == [ZeroDivisionError]


def test_an_alarm_that_only_a_crashed_rule_would_have_understood_is_raised() -> None:
    raised, _ = judged(said("fall"), BROKEN, rules=())
    assert conditions(raised) == ["rule_failed", "uninterpretable_alarm"]
    assert (raised[1].severity, raised[1].track) == (Severity.CRITICAL, Track.CARE)


def test_to_have_counted_an_alarm_is_not_to_have_understood_it() -> None:
    """The rule of the fall is switched off, the one that counts is not: the thirtieth is looked at like the first."""
    count = parse_rule({
        "type": "rate", "name": "count", "condition": "cries_wolf", "severity": 10, "track": "technical", "on": ["fall"],
        "count": 2, "days": 30,
    })  # fmt: skip
    watch = Watch("rate:count:installation:1000", 5, HOME, NIGHT, None, WatchState.MET, {"by_day": {"2026-11-22": 9}})
    failures: Failures = []
    found = judge_observation(said("fall"), [(Rule(5, 1, WEARABLE, count), Scene(watches=(watch,)))], failures)
    assert conditions([each for each in found.signals if isinstance(each, Raise)]) == [
        "cries_wolf", "uninterpretable_alarm",
    ]  # fmt: skip


def test_where_a_rule_crashed_a_technical_alert_is_not_all_there_is() -> None:
    repair = parse_rule({
        "type": "immediate", "name": "repair", "condition": "needs_repair", "severity": 30, "track": "technical", "on": ["fall"],
    })  # fmt: skip
    raised, _ = judged(said("fall"), BROKEN, rules=[Rule(7, 1, WEARABLE, repair)])
    assert conditions(raised) == ["rule_failed", "needs_repair", "uninterpretable_alarm"]


def test_what_the_other_one_in_the_home_does_ends_nobodys_wait() -> None:
    """She is out; his alarm comes home."""
    out = parse_rule({
        "type": "compound", "name": "out", "condition": "not_back", "severity": 30, "track": "care", "on": ["went_out"],
        "unless": ["safety_alarm/zone_entered"], "within_seconds": 600,
    })  # fmt: skip
    book, ledger, failures = book_of([Rule(1, 1, "door_sensor", out)]), Ledger(), Failures()
    judge_heard(said("went_out", NIGHT, kind="door_sensor"), book, ledger, failures)
    for resident, waits in ((8, True), (HOME.resident_id, False)):
        theirs = replace(HOME, device_id=2, installation_id=1002, resident_id=resident)
        word = said("zone_entered", NIGHT + timedelta(minutes=1), kind="safety_alarm", subject=theirs)
        judge_heard(word, book, ledger, failures)
        assert (ledger.watches["compound:out:installation:1000"].due_at is not None) is waits


def test_nobody_waits_at_home_for_what_only_a_rule_that_is_off_would_hear() -> None:
    """Each word that is awaited costs a look at all that the home waits for."""
    out = {
        "type": "compound", "name": "out", "condition": "not_back", "severity": 30, "track": "care", "on": ["opened"],
        "unless": ["opened"], "within_seconds": 600, "given": [{"of": ["e_lock/locked"], "is_one_of": ["e_lock/locked"]}],
    }  # fmt: skip
    on, off = (
        Rule(1, 1, "door_sensor", parse_rule(out)),
        Rule(2, 1, "door_sensor", parse_rule({**out, "enabled": False})),
    )
    for rules, waits in (([on], True), ([off], False), ([off, replace(on, scope=1, zone_id=99)], True)):
        hearing = book_of(rules).hearing("door_sensor", HOME, "opened")
        assert (hearing.awaited, hearing.looks) == (waits, waits)
        assert book_of(rules).hearing("e_lock", HOME, "locked").kept, "for the day on which it is on again"


def test_a_harmless_alarm_is_nothing_but_not_where_a_rule_crashed_over_it() -> None:
    assert judged(said("test"))[0] == []
    assert conditions(judged(said("test"), BROKEN)[0]) == ["rule_failed", "uninterpretable_alarm"]


def test_an_unknown_type_is_raised_from_an_alarm_topic_only() -> None:
    flags = frozenset({Flag.UNKNOWN_TYPE})
    raised, _ = judged(said("explosion", flags=flags))
    assert conditions(raised) == ["uninterpretable_alarm"]
    assert raised[0].evidence.type == "explosion"
    assert judged(said("explosion", flags=flags, message_class=MessageClass.EVENT))[0] == []


def test_a_device_that_is_fitted_nowhere_is_never_harmless() -> None:
    assert conditions(judged(said("test", subject=SHELF))[0]) == ["uninterpretable_alarm"]
    assert conditions(judged(said("fall", subject=SHELF))[0]) == ["fall"]
    assert conditions(judged(said("fall", subject=SHELF), rules=())[0]) == ["uninterpretable_alarm"]


@pytest.mark.parametrize("event", ["fall", "explosion", "test"])
def test_history_calls_nobody_to_a_home(event: str) -> None:
    """But somebody is told of an alarm that old: it is late beyond use, or its device's clock is wrong."""
    signals = judged(said(event, delay=timedelta(hours=25), subject=SHELF))[0]
    assert conditions(signals) == ([] if event == "test" else ["old_alarm"])
    assert {each.track for each in signals} <= {Track.TECHNICAL}


def test_a_kind_that_is_not_known_here_any_more_is_not_harmless() -> None:
    assert conditions(judged(said("test", kind="retired_kind"))[0]) == ["uninterpretable_alarm"]


def test_a_watch_whose_rule_crashes_is_tried_again_and_said_so() -> None:
    watch, failures = Watch("w", 99, HOME, NIGHT, NIGHT), Failures()
    judgement = judge_time(watch, BROKEN, moment(NIGHT), failures)
    assert judgement.watches[0].due_at == NIGHT + RETRY_CRASHED
    assert [signal.condition for signal in judgement.signals if isinstance(signal, Raise)] == ["rule_failed"]
    assert len(failures) == 1


def unreadable(topic: str, payload: bytes) -> list[Raise]:
    message = Message(topic, payload, NIGHT)
    with pytest.raises(DecodeError) as caught:
        DIALECT.decode(message)
    return [each for each in undecodable(message, caught.value, SHELF).signals if isinstance(each, Raise)]


def test_what_cannot_be_decoded_is_raised_from_an_alarm_topic() -> None:
    raised = unreadable("hv/v1/madla/fall_alarm/f1/alarm", b"\xff\x00")
    assert conditions(raised) == ["uninterpretable_alarm"]
    assert raised[0].evidence.fields["reason"] == "not_json"
    assert unreadable("hv/v1/madla/fall_alarm/f1/event", b"\xff\x00") == []


def test_a_topic_nobody_could_read_makes_a_key_that_an_index_holds() -> None:
    raised = unreadable(f"hv/v1/madla/fall_alarm/{'å' * 30_000}\x00/alarm", b"{}")
    assert len(raised[0].key.encode()) < 1000
    assert "\x00" not in str(raised[0])


def test_two_topics_are_two_alerts() -> None:
    keys = {unreadable(f"hv/v1/madla/fall_alarm/{address}/alarm", b"[]")[0].key for address in ("f1", "f2", "f1")}
    assert len(keys) == 2
