"""The timekeeper: whatever is due is judged by the same code that judges what was said.

Watches wait until their site was heard past their ``due_at``; alerts climb regardless. Each pass is a handful of short
transactions, and several processes can make it at once: rows that another one has are left to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from alerts.alert import TimePassed
from alerts.judge import RETRY_CRASHED, Failure, judge_time
from alerts.model import Clear, Evidence, Judgement, Raise, Severity, Signal, Subject, Track, Watch, WatchState
from alerts.rulebook import Rulebook
from alerts.rules import Moment, Start
from devices.kinds import kinds
from gateway import canary, lifting
from gateway.checking import look
from gateway.clock import Clock, monotonic
from gateway.commanding import expire
from gateway.doses import open_doses
from gateway.engine import act, advance
from gateway.forgetting import Forgetting, require_right_clock
from gateway.retention import DEFAULT, Keep, Table
from gateway.rulebook import RulebookCache
from gateway.store import alerts as alert_store
from gateway.store import audit, devices, rollups, sites, watches
from gateway.store.audit import Changed
from gateway.store.db import LOST_A_RACE, Connection, Database, DatabaseGone
from gateway.store.sites import SiteHearing

log = structlog.get_logger()

MANY = 500
SOME = 100
"""Watches that are judged before alerts have their turn again."""
ROUNDS = 100
LOOK_AGAIN = timedelta(minutes=10)
LOOK_AGAIN_SECONDS = 30.0
"""How long nobody looks whether a fitting lacks a standing watch, where neither rules nor fittings are new."""
SITE_DEAF = "site_deaf"


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass found due; of silences, what it did."""

    watches: int = 0
    alerts: int = 0
    commands: int = 0
    silences: int = 0

    @property
    def anything(self) -> bool:
        return bool(self.watches or self.alerts or self.commands or self.silences)


@dataclass(frozen=True, slots=True)
class Looked:
    """When it was seen that no fitting lacks a standing watch, and what there was then: the rules, and the newest fitting.
    ``now`` is domain time, ``monotonic`` infrastructure time."""

    rulebook: tuple[int, ...]
    newest_fitting: int
    now: datetime
    monotonic: float

    def is_needed_after(self, before: Looked) -> bool:
        """Whether to look again: something is new, or it is a while ago. Most passes need not go through all devices."""
        return (
            self.rulebook != before.rulebook
            or self.newest_fitting != before.newest_fitting
            or self.now - before.now >= LOOK_AGAIN
            or self.monotonic - before.monotonic >= LOOK_AGAIN_SECONDS
        )


class Timekeeper:
    """Makes passes; the caller decides when. ``controlled``: the clock shows a time that is not the real one."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cache: RulebookCache,
        limits: canary.Limits,
        keep: Keep = DEFAULT,
        *,
        controlled: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._limits = limits
        self._keep = keep
        self._controlled = controlled
        self._forgetting = Forgetting(database, keep, controlled=controlled)
        self._met_sites: dict[int, datetime] = {}
        self._looked_at = (0, "")
        self._looked: Looked | None = None
        self._planned = 0
        self._silenced = 0

    async def run_once(self) -> Passed:
        """Everything that is due now.

        Alerts come first, and again after each part of a flood of watches: who waits for help waits for nothing else.
        A part that fails does not stop the others; its error is raised at the end.
        """
        errors: list[Exception] = []
        now = self._clock.now()
        there = await self._database.read(lambda each: watches.at_hand(each, now))
        look = Looked(there.rulebook, there.newest_fitting, now, monotonic())
        alerts = await self._part(self._alerts, errors) if there.alerts else 0
        commands = await self._part(self._commands, errors) if there.commands else 0
        if there.rosters:
            await self._part(self._rosters, errors)
        silences = await self._silences(errors) if there.silences else 0
        await self._part(self._sites, errors)
        lacking = self._looked is None or look.is_needed_after(self._looked)
        if there.schedules or lacking:
            await self._part(partial(self._open_watches, look=look if lacking else None), errors)
        total = 0
        for _ in range(ROUNDS if there.watches or there.schedules or lacking else 0):
            found = await self._part(self._watches, errors)
            total += found
            alerts += await self._part(self._alerts, errors) if found else 0
            if found < SOME:
                break
        if errors:
            raise errors[0]
        return Passed(watches=total, alerts=alerts, commands=commands, silences=silences)

    async def prune(self) -> None:
        """Forget what is kept no longer (``gateway/forgetting.py``). WrongClock."""
        await self._forgetting.run_once(self._clock.now())

    async def reckon(self) -> int:
        """Count the hours and days that have ended (``gateway/store/rollups.py``). How many rollups had something to be counted.
        WrongClock: an hour that has not ended would be told as if it had."""
        now, kept = self._clock.now(), kept_to_be_counted(self._keep)
        if not self._controlled:
            await require_right_clock(self._database, now)
        try:
            return await self._database.apart(lambda each: rollups.refresh(each, now, kept))
        except LOST_A_RACE:  # somebody is forgotten, or chunks are dropped: the next time
            log.warning("rollups.in_use")
            return 0

    async def _part(self, part: Callable[[Connection], Awaitable[int]], errors: list[Exception]) -> int:
        try:
            return await self._database.run(part)
        except DatabaseGone:
            raise
        except Exception as error:
            log.exception("timekeeper.part_failed", part=getattr(part, "func", part).__name__)
            errors.append(error)
            return 0

    # Watches --------------------------------------------------------------------------------------------------------

    async def _open_watches(self, connection: Connection, look: Looked | None) -> int:
        """The next dose of every schedule, and every standing rule of a fitted device, have a watch. Both go round and round,
        some at each pass, so that those whose rule is off hide nobody behind them. ``look``: None where no fitting can lack one.
        """
        now = self._clock.now()
        book = await self._cache.read(connection)
        behind = await watches.schedules_behind(connection, now, self._planned, MANY)
        self._planned = behind[-1].id if len(behind) == MANY else 0
        if behind:
            await open_doses(connection, behind, now, book)
        if look is not None:
            await self._open_standing(connection, look, book)
        return 0

    async def _open_standing(self, connection: Connection, look: Looked, book: Rulebook) -> None:
        now = look.now
        lacking = await devices.unwatched(connection, sorted(book.standing), now, self._looked_at, MANY)
        last = lacking[-1] if len(lacking) == MANY else None
        self._looked_at = (last.subject.device_id or 0, last.lacks) if last else (0, "")
        self._looked = None if lacking else look
        deaf = {each.site_id: each.deaf_seconds for each in await sites.site_hearings(connection)} if lacking else {}
        opened: list[Watch] = []
        for fitting in lacking:
            contract = _contract(fitting.kind, fitting.silent_after_seconds)
            start = Start(now, book.local, contract or 0.0, deaf.get(fitting.subject.site_id, 0.0))
            opened += [
                rule.spec.begin(rule.id, fitting.subject, start)
                for rule in book.applying(fitting.kind, fitting.subject)
                if rule.spec.standing and rule.spec.watch_prefix == fitting.lacks and contract is not None
            ]
        await watches.open_new(connection, opened)

    async def _watches(self, connection: Connection) -> int:
        now = self._clock.now()
        due = await watches.due(connection, now, SOME)
        if not due:
            return 0
        book = await self._cache.read(connection)
        judged = await self._judge(connection, due, now, book)
        await watches.save(connection, [watch for each in judged if not each.signals for watch in each.watches])
        loud = [(each, one.watch) for each, one in zip(judged, due, strict=True) if each.signals]
        changed = Changed()
        for each, watch in sorted(loud, key=lambda pair: pair[0].signals[0].key):
            changed |= await self._raise(connection, each, watch, now, book)
        await audit.announce(connection, changed)
        return len(due)

    async def _raise(
        self, connection: Connection, judged: Judgement, due: Watch, now: datetime, book: Rulebook
    ) -> Changed:
        """What one watch leads to, in a transaction of its own inside; one that cannot be raised is due again as it was."""
        try:
            async with connection.transaction():
                await watches.save(connection, judged.watches)
                return await act(connection, judged.signals, now, book)
        except (*DatabaseGone, *LOST_A_RACE):
            raise
        except Exception:
            log.exception("watch.failed", watch=due.key)
            await watches.save(connection, [replace(due, due_at=now + RETRY_CRASHED)])
            return Changed()

    async def _judge(
        self, connection: Connection, due: Sequence[watches.Due], now: datetime, book: Rulebook
    ) -> list[Judgement]:
        """One judgement a watch."""
        ids = sorted({each.watch.subject.device_id for each in due if each.watch.subject.device_id is not None})
        seen = await devices.last_seen(connection, ids)
        contracts = await devices.contracts(connection, ids)
        failures: list[Failure] = []
        judged = [_judge_one(each, now, book, seen, contracts, failures) for each in due]
        for failure in failures:
            log.error("rule.failed", rule=failure.rule, exc_info=failure.error)
        return judged

    # Alerts ---------------------------------------------------------------------------------------------------------

    async def _alerts(self, connection: Connection) -> int:
        """Each in a transaction of its own inside: one that cannot be advanced does not hold up the others."""
        now = self._clock.now()
        due = await alert_store.lock_due(connection, now, MANY)
        if not due:
            return 0
        book = await self._cache.read(connection)
        changed = Changed()
        for stored in due:
            try:
                async with connection.transaction():
                    _, _, what = await advance(connection, stored, TimePassed(), now, book)
                    changed |= what
            except (*DatabaseGone, *LOST_A_RACE):
                raise
            except Exception:
                log.exception("alert.failed_to_advance", alert=str(stored.uid))
        await audit.announce(connection, changed)
        return len(due)

    async def _commands(self, connection: Connection) -> int:
        """What a device was asked and has not answered in time."""
        book = await self._cache.read(connection)
        return await expire(connection, self._clock.now(), book, MANY)

    async def _rosters(self, connection: Connection) -> int:
        """Who is on duty and has not checked in."""
        book = await self._cache.read(connection)
        return await look(connection, self._clock.now(), book)

    async def _silences(self, errors: list[Exception]) -> int:
        """What silences come to, and the leads who are told of them: some at each pass, each in a transaction of its own, so
        that an alarm that touches one waits for that one. How many were done."""
        now, after = self._clock.now(), self._silenced
        due = await self._database.read(lambda each: lifting.due(each, now, after, SOME))
        self._silenced = due.silences[-1] if due.silences else 0
        parts = [
            *(partial(self._silence, silence_id=each) for each in due.silences),
            *(partial(self._summary, zone_id=each) for each in due.zones),
        ]
        return sum([await self._part(each, errors) for each in parts])

    async def _silence(self, connection: Connection, silence_id: int) -> int:
        return await lifting.pass_time(connection, silence_id, self._clock.now(), await self._cache.read(connection))

    async def _summary(self, connection: Connection, zone_id: int) -> int:
        return await lifting.summarise(connection, zone_id, self._clock.now(), await self._cache.read(connection))

    # Sites ----------------------------------------------------------------------------------------------------------

    async def _sites(self, connection: Connection) -> int:
        """A site that is not heard is one incident; it clears itself when hearing resumes."""
        now = self._clock.now()
        hearings = await sites.site_hearings(connection)
        open_alerts = await alert_store.lock_open(connection, [_deaf_key(each) for each in hearings])
        signals: list[Signal] = []
        for each in hearings:
            met = self._met_sites.setdefault(each.site_id, now)
            deaf = canary.is_deaf(each.heard_until, met, now, self._limits)
            if deaf and _deaf_key(each) not in open_alerts:
                signals.append(_deaf(each, met, now))
            elif not deaf and _deaf_key(each) in open_alerts:
                signals.append(Clear(_deaf_key(each), Evidence("heard_again", each.resumed_at or now, now)))
        if signals:
            book = await self._cache.read(connection)
            await audit.announce(connection, await act(connection, signals, now, book))
        return 0


def kept_to_be_counted(keep: Keep) -> rollups.Kept:
    """A kind whose events go soon shortens what is counted of its own table alone."""
    observation, health = (timedelta(days=keep.shortest(each)) for each in (Table.OBSERVATION, Table.HEALTH))
    return rollups.Kept(observation, health, timedelta(days=keep.hourly))


def _judge_one(
    due: watches.Due,
    now: datetime,
    book: Rulebook,
    seen: Mapping[int, datetime],
    contracts: Mapping[int, devices.Contract],
    failures: list[Failure],
) -> Judgement:
    watch, opened = due.watch, book.by_id.get(due.watch.rule_id)
    if opened is None:  # we cannot read it (rules are never deleted): what it waits for is not forgotten
        return Judgement((replace(watch, due_at=now + RETRY_CRASHED),))
    rule = None if due.fitting_ended else book.following(watch)
    if rule is None:  # nobody waits for it any more: the device is gone from there, or the rule is switched off
        over = Clear(opened.spec.key(watch.subject), Evidence("no_longer_watched", now, now))
        signals = (over,) if opened.spec.track is Track.TECHNICAL and watch.state is WatchState.RAISED else ()
        facts = watch.facts
        if watch.state is WatchState.WAITING and not due.fitting_ended:  # it may be taken up again: watches.take_up
            facts = {**watch.facts, watches.LET_GO: now.isoformat()}
        return Judgement((replace(watch, due_at=None, state=WatchState.MET, facts=facts),), signals)
    watch = replace(watch, rule_id=rule.id)
    device = watch.subject.device_id or 0
    contract = contracts.get(device)
    moment = Moment(
        now=now,
        heard_until=due.heard_until,
        resumed_at=due.resumed_at,
        deaf_seconds=due.deaf_seconds,
        last_seen=seen.get(device),
        silent_after_seconds=_contract(contract.kind, contract.silent_after_seconds) if contract else None,
        local=book.local,
    )
    return judge_time(watch, rule, moment, failures)


def _contract(kind: str, own: int | None) -> float | None:
    """Seconds; None for a kind that this release does not know."""
    known = kinds().get(kind)
    if own is not None:
        return own
    return known.silent_after.total_seconds() if known else None


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
