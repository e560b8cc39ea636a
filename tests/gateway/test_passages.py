"""Passages of the canary resident, the heartbeat's decision, and a waterfall's geometry: all of it pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.health import CanaryHealth, Finding, Health, State
from gateway.heartbeat import Why, decide
from gateway.passages import Leg, Lost, Pace, Passage, last_passed, lost, quantiles
from gateway.web.waterfall import THINNEST, place, waterfall
from tests.web import fake_alerts, fake_ways

NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)
PACE = Pace(timedelta(seconds=60), timedelta(seconds=30))
LEGS = ("stored", "raised", "queued", "leased", "handed_over", "answered")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def passage(published: float, upto: str = "answered") -> Passage:
    """An alarm published so many seconds ago, with a second a leg, as far as that one."""
    done = LEGS[: LEGS.index(upto) + 1] if upto else ()
    times = {f"{leg}_at": ago(published - number - 1) for number, leg in enumerate(done)}
    return Passage(1, ago(published), f"m{published}", **times)


@pytest.mark.parametrize(
    ("passages", "told"),
    [
        ([passage(61), passage(1, "")], None),
        ([passage(91), passage(31, "")], Lost(Leg.STORED, ago(31))),
        ([passage(91), passage(31, "leased")], Lost(Leg.HANDED_OVER, ago(31))),
        ([passage(151, "raised"), passage(91, "leased"), passage(31, "")], Lost(Leg.QUEUED, ago(151))),
        ([passage(91, "leased"), passage(31)], None),
        ([passage(91), passage(29, "handed_over")], None),
        ([passage(149)], None),
        ([passage(151)], Lost(Leg.PUBLISHED, ago(151))),
    ],
    ids=[
        "on its way",
        "late",
        "not handed over",
        "the oldest tells",
        "a later one passed",
        "in time",
        "due",
        "none sent",
    ],
)
def test_the_path_is_lost_at_the_first_leg_that_is_missing(passages: list[Passage], told: Lost | None) -> None:
    assert lost(passages, ago(10_000), NOW, PACE) == told


def test_who_has_just_started_has_lost_nothing_yet() -> None:
    assert lost([], ago(149), NOW, PACE) is None
    assert lost([passage(100_000)], ago(149), NOW, PACE) is None
    assert lost([], ago(151), NOW, PACE) == Lost(Leg.PUBLISHED, ago(151))


def test_a_receipt_holds_nothing_up() -> None:
    assert passage(40).receipted_at is None
    assert passage(40).missing is None


def test_a_leg_is_since_the_one_before_and_never_less_than_nothing() -> None:
    ahead = replace(passage(20), stored_at=ago(25))
    assert ahead.seconds()["stored"] == 0
    assert passage(20).seconds() == {
        **dict.fromkeys(LEGS, 1.0),
        "whole": 6.0,
    }


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=300))
def test_quantiles_are_times_that_were_measured(seconds: list[float]) -> None:
    found = quantiles(
        Passage(1, NOW, str(number), stored_at=NOW + timedelta(seconds=each)) for number, each in enumerate(seconds)
    )["stored"]
    measured = [timedelta(seconds=each).total_seconds() for each in seconds]
    assert found.count == len(seconds)
    assert found.p50 in measured
    assert found.p99 in measured
    assert sum(each <= found.p50 for each in measured) >= len(measured) / 2
    assert sum(each <= found.p99 for each in measured) >= len(measured) * 0.99


def test_the_newest_that_passed() -> None:
    assert last_passed([passage(91), passage(31), passage(1, "")]) == ago(31)
    assert last_passed([passage(1, "")]) is None


# The heartbeat --------------------------------------------------------------------------------------------------------


def health(*passed_at: datetime | None, state: State = State.OK) -> Health:
    canaries = [
        CanaryHealth(site=f"s{number}", passed_at=each, missing=None, lost_since=None, legs=[])
        for number, each in enumerate(passed_at)
    ]
    findings = [Finding(state=state, reason="x", detail="x")] if state is not State.OK else []
    return Health(state=state, findings=findings, canaries=canaries)


@pytest.mark.parametrize(
    ("standing", "pace", "why"),
    [
        (health(), None, Why.WELL),
        (health(state=State.DEGRADED), None, Why.WELL),
        (health(ago(1), state=State.RED), PACE, Why.RED),
        (health(ago(149), ago(1)), PACE, Why.WELL),
        (health(ago(151), ago(1)), PACE, Why.CANARY),
        (health(ago(1), None), PACE, Why.CANARY),
    ],
)
def test_a_heartbeat_is_sent_while_all_is_well_and_at_no_other_time(
    standing: Health, pace: Pace | None, why: Why
) -> None:
    assert decide(standing, NOW, pace) is why


# The waterfall --------------------------------------------------------------------------------------------------------


def test_a_bar_has_a_piece_for_each_wait_in_order_and_without_a_gap() -> None:
    drawn = waterfall(fake_ways.way_of(fake_alerts.alert()))
    message, app, mail = drawn.rows
    assert [each.waits for each in message.pieces] == ["network"]
    assert [each.waits for each in app.pieces] == ["sending", "handing", "showing", "answer"]
    assert [each.waits for each in mail.pieces] == ["sending", "handing", "receipt", "showing"]
    for before, after in zip(app.pieces, app.pieces[1:], strict=False):
        assert before.x + before.width == pytest.approx(after.x, abs=THINNEST)
    assert [round(each.seconds, 2) for each in app.pieces] == [0.05, 0.01, 40.74, 29]
    assert all(0 <= each.x <= 100 and each.x + each.width <= 100.01 for row in drawn.rows for each in row.pieces)


def test_an_alert_that_paged_nobody_has_its_message() -> None:
    drawn = waterfall(fake_ways.way_of(fake_alerts.battery()))
    assert [row.page for row in drawn.rows] == [None]


@given(st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0.1, 1e7))
def test_what_is_later_stands_further_right(one: float, two: float, whole: float) -> None:
    left, right = sorted([place(one, whole), place(two, whole)])
    assert 0 <= left <= right <= 100
    assert (place(min(one, two), whole), place(max(one, two), whole)) == (left, right)
