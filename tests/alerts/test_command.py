"""Commands: the table, and what holds whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.command import (
    ANSWER_WITHIN,
    LEAST_LEFT,
    TABLE,
    Command,
    Event,
    Outcome,
    Reason,
    Reported,
    Send,
    State,
    TimePassed,
    asked,
    requested,
    step,
    vocabulary,
)
from alerts.timeline import COMMAND_REASONS, COMMAND_STATES, LINES, tell
from devices.kinds import kinds
from devices.model import DeviceAddress, Flag, MessageClass, Observation
from tests.alerts.stories import START

MINE, OTHER = UUID(int=7), UUID(int=8)
ANNE = 1
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def unlock() -> Command:
    return requested(MINE, "e_lock", "unlock", Reason.GET_IN, ANNE, START, MINUTE)


def sent() -> Command:
    return step(unlock(), Send(), START + SECOND).command


def report(
    type_: str, received_at: datetime, ago: timedelta = timedelta(0), flags: frozenset[Flag] = frozenset(), **said: Any
) -> Reported:
    device = DeviceAddress("stavanger", "native", "el-1")
    times = (received_at - ago, received_at)
    return Reported(
        Observation(device, "e_lock", MessageClass.RESULT, type_, "m-1", *times, said, b"", b"", flags),
    )


def test_the_table_knows_every_event() -> None:
    assert set(TABLE) == set(get_args(Event))


def test_asked_sent_done() -> None:
    went = step(unlock(), Send(), START + SECOND)
    assert (went.command.state, went.command.sent_at, went.tell) == (State.SENT, START + SECOND, False)
    assert went.command.due_at == START + MINUTE + ANSWER_WITHIN
    done = step(went.command, report("unlocked", START + 4 * SECOND), START + 4 * SECOND)
    assert (done.command.state, done.command.outcome, done.command.due_at) == (State.DONE, "unlocked", None)
    assert [each.code for each in (*went.entries, *done.entries)] == ["command_sent", "command_done"]
    assert not done.tell


STATES = {
    State.REQUESTED: unlock(),
    State.SENT: sent(),
    State.DONE: replace(sent(), state=State.DONE, due_at=None, settled_at=START, outcome="unlocked"),
    State.FAILED: replace(sent(), state=State.FAILED, due_at=None, settled_at=START, outcome="jammed"),
    State.EXPIRED: replace(sent(), state=State.EXPIRED, due_at=None, settled_at=START, outcome=Outcome.NO_ANSWER),
}
LATER = START + 2 * SECOND
END = START + MINUTE + ANSWER_WITHIN
EVENTS: dict[str, tuple[Event, datetime]] = {
    "send": (Send(), LATER),
    "send, closed": (Send(alert_open=False), LATER),
    "send, not allowed": (Send(allowed=False), LATER),
    "done": (report("unlocked", LATER), LATER),
    "done, named": (report("unlocked", LATER, command=str(MINE)), LATER),
    "failed": (report("jammed", LATER), LATER),
    "something else": (report("locked", LATER), LATER),
    "the end": (TimePassed(), END),
}
BECOMES = {
    (State.REQUESTED, "send"): (State.SENT, "command_sent", False),
    (State.REQUESTED, "send, closed"): (State.FAILED, "command_withdrawn", False),
    (State.REQUESTED, "send, not allowed"): (State.FAILED, "command_not_allowed", False),
    (State.REQUESTED, "the end"): (State.EXPIRED, "command_not_sent", True),
    (State.SENT, "done"): (State.DONE, "command_done", False),
    (State.SENT, "done, named"): (State.DONE, "command_done", False),
    (State.SENT, "failed"): (State.FAILED, "command_failed", True),
    (State.SENT, "the end"): (State.EXPIRED, "command_unanswered", True),
    (State.FAILED, "done, named"): (State.FAILED, "command_done_late", False),
    (State.EXPIRED, "done, named"): (State.EXPIRED, "command_done_late", False),
}
"""Everything else changes nothing."""


@pytest.mark.parametrize(("state", "event"), list(product(State, EVENTS)), ids=str)
def test_the_table(state: State, event: str) -> None:
    before = STATES[state]
    moved = step(before, *EVENTS[event])
    if (state, event) not in BECOMES:
        assert (moved.command, moved.entries, moved.tell) == (before, (), False)
        return
    (entry,) = moved.entries
    assert (moved.command.state, entry.code, moved.tell) == BECOMES[state, event]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (report("unlocked", LATER, timedelta(seconds=3)), State.DONE),
        (report("unlocked", LATER, timedelta(seconds=3.1)), State.SENT),
        (report("unlocked", LATER, MINUTE, command=str(MINE)), State.DONE),
        (report("unlocked", LATER, command=str(OTHER)), State.SENT),
        (report("unlocked", LATER, command=None), State.DONE),
        (report("jammed", LATER, command=str(OTHER)), State.SENT),
        (report("command_refused", LATER, command=str(MINE)), State.FAILED),
        *((report("unlocked", LATER, flags=frozenset({flag})), State.SENT)
          for flag in (Flag.CLOCK_AHEAD, Flag.CLOCK_UNSET, Flag.DECODED_AGAIN, Flag.RETAINED)),
        (report("unlocked", LATER, flags=frozenset({Flag.CLOCK_UNSET}), command=str(MINE)), State.DONE),
        (report("unlocked", START), State.SENT),
    ],
)  # fmt: skip
def test_what_proves_it(said: Reported, state: State) -> None:
    assert step(sent(), said, LATER).command.state is state


def test_it_is_done_late_once() -> None:
    late = step(STATES[State.EXPIRED], report("unlocked", END, command=str(MINE)), END)
    assert late.command.outcome == Outcome.DONE_LATE
    assert step(late.command, report("unlocked", END, command=str(MINE)), END).entries == ()


def test_with_less_than_a_second_left_it_is_not_sent() -> None:
    end = START + MINUTE
    assert step(unlock(), Send(), end - LEAST_LEFT).command.state is State.SENT
    assert step(unlock(), Send(), end - LEAST_LEFT + timedelta(microseconds=1)).command == unlock()


def test_what_this_release_does_not_know_ends_all_the_same() -> None:
    strange = replace(sent(), name="explode")
    assert step(strange, report("unlocked", LATER, command=str(MINE)), LATER).command == strange
    assert step(strange, TimePassed(), END).command.state is State.EXPIRED


def test_every_word_is_told() -> None:
    codes = {code for _, code, _ in BECOMES.values()} | {asked(unlock()).code}
    assert codes <= LINES.keys()
    assert set(COMMAND_STATES) == set(State)
    assert set(COMMAND_REASONS) == set(Reason)
    told = tell("command_requested", asked(unlock()).params, {"actor": "Anne"}, "en")
    assert told == "Anne asks the lock: Unlock. Why: To get in"
    failed = step(sent(), report("jammed", LATER), LATER).entries[0]
    assert tell(failed.code, failed.params, {}, "en") == (
        "The lock has not done it (Unlock): The lock is stuck. Use the key"
    )


def test_nothing_else_is_looked_at() -> None:
    assert vocabulary("fall_alarm") == frozenset()
    assert {"unlocked", "jammed"} <= vocabulary("e_lock") <= kinds()["e_lock"].events.keys()


# Whatever happens -----------------------------------------------------------------------------------------------------

TIMES = st.integers(0, 200).map(lambda tenths: timedelta(seconds=tenths / 2))
HAPPENS = st.one_of(
    st.builds(Send, st.booleans()),
    st.just(TimePassed()),
    st.builds(
        report,
        st.sampled_from(sorted(kinds()["e_lock"].events)),
        st.just(START),
        TIMES,
        st.frozensets(st.sampled_from(Flag), max_size=1),
        command=st.sampled_from((None, str(MINE), str(OTHER))),
    ),
)


@given(name=st.sampled_from(sorted(kinds()["e_lock"].commands)), story=st.lists(st.tuples(TIMES, HAPPENS), max_size=30))
def test_sent_at_most_once_never_after_its_end_and_always_ended(
    name: str, story: list[tuple[timedelta, Event]]
) -> None:
    command, now, sendings, told = replace(unlock(), name=name), START, 0, 0
    for passes, event in story:
        now += passes
        moved = step(command, _received(event, now), now)
        if moved.command.state is State.SENT and command.state is not State.SENT:
            sendings += 1
            assert now <= command.valid_until - LEAST_LEFT
        assert command.sent_at is None or moved.command.sent_at == command.sent_at
        assert command.open or moved.command.state is command.state, "an end is an end"
        assert moved.command == command or moved.entries, "whatever happens is told"
        assert moved.command.open == (moved.command.due_at is not None) == (moved.command.settled_at is None)
        told += moved.tell
        command = moved.command
    assert sendings <= 1
    ended = step(command, TimePassed(), max(now, END)).command
    assert not ended.open
    told += step(command, TimePassed(), max(now, END)).tell
    silent = ended.state is State.DONE or ended.outcome in (Outcome.ALERT_CLOSED, Outcome.NOT_ALLOWED)
    assert told == (0 if silent else 1)
    assert ended.state is not State.DONE or ended.sent_at is not None


def _received(event: Event, now: datetime) -> Event:
    if not isinstance(event, Reported):
        return event
    said = event.observation
    return Reported(replace(said, received_at=now, occurred_at=now - (said.received_at - said.occurred_at)))
