"""`hjemmevakt restore`: a backup into an empty database, whole or not at all.

Rules
    Everything that can be known is checked before anything is touched: the file's own checksum, the versions, that the
    database is empty, and that none of our processes is connected to it: one that was there before the database was made anew
    finds its way back by itself.
    While it lasts, a mark in the database keeps every gateway out: `serve` and `migrate` refuse it, and whoever runs already
    stores nothing (``sites.fence``), so that no device gets a receipt for what is lost. The mark goes when all is there,
    compared with the backup's counts, and every invariant holds.
    Without TimescaleDB it is one transaction: cut short, the database is as empty as before. With it there are more tables than
    one transaction can lock on many servers; cut short, the database has to be created anew, and says so.
    Whoever was erased since the backup was made is erased again (:mod:`gateway.person.ledger`).
    Nobody is kept from being called: alerts that were open go on climbing as soon as a gateway starts. What that will be is said.
"""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.backup import programs
from gateway.backup.manifest import DUMP, MANIFEST, CannotRestore, Manifest, Target, hindrances
from gateway.errors import GatewayError
from gateway.person import erase
from gateway.store import backups, erasures
from gateway.store.db import Connection, opened
from gateway.store.erasures import Record
from gateway.store.migrate import migrate, migrations

PIECE = 1 << 20
ARGUMENTS = ("--no-owner", "--no-privileges", "--no-comments", "--exit-on-error")


class NotWhole(GatewayError):
    """What was restored is not what was backed up. No gateway uses the database; create it anew and try again."""


@dataclass(frozen=True, slots=True)
class Restored:
    """``waiting``: what goes on as soon as a gateway starts; ``erased``: how many were erased again; ``waits_for_alerts``: how
    many were being erased when the backup was made, and are not, as an alert of theirs is open in it."""

    manifest: Manifest
    waiting: dict[str, Any]
    erased: int
    waits_for_alerts: int


def read(path: Path) -> Manifest:
    """What a backup says of itself, once its dump is found to be whole. CannotRestore."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = Manifest.model_validate_json(archive.read(MANIFEST))
            found = _digest(archive)
    except (OSError, KeyError, ValidationError, zipfile.BadZipFile) as error:
        raise CannotRestore(f"{path} is no backup of hjemmevakt, or a part of one: {_first(error)}") from None
    if found != manifest.sha256:
        raise CannotRestore(f"{path} is damaged: its checksum is not what it was; take another copy")
    return manifest


def _digest(archive: zipfile.ZipFile) -> str:
    """Of the dump; empty where the archive itself finds it changed."""
    digest = hashlib.sha256()
    with archive.open(DUMP) as file:
        try:
            while piece := file.read(PIECE):
                digest.update(piece)
        except zipfile.BadZipFile:
            return ""
    return digest.hexdigest()


def _first(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


async def restore(
    url: str, path: Path, erased: Sequence[Record], now: datetime, kept: Path | None = None, *, sign_out: bool = False
) -> Restored:
    """Restore a backup. ``kept``: the ledger that notes whose erasure is finished here. CannotRestore before anything is touched; ProgramFailed or NotWhole afterwards."""
    manifest = await asyncio.to_thread(read, path)
    async with backups.patient(url) as connection:
        target = await _look(connection)
        found = list(hindrances(manifest, target))
        if found:
            raise CannotRestore("\n".join([*found, "nothing was touched"]))
        program = programs.fitting("pg_restore", max(target.postgresql, manifest.postgresql))
        await backups.mark(connection)
        await backups.before_restore(connection, manifest.timescaledb)
        await asyncio.to_thread(_fill, program, url, path, whole=manifest.timescaledb is None)
        await backups.after_restore(connection, manifest.timescaledb)
        await _require_whole(connection, manifest)
    ours = backups.within_restore(url)
    await migrate(ours)
    again, waits = await _erase_again(ours, erased, now, kept)
    async with backups.patient(url) as connection:
        await connection.execute("ANALYZE")
        async with connection.transaction():
            await backups.take_over(connection, manifest.made_at, now, sign_out=sign_out)
            await backups.unmark(connection)
            waiting = await backups.waiting(connection, now)
    return Restored(manifest, dict(waiting), again, waits)


async def _look(connection: Connection) -> Target:
    server, timescaledb, offered = await backups.versions(connection)
    return Target(
        postgresql=server,
        timescaledb=timescaledb,
        offered=offered,
        tables=await backups.tables(connection),
        half=await backups.is_half(connection),
        processes=await backups.processes(connection),
        superuser=await backups.is_superuser(connection),
        known=[each.name for each in migrations()],
    )


def _fill(program: Path, url: str, path: Path, *, whole: bool) -> None:
    arguments = [*ARGUMENTS, *(["--single-transaction"] if whole else []), f"--dbname={backups.database_name(url)}"]
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(DUMP) as file,
        programs.running(program, arguments, backups.environment(url), reads=True) as pipe,
    ):
        while piece := file.read(PIECE):
            pipe.write(piece)


async def _require_whole(connection: Connection, manifest: Manifest) -> None:
    counts = await backups.counts(connection)
    every = sorted({*counts, *manifest.counts})
    wrong = [
        f"{table}: {counts.get(table, 0)} rows in place of {manifest.counts.get(table, 0)}"
        for table in every
        if counts.get(table) != manifest.counts.get(table)
    ]
    wrong += [f"{each} was at work in it meanwhile: stop it" for each in await backups.processes(connection)]
    wrong += [f"this does not hold: {each}" for each in await backups.broken(connection)]
    if wrong:
        raise NotWhole(
            "\n".join([*wrong, "the database is not used by any gateway: create it anew, and restore again"])
        )


async def _erase_again(url: str, erased: Sequence[Record], now: datetime, kept: Path | None) -> tuple[int, int]:
    """Whoever is in the backup and was erased since; and whoever was being erased when it was made, but for those with an
    open alert: nobody has said that it was dealt with. How many are erased, and how many of these are not."""
    async with opened(url, "restore") as database:
        found = await database.run(lambda each: erasures.marked(each, erased))
        for resident, record in found:
            await erase.erase_again(database, resident, record, now)
        done, waits = await erase.go_on_where_closed(database, now, kept)
        return len(found) + len(done), waits
