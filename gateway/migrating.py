"""`hjemmevakt migrate`: what it says to a person at a terminal, a line for each thing that it does, as it does it."""

from __future__ import annotations

import typer

from gateway.store import convert as converting
from gateway.store import migrate
from gateway.store.stepping import Told, What

UP_TO_DATE = "up to date"


async def bring(url: str) -> int:
    """Bring the database up to date; the exit code."""
    if not await migrate.migrate(url, tell=_say):
        typer.echo(UP_TO_DATE)
    return 0


async def check(url: str) -> int:
    """Say what is missing, what waits and for what, and what a newer release has done; 1 where something is missing."""
    found = await migrate.standing(url)
    for name in found.missing:
        typer.echo(name)
    for name, why in found.waiting:
        typer.echo(f"{name}: {why}")
    gone = migrate.outdated(found.unknown)
    for name in sorted(found.unknown):
        typer.echo(f"{name}: of a newer release{': this one does not run on it' if name in gone else ''}")
    if not found.missing and not gone:
        typer.echo(UP_TO_DATE)
    return 1 if found.missing or gone else 0


async def convert(url: str) -> int:
    """Turn a plain database into one of TimescaleDB, and say what it held before and holds now."""
    for made in await converting.convert(url, tell=_say):
        typer.echo(str(made))
    typer.echo("what devices said is in hypertables")
    return 0


def _say(told: Told) -> None:
    if told.what is not What.BEGINS:
        typer.echo(str(told))
