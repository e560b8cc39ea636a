"""Called back: what becomes of what a provider tells – a page was received, or failed; somebody answered "1".

Rules
    What was told by nobody whom we asked is refused. What is true and of no use (a page that is gone, a number that nobody has) is
    taken and counted: a provider that is refused tells it again and again.
    "1" answers the newest page to that number, if it is not older than ``ANSWERED_WITHIN``. Where several are open: one that
    nobody has, the severest, the newest; the answer says in which zone. It is the answer that comes with a page's key
    (``gateway.receipts``): it takes the alert, and shows that the contact works; of a test it only shows that.
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

from alerts.alert import Stage
from alerts.channels import Channel
from alerts.channels._callback import CalledBack, Hears, Reported, Said
from alerts.delivery import PageState, Receipt
from alerts.phone import told as number_of
from alerts.phoned import OF_TEST, Outcome, says_yes
from alerts.render import DEFAULT_LANGUAGE
from gateway import once, pagetests, receipts
from gateway.errors import Conflict, Gone, Invalid, NotAllowed, NotFound, SettingError
from gateway.metrics import METRICS
from gateway.rulebook import RulebookCache
from gateway.store import callbacks as store
from gateway.store.alerts import StoredAlert
from gateway.store.callbacks import CalledPage
from gateway.store.db import Connection

log = structlog.get_logger()

ANSWERED_WITHIN = timedelta(minutes=30)
LONGEST_KEY = 128


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


def read_report(channels: Mapping[str, Channel], channel: str, call: CalledBack) -> Reported | None:
    """NotFound for a channel that is not called back, NotAllowed for who was not asked, Invalid for rubbish."""
    hears = _proven(channels, channel, call)
    try:
        return hears.report(call)
    except ValueError as error:
        raise Invalid("report", str(error), "send what your documentation says") from None


def read_answer(channels: Mapping[str, Channel], channel: str, call: CalledBack) -> tuple[Hears, Said | None]:
    """The same, for what somebody answered."""
    hears = _proven(channels, channel, call)
    return hears, hears.inbound(call)


def _proven(channels: Mapping[str, Channel], channel: str, call: CalledBack) -> Hears:
    hears = channels.get(channel)
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


async def report(connection: Connection, channel: str, reported: Reported, now: datetime, cache: RulebookCache) -> bool:
    """Note what became of a page, and go on where nobody else was reached. False where it says nothing new."""
    page = await _page(connection, channel, reported.page)
    news = page is not None and await _heard(connection, page, reported, now, cache)
    log.info("callback.report", channel=channel, page=reported.page, receipt=reported.receipt, news=news)
    METRICS.called_back(channel, reported.receipt if news else "known" if page else "no_page")
    return news


async def _heard(
    connection: Connection, page: CalledPage, reported: Reported, now: datetime, cache: RulebookCache
) -> bool:
    """The one place in which a receipt is noted. False where it moves the page nowhere."""
    moved = await receipts.heard(
        connection,
        page.uid,
        reported.receipt,
        now,
        cache,
        reason=reported.reason,
        contact_broken=reported.permanent,
    )
    return isinstance(moved, PageState)


# Answers --------------------------------------------------------------------------------------------------------------


async def answer(connection: Connection, channel: str, said: Said, now: datetime, cache: RulebookCache) -> Told:
    """What becomes of what somebody wrote or pressed."""
    told = await _answer(connection, channel, said, now, cache)
    log.info("callback.answer", channel=channel, outcome=told.outcome)
    METRICS.called_back(channel, told.outcome)
    return told


def choose(found: Sequence[CalledPage]) -> CalledPage | None:
    """Whose alert is taken: an open one, that nobody has, the severest, the newest."""
    return max(
        found, key=lambda each: (not each.closed, each.holder_id is None, each.severity, each.created_at), default=None
    )


async def _answer(connection: Connection, channel: str, said: Said, now: datetime, cache: RulebookCache) -> Told:
    if not said.text:
        return Told(Outcome.NOT_UNDERSTOOD)
    if said.page:
        page = await _page(connection, channel, said.page)
        if page is not None and not says_yes(said.text):
            await _heard(connection, page, Reported(said.page, Receipt.SHOWN), now, cache)
            return Told(_of(page, Outcome.SHOWN), page.zone, page.language)
        return await _take(connection, page, said, now, cache) if page else Told(Outcome.NOBODY)
    if not says_yes(said.text):
        return Told(Outcome.NOT_UNDERSTOOD)
    theirs = [each for each in await store.numbers(connection, channel) if number_of(each.address) == said.number]
    recent = await store.recent(connection, theirs, now - ANSWERED_WITHIN) if theirs else []
    page = choose(recent)
    if page is not None:
        return await _take(connection, page, said, now, cache, newest=recent[-1].uid)
    return Told(Outcome.NO_PAGE, language=theirs[0].language) if theirs else Told(Outcome.NOBODY)


async def _take(
    connection: Connection,
    page: CalledPage,
    said: Said,
    now: datetime,
    cache: RulebookCache,
    newest: UUID | None = None,
) -> Told:
    """Their answer, once. Without an id of the provider's it is the same as long as no newer page has gone to them."""
    key = f"{page.channel}:{said.id or f'{said.text} {newest or page.uid}'}"[:LONGEST_KEY]
    try:
        stored = await receipts.lock(connection, page.uid)
    except NotFound:  # it has been forgotten this very moment
        return Told(Outcome.NOBODY)
    asked = hashlib.sha256(key.encode()).digest()
    before = await once.before(connection, page.person_id, key, asked)
    if before is not None:
        return Told(Outcome(before["outcome"]), before["zone"], page.language)
    outcome = _of(page, await _claim(connection, page, stored, now, cache))
    reply = {"outcome": outcome, "zone": page.zone}
    await once.keep(connection, page.person_id, key, page.alert_id, asked, reply, now)
    return Told(outcome, page.zone, page.language)


async def _claim(
    connection: Connection,
    page: CalledPage,
    stored: StoredAlert | None,
    now: datetime,
    cache: RulebookCache,
) -> Outcome:
    try:
        await receipts.claim(connection, page.uid, None, now, cache, kept=True)
    except (Gone, NotFound):
        return Outcome.CLOSED if stored is None or stored.alert.stage is Stage.CLOSED else Outcome.NO_PAGE
    except Conflict:
        return Outcome.HELD_BY_OTHER
    return Outcome.TAKEN


def _of(page: CalledPage, outcome: Outcome) -> Outcome:
    """What it is called where the page is a test."""
    return OF_TEST[outcome] if pagetests.is_test(page) else outcome


async def _page(connection: Connection, channel: str, uid: str) -> CalledPage | None:
    try:
        return await store.page(connection, channel, UUID(uid))
    except ValueError:
        return None
