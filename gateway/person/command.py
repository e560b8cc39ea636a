"""``hjemmevakt person``: one resident's data – out, away, and who looked at it. What is wrong is one clear line each."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from alerts.render import LANGUAGES
from gateway.clock import SystemClock
from gateway.database import work_on
from gateway.errors import GatewayError, SettingError
from gateway.person import accesslog, ledger
from gateway.person import erase as erasing
from gateway.person import export as exporting
from gateway.settings import load
from gateway.store import audit, belonging
from gateway.store.audit import Audited
from gateway.store.belonging import Row
from gateway.store.db import Connection, Database

app = typer.Typer(no_args_is_help=True, help="One resident's data: out in an open format, away, and who looked at it.")

MANY = 50
Who = Annotated[str | None, typer.Argument(metavar="RESIDENT", help="Their id, as the API and the pages have it.")]
Name = Annotated[str | None, typer.Option("--name", help="Their name, or a part of it, in place of the id.")]


class WhichResident(GatewayError):
    """It is not clear who is meant."""


@app.command("export")
def export(
    file: Annotated[Path, typer.Option("--to", help="The zip to write. One that is there is replaced.")],
    resident: Who = None,
    name: Name = None,
) -> None:
    """Write all that is stored of a resident into a zip of JSON and CSV, for whoever asks for their own data."""

    async def work(database: Database) -> None:
        now, operator = SystemClock().now(), getpass.getuser()
        row = await find(database, resident, name, operator, now)
        counts = await exporting.export(database, row["id"], file, operator, now)
        typer.echo(
            "\n".join([f"{row['name']}, {row['uid']}:", *(f"  {many:>8} {part}" for part, many in counts.items())])
        )
        typer.echo(f"{file}: personal data; what it is, and what is left out, says docs/privacy.md")

    work_on(load(), work, "person")


@app.command("access-log")
def access_log(
    resident: Who = None,
    name: Name = None,
    language: Annotated[str, typer.Option(help="nb, nn or en.")] = "nb",
) -> None:
    """Show who looked at a resident, when, at what and because of which alert. That it was shown is in it the next time."""
    settings = load()

    async def work(database: Database) -> None:
        now, operator = SystemClock().now(), getpass.getuser()
        row = await find(database, resident, name, operator, now)
        for line in await database.run(
            lambda each: accesslog.shown(each, row["id"], language, settings.local, operator, now)
        ):
            typer.echo(line)

    if language not in LANGUAGES:
        raise SettingError(f"--language {language!r}: nb, nn or en")
    work_on(settings, work, "person")


@app.command("erase")
def erase(
    resident: Who = None,
    name: Name = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the name.")] = False,
    end_first: Annotated[
        bool, typer.Option("--now", help="They move out and their devices are taken down, as of now.")
    ] = False,
) -> None:
    """Remove a resident everywhere, for good. Without one it goes on with what was cut short. Give the export first."""
    settings = load()
    kept, now, operator = settings.data_folder / ledger.NAME, SystemClock().now(), getpass.getuser()

    async def work(database: Database) -> None:
        row = await find(database, resident, name, operator, now) if resident or name else None
        for record in await erasing.go_on(database, now, kept) if row is None else ():
            typer.echo("\n".join(erasing.told(record)))
        if row is None:
            typer.echo("nothing is left of what was cut short")
            return
        typed = (name or row["name"]) if yes else typer.prompt(f"Erases {row['name']} for good. Type the name to go on")
        if typed.strip().lower() != row["name"].lower():
            raise WhichResident("that is not the whole name: nothing was erased")
        record = await erasing.erase(database, row["id"], operator, now, kept, end_first=end_first)
        typer.echo("\n".join([*erasing.told(record), f"noted in {kept}: keep it apart from the backups"]))

    work_on(settings, work, "person")


# Parts ------------------------------------------------------------------------------------------------------------------


async def find(database: Database, resident: str | None, name: str | None, operator: str, now: datetime) -> Row:
    """Who is meant: by id, or the only one of a name. WhichResident with those whom it may be. Whoever is shown is noted."""
    rows = await database.run(lambda each: _found(each, resident, name, operator, now))
    if len(rows) != 1:
        shown = [f"{row['uid']}  {row['name']}, {row['address']}" for row in rows]
        raise WhichResident("\n".join(["give one of these ids:", *shown] if rows else [f"nobody is called {name!r}"]))
    return rows[0]


async def _found(
    connection: Connection, resident: str | None, name: str | None, operator: str, now: datetime
) -> Sequence[Row]:
    if not (resident or name):
        raise WhichResident("say who: the id, or --name")
    rows = [await _by_id(connection, resident)] if resident else await belonging.named(connection, name or "", MANY)
    await audit.add(
        connection,
        now,
        [Audited("resident.named", "resident", row["id"], params={"operator": operator}) for row in rows],
    )
    return rows


async def _by_id(connection: Connection, resident: str) -> Row:
    try:
        row = await belonging.find(connection, UUID(resident))
    except ValueError:
        raise WhichResident(f"{resident!r} is no id; look for somebody with --name") from None
    if row is None:
        raise WhichResident(f"there is no resident {resident}; look for somebody with --name")
    return row
