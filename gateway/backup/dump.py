"""`hjemmevakt backup`: the whole database in one file, of one moment, while the gateway goes on.

The counts in the manifest are of the same snapshot as the dump, so that a restore can be compared with them. The file is
there when it is whole (:mod:`gateway.whole`).
"""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from gateway import whole
from gateway.backup import programs
from gateway.backup.manifest import DUMP, MANIFEST, Manifest
from gateway.store import backups
from gateway.store.sites import MARK

PIECE = 1 << 20
ARGUMENTS = ("--format=custom", "--no-owner", "--no-privileges", "--no-comments")


async def backup(url: str, path: Path, now: datetime) -> Manifest:
    """Write a backup. NoProgram, ProgramFailed or CannotWrite; then there is no file."""
    async with backups.patient(url) as connection, backups.snapshot(connection) as snapshot:
        server, timescaledb, _ = await backups.versions(connection)
        program = programs.fitting("pg_dump", server)
        migrations = await backups.migrations(connection)
        counts = await backups.counts(connection)
        arguments = [*ARGUMENTS, f"--exclude-table={MARK}", f"--snapshot={snapshot}"]

        def written() -> Manifest:
            with whole.archive(path, zipfile.ZIP_STORED) as archive:
                with programs.running(program, arguments, backups.environment(url), reads=False) as pipe:
                    size, digest = _copy(pipe, archive)
                manifest = Manifest(
                    made_at=now, release=version("hjemmevakt"), postgresql=server, timescaledb=timescaledb,
                    migrations=tuple(migrations), counts=counts, size=size, sha256=digest,
                )  # fmt: skip
                archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))
            return manifest

        return await asyncio.to_thread(written)


def _copy(pipe: object, archive: zipfile.ZipFile) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with archive.open(zipfile.ZipInfo(DUMP), "w", force_zip64=True) as file:
        while piece := pipe.read(PIECE):  # type: ignore[attr-defined]
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()
