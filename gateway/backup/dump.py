"""`hjemmevakt backup`: the whole database in one file, of one moment, while the gateway goes on.

The counts in the manifest are of the same snapshot as the dump, so that a restore can be compared with them. The file has
another name until it is whole and on the disk; only its owner may read it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from gateway.backup import programs
from gateway.backup.manifest import DUMP, MANIFEST, Manifest
from gateway.errors import GatewayError
from gateway.store import backups

PIECE = 1 << 20
ARGUMENTS = ("--format=custom", "--no-owner", "--no-privileges", "--no-comments")


class CannotWrite(GatewayError):
    """The backup's file cannot be written."""


async def backup(url: str, path: Path, now: datetime) -> Manifest:
    """Write a backup. NoProgram, ProgramFailed or CannotWrite; then there is no file."""
    async with backups.patient(url) as connection, backups.snapshot(connection) as snapshot:
        server, timescaledb, _ = await backups.versions(connection)
        program = programs.fitting("pg_dump", server)
        migrations = await backups.migrations(connection)
        counts = await backups.counts(connection)
        arguments = [*ARGUMENTS, f"--exclude-table={backups.MARK}", f"--snapshot={snapshot}"]

        def written() -> Manifest:
            with _whole(path) as archive:
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


@contextmanager
def _whole(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive that is there when it is whole, and not before."""
    beside = path.with_name(f"{path.name}.partial")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
