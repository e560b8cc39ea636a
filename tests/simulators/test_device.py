"""A device's outbox: what is kept, for how long, and in which order it goes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from devices.dialects.native import DIALECT, Ordered
from devices.model import DeviceAddress, Message, MessageClass, Said
from simulators.device import Device, Habits, Outbox, Patience

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HABITS = Habits(alarm=Patience(2 * SECOND, 30 * SECOND), event=Patience(10 * SECOND, 60 * SECOND), buffer=3)


def seconds(number: float) -> datetime:
    return NOW + timedelta(seconds=number)


def said(type_: str, message_class: MessageClass = MessageClass.EVENT, at: datetime = NOW) -> Said:
    return Said(at, message_class, type_)


FALL = said("fall", MessageClass.ALARM)
DOSE = said("dose_taken")
BEAT = said("heartbeat", MessageClass.STATUS)


def ids(outbox: Outbox, now: datetime = NOW) -> list[str]:
    return [each.message_id for each in outbox.due(now)]


def test_what_is_said_is_due_at_once() -> None:
    outbox = Outbox().keep("a", FALL, NOW, HABITS)
    assert ids(outbox) == ["a"]
    assert outbox.next_due == NOW


def test_an_alarm_comes_back_with_back_off_until_its_receipt() -> None:
    outbox, now, waits = Outbox().keep("a", FALL, NOW, HABITS), NOW, []
    for _ in range(7):
        outbox = outbox.sent("a", now, HABITS)
        assert outbox.next_due is not None
        waits.append((outbox.next_due - now).total_seconds())
        assert ids(outbox, outbox.next_due - SECOND / 1000) == []
        now = outbox.next_due
    assert waits == [2, 4, 8, 16, 30, 30, 30]

    outbox, receipted = outbox.receipted("a", now)
    assert outbox == Outbox()
    assert receipted is not None
    assert (receipted.tries, receipted.took) == (7, now - NOW)


def test_an_event_waits_longer() -> None:
    outbox = Outbox().keep("a", DOSE, NOW, HABITS).sent("a", NOW, HABITS)
    assert outbox.next_due == seconds(10)


def test_state_is_sent_once_and_only_the_newest_is_kept() -> None:
    outbox = Outbox().keep("old", BEAT, NOW, HABITS).keep("new", BEAT, NOW, HABITS)
    assert ids(outbox) == ["new"]
    assert outbox.sent("new", NOW, HABITS) == Outbox()


def test_alarms_go_first_and_then_the_oldest() -> None:
    outbox = Outbox().keep("late", said("dose_taken", at=seconds(-10)), NOW, HABITS)
    outbox = outbox.keep("earlier", said("dose_taken", at=seconds(-60)), NOW, HABITS).keep("fall", FALL, NOW, HABITS)
    assert ids(outbox) == ["fall", "earlier", "late"]


def test_a_full_buffer_loses_the_oldest_event_and_never_an_alarm() -> None:
    outbox = Outbox()
    for number in range(5):
        outbox = outbox.keep(f"fall {number}", FALL, NOW, HABITS).keep(f"dose {number}", DOSE, NOW, HABITS)
    doses = [each.message_id for each in outbox.kept if not each.is_alarm]
    assert doses == ["dose 2", "dose 3", "dose 4"]
    assert len(outbox.kept) == 8
    assert outbox.lost == 2


def test_a_second_receipt_is_for_nothing() -> None:
    outbox, _ = Outbox().keep("a", FALL, NOW, HABITS).receipted("a", NOW)
    assert outbox.receipted("a", NOW) == (outbox, None)
    assert Outbox().sent("a", NOW, HABITS) == Outbox()


def test_a_new_connection_makes_everything_due() -> None:
    outbox = Outbox().keep("a", FALL, NOW, HABITS).sent("a", NOW, HABITS).reconnected(seconds(1))
    assert ids(outbox, seconds(1)) == ["a"]


@pytest.mark.parametrize("tries", [40, 10**6])
def test_patience_has_an_end_however_often(tries: int) -> None:
    assert HABITS.alarm.after(tries) == 30 * SECOND


def test_a_message_is_the_same_bytes_however_often_it_is_sent() -> None:
    device = Device(DeviceAddress("stavanger", "native", "fa-1"), "fall_alarm")
    kept = device.say(FALL, NOW)
    first = device.message(kept)
    device.sent(kept.message_id, NOW)
    (again,) = device.outbox.kept
    assert device.message(again) == first
    heard = DIALECT.decode(Message(*first, NOW))
    assert (heard.message_id, heard.occurred_at) == (kept.message_id, NOW)


def test_ids_are_unique_also_within_one_moment() -> None:
    device = Device(DeviceAddress("stavanger", "native", "fa-1"), "fall_alarm")
    given = {device.say(FALL, NOW).message_id for _ in range(100)}
    assert len(given) == 100
    assert max(map(len, given)) <= 64


class OutboxMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: an alarm stays until its receipt, and nothing is counted twice."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox, self.now, self.number = Outbox(), NOW, 0
        self.alarms: set[str] = set()
        self.events = self.receipts = 0

    @rule(message=st.sampled_from([FALL, DOSE, BEAT]))
    def say(self, message: Said) -> None:
        self.number += 1
        self.outbox = self.outbox.keep(str(self.number), message, self.now, HABITS)
        self.events += message is DOSE
        if message is FALL:
            self.alarms.add(str(self.number))

    @rule(after=st.integers(0, 60))
    def wait(self, after: int) -> None:
        self.now += after * SECOND

    @rule()
    def send_what_is_due(self) -> None:
        for each in self.outbox.due(self.now):
            self.outbox = self.outbox.sent(each.message_id, self.now, HABITS)
        assert not self.outbox.due(self.now)

    @rule()
    def reconnect(self) -> None:
        self.outbox = self.outbox.reconnected(self.now)
        assert len(self.outbox.due(self.now)) == len(self.outbox.kept)

    @rule(data=st.data())
    @precondition(lambda self: self.number > 0)
    def receipt(self, data: st.DataObject) -> None:
        message_id = str(data.draw(st.integers(1, self.number)))
        self.outbox, receipted = self.outbox.receipted(message_id, self.now)
        self.receipts += receipted is not None and receipted.said is DOSE
        self.alarms.discard(message_id)

    @invariant()
    def alarms_stay(self) -> None:
        assert {each.message_id for each in self.outbox.kept if each.is_alarm} == self.alarms

    @invariant()
    def events_are_accounted_for(self) -> None:
        waiting = sum(not (each.is_alarm or each.is_state) for each in self.outbox.kept)
        assert waiting <= HABITS.buffer
        assert self.events == self.receipts + waiting + self.outbox.lost

    @invariant()
    def nothing_waits_longer_than_patience(self) -> None:
        assert all(each.due_at - self.now <= 60 * SECOND for each in self.outbox.kept)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# Commands -------------------------------------------------------------------------------------------------------------


def lock() -> Device:
    return Device(DeviceAddress("stavanger", "native", "el-1"), "e_lock")


def test_a_lock_obeys_once_and_names_the_command() -> None:
    device, ordered = lock(), Ordered("c-1", "unlock", seconds(60))
    (reply,) = device.obeys(ordered, NOW, Random(1))
    assert (reply.type, reply.fields["command"], reply.message_class) == ("unlocked", "c-1", MessageClass.RESULT)
    assert NOW < reply.at < seconds(10)
    assert device.obeys(ordered, NOW, Random(1)) == (), "the broker may deliver it twice"
    kept = device.say(reply, NOW, reply.at)
    assert device.outbox.due(NOW) == (), "the bolt has not moved yet"
    assert [each.message_id for each in device.outbox.due(reply.at)] == [kept.message_id]


@pytest.mark.parametrize(
    ("ordered", "reason"),
    [(Ordered("c-1", "unlock", NOW), "expired"), (Ordered("c-1", "explode", seconds(60)), "unknown")],
)
def test_a_lock_refuses_what_is_late_or_unknown(ordered: Ordered, reason: str) -> None:
    device = lock()
    (reply,) = device.obeys(ordered, NOW, Random(1))
    assert (reply.type, reply.fields) == ("command_refused", {"command": "c-1", "reason": reason})
    assert device.obeys(ordered, NOW, Random(1)) == ()
