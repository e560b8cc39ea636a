"""Periods never overlap, and may touch: who lives where, where a device is fitted, who has which role."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from tests.gateway.place import NOW, place

DAY = timedelta(days=1)
RESIDENCY = "INSERT INTO residency (resident_id, dwelling_id, during) VALUES (%s, %s, tstzrange(%s, %s))"
INSTALLATION = """INSERT INTO installation (uid, device_id, dwelling_id, resident_id, during)
                  VALUES (%s, %s, %s, %s, tstzrange(%s, %s))"""
ASSIGNMENT = "INSERT INTO assignment (person_id, role, zone_id, during) VALUES (%s, %s, %s, tstzrange(%s, %s))"


async def test_a_resident_lives_in_one_place_at_a_time(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        first, second = town.homes
        with pytest.raises(psycopg.errors.ExclusionViolation):
            await town.rows(RESIDENCY, first.resident, second.dwelling, NOW, None)
        with pytest.raises(psycopg.errors.ExclusionViolation):
            await town.rows(RESIDENCY, first.resident, first.dwelling, NOW - 400 * DAY, NOW)
        await town.rows("UPDATE residency SET during = tstzrange(lower(during), %s)", NOW)
        await town.rows(RESIDENCY, first.resident, second.dwelling, NOW, NOW + DAY)  # a couple now
        await town.rows(RESIDENCY, first.resident, first.dwelling, NOW + DAY, None)  # and home again
        with pytest.raises(psycopg.errors.CheckViolation):
            await town.rows(RESIDENCY, first.resident, second.dwelling, NOW, NOW)


async def test_a_device_is_fitted_in_one_place_at_a_time(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        first, second = town.homes

        async def fit(start: timedelta, end: timedelta | None) -> None:
            until = None if end is None else NOW + end
            await town.rows(INSTALLATION, uuid4(), first.device, second.dwelling, second.resident, NOW + start, until)

        with pytest.raises(psycopg.errors.ExclusionViolation):
            await fit(timedelta(0), None)
        await town.rows("UPDATE installation SET during = tstzrange(lower(during), %s)", NOW)
        await fit(timedelta(0), DAY)
        with pytest.raises(psycopg.errors.ExclusionViolation):
            await fit(DAY - timedelta(microseconds=1), None)
        await fit(DAY, None)


async def test_a_role_is_held_once_at_a_time_and_several_roles_side_by_side(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        nina, north, south = town.staff["Nina"], town.zones["Nord"], town.zones["Sør"]
        with pytest.raises(psycopg.errors.ExclusionViolation):
            await town.rows(ASSIGNMENT, nina, "responder", north, NOW, None)
        await town.rows(ASSIGNMENT, nina, "responder", south, NOW, None)
        await town.rows(ASSIGNMENT, nina, "lead", north, NOW, None)
        await town.rows(
            "UPDATE assignment SET during = tstzrange(lower(during), %s) WHERE upper_inf(during)", NOW + DAY
        )
        await town.rows(ASSIGNMENT, nina, "responder", north, NOW + DAY, None)
        with pytest.raises(psycopg.errors.CheckViolation):
            await town.rows(ASSIGNMENT, nina, "boss", south, NOW - 400 * DAY, NOW - 300 * DAY)


async def test_what_must_be_there_once_is(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        for query in (
            "INSERT INTO contact (uid, person_id, channel, address) SELECT gen_random_uuid(), person_id, channel, address FROM contact LIMIT 1",
            "INSERT INTO device (uid, site_id, ecosystem, address, kind) SELECT gen_random_uuid(), site_id, ecosystem, address, kind FROM device",
            "INSERT INTO zone (uid, parent_id, kind, name) SELECT gen_random_uuid(), parent_id, kind, name FROM zone",
            "INSERT INTO person (uid, name, username) VALUES (gen_random_uuid(), 'Other', 'nina')",
            "INSERT INTO rule (uid, kind, name, version) SELECT gen_random_uuid(), kind, name, 1 FROM rule",
        ):
            with pytest.raises(psycopg.errors.UniqueViolation):
                await town.rows(query)


NONSENSE = [
    "INSERT INTO site (name, zone_id) SELECT 'a/b', id FROM zone LIMIT 1",
    "INSERT INTO site (name, zone_id) SELECT '+', id FROM zone LIMIT 1",
    "INSERT INTO site (name, zone_id) SELECT '', id FROM zone LIMIT 1",
    "UPDATE zone SET parent_id = id",
    "UPDATE person SET username = 'Nina' WHERE name = 'Nina'",
    "UPDATE person SET language = 'xx'",
    "UPDATE roster_shift SET weekday = 7",
    "UPDATE roster_shift SET to_date = from_date - 1",
    "UPDATE device SET silent_after_seconds = 59",
    "UPDATE dwelling SET latitude = 91",
    """INSERT INTO dose_schedule (uid, installation_id, local_time, weekdays, from_date, watched_until)
           SELECT gen_random_uuid(), id, '08:00', '{7}', '2026-01-01', '2026-01-01' FROM installation""",
    """INSERT INTO dose_schedule (uid, installation_id, local_time, weekdays, from_date, watched_until)
           SELECT gen_random_uuid(), id, '08:00', '{}', '2026-01-01', '2026-01-01' FROM installation""",
]


async def test_nonsense_is_refused(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        assert [query for query in NONSENSE if not await town.refuses(query, psycopg.errors.CheckViolation)] == []
