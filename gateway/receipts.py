"""Receipts: what phones and providers tell of a page after it left, and what follows. The answer that comes with a page's key.

Rules
    Whoever has a page's key can say that the page was received or shown, ask whether it is still wanted, and take the alert in
    the name of the page's person: for a day, while the alert is open. A key is no session: it shows nobody's name.
    A page only goes forward (``alerts.delivery``); a receipt that comes late or twice is noted and changes nothing.
    Word that a person's phone has a page withdraws what waits for them of the chain; word that it failed calls the next
    contact at once, and sends the alert on where nothing of the attempt is left.
    All of it holds the alert first: receipts, answers and the ladder are one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alerts.alert import PagesFailed, Refusal, Stage
from alerts.chain import OUTSIDE
from alerts.delivery import Noted, PageState, Receipt
from alerts.delivery import heard as where_to
from alerts.model import Entry, Severity
from alerts.rulebook import Rulebook
from gateway import answering, breaking, pagetests
from gateway.api import schemas
from gateway.breaking import OfPerson
from gateway.engine import advance
from gateway.errors import Conflict, Gone, NotFound
from gateway.metrics import METRICS
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import answers, audit, contacts, pages, people
from gateway.store import receipts as store
from gateway.store.alerts import StoredAlert
from gateway.store.audit import Changed
from gateway.store.db import Connection
from gateway.store.receipts import HeardPage
from gateway.store.views import Sight

KEY_HOLDS = timedelta(hours=24)
"""How long an alert can be taken by a page's key."""
TEST_AGAIN = "send another test from your contacts"
GONE = "open the alert in the app to see what became of it"


@dataclass(frozen=True, slots=True)
class ByPage:
    """Whoever answers by a page: they see the alert because they were paged, and nothing else."""

    person_id: int

    @property
    def sight(self) -> Sight:
        return Sight(self.person_id, [], [])


async def heard(
    connection: Connection,
    which: UUID | str,
    receipt: Receipt,
    now: datetime,
    cache: RulebookCache,
    *,
    reason: str = "",
    contact_broken: bool = False,
) -> PageState | Noted:
    """Word of a page: by the id that its provider was given as a reference, or by its key. What became of the page.

    ``reason``: what the provider says of a failure; ``contact_broken``: that it will never deliver to this contact. NotFound
    for a page that there is not (any more).
    """
    page = await _known(connection, which)
    book = await cache.read(connection)
    stored = await _lock(connection, page)
    moved = where_to(await store.lock(connection, page.id), receipt)
    METRICS.page(page.channel, receipt if isinstance(moved, PageState) else f"{receipt}_late")
    if receipt is Receipt.FAILED:
        changed = await _failed(connection, page, stored, moved, reason, now, book, contact_broken=contact_broken)
    else:
        changed = await _arrived(connection, page, receipt, moved, now, book)
    await audit.announce(connection, changed)
    return moved


async def view(connection: Connection, key: str, now: datetime) -> schemas.PageView:
    """How a page stands, for whoever holds its key. NotFound for another key."""
    return _view(await _known(connection, key), now)


async def lock(connection: Connection, which: UUID | str) -> StoredAlert | None:
    """A page's alert, held as all that is heard of the page holds it. NotFound for a page that there is not."""
    return await _lock(connection, await _known(connection, which))


async def claim(
    connection: Connection,
    which: UUID | str,
    given_at: datetime | None,
    now: datetime,
    cache: RulebookCache,
    *,
    kept: bool = False,
) -> schemas.PageClaimed:
    """ "I take it", by a page: as its person; of a test, that it came. NotFound, Gone, or Conflict with the reason when it is
    not taken.

    The same one again – the same page, given at the same time – is the same answer, as long as they have the alert. ``kept``: whoever
    calls keeps what is replied, and so asks once.
    """
    page = await _known(connection, which)
    if pagetests.is_test(page):
        return await _confirm(connection, page, now, cache)
    stored = await alert_store.lock_id(connection, page.alert_id)
    if stored is None or stored.alert.stage is Stage.CLOSED or not _holds(page, now):
        raise Gone("over", "the alert is closed, or the page is more than a day old", GONE)
    if not (await people.reach(connection, page.person_id, now)).roles:
        raise Gone("over", "the page's person has no role any more", GONE)
    key = f"page:{page.uid}:{given_at.isoformat() if given_at else ''}"
    if not kept and await answers.find(connection, page.person_id, key) is not None:
        return _still_theirs(page, stored)
    who, uid = ByPage(page.person_id), page.alert_uid
    request = schemas.AnswerRequest(answer="claim", given_at=given_at)
    try:
        if kept:
            reply = await answering.answer_unkept(connection, who, uid, request, now, cache)
        else:
            reply = await answering.answer(connection, who, uid, request, key, now, cache)
    except Conflict as refused:
        raise _without_names(refused, stored) from refused
    await store.answered_by(connection, page.id)
    await contacts.confirm(connection, page.contact_id, now)
    return schemas.PageClaimed(stage=reply.stage, due_at=reply.due_at, url=_url(page))


async def _confirm(connection: Connection, page: HeardPage, now: datetime, cache: RulebookCache) -> schemas.PageClaimed:
    """A test has come to the phone. The same again is the same answer."""
    book = await cache.read(connection)
    stored = await _lock(connection, page, pagetests.nothing_key(page.person_id))
    already = await store.lock(connection, page.id) is PageState.ANSWERED
    if not already and (stored is None or stored.alert.stage is Stage.CLOSED or not _holds(page, now)):
        raise Gone("over", "this test is over: it was called off, renewed, or is more than a day old", TEST_AGAIN)
    if not already and stored is not None:
        await audit.announce(connection, await pagetests.confirmed(connection, page, stored, now, book))
        await store.answered_by(connection, page.id)
    return schemas.PageClaimed(stage=Stage.CLOSED, due_at=None, url=_url(page))


async def given_up(
    connection: Connection,
    page: pages.LeasedPage,
    holder: str,
    reason: str,
    now: datetime,
    cache: RulebookCache,
    *,
    contact_broken: bool,
) -> bool:
    """The dispatcher gives up a page that it has leased. False where the page went further meanwhile."""
    found = await _known(connection, page.uid)
    book = await cache.read(connection)
    stored = await _lock(connection, found)
    if stored is None or not await pages.failed(connection, page.id, holder, reason, now):
        return False
    changed = Changed()
    if contact_broken:  # before the alert goes on: nobody is to count on it
        changed |= await _break(connection, found, reason, now, book)
    changed |= await _after_failure(connection, found, stored, now, book, contact_broken=contact_broken)
    await audit.announce(connection, changed)
    return True


# Parts ----------------------------------------------------------------------------------------------------------------


async def _known(connection: Connection, which: UUID | str) -> HeardPage:
    found = await store.find(connection, which)
    if found is None:
        raise NotFound("page", "there is no such page", "use the key that came with the page")
    return found


async def _lock(connection: Connection, page: HeardPage, *more: str) -> StoredAlert | None:
    """The alert, and what may be said of the contact, in the order of their keys. ``more``: other keys."""
    locked = await alert_store.lock_all(connection, [page.alert_id], [breaking.key_of(page.contact_id), *more])
    return locked.get(page.alert_id)


async def _arrived(
    connection: Connection, page: HeardPage, receipt: Receipt, moved: PageState | Noted, now: datetime, book: Rulebook
) -> Changed:
    seconds = await store.note(connection, page.id, receipt, now)
    if seconds is not None:
        METRICS.leg(receipt, page.severity, page.channel, seconds)
    if isinstance(moved, PageState):
        await store.move(connection, page.id, moved)
    if page.channel == OUTSIDE:
        return Changed()
    await store.end_chain(connection, page, now)
    if page.broken_at is not None and page.created_at > page.broken_at:
        return await breaking.mended(connection, page.contact_id, now, book)
    return Changed()


async def _failed(
    connection: Connection,
    page: HeardPage,
    stored: StoredAlert | None,
    moved: PageState | Noted,
    reason: str,
    now: datetime,
    book: Rulebook,
    *,
    contact_broken: bool,
) -> Changed:
    """A contact that a page has reached is not broken, whatever is said of that page."""
    changed = Changed()
    if contact_broken and moved is not Noted.AS_FAR:
        changed |= await _break(connection, page, reason, now, book)
    if isinstance(moved, PageState) and stored is not None:
        await store.move(connection, page.id, moved, reason, now)
        changed |= await _after_failure(connection, page, stored, now, book, contact_broken=contact_broken)
    return changed


async def _after_failure(
    connection: Connection,
    page: HeardPage,
    stored: StoredAlert,
    now: datetime,
    book: Rulebook,
    *,
    contact_broken: bool,
) -> Changed:
    """Say so on the timeline, call the next contact, and go on where nobody else was reached. A test that has broken its contact
    has nothing to add to that word.

    The server's own words may name the address: they stay with the page and the contact, which can be erased.
    """
    told = Entry("page_failed", {"persons": [page.person_id], "channel": page.channel})
    await alert_store.add_entries(connection, page.alert_id, (told,), now)
    pulled = page.channel != OUTSIDE and await store.pull_chain(
        connection, page.alert_id, page.person_id, page.attempt, now
    )
    changed = Changed(frozenset({stored.zone_id}), pages=pulled)
    if contact_broken and pagetests.is_test(page):
        return changed | await pagetests.over(connection, page.contact_id, now, book)
    if stored.alert.closed_at is None and await pages.attempt_failed(connection, page.alert_id, page.attempt):
        _, _, what = await advance(connection, stored, PagesFailed(page.attempt), now, book)
        changed |= what
    return changed


async def _break(connection: Connection, page: HeardPage, reason: str, now: datetime, book: Rulebook) -> Changed:
    contact = OfPerson(page.contact_id, page.person_id, page.channel)
    return await breaking.broke(connection, contact, reason, page.zone_id, now, book)


def _holds(page: HeardPage, now: datetime) -> bool:
    return page.may_answer and page.closed_at is None and now - page.created_at <= KEY_HOLDS


def _view(page: HeardPage, now: datetime) -> schemas.PageView:
    over = page.state in (PageState.ANSWERED, PageState.FAILED, PageState.WITHDRAWN)
    return schemas.PageView(
        state=page.state,
        wanted=_holds(page, now) and not over,
        test=pagetests.is_test(page),
        severity=Severity(page.severity),
        zone=page.zone,
        raised_at=page.raised_at,
        url=_url(page),
    )


def _still_theirs(page: HeardPage, stored: StoredAlert) -> schemas.PageClaimed:
    if stored.alert.holder != page.person_id:
        raise Conflict("changed", "it was taken by this page before, and has been given back since", GONE)
    return schemas.PageClaimed(stage=stored.alert.stage, due_at=stored.alert.due_at, url=_url(page))


def _without_names(refused: Conflict, stored: StoredAlert) -> Conflict:
    if stored.alert.stage is Stage.CLOSING:
        return Conflict("closing", "it is being closed", GONE)
    if refused.reason == Refusal.HELD_BY_OTHER:
        return Conflict(refused.reason, "a colleague has it", GONE)
    return Conflict(refused.reason, refused.detail, refused.mend)


def _url(page: HeardPage) -> str:
    return f"/alerts/{page.alert_uid}"
