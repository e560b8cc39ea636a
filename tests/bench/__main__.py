"""``make bench``: how fast what waits in the broker is stored, against the least that could be done with it.

Everything is real and of its own: PostgreSQL with fsync and synchronous_commit on, Mosquitto, a gateway process with all rules.
A gateway makes its sessions and stops; devices publish; then it starts again, and the time runs until all is stored. The ceiling
is ``mosquitto_sub`` into ``psql COPY``, drained from a session of its own in the same run: no validation, no rules, no identity.
The figures of two runs on a shared machine say little; the ratio of one run says something. The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from gateway.embedded import Broker, EmbeddedPostgres, free_port, installation
from gateway.seed import SITE
from gateway.store.migrate import migrate
from tests.bench.load import messages, publish
from tests.bench.town import fill

PATIENCE = 600.0
Said = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Drained:
    """A queue that was stored: how many a second, and how many megabytes the process took at most."""

    per_second: float
    seconds: float
    rss_mb: float = 0.0


def main() -> int:
    arguments = _arguments()
    if shutil.which("mosquitto_sub") is None:
        print("bench: mosquitto_sub is missing (Debian: apt-get install mosquitto-clients)", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="hjemmevakt-bench-"))
    try:
        with EmbeddedPostgres(folder / "postgres") as postgres, Broker(folder / "broker", server="mosquitto") as broker:
            _bench(arguments.devices, arguments.messages, postgres, broker, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _bench(devices: int, count: int, postgres: EmbeddedPostgres, broker: Broker, folder: Path) -> None:
    asyncio.run(migrate(postgres.url))
    _say(f"{os.cpu_count()} processors, {devices} devices, {count} messages, 1 % of them twice, 0.1 % alarms")
    _say(", ".join(f"{name} {_one(postgres.url, f'SHOW {name}')}" for name in ("fsync", "synchronous_commit")))
    town = asyncio.run(fill(postgres.url, devices, datetime.now(UTC)))
    said = list(messages(town.site, town.devices, count, datetime.now(UTC)))
    ours = _gateway_drains(said, postgres, broker, folder)
    ceiling = _ceiling_drains(said, postgres, broker, folder)
    different = len(set(said))
    stored = int(_one(postgres.url, "SELECT count(*) FROM observation"))
    known = int(_one(postgres.url, "SELECT count(*) FROM (SELECT DISTINCT device_id, message_id FROM observation) o"))
    figures = {
        "ingest_per_s": round(ours.per_second),
        "ceiling_per_s": round(ceiling.per_second),
        "ratio": round(ours.per_second / ceiling.per_second, 3),
        "rss_mb": round(ours.rss_mb),
        "lost": different - known,
        "duplicated": stored - known,
    }
    for name, value in figures.items():
        _say(f"{name:<14} {value:>10}")
    print(json.dumps(figures))


def _gateway_drains(said: Said, postgres: EmbeddedPostgres, broker: Broker, folder: Path) -> Drained:
    log = folder / "gateway.log"
    with _gateway(postgres.url, broker, log):
        _until(lambda: _connected(postgres.url), "the gateway connects")
    _publish(said, broker)
    different = len(set(said))
    with _gateway(postgres.url, broker, log) as process:
        _until(lambda: _count(postgres.url) > 0, "the first message is stored")
        begun, first = time.monotonic(), _count(postgres.url)
        _until(lambda: _count(postgres.url) >= different, "everything is stored")
        seconds = time.monotonic() - begun
        rss = _peak_mb(process.pid)
    return Drained((different - first) / seconds, seconds, rss)


def _ceiling_drains(said: Said, postgres: EmbeddedPostgres, broker: Broker, folder: Path) -> Drained:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE ceiling (topic text, payload text)")
    session = f"mosquitto_sub -h {broker.host} -p {broker.port} -c -i bench-ceiling -q 1 -t 'hv/v1/{SITE}/#'"
    subprocess.run(f"{session} -E", shell=True, check=True, timeout=30)  # until its subscription is acknowledged
    _publish(said, broker)
    psql = f"{installation()}/bin/psql '{postgres.url}' -q -c 'COPY ceiling FROM STDIN'"
    begun = time.monotonic()
    subprocess.run(
        f"{session} -F '%t\t%p' -C {len(said)} | {psql}", shell=True, check=True, cwd=folder, timeout=PATIENCE
    )
    seconds = time.monotonic() - begun
    return Drained(len(said) / seconds, seconds)


# Parts ----------------------------------------------------------------------------------------------------------------


@contextmanager
def _gateway(url: str, broker: Broker, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway that ingests and keeps time, and nothing else."""
    settings = {
        "DATABASE_URL": url,
        "MQTT_HOST": broker.host,
        "MQTT_PORT": str(broker.port),
        "LISTEN_PORT": str(free_port()),
        "ENVIRONMENT": "test",
        "LOG_LEVEL": "warning",
    }
    environment = {**os.environ, **{f"HJEMMEVAKT_{name}": value for name, value in settings.items()}}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--roles", "ingest,engine"],
            env=environment, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield process
        if process.poll() is not None:
            raise RuntimeError(f"the gateway has ended:\n{log.read_text()[-2000:]}")
    finally:
        process.terminate()
        process.wait(30)


def _publish(said: Said, broker: Broker) -> None:
    begun = time.monotonic()
    publish(broker.host, broker.port, iter(said))
    _say(f"published and acknowledged: {len(said)} in {time.monotonic() - begun:.1f} s")


def _until(reached: object, what: str) -> None:
    assert callable(reached)
    end = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain until {what}")
        time.sleep(0.2)


def _connected(url: str) -> bool:
    return int(_one(url, "SELECT count(*) FROM site_lane WHERE heard_until IS NOT NULL")) == 2


def _count(url: str) -> int:
    """Counted by the table's own statistics of what was inserted: to count the rows would cost what is measured."""
    return int(_one(url, "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'observation'"))


def _one(url: str, query: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else "0"


def _peak_mb(pid: int) -> float:
    told = Path(f"/proc/{pid}/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def _say(what: str) -> None:
    print(f"  {what}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench", description="What waits in the broker is stored: how fast?")
    parser.add_argument("--devices", type=int, default=20_000)
    parser.add_argument("--messages", type=int, default=200_000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
