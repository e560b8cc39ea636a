"""``hjemmevakt broker``: try the broker that the settings name, and write a configuration for Mosquitto.

What was found, and what was written, is told on standard error where something else has standard output: passwords go there
alone, so that they can be sent to where they are kept.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.broker import access, check, configure
from gateway.broker.check import Result
from gateway.broker.probe import Place, probe
from gateway.clock import SystemClock
from gateway.database import work_on
from gateway.errors import GatewayError, SettingError
from gateway.settings import Settings, load
from gateway.store import broker as accounts_store
from gateway.store import sites
from gateway.store.broker import Account
from gateway.store.db import Connection, Database

app = typer.Typer(no_args_is_help=True, help="Try the broker, or write a configuration for it.")

Messages = Annotated[int, typer.Option(min=10, max=1_000_000, help="How many wait for a session that is away.")]


@app.command("check")
def check_now(
    messages: Messages = check.MESSAGES,
    site: Annotated[str | None, typer.Option(help="Try it below this site's topics, without the database.")] = None,
) -> None:
    """Try whether the broker loses messages. 0: nothing was found; 1: something was; 2: it could not be tried."""
    settings = load()
    result = asyncio.run(_alone(settings, site, messages)) if site else _with_database(settings, messages)
    typer.echo("\n".join(_told(result, settings)))
    raise typer.Exit(1 if result.findings else 0)


@app.command("config")
def write_configuration(
    folder: Annotated[Path, typer.Option(help="Where to write the files; accounts that are there are kept.")],
    at: Annotated[str, typer.Option(help="The folder in which the broker will find them.")] = "/etc/mosquitto",
    renew: Annotated[
        list[str] | None, typer.Option(help="Give this account another password; can be repeated.")
    ] = None,
    *,
    far: Annotated[bool, typer.Option("--far", help="The gateway is not on the broker's machine.")] = False,
) -> None:
    """Write mosquitto.conf, the access list and the password file for the sites and devices in the database."""
    settings = load()
    names, accounts = work_on(settings, _known)
    gateway = settings.mqtt_username or access.GATEWAY
    users = [gateway, *map(access.user_name, accounts)]
    _refuse_unknown(renew or [], users)
    passwords = access.with_accounts(_before(folder / configure.PASSWORDS), users, renew or [])
    acl = access.access_list(names, accounts, gateway)
    # Shown before they count: what is written and was not shown would lock the device out.
    typer.echo("".join(f"{user}\t{password}\n" for user, password in passwords.made.items()), nl=False)
    sys.stdout.flush()
    for name, text, mode in configure.files(at, acl, passwords.text, far=far):
        _write(folder / name, text, mode)
    told = _written(folder, len(users), passwords)
    if not names:
        told.append(
            "there is no site in the database yet: make the files anew when there is, or the gateway hears nothing"
        )
    typer.echo("\n".join(told), err=True)


# Trying -------------------------------------------------------------------------------------------------------------


async def _alone(settings: Settings, site: str, messages: int) -> Result:
    """Nothing is known from before, and nothing is noted."""
    clock = SystemClock()
    found = await probe(Place(settings.broker, site, _name()), clock, messages)
    return Result(clock.now(), found, None, check.verdict(found, None))


def _with_database(settings: Settings, messages: int) -> Result:
    from gateway.broker.watch import check_broker, first_site  # noqa: PLC0415 - what writes files needs no engine
    from gateway.log import set_up  # noqa: PLC0415
    from gateway.rulebook import RulebookCache  # noqa: PLC0415

    set_up("error")

    async def work(database: Database) -> Result:
        site = await database.read(first_site)
        if site is None:
            raise GatewayError("there is no site in the database: name one with --site")
        cache = RulebookCache(settings.local, tuple(settings.channel_settings))
        place = Place(settings.broker, site.name, _name())
        return await check_broker(database, SystemClock(), cache, place, site, messages)

    return work_on(settings, work)


def _name() -> str:
    """A gateway may be trying the broker just now."""
    return f"check-{secrets.token_hex(4)}"


def _told(result: Result, settings: Settings) -> list[str]:
    found, where = result.found, f"{settings.mqtt_host}:{settings.mqtt_port}"
    lines = [f"{found.release or 'a broker'} at {where}, MQTT {'5' if found.granted else '3.1.1'}"]
    lines.append(f"  tried: {found.came} of {found.sent} messages came to a session that had been away")
    lines.append(f"  tried: {found.ahead} messages at once, before any was acknowledged")
    if check.kept_over_a_restart(found, result.known, result.at):
        lines.append("  known: it has kept a message of ours over a restart")
    lines += [f"  not known: {each}" for each in check.unknown(found, result.known, result.at)]
    for each in result.findings:
        lines += [f"{'LOSES MESSAGES' if each.loses else 'worth a look'}: {each.words}", f"  mend: {each.mend}"]
    return lines if result.findings else [*lines, "nothing found"]


# Writing ------------------------------------------------------------------------------------------------------------


async def _known(database: Database) -> tuple[list[str], list[Account]]:
    """The names of the sites, and the devices that have accounts."""

    async def read(connection: Connection) -> tuple[list[str], list[Account]]:
        return [each.name for each in await sites.all_sites(connection)], await accounts_store.accounts(connection)

    return await database.run(read)


def _refuse_unknown(renew: list[str], users: list[str]) -> None:
    unknown = [each for each in renew if each not in users]
    if unknown:
        raise SettingError(f"--renew {unknown[0]}: there is no such account; a device's is site/kind/address")


def _before(path: Path) -> str:
    try:
        return path.read_text("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} cannot be read: {error}") from None


def _write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all: a broker that reads half a file lets nobody in."""
    beside = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        beside.touch(mode)
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        raise SettingError(f"{path} cannot be written: {error.strerror}") from None


def _written(folder: Path, users: int, passwords: access.Passwords) -> list[str]:
    lines = [f"{folder}: {configure.CONFIGURATION}, {configure.ACL}, {configure.PASSWORDS} with {users} accounts"]
    if passwords.made:
        lines.append(f"{len(passwords.made)} new passwords on standard output; they are kept nowhere else")
    lines += [f"{each}: an account of nobody's; mosquitto_passwd -D removes it" for each in passwords.nobodys]
    return lines
