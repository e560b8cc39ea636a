"""`hjemmevakt demo`: everything at once on one machine, to be seen and tried.

PostgreSQL and a broker that come along, a municipality like Stavanger, the gateway, and simulated homes in real time.
Nothing runs when it ends: the gateway and the homes live in this process, the two servers are stopped in order. What
was stored stays in the folder.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway import seed as seeding
from gateway.clock import SystemClock, pause
from gateway.embedded import LOOPBACK, Broker, EmbeddedError, EmbeddedPostgres, free_port
from gateway.log import set_up
from gateway.rulebook import install_defaults
from gateway.serve import serve, stop_on_signals
from gateway.settings import Role, Settings, load
from gateway.store import municipality
from gateway.store.db import Connection, Database
from gateway.store.migrate import migrate
from simulators.cli import options_for
from simulators.clock import live
from simulators.home import Life
from simulators.link import Broker as SimulatedBroker
from simulators.run import Options, simulate

ROLES: tuple[Role, ...] = ("ingest", "engine", "web")
START_WITHIN = 30.0
QUIET = Life(falls_per_day=0.05, missed_per_dose=0.02)
FALLS = "fall-001"
MORE = (("brann-001", "smoke"), ("las-001", "forced"), ("disp-001", "jam"))
"""What else can be made to happen in the same home."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What is to be told of a demo that runs."""

    settings: Settings
    broker: Broker
    folder: Path
    password: str
    seeded: seeding.Seeded


def run(folder: Path, port: int, mqtt_port: int) -> int:
    """Until Ctrl-C. The exit code. EmbeddedError, in a clear line, when something cannot be started."""
    folder = _folder(folder)
    say = _Steps()
    with EmbeddedPostgres(folder / "postgres") as postgres:
        say.done("PostgreSQL runs")
        with Broker(folder / "broker", _port(mqtt_port, "broker")) as broker:
            say.done(f"{broker.name} runs at {broker.host}:{broker.port}")
            settings = _settings(folder, _port(port, "page"), broker)
            set_up("warning")
            asyncio.run(_demo(folder, postgres.url, broker, settings, say))
    print("\nStopped; nothing is left running. What was stored is kept in", folder)
    return 0


async def _demo(folder: Path, url: str, broker: Broker, settings: Settings, say: _Steps) -> None:
    stop = stop_on_signals()
    password = _password(folder)
    await migrate(url)
    seeded = await _seed(url, password, folder / "devices.json")
    say.done(f"a municipality with {seeded.residents} residents and {seeded.devices} devices")
    gateway = asyncio.create_task(serve(settings, url, ROLES, stop))
    if await _answers(settings, gateway):
        say.done("the gateway runs")
        print("\n".join(_told(Demo(settings, broker, folder, password, seeded))), flush=True)
        await simulate(_homes(folder, broker), live(), stop)
    stop.set()
    await gateway


async def _seed(url: str, password: str, devices: Path) -> seeding.Seeded:
    database, now = Database(url), SystemClock().now()
    await database.open()

    async def work(connection: Connection) -> seeding.Seeded:
        await install_defaults(connection, now)
        seeded = await seeding.seed(connection, now, password)
        await municipality.let_pass(connection, now)
        seeding.write_devices(await seeding.simulated(connection), devices)
        return seeded

    try:
        return await database.run(work)
    finally:
        await database.close()


async def _answers(settings: Settings, gateway: asyncio.Task[None]) -> bool:
    """Whether the page can be reached, within a while; False when the gateway ended instead."""
    async with asyncio.timeout(START_WITHIN):
        while not gateway.done():
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, settings.listen_port)
            except OSError:
                await pause(0.1)
                continue
            writer.close()
            return True
    return False


# What the demo is made of ---------------------------------------------------------------------------------------------


def _settings(folder: Path, port: int, broker: Broker) -> Settings:
    return load(
        {},
        environment="demo",
        data_folder=folder,
        mqtt_host=broker.host,
        mqtt_port=broker.port,
        mqtt_version=5 if broker.supports_mqtt5 else 3,
        listen_port=port,
        public_url=f"http://{LOOPBACK}:{port}",
        log_level="warning",
    )


def _homes(folder: Path, broker: Broker) -> Options:
    simulated = SimulatedBroker(broker.host, broker.port)
    return options_for(simulated, seeding.SITE, folder / "devices.json", 1, life=QUIET)


def _folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"{folder} cannot be made: {error.strerror}; name another with --folder") from None
    return folder.resolve()


def _password(folder: Path) -> str:
    """One for all accounts of this demo, made up once."""
    path = folder / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(6) + "\n", "utf-8")
    return path.read_text("utf-8").strip()


def _port(wanted: int, what: str) -> int:
    """The port that was asked for, or a free one where another program has it."""
    if wanted == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError:
            other = free_port()
            print(f"  ! port {wanted} is in use; the {what} takes {other} instead", flush=True)
            return other
    return wanted


# What it tells --------------------------------------------------------------------------------------------------------


class _Steps:
    """Progress, a line a step."""

    def __init__(self) -> None:
        self._began = SystemClock().now()

    def done(self, what: str) -> None:
        seconds = (SystemClock().now() - self._began).total_seconds()
        print(f"  ✓ {what} ({seconds:.1f} s)", flush=True)


def _told(demo: Demo) -> Iterator[str]:
    url = str(demo.settings.public_url).rstrip("/")
    now = SystemClock().now()
    yield ""
    yield f"  The page:   {url}        (the API: {url}/docs, how it is: {url}/health)"
    yield f"  Password:   {demo.password}    for each of these accounts:"
    yield f"              {_on_duty(now, demo.settings):<10} first on duty now in {seeding.ZONES[0]}"
    yield from (f"              {line}" for line in seeding.accounts_table(demo.seeded.accounts))
    yield ""
    yield f"  Make somebody fall ({FALLS} lives in {seeding.ZONES[0]}), in another window:"
    simulate = f"{_command()} simulate --port {demo.broker.port} --devices {demo.folder}/devices.json"
    yield f"    {simulate} --say {FALLS} fall"
    yield f"  or, in the same home, --say {', --say '.join(f'{address} {type_}' for address, type_ in MORE)}"
    if shutil.which("mosquitto_pub"):
        yield "  or with the broker's own tool:"
        body = (
            '{\\"id\\":\\"\'$(date +%s%N)\'\\",\\"time\\":\\"\'$(date -u +%FT%TZ)\'\\",\\"type\\":\\"fall\\"}'.replace(
                "\\", ""
            )
        )
        yield f"    mosquitto_pub -p {demo.broker.port} -q 1 -t hv/v1/{seeding.SITE}/fall_alarm/{FALLS}/alarm -m '{body}'"
    if not demo.broker.supports_mqtt5:
        yield ""
        yield f"  The broker is {demo.broker.name}, which is for trying out only: it may lose messages while the gateway is"
        yield "  away. Install Mosquitto (apt install mosquitto) and start the demo again for the real thing."
    yield ""
    yield "  Ctrl-C stops everything."


def _command() -> str:
    """This very command, as it can be typed."""
    path = Path(sys.argv[0])
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _on_duty(now: datetime, settings: Settings) -> str:
    """Whose shift it is, as the seeded roster has it."""
    hour = now.astimezone(settings.local).time()
    place = next((index for index, (start, end) in enumerate(seeding.SHIFTS) if start <= hour < end), 2)
    return f"vakt1{'abcd'[place]}"
