"""Migrations are applied once, in order, by one runner at a time, and survive being cut short."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.store.extension import created
from gateway.store.migrate import LOCK, DatabaseTooNew, MigrationChanged, migrate, pending
from gateway.store.migration import Migration, Way, migrations, split
from gateway.store.stepping import MigrationStopped, Told, What

TABLE = Migration("0001_table.sql", "CREATE TABLE thing (id bigint PRIMARY KEY, name text);")
ROW = Migration("0002_row.sql", "INSERT INTO thing VALUES (1, 'one');")
INDEX = Migration(
    "0003_index.sql",
    "-- no transaction\n-- Said; in a comment.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS thing_name ON thing (name);\n"
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS thing_both ON thing (name, id);",
)
THREE = (TABLE, ROW, INDEX)


@contextlib.contextmanager
def asking(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def valid(url: str) -> dict[str, bool]:
    """The indexes of `thing`, and whether each can be used."""
    with asking(url) as connection:
        rows = connection.execute(
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'thing'::regclass"
        ).fetchall()
    return dict(rows)


async def test_each_is_applied_once_and_in_order(database_url: str) -> None:
    assert await pending(database_url, THREE) == ["0001_table.sql", "0002_row.sql", "0003_index.sql"]
    assert await migrate(database_url, THREE) == ["0001_table.sql", "0002_row.sql", "0003_index.sql"]
    assert await migrate(database_url, THREE) == []
    assert await pending(database_url, THREE) == []
    assert valid(database_url) == {"thing_pkey": True, "thing_name": True, "thing_both": True}


async def test_two_runners_at_once_share_the_work(database_url: str) -> None:
    several = await asyncio.gather(*(migrate(database_url) for _ in range(3)))
    applied = [name for each in several for name in each]
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        there = await created(connection)
    assert sorted(applied) == [each.name for each in migrations() if each.requires is None or each.requires in there]
    assert await pending(database_url) == []


async def test_a_runner_waits_for_the_one_before_it(database_url: str) -> None:
    with asking(database_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        waiting = asyncio.create_task(migrate(database_url, THREE))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
        assert len(await waiting) == 3


async def test_a_file_that_was_applied_never_changes(database_url: str) -> None:
    await migrate(database_url, (TABLE, ROW))
    changed = (TABLE, Migration(ROW.name, ROW.statements + " -- and a word more"), INDEX)
    with pytest.raises(MigrationChanged, match=r"0002_row\.sql"):
        await migrate(database_url, changed)
    with pytest.raises(MigrationChanged):
        await pending(database_url, changed)
    assert "thing_name" not in valid(database_url)


async def test_a_file_that_fails_leaves_nothing_of_itself(database_url: str) -> None:
    broken = Migration("0002_broken.sql", "INSERT INTO thing VALUES (1, 'one'); INSERT INTO thing VALUES (1, 'again');")
    with pytest.raises(MigrationStopped, match=r"0002_broken\.sql: duplicate key value"):
        await migrate(database_url, (TABLE, broken))
    assert await pending(database_url, (TABLE, broken)) == ["0002_broken.sql"]
    with asking(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM thing").fetchone() == (0,)
    assert await migrate(database_url, (TABLE, ROW)) == ["0002_row.sql"]


async def test_a_concurrent_index_that_was_cut_short_is_built_again(database_url: str) -> None:
    await migrate(database_url, (TABLE, ROW))
    with asking(database_url) as connection:
        connection.execute("INSERT INTO thing VALUES (2, 'one')")
        with pytest.raises(MigrationStopped, match=r"0003_index\.sql: could not create unique index"):
            await migrate(database_url, THREE)
        assert valid(database_url)["thing_name"] is False, "PostgreSQL leaves the failed index behind"
        connection.execute("UPDATE thing SET name = 'two' WHERE id = 2")
    assert await migrate(database_url, THREE) == ["0003_index.sql"]
    assert valid(database_url) == {"thing_pkey": True, "thing_name": True, "thing_both": True}


async def test_a_runner_killed_half_way_outside_a_transaction_can_run_again(database_url: str) -> None:
    """The build waits for an open transaction; the runner is killed there, and leaves an invalid index."""
    await migrate(database_url, (TABLE, ROW))
    with psycopg.connect(database_url) as holder:
        holder.execute("INSERT INTO thing VALUES (5, 'five')")  # its lock is what the build waits for
        runner = asyncio.create_task(migrate(database_url, THREE))
        with asking(database_url) as connection:
            building = (
                "SELECT pid FROM pg_stat_activity WHERE query LIKE '%INDEX CONCURRENTLY%' AND pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
            while (found := connection.execute(building).fetchone()) is None:
                assert not runner.done()
                await asyncio.sleep(0.01)
            connection.execute("SELECT pg_terminate_backend(%s)", (found[0],))
        with pytest.raises(psycopg.OperationalError):
            await runner
        holder.rollback()
    assert await pending(database_url, THREE) == ["0003_index.sql"]
    assert await migrate(database_url, THREE) == ["0003_index.sql"]
    assert all(valid(database_url).values())


async def test_what_needs_an_extension_waits_for_it(database_url: str) -> None:
    waits = Migration("0002_waits.sql", "-- requires: no_such_extension\nCREATE TABLE of_extension ();")
    every = (TABLE, waits, Migration("0003_after.sql", "ALTER TABLE thing ADD more text;"))
    assert await migrate(database_url, every) == ["0001_table.sql", "0003_after.sql"]
    assert await pending(database_url, every) == []
    assert await migrate(database_url, every) == []
    now_there = Migration("0002_waits.sql", waits.statements.replace("no_such_extension", "plpgsql"))
    assert await migrate(database_url, (TABLE, now_there, every[2])) == ["0002_waits.sql"]


def test_what_the_head_of_a_file_says() -> None:
    plain = Migration("1.sql", "CREATE TABLE a (); -- batches\n")
    assert (plain.way, plain.requires, plain.contracts) == (Way.WHOLE, None, None)
    assert plain.parts == [plain.statements], "one statement of many: they belong together"
    said = Migration("2.sql", "-- contracts: 0.2\n-- batches\n-- requires: b\n-- More.\n-- no transaction\nUPDATE a;")
    assert (said.way, said.requires, said.contracts) == (Way.BATCHES, "b", "0.2")
    assert Migration("3.sql", "-- no transaction\nSELECT 1;\n\nSELECT 2").parts == ["SELECT 1", "SELECT 2"]
    assert Migration("4.sql", "SELECT create_hypertable('a', by_range('t'));").converts == ("a",)


def test_a_semicolon_ends_a_statement_where_it_is_one() -> None:
    body = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $x$ BEGIN; PERFORM '$$;'; END; $x$"
    others = ["SELECT 'a;''b' -- no; really\n", 'SELECT ";" /* ; */', " ;; "]
    found = list(split(";".join([body, *others])))
    assert found == [body, "SELECT 'a;''b'", 'SELECT ";"']


async def test_rows_are_moved_in_batches_until_there_are_none(database_url: str) -> None:
    many = Migration("0002_many.sql", "INSERT INTO thing SELECT n, NULL FROM generate_series(1, 25) n;")
    moved = Migration(
        "0003_moved.sql",
        "-- batches\nUPDATE thing SET name = 'x' WHERE id IN (SELECT id FROM thing WHERE name IS NULL LIMIT 10);\n"
        "DELETE FROM thing WHERE id IN (SELECT id FROM thing WHERE id > 20 LIMIT 2)",
    )
    told: list[Told] = []
    await migrate(database_url, (TABLE, many, moved), told.append)
    assert [each.detail for each in told if each.what is What.MOVED] == ["25 rows", "5 rows"]
    with asking(database_url) as connection:
        assert connection.execute("SELECT count(*), min(name) FROM thing").fetchone() == (20, "x")


async def test_a_database_of_a_newer_release_serves_until_that_takes_something_away(database_url: str) -> None:
    more = Migration("0099_more.sql", "ALTER TABLE thing ADD more text")
    await migrate(database_url, (TABLE, ROW, more))
    told: list[Told] = []
    assert await migrate(database_url, (TABLE, ROW), told.append) == []
    assert [(each.what, each.name) for each in told] == [(What.NEWER, "0099_more.sql")]
    early = Migration("0100_early.sql", "-- contracts: 0.0.9\nALTER TABLE thing DROP more")
    await migrate(database_url, (TABLE, ROW, more, early))
    assert await migrate(database_url, (TABLE, ROW, INDEX)) == ["0003_index.sql"], "we are later than 0.0.9"
    less = Migration("0101_less.sql", "-- contracts: 99.1\nALTER TABLE thing DROP name")
    await migrate(database_url, (TABLE, ROW, INDEX, more, early, less))
    with pytest.raises(DatabaseTooNew, match=r"0101_less\.sql took away what .* uses; install 99\.1 or newer"):
        await migrate(database_url, (TABLE, ROW, INDEX))


async def test_who_may_only_read_and_write_runs_on_what_is_up_to_date(database_url: str) -> None:
    """And a history of earlier days, which knows of no contracts, is read as it is."""
    await migrate(database_url, THREE)
    with asking(database_url) as connection:
        connection.execute("ALTER TABLE schema_migration DROP contracts")
        connection.execute(f"SELECT pg_advisory_lock({LOCK})")
        assert await migrate(database_url, THREE) == [], "nobody is waited for"
    assert await migrate(database_url, (*THREE, Migration("0004_more.sql", "ALTER TABLE thing ADD more text"))) != []


async def test_our_files_are_numbered_and_each_number_is_there_once() -> None:
    numbers = [int(each.name.split("_")[0]) for each in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_command_says_what_is_missing(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HJEMMEVAKT_DATABASE_URL", database_url)
    told: list[Result] = []

    def command() -> None:  # in a thread of its own: it runs a loop
        told.extend(
            CliRunner().invoke(app, words) for words in (["migrate", "--check"], ["migrate"], ["migrate", "--check"])
        )

    thread = threading.Thread(target=command)
    thread.start()
    thread.join()
    before, applied, after = told
    assert (before.exit_code, before.output.splitlines()[0]) == (1, "0001_core.sql")
    assert applied.exit_code == 0
    assert "applied 0001_core.sql" in applied.output
    assert (after.exit_code, after.output.splitlines()[-1]) == (0, "up to date")
    assert "0002_observation_hypertable.sql" in applied.output, "applied, or what it waits for"
