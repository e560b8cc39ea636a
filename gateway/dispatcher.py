"""The dispatcher: pages leave the outbox, each by the channel of its contact.

Lease (severest first) → does it leave with others? → is it still wanted? → render → send → settle. Pages are sent side by
side, so that a slow channel holds up nobody, and some slots are for what is serious alone. Retry is decided in ``alerts.delivery`` and nowhere else; an attempt of which every page has
failed sends the alert on at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid5
from zoneinfo import ZoneInfo

import structlog

from alerts.alert import PagesFailed
from alerts.channels import TIME_OUT, Channel, Outgoing
from alerts.delivery import Failed, GiveUp, HandedOver, Retry, SendResult, settle
from alerts.model import Entry, Severity
from alerts.render import bundle_text, page_text
from gateway.bundles import Bundles
from gateway.clock import Clock, pause
from gateway.engine import advance
from gateway.metrics import METRICS
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import audit, outlook, pages
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection, Database, DatabaseGone
from gateway.store.pages import LeasedPage
from gateway.tasks import end

log = structlog.get_logger()

SLOTS = 64
"""Pages that are sent side by side."""
SLOTS_FOR = ((Severity.SERIOUS, SLOTS), (Severity.NOT_REPORTED, SLOTS - 16))
"""By severity, how many slots may be taken before none is free for it: what is serious finds a slot, whatever else is sent."""
LEASE_SECONDS = 8.0
"""How long a page waits for a process that was killed while it sent it; who is alive renews the lease."""
RENEW_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Dispatching:
    """What the dispatcher needs to know: this process' name, the address people reach us at, and their time zone."""

    holder: str
    public_url: str
    local: ZoneInfo


class Dispatcher:
    """Leases and sends pages; the caller decides when."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cache: RulebookCache,
        channels: Mapping[str, Channel],
        settings: Dispatching,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._channels = channels
        self._settings = settings
        self._sending: set[asyncio.Task[None]] = set()
        self._bundles = Bundles(database, settings.holder)

    async def run_once(self) -> int:
        """Start to send what is due, as far as slots are free. How many."""
        return sum([await self._start(least, slots) for least, slots in SLOTS_FOR])

    async def _start(self, least: Severity, slots: int) -> int:
        now, holder, free = self._clock.now(), self._settings.holder, slots - len(self._sending)
        if free <= 0:
            return 0
        leased = await self._database.run(lambda each: pages.lease(each, now, holder, LEASE_SECONDS, free, least))
        for page in await self._bundles.arrange(leased, now):
            task = asyncio.create_task(self._deliver(page))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return len(leased)

    async def settled(self) -> None:
        """Wait for all that is being sent."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def _deliver(self, page: LeasedPage) -> None:
        try:
            await self._send_and_settle(page)
        except Exception:  # its lease runs out, and it is sent again
            log.exception("page.not_settled", page=str(page.uid))
        finally:
            self._bundles.settled(page)

    async def _send_and_settle(self, page: LeasedPage) -> None:
        holder = self._settings.holder
        if not await self._database.run(lambda each: pages.still_leased(each, page.id, holder)):
            return
        result = await self._send_while_wanted(page)
        if result is None:
            METRICS.page(page.channel, "withdrawn")
            return
        verdict = settle(result, page.tries)
        match verdict:
            case HandedOver(detail=detail):
                await self._handed_over(page, detail)
            case Retry(after=after):
                reason = result.reason if isinstance(result, Failed) else ""
                await self._database.run(lambda each: pages.retry(each, page.id, holder, reason, after.total_seconds()))
                METRICS.page(page.channel, "retried")
            case GiveUp():
                await self._database.run(lambda each: self._give_up(each, page, verdict))
                METRICS.page(page.channel, "failed")
                log.error("page.failed", page=str(page.uid), channel=page.channel, broken=verdict.contact_broken)

    async def _send_while_wanted(self, page: LeasedPage) -> SendResult | None:
        """None when an answer has withdrawn the page meanwhile: sending is broken off."""
        sending = asyncio.create_task(self._send(page))
        unwanted = asyncio.create_task(self._until_unwanted(page))
        try:
            await asyncio.wait({sending, unwanted}, return_when=asyncio.FIRST_COMPLETED)
            return sending.result() if sending.done() else None
        finally:
            await end([sending, unwanted])

    async def _until_unwanted(self, page: LeasedPage) -> None:
        """Renews the lease as long as the page is ours to send."""
        holder = self._settings.holder
        while True:
            await pause(RENEW_SECONDS)
            with suppress(*DatabaseGone):
                if not await self._database.run(lambda each: pages.renew(each, page.id, holder, LEASE_SECONDS)):
                    return

    async def _send(self, page: LeasedPage) -> SendResult:
        channel = self._channels.get(page.channel)
        if channel is None:
            return Failed(f"this gateway has no channel {page.channel!r} set up")
        try:
            async with asyncio.timeout(2 * TIME_OUT):
                bundle = self._bundles.of(page)
                if bundle is None:
                    return await channel.send(self._outgoing(page))
                return await bundle.result(lambda several: channel.send(self._outgoing_together(several)))
        except Exception as error:
            log.exception("channel.failed", channel=page.channel)
            return Failed(f"{type(error).__name__}: {error}")

    def _outgoing(self, page: LeasedPage) -> Outgoing:
        url = f"{self._settings.public_url}/alerts/{page.alert_uid}"
        local = self._settings.local
        text = page_text(page.language, page.severity, page.zone, page.raised_at, url, local, page.about)
        return Outgoing(str(page.uid), page.address, text.subject, text.text, page.severity)

    def _outgoing_together(self, several: Sequence[LeasedPage]) -> Outgoing:
        """One message for all of them, with the way to the list. Its id is its own: no page is taken back with it."""
        first, url = several[0], f"{self._settings.public_url}/alerts"
        text = bundle_text(first.language, [each.zone for each in several], url)
        severity = max(each.severity for each in several)
        own = str(uuid5(first.uid, "together"))
        return replace(self._outgoing(first), page_id=own, subject=text.subject, text=text.text, severity=severity)

    async def _handed_over(self, page: LeasedPage, detail: str) -> None:
        now, holder = self._clock.now(), self._settings.holder
        done = await self._database.run(lambda each: pages.handed_over(each, page.id, holder, detail, now))
        METRICS.page(page.channel, "handed_over" if done else "late")
        if done and page.attempt == 1:
            METRICS.first_page(page.severity, page.channel, (now - page.raised_at).total_seconds())

    async def _give_up(self, connection: Connection, page: LeasedPage, verdict: GiveUp) -> None:
        """Say so on the timeline, break the contact where it is to blame, and go on when nobody else was reached.

        The server's own words may name the address: they stay with the page and the contact, which can be erased.
        """
        now = self._clock.now()
        stored = await alert_store.lock_id(connection, page.alert_id)
        if stored is None or not await pages.failed(connection, page.id, self._settings.holder, verdict.reason):
            return
        if verdict.contact_broken:
            await pages.break_contact(connection, page.contact_id, verdict.reason)
            broken = Audited("contact.broken", "contact", page.contact_id, params={"channel": page.channel})
            await audit.add(connection, now, (broken,))
        told = Entry("page_failed", {"persons": [page.person_id], "channel": page.channel})
        await alert_store.add_entries(connection, page.alert_id, (told,), now)
        changed = Changed(frozenset({stored.zone_id}))
        if stored.alert.closed_at is None and await pages.attempt_failed(connection, page.alert_id, page.attempt):
            book = await self._cache.read(connection)
            _, _, what = await advance(connection, stored, PagesFailed(page.attempt), now, book)
            changed |= what
        if verdict.contact_broken:
            await outlook.look_at(connection, now)
        await audit.announce(connection, changed)
