"""The composition root: everything is made and wired here, and every loop is supervised.

A loop that fails is started again after a back-off and reported in /health until it runs. ``roles`` choose what a
process does: ``ingest`` (lanes, and the commands that go out on them), ``engine`` (timekeeper and dispatcher), ``web``
(API and pages).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from alerts.channels import Channel, load_channel
from alerts.channels.canary import Canary
from alerts.channels.web_push import WebPush
from alerts.vapid import fresh_key
from devices.model import Lane
from gateway import canary, durability, push
from gateway.auditor import Auditor
from gateway.broker.watch import BrokerWatch, broker_findings
from gateway.canaryhealth import canaries_of
from gateway.canaryresident import CanaryResident
from gateway.clock import Clock, ControlledClock, SystemClock, monotonic, pause
from gateway.contacting import Reaching
from gateway.dispatcher import Dispatcher, Dispatching
from gateway.durability import DurabilityWatch
from gateway.front import Front
from gateway.front.calls import Services
from gateway.health import Health, SiteHealth, judge, shared_out
from gateway.lanes import LaneSettings, LaneWorker
from gateway.live import Live
from gateway.pagetests import PageTestTimes
from gateway.passages import Pace
from gateway.rulebook import RulebookCache, install_defaults
from gateway.settings import Role, Settings, start_of
from gateway.shares import Key
from gateway.sharing import Sharing
from gateway.store import alerts as alert_store
from gateway.store import (
    checkins,
    commands,
    duesilences,
    gateways,
    migrate,
    observations,
    outlook,
    pages,
    sites,
    watches,
)
from gateway.store import push as push_store
from gateway.store.db import Connection, Database, DatabaseGone
from gateway.store.durability import setup
from gateway.tasks import end
from gateway.timekeeper import Timekeeper

if TYPE_CHECKING:
    from gateway.heartbeat import Heartbeat

log = structlog.get_logger()

HEALTH_WITHIN = 5.0
"""Seconds for all that /health looks at: whoever asks waits little longer."""
FIRST_BACK_OFF = 0.2
LONGEST_BACK_OFF = 5.0
STEADY_AFTER = 30.0
"""A loop that ran this long starts its back-off afresh."""
TIMEKEEPER_TICK = 0.5
DISPATCHER_TICK = 1.0
COMMANDS_TICK = 1.0
TELEMETRY = 8
"""Connections to the database, for the telemetry of all sites."""
AHEAD = 4
"""Batches that are begun ahead of their turn: of telemetry, so many of all sites, and as many of alarms."""
AUDITOR_TICK = 30.0
PRUNE_EVERY = 3600.0
RECKON_EVERY = 300.0
"""Whether an hour has ended."""
LONGEST_HOST = 32
"""Letters of a host name: with the rest it has to fit into what PostgreSQL shows of a connection."""
ALL_ROLES: tuple[Role, ...] = ("ingest", "engine", "web")


class Gateway:
    """One gateway process, made from settings and a database URL. ``channels``: besides those that are set up."""

    def __init__(
        self,
        settings: Settings,
        database_url: str,
        roles: Iterable[Role] = ALL_ROLES,
        channels: Mapping[str, Channel] | None = None,
    ) -> None:
        self.settings = settings
        set_up = {name: load_channel(name, config) for name, config in settings.channel_settings.items()}
        self.channels = {**set_up, **(channels or {})}
        pace = settings.canary_pace
        if pace is not None:
            self.channels["canary"] = load_channel("canary", {})
        self.roles = frozenset(roles)
        # Containers can share names and numbers; the chance part keeps two processes from taking each other for one.
        self.holder = f"{socket.gethostname()[:LONGEST_HOST]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.database = Database(database_url, process=self.holder)
        self._rooms = {lane: asyncio.Semaphore(AHEAD) for lane in Lane}
        self.telemetry_database = Database(database_url, size=TELEMETRY, process=self.holder)
        """Of its own, so that the telemetry of many sites cannot take the connections that alarms and their pages need."""
        self.web_database = Database(database_url)
        """Of its own, so that a crowd of open pages cannot take the connections that alarms need."""
        self.beat_database = Database(database_url, size=1)
        """Of its own, so that batches cannot take the connection that says that we live."""
        start = start_of(settings)
        self.controlled = ControlledClock(start) if start else None
        self.clock: Clock = self.controlled or SystemClock()
        self.started_at = self.clock.now()
        self.cache = RulebookCache(settings.local, tuple(self.channels))
        self.live = Live(self.database)
        self.front = Front(self._services(pace))
        self.timekeeper = Timekeeper(
            self.database,
            self.clock,
            self.cache,
            settings.limits,
            settings.keeping,
            controlled=self.controlled is not None,
        )
        self.auditor = Auditor(self.database, self.clock, self.cache)
        self.dispatcher = self._dispatcher()
        self.sharing = Sharing(self.beat_database, self.holder, settings.broker, self.live.lanes, self._start_lane)
        self.failing: dict[str, str] = {}
        self._prepared = False
        self.broker_watch = BrokerWatch(self.database, self.clock, self.cache, settings.broker, self._alarm_connection)
        self.durability_watch = DurabilityWatch(self.database, self.clock, self.cache, on_purpose=self._is_a_test)
        self.resident = self._resident(pace) if pace else None
        self.heartbeat = self._heartbeat(pace)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def _databases(self) -> tuple[Database, ...]:
        return self.database, self.telemetry_database, self.web_database, self.beat_database

    @property
    def ready(self) -> bool:
        """Whether requests can be served: people must be able to answer also while the broker is away."""
        return self.live.listening

    @property
    def lanes(self) -> dict[Key, LaneWorker]:
        """A worker for each lane, whoever has it."""
        return self.sharing.lanes

    async def prepare(self) -> None:
        """What has to be in the database before anything runs. DatabaseGone where there is none to be had."""
        await self.database.open()
        await self.database.run(self._prepare)
        self._prepared = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything this process does, until the end of the block."""
        if not self._prepared:
            await self.prepare()
        for database in self._databases:
            await database.open()
        try:
            self._start()
            yield
        finally:
            await self._stop()
            for database in reversed(self._databases):
                await database.close()

    async def health(self) -> Health:
        """What /health shows."""
        now = self.clock.now()
        try:
            async with asyncio.timeout(HEALTH_WITHIN):
                return await self.database.run(lambda each: self._health(each, now))
        except (*DatabaseGone, TimeoutError):
            return judge(now, self.failing, None, [], None)

    # Making ---------------------------------------------------------------------------------------------------------

    def _services(self, pace: Pace | None) -> Services:
        return Services(
            database=self.web_database,
            clock=self.clock,
            cache=self.cache,
            reaching=self._reaching(),
            live=self.live,
            limits=self.settings.limits,
            started_at=self.started_at,
            pace=pace,
        )

    def _reaching(self) -> Reaching:
        within, lately = self.settings.page_test_seconds, self.settings.page_test_hours
        return Reaching(
            self.channels, self._public_url, PageTestTimes(timedelta(seconds=within), timedelta(hours=lately))
        )

    @property
    def _is_a_test(self) -> bool:
        return self.settings.environment == "test"

    @property
    def _public_url(self) -> str:
        return str(self.settings.public_url).rstrip("/")

    def _dispatcher(self) -> Dispatcher:
        dispatching = Dispatching(self.holder, self._public_url, self.settings.local)
        return Dispatcher(self.database, self.clock, self.cache, self.channels, dispatching)

    def _resident(self, pace: Pace) -> CanaryResident:
        phone = self.channels["canary"]
        assert isinstance(phone, Canary)
        return CanaryResident(
            database=self.database,
            clock=self.clock,
            cache=self.cache,
            broker=self.settings.broker,
            channel=phone,
            pace=pace,
            limits=self.settings.limits,
            lanes=lambda: [*self.lanes.values()],
            started_at=self.started_at,
        )

    def _heartbeat(self, pace: Pace | None) -> Heartbeat | None:
        url = self.settings.heartbeat_url
        if url is None:
            return None
        from gateway.heartbeat import Heartbeat  # noqa: PLC0415 - what speaks HTTP takes some MB

        every = timedelta(seconds=self.settings.heartbeat_seconds)
        return Heartbeat(url.get_secret_value(), every, self.clock, self.health, pace)

    async def _prepare(self, connection: Connection) -> None:
        changed = await install_defaults(connection, self.clock.now())
        if changed:
            log.info("defaults.installed", changed=changed)
        await self._prepare_push(connection)

    async def _prepare_push(self, connection: Connection) -> None:
        """The key that pushes are signed with is the setting's, else the database's, where it is made once."""
        config = self.settings.channel_settings[push_store.CHANNEL]
        key = config["private_key"] or await push_store.private_key(connection, fresh_key(), self.clock.now())
        channel = WebPush(WebPush.Config(**{**config, "private_key": key}))
        self.channels[push_store.CHANNEL] = channel
        self.front.pushing = push.Pushing(key, channel, self.settings.push_private_endpoints)

    def _start_lane(self, site: sites.Site, lane: Lane) -> LaneWorker:
        settings = LaneSettings(
            broker=self.settings.broker,
            holder=self.holder,
            limits=self.settings.limits,
            canary_seconds=self.settings.canary_seconds,
            device_per_minute=self.settings.device_per_minute,
            doubt=self.sharing.doubt,
            room=self._rooms[lane],
        )
        database = self.database if lane is Lane.ALARM else self.telemetry_database
        worker = LaneWorker(database, self.clock, self.cache, settings, site, lane)
        self._supervise(f"lane {site.name}/{lane}", worker.run, partial(_works, worker))
        return worker

    def _alarm_connection(self, site: sites.Site) -> int | None:
        worker = self.lanes.get((site.id, Lane.ALARM))
        return worker.connection if worker else None

    # Running --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._supervise("live", self.live.run)
        if "ingest" in self.roles:
            self._supervise("broker", self.sharing.reach, partial(_reaches, self.sharing))
            self._supervise("sharing", self.sharing.run)
        if "ingest" in self.roles and self.controlled is None:
            self._supervise("commands", self._send_commands)
            self._supervise("broker", self.broker_watch.run)
            self._supervise("durability", self.durability_watch.run)
        if "engine" in self.roles and self.controlled is None:
            self._supervise("timekeeper", self._keep_time)
            self._supervise("pruning", self._prune)
            self._supervise("auditor", self._audit)
            self._supervise("rollups", self._reckon)
            self._supervise("dispatcher", self._dispatch)
        if self.controlled is None:
            self._start_canary()

    def _start_canary(self) -> None:
        if self.resident is not None and "ingest" in self.roles:
            self._supervise("canary publishing", self.resident.publish)
        if self.resident is not None and "engine" in self.roles:
            self._supervise("canary answering", self.resident.answer)
            self._supervise("canary watch", self.resident.watch)
        if self.heartbeat is not None and "engine" in self.roles:
            self._supervise("heartbeat", self.heartbeat.run)

    async def _stop(self) -> None:
        await end(self._tasks)
        if "ingest" in self.roles:
            await self.sharing.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.dispatcher.settled()

    def _supervise(
        self, name: str, loop: Callable[[], Awaitable[None]], works: Callable[[], bool] = lambda: True
    ) -> None:
        """``works`` tells, while the loop runs, whether it does what it is for."""
        task = asyncio.create_task(self._again_and_again(name, loop, works), name=name)
        self._tasks.add(task)

    async def _again_and_again(self, name: str, loop: Callable[[], Awaitable[None]], works: Callable[[], bool]) -> None:
        back_off = FIRST_BACK_OFF
        while True:
            began = monotonic()
            recovery = asyncio.create_task(self._recovered(name, works))
            try:
                await loop()
                why, told = "ended", ""
            except Exception as error:  # noqa: BLE001 - whatever it was, it is reported and the loop goes on
                why, told = type(error).__name__, str(error).strip()
            finally:
                recovery.cancel()
            self.failing[name] = why
            log.warning("loop.failed", loop=name, why=why, error=told, again_in=back_off)
            back_off = FIRST_BACK_OFF if monotonic() - began > STEADY_AFTER else min(back_off * 2, LONGEST_BACK_OFF)
            await pause(back_off)

    async def _recovered(self, name: str, works: Callable[[], bool]) -> None:
        """A loop that has run for a moment, and works, is no longer reported."""
        await pause(1.0)
        while not works():
            await pause(0.2)
        self.failing.pop(name, None)

    async def send_commands(self) -> None:
        """What waits for the devices of the sites that this process listens to."""
        now = self.clock.now()
        waiting = await self.database.read(lambda each: commands.sites_waiting(each, now))
        workers = [self.lanes[site, Lane.ALARM] for site in waiting if (site, Lane.ALARM) in self.lanes]
        await asyncio.gather(*(_send_for(each) for each in workers))

    async def _send_commands(self) -> None:
        """At once when there are new ones, and every second in any case: the lane may have come to us meanwhile."""
        while True:
            self.live.commands.clear()
            await self.send_commands()
            with suppress(TimeoutError):
                async with asyncio.timeout(COMMANDS_TICK):
                    await self.live.commands.wait()

    async def _keep_time(self) -> None:
        while True:
            await self.timekeeper.run_once()
            await pause(TIMEKEEPER_TICK)

    async def _prune(self) -> None:
        while True:
            await self.timekeeper.prune()
            await pause(PRUNE_EVERY)

    async def _audit(self) -> None:
        """Not before the process has settled: the first look can wait."""
        while True:
            await pause(AUDITOR_TICK)
            await self.auditor.run_once()

    async def _reckon(self) -> None:
        while True:
            await self.timekeeper.reckon()
            await pause(RECKON_EVERY)

    async def _dispatch(self) -> None:
        """At once when pages are announced, and now and then in any case."""
        while True:
            self.live.pages.clear()
            while await self.dispatcher.run_once():
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(DISPATCHER_TICK):
                    await self.live.pages.wait()

    # Health ---------------------------------------------------------------------------------------------------------

    async def _health(self, connection: Connection, now: datetime) -> Health:
        standing = {
            **await alert_store.unanswered(connection, now),
            **await pages.standing(connection, now),
            "oldest_watch": await watches.oldest_overdue(connection, now),
            "oldest_silence": await duesilences.oldest_overdue(connection, now),
            "oldest_roster_look": await checkins.oldest_overdue(connection, now),
            "unreadable_rules": len((await self.cache.read(connection)).unreadable),
        }
        unknown = await migrate.newer(connection)
        standing |= {"newer": sorted(unknown), "outdated": migrate.outdated(unknown)}
        standing["unreached"] = await outlook.unreached(connection, now)
        standing["broker"] = [f"{each.words}; {each.mend}" for each in await broker_findings(connection)]
        losses = durability.verdict(await setup(connection))
        standing["database"] = [] if self._is_a_test else durability.told(losses)
        hearings = await sites.site_hearings(connection)
        shown = [
            SiteHealth(
                name=each.name,
                heard_until=each.heard_until,
                deaf=canary.is_deaf(each.heard_until, self.started_at, now, self.settings.limits),
            )
            for each in hearings
        ]
        found = judge(
            now,
            self.failing,
            standing,
            shown,
            await observations.newest_received_at(connection),
            await canaries_of(connection, now, self.settings.canary_pace, self.started_at),
        )
        lanes, known = await sites.every_lane(connection), await gateways.processes(connection)
        return found.model_copy(update={"durable": not losses, **shared_out(lanes, known, self.holder)})


async def _send_for(worker: LaneWorker) -> None:
    """A lane that is another process's by now: that one sends."""
    with suppress(sites.LaneLost):
        await worker.send_commands()


def _works(worker: LaneWorker) -> bool:
    return worker.working


def _reaches(sharing: Sharing) -> bool:
    return sharing.able
