"""The drill: the database is lost, a backup is restored into an empty one, and whoever had been called is called on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway import controlled
from gateway.app import Gateway
from gateway.backup import dump, restore
from gateway.backup.manifest import CannotRestore
from gateway.embedded import Broker
from gateway.person import erase as person
from gateway.person import ledger
from gateway.store import belonging, erasures
from gateway.store.backups import HalfRestored
from gateway.store.db import Connection
from gateway.store.migrate import migrate, pending
from tests.gateway.place import place
from tests.support import databases
from tests.support.processes import COMMAND, command, environment
from tests.support.seen import Seen
from tests.support.world import NOON, connected, settings_for, world

NAME = "Petronella Wøgdahl"


@dataclass
class Resumed(Seen):
    """A gateway on a database that was there before it."""


@asynccontextmanager
async def resumed(url: str, broker: Broker, start: datetime) -> AsyncIterator[Resumed]:
    gateway = Gateway(settings_for(broker, None, start), url, roles=("ingest", "engine"))
    async with gateway.running():
        await connected(gateway)
        yield Resumed(gateway)


async def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(query.encode())
        return await cursor.fetchall() if cursor.description else []


async def test_a_restored_database_goes_on_calling(
    migrated_url: str, database_server: databases.Server, broker: Broker, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    async with world(migrated_url, broker) as town:
        erased, home = await town.home(), await town.home()
        await town.rows("UPDATE resident SET name = %s WHERE id = %s", NAME, erased.resident)
        await town.says(home.fall_alarm, "fall")
        await town.says(erased.fall_alarm, "heartbeat", message_class="status", battery=50)
        assert await town.news() == ["Kari"]
        made = await command("backup", str(file), database_url=migrated_url)
        assert (made.code, made.err) == (0, "")
        await person.erase(
            town.gateway.database, erased.resident, "somebody", town.now, tmp_path / ledger.NAME, end_first=True
        )
        lost_at = town.now
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".partial"] == []
    manifest = json.loads(zipfile.ZipFile(file).read("manifest.json"))
    assert (manifest["counts"]["alert"], manifest["counts"]["resident"]) == (1, 2)

    with database_server.fresh() as url:
        back = await command("restore", str(file), "--sign-out", database_url=url, data_folder=tmp_path)
        if not database_server.may_restore:
            assert (back.code, "lets nobody but a superuser restore" in back.err) == (2, True)
            return
        assert (back.code, back.err) == (0, "")
        told = back.out.splitlines()
        assert f"restored: {sum(manifest['counts'].values())} rows" in told[0]
        assert "as many as were backed up, and every invariant holds" in told
        assert any(line.endswith("erased again: 1") for line in told)
        assert any(line.startswith("  1 open alerts go on climbing, the oldest of 2026-03-03") for line in told)
        with pytest.raises(CannotRestore, match="the database is not empty: it has tables"):
            await restore.restore(url, file, [], lost_at)

        async with resumed(url, broker, lost_at + timedelta(minutes=10)) as town:
            (residents,) = await town.rows("SELECT array_agg(name) AS names FROM resident")
            assert residents["names"] == ["Beboer 2"], "who was erased since is not back"
            await controlled.settle(town.gateway)
            assert await town.news() == ["Kari", "Kari", "Ola"], "one step at once, however long it was"
            await controlled.advance(town.gateway, timedelta(minutes=2))
            assert await town.news() == ["Siri"]
            looked = [each for each in (await town.health())[1] if each != "alerts_unanswered"]
            assert (await town.rows("SELECT min(epoch) AS least FROM site_lane"))[0]["least"] >= 2
            assert looked == []


async def test_what_is_cut_short_is_refused_until_it_is_whole(
    migrated_url: str, database_server: databases.Server, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    async with place(migrated_url, homes=2) as town:
        for home in town.homes:
            await town.run(partial(being_erased, resident=home.resident))
        await town.raise_(town.raising(town.homes[0]))
    await rows(
        migrated_url,
        """INSERT INTO raw_message SELECT n, 1, '2026-03-03Z', decode(repeat(md5(n::text), 8), 'hex')
           FROM generate_series(1, 100000) n""",
    )
    await dump.backup(migrated_url, file, NOON)
    with database_server.fresh() as url:
        if not database_server.may_restore:
            with pytest.raises(CannotRestore, match="lets nobody but a superuser restore"):
                await restore.restore(url, file, [], NOON)
            return
        with psycopg.connect(url, application_name="hjemmevakt old-1"):  # noqa: SIM117
            with pytest.raises(
                CannotRestore, match=r"is at work in the database \(hjemmevakt old-1\): stop every process"
            ):
                await restore.restore(url, file, [], NOON)
        cut = await asyncio.create_subprocess_exec(
            str(COMMAND), "restore", str(file), env=environment(database_url=url, data_folder=tmp_path),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            os.kill(await _child(cut.pid, "pg_restore"), signal.SIGKILL)
            _, said = await cut.communicate()
        finally:
            with suppress(ProcessLookupError):
                cut.kill()
            await cut.wait()
        assert (cut.returncode, "pg_restore failed" in said.decode()) == (2, True)
        for refused in (migrate, pending):
            with pytest.raises(HalfRestored, match="a restore into this database has not ended"):
                await refused(url)
        kept = tmp_path / ledger.NAME
        done = await restore.restore(url, file, [], NOON, kept)
        assert await rows(url, "SELECT count(*) FROM raw_message") == [(100_000,)]
        assert (done.erased, done.waits_for_alerts, len(ledger.read(kept))) == (1, 1, 1), "one may lie on the floor"
        assert await rows(url, "SELECT name FROM resident") == [("Beboer 1",)]
        assert await pending(url) == []


async def being_erased(connection: Connection, resident: int) -> None:
    scope = await belonging.scope(connection, resident)
    assert scope is not None
    await erasures.begin(connection, scope, "somebody", NOON)


async def _child(pid: int, name: str) -> int:
    """The number of a process' child, as soon as it is there and restores."""
    async with asyncio.timeout(60):
        while True:
            for each in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                    for child in each.read_text().split():
                        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                        if words[0].endswith(name.encode()) and b"--exit-on-error" in words:
                            return int(child)
            await asyncio.sleep(0.002)
