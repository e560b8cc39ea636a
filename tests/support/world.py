"""A small municipality with a real gateway in it: real PostgreSQL, Mosquitto and mail server, a controlled clock.

    async with world(url, broker, smtp) as town:
        home = await town.home("Nordmarka", residents=1)
        await town.says(home.fall_alarm, "fall")          published, stored, judged, paged – all settled
        assert await town.news() == ["Kari"]              on these phones since last asked, and on no others
        await town.passes(minutes=2)

It begins on a Tuesday at noon in Oslo. `says` publishes as a device does; `passes` lets controlled time pass.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import aiomqtt
import psycopg
from argon2 import PasswordHasher
from psycopg.rows import dict_row

from devices.dialects.native import encode, topic_of
from devices.model import DeviceAddress, MessageClass, Said
from gateway import controlled
from gateway.access import Who
from gateway.api import schemas
from gateway.app import Gateway
from gateway.clock import pause
from gateway.embedded import Broker
from gateway.errors import Conflict
from gateway.settings import Settings, load
from gateway.store import municipality
from gateway.store.db import Connection
from tests.support.mail import MailServer

NOON = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
"""Tuesday 3 March 2026, 12:00 in Oslo."""
A_YEAR = timedelta(days=365)
PASSWORD = "en lang setning uten mening"
ALARMS = frozenset({"fall", "button_pressed"})


@dataclass(frozen=True)
class Device:
    """A device of the world."""

    id: int
    address: DeviceAddress
    kind: str


@dataclass(frozen=True)
class Home:
    """A dwelling with a resident and what is fitted there."""

    dwelling: int
    resident: int
    fall_alarm: Device
    dispenser: Device


@dataclass
class World:
    """What a story does and sees. Zone «Sone»; staff by first name."""

    gateway: Gateway
    site: str
    broker: Broker
    client: aiomqtt.Client
    zones: dict[str, int]
    staff: dict[str, int]
    _ids: Any = field(default_factory=lambda: count(1))
    _told: set[int] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        return self.gateway.clock.now()

    # Doing ----------------------------------------------------------------------------------------------------------

    async def home(
        self,
        doses: Sequence[time] = (),
        dwelling: int | None = None,
        zone: str = "Sone",
        silent_after: timedelta = A_YEAR,
        weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6),
    ) -> Home:
        """A resident with a fall alarm and a dispenser; in an own dwelling, or a shared one.

        ``silent_after``: the contract of both, a year unless the story is about silence.
        """
        number = next(self._ids)

        async def make(connection: Connection) -> Home:
            at = self.now - timedelta(days=30)
            where = dwelling or await municipality.add_dwelling(
                connection, self.zones[zone], f"Granveien {number}", "4000", "Stavanger", "Nøkkelboks ved døra"
            )
            resident = await municipality.add_resident(connection, f"Beboer {number}", "+47 51 00 00 00")
            await municipality.move_in(connection, resident, where, at)
            fall_alarm = await self._fit(connection, f"fall-{number}", "fall_alarm", where, resident, at)
            dispenser = await self._fit(connection, f"disp-{number}", "medicine_dispenser", where, resident, at)
            for dose in doses:
                await self._dose(connection, dispenser.id, dose, weekdays)
            await connection.execute(
                "UPDATE device SET silent_after_seconds = %s WHERE id = ANY(%s)",
                (int(silent_after.total_seconds()), [fall_alarm.id, dispenser.id]),
            )
            return Home(where, resident, fall_alarm, dispenser)

        made = await self.gateway.database.run(make)
        await controlled.settle(self.gateway)
        return made

    async def says(self, device: Device, type_: str, *, settle: bool = True, **said: Any) -> str:
        """A device says something now, or at `at`, by id; returns the id. Waits until it is stored and acted upon."""
        message_id = str(said.pop("id", uuid4()))
        at = said.pop("at", self.now)
        message_class = said.pop("message_class", MessageClass.ALARM if type_ in ALARMS else MessageClass.EVENT)
        retain = said.pop("retain", False)
        topic, payload = encode(device.address, device.kind, message_id, Said(at, message_class, type_, said))
        await self.publishes(topic, payload, retain=retain, settle=settle)
        return message_id

    async def publishes(self, topic: str, payload: bytes, *, retain: bool = False, settle: bool = True) -> None:
        """Any bytes on any topic."""
        await self.client.publish(topic, payload, qos=1, retain=retain)
        if settle:
            await controlled.settle(self.gateway)

    async def passes(self, **duration: float) -> None:
        """Controlled time passes, and everything that falls due in it is done."""
        await controlled.advance(self.gateway, timedelta(**duration))

    async def answers(self, name: str, alert: UUID, answer: schemas.AnswerName, **more: Any) -> schemas.AnswerReply:
        """Somebody answers, through the same front as the API and the pages."""
        settle = more.pop("settle", True)
        to = more.pop("to", None)
        if to is not None:
            more["to"] = (await self.rows("SELECT uid FROM person WHERE id = %s", self.staff[to]))[0]["uid"]
        request = schemas.AnswerRequest(answer=answer, **more)
        reply = await self.gateway.front.answer(await self.who(name), alert, request, str(uuid4()))
        if settle:
            await controlled.settle(self.gateway)
        return reply

    async def refused(self, name: str, alert: UUID, answer: schemas.AnswerName, **more: Any) -> str:
        """The reason why an answer is not taken."""
        try:
            reply = await self.answers(name, alert, answer, **more)
        except Conflict as conflict:
            return conflict.reason
        raise AssertionError(f"the answer was taken: {reply}")

    async def done(self, name: str, alert: UUID) -> None:
        """Somebody closes an alert, and the time to undo it passes."""
        await self.answers(name, alert, "close", cause="real", action="visited")
        await self.passes(seconds=5)

    async def person(self, name: str, role: str, zone: str = "Sone", position: int | None = None) -> int:
        """Somebody new, reachable in the app; with a ``position`` on duty day and night."""
        made = await self.gateway.database.run(
            lambda connection: _employ(connection, self, name, role, self.zones[zone], position)
        )
        self.staff[name] = made
        return made

    async def contact(self, name: str, channel: str, address: str, position: int = 1) -> int:
        """Another way to reach somebody."""
        return await self.gateway.database.run(
            lambda connection: municipality.add_contact(connection, self.staff[name], channel, address, position)
        )

    async def unreachable(self, *names: str) -> None:
        """Nobody of these has a contact that works."""
        persons = [self.staff[name] for name in names]
        await self.rows("UPDATE contact SET active = false WHERE person_id = ANY(%s)", persons)

    async def reachable(self, *names: str) -> None:
        """They have again."""
        persons = [self.staff[name] for name in names]
        await self.rows("UPDATE contact SET active = true WHERE person_id = ANY(%s)", persons)

    async def off_duty(self, *names: str) -> None:
        """They have no shifts any more."""
        await self.rows("DELETE FROM roster_shift WHERE person_id = ANY(%s)", [self.staff[name] for name in names])

    async def who(self, name: str) -> Who:
        """Somebody, signed in."""
        signed = await self.gateway.front.sign_in(name.lower(), PASSWORD, "story")
        who = await self.gateway.front.who(signed.token)
        assert who is not None
        return who

    # Seeing ---------------------------------------------------------------------------------------------------------

    async def alerts(self, condition: str | None = None, *, track: str = "care") -> list[dict[str, Any]]:
        """Every alert of a track, the oldest first."""
        found = await self.rows("SELECT * FROM alert WHERE track = %s ORDER BY id", track)
        return [each for each in found if condition in (None, each["condition"])]

    async def alert(self, condition: str | None = None, *, track: str = "care") -> dict[str, Any]:
        """The only alert there is."""
        found = await self.alerts(condition, track=track)
        assert len(found) == 1, [each["condition"] for each in found]
        return found[0]

    async def pages(self, alert: UUID | None = None) -> list[tuple[str, str, int]]:
        """Every page handed over: (first name, channel, attempt), in order."""
        found = await self.rows(
            """SELECT p.name, c.channel, g.attempt FROM page g JOIN person p ON p.id = g.person_id
               JOIN contact c ON c.id = g.contact_id JOIN alert a ON a.id = g.alert_id
               WHERE g.state = 'handed_over' AND (%(alert)s::uuid IS NULL OR a.uid = %(alert)s)
               ORDER BY g.attempt, g.id""",
            alert=alert,
        )
        return [(each["name"], each["channel"], each["attempt"]) for each in found]

    async def news(self) -> list[str]:
        """Pages handed over since last asked, in order: "Kari" in the app, "Kari (email)" elsewhere. And no others."""
        found = await self.rows(
            """SELECT g.id, p.name, c.channel FROM page g JOIN person p ON p.id = g.person_id
               JOIN contact c ON c.id = g.contact_id WHERE g.state = 'handed_over' AND g.id <> ALL(%s) ORDER BY g.id""",
            list(self._told),
        )
        self._told |= {each["id"] for each in found}
        return [each["name"] + ("" if each["channel"] == "in_app" else f" ({each['channel']})") for each in found]

    async def states(self, alert: UUID) -> list[tuple[str, str]]:
        """Every page of an alert, by name: what became of it."""
        query = """SELECT p.name, g.state FROM page g JOIN person p ON p.id = g.person_id
                   JOIN alert a ON a.id = g.alert_id WHERE a.uid = %s ORDER BY g.id"""
        return [(each["name"], each["state"]) for each in await self.rows(query, alert)]

    async def entries(self, alert: UUID, code: str) -> list[dict[str, Any]]:
        """The parameters of an alert's timeline entries of a code."""
        query = """SELECT e.params FROM alert_entry e JOIN alert a ON a.id = e.alert_id
                   WHERE a.uid = %s AND e.code = %s ORDER BY e.seq"""
        return [each["params"] for each in await self.rows(query, alert, code)]

    async def observed(self, device: Device) -> list[dict[str, Any]]:
        """What is stored of a device, in order."""
        return await self.rows("SELECT * FROM observation WHERE device_id = %s ORDER BY id", device.id)

    async def quarantined(self) -> list[dict[str, Any]]:
        """What could not be read, in order."""
        return await self.rows("SELECT * FROM quarantine ORDER BY id")

    async def receipts(self) -> list[str]:
        """The ids that receipts came for since last asked."""
        await self.client.publish(f"hv/v1/{self.site}/-/-/receipt", b"{}", qos=1)
        found: list[str] = []
        async with asyncio.timeout(5):
            async for message in self.client.messages:
                if not (told := json.loads(bytes(message.payload))):
                    break
                found.append(told["id"])
        return found

    async def health(self) -> tuple[str, list[str]]:
        """The state and the reasons for it."""
        health = await self.gateway.health()
        return health.state, [each.reason for each in health.findings]

    async def timeline(self, alert: UUID) -> list[str]:
        """The codes of an alert's timeline, in order."""
        query = "SELECT e.code FROM alert_entry e JOIN alert a ON a.id = e.alert_id WHERE a.uid = %s ORDER BY e.seq"
        return [each["code"] for each in await self.rows(query, alert)]

    async def rows(self, query: str, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
        """Straight from the database."""
        async with await psycopg.AsyncConnection.connect(self.gateway.database.url, row_factory=dict_row) as connection:
            cursor = await connection.execute(query.encode(), named or arguments or None)
            return await cursor.fetchall() if cursor.description else []

    # Parts ----------------------------------------------------------------------------------------------------------

    async def _fit(
        self, connection: Connection, address: str, kind: str, dwelling: int, resident: int, at: datetime
    ) -> Device:
        device = await municipality.add_device(connection, self.site, address, kind)
        await municipality.fit(connection, device, dwelling, resident, "stue", at)
        return Device(device, DeviceAddress(self.site, "native", address), kind)

    async def _dose(self, connection: Connection, device: int, at: time, weekdays: tuple[int, ...]) -> None:
        cursor = await connection.execute("SELECT id FROM installation WHERE device_id = %s", (device,))
        row = await cursor.fetchone()
        assert row is not None
        await municipality.add_dose_schedule(connection, row["id"], at, self.now, weekdays)


def settings_for(broker: Broker, smtp: MailServer | None, start: datetime | None, **more: Any) -> Settings:
    """Settings of a trial: canaries and settling quick, mail where there is a server for it."""
    mail = {"smtp_host": smtp.host, "smtp_port": smtp.port} if smtp else {}
    quick = {"canary_seconds": 0.5, "deaf_seconds": 3600, "settle_seconds": 0}
    return load(
        {},
        **{
            "environment": "test",
            "mqtt_host": broker.host,
            "mqtt_port": broker.port,
            "controlled_clock": start,
            **quick,
            **mail,
            **more,
        },
    )


@asynccontextmanager
async def world(
    url: str,
    broker: Broker,
    smtp: MailServer | None = None,
    start: datetime = NOON,
    people: Callable[[World], Any] | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A gateway at work in a municipality with one zone and its staff; `people` may arrange them differently."""
    site = f"t{uuid4().hex[:12]}"
    gateway = Gateway(settings_for(broker, smtp, start, **settings), url, roles=("ingest", "engine"))
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(f"hv/v1/{site}/+/+/receipt", qos=1)
        await gateway.database.open()
        town = World(gateway, site, broker, client, {}, {})
        await gateway.database.run(lambda connection: _found(connection, town))
        if people is not None:
            await people(town)
        async with gateway.running():
            await connected(gateway)
            await controlled.settle(gateway)
            yield town


async def connected(gateway: Gateway) -> None:
    """Both lanes are up."""
    await until(lambda: len(gateway.lanes) == 2 and all(worker.connected for worker in gateway.lanes.values()))


async def until(condition: Callable[[], bool]) -> None:
    """Real servers take real time."""
    async with asyncio.timeout(20):
        while not condition():
            await pause(0.02)


async def _found(connection: Connection, town: World) -> None:
    """Centre → municipality → «Sone»: Kari on duty first, Ola behind her, Siri leads, Vakt at the centre, Tek repairs."""
    centre = await municipality.add_zone(connection, None, "centre", "Senter")
    home = await municipality.add_zone(connection, centre, "municipality", "Kommune")
    zone = await municipality.add_zone(connection, home, "zone", "Sone")
    town.zones |= {"Senter": centre, "Kommune": home, "Sone": zone}
    await municipality.add_site(connection, town.site, home)
    for name, role, where, position in (
        ("Kari", "responder", zone, 0),
        ("Ola", "responder", zone, 1),
        ("Siri", "lead", zone, None),
        ("Vakt", "centre", centre, None),
        ("Tek", "technical", home, None),
    ):
        town.staff[name] = await _employ(connection, town, name, role, where, position)


async def _employ(connection: Connection, town: World, name: str, role: str, zone: int, position: int | None) -> int:
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    person = await municipality.add_person(connection, name, name.lower(), hashed)
    await municipality.assign(connection, person, role, zone, town.now - A_YEAR)
    await municipality.add_contact(connection, person, "in_app", name.lower(), 0)
    if position is not None:
        for weekday in range(7):
            for start, end in ((time(0), time(12)), (time(12), time(0))):
                since = town.now.date()
                await municipality.add_shift(connection, person, zone, role, weekday, start, end, position, since)
    return person


def topic(device: Device, last: str) -> str:
    """A topic of a device."""
    return topic_of(device.address, device.kind, last)
