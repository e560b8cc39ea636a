"""The dispatcher: pages leave the outbox, each by the channel of its contact.

Lease (severest first) → does it leave with others? → is it still wanted? → render → send → settle. Pages are sent side by
side, so that a slow channel holds up nobody; some slots are for what is serious alone, and some of those for what is critical.
Retry is decided in ``alerts.delivery`` and nowhere else; what follows a page that is given up is in ``gateway.receipts``. What
phones show and is of no interest any more is taken back in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid5
from zoneinfo import ZoneInfo

import structlog

from alerts.bundling import UP_TO
from alerts.channels import TIME_OUT, Channel, Outgoing, Recalls
from alerts.channels._callback import Hears
from alerts.delivery import RECALL_TRIES, Failed, GiveUp, HandedOver, Retry, SendResult, settle
from alerts.model import Severity
from alerts.render import bundle_text, page_text
from gateway import pagetests, receipts
from gateway.bundles import Bundles
from gateway.clock import Clock, pause
from gateway.metrics import METRICS
from gateway.rulebook import RulebookCache
from gateway.store import pages
from gateway.store.db import Database, DatabaseGone
from gateway.store.pages import LeasedPage
from gateway.tasks import end

log = structlog.get_logger()

SLOTS = 64
"""Pages that are sent side by side."""
RECALL_SLOTS = 16
"""Those that are taken back, besides: a server that hangs while pages are sent holds up none of them."""
KEPT = {Severity.CRITICAL: 8, Severity.SERIOUS: 16}
"""Slots that nothing less severe takes: what is severe finds one, whatever else hangs."""
LEASE_SECONDS = 8.0
"""How long a page waits for a process that was killed while it sent it; who is alive renews the lease."""
RENEW_SECONDS = 0.5
RECALL_SECONDS = 2 * TIME_OUT + 5
"""How long nobody else takes back what a process takes back, which nobody renews."""


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
        self._recalling: set[asyncio.Task[None]] = set()
        self._bundles = Bundles(database, settings.holder)

    async def run_once(self) -> int:
        """Start to send what is due, as far as slots are free, and then to take back what is to be. How many."""
        return await self._send_due() + await self._recall_due()

    async def _send_due(self) -> int:
        """What may leave with others waits for nobody but its like."""
        now, holder, free = self._clock.now(), self._settings.holder, SLOTS - len(self._sending)
        if free <= 0:
            return 0
        ours = tuple(self._channels)
        leased = await self._database.run(lambda each: pages.lease(each, now, holder, LEASE_SECONDS, free, ours, KEPT))
        self._start([each for each in leased if each.severity > UP_TO], self._send_and_settle, self._sending)
        small = [each for each in leased if each.severity <= UP_TO]
        self._start(await self._bundles.arrange(small, now), self._send_and_settle, self._sending)
        return len(leased)

    async def _recall_due(self) -> int:
        now, free = self._clock.now(), RECALL_SLOTS - len(self._recalling)
        if free <= 0:
            return 0
        ours = tuple(self._channels)
        leased = await self._database.run(lambda each: pages.lease_recalls(each, now, RECALL_SECONDS, free, ours))
        self._start(leased, self._recall_and_settle, self._recalling)
        return len(leased)

    def _start(
        self,
        leased: Sequence[LeasedPage],
        work: Callable[[LeasedPage], Awaitable[None]],
        doing: set[asyncio.Task[None]],
    ) -> None:
        for page in leased:
            task = asyncio.create_task(self._deliver(page, work))
            doing.add(task)
            task.add_done_callback(doing.discard)

    async def settled(self) -> None:
        """Wait for all that is being sent or taken back."""
        while doing := self._sending | self._recalling:
            await asyncio.wait(doing)

    async def _deliver(self, page: LeasedPage, work: Callable[[LeasedPage], Awaitable[None]]) -> None:
        try:
            await work(page)
        except Exception:  # its lease runs out, and it is sent again
            log.exception("page.not_settled", page=str(page.uid))
        finally:
            self._bundles.settled(page)

    async def _send_and_settle(self, page: LeasedPage) -> None:
        holder = self._settings.holder
        if not await self._database.run(lambda each: pages.which_leased(each, [page.id], holder)):
            return
        result = await self._send_while_wanted(page)
        if result is None:
            await self._broken_off(page)
            return
        verdict = settle(result, page.tries)
        match verdict:
            case HandedOver(detail=detail):
                await self._handed_over(page, detail)
            case Retry(after=after):
                reason, seconds = result.reason if isinstance(result, Failed) else "", after.total_seconds()
                now = self._clock.now()
                again = await self._database.run(lambda each: pages.retry(each, page.id, holder, reason, seconds, now))
                METRICS.page(page.channel, "retried" if again else "not_needed")
            case GiveUp():
                await self._give_up(page, verdict)

    async def _broken_off(self, page: LeasedPage) -> None:
        now = self._clock.now()
        if isinstance(self._channels.get(page.channel), Recalls):
            await self._database.run(lambda each: pages.broken_off(each, page.id, now))
        METRICS.page(page.channel, "withdrawn")

    async def _give_up(self, page: LeasedPage, verdict: GiveUp) -> None:
        now, holder, cache = self._clock.now(), self._settings.holder, self._cache
        reason, broken = verdict.reason, verdict.contact_broken
        failed = await self._database.run(
            lambda each: receipts.given_up(each, page, holder, reason, now, cache, contact_broken=broken)
        )
        if failed:
            METRICS.page(page.channel, "failed")
            log.error("page.failed", page=str(page.uid), channel=page.channel, broken=broken)

    async def _recall_and_settle(self, page: LeasedPage) -> None:
        channel = self._channels.get(page.channel)
        if not isinstance(channel, Recalls):
            await self._database.run(lambda each: pages.recalled(each, page, None))
            return
        result = await self._within_time(page, lambda: channel.recall(self._outgoing(page)))
        now, verdict = self._clock.now(), settle(result, page.recall_tries, RECALL_TRIES)
        match verdict:
            case Retry(after=after):
                await self._database.run(lambda each: pages.recall_again(each, page, after.total_seconds()))
            case GiveUp(reason=reason):
                await self._database.run(lambda each: pages.recalled(each, page, None))
                METRICS.page(page.channel, "not_recalled")
                log.warning("page.not_recalled", page=str(page.uid), channel=page.channel, why=reason)
            case HandedOver():
                await self._database.run(lambda each: pages.recalled(each, page, now))
                METRICS.page(page.channel, "recalled")

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
        bundle = self._bundles.of(page)
        if bundle is None:
            return await self._within_time(page, lambda: channel.send(self._outgoing(page)))
        return await self._within_time(
            page, lambda: bundle.result(lambda several: self._send_together(channel, several))
        )

    async def _send_together(self, channel: Channel, several: Sequence[LeasedPage]) -> SendResult:
        """What of them is still wanted; one that is left is a message as any other."""
        holder, ids = self._settings.holder, [each.id for each in several]
        leased = await self._database.run(lambda each: pages.which_leased(each, ids, holder))
        wanted = [each for each in several if each.id in leased]
        if not wanted:
            return Failed("nobody wants it any more")
        if len(wanted) == 1:
            return await channel.send(self._outgoing(wanted[0]))
        return await channel.send(self._outgoing_together(wanted, reported=isinstance(channel, Hears)))

    async def _within_time(self, page: LeasedPage, work: Callable[[], Awaitable[SendResult]]) -> SendResult:
        try:
            async with asyncio.timeout(2 * TIME_OUT):
                return await work()
        except Exception as error:
            log.exception("channel.failed", channel=page.channel)
            return Failed(f"{type(error).__name__}: {error}")

    def _outgoing(self, page: LeasedPage) -> Outgoing:
        base_url, local = self._settings.public_url, self._settings.local
        test = pagetests.is_test(page)
        url = f"{base_url}/confirm/{page.key}" if test else f"{base_url}/alerts/{page.alert_uid}"
        text = page_text(page.language, page.severity, page.zone, page.raised_at, url, local, page.about)
        return Outgoing(
            page_id=str(page.uid),
            address=page.address,
            subject=text.subject,
            text=text.text,
            severity=page.severity,
            url=url,
            base_url=base_url,
            page_key=page.key,
            language=page.language,
            at=f"{page.raised_at.astimezone(local):%H:%M}",
            test=test,
        )

    def _outgoing_together(self, several: Sequence[LeasedPage], *, reported: bool) -> Outgoing:
        """One message for all of them, with the way to the list. Its id is its own: no page is taken back with it. ``reported``: it
        is the first page's, so that what the provider tells of the message is heard of one of them."""
        first, url = several[0], f"{self._settings.public_url}/alerts"
        text = bundle_text(first.language, [each.zone for each in several], url)
        severity = max(each.severity for each in several)
        page_id = first.uid if reported else uuid5(first.uid, " ".join(str(each.uid) for each in several))
        alone = self._outgoing(first)
        return replace(
            alone, page_id=str(page_id), page_key="", subject=text.subject, text=text.text, severity=severity, url=url
        )

    async def _handed_over(self, page: LeasedPage, detail: str) -> None:
        now, holder = self._clock.now(), self._settings.holder
        recalls = isinstance(self._channels.get(page.channel), Recalls)
        done = await self._database.run(
            lambda each: pages.handed_over(each, page.id, holder, detail, now, recalls=recalls)
        )
        METRICS.page(page.channel, "handed_over" if done else "late")
        if done:
            _measure(page, now)


def _measure(page: LeasedPage, now: datetime) -> None:
    if page.attempt == 1 and page.at_once:
        METRICS.first_page(page.severity, page.channel, (now - page.raised_at).total_seconds())
        METRICS.leg("first_page", page.severity, page.channel, (page.first_due_at - page.occurred_at).total_seconds())
    METRICS.leg("handed_over", page.severity, page.channel, (now - page.first_due_at).total_seconds())
