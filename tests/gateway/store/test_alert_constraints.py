"""What the database itself refuses of alerts, pages and their history, whatever code may ask for."""

from __future__ import annotations

import psycopg
import pytest

from tests.gateway.place import NOW, place

NEVER = {
    "open, and nothing will ever look at it again": "UPDATE alert SET due_at = NULL",
    "due, and for nothing": "UPDATE alert SET due_for = NULL",
    "closed, and still due": "UPDATE alert SET closed_at = '2026-03-03'",
    "closed, and its stage is not": "UPDATE alert SET closed_at = '2026-03-03', due_at = NULL, due_for = NULL",
    "its stage closed, and it is not": "UPDATE alert SET stage = 'closed'",
    "claimed by nobody": "UPDATE alert SET stage = 'claimed'",
    "closing by nobody": "UPDATE alert SET stage = 'closing'",
    "open, and held": "UPDATE alert SET holder_id = (SELECT min(id) FROM person)",
    "an unknown stage": "UPDATE alert SET stage = 'lost'",
    "due for something unknown": "UPDATE alert SET due_for = 'later'",
    "an unknown severity": "UPDATE alert SET severity = 35",
    "an unknown track": "UPDATE alert SET track = 'other'",
    "queued, and never due": "UPDATE page SET due_at = NULL",
    "leased by nobody": "UPDATE page SET state = 'leased'",
    "queued, and leased": "UPDATE page SET leased_by = 'me'",
    "handed over, and still due": "UPDATE page SET state = 'handed_over'",
    "a page of unknown state": "UPDATE page SET state = 'lost'",
    "waiting, and never due": "UPDATE watch SET due_at = NULL",
    "a watch of unknown state": "UPDATE watch SET state = 'asleep'",
}


async def test_such_rows_cannot_be(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        await town.rows(
            """INSERT INTO watch (key, rule_id, site_id, zone_id, since, due_at, state, facts)
               SELECT 'w', r.id, s.id, s.zone_id, %s, %s, 'waiting', '{}' FROM rule r, site s LIMIT 1""",
            NOW,
            NOW,
        )
        assert [
            what for what, query in NEVER.items() if not await town.refuses(query, psycopg.errors.CheckViolation)
        ] == []


async def test_one_open_alert_a_key_and_any_number_of_closed_ones(migrated_url: str) -> None:
    again = """INSERT INTO alert SELECT (jsonb_populate_record(NULL::alert, to_jsonb(a)
               || jsonb_build_object('id', a.id + %s, 'uid', gen_random_uuid()))).* FROM alert a LIMIT 1"""
    again = again.replace("INSERT INTO alert SELECT", "INSERT INTO alert OVERRIDING SYSTEM VALUE SELECT")
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        with pytest.raises(psycopg.errors.UniqueViolation, match="alert_open_key"):
            await town.rows(again, 100)
        await town.rows("UPDATE alert SET closed_at = %s, due_at = NULL, due_for = NULL, stage = 'closed'", NOW)
        await town.rows(again, 200)
        await town.rows(again, 300)


async def test_a_contact_is_paged_once_an_attempt(migrated_url: str) -> None:
    copy = """INSERT INTO page (uid, alert_id, attempt, contact_id, person_id, severity, state, created_at, due_at)
              SELECT gen_random_uuid(), alert_id, attempt + %s, contact_id, person_id, severity, 'queued', %s, %s FROM page"""
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        with pytest.raises(psycopg.errors.UniqueViolation):
            await town.rows(copy, 0, NOW, NOW)
        await town.rows(copy, 1, NOW, NOW)


@pytest.mark.parametrize("table", ["audit", "alert_entry"])
async def test_history_is_only_added_to(migrated_url: str, table: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        before = await town.rows(f"SELECT * FROM {table}")
        assert before
        for statement in (f"UPDATE {table} SET params = '{{}}'", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                await town.rows(statement)
        assert await town.rows(f"SELECT * FROM {table}") == before


async def test_an_alert_with_a_history_cannot_be_cleared_away_with_its_table(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await town.raise_(town.raising(town.homes[0]))
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            await town.rows("TRUNCATE alert CASCADE")
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            await town.rows("DELETE FROM alert")
