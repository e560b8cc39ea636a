"""The stream of changes, over a real connection: what concerns the reader, nothing else, until they sign out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from gateway.embedded import Broker
from gateway.live import Live
from tests.gateway.served import API, Served, on_a_socket, problem, served


class Stream:
    """The events that have come, by name; pings are left out."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def read(self, reply: httpx.Response) -> None:
        async for line in reply.aiter_lines():
            name = line.removeprefix("event: ")
            if name not in (line, "ping"):
                self.events.put_nowait(name)
        self.ended.set()

    async def next(self) -> str:
        async with asyncio.timeout(60):
            return await self.events.get()

    async def silent(self, seconds: float = 0.5) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.events.get()
        except TimeoutError:
            return True
        return False

    async def over(self) -> None:
        async with asyncio.timeout(60):
            await self.ended.wait()


@asynccontextmanager
async def listening(it: Served, url: str, name: str) -> AsyncIterator[Stream]:
    stream, before = Stream(), subscribers(it.town.gateway.live)
    async with (
        httpx.AsyncClient(base_url=url, timeout=None) as http,
        http.stream("GET", f"{API}/changes", headers=await it.bearer(name)) as reply,
    ):
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        reading = asyncio.create_task(stream.read(reply))
        while subscribers(it.town.gateway.live) == before:
            await asyncio.sleep(0.01)
        try:
            yield stream
        finally:
            reading.cancel()


def subscribers(live: Live) -> int:
    return len(live._subscribers)


async def test_a_fall_is_told_to_its_zone_and_to_no_other(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it, on_a_socket(it) as url:
        home = await it.town.home()
        async with (
            listening(it, url, "Kari") as kari,
            listening(it, url, "Liv") as liv,
            listening(it, url, "Vakt") as vakt,
        ):
            await it.town.says(home.fall_alarm, "fall")
            assert await kari.next() == "changed"
            assert await vakt.next() == "changed"
            assert await liv.silent()
            await it.fall("Øy")
            assert await liv.next() == "changed"


async def test_who_was_paged_from_elsewhere_hears_of_it_until_it_is_closed(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it, on_a_socket(it) as url:
        fall = await it.fall("Øy")
        await it.town.rows("UPDATE page SET person_id = %s", it.town.staff["Kari"])
        await it.town.announced()
        async with listening(it, url, "Kari") as kari, listening(it, url, "Ola") as ola:
            await it.answer("Liv", fall, "claim")
            assert await kari.next() == "changed"
            await it.answer("Liv", fall, "close", cause="real", action="visited")
            assert await kari.next() == "changed"
            assert await kari.silent()
            await it.town.passes(seconds=5)
            assert (await it.detail("Liv", fall))["stage"] == "closed"
            assert await kari.next() == "changed", "closed: the phone can be laid down"
            assert await ola.silent(0.1)


async def test_the_stream_ends_with_signing_out(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it, on_a_socket(it) as url:
        async with listening(it, url, "Kari") as kari, listening(it, url, "Ola") as ola:
            reply = await it.http.delete(f"{API}/sessions/current", headers=await it.bearer("Kari"))
            assert reply.status_code == 204
            await kari.over()
            assert not ola.ended.is_set()
        problem(await it.http.get(f"{API}/changes", headers=await it.bearer("Kari")), 401, "session")


async def test_a_reader_who_goes_away_is_forgotten(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it, on_a_socket(it) as url:
        async with listening(it, url, "Kari"):
            assert subscribers(it.town.gateway.live) == 1
        async with asyncio.timeout(60):
            while subscribers(it.town.gateway.live):
                await asyncio.sleep(0.02)


async def test_after_the_listening_connection_was_lost_everybody_looks_again(migrated_url: str, broker: Broker) -> None:
    async with (
        served(migrated_url, broker) as it,
        on_a_socket(it) as url,
        listening(it, url, "Kari") as kari,
        listening(it, url, "Liv") as liv,
    ):
        await it.town.rows(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE query LIKE 'LISTEN%' AND datname = current_database()"""
        )
        assert await kari.next() == "changed"
        assert await liv.next() == "changed"
        await it.fall("Øy")
        assert await liv.next() == "changed"
