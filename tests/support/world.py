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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import aiomqtt

from alerts.channels import Channel
from devices.dialects.native import encode, topic_of
from devices.model import MessageClass, Said
from gateway import controlled
from gateway.access import Who
from gateway.api import schemas
from gateway.app import Gateway
from gateway.clock import pause
from gateway.embedded import Broker
from gateway.errors import Conflict, Problem
from gateway.settings import Settings, load
from gateway.store import municipality
from gateway.store.audit import CHANNEL
from gateway.store.db import Connection
from tests.support.mail import MailServer
from tests.support.seen import Seen
from tests.support.town import A_YEAR, PASSWORD, Device, Home, HomePlan, add_dwelling, employ, fit, found, move_in

__all__ = ["NOON", "PASSWORD", "World", "connected", "settings_for", "until", "world"]

NOON = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
"""Tuesday 3 March 2026, 12:00 in Oslo."""
ALARMS = frozenset({"fall", "button_pressed"})


@dataclass
class World(Seen):
    """What a story does and sees. Zone «Sone»; staff by first name."""

    site: str
    broker: Broker
    clients: AsyncExitStack
    zones: dict[str, int]
    staff: dict[str, int]
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    client: aiomqtt.Client = field(init=False)
    obeying: aiomqtt.Client = field(init=False)

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
        plan = HomePlan(next(self._ids), tuple(doses), weekdays, silent_after)

        async def make(connection: Connection) -> Home:
            where = dwelling or await add_dwelling(connection, self.zones[zone], plan)
            return await move_in(connection, self.site, where, plan, self.now)

        made = await self.gateway.database.run(make)
        await controlled.settle(self.gateway)
        return made

    async def fits(self, home: Home, kind: str, silent_after: timedelta = A_YEAR) -> Device:
        """One more device in a home, for its resident."""
        address = f"{kind.replace('_', '-')}-{next(self._ids)}"
        made = await self.gateway.database.run(
            lambda connection: fit(connection, self.site, home, kind, address, silent_after, self.now)
        )
        await controlled.settle(self.gateway)
        return made

    async def rule(self, kind: str, spec: dict[str, Any], **scope: int) -> None:
        """A rule of a kind, set for `zone_id`, `resident_id` or `device_id`."""
        (made,) = await self.rows(
            """INSERT INTO rule (uid, kind, name, zone_id, resident_id, device_id, version)
               VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, 1) RETURNING id""",
            kind,
            spec["name"],
            *(scope.get(name) for name in ("zone_id", "resident_id", "device_id")),
        )
        await self.rows(
            "INSERT INTO rule_version (rule_id, version, spec, created_at) VALUES (%s, 1, %s, %s)",
            made["id"],
            json.dumps(spec),
            self.now,
        )

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

    async def connects(self) -> None:
        """The devices' connections to the broker: on one their receipts come, on the other their commands."""
        self.client = await self.clients.enter_async_context(
            aiomqtt.Client(self.broker.host, self.broker.port, timeout=60)
        )
        await self.client.subscribe(f"hv/v1/{self.site}/+/+/receipt", qos=1)
        five = aiomqtt.Client(self.broker.host, self.broker.port, protocol=aiomqtt.ProtocolVersion.V5)
        self.obeying = await self.clients.enter_async_context(five)
        await self.obeying.subscribe(f"hv/v1/{self.site}/+/+/command", qos=1)

    async def broker_stops(self) -> None:
        """The broker goes away, and everybody notices."""
        await self.clients.aclose()
        self.broker.stop()
        await until(lambda: not any(worker.connected for worker in self.gateway.lanes.values()))

    async def broker_starts(self) -> None:
        """It is back with the sessions it had, and everybody connects again."""
        self.broker.start()
        await self.connects()
        await connected(self.gateway)

    async def receipts(self) -> list[str]:
        """The ids that receipts came for since last asked: up to a mark on each connection on which they come."""
        links = [link for worker in self.gateway.lanes.values() if (link := worker._link) is not None]
        for link in links:
            link.send([(f"hv/v1/{self.site}/-/-/receipt", b"{}")])
        found: list[dict[str, str]] = []
        async with asyncio.timeout(30):
            while found.count({}) < len(links):
                found.append(json.loads(bytes((await anext(self.client.messages)).payload)))
        return [told["id"] for told in found if told]

    async def settle(self) -> None:
        """What was published is stored, and everything that is due is done."""
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

    async def asks(self, name: str, alert: UUID, device: Device, command: str, **more: Any) -> schemas.CommandView:
        """Somebody asks a device in the home of an alert for something; it is sent."""
        settle, key = more.pop("settle", True), more.pop("key", str(uuid4()))
        (found,) = await self.rows("SELECT uid FROM device WHERE id = %s", device.id)
        asked = {"device": found["uid"], "command": command, "reason": "get_in", **more}
        request = schemas.CommandRequest.model_validate(asked)
        reply = await self.gateway.front.command(await self.who(name), alert, request, key)
        if settle:
            await controlled.settle(self.gateway)
        return reply

    async def may_not_ask(self, name: str, alert: UUID, device: Device, command: str, **more: Any) -> str:
        """The reason why a command is not taken."""
        try:
            reply = await self.asks(name, alert, device, command, **more)
        except Problem as refused:
            return refused.reason
        raise AssertionError(f"the command was taken: {reply}")

    async def announced(self) -> None:
        """Whoever listens has been told of what changed until now: an empty word, "look at everything", comes behind it."""
        with self.gateway.live.subscribe() as changes:
            await self.rows(f"NOTIFY {CHANNEL}")
            async with asyncio.timeout(60):
                while await anext(changes.changes()) is not None:
                    pass

    async def commanded(self, device: Device) -> list[dict[str, Any]]:
        """What a device was sent since last asked, with the seconds after which the broker would have dropped it."""
        await self.client.publish(f"hv/v1/{self.site}/-/-/command", b"{}", qos=1)
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(60):
            async for message in self.obeying.messages:
                if not (told := json.loads(bytes(message.payload))):
                    break
                if message.topic.value == topic_of(device.address, device.kind, "command"):
                    found.append({**told, "expires_in": getattr(message.properties, "MessageExpiryInterval", None)})
        return found

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
            lambda connection: employ(connection, name, role, self.zones[zone], position, self.now)
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
    channels: Mapping[str, Channel] | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A gateway at work in a municipality with one zone and its staff; `people` may arrange them differently."""
    site = f"t{uuid4().hex[:12]}"
    gateway = Gateway(settings_for(broker, smtp, start, **settings), url, roles=("ingest", "engine"), channels=channels)
    async with AsyncExitStack() as clients:
        await gateway.database.open()
        town = World(gateway, site, broker, clients, {}, {})
        town.zones, town.staff = await gateway.database.run(lambda connection: found(connection, site, town.now))
        await town.connects()
        if people is not None:
            await people(town)
        async with gateway.running():
            await connected(gateway)
            await until(lambda: gateway.ready and not gateway.failing)
            await controlled.settle(gateway)
            yield town


async def connected(gateway: Gateway) -> None:
    """Both lanes are up."""
    await until(lambda: len(gateway.lanes) == 2 and all(worker.connected for worker in gateway.lanes.values()))


async def until(condition: Callable[[], bool]) -> None:
    """Real servers take real time."""
    async with asyncio.timeout(60):
        while not condition():
            await pause(0.02)
