"""Sites of a municipality whose lanes several gateways share, each a process of its own; and what becomes of them when one is struck.

How long that takes is read off the database's clock: when the lanes were taken, and when that committed which was said at the moment
of the blow. What takes too long is tried again where the machine itself stood still for about as long
(``tests/support/machine.py``), and never otherwise.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.embedded import Broker
from gateway.sharing import BEAT_EVERY, LEASE
from tests.support.machine import watched
from tests.support.processes import GatewayProcess, Homes, Word, eventually, rows, seeded, stored_once

LONG = 90.0
"""Seconds. What takes four or five by itself, on a machine that has other things to do."""
TRIALS = 4
MARGIN = 1.0
"""Seconds, for a machine that has other things to do, above what is promised."""
TAKEN_WITHIN = LEASE.total_seconds() + BEAT_EVERY + MARGIN
HANDLED_WITHIN = 5.0 + MARGIN
_NOTES_COMMITS = """
CREATE TABLE committed (device_id bigint, message_id text, at timestamptz);
CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO committed VALUES (new.device_id, new.message_id, clock_timestamp());
    RETURN new;
END $$;
CREATE CONSTRAINT TRIGGER note_commit AFTER INSERT ON seen DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note_commit()
"""
"""The trigger is called at the COMMIT: whatever a message waited for in its transaction is over."""


@dataclass(frozen=True)
class Handled:
    """Seconds after a blow, at most: until the lanes of whoever was struck were another's, and until what was said at the
    moment of the blow was stored."""

    taken: float
    stored: float

    @property
    def late_by(self) -> float:
        return max(self.taken - TAKEN_WITHIN, self.stored - HANDLED_WITHIN, 0.0)

    def __str__(self) -> str:
        return f"taken after {self.taken:.1f} s, stored after {self.stored:.1f} s"


Lanes = Sequence[tuple[int, str]]


class Town:
    """Sites of one municipality, their devices, and the gateways that hear them."""

    def __init__(self, url: str, broker: Broker, homes: dict[str, Homes], gateways: Sequence[GatewayProcess]) -> None:
        self.url = url
        self._broker = broker
        self.homes = homes
        self.gateways = gateways
        self._wearers = {site: iter(self._of(site, "fall_alarm")) for site in homes}

    def _of(self, site: str, kind: str) -> list[str]:
        return [address for address, each in self.homes[site].devices.items() if each == kind]

    async def shared(self) -> dict[str, int]:
        """How many lanes each gateway that runs has; the rest is at ""."""
        pids = {str(each.pid): str(number) for number, each in enumerate(self.gateways) if each.running}
        held = await rows(self.url, "SELECT holder FROM site_lane")
        return Counter(pids.get((each["holder"] or "::").split(":")[1], "") for each in held)

    async def is_shared(self, *lanes: int) -> None:
        """So many lanes each, within a while."""
        expected = {str(number): many for number, many in enumerate(lanes) if many}

        async def look() -> bool:
            await asyncio.sleep(0.4)  # each look is a connection to the database
            return await self.shared() == expected

        try:
            await eventually(look, f"the lanes are shared out as {lanes}", LONG)
        except AssertionError:
            raise AssertionError(f"not {expected}: {await self.shared()}") from None

    async def now(self) -> datetime:
        """By the database's clock."""
        (found,) = await rows(self.url, "SELECT clock_timestamp() AS now")
        at: datetime = found["now"]
        return at

    async def is_heard_everywhere(self, since: datetime, what: str) -> None:
        """Soon after, in each site somebody falls and a dispenser says something; all of it is stored."""
        stored = await self._stored(since)
        print(f"{what}: everything is stored {stored:.1f} s later")

    async def _stored(self, since: datetime) -> float:
        """After how many seconds the last of it was stored. Nobody waits for ever."""
        said: list[tuple[Homes, Word]] = []
        for site, homes in self.homes.items():
            said += [(homes, homes.say(next(self._wearers[site]), "fall"))]
            said += [(homes, homes.say(self._of(site, "medicine_dispenser")[0], "dose_taken"))]
        await asyncio.gather(*(homes.has_receipt(word, LONG) for homes, word in said))
        found = await rows(
            self.url,
            """SELECT min(c.at) AS at FROM committed c JOIN device d ON d.id = c.device_id
               JOIN unnest(%s::text[], %s::text[]) w (address, message_id) USING (address, message_id)
               GROUP BY address, message_id""",
            [word.address for _, word in said],
            [word.message_id for _, word in said],
        )
        assert len(found) == len(said)
        last: datetime = max(each["at"] for each in found)
        return (last - since).total_seconds()

    async def lanes_of(self, gateway: GatewayProcess) -> Lanes:
        found = await rows(
            self.url, "SELECT site_id, lane FROM site_lane WHERE split_part(holder, ':', 2) = %s", str(gateway.pid)
        )
        return [(each["site_id"], each["lane"]) for each in found]

    async def named(self, lanes: Lanes) -> list[tuple[str, str]]:
        names = {each["id"]: each["name"] for each in await rows(self.url, "SELECT id, name FROM site")}
        return [(names[site], lane) for site, lane in lanes]

    async def is_handled(self, since: datetime, lanes: Lanes) -> Handled:
        """What is said now, right after a blow, in all sites; and these lanes, which whoever was struck had."""
        stored = await self._stored(since)
        found = await rows(self.url, "SELECT site_id, lane, taken_at FROM site_lane")
        taken = [each["taken_at"] for each in found if (each["site_id"], each["lane"]) in lanes]
        assert len(taken) == len(lanes)
        assert min(taken) > since, "each of them was taken after the blow"
        return Handled((max(taken) - since).total_seconds(), stored)

    async def outlives(
        self,
        gateway: GatewayProcess,
        strike: Callable[[GatewayProcess], None],
        mend: Callable[[GatewayProcess, datetime, Lanes], Awaitable[None]],
    ) -> int:
        """A gateway is struck, and its sites are handled in time; how often it had to be struck again, since the machine stood
        still. ``mend``: all is as before after it."""
        assert self._broker.pid is not None
        others = [self._broker.pid, *(each.pid for each in self.gateways if each is not gateway and each.running)]
        for again in range(TRIALS):
            lanes, name = await self.lanes_of(gateway), getattr(strike, "__name__", "")
            assert lanes
            with watched(others) as machine:
                struck = await self.now()
                strike(gateway)
                handled = await self.is_handled(struck, lanes)
            print(f"{name}: {len(lanes)} lanes {handled}; {machine}")
            excused = again < TRIALS - 1 and machine.excuses(handled.late_by)
            assert not handled.late_by or excused, f"{name}: {handled}; {machine}"
            await mend(gateway, struck, lanes)
            if not handled.late_by:
                return again
        raise AssertionError("unreachable")

    def away(self) -> int:
        """How often a gateway, since it was started last, has found that its lease had run out, as it does when it stood still."""
        return sum(len(each.entries("gateway.was_away")) for each in self.gateways)

    async def epochs(self) -> int:
        """How often lanes have been taken, in all."""
        (found,) = await rows(self.url, "SELECT sum(epoch)::int AS taken FROM site_lane")
        taken: int = found["taken"]
        return taken

    @asynccontextmanager
    async def talks(self) -> AsyncIterator[None]:
        """For the block, something is said in all sites all the time; after it, everything has its receipt."""
        stop = asyncio.Event()

        async def talk(homes: Homes, words: Iterator[tuple[str, str]]) -> None:
            while not stop.is_set():
                homes.say(*next(words))
                await asyncio.sleep(0.5)

        async with AsyncExitStack() as connections, asyncio.TaskGroup() as talking:
            for site, homes in self.homes.items():
                await connections.enter_async_context(homes.connected())
                talking.create_task(talk(homes, self._words(site)))
            try:
                yield
                stop.set()
                await asyncio.gather(*(homes.all_receipted(LONG) for homes in self.homes.values()))
            finally:
                stop.set()

    def _words(self, site: str) -> Iterator[tuple[str, str]]:
        wearer, dispensers = next(self._wearers[site]), self._of(site, "medicine_dispenser")
        while True:
            yield wearer, "fall"
            yield from ((dispenser, "dose_dispensed") for dispenser in dispensers)

    async def all_is_stored_once(self) -> None:
        """Each word that the broker or the gateway took, once; one alert for each who fell, with each of the falls."""
        promised = [word for homes in self.homes.values() for word in sorted(homes.receipted | homes.acknowledged)]
        assert not await stored_once(self.url, promised)
        fell = Counter(
            word.address for homes in self.homes.values() for word, said in homes.said.items() if said.type == "fall"
        )
        found = await rows(
            self.url,
            """SELECT d.address, count(DISTINCT a.id) AS alerts, count(*) AS falls
               FROM alert a JOIN device d ON d.id = a.device_id
               JOIN alert_entry e ON e.alert_id = a.id AND e.code IN ('raised', 'evidence_joined')
               WHERE a.condition = 'fall' GROUP BY 1""",
        )
        assert {each["address"]: each["falls"] for each in found} == fell
        assert all(each["alerts"] == 1 for each in found)
        print(f"{len(promised)} messages, {fell.total()} of them falls of {len(fell)} people: each once")


@asynccontextmanager
async def town(url: str, broker: Broker, folder: Path, sites: Sequence[str], many: int) -> AsyncIterator[Town]:
    """A municipality with these sites, and so many gateways, of which none runs yet."""
    await seeded(url, 45)
    await rows(url, _NOTES_COMMITS)
    await rows(url, "INSERT INTO site (name, zone_id) SELECT unnest(%s::text[]), zone_id FROM site", [*sites[1:]])
    await rows(
        url,
        """UPDATE device d SET site_id = s.id FROM site s, (
               SELECT id, row_number() OVER (PARTITION BY kind ORDER BY id) AS place FROM device) n
           WHERE n.id = d.id AND s.name = (%s::text[])[n.place %% %s + 1]""",
        [*sites],
        len(sites),
    )
    found = await rows(url, "SELECT d.address, d.kind, s.name FROM device d JOIN site s ON s.id = d.site_id ORDER BY 1")
    homes = {
        site: Homes(broker, {each["address"]: each["kind"] for each in found if each["name"] == site}, site)
        for site in sites
    }
    async with AsyncExitStack() as running:
        gateways = [
            running.enter_context(GatewayProcess(folder, f"gateway-{number}", database_url=url, mqtt_port=broker.port))
            for number in range(many)
        ]
        yield Town(url, broker, homes, gateways)
