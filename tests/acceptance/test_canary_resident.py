"""The canary resident: a real alarm every few seconds, through a real broker and database, answered the whole way; and what is
said when it stops somewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from fastapi.routing import iter_route_contexts

from alerts.channels import Outgoing
from alerts.delivery import Failed, SendResult
from gateway.access import SESSION_COOKIE
from gateway.app import Gateway
from gateway.clock import ControlledClock, pause
from gateway.embedded import Broker
from gateway.forgetting import Forgetting
from gateway.retention import DEFAULT
from gateway.store import canaries
from gateway.store.broker import accounts as accounts_of
from gateway.store.db import Connection
from tests.gateway.served import API, Served, served
from tests.support.databases import refused
from tests.support.rules import own, previews
from tests.support.town import found
from tests.support.world import connected, settings_for

QUICK = {"canary_resident_seconds": 1, "canary_resident_within": 5, "deaf_seconds": 3600}


class Town:
    """A gateway in real time, and what its database says."""

    def __init__(self, gateway: Gateway, site: str) -> None:
        self.gateway = gateway
        self.site = site

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async def ask(connection: Connection) -> list[dict[str, Any]]:
            cursor = await connection.execute(query.encode(), arguments)
            return await cursor.fetchall() if cursor.description else []

        return await self.gateway.database.run(ask)

    async def passed(self, more_than: int = 0) -> list[dict[str, Any]]:
        """Wait until so many alarms have passed, and one more."""
        found: list[dict[str, Any]] = []

        async def enough() -> bool:
            found[:] = await self.rows(
                "SELECT * FROM canary_passage WHERE answered_at IS NOT NULL ORDER BY published_at"
            )
            return len(found) > more_than

        await until(enough)
        return found

    async def none_is_lost(self) -> None:
        """Wait until none is any more, where the machine stood still."""

        async def closed() -> bool:
            return all(each["closed_at"] for each in await self.lost())

        await until(closed)

    async def lost(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM alert WHERE condition = 'canary_lost' ORDER BY id")


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await pause(0.1)


@asynccontextmanager
async def town(url: str, broker: Broker, **settings: Any) -> AsyncIterator[Town]:
    """One site, with everything that a gateway does but the web."""
    site = f"k{uuid4().hex[:12]}"
    gateway = Gateway(settings_for(broker, None, None, **QUICK | settings), url, roles=("ingest", "engine"))
    await gateway.database.open()
    await gateway.database.run(lambda connection: found(connection, site, datetime.now(UTC)))
    async with gateway.running():
        await connected(gateway)
        yield Town(gateway, site)


async def test_its_alarm_goes_the_whole_way_and_every_leg_is_timed(migrated_url: str, broker: Broker) -> None:
    async with town(migrated_url, broker, canary_resident_seconds=5, canary_resident_within=30) as here:
        for each in await here.passed(1):
            order = [
                each[f"{leg}_at"] for leg in ("published", "stored", "queued", "leased", "handed_over", "answered")
            ]
            assert None not in order
            assert order == sorted(order)

        alert = (await here.rows("SELECT * FROM alert WHERE condition = 'fall' ORDER BY id"))[0]
        pages = await here.rows(
            "SELECT state, received_at, shown_at, answered_at FROM page WHERE alert_id = %s ORDER BY id",
            alert["id"],
        )
        assert {each["state"] for each in pages} == {"answered"}
        assert pages[0]["received_at"] <= pages[0]["shown_at"] <= pages[0]["answered_at"]
        timeline = [
            each["code"]
            for each in await here.rows("SELECT code FROM alert_entry WHERE alert_id = %s ORDER BY seq", alert["id"])
        ]
        assert timeline[:1] == ["raised"]
        assert {"claimed", "closing"} <= set(timeline)

        health = await here.gateway.health()
        (canary,) = health.canaries
        assert (canary.site, canary.missing) == (here.site, None)
        assert {"stored", "receipted", "raised", "queued", "leased", "handed_over", "answered", "whole"} == {
            each.leg for each in canary.legs
        }
        assert await here.lost() == []


async def test_nobody_sees_anything_of_it_and_a_day_later_nothing_is_left(migrated_url: str, broker: Broker) -> None:
    """Ada administers everything; she is shown everybody's alerts, devices, homes, staff, policies and figures."""
    async with served(
        migrated_url, broker, start=None, **QUICK | {"canary_resident_seconds": 7, "canary_resident_within": 30}
    ) as it:
        fall = await it.fall()

        async def closed() -> bool:
            return bool(await it.town.rows("SELECT 1 FROM alert WHERE condition = 'fall' AND closed_at IS NOT NULL"))

        await until(closed)
        health = (await it.http.get("/health")).json()
        assert (health["open_alerts"], len(health["canaries"])) == (1, 1)
        asked = await _everything(it)
        assert len(asked) > 25
        assert {path for path, text in asked.items() if "Canary" in text or canaries.ADDRESS in text} == set()
        zone = (await it.town.rows("SELECT zone_id FROM site"))[0]["zone_id"]
        preview = await previews(it.town, "Ada", "fall_alarm", own("fall_alarm", "fall"), zone=zone)
        assert (preview.observations, preview.after) == (1, 1), "the one real fall"
        assert await it.town.rows("SELECT 1 FROM alert_fact") == []
        assert {each["kind"] for each in await it.town.rows("SELECT kind FROM zone")} > {"canary"}
        accounts = await it.town.gateway.database.run(accounts_of)
        assert [each for each in accounts if "canary" in each.address] == []

        before = await it.town.rows("SELECT count(*) AS n FROM audit WHERE object = 'alert'")
        tomorrow = ControlledClock(datetime.now(UTC) + timedelta(days=1, seconds=1))
        gone = await Forgetting(it.town.gateway.database, DEFAULT, controlled=True).run_once(tomorrow.now())
        assert [each.rows >= 3 for each in gone if each.name == "canary"] == [True]
        after = await it.town.rows("SELECT count(*) AS n FROM audit WHERE object = 'alert'")
        assert after[0]["n"] < before[0]["n"]
        assert [each["uid"] for each in await it.town.rows("SELECT uid FROM alert WHERE uid = %s", fall)] == [fall]
        left = await it.town.rows(
            """SELECT 1 FROM alert a JOIN zone z ON z.id = a.zone_id AND z.kind = 'canary' WHERE a.closed_at IS NOT NULL
               AND a.closed_at < %s""",
            tomorrow.now() - timedelta(days=1, seconds=3),
        )
        assert left == []


async def _everything(it: Served) -> dict[str, str]:
    """What Ada is shown by every address of the API that needs no parameter, and some that do."""
    paths = {each.path or "" for each in iter_route_contexts(it.app.routes) if "GET" in (each.methods or ())}
    api = [each.removeprefix(API) for each in paths if each.startswith(API) and "{" not in each]
    more = ("/alerts?state=closed", "/statistics/fleet", "/devices?limit=200", "/policies", "/people")
    found: dict[str, str] = {}
    for path in sorted({*api, *more} - {"/changes", "/sites"}):
        reply = await it.http.get(f"{API}{path}", headers=await it.bearer("Ada"))
        if reply.status_code == 200:
            found[path] = reply.text
    zone = (await it.town.rows("SELECT uid FROM zone WHERE name = 'Sone'"))[0]["uid"]
    hours = {"since": (datetime.now(UTC) - timedelta(days=2)).isoformat(), "until": datetime.now(UTC).isoformat()}
    for path in ("/statistics/activity", "/statistics/alerts", f"/rosters/{zone}"):
        reply = await it.get("Ada", path, zone=str(zone), **hours)
        found[path] = reply.text
    session = {"Cookie": f"{SESSION_COOKIE}={it.tokens['Ada']}"}
    for page in ("/alerts", "/alerts?state=closed", "/desk", "/desk?state=closed", "/devices", "/policies", "/reach", "/rosters",
                 "/silences", "/rules?kind=fall_alarm", "/rehearsal", "/quarantine"):  # fmt: skip
        reply = await it.http.get(page, headers=session)
        assert reply.status_code == 200, page
        found[f"page {page}"] = reply.text
    return found


async def test_a_contact_of_its_kind_answers_for_nobody_else(migrated_url: str, broker: Broker) -> None:
    """Somebody has written the canary's channel into a person's contacts: that person's alert is left to people."""
    async with served(migrated_url, broker, start=None, **QUICK | {"canary_resident_seconds": 5}) as it:
        await it.town.contact("Kari", "canary", "canary")
        await it.town.contact("Ola", "canary", "another address")
        fall = await it.fall()

        async def handed_over() -> bool:
            return bool(
                await it.town.rows(
                    """SELECT 1 FROM page p JOIN contact c ON c.id = p.contact_id AND c.channel = 'canary'
                       JOIN alert a ON a.id = p.alert_id WHERE a.uid = %s AND p.state = 'handed_over'""",
                    fall,
                )
            )

        await until(handed_over)
        await pause(1)
        detail = await it.detail("Kari", fall)
        assert (detail["stage"], detail["holder"]) == ("open", None)


async def test_the_heartbeat_stops_when_the_dispatcher_is_dead_or_the_broker_is_gone(
    migrated_url: str, own_broker: Broker
) -> None:
    with heard() as beats:
        settings = {"heartbeat_url": beats.url, "heartbeat_seconds": 1}
        async with town(migrated_url, own_broker, **settings) as here:
            await beats.goes_on()

            own_broker.stop()
            await beats.stops()
            own_broker.start()
            await beats.goes_on()

            (dispatcher,) = (each for each in here.gateway._tasks if each.get_name() == "dispatcher")
            dispatcher.cancel()
            await beats.stops()

            async def missing() -> bool:
                return [each.missing for each in (await here.gateway.health()).canaries] in (
                    ["leased"],
                    ["handed_over"],  # it died with one in its hand
                )

            await until(missing)


async def test_the_heartbeat_stops_when_the_database_is_gone(migrated_url: str, broker: Broker) -> None:
    with heard() as beats:
        async with town(migrated_url, broker, heartbeat_url=beats.url, heartbeat_seconds=1) as here:
            await beats.goes_on()
            with refused(migrated_url):
                await beats.stops()
                assert [each.reason for each in (await here.gateway.health()).findings][:1] == ["database"]
            await beats.goes_on()


async def test_a_heartbeat_that_cannot_be_sent_harms_nothing_and_tells_no_secret(
    migrated_url: str, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    with heard(status=302) as beats:
        async with town(migrated_url, broker, heartbeat_url=beats.url, heartbeat_seconds=1) as here:
            await beats.goes_on()
            await here.passed(2)
            assert "heartbeat" not in here.gateway.failing
    told = capsys.readouterr()
    assert "heartbeat.failed" in told.out + told.err
    assert "very-secret" not in told.out + told.err


class Beats:
    """A server that counts heartbeats."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.count = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/ping/very-secret"

    async def goes_on(self) -> None:
        before = self.count

        async def more() -> bool:
            return self.count >= before + 2

        await until(more)

    async def stops(self) -> None:
        """Within a minute there is none for three seconds."""
        async with asyncio.timeout(60):
            while True:
                before = self.count
                await pause(3)
                if self.count == before:
                    return


@contextmanager
def heard(status: int = 200) -> Iterator[Beats]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            beats.count += 1
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/ping/very-secret/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quietly."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        beats = Beats(server)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield beats
        finally:
            server.shutdown()
            thread.join()


async def test_a_site_that_is_deaf_is_one_incident_and_not_two(migrated_url: str, own_broker: Broker) -> None:
    async with town(migrated_url, own_broker, deaf_seconds=1, settle_seconds=0) as here:
        await here.passed()
        await here.none_is_lost()
        before = len(await here.lost())
        own_broker.stop()

        async def deaf() -> bool:
            return bool(await here.rows("SELECT 1 FROM alert WHERE condition = 'site_deaf' AND closed_at IS NULL"))

        await until(deaf)
        await pause(8)
        (canary,) = (await here.gateway.health()).canaries
        assert canary.missing is not None
        assert len(await here.lost()) == before
        own_broker.start()
        await here.passed(len(await here.passed()) + 1)


async def test_a_page_that_does_not_get_out_is_the_leg_that_is_missing_until_it_does(
    migrated_url: str, broker: Broker
) -> None:
    async with town(migrated_url, broker) as here:
        await here.passed()
        await here.none_is_lost()
        before = len(await here.lost())
        phone = here.gateway.dispatcher._channels["canary"]
        send = phone.send

        async def dead(outgoing: Outgoing) -> SendResult:
            return Failed("the phone is at the bottom of the fjord")

        phone.send = dead  # type: ignore[method-assign]

        async def red() -> bool:
            return len(await here.lost()) > before

        await until(red)
        health = await here.gateway.health()
        assert [each.missing for each in health.canaries] == ["handed_over"]
        assert "canary" in {each.reason for each in health.findings}
        (told,) = (await here.lost())[before:]
        assert (told["track"], told["severity"]) == ("technical", 30)

        phone.send = send  # type: ignore[method-assign]

        await here.none_is_lost()
        assert len(await here.lost()) == before + 1
