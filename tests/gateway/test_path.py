"""The path of an alert: its legs in order with the time of each, and what is next. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.alert import Alert, DueFor, Stage
from alerts.model import Severity
from alerts.policy import DEFAULT_POLICIES, Target
from gateway.path import Part, following, legs
from gateway.store.path import Paged, Said

NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)


def after(milliseconds: float) -> datetime:
    return NOW + timedelta(milliseconds=milliseconds)


def entry(milliseconds: float, code: str, actor: int | None = None, **params: Any) -> dict[str, Any]:
    return {"at": after(milliseconds), "code": code, "params": params, "actor_id": actor}


def page(person: int, state: str, handed_over: float | None) -> Paged:
    return Paged(1, person, "in_app", state, after(12), after(handed_over) if handed_over is not None else None)


SAID = Said(1, "fall-1", "fall_alarm", "fall", "7", NOW, after(4), b"{}")
ENTRIES = [entry(12, "raised"), entry(12, "step_reached", persons=[3]), entry(9000, "claimed", actor=3)]


def test_legs_are_in_order_and_each_says_how_long_after_the_one_before() -> None:
    found = legs(SAID, ENTRIES, [page(3, "handed_over", 45), page(4, "withdrawn", None)], after(30))
    assert [(each.part, each.after and each.after / timedelta(milliseconds=1)) for each in found] == [
        (Part.MESSAGE, None),
        (Part.STORED, 4),
        (Part.RAISED, 8),
        (Part.STEP, timedelta(0)),
        (Part.PAGE, timedelta(0)),
        (Part.RECEIPT, 18),
        (Part.PAGE, 15),
        (Part.ANSWER, 8955),
    ]
    assert [(each.person, each.state) for each in found if each.part is Part.PAGE] == [
        (4, "withdrawn"),
        (3, "handed_over"),
    ]


def test_an_alert_of_silence_has_no_message_and_a_clock_that_runs_ahead_takes_no_time() -> None:
    assert [each.part for each in legs(None, ENTRIES[:2], [])] == [Part.RAISED, Part.STEP]
    ahead = Said(1, "fall-1", "fall_alarm", "fall", "7", after(500), after(4), b"{}")
    assert min(each.after for each in legs(ahead, ENTRIES, []) if each.after is not None) >= timedelta(0)


URGENT = DEFAULT_POLICIES[0]
SOON = NOW + timedelta(seconds=60)


def alert(due_for: DueFor | None, step: int | None, stage: Stage = Stage.OPEN) -> Alert:
    return Alert(URGENT, Severity.CRITICAL, stage, SOON if due_for else None, due_for, step=step)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (alert(DueFor.STEP, None), (DueFor.STEP, 0, Target.FIRST_ON_DUTY, False)),
        (alert(DueFor.STEP, 0), (DueFor.STEP, 1, Target.ALL_ON_DUTY, False)),
        (alert(DueFor.STEP, 3), (DueFor.STEP, 3, Target.RESPONSE_CENTRE, True)),
        (alert(DueFor.STAGE, None, Stage.CLAIMED), (DueFor.STAGE, None, None, False)),
        (alert(DueFor.CONFIRM, None, Stage.ON_WAY), (DueFor.CONFIRM, None, None, False)),
        (alert(DueFor.CONFIRM, 1, Stage.ON_WAY), (DueFor.CONFIRM, 2, Target.ZONE_LEAD, False)),
    ],
)
def test_what_is_next(standing: Alert, expected: tuple[Any, ...]) -> None:
    found = following(standing)
    assert found is not None
    assert (found.at, found.due_for, found.step, found.target, found.repeats) == (SOON, *expected)


def test_nothing_is_next_of_an_alert_that_is_closed() -> None:
    assert following(alert(None, None, Stage.CLOSED)) is None
