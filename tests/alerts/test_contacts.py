"""How a contact stands, which one is tested at check-in, whether one may be taken away: decided without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.alert import (
    Alert,
    Claim,
    Contact,
    ContactTested,
    DueFor,
    PagesFailed,
    People,
    Raised,
    Stage,
    Step,
    TimePassed,
)
from alerts.contacts import (
    PAGE_TEST,
    TEST_AGAIN,
    MayTest,
    Removal,
    State,
    Way,
    WhyTest,
    at_check_in,
    may_test,
    ordered,
    removal,
    state,
)
from alerts.escalation import step
from alerts.model import Severity
from alerts.policy import Target
from alerts.silence_ends import NOTICE

NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)
LATELY = timedelta(hours=12)
APP, PHONE, MAIL = Way(1, "in_app"), Way(2, "web_push"), Way(3, "email")


def way(id_: int = 2, channel: str = "sms", **known: Any) -> Way:
    return Way(id_, channel, **known)


@pytest.mark.parametrize(
    ("stands", "known"),
    [
        (State.NOT_TESTED, {}),
        (State.WORKS, {"confirmed_at": NOW}),
        (State.BROKEN, {"confirmed_at": NOW, "broken": True, "broken_at": NOW}),
        (State.WAITS, {"confirmed_at": NOW, "broken": True, "tested_at": NOW, "waits": True}),
        (State.UNCONFIRMED, {"confirmed_at": NOW, "tested_at": NOW}),
        (State.BROKEN, {"broken": True, "tested_at": NOW}),
    ],
)
def test_how_a_contact_stands(stands: State, known: dict[str, Any]) -> None:
    assert state(way(**known)) is stands


@pytest.mark.parametrize(
    ("why", "ways"),
    [
        (WhyTest.NOTHING_RINGS, []),
        (WhyTest.NOTHING_RINGS, [APP]),
        (WhyTest.NOTHING_RINGS, [APP, way(broken=True)]),
        (WhyTest.TEST, [APP, PHONE]),
        (WhyTest.TEST, [way(broken=True), way(3)]),
        (WhyTest.TEST, [way(confirmed_at=NOW - LATELY)]),
        (WhyTest.CONFIRMED_LATELY, [way(confirmed_at=NOW - LATELY + timedelta(seconds=1)), way(3)]),
        (WhyTest.WAITS_ALREADY, [way(tested_at=NOW)]),
    ],
)
def test_which_contact_checking_in_tests(why: WhyTest, ways: list[Way]) -> None:
    decided = at_check_in(ways, NOW, LATELY)
    first = next((each for each in ways if each.rings and not each.broken), None)
    assert (decided.why, decided.way) == (why, first)


def test_a_contact_is_not_tested_twice_a_minute_and_the_app_never() -> None:
    assert may_test(APP, NOW) is MayTest.RINGS_NOWHERE
    assert may_test(PHONE, NOW) is MayTest.YES
    assert may_test(way(tested_at=NOW), NOW + TEST_AGAIN - timedelta(seconds=1)) is MayTest.JUST_SENT
    assert may_test(way(tested_at=NOW), NOW + TEST_AGAIN) is MayTest.YES


@pytest.mark.parametrize(
    ("may", "ways", "gone"),
    [
        (Removal.FREE, [APP, PHONE, MAIL], 2),
        (Removal.ASK_FIRST, [APP, PHONE], 2),
        (Removal.ASK_FIRST, [APP, PHONE, way(3, broken=True)], 2),
        (Removal.FREE, [APP, PHONE, way(3, broken=True)], 3),
        (Removal.FREE, [APP, PHONE], 1),
        (Removal.ASK_FIRST, [APP], 1),
        (Removal.FREE, [APP, way(2, broken=True)], 2),
    ],
)
def test_the_last_one_that_reaches_somebody_is_asked_for(may: Removal, ways: list[Way], gone: int) -> None:
    assert removal(ways, gone, serves=True) is may
    assert removal(ways, gone, serves=False) is Removal.FREE


@pytest.mark.parametrize(("wanted", "done"), [((2, 1), True), ((1,), False), ((1, 1), False), ((1, 2, 3), False)])
def test_an_order_is_of_all_each_once(wanted: tuple[int, ...], done: bool) -> None:
    assert ordered([1, 2], wanted) == (wanted if done else None)


# The ladder of a test -------------------------------------------------------------------------------------------------

KARIS, SIRIS = Contact(2, 7, "sms"), Contact(9, 8)
PEOPLE = People({Target.ZONE_LEAD: (SIRIS,)})
WITHIN = timedelta(minutes=5)


def sent_test() -> Step:
    sent = step(Alert(NOTICE, Severity.MODERATE), ContactTested(KARIS, WITHIN), NOW, PEOPLE)
    assert isinstance(sent, Step)
    return sent


def test_a_test_pages_one_contact_alone_and_says_so() -> None:
    sent = sent_test()
    assert [(each.contact, each.about, each.after) for each in sent.pages] == [(KARIS, PAGE_TEST, timedelta())]
    assert (sent.alert.due_at, sent.alert.due_for, sent.alert.step) == (NOW + WITHIN, DueFor.STEP, None)
    assert [each.code for each in sent.entries] == ["test_paged"]


def test_quiet_hours_hold_back_no_test_as_somebody_has_just_asked_for_it() -> None:
    sent = step(
        Alert(NOTICE, Severity.MODERATE), ContactTested(Contact(2, 7, "sms", resting=True), WITHIN), NOW, PEOPLE
    )
    assert isinstance(sent, Step)
    assert len(sent.pages) == 1


@pytest.mark.parametrize("event", [TimePassed(), PagesFailed(1)])
def test_whoever_leads_is_next_in_time_or_when_it_did_not_get_through(event: TimePassed | PagesFailed) -> None:
    now = NOW + WITHIN if isinstance(event, TimePassed) else NOW
    told = step(sent_test().alert, event, now, PEOPLE)
    assert isinstance(told, Step)
    assert [(each.contact, each.about) for each in told.pages] == [(SIRIS, None)]


def test_nobody_is_told_a_moment_too_early() -> None:
    early = step(sent_test().alert, TimePassed(), NOW + WITHIN - timedelta(seconds=1), PEOPLE)
    assert isinstance(early, Step)
    assert early.pages == ()


def test_a_test_begins_once_and_never_beside_an_answer() -> None:
    sent = sent_test().alert
    for event in (ContactTested(KARIS, WITHIN), Raised()):
        again = step(sent, event, NOW, PEOPLE)
        assert isinstance(again, Step)
        assert (again.alert, again.pages) == (sent, ())
    claimed = step(sent, Claim(8), NOW, PEOPLE)
    assert isinstance(claimed, Step)
    assert claimed.alert.stage is Stage.CLAIMED
