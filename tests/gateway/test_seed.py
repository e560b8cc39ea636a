"""The municipality for trials: as big as it says, staffed at every hour, the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts import finding
from alerts.policy import DEFAULT_POLICIES, Target
from devices.kinds import kinds
from gateway import seed as seeding
from gateway.auditor import Auditor
from gateway.clock import ControlledClock
from gateway.rulebook import RulebookCache, install_defaults
from gateway.store import outlook, people, reachable
from gateway.store.db import Connection, Database
from simulators.town import devices_file

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
WEEKS = {
    "winter": datetime(2026, 2, 2, tzinfo=OSLO),
    "the clock goes forward": datetime(2026, 3, 23, tzinfo=OSLO),
    "summer": datetime(2026, 7, 6, tzinfo=OSLO),
    "the clock goes back": datetime(2026, 10, 19, tzinfo=OSLO),
}


@pytest.fixture
async def seeded(migrated_url: str) -> Any:
    database = Database(migrated_url)
    await database.open()
    await database.run(lambda each: seeding.seed(each, NOW, "password of a trial"))
    yield database
    await database.close()


async def count(database: Database) -> dict[str, int]:
    """Rows of each table that seeding fills."""
    tables = ("zone", "site", "person", "assignment", "contact", "roster_shift", "dwelling", "resident", "residency")
    more = ("device", "installation", "dose_schedule")

    async def work(connection: Connection) -> dict[str, int]:
        found = {}
        for table in (*tables, *more):
            row = await (await connection.execute(f"SELECT count(*) AS n FROM {table}".encode())).fetchone()
            found[table] = row["n"] if row else 0
        return found

    return await database.run(work)


async def test_it_is_as_big_as_it_says(seeded: Database) -> None:
    found = await count(seeded)
    assert (found["resident"], found["zone"], found["site"]) == (200, 1 + 1 + 6, 1)
    assert found["residency"] == 200
    assert found["dwelling"] < 200, "couples share"

    async def roles(connection: Connection) -> dict[str, int]:
        cursor = await connection.execute("SELECT role, count(*) AS n FROM assignment GROUP BY role")
        return {row["role"]: row["n"] for row in await cursor.fetchall()}

    assert await seeded.run(roles) == {"responder": 24, "lead": 6, "centre": 2, "technical": 2, "admin": 1}


async def test_seeding_twice_adds_nothing(seeded: Database) -> None:
    before = await count(seeded)
    again = await seeded.run(lambda each: seeding.seed(each, NOW + timedelta(days=1), "another", number=2, residents=9))
    assert await count(seeded) == before
    assert (again.residents, len(again.accounts)) == (200, 35)


def hours(monday: datetime) -> Iterator[datetime]:
    """Each hour of a week, on the hour and just before it."""
    for hour in range(7 * 24 + 1):
        at = monday.astimezone(UTC) + timedelta(hours=hour)
        yield from (at, at - timedelta(seconds=1))


async def test_every_zone_has_somebody_on_duty_at_every_hour(seeded: Database) -> None:
    zones = await zones_of(seeded)
    gaps = []

    async def look(connection: Connection) -> None:
        for (name, zone), week in product(zones.items(), WEEKS):
            roster = await people.roster(connection, zone, WEEKS[week], WEEKS[week])
            for at in hours(WEEKS[week]):
                targets = finding.targets(roster, at, OSLO)
                first, everybody = targets[Target.FIRST_ON_DUTY], targets[Target.ALL_ON_DUTY]
                if len(first) != 1 or len(everybody) < 2 or not targets[Target.RESPONSE_CENTRE]:
                    gaps.append((week, name, at.isoformat()))

    await seeded.run(look)
    assert gaps == []


async def test_every_zone_has_a_lead_of_its_own_who_can_be_reached(seeded: Database) -> None:
    async def look(connection: Connection) -> list[int]:
        found: list[int] = []
        for zone in (await zones_of(seeded)).values():
            wanted = reachable.Wanted(zone, ("in_app", "email"))
            there = await reachable.reachable(connection, wanted, DEFAULT_POLICIES[0], NOW, OSLO)
            persons = {each.person_id for each in there.targets[Target.ZONE_LEAD]}
            assert len(there.targets[Target.ZONE_LEAD]) == 2, "in the app, and by mail"
            found += persons
        return found

    leads = await seeded.run(look)
    assert len(leads) == len(set(leads)) == 6


async def test_the_simulators_read_the_devices_it_writes(seeded: Database, tmp_path: Path) -> None:
    rows = await seeded.run(seeding.simulated)
    seeding.write_devices(rows, tmp_path / "new" / "devices.json")
    fittings = devices_file(tmp_path / "new" / "devices.json")
    assert len(fittings) == (await count(seeded))["device"]
    assert 550 <= len(fittings) <= 650, "about 600, as the README says"
    assert {each.kind for each in fittings} == kinds().keys()
    assert all(bool(each.doses) == (each.kind == "medicine_dispenser") for each in fittings)


async def test_devices_of_a_dwelling_live_with_the_same_people(seeded: Database, tmp_path: Path) -> None:
    rows = await seeded.run(seeding.simulated)
    homes: dict[str, list[str]] = {}
    for row in rows:
        homes.setdefault(row["home"], []).append(row["kind"])
    assert len(homes) == (await count(seeded))["dwelling"]
    assert max(len(set(each)) for each in homes.values()) >= 4, "some homes have nearly everything"
    for each in homes.values():
        assert all(each.count(kind) <= 1 for kind in ("door_sensor", "e_lock", "fire_sensor")), "once a dwelling"


async def test_whoever_has_a_lock_is_let_in_by_it(seeded: Database) -> None:
    async def look(connection: Connection) -> Any:
        cursor = await connection.execute(
            """SELECT count(*) AS homes, count(*) FILTER (WHERE w.access LIKE 'Elektronisk l%%' = EXISTS (
                   SELECT 1 FROM installation i JOIN device d ON d.id = i.device_id
                   WHERE i.dwelling_id = w.id AND d.kind = 'e_lock')) AS told FROM dwelling w"""
        )
        return await cursor.fetchone()

    found = await seeded.run(look)
    assert found["homes"] == found["told"] > 0


async def test_the_same_seed_makes_the_same_people(seeded: Database, database_url: str) -> None:
    from gateway.store.migrate import migrate  # noqa: PLC0415 - only this one needs a second database

    await migrate(database_url)
    other = Database(database_url)
    await other.open()
    try:
        await other.run(lambda each: seeding.seed(each, NOW, "another password", residents=200))
        query = (
            b"""SELECT string_agg(name || phone || coalesce(born::text, ''), ',' ORDER BY id) AS all FROM resident"""
        )

        async def all_of(connection: Connection) -> Any:
            return await (await connection.execute(query)).fetchone()

        assert await seeded.run(all_of) == await other.run(all_of)
    finally:
        await other.close()


async def zones_of(database: Database) -> dict[str, int]:
    async def work(connection: Connection) -> dict[str, int]:
        cursor = await connection.execute("SELECT name, id FROM zone WHERE kind = 'zone' ORDER BY id")
        return {row["name"]: row["id"] for row in await cursor.fetchall()}

    found = await database.run(work)
    assert set(found) == set(seeding.ZONES)
    return found


async def test_the_auditor_finds_nothing_that_care_lacks_in_the_week_to_come(seeded: Database) -> None:
    cache = RulebookCache(OSLO, ("in_app", "email"))
    await seeded.run(lambda each: install_defaults(each, NOW))
    assert await Auditor(seeded, ControlledClock(NOW), cache).run_once()
    found = await seeded.run(outlook.gaps)
    assert [each for each in found if each["track"] == "care"] == []
    assert await seeded.run(lambda each: outlook.unreached(each, NOW)) == []
