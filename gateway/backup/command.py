"""``hjemmevakt backup`` and ``hjemmevakt restore``. What is wrong is one clear line each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.backup import dump
from gateway.backup import restore as restoring
from gateway.backup.manifest import Manifest
from gateway.backup.restore import Restored
from gateway.clock import SystemClock
from gateway.database import database_of
from gateway.errors import SettingError
from gateway.person import ledger
from gateway.settings import Settings, load
from gateway.store import backups

DATABASE = "HJEMMEVAKT_DATABASE_URL"
CUT_SHORT = (
    "nothing was restored, or not all: what there is, no gateway uses; create the database anew, and restore again"
)


def backup(file: Annotated[Path, typer.Argument(help="Where to write it. One that is there is replaced.")]) -> None:
    """Write the whole database into one file, of one moment, while the gateway goes on."""

    async def write(url: str) -> Manifest:
        await backups.refuse_half(url)
        return await dump.backup(url, file, SystemClock().now())

    with database_of(load()) as url, backups.plainly():
        made = asyncio.run(write(url))
    rows = sum(made.counts.values())
    typer.echo(f"{file}: {rows} rows in {len(made.counts)} tables, {made.size / 1e6:.1f} MB, SHA-256 {made.sha256}")
    typer.echo("it holds personal data: keep it encrypted, and apart from this machine")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    into: Annotated[str | None, typer.Option(help="Another database in place of the settings', without password.")] = None,
    erased: Annotated[
        list[Path] | None, typer.Option(help="A ledger of who was erased since; else that of the data folder.")
    ] = None,
    *,
    sign_out: Annotated[bool, typer.Option("--sign-out", help="Everybody has to sign in again.")] = False,
) -> None:  # fmt: skip
    """Bring a backup back into an empty database, and say what is found there and what goes on."""

    settings = _settings(into)
    kept = settings.data_folder / ledger.NAME
    ledgers = erased or [each for each in [kept] if each.exists()]
    records = [record for each in ledgers for record in ledger.read(each)]
    now = SystemClock().now()
    with database_of(settings) as url, backups.plainly(CUT_SHORT):
        done = asyncio.run(restoring.restore(url, file, records, now, kept, sign_out=sign_out))
    typer.echo("\n".join(_told(done, ledgers, len(records))))


def _settings(into: str | None) -> Settings:
    if into is None:
        return load()
    if backups.environment(into).get("PGPASSWORD"):
        raise SettingError(
            f"--into: others can read a command line; give the password in PGPASSWORD, or use {DATABASE}"
        )
    given = {name: value for name, value in os.environ.items() if not name.startswith(DATABASE)}
    return load({**given, DATABASE: into})


def _told(done: Restored, ledgers: Sequence[Path], records: int) -> Iterator[str]:
    made, waits = done.manifest, done.waiting
    at = f"{made.made_at:%Y-%m-%d %H:%M} UTC"
    yield f"restored: {sum(made.counts.values())} rows in {len(made.counts)} tables, as of {at}"
    yield "as many as were backed up, and every invariant holds"
    if ledgers:
        where = ", ".join(map(str, ledgers))
        yield f"erased residents: {records} in {where}; of these in the backup and erased again: {done.erased}"
    else:
        yield "NO LEDGER of erased residents (--erased): whoever was erased since is back"
    if done.waits_for_alerts:
        yield f"{done.waits_for_alerts} were being erased, and have an open alert: deal with it, then run hjemmevakt person erase"
    yield f"what was stored after {at} is not in it: neither alarms nor answers"
    yield "as soon as a gateway starts:"
    oldest = f", the oldest of {waits['oldest']:%Y-%m-%d %H:%M} UTC" if waits["oldest"] else ""
    yield f"  {waits['alerts']} open alerts go on climbing{oldest}; {waits['overdue']} of them at once"
    yield f"  {waits['pages']} pages are sent"
    yield f"  {waits['watches']} watches are judged once their sites are heard; what was said since is not known here"
    yield f"  {waits['commands']} commands to devices end unsent where their time is over"
    yield f"  {waits['sessions']} sessions are in force, those that were ended since, too; --sign-out ends them all"
