"""The `hjemmevakt` command. What is wrong is one clear line each, and exit code 2."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import seed as seeding
from gateway.backup import command as backup_command
from gateway.broker import command as broker_command
from gateway.clock import SystemClock
from gateway.database import database_of
from gateway.embedded import EmbeddedError
from gateway.errors import GatewayError, SettingError
from gateway.person import command as person_command
from gateway.settings import Role, Settings, load

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A welfare-technology gateway.")

ROLES: tuple[Role, ...] = ("ingest", "engine", "web")
WRONG = 2
INTERRUPTED = 130


@app.command()
def serve(
    roles: Annotated[str, typer.Option(help="What this process does: ingest, engine, web.")] = ",".join(ROLES),
) -> None:
    """Run the gateway until it is told to stop. Settings come from the environment; see the README."""
    from gateway.log import set_up  # noqa: PLC0415

    chosen = _roles(roles)
    settings = load()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the loop has its own handlers
    set_up(settings.log_level)
    with database_of(settings) as url:
        _run(_serve(settings, url, chosen))


@app.command()
def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say what is missing.")] = False,
    to_hypertables: Annotated[
        bool, typer.Option("--to-hypertables", help="Turn a plain database with data into one of TimescaleDB.")
    ] = False,
) -> None:
    """Bring the database up to date, while gateways work on it."""
    from gateway import migrating  # noqa: PLC0415

    if check and to_hypertables:
        raise SettingError("--check and --to-hypertables: one of them")
    with database_of(load()) as url:
        work = migrating.check if check else migrating.convert if to_hypertables else migrating.bring
        raise typer.Exit(asyncio.run(work(url)))


@app.command()
def seed(
    residents: Annotated[int, typer.Option(min=1, max=20_000)] = 200,
    number: Annotated[int, typer.Option("--seed", help="The same number makes the same municipality.")] = 1,
    devices_file: Annotated[Path | None, typer.Option(help="Write the devices here, for the simulators.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="The accounts' password; a made-up one without it.")
    ] = None,
) -> None:
    """Make a municipality like Stavanger, for trials: zones, residents, devices, staff and a roster."""
    settings = load()
    password = _password(password_file)
    with database_of(settings) as url:
        seeded = asyncio.run(_seed(url, residents, number, password, devices_file))
    typer.echo(f"{seeded.residents} residents, {seeded.devices} devices, {len(seeded.accounts)} accounts")
    if password_file is None:
        typer.echo(f"password of accounts made now: {password}")
    typer.echo("\n".join(seeding.accounts_table(seeded.accounts)))


@app.command()
def lanes() -> None:
    """Show which process hears which lane of a site, and who stands by."""
    from gateway import lanetable  # noqa: PLC0415

    settings = load()
    with database_of(settings) as url:
        rows, known = asyncio.run(lanetable.look(url))
    typer.echo("\n".join(lanetable.table(rows, known, settings.local)))


@app.command()
def retention(*, apply: Annotated[bool, typer.Option("--apply", help="Let go what is due now.")] = False) -> None:
    """Show what is kept for how long, and what would go now. The gateway lets it go by itself, every hour."""
    from gateway import retentiontable  # noqa: PLC0415

    settings, now = load(), SystemClock().now()
    with database_of(settings) as url:
        if apply:
            lines = retentiontable.told(asyncio.run(retentiontable.apply(url, settings.keeping, now)))
        else:
            lines = retentiontable.table(asyncio.run(retentiontable.look(url, settings.keeping, now)), settings.local)
    typer.echo("\n".join(lines))


@app.command()
def callbacks() -> None:
    """Show the addresses to set up at the providers of SMS and calls. They are as good as passwords: keep them so."""
    from alerts.channels import load_channel  # noqa: PLC0415
    from gateway.callbacks import standing_urls  # noqa: PLC0415

    settings = load()
    channels = {name: load_channel(name, config) for name, config in settings.phone_channels.items()}
    for url in standing_urls(channels, str(settings.public_url).rstrip("/")):
        typer.echo(url)


@app.command()
def decode(
    topic: Annotated[str, typer.Argument(help="As hv/v1/stavanger/fall_alarm/fall-001/alarm")],
    payload: Annotated[str, typer.Argument(help="The payload; - reads it from standard input.")],
) -> None:
    """Show what the gateway makes of a message, or what is wrong with it. Needs no gateway, broker or database."""
    from devices.dialects import dialect_of  # noqa: PLC0415
    from devices.model import DecodeError, Message  # noqa: PLC0415

    raw = sys.stdin.buffer.read() if payload == "-" else payload.encode(errors="surrogateescape")
    message = Message(topic, raw, SystemClock().now())
    try:
        observation = dialect_of(topic).decode(message)
    except DecodeError as error:
        typer.echo(f"not understood: {error}", err=True)
        raise typer.Exit(1) from None
    shown: dict[str, Any] = {
        "device": str(observation.device),
        "kind": observation.kind,
        "class": observation.message_class,
        "type": observation.type,
        "id": observation.message_id,
        "occurred_at": observation.occurred_at.isoformat(),
        "fields": dict(observation.fields),
        "flags": sorted(observation.flags),
    }
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))


@app.command()
def contracts(
    folder: Annotated[Path, typer.Option(help="Where to write them.")] = Path("contracts"),
) -> None:
    """Write the contracts: AsyncAPI and JSON Schema of the protocol, OpenAPI of the API. Needs no gateway."""
    from gateway.contracts import write  # noqa: PLC0415 - the web application is slow to import

    typer.echo("\n".join(str(path) for path in write(folder)))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def simulate(context: typer.Context) -> None:
    """Simulated homes over real MQTT, or a whole trial; `hjemmevakt simulate --help` shows its options."""
    from simulators import cli as simulating  # noqa: PLC0415

    try:
        arguments = simulating.parsed(context.args)
    except (OSError, ValueError) as error:
        typer.echo(f"simulate: {error}", err=True)
        raise typer.Exit(WRONG) from None
    if arguments.real_time:
        raise typer.Exit(simulating.real_time(arguments))
    from gateway.trial.command import try_out  # noqa: PLC0415 - real time needs no gateway

    raise typer.Exit(try_out(arguments))


app.add_typer(broker_command.app, name="broker")
app.add_typer(person_command.app, name="person")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path("var/demo"),
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of the pages, else 8080 or a free one; 0: a free one.")
    ] = None,
    mqtt_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of the broker, else 1883 or a free one; 0: a free one.")
    ] = None,
) -> None:
    """Everything at once on this machine: database, broker, gateway, a municipality and its simulated homes."""
    from gateway.demo.start import run  # noqa: PLC0415

    raise typer.Exit(run(folder, port, mqtt_port))


app.command()(backup_command.backup)
app.command()(backup_command.restore)


def main() -> None:
    """The command's entry: errors that people can mend are lines, not stack traces."""
    try:
        app()
    except (GatewayError, EmbeddedError) as error:
        for line in str(error).splitlines():
            print(f"hjemmevakt: {line}", file=sys.stderr)
        sys.exit(WRONG)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop  # noqa: PLC0415 - only a gateway needs it

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


async def _serve(settings: Settings, url: str, roles: tuple[Role, ...]) -> None:
    from gateway import serve as serving  # noqa: PLC0415

    await serving.serve(settings, url, roles, serving.stop_on_signals())


def _roles(text: str) -> tuple[Role, ...]:
    given = [each.strip() for each in text.split(",") if each.strip()]
    unknown = [each for each in given if each not in ROLES]
    if unknown or not given:
        raise SettingError(f"--roles {text!r}: name some of {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in given)


def _password(path: Path | None) -> str:
    if path is None:
        return secrets.token_urlsafe(9)
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingError(f"--password-file {path}: {error.strerror}") from None


async def _seed(url: str, residents: int, number: int, password: str, devices_file: Path | None) -> seeding.Seeded:
    from gateway.rulebook import install_defaults  # noqa: PLC0415
    from gateway.store.db import Connection, opened  # noqa: PLC0415
    from gateway.store.migrate import migrate as migrate_database  # noqa: PLC0415

    await migrate_database(url)
    now = SystemClock().now()

    async def work(connection: Connection) -> seeding.Seeded:
        await install_defaults(connection, now)
        seeded = await seeding.seed(connection, now, password, number, residents)
        if devices_file is not None:
            rows = await seeding.simulated(connection)
            seeding.write_devices(rows, devices_file)
        return seeded

    async with opened(url) as database:
        return await database.run(work)


if __name__ == "__main__":
    main()
