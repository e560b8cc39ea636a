"""The chain of a person's contacts, and what receipts make of a page: over all that can come, in any order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import chain
from alerts.alert import Alert, Contact, Page
from alerts.chain import OUTSIDE, awake, chained
from alerts.delivery import OVER, RECEIPT_WITHIN, Noted, PageState, Receipt, heard
from alerts.ladder import also_page, page
from alerts.model import Severity
from alerts.policy import DEFAULT_POLICIES
from alerts.schedule import Window

OSLO = ZoneInfo("Europe/Oslo")
KINDS = st.sampled_from((OUTSIDE, "push", "sms", "email"))
CONTACTS = st.lists(
    st.builds(Contact, id=st.integers(1, 40), person_id=st.integers(1, 4), kind=KINDS, resting=st.booleans()),
    max_size=12,
    unique_by=lambda each: each.id,
).map(tuple)
SEVERITIES = st.sampled_from(Severity)
FURTHER = [
    PageState.QUEUED,
    PageState.LEASED,
    PageState.HANDED_OVER,
    PageState.RECEIVED,
    PageState.SHOWN,
]


def pages_of(contacts: tuple[Contact, ...], severity: Severity) -> tuple[Page, ...]:
    return page(Alert(DEFAULT_POLICIES[0], severity), contacts, "step_reached", {}).pages


@given(contacts=CONTACTS, severity=SEVERITIES)
def test_each_person_is_called_at_once_and_their_contacts_one_after_the_other(
    contacts: tuple[Contact, ...], severity: Severity
) -> None:
    after: dict[int, list[timedelta]] = defaultdict(list)
    for each in pages_of(contacts, severity):
        if each.contact.kind == OUTSIDE:
            assert each.after == timedelta()
        else:
            after[each.contact.person_id].append(each.after)
    for waits in after.values():
        assert waits == [RECEIPT_WITHIN[severity] * n for n in range(len(waits))]


@given(contacts=CONTACTS, severity=SEVERITIES)
def test_quiet_hours_leave_nobody_without_a_page_and_do_not_count_when_it_is_serious(
    contacts: tuple[Contact, ...], severity: Severity
) -> None:
    paged = [each.contact for each in pages_of(contacts, severity)]
    assert {each.person_id for each in paged} == {each.person_id for each in contacts}
    if severity >= Severity.SERIOUS:
        assert set(paged) == set(contacts)
    for each in set(contacts) - set(paged):
        assert each.resting
        assert any(
            other.person_id == each.person_id and not other.resting and other.kind != OUTSIDE for other in paged
        ), "another that rings"


@given(contacts=CONTACTS, more=CONTACTS, severity=SEVERITIES)
def test_those_who_are_paged_besides_go_on_where_their_chain_is(
    contacts: tuple[Contact, ...], more: tuple[Contact, ...], severity: Severity
) -> None:
    alert = Alert(DEFAULT_POLICIES[0], severity)
    others = tuple(replace(each, id=each.id + 100) for each in more)
    together = also_page(page(alert, contacts, "step_reached", {}), others, "owner_paged").pages
    waits: dict[int, list[timedelta]] = defaultdict(list)
    for each in together:
        if each.contact.kind != OUTSIDE:
            waits[each.contact.person_id].append(each.after)
    for of_person in waits.values():
        assert of_person == [RECEIPT_WITHIN[severity] * n for n in range(len(of_person))]


def test_the_severer_it_is_the_sooner_the_next_contact_is_tried() -> None:
    two = (Contact(1, 1, "push"), Contact(2, 1, "sms"))
    waits = [next(after for each, after in chained(two, severity) if each.id == 2) for severity in Severity]
    assert waits == sorted(waits, reverse=True)
    assert (waits[-1], waits[0]) == (timedelta(seconds=15), timedelta(minutes=5))


@pytest.mark.parametrize(
    ("at", "resting"),
    [("22:59", False), ("23:00", True), ("00:00", True), ("05:59", True), ("06:00", False)],
)
def test_quiet_hours_are_by_the_clock_on_the_wall_over_midnight(at: str, *, resting: bool) -> None:
    contact = Contact(1, 1, "sms", Window(from_time=time(23), to_time=time(6)))
    now = datetime.combine(datetime(2026, 7, 1).date(), time.fromisoformat(at), tzinfo=OSLO)
    assert chain.at(contact, now, OSLO).resting is resting


def test_who_has_another_contact_in_the_attempt_already_is_left_in_peace() -> None:
    resting = Contact(2, 1, "sms", resting=True)
    assert awake([resting], Severity.NORMAL) == (resting,)
    assert awake([resting], Severity.NORMAL, before=[Contact(1, 1, "push")]) == ()


def test_the_app_on_a_screen_is_no_other_contact_that_rings() -> None:
    """Whoever has one phone, with quiet hours, is called on it all the same."""
    resting, screen = Contact(2, 1, "sms", resting=True), Contact(1, 1, OUTSIDE)
    assert awake([screen, resting], Severity.NORMAL) == (screen, resting)
    assert awake([resting], Severity.NORMAL, before=[screen]) == (resting,)
    assert awake([screen, resting, Contact(3, 1, "push")], Severity.NORMAL) == (screen, Contact(3, 1, "push"))


# What is heard of a page ----------------------------------------------------------------------------------------------


@given(state=st.sampled_from(PageState), told=st.lists(st.sampled_from(Receipt), max_size=10))
def test_whatever_is_heard_in_whatever_order_a_page_never_goes_back(state: PageState, told: list[Receipt]) -> None:
    for receipt in told:
        moved = heard(state, receipt)
        if isinstance(moved, Noted):
            continue
        assert state not in OVER
        if moved is PageState.FAILED:
            assert state in (PageState.LEASED, PageState.HANDED_OVER)
        else:
            assert FURTHER.index(moved) > FURTHER.index(state)
        assert heard(moved, receipt) in (Noted.AS_FAR, Noted.OVER), "twice is once"
        state = moved


@given(told=st.permutations([Receipt.RECEIVED, Receipt.SHOWN, Receipt.RECEIVED]))
def test_received_and_shown_end_the_same_in_any_order(told: list[Receipt]) -> None:
    state = PageState.LEASED
    for receipt in told:
        moved = heard(state, receipt)
        state = moved if isinstance(moved, PageState) else state
    assert state is PageState.SHOWN


def test_every_state_and_receipt_is_decided() -> None:
    stays = {
        (state, receipt): moved
        for state in PageState
        for receipt in Receipt
        if isinstance(moved := heard(state, receipt), Noted)
    }
    assert {state for (state, _), why in stays.items() if why is Noted.OVER} == OVER
    assert [each for each, why in stays.items() if why is Noted.TRIED_AGAIN] == [(PageState.QUEUED, Receipt.FAILED)]
    assert {each for each, why in stays.items() if why is Noted.AS_FAR} == {
        (PageState.RECEIVED, Receipt.RECEIVED),
        (PageState.SHOWN, Receipt.RECEIVED),
        (PageState.SHOWN, Receipt.SHOWN),
        (PageState.RECEIVED, Receipt.FAILED),
        (PageState.SHOWN, Receipt.FAILED),
    }
