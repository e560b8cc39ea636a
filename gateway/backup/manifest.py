"""What a backup says of itself, and whether it can be restored somewhere.

A backup is one file: a zip that is not compressed any further, with ``database.dump`` (pg_dump's own format) and
``manifest.json``, which is written last. A file without a manifest is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from gateway.errors import GatewayError

DUMP, MANIFEST = "database.dump", "manifest.json"


class CannotRestore(GatewayError):
    """A backup cannot be restored here; why, a line each. Nothing was touched."""


class Manifest(BaseModel):
    """``postgresql``: of the server, as 170004; ``size`` and ``sha256``: of the dump; ``counts``: rows by table."""

    model_config = ConfigDict(frozen=True)

    schema_: Literal["hjemmevakt.backup/1"] = "hjemmevakt.backup/1"
    made_at: datetime
    release: str
    postgresql: int
    timescaledb: str | None
    migrations: tuple[str, ...]
    counts: Mapping[str, int]
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Target:
    """A database to restore into. ``timescaledb``: the version that is created in it; ``offered``: those that the server
    could create; ``tables``: what is in it already; ``half``: a restore into it has not ended; ``processes``: ours that are connected to
    it; ``superuser``: we are one."""

    postgresql: int
    timescaledb: str | None
    offered: Collection[str]
    tables: Collection[str] = ()
    half: bool = False
    processes: Collection[str] = ()
    superuser: bool = True
    known: Collection[str] = field(default_factory=tuple)
    """The migrations that this release has."""


def hindrances(backup: Manifest, target: Target) -> Iterator[str]:
    """Why a backup cannot be restored into a database, and how to mend it."""
    if target.tables:
        what = (
            "a restore into it was cut short"
            if target.half
            else f"it has tables ({', '.join(sorted(target.tables)[:3])} …)"
        )
        yield f"the database is not empty: {what}; create a new one, or drop this and create it anew"
    if target.processes:
        yield (
            f"hjemmevakt is at work in the database ({', '.join(sorted(target.processes)[:3])}): stop every process that is "
            "connected to it"
        )
    if target.postgresql // 10000 < backup.postgresql // 10000:
        yield (
            f"the server is PostgreSQL {target.postgresql // 10000}, the backup is of {backup.postgresql // 10000}: "
            "restore into that or a newer one"
        )
    unknown = sorted(set(backup.migrations) - set(target.known))
    if unknown:
        yield f"the backup was made by a newer release ({backup.release}; it has {unknown[-1]}): install that one"
    if backup.timescaledb is not None:
        yield from _timescaledb(backup.timescaledb, target)


def _timescaledb(version: str, target: Target) -> Iterator[str]:
    there = target.timescaledb
    if not target.superuser:
        yield (
            "TimescaleDB lets nobody but a superuser restore: say ALTER ROLE … SUPERUSER of the account that restores, and "
            "NOSUPERUSER when it is restored"
        )
    if there is not None and there != version:
        yield (
            f"the database has TimescaleDB {there}, the backup is of {version}: create the database anew with "
            f"CREATE EXTENSION timescaledb VERSION '{version}', and update when it is restored"
        )
    elif there is None and version not in target.offered:
        offered = ", ".join(sorted(target.offered)) or "none"
        yield f"the server offers TimescaleDB {offered}, the backup is of {version}: install that version on the server"
