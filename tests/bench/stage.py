"""What each leg of the bench stands on: a PostgreSQL for the run with a database of its own for each leg, a fresh broker, and
the gateway as people run it (``hjemmevakt serve``, all roles in one process, rules on).

Nothing is made cheaper than it is: fsync and synchronous_commit are on, and all settings of the gateway are its defaults.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from gateway.embedded import Broker, EmbeddedPostgres
from gateway.store.migrate import migrate
from tests.bench.town import Town, fill
from tests.support.processes import GatewayProcess

if TYPE_CHECKING:
    from tests.bench.account import Accounts

TICKS = os.sysconf("SC_CLK_TCK")


class Stage:
    """The servers of a run, and the accounts of what was said to them."""

    def __init__(self, postgres: EmbeddedPostgres, folder: Path, accounts: Accounts) -> None:
        self.postgres = postgres
        self.folder = folder
        self.accounts = accounts
        self._towns: dict[int, Town] = {}

    async def town(self, devices: int, leg: str) -> tuple[Town, str]:
        """A municipality with so many devices, and the URL of a database with it that is the leg's alone."""
        template = f"town_{devices}"
        if devices not in self._towns:
            self._create(template, "template0")
            await migrate(self.postgres.url_of(template))
            self._towns[devices] = await fill(self.postgres.url_of(template), devices, datetime.now(UTC))
        self._create(leg, template)
        return self._towns[devices], self.postgres.url_of(leg)

    @contextmanager
    def broker(self, leg: str) -> Iterator[Broker]:
        """A Mosquitto that has heard nothing yet."""
        with Broker(self.folder / leg, server="mosquitto") as broker:
            yield broker

    def gateway(self, leg: str, url: str, broker: Broker, **settings: Any) -> GatewayProcess:
        """Not yet started. Its canary is as rare as by default, and it is noon: doors that open at night are alerts."""
        return GatewayProcess(
            self.folder,
            leg,
            database_url=url,
            mqtt_port=broker.port,
            canary_seconds=5,
            time_zone=_where_it_is_noon(),
            **settings,
        )

    def spent(self, gateway: int, broker: Broker) -> Spent:
        """The processor time that was spent so far."""
        postmaster = int((self.postgres.data / "postmaster.pid").read_text().split()[0])
        return Spent(time.monotonic(), _seconds(gateway), _with_children(postmaster), _seconds(broker.pid or 0))

    def _create(self, name: str, template: str) -> None:
        with psycopg.connect(self.postgres.url_of("postgres"), autocommit=True) as connection:
            made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            connection.execute(made)
            connection.execute("CHECKPOINT")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: of the clock, and of processors by the gateway, PostgreSQL (all of it) and the broker."""

    clock: float
    gateway: float
    postgres: float
    broker: float

    def since(self, before: Spent) -> Spent:
        return Spent(
            self.clock - before.clock,
            self.gateway - before.gateway,
            self.postgres - before.postgres,
            self.broker - before.broker,
        )

    def told(self, messages: int) -> str:
        """Processor seconds for a thousand messages: comparable between runs, also where others use the machine."""
        thousands = max(messages, 1) / 1000
        parts = {"gateway": self.gateway, "PostgreSQL": self.postgres, "broker": self.broker}
        shares = ", ".join(f"{name} {seconds / thousands:.3f}" for name, seconds in parts.items())
        return f"CPU seconds a thousand messages: {shares}"


class Looking:
    """A connection that looks into a leg's database, cheaply."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def number(self, query: str) -> int:
        row = self._connection.execute(query.encode()).fetchone()
        return int(row[0] or 0) if row else 0

    def run(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def text(self, query: str) -> str:
        row = self._connection.execute(query.encode()).fetchone()
        return str(row[0]) if row else ""

    def begun(self) -> int:
        """Observations that got a number so far, committed or not: to count the rows would cost what is measured."""
        return self.number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM said_id")

    def stored(self) -> int:
        return self.number("SELECT count(*) FROM said")

    def known(self) -> int:
        """Different messages that are stored."""
        return self.number("SELECT count(*) FROM (SELECT DISTINCT device_id, message_id FROM said) o")

    def has(self, messages: int) -> bool:
        """Whether so many are stored and committed."""
        return self.begun() >= messages and self.stored() >= messages

    def close(self) -> None:
        self._connection.close()


@contextmanager
def looking(url: str) -> Iterator[Looking]:
    look = Looking(url)
    try:
        yield look
    finally:
        look.close()


async def until(reached: Callable[[], bool], every: float = 0.02, seconds: float = math.inf) -> None:
    """Or so long. The leg's time limit ends it in any case."""
    end = time.monotonic() + seconds
    while not reached() and time.monotonic() < end:
        await asyncio.sleep(every)


def peak_mb(pid: int) -> float:
    """The most memory that a process ever had (VmHWM), in megabytes."""
    if not _stat(pid) or not (told := Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2]):
        raise ProcessLookupError(f"process {pid} has ended by itself")
    return int(told.split()[0]) / 1024


def say(what: str) -> None:
    print(f"  {what}", flush=True)


def _where_it_is_noon() -> str:
    """A time zone. Etc/GMT-2 is two hours ahead of Greenwich."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _seconds(pid: int) -> float:
    return sum(map(int, _stat(pid)[11:13])) / TICKS


def _with_children(pid: int) -> float:
    """Of a process, of its children that live, and of those that have ended."""
    children = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    living = sum(_seconds(child) for child in children if _stat(child)[1:2] == [str(pid)])
    return living + sum(map(int, _stat(pid)[11:15])) / TICKS
