"""Sharing: this process is known to the others, and takes and gives back lanes as is right between them (``gateway/shares.py``).

    beat (renew our lease) and look ──▶ decide ──▶ tell the lanes' workers: take it, give it back, it is another's by now

Theory
    Time is the database's: a lease runs ``LEASE`` from a beat, and a beat comes every ``BEAT_EVERY``. A process that dies right
    after a beat is noticed ``LEASE + BEAT_EVERY`` = 4 s later at the latest; to connect and to store takes a few tenths: what
    the dead one had is handled within 5 s. It has to miss six beats on end to be taken for dead – 3 s of standing still, with which a busy
    machine has to live. What a frozen process left locked is not waited for (``gateways.end_transactions_of_the_gone``). Who
    is wrongly taken for dead is fenced off by the epoch: it stores nothing, finds out at its next beat, and gets its share again.

    A process whose own lease had run out was away: it stood still, or the database was gone, for others perhaps too.
    Before it takes anybody for dead it gives them the time to beat: for ``LEASE`` it changes nothing, and says that it takes nothing.

    Beats have a connection of their own, since those of the others can all be busy with batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from devices.model import Lane
from gateway.clock import monotonic
from gateway.lanes import LaneWorker
from gateway.metrics import METRICS
from gateway.mqtt import BrokerSettings, LinkLost, reach
from gateway.shares import Decision, Key, Reason, Seen, decide
from gateway.store import gateways, sites
from gateway.store.db import Connection, Database, DatabaseGone
from gateway.store.sites import LaneRow, Site

log = structlog.get_logger()

LEASE = timedelta(seconds=3.5)
BEAT_EVERY = 0.5
LONGEST_BEAT = 2.0
"""Seconds that a beat may take before it is given up and tried anew."""
LEFT_AFTER = 1.5
"""Seconds for which a lane is left to whose share it is."""
SETTLED_AFTER = timedelta(seconds=5)
"""For so long a lane is held before it is given back: no lane goes to and fro faster."""
RESCUED_FOR = timedelta(seconds=60)
"""The same for a lane that whose share it is did not take."""
GOODBYE = 2.0
"""Seconds that our last word to the others may take."""

Started = Callable[[Site, Lane], LaneWorker]


class Sharing:
    """The lanes of one process, and its part in sharing them out. ``start`` makes a lane's worker and lets it run."""

    def __init__(
        self, database: Database, holder: str, broker: BrokerSettings, freed: asyncio.Event, start: Started
    ) -> None:
        self._database = database
        self._holder = holder
        self._broker = broker
        self._freed = freed
        self._start = start
        self.lanes: dict[Key, LaneWorker] = {}
        self._reached = False
        self._in_doubt = asyncio.Event()
        self._in_doubt.set()
        self._steady_from = 0.0
        self._free_since: dict[Key, float] = {}
        self._rescued: set[Key] = set()

    @property
    def able(self) -> bool:
        """Whether we reach the broker."""
        return self._reached or any(worker.connected for worker in self.lanes.values())

    @property
    def _steady(self) -> bool:
        return monotonic() >= self._steady_from

    def doubt(self) -> None:
        """A connection to the broker could not be made."""
        self._in_doubt.set()

    async def reach(self) -> None:
        """Try whether the broker can be reached, at first and whenever there is doubt. LinkLost when not; the caller calls again."""
        while True:
            await self._in_doubt.wait()
            try:
                await reach(self._broker, f"hjemmevakt-{self._holder}")
            except LinkLost:
                self._reached = False
                raise
            self._reached = True
            self._in_doubt.clear()

    async def run(self) -> None:
        """Beat and share, for ever."""
        while True:
            with suppress(*DatabaseGone, TimeoutError):
                async with asyncio.timeout(LONGEST_BEAT):
                    await self.share()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_EVERY):
                    await self._freed.wait()
            self._freed.clear()

    async def share(self) -> None:
        """Once: gather, decide, apply."""
        steady, living, rows = await self._database.run(self._beat)
        if not steady:
            log.warning("gateway.was_away", holder=self._holder)
            self._steady_from = monotonic() + LEASE.total_seconds()
        self._meet(rows)
        if self._steady:
            self._apply(rows, self._decide(rows, living, monotonic()))
        self._show(rows, living)

    async def leave(self) -> None:
        """Our last word: whatever we still have is free."""
        with suppress(*DatabaseGone, TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._database.run(lambda each: gateways.leave(each, self._holder))

    async def _beat(self, connection: Connection) -> tuple[bool, dict[str, bool], list[LaneRow]]:
        """Whether our lease was still running; who lives, and whether they reach the broker; every lane."""
        steady = await gateways.beat(connection, self._holder, LEASE, able=self.able and self._steady)
        await gateways.forget_gone(connection)
        known = await gateways.processes(connection)
        return steady, {each.holder: each.able for each in known if each.alive}, await sites.every_lane(connection)

    def _meet(self, rows: Sequence[LaneRow]) -> None:
        """Every lane has a worker, and it is told when the lane has become another's."""
        for row in rows:
            if row.key not in self.lanes:
                self.lanes[row.key] = self._start(row.site, Lane(row.lane))
            self.lanes[row.key].is_at(row.epoch)

    def _decide(self, rows: Sequence[LaneRow], living: Mapping[str, bool], now: float) -> Decision:
        seen = Seen(living, {row.key: row.holder if row.holder in living else None for row in rows})
        self._free_since = {key: self._free_since.get(key, now) for key, holder in seen.lanes.items() if holder is None}
        left = {key for key, since in self._free_since.items() if now - since >= LEFT_AFTER}
        settled = {row.key for row in rows if row.held_for is not None and row.held_for >= self._settles(row.key)}
        return decide(self._holder, seen, settled, left)

    def _settles(self, key: Key) -> timedelta:
        return RESCUED_FOR if key in self._rescued else SETTLED_AFTER

    def _apply(self, rows: Sequence[LaneRow], decision: Decision) -> None:
        for row in rows:
            ours = row.holder == self._holder and row.key not in decision.give
            worker, wanted = self.lanes[row.key], ours or row.key in decision.take
            if wanted != worker.wanted:
                why = decision.take.get(row.key) or decision.give.get(row.key)
                log.info("lane.wanted" if wanted else "lane.unwanted", site=row.name, lane=row.lane, why=why)
                worker.wants(wanted)
        taken = {key for key, why in decision.take.items() if why is Reason.NOBODY_ELSE}
        self._rescued = (self._rescued | taken) - set(decision.give)

    def _show(self, rows: Sequence[LaneRow], living: Mapping[str, bool]) -> None:
        METRICS.gateways(len(living))
        for row in rows:
            METRICS.holds(row.name, Lane(row.lane), held=self.lanes[row.key].connected)
