"""`hjemmevakt` as people run it: processes of their own, with real servers behind them.

    with GatewayProcess(folder, database_url=url, mqtt_port=broker.port) as gateway:
        gateway.start()
        await gateway.logged("lane.connected", lane="alarm")
        gateway.kill9()

`Homes` are simulated devices that remember what the broker acknowledged and what the gateway gave a receipt for.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiomqtt
import httpx
import psycopg
from psycopg.rows import dict_row

from devices.model import DeviceAddress, Said
from gateway import seed as seeding
from gateway.embedded import LOOPBACK, free_port
from gateway.embedded import Broker as BrokerProcess
from gateway.rulebook import install_defaults
from gateway.store.db import Connection, Database
from simulators.clock import live
from simulators.device import Device, Habits, Kept, Patience
from simulators.home import class_of
from simulators.link import Broker, Link

COMMAND = Path(sys.executable).with_name("hjemmevakt")
PASSWORD = "en lang setning uten mening"
A_WHILE = 90.0
"""Seconds. Nothing here takes this long; a machine that is busy with other things may."""
Found = TypeVar("Found")


def environment(**settings: object) -> dict[str, str]:
    """Ours, with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HJEMMEVAKT_")}
    return {**kept, **{f"HJEMMEVAKT_{name.upper()}": str(value) for name, value in settings.items()}}


def _of(release: Path | None) -> dict[str, str]:
    """The code in a folder instead of ours."""
    return {"PYTHONPATH": str(release), "PYTHONDONTWRITEBYTECODE": "1"} if release is not None else {}


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has asked for its exit code yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # not there, or gone between opening and reading
        return False


def written_at(path: Path) -> int:
    """When a file was written last, in nanoseconds; 0 where there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


async def command(*arguments: str, said: bytes = b"", seconds: float = 180, **settings: object) -> Finished:
    """Run `hjemmevakt` to its end."""
    process = await asyncio.create_subprocess_exec(
        str(COMMAND),
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**settings),
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate(said)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def eventually(look: Callable[[], Awaitable[Found]], what: str, seconds: float = A_WHILE) -> Found:
    """Look until there is something to be seen."""
    until = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}; last seen: {found!r}"
        await asyncio.sleep(0.1)
    return found


# The gateway ----------------------------------------------------------------------------------------------------------


class GatewayProcess:
    """`hjemmevakt serve`, started, killed and started again with the same settings; in the end nothing is left.
    ``release``: a folder with another one's code."""

    def __init__(
        self,
        folder: Path,
        name: str = "gateway",
        roles: str = "ingest,engine,web",
        release: Path | None = None,
        **settings: object,
    ) -> None:
        self.port = free_port()
        self.roles = roles
        self.release = release
        self.settings = {"environment": "test", "listen_port": self.port, "canary_seconds": 0.5, **settings}
        self._log = folder / f"{name}.log"
        self._begun = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, **more: object) -> None:
        """Start it; it is not yet ready."""
        assert self._process is None
        self._begun = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "serve", "--roles", self.roles], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment(**{**self.settings, **more}) | _of(self.release), start_new_session=True,
            )  # fmt: skip

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill9(self) -> None:
        """As the kernel does when memory runs out."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def ended(self, seconds: float = A_WHILE) -> int:
        """Its exit code, once it has ended."""
        process = self._process
        assert process is not None
        code = await asyncio.to_thread(process.wait, seconds)
        self._process = None
        return code

    async def stop(self) -> int:
        """As a service manager does."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # Seeing -----------------------------------------------------------------------------------------------------------

    @property
    def said(self) -> str:
        """All that it has written since it was started."""
        with self._log.open("rb") as log:
            log.seek(self._begun)
            return log.read().decode(errors="replace")

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log since it was started."""
        return [json.loads(line) for line in self.said.splitlines() if line.startswith("{") and line.endswith("}")]

    def entries(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log's lines of an event."""
        return [each for each in self.log if each["event"] == event and fields.items() <= each.items()]

    async def logged(self, event: str, seconds: float = A_WHILE, **fields: object) -> dict[str, Any]:
        """The last line of an event, once there is one."""

        async def look() -> list[dict[str, Any]]:
            assert self.running, self.said
            return self.entries(event, **fields)

        return (await eventually(look, f"{event} {fields} in the log", seconds))[-1]

    async def connected(self) -> None:
        """Both lanes of a site are up."""
        await self.logged("lane.connected", lane="alarm")
        await self.logged("lane.connected", lane="bulk")

    async def get(self, path: str) -> httpx.Response:
        """GET; 599 while nobody answers."""
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self.port}", timeout=20) as client:
            try:
                return await client.get(path)
            except httpx.TransportError:
                return httpx.Response(599)

    async def health(self) -> tuple[int, set[str]]:
        """The status of /health, and the reasons it gives."""
        answer = await self.get("/health")
        if answer.status_code == 599:
            return 599, set()
        return answer.status_code, {each["reason"] for each in answer.json()["findings"]}

    async def healthy(self) -> None:
        """Nothing is wrong."""
        await self.reports()

    async def reports(self, *reasons: str, seconds: float = A_WHILE) -> None:
        """Exactly this is wrong, and it says so within a while."""

        async def look() -> bool:
            return await self.health() == (503 if reasons else 200, set(reasons))

        try:
            await eventually(look, f"/health says {reasons}", seconds)
        except AssertionError:
            raise AssertionError(f"/health does not say {reasons}: {(await self.get('/health')).text}") from None

    @asynccontextmanager
    async def signed_in(self, username: str) -> AsyncIterator[httpx.AsyncClient]:
        """The API, as one of the seeded accounts."""

        async def answers() -> bool:
            return (await self.get("/health/live")).status_code == 200

        await eventually(answers, "the API answers")
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self.port}/api/v1", timeout=60) as client:
            answer = await client.post("/sessions", json={"username": username, "password": PASSWORD})
            assert answer.status_code == 201, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self.kill9()
        if kind is not None and self._log.exists():
            print(f"--- {self._log.name}\n{self._log.read_text(errors='replace')[-8000:]}")


# The municipality -----------------------------------------------------------------------------------------------------


async def rows(url: str, query: str, *arguments: Any) -> list[dict[str, Any]]:
    """Straight from the database."""
    connection = await psycopg.AsyncConnection.connect(url, row_factory=dict_row, autocommit=True)
    async with connection:
        cursor = await connection.execute(query.encode(), arguments or None)
        return await cursor.fetchall() if cursor.description else []


async def seeded(url: str, residents: int, now: datetime | None = None) -> None:
    """The municipality that `hjemmevakt seed` makes, with our password."""
    at = now or datetime.now(UTC)

    async def work(connection: Connection) -> None:
        await install_defaults(connection, at)
        await seeding.seed(connection, at, PASSWORD, residents=residents)

    database = Database(url)
    await database.open()
    try:
        await database.run(work)
    finally:
        await database.close()


@dataclass(frozen=True, order=True)
class Word:
    """Something that a device said."""

    address: str
    message_id: str


class Homes:
    """Devices on one connection. `said`, `acknowledged` (by the broker) and `receipted` (by the gateway) remember all."""

    def __init__(
        self, broker: BrokerProcess, devices: dict[str, str], site: str = seeding.SITE, patience: float = 1.5
    ) -> None:
        """``patience``: seconds after which something without a receipt is said again."""
        again = Patience(timedelta(seconds=patience), timedelta(seconds=2 * patience))
        habits = Habits(alarm=again, event=again, buffer=100_000)
        self._clock = live()
        self.devices = devices
        self._devices = {
            address: Device(DeviceAddress(site, "native", address), kind, habits) for address, kind in devices.items()
        }
        self.said: dict[Word, Said] = {}
        self.acknowledged: set[Word] = set()
        self.receipted: set[Word] = set()
        where = Broker(broker.host, broker.port, timeout=3)
        self._link = _NotingLink(where, list(self._devices.values()), self._clock, self._on_receipt)
        self._link.acknowledged = self.acknowledged

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Self]:
        """For the block, they live."""
        running = asyncio.create_task(self._link.run())
        try:
            yield self
        finally:
            running.cancel()
            await asyncio.wait({running})

    def say(self, address: str, type_: str, at: datetime | None = None, **fields: object) -> Word:
        """A device says something, now or at another time; it keeps it until the receipt, unless it is state."""
        device = self._devices[address]
        said = Said(at or self._clock.now(), class_of(device.kind, type_), type_, fields)
        word = Word(address, device.say(said, self._clock.now()).message_id)
        self.said[word] = said
        self._link.wake()
        return word

    @property
    def outstanding(self) -> int:
        """How much has no receipt yet."""
        return sum(len(device.outbox.kept) for device in self._devices.values())

    async def all_receipted(self, seconds: float = A_WHILE) -> None:
        async def look() -> bool:
            return self.outstanding == 0

        await eventually(look, "every message has its receipt", seconds)

    async def has_receipt(self, word: Word, seconds: float = A_WHILE) -> None:
        async def look() -> bool:
            return word in self.receipted

        await eventually(look, f"the receipt of {word}", seconds)

    async def has_reached_broker(self, *words: Word) -> None:
        async def look() -> bool:
            return self.acknowledged.issuperset(words)

        await eventually(look, "the broker has acknowledged it")

    def _on_receipt(self, device: Device, receipted: Any) -> None:
        self.receipted.add(Word(device.address.address, receipted.message_id))


class _NotingLink(Link):
    """The simulators' link, which remembers what the broker acknowledged."""

    acknowledged: set[Word]

    async def _send(self, client: aiomqtt.Client, device: Device, kept: Kept) -> None:
        if device.outbox.find(kept.message_id) is None:
            return  # its receipt has come, or it was state and there is newer
        await super()._send(client, device, kept)
        self.acknowledged.add(Word(device.address.address, kept.message_id))


async def stored_once(url: str, words: Sequence[Word]) -> list[tuple[Word, int]]:
    """What is not stored exactly once, and how often it is; empty when all is well."""
    found = await rows(
        url,
        """SELECT d.address, o.message_id, count(*) AS times FROM said o JOIN device d ON d.id = o.device_id
           GROUP BY 1, 2""",
    )
    times = {Word(each["address"], each["message_id"]): each["times"] for each in found}
    return [(word, times.get(word, 0)) for word in words if times.get(word, 0) != 1]


async def devices_of(url: str) -> dict[str, str]:
    """Every registered device's address and kind."""
    found = await rows(url, "SELECT address, kind FROM device WHERE registered ORDER BY address")
    return {each["address"]: each["kind"] for each in found}


async def alerts(url: str, condition: str | None = None) -> list[dict[str, Any]]:
    """Every alert, the oldest first."""
    found = await rows(url, "SELECT * FROM alert ORDER BY id")
    return [each for each in found if condition in (None, each["condition"])]
