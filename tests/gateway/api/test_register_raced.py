"""Two people keep the register at once: one after the other, and who comes second is told what is in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

import psycopg
import pytest
from psycopg.rows import TupleRow

from gateway.api import schemas
from gateway.client import ProblemError
from gateway.clock import pause
from gateway.embedded import Broker
from gateway.store.db import new_uid
from tests.gateway.api.test_register import A_YEAR, home_in, refusal, zone
from tests.gateway.served import served

Result = TypeVar("Result")
Other = psycopg.AsyncConnection[TupleRow]


async def behind(other: Other, call: Awaitable[Result]) -> asyncio.Task[Result]:
    """The call, as soon as it waits for what the other connection has locked."""

    async def calls() -> Result:
        return await call

    task = asyncio.create_task(calls())
    pid = other.info.backend_pid
    async with await psycopg.AsyncConnection.connect(
        other.info.dsn, password=other.info.password, autocommit=True
    ) as look:
        for _ in range(5000):
            found = await look.execute("SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))", (pid,))
            if await found.fetchone():
                return task
            await pause(0.01)
    raise AssertionError("it did not wait")


async def test_a_device_is_registered_by_two_at_once(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it, await psycopg.AsyncConnection.connect(migrated_url) as other:
        tek = await it.client("Tek")
        uid = new_uid()
        await other.execute(
            """INSERT INTO device (uid, site_id, ecosystem, address, kind)
               SELECT %s, id, 'native', 'f-1', 'fall_alarm' FROM site WHERE name = %s""",
            (uid, it.town.site),
        )
        wanted = schemas.DeviceRequest(site=it.town.site, address="f-1", kind="fall_alarm")
        second = await behind(other, tek.register_device(wanted))
        await other.commit()
        with pytest.raises(ProblemError, match=f"registered already, as {uid}"):
            await second


async def test_two_move_in_at_once_and_nothing_is_anybodys(migrated_url: str, broker: Broker) -> None:
    """What is nobody's in particular waits for whoever lives alone; where two came at once it is for neither."""
    async with served(migrated_url, broker) as it, await psycopg.AsyncConnection.connect(migrated_url) as other:
        tek = await it.client("Tek")
        dwelling = await tek.add_dwelling(schemas.DwellingRequest(zone=await zone(it, "Sone"), address="Nyveien 1"))
        device = await tek.register_device(
            schemas.DeviceRequest(site=it.town.site, address="s-1", kind="fire_sensor", silent_after_seconds=A_YEAR)
        )
        await tek.fit_device(device.id, schemas.FitRequest(dwelling=dwelling.id))
        await it.town.passes(minutes=1)
        (inner,) = await it.town.rows("SELECT id FROM dwelling WHERE uid = %s", dwelling.id)

        await other.execute("SELECT 1 FROM watch WHERE dwelling_id = %s FOR UPDATE", (inner["id"],))
        one = await behind(other, tek.add_resident(schemas.ResidentRequest(name="Aud", dwelling=dwelling.id)))
        two = asyncio.create_task(tek.add_resident(schemas.ResidentRequest(name="Bo", dwelling=dwelling.id)))
        await pause(0.5)
        await other.commit()
        await asyncio.gather(one, two)
        about = await it.town.rows("SELECT resident_id FROM watch WHERE dwelling_id = %s", inner["id"])
        assert about
        assert {each["resident_id"] for each in about} == {None}


async def test_who_has_been_moved_elsewhere_is_not_moved_back(migrated_url: str, broker: Broker) -> None:
    """The second mover asked while the first one's move was on its way into a zone that is not theirs."""
    async with served(migrated_url, broker) as it, await psycopg.AsyncConnection.connect(migrated_url) as other:
        ada, siri = await it.client("Ada"), await it.client("Siri")
        _, resident = await home_in(it, ada, "Aud")
        new = await ada.add_dwelling(schemas.DwellingRequest(zone=await zone(it, "Sone"), address="Nyveien 1"))
        island = await ada.add_dwelling(schemas.DwellingRequest(zone=await zone(it, "Øy"), address="Øyveien 1"))
        await it.town.passes(minutes=10)
        at = it.town.now - timedelta(minutes=5)
        await other.execute("SELECT 1 FROM resident WHERE uid = %s FOR NO KEY UPDATE", (resident,))
        await other.execute(
            """UPDATE residency SET during = tstzrange(lower(during), %s)
               WHERE resident_id = (SELECT id FROM resident WHERE uid = %s)""",
            (at, resident),
        )
        await other.execute(
            """INSERT INTO residency (resident_id, dwelling_id, during)
               SELECT r.id, w.id, tstzrange(%s, NULL) FROM resident r, dwelling w WHERE r.uid = %s AND w.uid = %s""",
            (at, resident, island.id),
        )
        second = await behind(other, siri.move_in(resident, schemas.MoveIn(dwelling=new.id)))
        await other.commit()
        assert await refusal(second) == "404 resident"
        assert (home := (await ada.resident(resident)).home) is not None
        assert home.name == "Øyveien 1"
