"""A small municipality in a database, without broker or loops, for stories about the store and what stands on it.

Zones «Nord» and «Sør» below a municipality and a centre; Nina on duty in the north, Sverre in the south, Berit leads
the north, Vakt sits at the centre. Each home has a resident and a fall alarm; the homes are of the north.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.model import Evidence, Raise, Severity, Subject, Track
from devices.dialects.native import encode
from devices.model import DeviceAddress, Lane, Message, MessageClass, Said
from gateway.batches import decode
from gateway.engine import act
from gateway.ingest import Held, Stored, store_batch
from gateway.rulebook import RulebookCache, install_defaults
from gateway.store import alerts, gateways, municipality, sites
from gateway.store.alerts import StoredAlert
from gateway.store.db import Connection, Database

Result = TypeVar("Result")

NOW = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
"""Tuesday 3 March 2026, 12:00 in Oslo."""
SITE = "kommune"
CHANNELS = ("in_app", "email", "push")
"""Those that the outbox' stories lease pages of."""


@dataclass(frozen=True)
class Home:
    """A dwelling with a resident and a fall alarm, as ids; `address` is the device's."""

    dwelling: int
    resident: int
    device: int
    installation: int
    address: DeviceAddress


@dataclass
class Place:
    """What the stories use. Ids are the database's."""

    database: Database
    cache: RulebookCache
    site: sites.Site
    zones: dict[str, int]
    staff: dict[str, int]
    contacts: dict[str, int]
    homes: list[Home]

    async def run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        return await self.database.run(work)

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Of any statement."""

        async def ask(connection: Connection) -> list[dict[str, Any]]:
            cursor = await connection.execute(query.encode(), arguments or None)
            return await cursor.fetchall() if cursor.description else []

        return await self.run(ask)

    async def refuses(self, query: str, error: type[Exception]) -> bool:
        """Whether the database answers the statement with this error."""
        try:
            await self.rows(query)
        except error:
            return True
        return False

    async def beats(self, holder: str, lease: timedelta = timedelta(minutes=5)) -> bool:
        """A process says that it lives; whether its lease was still running."""
        return await self.run(lambda each: gateways.beat(each, holder, lease, able=True))

    async def held(self, lane: Lane = Lane.ALARM, holder: str = "test") -> Held:
        """A lane of the site, taken."""
        await self.beats(holder)
        epoch = await self.run(lambda each: sites.take_lane(each, self.site.id, lane, holder))
        assert epoch is not None
        return Held(self.site, lane, epoch)

    async def store(self, held: Held, messages: list[Message], now: datetime = NOW) -> Stored:
        return await store_batch(self.database, held, decode(messages, held.lane), now, self.cache)

    def subject(self, home: Home) -> Subject:
        return Subject(self.site.id, self.zones["Nord"], home.device, home.installation, home.dwelling, home.resident)

    def raising(self, home: Home, at: datetime = NOW, **changed: Any) -> Raise:
        """A fall of this home."""
        subject = self.subject(home)
        evidence = Evidence("fall", at, at, {}, (), str(home.address))
        given = {"key": f"fall:{subject.scope}", "condition": "fall", "vkp_code": "4.1", "severity": Severity.CRITICAL}
        return Raise(**{**given, "track": Track.CARE, "subject": subject, "evidence": evidence, **changed})

    async def raise_(self, *raised: Raise, now: datetime = NOW) -> None:
        async def work(connection: Connection) -> None:
            await act(connection, raised, now, await self.cache.read(connection))

        await self.run(work)

    async def alert(self, uid: UUID | None = None) -> StoredAlert:
        """This alert, or the only one."""
        if uid is None:
            (row,) = await self.rows("SELECT uid FROM alert")
            uid = row["uid"]
        found = await self.run(lambda each: alerts.find(each, uid))
        assert found is not None
        return found


def fall(home: Home, id_: str, at: datetime = NOW, received: datetime | None = None) -> Message:
    """What the home's fall alarm sends when somebody falls."""
    topic, payload = encode(home.address, "fall_alarm", id_, Said(at, MessageClass.ALARM, "fall", {}))
    return Message(topic, payload, received or at)


def heartbeat(home: Home, id_: str, at: datetime = NOW, **fields: Any) -> Message:
    """What the home's fall alarm sends every now and then."""
    topic, payload = encode(home.address, "fall_alarm", id_, Said(at, MessageClass.STATUS, "heartbeat", fields))
    return Message(topic, payload, at)


@asynccontextmanager
async def place(url: str, homes: int = 1, size: int = 12) -> AsyncIterator[Place]:
    """The municipality, in a migrated database that is empty. ``size``: of the pool of connections."""
    database = Database(url, size)
    await database.open()
    try:
        yield await database.run(lambda each: _found(each, database, homes))
    finally:
        await database.close()


async def _found(connection: Connection, database: Database, homes: int) -> Place:
    await install_defaults(connection, NOW)
    centre = await municipality.add_zone(connection, None, "centre", "Senter")
    kommune = await municipality.add_zone(connection, centre, "municipality", "Kommune")
    zones = {"Senter": centre, "Kommune": kommune}
    for name in ("Nord", "Sør"):
        zones[name] = await municipality.add_zone(connection, kommune, "zone", name)
    site_id = await municipality.add_site(connection, SITE, kommune)
    staff: dict[str, int] = {}
    contacts: dict[str, int] = {}
    for name, role, zone in (
        ("Nina", "responder", "Nord"),
        ("Sverre", "responder", "Sør"),
        ("Berit", "lead", "Nord"),
        ("Vakt", "centre", "Senter"),
    ):
        person = staff[name] = await municipality.add_person(connection, name, name.lower(), "no hash")
        await municipality.assign(connection, person, role, zones[zone], NOW - timedelta(days=30))
        contacts[name] = await municipality.add_contact(connection, person, "in_app", name.lower(), 0)
        if role == "responder":
            for weekday in range(7):
                await municipality.add_shift(
                    connection, person, zones[zone], role, weekday, time(0), time(0), 0, NOW.date()
                )
    cache = RulebookCache(ZoneInfo("Europe/Oslo"), ("in_app",))
    made = Place(database, cache, sites.Site(site_id, SITE, kommune), zones, staff, contacts, [])
    for number in range(1, homes + 1):
        made.homes.append(await _home(connection, made, number))
    return made


async def _home(connection: Connection, made: Place, number: int) -> Home:
    at, zone = NOW - timedelta(days=30), made.zones["Nord"]
    dwelling = await municipality.add_dwelling(
        connection, zone, f"Granveien {number}", "4000", "Stavanger", "Nøkkelboks"
    )
    resident = await municipality.add_resident(connection, f"Beboer {number}", "+47 51 00 00 00")
    await municipality.move_in(connection, resident, dwelling, at)
    device = await municipality.add_device(connection, SITE, f"fall-{number}", "fall_alarm")
    installation = await municipality.fit(connection, device, dwelling, resident, "stue", at)
    return Home(dwelling, resident, device, installation, DeviceAddress(SITE, "native", f"fall-{number}"))
