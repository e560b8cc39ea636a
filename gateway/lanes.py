"""Lanes: one connection of one site, held by one process at a time.

    wanted (``gateway/sharing.py``) → take the lane → connect → subscribe → receive, sing – until one of them fails, the lane is
    another's, or it is to be given back: then what is in hand is finished, we hang up, and whoever waits for it is told

A batch is acknowledged when its transaction has committed, and not before; while the database is away we wait with the
batch in hand, and the broker keeps the rest. Receipts follow the acknowledgement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

import structlog

from alerts.model import Evidence, Raise, Severity, Subject, Track
from devices.dialects import dialects
from devices.model import Lane
from gateway import canary, commanding
from gateway.batches import Batch, decode, joined
from gateway.clock import Clock, monotonic, pause
from gateway.commanding import Outgoing
from gateway.engine import act
from gateway.frames import Delivery
from gateway.ingest import Held, Stored, store_batch
from gateway.metrics import METRICS
from gateway.mqtt import BrokerSettings, Link, LinkLost, connect
from gateway.parts import DONE_AHEAD, let_others, parted
from gateway.rate import FLOODS, RateGuard
from gateway.rulebook import RulebookCache
from gateway.store import alerts, audit, sites
from gateway.store.db import Connection, Database, DatabaseGone
from gateway.store.sites import LaneLost, Site
from gateway.tasks import end, until_first_ends
from gateway.turns import Stumbled, Turn

log = structlog.get_logger()
Result = TypeVar("Result")

ASK_AGAIN = 0.2
"""Seconds until we ask again for a lane that is ours to take, and is still another's."""
FINISHED_WITHIN = 5.0
"""Seconds that what is in hand may take when a lane is given back. Longer, and it is left: the next holder gets it again."""
LONGEST_BACK_OFF = 2.0
BATCH = {Lane.ALARM: 500, Lane.BULK: 1000}
"""Messages in one transaction, at most: only where more wait is it as many. What is behind a batch of alarms waits for it."""
IN_HAND = 2
"""Batches that are stored at a time."""
LINGER = {Lane.ALARM: 0.0, Lane.BULK: 0.001}
"""Seconds that a batch waits for what comes right behind its first message. A transaction costs several ways to the database,
so telemetry goes together; an alarm waits for nothing."""


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """How a lane is run. ``holder`` names this process; ``canary_seconds`` between two canaries, in real time; ``doubt`` is
    called when a connection was lost or could not be made. ``room``: for batches of the process' lanes of this sort that are ahead
    of their turn."""

    broker: BrokerSettings
    holder: str
    limits: canary.Limits
    canary_seconds: float
    device_per_minute: int
    doubt: Callable[[], None]
    room: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class _Taken:
    """A batch as it came: all of it, to be acknowledged; its canaries; and what devices said, decoded."""

    deliveries: Sequence[Delivery]
    songs: Sequence[canary.Song]
    said: Batch


class _Line:
    """What is taken, in order of arrival, each batch with its turn. ``take``: takes and decodes the next batch, which is done
    ahead. ``room``: see ``gateway/turns.py``."""

    def __init__(self, take: Callable[[], Coroutine[Any, Any, _Taken]], room: asyncio.Semaphore) -> None:
        self._take = take
        self._room = room
        self._asked = asyncio.Lock()
        self._ahead = asyncio.create_task(take())
        self._last = Turn()
        self._last.ends()

    async def following(self) -> tuple[_Taken, Turn]:
        async with self._asked:
            taken = await self._ahead
            self._ahead = asyncio.create_task(self._take())
            self._last = Turn(self._last, self._room)
            return taken, self._last

    async def end(self) -> None:
        await end([self._ahead])


class LaneWorker:
    """Runs one lane as long as it is ours, and otherwise waits until it is wanted."""

    def __init__(
        self, database: Database, clock: Clock, cache: RulebookCache, settings: LaneSettings, site: Site, lane: Lane
    ) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._settings = settings
        self._site = site
        self._lane = lane
        self._link: Link | None = None
        self._epoch = 0
        self._commanding = asyncio.Lock()
        self._songs: dict[str, asyncio.Event] = {}
        self._guard = RateGuard(settings.device_per_minute)
        self._held: Held | None = None
        self._wanted = asyncio.Event()
        self._going = asyncio.Event()
        self._taken = asyncio.Event()
        self._in_hand = 0
        self._hands_empty = asyncio.Event()

    @property
    def site(self) -> Site:
        return self._site

    @property
    def lane(self) -> Lane:
        return self._lane

    @property
    def connected(self) -> bool:
        return self._link is not None

    @property
    def connection(self) -> int | None:
        """Names the connection that there is: another one after each time it was lost."""
        return self._epoch if self.connected else None

    @property
    def working(self) -> bool:
        """Whether we do what we should: we are connected, or the lane is for another process."""
        return self.connected or not self.wanted

    @property
    def wanted(self) -> bool:
        return self._wanted.is_set()

    async def run(self) -> None:
        """Until the connection or the lane is lost; the caller calls again."""
        while True:
            await self._hold(await self._take())

    def wants(self, wanted: bool) -> None:  # noqa: FBT001 - it is the one thing that is said
        """Take the lane, or give it back."""
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()
            if self._held is not None:
                self._going.set()

    def is_at(self, epoch: int) -> None:
        """The lane has this epoch now: if it is not ours, another process has taken it."""
        if self._held is not None and epoch > self._held.epoch:
            self._wanted.clear()
            self._taken.set()

    async def sing(self) -> asyncio.Event:
        """Send a canary now; the event is set when it is back, or never will be. LinkLost when there is no connection."""
        if self._link is None:
            raise LinkLost(f"lane {self._lane} of {self._site.name} is not connected")
        name = uuid4().hex
        heard = self._songs[name] = asyncio.Event()
        self._link.publish_behind(canary.topic(self._site.name, self._lane), canary.song(self._clock.now(), name))
        return heard

    async def send_commands(self) -> int:
        """Send what waits for the site's devices, each once; how many. Nothing while there is no connection.

        What is marked as sent and does not get out any more is not sent again: it expires, and is told.
        """
        async with self._commanding:
            link, epoch = self._link, self._epoch
            if link is None or self._going.is_set():
                return 0
            now, local = self._clock.now(), self._cache.local
            outgoing = await self._database.run(lambda each: commanding.mark_sent(each, self._site, epoch, now, local))
            await asyncio.gather(*(self._send(link, each) for each in outgoing))
            return len(outgoing)

    async def _send(self, link: Link, command: Outgoing) -> None:
        left = command.seconds_left(self._clock.now())
        told = {"site": self._site.name, "command": str(command.id)}
        if not left:
            log.warning("command.too_late", **told)
            return
        try:
            await link.publish(command.topic, command.payload, expires_in=left)
        except LinkLost as error:
            log.warning("command.unsure", **told, error=str(error))
        else:
            log.info("command.sent", **told)

    async def _connect_and_run(self, held: Held) -> None:
        client_id = f"hjemmevakt-{self._site.name}-{self._lane}"
        try:
            async with connect(self._settings.broker, client_id, self._clock) as link:
                await self._run_on(link, held)
        except LinkLost:
            self._settings.doubt()
            raise

    async def _run_on(self, link: Link, held: Held) -> None:
        await self._note_session(link, held)
        await until_first_ends(self._receive(link, held), self._listen(link, held), link.lost())

    async def _listen(self, link: Link, held: Held) -> None:
        """Subscribe, and sing from then on; what has waited for us is taken in meanwhile."""
        filters = [each for dialect in dialects().values() for each in dialect.subscriptions(held.site.name, held.lane)]
        await link.subscribe([*filters, canary.topic(held.site.name, held.lane)])
        self._link, self._epoch = link, held.epoch
        log.info("lane.connected", site=held.site.name, lane=held.lane, epoch=held.epoch, resumed=link.resumed)
        await self._sing_on(link)

    # Holding the lane ---------------------------------------------------------------------------------------------

    async def _take(self) -> Held:
        """Wait until the lane is wanted here, and ours."""
        while True:
            await self._wanted.wait()
            epoch = await self._database.run(
                lambda each: sites.take_lane(each, self._site.id, self._lane, self._settings.holder)
            )
            if epoch is not None:
                return Held(self._site, self._lane, epoch)
            await pause(ASK_AGAIN)

    async def _hold(self, held: Held) -> None:
        """Until the lane is to be given back. LinkLost or LaneLost when it ended in another way."""
        self._held = held
        self._going.clear()
        self._taken.clear()
        try:
            await until_first_ends(self._connect_and_run(held), self._until_it_goes(), self._until_taken())
        finally:
            self._link = self._held = None
            self._lost_songs()
            await self._give_back(held)

    async def _until_it_goes(self) -> None:
        """Until the lane is to be given back, and nothing is in hand."""
        await self._going.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISHED_WITHIN), self._commanding:
                while self._in_hand:
                    self._hands_empty.clear()
                    await self._hands_empty.wait()

    async def _until_taken(self) -> None:
        await self._taken.wait()
        raise LaneLost(f"lane {self._lane} of {self._site.name} was taken by another process")

    async def _give_back(self, held: Held) -> None:
        with suppress(*DatabaseGone):
            await self._database.run(lambda each: sites.give_lane_back(each, held.site.id, held.lane, held.epoch))

    async def _note_session(self, link: Link, held: Held) -> None:
        """A new connection: settle anew; and when the broker has forgotten us, say which gap may have lost messages."""

        async def note(connection: Connection) -> datetime | None:
            since = (await sites.settle_anew(connection, held.site.id, held.lane, held.epoch)).heard_until
            self._guard = await self._guard_anew(connection, since)
            if since is None or link.resumed:
                return None
            await self._raise_session_lost(connection, since)
            return since

        gap = await self._patiently(lambda: self._database.run(note))  # the broker says so only this once
        if gap is not None:
            log.warning("lane.session_lost", site=self._site.name, lane=self._lane, since=gap.isoformat())

    async def _guard_anew(self, connection: Connection, since: datetime | None) -> RateGuard:
        """Who floods is what technical services were told, by the lane on which whatever is no alarm comes: what the guard before
        this one has told may not have been stored, and may have been another process's."""
        told = await alerts.open_about_devices(connection, self._site, FLOODS) if self._lane is Lane.BULK else {}
        return RateGuard(self._settings.device_per_minute, since, told)

    async def _raise_session_lost(self, connection: Connection, since: datetime) -> None:
        now = self._clock.now()
        subject = Subject(self._site.id, self._site.zone_id)
        evidence = Evidence("session_lost", since, now, {"lane": self._lane, "heard_until": since.isoformat()})
        key = f"session_lost:site:{self._site.id}:{self._lane}"
        raised = Raise(key, "session_lost", None, Severity.SERIOUS, Track.TECHNICAL, subject, evidence)
        book = await self._cache.read(connection)
        await audit.announce(connection, await act(connection, (raised,), now, book))

    # Receiving ------------------------------------------------------------------------------------------------------

    async def _receive(self, link: Link, held: Held) -> None:
        """While one batch is stored, the next one is looked at, and one more is taken and decoded."""
        line = _Line(partial(self._take_ahead, link), self._settings.room)
        try:
            await until_first_ends(*(self._take_on(link, held, line) for _ in range(IN_HAND)))
        finally:
            await line.end()

    async def _take_on(self, link: Link, held: Held, line: _Line) -> None:
        while True:
            await self._take_in(link, held, *await line.following())

    async def _take_ahead(self, link: Link) -> _Taken:
        """A part at a time, so that whatever else there is to do waits for no whole batch."""
        deliveries = await link.batch(BATCH[self._lane], LINGER[self._lane])
        own, now = canary.topic(self._site.name, self._lane), self._clock.now()
        songs = [canary.read(each.message.payload, now) for each in deliveries if each.message.topic == own]
        said = [each.message for each in deliveries if each.message.topic != own]
        parts: list[Batch] = []
        for part in parted(said):
            parts.append(decode(part, self._lane))
            await let_others(part, DONE_AHEAD)
        batch = joined(said, parts)
        sung = [song for song in songs if song]
        newest = max((song.sent_at for song in sung), default=None)
        batch.read, batch.rejected, batch.floods = self._guard.sift(batch.read, now, newest, batch.rejected)
        return _Taken(deliveries, sung, batch)

    async def _take_in(self, link: Link, held: Held, taken: _Taken, turn: Turn) -> None:
        started = monotonic()
        try:
            stored = await self._patiently(partial(self._store, held, taken.said, turn))
        except BaseException:
            turn.stumbles()
            raise
        link.acknowledge(taken.deliveries)
        turn.ends()
        if stored is not None:
            METRICS.stored(held.site.name, held.lane, stored, monotonic() - started)
            self._report(stored)
            link.send(stored.receipts)
        if taken.songs:
            await self._patiently(partial(self._hear, held, max(song.sent_at for song in taken.songs)))
            self._tell_heard(taken.songs)

    def _tell_heard(self, songs: Sequence[canary.Song]) -> None:
        for song in songs:
            waited_for = self._songs.pop(song.name, None)
            if waited_for is not None:
                waited_for.set()

    def _lost_songs(self) -> None:
        """Nobody waits for a canary of a connection that has ended."""
        for waited_for in self._songs.values():
            waited_for.set()
        self._songs.clear()

    async def _store(self, held: Held, said: Batch, turn: Turn) -> Stored | None:
        """None where nothing but canaries has come."""
        while True:
            await turn.begins()
            with suppress(Stumbled):
                if said.messages or said.floods:
                    return await store_batch(self._database, held, said, self._clock.now(), self._cache, turn)
                await turn.comes()
                return None

    async def _hear(self, held: Held, sent_at: datetime) -> None:
        now = self._clock.now()

        async def move(connection: Connection) -> None:
            async with connection.pipeline():
                before = await sites.hearing(connection, held.site.id, held.lane, held.epoch)
                after = canary.heard(before, sent_at, now, self._settings.limits)
                await sites.save_hearing(connection, held.site.id, held.lane, after)

        await self._database.run(move)

    async def _sing_on(self, link: Link) -> None:
        """Not while nothing is read: there are enough canaries on their way."""
        while True:
            if not link.held:
                await self.sing()
            await pause(self._settings.canary_seconds)

    async def _patiently(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Do the work when there is a database to do it with. None is begun once the lane is to be given back."""
        if self._going.is_set():
            await asyncio.Event().wait()  # until the connection ends
        self._in_hand += 1
        try:
            return await self._insist(work)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._hands_empty.set()

    async def _insist(self, work: Callable[[], Awaitable[Result]]) -> Result:
        back_off = 0.1
        while True:
            try:
                return await work()
            except DatabaseGone as error:
                log.warning("database.away", site=self._site.name, lane=self._lane, error=str(error).strip())
                await pause(back_off)
                back_off = min(back_off * 2, LONGEST_BACK_OFF)

    def _report(self, stored: Stored) -> None:
        for failure in stored.failures:
            log.error("rule.failed", rule=failure.rule, exc_info=failure.error)
        if stored.held_back:
            log.warning("device.floods", site=self._site.name, lane=self._lane, held_back=stored.held_back)
        if stored.quarantined:
            log.warning("message.quarantined", site=self._site.name, lane=self._lane, count=stored.quarantined)
