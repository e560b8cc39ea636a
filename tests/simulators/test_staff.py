"""Simulated staff: as quick as the field's standard asks, slower at night, and the same with the same seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.alert import Action, Cause
from gateway.api.schemas import AnswerRequest
from simulators.staff import Call, Given, answers

DAY, NIGHT = datetime(2026, 11, 24, 11, tzinfo=UTC), datetime(2026, 11, 24, 2, tzinfo=UTC)
FALL = Call("1", "fall", 40, real=True, at=DAY)
MINUTE = timedelta(minutes=1)


def many(call: Call, count: int = 2000) -> list[tuple[Given, ...]]:
    return [answers(replace(call, alert=str(number)), "kari", 7) for number in range(count)]


def share(given: list[tuple[Given, ...]], within: timedelta) -> float:
    claims = [each[0].after for each in given if each]
    return sum(after <= within for after in claims) / len(claims)


@pytest.mark.parametrize("severity", [30, 40])
def test_what_is_urgent_is_taken_as_the_standard_asks(severity: int) -> None:
    given = many(replace(FALL, severity=severity))
    assert share(given, MINUTE) >= 0.975
    assert share(given, 3 * MINUTE) >= 0.99
    arrived = [one.after for each in given for one in each if one.answer == "arrived"]
    assert sum(after <= 30 * MINUTE for after in arrived) / len(arrived) >= 0.9


def test_nights_are_slower_and_more_goes_unnoticed() -> None:
    by_day, at_night = many(FALL), many(replace(FALL, at=NIGHT))
    assert share(at_night, MINUTE / 4) < share(by_day, MINUTE / 4)
    assert sum(not each for each in at_night) > sum(not each for each in by_day) > 0


def test_every_way_that_it_can_go_is_gone_by_somebody_and_every_answer_can_be_given() -> None:
    given = [one for real in (True, False) for each in many(replace(FALL, real=real)) for one in each]
    said = {one.answer for one in given}
    assert said == {"claim", "on_way", "arrived", "need_help", "close", "hand_over", "release"}
    for one in given:
        AnswerRequest(answer=one.answer, cause=one.cause, action=one.action)  # type: ignore[arg-type]
    closed = [one for one in given if one.answer == "close"]
    assert {one.cause for one in closed} <= set(Cause)
    assert {one.action for one in closed} >= {Action.VISITED, Action.TALKED, Action.AMBULANCE}


def test_a_person_answers_in_order_and_the_same_with_the_same_seed() -> None:
    for each in many(FALL, 200):
        assert [one.after for one in each] == sorted(one.after for one in each)
    assert many(FALL, 200) == many(FALL, 200)
    assert answers(FALL, "kari", 7) != answers(FALL, "ola", 7)
    assert answers(FALL, "kari", 7) != answers(replace(FALL, attempt=2), "kari", 7)


def test_what_was_nothing_is_told_from_what_was_real() -> None:
    causes = {real: {each[-1].cause for each in many(replace(FALL, real=real)) if each} for real in (True, False)}
    assert causes[True] - {None} == {"real"}
    assert causes[False] - {None} == {"false_by_user", "false_by_device"}
    repaired = many(replace(FALL, condition="device_silent", technical=True, severity=20))
    assert {each[-1].action for each in repaired if each} - {None} == {"repaired"}
