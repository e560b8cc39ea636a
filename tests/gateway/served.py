"""The harness's municipality behind the real web application, as programs see it.

Beside «Sone» there is the zone «Øy» with Liv on duty. Ada administers all, Per's assignment has ended. In Sone Kari and
Ola are on duty, Siri leads; Vakt is at the centre and Tek repairs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import uvicorn
from fastapi import FastAPI

from gateway.api.app import create_app
from gateway.client import Client
from gateway.clock import pause
from gateway.embedded import Broker
from gateway.serve import Server
from gateway.store import municipality
from gateway.store.db import Connection
from tests.support.town import PASSWORD
from tests.support.world import World, world

API = "/api/v1"
PROBLEM = "application/problem+json"


@dataclass
class Served:
    """What the stories use."""

    town: World
    app: FastAPI
    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    async def bearer(self, name: str) -> dict[str, str]:
        """The header of somebody who is signed in."""
        if name not in self.tokens:
            reply = await self.sign_in(name.lower())
            assert reply.status_code == 201, reply.text
            self.tokens[name] = reply.json()["token"]
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    async def client(self, name: str) -> Client:
        """The typed client of somebody who is signed in."""
        await self.bearer(name)
        return Client("http://gateway.test", self.tokens[name], transport=httpx.ASGITransport(self.app))

    async def sign_in(self, username: str, password: str = PASSWORD) -> httpx.Response:
        return await self.http.post(f"{API}/sessions", json={"username": username, "password": password})

    async def get(self, name: str, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(f"{API}{path}", params=query, headers=await self.bearer(name))

    async def answer(self, name: str, alert: UUID | str, answer: str, **more: Any) -> httpx.Response:
        """Somebody's answer, with a key of its own unless `key` gives one."""
        headers = {**await self.bearer(name), "Idempotency-Key": more.pop("key", str(uuid4()))}
        return await self.http.post(f"{API}/alerts/{alert}/answers", json={"answer": answer, **more}, headers=headers)

    async def listed(self, name: str, **query: Any) -> list[dict[str, Any]]:
        """The alerts of one page."""
        reply = await self.get(name, "/alerts", **query)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["alerts"]
        return found

    async def detail(self, name: str, alert: UUID | str) -> dict[str, Any]:
        reply = await self.get(name, f"/alerts/{alert}")
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def fall(self, zone: str = "Sone") -> UUID:
        """Somebody falls in a new home of the zone; the alert."""
        home = await self.town.home(zone=zone)
        await self.town.says(home.fall_alarm, "fall", impact_g=4.5)
        (alert,) = (each for each in await self.town.alerts("fall") if each["device_id"] == home.fall_alarm.id)
        uid: UUID = alert["uid"]
        return uid

    async def uid(self, name: str) -> str:
        (row,) = await self.town.rows("SELECT uid FROM person WHERE id = %s", self.town.staff[name])
        return str(row["uid"])


def problem(reply: httpx.Response, status: int, reason: str | None = None) -> dict[str, Any]:
    """What a refusal says. It is always a problem that programs can read."""
    assert reply.status_code == status, f"{reply.status_code}: {reply.text}"
    assert reply.headers["content-type"].startswith(PROBLEM)
    told: dict[str, Any] = reply.json()
    assert (told["status"], bool(told["title"]), bool(told["detail"])) == (status, True, True)
    assert reason in (None, told["reason"]), told
    return told


@asynccontextmanager
async def served(url: str, broker: Broker, **settings: Any) -> AsyncIterator[Served]:
    """The application without a network between it and the story; an error of ours is not hidden behind a 500."""
    async with world(url, broker, people=_more_people, **settings) as town:
        app = create_app(town.gateway.front, town.gateway, town.gateway.clock)
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
            yield Served(town, app, http)


@asynccontextmanager
async def on_a_socket(it: Served) -> AsyncIterator[str]:
    """The same application on a port of the loopback, for what streams; its address."""
    server = Server(uvicorn.Config(it.app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await pause(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def _more_people(town: World) -> None:
    async def arrange(connection: Connection) -> None:
        town.zones["Øy"] = await municipality.add_zone(connection, town.zones["Kommune"], "zone", "Øy")

    await town.gateway.database.run(arrange)
    await town.person("Liv", "responder", "Øy", 0)
    await town.person("Ada", "admin", "Senter")
    await town.person("Per", "responder", "Sone")
    ended = town.now - timedelta(hours=1)
    await town.rows("DELETE FROM assignment WHERE person_id = %s", town.staff["Per"])
    await town.rows(
        """INSERT INTO assignment (person_id, role, zone_id, during)
           VALUES (%s, 'responder', %s, tstzrange(%s, %s))""",
        town.staff["Per"],
        town.zones["Sone"],
        ended - timedelta(days=100),
        ended,
    )
