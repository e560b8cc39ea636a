"""The replay tells what living would have told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from alerts.preview import per_day
from alerts.replay import Deaf, Fitted, Planned, Story, Told, replay
from alerts.schedule import DosePlan
from devices.kinds import kinds
from devices.model import MessageClass, Said
from tests.alerts.replays import SINCE, default_book, heard, story, subject

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEARABLE, DISPENSER = "fall_alarm", "medicine_dispenser"


def said(type_: str, at: datetime, message_class: MessageClass = MessageClass.EVENT, **fields: object) -> Said:
    return Said(at, message_class, type_, fields)


def beats(until: datetime, since: datetime = SINCE) -> list[Said]:
    """A sign of life every hour."""
    hours = int((until - since) / HOUR)
    return [said("heartbeat", since + hour * HOUR, MessageClass.STATUS, battery=90) for hour in range(hours)]


def conditions(alerts: list[Told]) -> list[tuple[str, int]]:
    return [(each.first.condition, each.times) for each in alerts]


def test_falls_are_raised_and_what_happens_soon_after_joins() -> None:
    falls = [said("fall", SINCE + hour, MessageClass.ALARM) for hour in (3 * HOUR, 3.5 * HOUR, 9 * HOUR)]
    found = replay(
        story({(WEARABLE, 1): sorted([*beats(SINCE + DAY), *falls], key=lambda each: each.at)}, 1), default_book()
    )
    assert conditions(found.alerts) == [("fall", 2), ("fall", 1)]
    assert [each.raised_at for each in found.alerts] == [
        SINCE + 3 * HOUR + timedelta(seconds=1),
        SINCE + 9 * HOUR + timedelta(seconds=1),
    ]
    assert per_day(found.alerts, default_book()) == {date(2026, 11, 2): 2}
    assert found.failures == []


def test_silence_is_raised_when_its_contract_was_broken_and_clears() -> None:
    words = [*beats(SINCE + DAY), *beats(SINCE + 5 * DAY, since=SINCE + 3 * DAY)]
    (silent,) = replay(story({(WEARABLE, 1): words}, 5), default_book()).alerts
    assert silent.first.condition == "device_silent"
    assert silent.raised_at == SINCE + 23 * HOUR + timedelta(seconds=1) + 25 * HOUR


def test_silence_in_a_time_that_was_not_heard_is_held_against_nobody() -> None:
    words = [*beats(SINCE + DAY), *beats(SINCE + 5 * DAY, since=SINCE + 3 * DAY)]
    deaf = [Deaf(SINCE + DAY, SINCE + 3 * DAY)]
    assert replay(story({(WEARABLE, 1): words}, 5, deaf=deaf), default_book()).alerts == []


def test_signs_of_life_can_be_given_apart() -> None:
    """As a preview does, which reads no heartbeats."""
    fitted = Fitted(WEARABLE, subject(1), 25 * 3600.0, SINCE, seen=[SINCE + hour * HOUR for hour in range(24)])
    (silent,) = replay(Story((), SINCE, SINCE + 5 * DAY, [fitted]), default_book()).alerts
    assert silent.raised_at == SINCE + 23 * HOUR + 25 * HOUR


def test_doses_are_missed_where_nobody_confirmed_them() -> None:
    fitted = Fitted(DISPENSER, subject(1), kinds()[DISPENSER].silent_after.total_seconds(), SINCE)
    plan = DosePlan(time(8), frozenset(range(7)), date(2026, 11, 1))
    taken = [said("dose_taken", datetime(2026, 11, day, 7, 10, tzinfo=UTC)) for day in (2, 4)]
    words = sorted([*beats(SINCE + 3 * DAY), *taken], key=lambda each: each.at)
    one = Story(heard(DISPENSER, 1, words), SINCE, SINCE + 3 * DAY, [fitted], [Planned(4, fitted, plan)])
    found = replay(one, default_book()).alerts
    assert [(each.first.condition, each.raised_at) for each in found] == [
        ("dose_missed", datetime(2026, 11, 3, 8, 0, tzinfo=UTC))
    ]
    shorter = replace(one, planned=[Planned(4, fitted, plan, grace_seconds=300)])
    assert [each.raised_at.day for each in replay(shorter, default_book()).alerts] == [2, 3, 4]


def test_what_was_fitted_elsewhere_since_is_waited_for_no_longer() -> None:
    fitted = Fitted(WEARABLE, subject(1), 25 * 3600.0, SINCE, until=SINCE + DAY)
    assert replay(Story((), SINCE, SINCE + 5 * DAY, [fitted]), default_book()).alerts == []
