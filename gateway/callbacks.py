"""Called back: what becomes of what a provider tells – a page was received, or failed; somebody answered "1".

Rules
    What was told by nobody whom we asked is refused. What is true and of no use (a page that is gone, a number that nobody has) is
    taken and counted: a provider that is refused tells it again and again.
    "1" takes the alert of the newest page to that number, if it is not older than ``ANSWERED_WITHIN``. Where several are open: one
    that nobody has, the severest, the newest; the answer says in which zone.
    The same answer told twice is one answer, and is replied to with the same words.
    What is not understood gets no answer: a phone that answers by itself would talk with us all night.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from alerts.alert import Claim, PagesFailed, Refused
from alerts.channels import Channel
from alerts.channels._callback import CalledBack, Hears, Reported, Said
from alerts.delivery import Receipt
from alerts.model import Entry
from alerts.phone import told as number_of
from alerts.phoned import Outcome, refused, says_yes
from alerts.render import DEFAULT_LANGUAGE
from alerts.rulebook import Rulebook
from gateway.engine import advance
from gateway.errors import Invalid, NotAllowed, NotFound, SettingError
from gateway.metrics import METRICS
from gateway.store import alerts as alert_store
from gateway.store import answers, audit, outlook, pages
from gateway.store import callbacks as store
from gateway.store.answers import Taken
from gateway.store.audit import Audited, Changed
from gateway.store.callbacks import CalledPage
from gateway.store.db import Connection

log = structlog.get_logger()

ANSWERED_WITHIN = timedelta(minutes=30)
LONGEST_KEY = 128


@dataclass(frozen=True, slots=True)
class Callers:
    """Who may call us back: the channels that are set up, and the address under which they reach us."""

    channels: Mapping[str, Channel]
    public_url: str


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody is to be told, in their language."""

    outcome: Outcome
    zone: str = ""
    language: str = DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is answered to a provider, which passes it on."""

    content_type: str
    body: str


def standing_urls(channels: Mapping[str, Channel], public_url: str) -> list[str]:
    """The addresses that are set up at the providers once. SettingError where there are none."""
    hear = [each for each in channels.values() if isinstance(each, Hears)]
    found = [url for each in hear for url in each.standing_urls(public_url)]
    if not found:
        raise SettingError("there are none: they need callback_secret, and sms_provider with replies or reports")
    return found


# Reading --------------------------------------------------------------------------------------------------------------


def read_report(callers: Callers, channel: str, call: CalledBack) -> Reported | None:
    """NotFound for a channel that is not called back, NotAllowed for who was not asked, Invalid for rubbish."""
    hears = _proven(callers, channel, call)
    try:
        return hears.report(call)
    except ValueError as error:
        raise Invalid("report", str(error), "send what your documentation says") from None


def read_answer(callers: Callers, channel: str, call: CalledBack) -> tuple[Hears, Said | None]:
    """The same, for what somebody answered."""
    hears = _proven(callers, channel, call)
    return hears, hears.inbound(call)


def _proven(callers: Callers, channel: str, call: CalledBack) -> Hears:
    hears = callers.channels.get(channel)
    if not isinstance(hears, Hears):
        raise NotFound("channel", "this channel is not called back", "look at the address that was given out")
    if not hears.proven(call):
        log.warning("callback.not_proven", channel=channel)
        METRICS.called_back(channel, "refused")
        raise NotAllowed(
            "signature", "the address, or the request, is not signed as it must be", "use the address as it is"
        )
    return hears


# Reports --------------------------------------------------------------------------------------------------------------


async def report(connection: Connection, channel: str, reported: Reported, now: datetime, book: Rulebook) -> bool:
    """Note what became of a page, and go on where nobody else was reached. False where it says nothing new."""
    page = await _page(connection, channel, reported.page)
    news = page is not None and await _heard(connection, page, reported, now, book)
    log.info("callback.report", channel=channel, page=reported.page, receipt=reported.receipt, news=news)
    METRICS.called_back(channel, reported.receipt if news else "known" if page else "no_page")
    return news


async def _heard(connection: Connection, page: CalledPage, reported: Reported, now: datetime, book: Rulebook) -> bool:
    """The one place in which a receipt is noted. False where it says nothing new."""
    if reported.receipt is Receipt.FAILED:
        changed = await _failed(connection, page, reported, now, book)
    else:
        note = store.shown if reported.receipt is Receipt.SHOWN else store.received
        changed = Changed(frozenset({page.zone_id})) if await note(connection, page.id, now) else None
    if changed is not None:
        await audit.announce(connection, changed)
    return changed is not None


async def _failed(
    connection: Connection, page: CalledPage, reported: Reported, now: datetime, book: Rulebook
) -> Changed | None:
    """As when the channel had said so at once: on the timeline, the contact where it is to blame, and on to the next."""
    stored = await alert_store.lock_id(connection, page.alert_id)
    if stored is None or not await store.failed(connection, page.id, reported.reason):
        return None
    if reported.permanent:
        await pages.break_contact(connection, page.contact_id, reported.reason)
        broken = Audited("contact.broken", "contact", page.contact_id, params={"channel": page.channel})
        await audit.add(connection, now, (broken,))
        await outlook.look_at(connection, now)
    told = Entry("page_failed", {"persons": [page.person_id], "channel": page.channel})
    await alert_store.add_entries(connection, stored.id, (told,), now)
    changed = Changed(frozenset({stored.zone_id}))
    if stored.alert.closed_at is None and await pages.attempt_failed(connection, page.alert_id, page.attempt):
        _, _, what = await advance(connection, stored, PagesFailed(page.attempt), now, book)
        changed |= what
    return changed


# Answers --------------------------------------------------------------------------------------------------------------


async def answer(connection: Connection, channel: str, said: Said, now: datetime, book: Rulebook) -> Told:
    """What becomes of what somebody wrote or pressed."""
    told = await _answer(connection, channel, said, now, book)
    log.info("callback.answer", channel=channel, outcome=told.outcome)
    METRICS.called_back(channel, told.outcome)
    return told


def choose(found: Sequence[CalledPage]) -> CalledPage | None:
    """Whose alert is taken: an open one, that nobody has, the severest, the newest."""
    return max(
        found, key=lambda each: (not each.closed, each.holder_id is None, each.severity, each.created_at), default=None
    )


async def _answer(connection: Connection, channel: str, said: Said, now: datetime, book: Rulebook) -> Told:
    if not said.text:
        return Told(Outcome.NOT_UNDERSTOOD)
    if said.page:
        page = await _page(connection, channel, said.page)
        if page is not None and not says_yes(said.text):
            await _heard(connection, page, Reported(said.page, Receipt.SHOWN), now, book)
            return Told(Outcome.SHOWN, page.zone, page.language)
        return await _take(connection, page, said, now, book) if page else Told(Outcome.NOBODY)
    if not says_yes(said.text):
        return Told(Outcome.NOT_UNDERSTOOD)
    theirs = [each for each in await store.numbers(connection, channel) if number_of(each.address) == said.number]
    recent = await store.recent(connection, theirs, now - ANSWERED_WITHIN) if theirs else []
    page = choose(recent)
    if page is not None:
        return await _take(connection, page, said, now, book, newest=recent[-1].uid)
    return Told(Outcome.NO_PAGE, language=theirs[0].language) if theirs else Told(Outcome.NOBODY)


async def _take(
    connection: Connection, page: CalledPage, said: Said, now: datetime, book: Rulebook, newest: UUID | None = None
) -> Told:
    """Their answer, once. Without an id of the provider's it is the same as long as no newer page has gone to them."""
    key = f"{page.channel}:{said.id or f'{said.text} {newest or page.uid}'}"[:LONGEST_KEY]
    stored = await alert_store.lock_id(connection, page.alert_id)
    before = await answers.find(connection, page.person_id, key)
    if before is not None or stored is None:
        reply = before.reply if before else {}
        return Told(Outcome(reply.get("outcome", Outcome.NOBODY)), reply.get("zone", ""), page.language)
    done, _, changed = await advance(connection, stored, Claim(page.person_id), now, book)
    outcome = refused(done.reason) if isinstance(done, Refused) else Outcome.TAKEN
    await audit.announce(connection, changed)
    taken = Taken(hashlib.sha256(key.encode()).digest(), {"outcome": outcome, "zone": page.zone})
    await answers.add(connection, page.person_id, key, stored.id, taken, now)
    return Told(outcome, page.zone, page.language)


async def _page(connection: Connection, channel: str, uid: str) -> CalledPage | None:
    try:
        return await store.page(connection, channel, UUID(uid))
    except ValueError:
        return None
