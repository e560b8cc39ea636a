"""The migrations make the schema that is written down, on every server."""

from __future__ import annotations

import os

import psycopg

from gateway.store import snapshot


async def test_the_migrations_make_the_schema_that_is_checked_in(migrated_url: str) -> None:
    made = await snapshot.snapshot_of(migrated_url)
    assert made.splitlines() == snapshot.FILE.read_text("utf-8").splitlines(), "run: make schema"


async def test_a_change_of_the_schema_shows(migrated_url: str) -> None:
    before = await snapshot.snapshot_of(migrated_url)
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        for change in (
            "ALTER TABLE alert ADD note text DEFAULT 'x'",
            "ALTER TABLE page ALTER reason SET NOT NULL",
            "ALTER TABLE contact ADD CHECK (channel <> '')",
            "CREATE UNIQUE INDEX one_phone ON resident (phone)",
            "ALTER TABLE audit DISABLE TRIGGER audit_append_only",
            "DROP TRIGGER audit_append_only ON audit",
            "CREATE VIEW open AS SELECT a.id, a.uid FROM alert a WHERE a.closed_at IS NULL",
            "CREATE OR REPLACE VIEW open AS SELECT a.id, a.uid FROM alert a WHERE a.closed_at IS NULL AND a.severity > 0",
            "CREATE MATERIALIZED VIEW closed AS SELECT count(*) AS many FROM alert",
            "CREATE SEQUENCE numbers",
            "ALTER SEQUENCE numbers INCREMENT 10 CACHE 20",
            "ALTER TABLE page SET (fillfactor = 70)",
            "ALTER TABLE page SET (toast.autovacuum_enabled = false)",
            "ALTER TABLE answer SET UNLOGGED",
            "ALTER TABLE alert ALTER policy SET STORAGE EXTERNAL",
            "ALTER TABLE alert ALTER condition SET STATISTICS 500",
            "ALTER TABLE resident ADD initials text GENERATED ALWAYS AS (left(name, 1)) STORED",
            "ALTER INDEX alert_due SET (fillfactor = 50)",
            "ALTER TABLE residency ADD CONSTRAINT one UNIQUE (resident_id, dwelling_id) DEFERRABLE",
            "CREATE TYPE lane AS ENUM ('alarm', 'bulk')",
            "CREATE DOMAIN percent AS smallint CHECK (VALUE BETWEEN 0 AND 100)",
            "ALTER FUNCTION refuse_change() SECURITY DEFINER",
            "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * x",
        ):
            connection.execute(change.encode())
            after = await snapshot.snapshot_of(migrated_url)
            assert after != before, change
            before = after


async def test_the_file_says_what_readers_lean_on() -> None:
    lines = snapshot.FILE.read_text("utf-8").splitlines()
    for promise in (
        "    constraint alert_check: CHECK (((closed_at IS NULL) = (due_at IS NOT NULL)))",
        "    index alert_open_key: UNIQUE USING btree (key) WHERE (closed_at IS NULL)",
        "    constraint page_alert_id_attempt_contact_id_key: UNIQUE (alert_id, attempt, contact_id)",
        "table device_state with fillfactor=60",
        "function refuse_change() returns trigger language plpgsql",
    ):
        assert promise in lines
    assert not [line for line in lines if "INVALID" in line or "_not_null" in line or os.sep + "tmp" in line]
