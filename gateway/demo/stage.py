"""What the demo's pages ask of the demo, and everything that lives in it beside the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path as File
from random import Random
from uuid import UUID

import structlog

from devices.model import Lane
from gateway import path as paths
from gateway import seed as seeding
from gateway.access import Who
from gateway.app import Gateway
from gateway.clock import monotonic, pause
from gateway.demo import day
from gateway.demo.colleagues import Colleagues
from gateway.demo.happen import Happenings
from gateway.demo.stories import PROPS, Happened
from gateway.demo.visitors import Visitor, visitors
from gateway.embedded import Broker
from gateway.errors import NotFound
from gateway.store import demo as store
from gateway.store import path as path_store
from gateway.store import sessions
from gateway.store.db import Connection
from gateway.store.sessions import NewSession
from gateway.web.demo import Heard, Seen
from simulators.clock import live
from simulators.home import Life
from simulators.link import Broker as SimulatedBroker
from simulators.run import Options, Simulation
from simulators.town import devices_file

QUIET = Life(falls_per_day=0.02, missed_per_dose=0.01)
log = structlog.get_logger()

AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.4
WATCHED_FOR = 20.0
"""How long after somebody has looked at one of the demo's pages it is told of every step."""
JUST_SAID = 8


class Stage:
    """One demo."""

    def __init__(self, gateway: Gateway, broker: Broker, accounts: Sequence[seeding.Account], devices: File) -> None:
        self._gateway = gateway
        self._accounts = accounts
        self._fittings = {each.address: each for each in devices_file(devices)}
        self.broker = broker.name
        self.stand_in = not broker.supports_mqtt5
        where = SimulatedBroker(broker.host, broker.port)
        props = {address: each for address, each in self._fittings.items() if address in PROPS}
        living = [each for address, each in self._fittings.items() if address not in PROPS]
        self._town = Simulation(Options(seeding.SITE, living, where, life=QUIET), live())
        self._happenings = Happenings(gateway.web_database, where, props, live(), gateway.settings.local)
        self._watching: dict[int, float] = {}

    @property
    def listens(self) -> bool:
        """Whether the gateway hears what is said: a broker keeps nothing for who has never been there."""
        lanes = self._gateway.lanes.values()
        return len(lanes) == len(Lane) and all(each.working for each in lanes)

    # What lives -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """The town, its devices, the colleagues; until cancelled."""
        fitted = await self._gateway.web_database.run(lambda each: store.fitted(each, seeding.SITE))
        first = {each.zone_id for address, each in fitted.items() if address in PROPS}
        lives = (
            self._town.run,
            self._happenings.run,
            Colleagues(self._gateway, first).run,
            partial(self._day(fitted, first).live, Random()),  # noqa: S311 - chance in a demo
            self._follow,
        )
        async with asyncio.TaskGroup() as group:
            for each in lives:
                group.create_task(_again_and_again(each))

    def _day(self, fitted: dict[str, store.Fitted], first: set[int]) -> day.Town:
        living = [each for address, each in self._fittings.items() if address not in PROPS and address in fitted]
        near = [each for each in living if fitted[each.address].zone_id in first]
        far = [each for each in living if fitted[each.address].zone_id not in first]
        clock, local = self._gateway.clock, self._gateway.settings.local

        async def busy() -> bool:
            return await self._gateway.web_database.run(lambda each: store.open_in(each, sorted(first))) > 0

        def night() -> bool:
            return day.is_night(clock.now(), local)

        return day.Town(day.by_kind(near), day.by_kind(far), self._town.say, busy, night)

    async def _follow(self) -> None:
        """Whoever looks at a path is told of each step: what is stored and handed over is not announced otherwise."""
        known, since = (0, 0), self._gateway.clock.now()
        while True:
            await pause(LOOK_SECONDS)
            looking = {person for person, at in self._watching.items() if monotonic() - at < WATCHED_FOR}
            if not looking:
                continue
            now = await self._gateway.web_database.run(lambda each: store.progress(each, since))
            if now != known:
                known = now
                await self._gateway.web_database.run(partial(store.tell, persons=looking))

    # What the pages ask ---------------------------------------------------------------------------------------------

    def visitors(self) -> tuple[Visitor, ...]:
        return visitors(self._accounts, self._gateway.clock.now(), self._gateway.settings.local)

    async def sign_in(self, key: str, user_agent: str) -> tuple[Visitor, NewSession]:
        """One click. NotFound for somebody whom there is not."""
        visitor = next((each for each in self.visitors() if each.key == key), None)
        if visitor is None:
            raise NotFound("visitor", "there is nobody of that kind in the demo")

        async def begin(connection: Connection) -> NewSession:
            person = await store.person_of(connection, visitor.username)
            return await sessions.begin(connection, person, user_agent)

        return visitor, await self._gateway.web_database.run(begin)

    async def happen(self, what: str) -> int:
        """The number of what happens. NotFound for what there is not."""
        try:
            return (await self._happenings.happen(what)).number
        except KeyError:
            raise NotFound("story", "nothing of that kind can be made to happen") from None

    def happened(self) -> list[Happened]:
        """What visitors made happen, the newest first."""
        return [*reversed(self._happenings.happened)]

    async def just_said(self) -> list[Heard]:
        rows = await self._gateway.web_database.run(lambda each: store.just_said(each, JUST_SAID))
        return [Heard(**row) for row in rows]

    async def seen(self, who: Who, number: int) -> Seen:
        """What came of something that a visitor made happen, as far as they may see it. NotFound for what did not."""
        happened = next((each for each in self._happenings.happened if each.number == number), None)
        if happened is None:
            raise NotFound("happening", "that has not happened since the demo was started")
        self._watching[who.person_id] = monotonic()
        return await self._gateway.web_database.run(lambda each: self._seen(each, who, happened))

    async def path(self, who: Who, uid: UUID) -> paths.Path:
        """NotFound for an alert that they may not see."""
        self._watching[who.person_id] = monotonic()
        receipts = self._happenings.receipts
        found = await self._gateway.web_database.run(lambda each: paths.path_of(each, who, uid, receipts))
        if found is None:
            raise NotFound("alert", "there is no such alert, or it is not yours to see")
        return found

    def watches(self, who: Who) -> None:
        """They look at a page that shows what is being said."""
        self._watching[who.person_id] = monotonic()

    async def _seen(self, connection: Connection, who: Who, happened: Happened) -> Seen:
        fitted = await store.fitted(connection, seeding.SITE)
        devices = [fitted[each] for each in happened.addresses if each in fitted]
        message = None
        if happened.message_id is not None and devices:
            message = await path_store.message(connection, devices[0].device_id, happened.message_id, happened.at)
        rows = await path_store.alerts_since(connection, [each.device_id for each in devices], happened.at)
        found = [await paths.path_of(connection, who, row["uid"], self._happenings.receipts) for row in rows]
        receipted_at = self._happenings.receipts.get(happened.message_id or "")
        return Seen(
            happened=happened,
            said=paths.of_message(message, receipted_at) if message else (),
            raw=(message.raw or b"") if message else b"",
            paths=tuple(each for each in found if each is not None),
            hidden=sum(each is None for each in found),
        )


async def _again_and_again(life: Callable[[], Awaitable[None]]) -> None:
    """What fails (the database is away) is logged, and goes on in a moment: a demo does not fall over."""
    while True:
        try:
            await life()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told and the life goes on
            log.warning("demo.failed", why=type(error).__name__, error=str(error).strip())
        await pause(AGAIN_SECONDS)
