"""Starting the demo, and ending it.

Rules
    What cannot be started is one clear line and exit code 2; a port that nobody asked for by name is replaced.
    A signal is noted at once and obeyed between two steps, so that nothing is half started; the loop obeys at once. The
    servers' programs stand outside of the terminal's group and never hear it themselves.
    The gateway and the homes live in this process, the two servers are stopped in order. What was stored stays.
"""

from __future__ import annotations

import asyncio
import fcntl
import secrets
import signal
import socket
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TypeVar

from gateway import seed as seeding
from gateway.app import Gateway
from gateway.clock import SystemClock, pause
from gateway.demo import happen
from gateway.demo.stage import Stage
from gateway.demo.tell import Progress, Running, told
from gateway.embedded import LOOPBACK, Broker, EmbeddedError, EmbeddedPostgres, free_port
from gateway.log import set_up
from gateway.rulebook import install_defaults
from gateway.serve import serve
from gateway.settings import Role, Settings, load
from gateway.store import municipality
from gateway.store.db import Connection, DatabaseGone, opened
from gateway.store.migrate import migrate
from gateway.tasks import end

ROLES: tuple[Role, ...] = ("ingest", "engine", "web")
START_WITHIN = 60.0
PAGE_PORT, BROKER_PORT = 8080, 1883
Result = TypeVar("Result")


class Stopped(Exception):
    """Somebody asked us to stop while we were starting."""


class Stop:
    """Notes Ctrl-C and its kin, from the first moment to the last."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.event: asyncio.Event | None = None
        for each in self.SIGNALS:
            signal.signal(each, self._note)

    def check(self) -> None:
        """Stopped where somebody has asked."""
        if self.asked:
            raise Stopped

    def listen(self) -> asyncio.Event:
        """From now on the running loop is told, too."""
        self._loop, self.event = asyncio.get_running_loop(), asyncio.Event()
        if self.asked:
            self.event.set()
        return self.event

    def deaf(self) -> None:
        """The loop ends."""
        self._loop = None

    async def unless(self, work: Awaitable[Result]) -> Result:
        """The work's result. Stopped, and the work cancelled, where somebody asks meanwhile."""
        event = self.event or self.listen()
        doing, stopping = asyncio.ensure_future(work), asyncio.create_task(event.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise Stopped
            return doing.result()
        finally:
            await end([doing, stopping])

    def _note(self, *_: object) -> None:
        self.asked = True
        if self._loop is not None and self.event is not None:
            self._loop.call_soon_threadsafe(self.event.set)


def run(folder: Path, port: int | None, mqtt_port: int | None) -> int:
    """Until Ctrl-C. The exit code. EmbeddedError, in a clear line, when something cannot be started.

    Ports: None takes the usual one, or a free one where another program has it; 0 takes a free one.
    """
    stop, progress = Stop(), Progress()
    try:
        with _one_line(folder), ExitStack() as running:
            running.enter_context(_alone(_folder(folder)))
            _run(folder.resolve(), port, mqtt_port, stop, progress, running)
    except Stopped:
        pass
    progress.line(f"\nStopped; nothing is left running. What was stored is kept in {folder}")
    return 0


def _run(
    folder: Path, port: int | None, mqtt_port: int | None, stop: Stop, progress: Progress, running: ExitStack
) -> None:
    page_port = _port(port, PAGE_PORT, "pages", progress)
    broker = Broker(folder / "broker", _port(mqtt_port, BROKER_PORT, "broker", progress))
    stop.check()
    with progress.step("starting PostgreSQL") as done:
        postgres = running.enter_context(EmbeddedPostgres(folder / "postgres"))
        done.append("PostgreSQL runs")
    stop.check()
    with progress.step(f"starting the broker, {broker.name}") as done:
        running.enter_context(broker)
        done.append(f"{broker.name} runs at {broker.host}:{broker.port}")
    stop.check()
    settings = _settings(folder, page_port, broker)
    set_up("warning")
    try:
        asyncio.run(_demo(folder, postgres.url, broker, settings, stop, progress))
    finally:
        stop.deaf()


async def _demo(folder: Path, url: str, broker: Broker, settings: Settings, stop: Stop, progress: Progress) -> None:
    event = stop.listen()
    password = _password(folder)
    with progress.step("making the tables, and a municipality") as done:
        await stop.unless(migrate(url))
        seeded = await stop.unless(_seed(url, password, folder / "devices.json"))
        done.append(f"a municipality with {seeded.residents} residents and {seeded.devices} devices")
    staged: asyncio.Future[Stage] = asyncio.get_running_loop().create_future()

    def stage_of(gateway: Gateway) -> Stage:
        staged.set_result(Stage(gateway, broker, seeded.accounts, folder / "devices.json"))
        return staged.result()

    gateway = asyncio.create_task(serve(settings, url, ROLES, event, stage_of))
    try:
        with progress.step("starting the gateway") as done:
            await stop.unless(_answers(settings, gateway))
            stage = await stop.unless(_listens(staged, gateway))
            done.append("the gateway runs, and listens to the homes")
        _tell(stage, settings, folder, broker, password, progress)
        await stop.unless(_together(gateway, stage))
    finally:
        event.set()
        await gateway


async def _together(gateway: asyncio.Task[None], stage: Stage) -> None:
    """The town lives as long as the gateway does; what fails in it ends both."""
    town = asyncio.create_task(stage.run())
    try:
        done, _ = await asyncio.wait({gateway, town}, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        await end([town])


def _tell(stage: Stage, settings: Settings, folder: Path, broker: Broker, password: str, progress: Progress) -> None:
    url = str(settings.public_url).rstrip("/")
    running = Running(url, broker, folder, password, stage.visitors(), progress.seconds)
    for line in told(running):
        progress.line(line)


async def _seed(url: str, password: str, devices: Path) -> seeding.Seeded:
    now = SystemClock().now()

    async def work(connection: Connection) -> seeding.Seeded:
        await install_defaults(connection, now)
        seeded = await seeding.seed(connection, now, password)
        await happen.prepare(connection, now)
        await municipality.let_pass(connection, now)
        seeding.write_devices(await seeding.simulated(connection), devices)
        return seeded

    async with opened(url) as database:
        return await database.run(work)


async def _answers(settings: Settings, gateway: asyncio.Task[None]) -> None:
    """The pages can be reached. EmbeddedError where they cannot, within a while; the gateway's own error where it ended."""
    try:
        async with asyncio.timeout(START_WITHIN):
            while not gateway.done():
                try:
                    _, writer = await asyncio.open_connection(LOOPBACK, settings.listen_port)
                except OSError:
                    await pause(0.05)
                    continue
                writer.close()
                return
    except TimeoutError:
        raise EmbeddedError(f"the gateway did not answer within {START_WITHIN:.0f} s; try again") from None
    await gateway


async def _listens(staged: asyncio.Future[Stage], gateway: asyncio.Task[None]) -> Stage:
    """Both lanes are connected: what is said from now on is heard. EmbeddedError where they are not, within a while."""
    try:
        async with asyncio.timeout(START_WITHIN):
            stage = await staged
            while not stage.listens and not gateway.done():
                await pause(0.05)
            return stage
    except TimeoutError:
        raise EmbeddedError(f"the gateway did not reach the broker within {START_WITHIN:.0f} s; try again") from None


# What it stands on ----------------------------------------------------------------------------------------------------


@contextmanager
def _one_line(folder: Path) -> Iterator[None]:
    """What goes wrong with files and the database while we start is a line."""
    try:
        yield
    except EmbeddedError as error:
        if "No space left on device" in str(error):
            raise EmbeddedError(f"no space is left for {folder}: free some, or name another --folder") from None
        raise
    except DatabaseGone as error:
        told_by = str(error).strip().splitlines() or [type(error).__name__]
        raise EmbeddedError(f"the demo's database in {folder} cannot be used: {told_by[0]}") from None
    except OSError as error:
        where = error.filename or folder
        raise EmbeddedError(f"{where}: {error.strerror or error}; free some space or name another --folder") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One demo a folder. The kernel lets go of the lock however we end."""
    with (folder / "demo.lock").open("a") as file:
        _lock(file, folder)
        yield


def _lock(file: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        told_why = f"a demo runs already on {folder}: stop that one first, or name another --folder"
        raise EmbeddedError(told_why) from None


def _folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"{folder} cannot be made: {error.strerror}; name another with --folder") from None
    return folder.resolve()


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
        settle_seconds=10,  # the homes are back within a second
        log_level="warning",
    )


def _password(folder: Path) -> str:
    """One for all accounts of this demo, made up once."""
    path = folder / "password"
    if not path.exists() or not path.read_text("utf-8").strip():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(6) + "\n", "utf-8")
    return path.read_text("utf-8").strip()


def _port(wanted: int | None, usual: int, what: str, progress: Progress) -> int:
    """The port that was asked for. EmbeddedError where another program has it; a usual one is replaced by a free one."""
    if wanted == 0:
        return free_port()
    if _is_free(wanted or usual):
        return wanted or usual
    if wanted is not None:
        raise EmbeddedError(f"port {wanted} for the {what} is in use by another program; name another, or 0 for any")
    other = free_port()
    progress.line(f"  ! port {usual} is in use by another program; for the {what} it is {other} instead")
    return other


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
