"""Which pages leave as one message: the first at once, what follows together, and never what is serious."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.bundling import UP_TO, WITHIN, Alone, Due, Hold, Together, arrange, concerned, may_be_bundled
from alerts.model import Severity

NOW = datetime(2026, 11, 22, 2, 14, tzinfo=UTC)
ANNE, BJARTE = 1, 2


def due(id_: int, contact: int = ANNE, severity: Severity = Severity.MODERATE, channel: str = "sms") -> Due:
    return Due(id_, contact, channel, severity)


def test_a_page_alone_leaves_at_once() -> None:
    assert arrange([due(1)], {}, NOW) == [Alone(1)]


def test_what_follows_within_the_time_waits_and_then_leaves_together() -> None:
    left = {ANNE: NOW}
    later = NOW + timedelta(seconds=5)
    assert arrange([due(2), due(3)], left, later) == [Hold((2, 3), NOW + WITHIN)]
    assert arrange([due(2), due(3), due(4)], left, NOW + WITHIN) == [Together((2, 3, 4))]


def test_one_that_waited_alone_leaves_as_itself() -> None:
    assert arrange([due(2)], {ANNE: NOW}, NOW + WITHIN) == [Alone(2)]


def test_what_is_due_at_once_leaves_as_one_message_for_each_contact() -> None:
    pages = [due(1), due(2, BJARTE), due(3), due(4, BJARTE)]
    assert arrange(pages, {}, NOW) == [Together((1, 3)), Together((2, 4))]


def test_what_is_serious_never_waits_and_never_shares() -> None:
    pages = [due(1, severity=Severity.CRITICAL), due(2, severity=Severity.SERIOUS), due(3), due(4)]
    assert arrange(pages, {ANNE: NOW}, NOW) == [Alone(1), Alone(2), Hold((3, 4), NOW + WITHIN)]


def test_what_says_more_than_that_there_is_an_alert_leaves_as_itself() -> None:
    told = Due(1, ANNE, "sms", Severity.NORMAL, "command_unanswered")
    assert arrange([told, due(2)], {}, NOW) == [Alone(1), Alone(2)]


@pytest.mark.parametrize("channel", ["in_app", "voice", "web_push"])
def test_where_each_page_is_shown_or_answered_by_itself_nothing_waits(channel: str) -> None:
    pages = [due(1, channel=channel), due(2, channel=channel)]
    assert concerned(pages) == {}
    assert arrange(pages, {ANNE: NOW}, NOW) == [Alone(1), Alone(2)]


def test_of_each_contact_the_first_page_is_told() -> None:
    assert concerned([due(4), due(3, BJARTE), due(2), due(1, severity=Severity.SERIOUS)]) == {ANNE: 2, BJARTE: 3}


def test_a_clock_that_was_set_back_holds_nothing() -> None:
    assert arrange([due(1)], {ANNE: NOW + timedelta(hours=1)}, NOW) == [Alone(1)]


PAGES = st.lists(
    st.builds(
        Due,
        id=st.integers(1, 10**6),
        contact=st.integers(1, 4),
        channel=st.sampled_from(("sms", "email", "in_app", "voice", "web_push")),
        severity=st.sampled_from(Severity),
        about=st.sampled_from((None, None, "declined")),
    ),
    unique_by=lambda each: each.id,
    max_size=12,
)
LEFT = st.dictionaries(st.integers(1, 4), st.integers(-5, 40).map(lambda each: NOW - timedelta(seconds=each)))


@given(PAGES, LEFT)
def test_every_page_leaves_or_waits_once_and_never_longer_than_the_time(
    pages: Sequence[Due], left: dict[int, datetime]
) -> None:
    by_id, seen = {each.id: each for each in pages}, list[int]()
    for decision in arrange(pages, left, NOW):
        match decision:
            case Alone(page=page):
                seen.append(page)
            case Together(pages=together):
                assert len(together) > 1
                seen += together
                assert len({by_id[each].contact for each in together}) == 1
                assert all(by_id[each].severity <= UP_TO and may_be_bundled(by_id[each]) for each in together)
            case Hold(pages=held, until=until):
                seen += held
                assert NOW < until <= NOW + WITHIN
                assert all(by_id[each].severity <= UP_TO and may_be_bundled(by_id[each]) for each in held)
    assert sorted(seen) == sorted(by_id)
