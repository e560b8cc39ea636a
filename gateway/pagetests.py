"""Tests of contacts: a real page to one contact alone, which has to be confirmed by whoever has it; else its lead is told.

Rules
    A test is an alert, and takes the way of every page: outbox, dispatcher, channel, receipts. Its person's one contact is paged
    first; whoever leads where they serve is, when nobody has confirmed it in time or the page did not get through. That is the
    ladder of a notice, one step later: nothing else remembers it.
    It is confirmed by the page's key or by whatever else comes with the page, which also mends a contact that was broken. A
    contact that turns out to be broken by its test is told of as such, and the test is over.
    Whoever checks in and has nothing that rings cannot be tested: whoever leads is told at once, once for a shift.
    There is one test of a contact at a time. A new one takes the place of one that is open.
    Nothing here names an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.alert import Stage
from alerts.checkin import EARLY
from alerts.contacts import NOTHING_RINGS, PAGE_TEST, MayTest, WhyTest, at_check_in, may_test
from alerts.model import Clear, Entry, Evidence, PageTest, Signal, Track
from alerts.rulebook import Rulebook
from gateway import breaking, noticing
from gateway.checking import There
from gateway.engine import act
from gateway.errors import Conflict
from gateway.store import alerts as alert_store
from gateway.store import audit, checkins, contacts, receipts
from gateway.store.alerts import StoredAlert
from gateway.store.audit import Audited, Changed
from gateway.store.contacts import Kept
from gateway.store.db import Connection
from gateway.store.receipts import HeardPage

REFUSALS = {
    MayTest.RINGS_NOWHERE: "the app on an open screen is not tested: it rings nowhere",
    MayTest.JUST_SENT: "a test has been sent less than a minute ago",
}


@dataclass(frozen=True, slots=True)
class PageTestTimes:
    """``within``: how long a test waits before somebody is told; ``lately``: how long a confirmation is good for at check-in."""

    within: timedelta = timedelta(minutes=5)
    lately: timedelta = timedelta(hours=12)


def key_of(contact_id: int) -> str:
    """The key of the open test of a contact."""
    return f"{PAGE_TEST}:contact:{contact_id}"


def nothing_key(person_id: int) -> str:
    """The key of the notice that nothing rings where somebody's pages come."""
    return f"{NOTHING_RINGS}:person:{person_id}"


# Beginning ------------------------------------------------------------------------------------------------------------


async def send(
    connection: Connection, contact: Kept, by: int, now: datetime, book: Rulebook, testing: PageTestTimes
) -> Changed:
    """A test that somebody asks for. Conflict where there cannot be one now."""
    refused = may_test(contact.way, now)
    if refused is not MayTest.YES:
        raise Conflict(refused, REFUSALS[refused], "wait a minute" if refused is MayTest.JUST_SENT else "")
    if contact.channel not in book.channels:
        raise Conflict("not_set_up", f"{contact.channel} is not set up here any more", "add another contact")
    zone = await receipts.zone_of(connection, contact.person_id, now)
    changed = await _begin(connection, contact, zone, now, book, testing.within)
    if changed is None:
        raise Conflict("no_place", "you have no role in a zone with a site: nobody would be told", "ask your lead")
    await _note(connection, "contact.tested", contact, by, now)
    return changed


async def at_shift(
    connection: Connection, person_id: int, there: There, now: datetime, book: Rulebook, testing: PageTestTimes
) -> Changed:
    """Somebody has checked in: the contact that their pages come to first is tested, where their zone wants that. Where nothing
    of theirs rings, whoever leads is told."""
    if not await contacts.tested_at_check_in(connection, there.zone_id):
        return Changed()
    kept = {each.id: each for each in await contacts.of(connection, person_id) if each.channel in book.channels}
    decided = at_check_in([each.way for each in kept.values()], now, testing.lately)
    if decided.way is None:
        return await _nothing_rings(connection, person_id, there, now, book)
    changed = await rings_again(connection, person_id, now, book)
    if decided.why is not WhyTest.TEST:
        return changed
    contact = kept[decided.way.id]
    begun = await _begin(connection, contact, there.zone_id, now, book, testing.within)
    if begun is None:
        return changed
    await _note(connection, "contact.tested_at_check_in", contact, person_id, now)
    return changed | begun


async def rings_again(connection: Connection, person_id: int, now: datetime, book: Rulebook) -> Changed:
    """Nobody has to see to it any more that somebody has nothing that rings: they have, or have gone."""
    return await act(connection, [Clear(nothing_key(person_id), Evidence("something_rings", now, now))], now, book)


async def _nothing_rings(
    connection: Connection, person_id: int, there: There, now: datetime, book: Rulebook
) -> Changed:
    """Once for a shift, which can be checked in to before it begins; what a lead has closed stays closed."""
    key, subject = nothing_key(person_id), await noticing.subject_in(connection, there.zone_id)
    told = await checkins.was_missed(connection, there.zone_id, key, there.since - EARLY)
    if subject is None or told:
        return Changed()
    notice = noticing.word(key, NOTHING_RINGS, subject, now, notice=())
    return await noticing.tell(connection, notice, Entry(NOTHING_RINGS, {"persons": [person_id]}), now, book)


async def _begin(
    connection: Connection, contact: Kept, zone: int | None, now: datetime, book: Rulebook, within: timedelta
) -> Changed | None:
    """None where there is nowhere to raise it."""
    subject = await noticing.subject_in(connection, zone) if zone is not None else None
    if subject is None:
        return None
    test = PageTest(contact.id, contact.person_id, contact.channel, within)
    raised = noticing.word(key_of(contact.id), PAGE_TEST, subject, now, notice=(), test=test)
    signals: list[Signal] = [raised]
    for stored in (await alert_store.lock_open(connection, [raised.key])).values():
        await alert_store.add_entries(connection, stored.id, (Entry("test_renewed"),), now)
        signals = [Clear(raised.key, Evidence(PAGE_TEST, now, now)), raised]
    return await act(connection, signals, now, book)


# Ending ---------------------------------------------------------------------------------------------------------------


class Paged(Protocol):
    """A page, whoever speaks of it."""

    @property
    def about(self) -> str | None: ...


def is_test(page: Paged) -> bool:
    """Whether a page is a test, and not the word of one to whoever leads."""
    return page.about == PAGE_TEST


async def confirmed(
    connection: Connection, page: HeardPage, stored: StoredAlert, now: datetime, book: Rulebook
) -> Changed:
    """Whoever has the page says so: the contact works, and the test is over, whoever has been told meanwhile. The alert is held,
    and what may be said of the contact (``gateway.breaking``) and of its person (``nothing_key``)."""
    await contacts.confirm(connection, page.contact_id, now)
    entry = Entry("test_confirmed", {"channel": page.channel}, page.person_id)
    await alert_store.add_entries(connection, stored.id, (entry,), now)
    line = Audited("contact.confirmed", "contact", page.contact_id, page.person_id, {"channel": page.channel})
    await audit.add(connection, now, (line,))
    changed = await breaking.mended(connection, page.contact_id, now, book, by=page.person_id)
    recalls = await receipts.answered(connection, stored.id, page.person_id, now)
    changed |= await rings_again(connection, page.person_id, now, book)
    changed |= await over(connection, page.contact_id, now, book)
    return changed | Changed(persons=frozenset({page.person_id}), pages=recalls)


async def call_off(connection: Connection, contact: Kept, by: int, now: datetime, book: Rulebook) -> Changed:
    """Its person knows that it did not come, or needs it no more: nobody else is told. Nothing where none waits."""
    locked = await alert_store.lock_open(connection, [key_of(contact.id)])
    for stored in locked.values():
        if stored.alert.step is not None or stored.alert.stage is not Stage.OPEN:
            raise Conflict("told", "your lead has been told already, and closes it", "confirm it, or test it again")
        await alert_store.add_entries(connection, stored.id, (Entry("test_called_off", {}, by),), now)
        await _note(connection, "contact.test_called_off", contact, by, now)
    return await over(connection, contact.id, now, book) if locked else Changed()


async def over(connection: Connection, contact_id: int, now: datetime, book: Rulebook) -> Changed:
    """There is nothing left to confirm."""
    return await act(connection, [Clear(key_of(contact_id), Evidence("test_over", now, now))], now, book)


async def check_answer(connection: Connection, stored: StoredAlert) -> None:
    """Conflict for an answer to a test that waits for its phone: to be signed in somewhere is no sign that it rings."""
    if stored.track == Track.TECHNICAL and await contacts.is_test_that_waits(connection, stored.id):
        raise Conflict("on_the_phone", "this is a test of a phone", "open what came to it, and confirm it there")


async def _note(connection: Connection, action: str, contact: Kept, by: int, now: datetime) -> None:
    await audit.add(connection, now, (Audited(action, "contact", contact.id, by, {"channel": contact.channel}),))
    await audit.announce(connection, Changed(persons=frozenset({contact.person_id})))
