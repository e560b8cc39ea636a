"""The canary resident: a home of our own at each site, whose alarm goes the whole way every minute, and is answered.

    own connection to the broker ──▶ the site's alarm lane ──▶ decoded, judged, raised ──▶ policy, page ──▶ dispatcher ──▶
    the channel ``canary`` ──▶ received, shown, taken, closed as a test, by the ways that a phone has

Rules
    Nothing is short-cut: the same broker, lane, judge, outbox, dispatcher and answering as for anybody. ``gateway/canary.py`` proves
    that a site is heard, this that help would be called.
    Who has a site's alarm lane publishes for it: one process at a time, fenced by the lane's epoch. Any process that dispatches
    answers; any that keeps time watches. Nothing is remembered but in the database.
    An alarm that does not pass turns /health red, and technical services on duty are told, once a site, until one passes again;
    not while the site is deaf, which is an incident of its own.
    Only the canary's alerts are answered here, whoever may have such a contact: a real one is left to people.

Theory
    It lives in a zone that nobody is assigned to, so whatever shows what is in somebody's zones leaves it out. It has no policy
    but its own, so nobody is ever called for it. What it leaves is kept for a day (``gateway/store/canaries.py``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

import structlog

from alerts.alert import Action, Cause
from alerts.channels import Outgoing
from alerts.channels.canary import Canary
from alerts.delivery import Receipt
from alerts.model import Clear, Evidence, Raise, Severity, Signal, Subject, Track
from devices.dialects.native import encode, topic_of
from devices.model import DeviceAddress, Lane, MessageClass, Said
from gateway import answering, canary, passages, receipts
from gateway.api import schemas
from gateway.canaryhealth import Standing, standings
from gateway.clock import Clock, monotonic, pause
from gateway.engine import act
from gateway.errors import Problem
from gateway.lanes import LaneWorker
from gateway.metrics import METRICS
from gateway.mqtt import BrokerSettings, Link, LinkLost, try_out
from gateway.passages import Lost, Pace
from gateway.receipts import ByPage
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import audit, canaries, sites
from gateway.store import receipts as receipt_store
from gateway.store.db import Connection, Database
from gateway.store.sites import LaneLost, Site, SiteHearing
from gateway.tasks import until_first_ends

log = structlog.get_logger()

CANARY_LOST = "canary_lost"
TICK = 1.0
WATCH_TICK = 5.0
A_MOMENT = 0.1
"""Seconds until its phone answers: as with any phone, our own word that a page was handed over comes first."""


@dataclass
class CanaryResident:
    """Publishes, answers and watches; each is a loop of its own. ``lanes``: the lanes that this process has now."""

    database: Database
    clock: Clock
    cache: RulebookCache
    broker: BrokerSettings
    channel: Canary
    pace: Pace
    limits: canary.Limits
    lanes: Callable[[], Sequence[LaneWorker]]
    started_at: datetime
    _published: dict[int, float] = field(default_factory=dict)
    _suspected: frozenset[int] = frozenset()

    # Publishing -------------------------------------------------------------------------------------------------------

    async def publish(self) -> None:
        """For ever: at each site whose alarm lane is connected here, at each interval."""
        while True:
            due = [each for each in self.lanes() if self._is_due(each)]
            await asyncio.gather(*(self._publish(each) for each in due))
            await pause(min(TICK, self.pace.interval.total_seconds() / 2))

    def _is_due(self, worker: LaneWorker) -> bool:
        if worker.lane is not Lane.ALARM or not worker.connected:
            return False
        last = self._published.get(worker.site.id)
        return last is None or monotonic() - last >= self.pace.interval.total_seconds()

    async def _publish(self, worker: LaneWorker) -> None:
        """One alarm, as a device publishes it; waits for the receipt, as a device does. What fails is seen by its not passing."""
        site, epoch = worker.site, worker.connection
        message_id, now = uuid4().hex, self.clock.now()
        try:
            await self.database.run(lambda each: self._begin(each, site, epoch or 0, message_id, now))
            self._published[site.id] = monotonic()
            async with asyncio.timeout(self.pace.within.total_seconds()):
                await self._say(site, message_id, now)
            got_at = self.clock.now()
            await self.database.run(lambda each: canaries.receipted(each, site.id, message_id, got_at))
        except LaneLost:
            log.info("canary.not_ours", site=site.name)
        except (LinkLost, TimeoutError) as error:
            log.warning("canary.no_receipt", site=site.name, why=type(error).__name__, error=str(error))

    async def _begin(self, connection: Connection, site: Site, epoch: int, message_id: str, now: datetime) -> None:
        await sites.fence(connection, site.id, Lane.ALARM, epoch)
        if await canaries.ensure(connection, site, now):
            log.info("canary.moved_in", site=site.name)
        await canaries.begin(connection, site.id, message_id, now)

    async def _say(self, site: Site, message_id: str, now: datetime) -> None:
        address = DeviceAddress(site.name, "native", canaries.ADDRESS)
        topic, payload = encode(address, canaries.KIND, message_id, Said(now, MessageClass.ALARM, canaries.SAYS, {}))
        client_id = f"hjemmevakt-canary-{site.name}"
        async with try_out(self.broker, client_id, self.clock, keep=False) as trying:
            await trying.link.subscribe([topic_of(address, canaries.KIND, "receipt")])
            await trying.link.publish(topic, payload)
            await _receipt(trying.link, message_id)

    # Answering --------------------------------------------------------------------------------------------------------

    async def answer(self) -> None:
        """For ever: whatever reaches its phone. One that cannot be answered is tried again by the ladder."""
        while True:
            outgoing = await self.channel.arrived.get()
            try:
                await self._answer(outgoing)
            except Problem as refused:
                log.info("canary.not_answered", page=outgoing.page_id, why=refused.reason)
            except Exception:
                log.exception("canary.not_answered", page=outgoing.page_id)

    async def _answer(self, outgoing: Outgoing) -> None:
        await pause(A_MOMENT)
        key = outgoing.page_key
        page = await self.database.run(lambda each: receipt_store.find(each, key))
        if page is None or not await self.database.run(lambda each: canaries.is_its_own(each, page.alert_uid)):
            log.error("canary.not_its_own", page=outgoing.page_id)
            return
        for receipt in (Receipt.RECEIVED, Receipt.SHOWN):
            await self._hears(key, receipt)
        now = self.clock.now()
        await self.database.run(lambda each: receipts.claim(each, key, None, now, self.cache))
        who, then = ByPage(page.person_id), self.clock.now()
        closing = schemas.AnswerRequest(answer="close", cause=Cause.TEST, action=Action.NOTHING)
        await self.database.run(
            lambda each: answering.answer(each, who, page.alert_uid, closing, f"canary:{page.uid}", then, self.cache)
        )

    async def _hears(self, key: str, receipt: Receipt) -> None:
        now = self.clock.now()
        await self.database.run(lambda each: receipts.heard(each, key, receipt, now, self.cache))

    # Watching ---------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """For ever: follow what was published, tell the metrics, raise and clear."""
        while True:
            await self.look()
            await pause(min(WATCH_TICK, self.pace.interval.total_seconds() / 2))

    async def look(self) -> None:
        """Once."""
        now = self.clock.now()
        passed = await self.database.run(lambda each: canaries.follow(each, now))
        standing = await self.database.run(lambda each: standings(each, now, self.pace, self.started_at))
        names = {each.site.site_id: each.site.name for each in standing}
        for each in passed:
            METRICS.canary(names.get(each.site_id, ""), each.seconds())
        for one in standing:
            METRICS.canary_hour(one.site.name, one.passed_at, _by_quantile(one.legs))
        await self.database.run(lambda each: self._tell(each, standing, now))

    async def _tell(self, connection: Connection, standing: Sequence[Standing], now: datetime) -> None:
        """Raised when it was lost at the last look, too: a database that was away is no lost path by itself."""
        keys = [_key(each.site.site_id) for each in standing]
        raised = await alert_store.lock_open(connection, keys)
        signals: list[Signal] = []
        for each in standing:
            key, deaf = _key(each.site.site_id), self._is_deaf(each.site, now)
            if each.lost is None:
                if key in raised:
                    signals.append(Clear(key, Evidence("canary_passed", each.passed_at or now, now)))
            elif key not in raised and not deaf and each.site.site_id in self._suspected:
                signals.append(_raise(each.site, each.lost, now))
        self._suspected = frozenset(each.site.site_id for each in standing if each.lost is not None)
        if signals:
            book = await self.cache.read(connection)
            await audit.announce(connection, await act(connection, signals, now, book))

    def _is_deaf(self, site: SiteHearing, now: datetime) -> bool:
        return canary.is_deaf(site.heard_until, self.started_at, now, self.limits)


async def _receipt(link: Link, message_id: str) -> None:
    """Wait for our receipt; whoever asks says for how long. LinkLost when the connection ends before."""

    async def read() -> None:
        while True:
            deliveries = await link.batch(10)
            link.acknowledge(deliveries)
            if any(_is_receipt(each.message.payload, message_id) for each in deliveries):
                return

    await until_first_ends(read(), link.lost())


def _is_receipt(payload: bytes, message_id: str) -> bool:
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return bool(json.loads(payload)["id"] == message_id)
    return False


def _by_quantile(legs: dict[str, passages.Quantiles]) -> dict[str, dict[str, float]]:
    return {leg: {"0.5": each.p50, "0.99": each.p99} for leg, each in legs.items()}


def _key(site_id: int) -> str:
    return f"{CANARY_LOST}:site:{site_id}"


def _raise(site: SiteHearing, lost: Lost, now: datetime) -> Raise:
    fields = {"site": site.name, "missing": str(lost.leg), "lost_since": lost.since.isoformat()}
    return Raise(
        key=_key(site.site_id),
        condition=CANARY_LOST,
        vkp_code=None,
        severity=Severity.SERIOUS,
        track=Track.TECHNICAL,
        subject=Subject(site.site_id, site.zone_id),
        evidence=Evidence("canary_not_passed", lost.since, now, fields),
    )
