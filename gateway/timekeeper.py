"""The timekeeper: whatever is due is judged by the same code that judges what was said.

Watches wait until their site was heard past their ``due_at``; alerts climb regardless. Each pass is a handful of short
transactions, and several processes can make it at once: rows that another one has are left to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from alerts.alert import TimePassed
from alerts.judge import RETRY_CRASHED, Failure, judge_time
from alerts.model import Clear, Evidence, Judgement, Raise, Severity, Signal, Subject, Track, Watch, WatchState
from alerts.rules import Moment, nearest
from alerts.rules.silence import Silence
from devices.kinds import kinds
from gateway import canary
from gateway.clock import Clock
from gateway.doses import open_doses
from gateway.engine import Rulebook, act, advance
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import audit, devices, observations, sessions, sites, watches
from gateway.store.audit import Changed
from gateway.store.db import Connection, Database
from gateway.store.sites import SiteHearing

log = structlog.get_logger()

MANY = 500
ROUNDS = 20
PRUNE_AFTER = timedelta(days=35)
"""Longer than any device keeps a message."""
SITE_DEAF = "site_deaf"


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass found due."""

    watches: int = 0
    alerts: int = 0

    @property
    def anything(self) -> bool:
        return bool(self.watches or self.alerts)


class Timekeeper:
    """Makes passes; the caller decides when."""

    def __init__(
        self, database: Database, clock: Clock, cache: RulebookCache, limits: canary.Limits, started_at: datetime
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._limits = limits
        self._started_at = started_at

    async def run_once(self) -> Passed:
        """Everything that is due now."""
        await self._database.run(self._sites)
        await self._database.run(self._open_watches)
        return Passed(watches=await self._all(self._watches), alerts=await self._all(self._alerts))

    async def prune(self) -> None:
        """Forget identities, settled watches and sessions that nothing can concern any more."""
        before = self._clock.now() - PRUNE_AFTER
        await self._database.run(lambda each: observations.prune_seen(each, before))
        await self._database.run(lambda each: watches.prune(each, before))
        await self._database.run(sessions.prune)

    async def _all(self, some: Callable[[Connection], Awaitable[int]]) -> int:
        """Until a transaction finds less than it could take; the rest of a flood is the next pass's."""
        total = 0
        for _ in range(ROUNDS):
            found = await self._database.run(some)
            total += found
            if found < MANY:
                break
        return total

    # Watches --------------------------------------------------------------------------------------------------------

    async def _open_watches(self, connection: Connection) -> None:
        """The next dose of every schedule and the silence of every fitted device have a watch."""
        now = self._clock.now()
        book = await self._cache.read(connection)
        behind = await watches.schedules_behind(connection, now, MANY)
        if behind:
            await open_doses(connection, behind, now, book)
        await self._open_silences(connection, now, book)

    async def _open_silences(self, connection: Connection, now: datetime, book: Rulebook) -> None:
        opened: list[Watch] = []
        deaf = {each.site_id: each.deaf_seconds for each in await sites.site_hearings(connection)}
        for subject, kind, own in await devices.unwatched(connection, now, MANY):
            zones = book.ancestry.get(subject.zone_id, ())
            for rule in nearest(book.rules.get(kind, ()), kind, subject, zones):
                if isinstance(rule.spec, Silence):
                    contract = timedelta(seconds=_contract(kind, own))
                    opened.append(rule.spec.open(rule.id, subject, now, contract, deaf[subject.site_id]))
        await watches.open_new(connection, opened)

    async def _watches(self, connection: Connection) -> int:
        now = self._clock.now()
        book = await self._cache.read(connection)
        due = await watches.due(connection, now, MANY)
        if not due:
            return 0
        judged = await self._judge(connection, due, now, book)
        await watches.save(connection, judged.watches)
        await audit.announce(connection, await act(connection, judged.signals, now, book))
        return len(due)

    async def _judge(
        self, connection: Connection, due: Sequence[watches.Due], now: datetime, book: Rulebook
    ) -> Judgement:
        ids = sorted({each.watch.subject.device_id for each in due if each.watch.subject.device_id is not None})
        seen = await devices.last_seen(connection, ids)
        contracts = await devices.contracts(connection, ids)
        failures: list[Failure] = []
        total = Judgement()
        for each in due:
            rule = book.by_id.get(each.watch.rule_id)
            if rule is None:  # we cannot read it (rules are never deleted): what it waits for is not forgotten
                total += Judgement((replace(each.watch, due_at=now + RETRY_CRASHED),))
                continue
            if not rule.spec.enabled:
                total += Judgement((replace(each.watch, due_at=None, state=WatchState.MET),))
                continue
            device = each.watch.subject.device_id or 0
            contract = contracts.get(device)
            moment = Moment(
                now=now,
                heard_until=each.heard_until,
                resumed_at=each.resumed_at,
                deaf_seconds=each.deaf_seconds,
                last_seen=seen.get(device),
                silent_after_seconds=_contract(contract.kind, contract.silent_after_seconds) if contract else None,
            )
            total += judge_time(each.watch, rule, moment, failures)
        for failure in failures:
            log.error("rule.failed", rule=failure.rule, exc_info=failure.error)
        return total

    # Alerts ---------------------------------------------------------------------------------------------------------

    async def _alerts(self, connection: Connection) -> int:
        """Each in a transaction of its own inside: one that cannot be advanced does not hold up the others."""
        now = self._clock.now()
        book = await self._cache.read(connection)
        due = await alert_store.lock_due(connection, now, MANY)
        changed = Changed()
        for stored in due:
            try:
                async with connection.transaction():
                    _, _, what = await advance(connection, stored, TimePassed(), now, book)
                    changed |= what
            except Exception:
                log.exception("alert.failed_to_advance", alert=str(stored.uid))
        await audit.announce(connection, changed)
        return len(due)

    # Sites ----------------------------------------------------------------------------------------------------------

    async def _sites(self, connection: Connection) -> None:
        """A site that is not heard is one incident; it clears itself when hearing resumes."""
        now = self._clock.now()
        hearings = await sites.site_hearings(connection)
        open_alerts = await alert_store.lock_open(connection, [_deaf_key(each) for each in hearings])
        signals: list[Signal] = []
        for each in hearings:
            deaf = canary.is_deaf(each.heard_until, self._started_at, now, self._limits)
            if deaf and _deaf_key(each) not in open_alerts:
                signals.append(_deaf(each, self._started_at, now))
            elif not deaf and _deaf_key(each) in open_alerts:
                signals.append(Clear(_deaf_key(each), Evidence("heard_again", each.resumed_at or now, now)))
        if signals:
            book = await self._cache.read(connection)
            await audit.announce(connection, await act(connection, signals, now, book))


def _contract(kind: str, own: int | None) -> float:
    return own if own is not None else kinds()[kind].silent_after.total_seconds()


def _deaf_key(site: SiteHearing) -> str:
    return f"{SITE_DEAF}:site:{site.site_id}"


def _deaf(site: SiteHearing, started_at: datetime, now: datetime) -> Raise:
    since = site.heard_until or started_at
    return Raise(
        key=_deaf_key(site),
        condition=SITE_DEAF,
        vkp_code=None,
        severity=Severity.SERIOUS,
        track=Track.TECHNICAL,
        subject=Subject(site.site_id, site.zone_id),
        evidence=Evidence("nothing_heard", since, now, {"site": site.name, "deaf_since": since.isoformat()}),
    )
