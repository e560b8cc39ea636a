"""PostgreSQL 17 with TimescaleDB in WebAssembly, a process for each test that asks.

Known limits (tried): ONE connection at a time – a second one waits, and when it gives up the server is of no use any
more; COPY ends it; statement_timeout is not obeyed; the time zone calls itself GMT. Nothing is kept on disk.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import IO

import psycopg

from gateway.store.migrate import Migration
from tests.support import parts

START_SECONDS = 60


@contextmanager
def timescale_server() -> Iterator[str]:
    """The URL of a new, empty server."""
    node = parts.program("Node (apt: nodejs npm)", "node", "nodejs")
    if not (parts.TIMESCALE / "node_modules").is_dir():
        parts.missing("tests/support/timescale/node_modules (npm ci)")
    with subprocess.Popen(
        [node, "--liftoff-only", "server.js"],
        cwd=parts.TIMESCALE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            where = json.loads(_first_line(process.stdout))
            yield f"postgresql://postgres:postgres@{where['host']}:{where['port']}/postgres?sslmode=disable"
        finally:
            process.kill()


def _first_line(stream: IO[bytes]) -> bytes:
    lines: Queue[bytes] = Queue()
    Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=START_SECONDS)
    except Empty:
        raise TimeoutError(f"TimescaleDB for tests was not ready after {START_SECONDS} s") from None
    assert line, "TimescaleDB for tests ended before it was ready; its error output is above"
    return line


def in_one_session(every: Sequence[Migration]) -> list[Migration]:
    """Migrations as they can be made there: no index is built beside a second session."""
    return [Migration(each.name, each.statements.replace("CONCURRENTLY ", "")) for each in every]


def forget_prepared(url: str) -> None:
    """All connections are one session there: what one has prepared is in the way of the next."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DEALLOCATE ALL")
