"""A town in which people keep how they are reached, and test it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx

from gateway.api import schemas
from gateway.api.app import create_app
from gateway.embedded import Broker
from gateway.errors import Problem
from tests.support.mail import MailServer
from tests.support.phones import Phones
from tests.support.world import World, world

KARIS = "kari@example.org"
GATEWAY = "http://gateway.test"


class Town(World):
    """Kari, who is on duty, is in the app, and has a number where the story gives her one."""

    http: httpx.AsyncClient
    sms: Phones

    @property
    def front(self) -> Any:
        return self.gateway.front

    async def adds(self, name: str, channel: str, address: str) -> schemas.ContactView:
        request = schemas.ContactRequest(channel=channel, address=address)
        added: schemas.ContactView = await self.front.add_contact(await self.who(name), request)
        return added

    async def mine(self, name: str, channel: str) -> schemas.ContactView:
        listed = await self.front.contacts(await self.who(name))
        found: schemas.ContactView = next(each for each in listed.contacts if each.channel == channel)
        return found

    async def tests(self, name: str, channel: str) -> UUID:
        """Somebody tests a contact; the alert that it is."""
        await self.front.test_contact(await self.who(name), (await self.mine(name, channel)).id)
        await self.settle()
        (test,) = await self.open_tests()
        return test

    async def open_tests(self) -> list[UUID]:
        found = await self.rows("SELECT uid FROM alert WHERE condition = 'page_test' AND closed_at IS NULL ORDER BY id")
        return [each["uid"] for each in found]

    async def checks_in(self, name: str) -> None:
        await self.front.check_in(await self.who(name))
        await self.settle()

    async def uses_check_in(self, *, tests: bool | None = None) -> None:
        (zone,) = await self.rows("SELECT uid FROM zone WHERE id = %s", self.zones["Sone"])
        setting = schemas.CheckInSetting(minutes=30, tests=tests)
        await self.front.set_check_in(await self.who("Siri"), zone["uid"], setting)
        await self.settle()

    async def audited(self, action: str) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM audit WHERE action = %s ORDER BY id", action)


@asynccontextmanager
async def town_with_sms(url: str, broker: Broker, smtp: MailServer | None = None, **more: Any) -> AsyncIterator[Town]:
    sms = Phones()
    async with world(url, broker, smtp, channels={"sms": sms}, **more) as made:
        app = create_app(made.gateway.front, made.gateway, made.gateway.clock)
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url=GATEWAY) as http:
            town = Town(made.gateway, made.site, made.broker, made.clients, made.zones, made.staff, made._ids)
            town.client, town.obeying, town.http, town.sms = made.client, made.obeying, http, sms
            yield town


async def refused(doing: Awaitable[Any]) -> str:
    try:
        done = await doing
    except Problem as problem:
        return problem.reason
    raise AssertionError(f"it was done: {done}")
