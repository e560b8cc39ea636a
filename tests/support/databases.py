"""Databases for tests: one server for each worker, a fresh database for each test.

The server is ours (the wheel's PostgreSQL, not durable; in memory where the machine has some for files: a database is 800 of
them, and on a disk they take half a second), or the one that HJEMMEVAKT_DATABASE_URL names; there only
databases of ours are created and dropped, by a role that needs to be no superuser: CREATEDB is enough.

New databases of a named server are made from its `template1`. Where our role may not create the extension timescaledb, a
superuser puts it there, and every test has it. TimescaleDB's background workers connect to each database that has the
extension, but to no template (they end when they find that it is one): the migrated one, from which all others are copied,
is marked as such. A worker that is still about is a reason to try again.
"""

import asyncio
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.embedded import EmbeddedPostgres

_KEPT = "TESTS_DATABASE_URL"
MEMORY = Path("/dev/shm")
ENOUGH = 2 * 1024**3
"""Bytes. A worker's server takes some 200 MB; containers often have 64 MB here."""
TRIES = 10
SOMEBODY_IS_CONNECTED = (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege)
"""A background worker, which is a superuser's: it goes by itself, we may not end it."""


def named_server() -> str | None:
    """The server named by the environment. Taken out of it, so that no test's settings point there by accident."""
    url = os.environ.pop("HJEMMEVAKT_DATABASE_URL", None)
    if url:
        os.environ[_KEPT] = url  # xdist's workers inherit this one
    return os.environ.get(_KEPT)


@contextmanager
def short_folder(prefix: str = "hv-", within: Path = Path("/tmp")) -> Iterator[Path]:
    """A folder with a path short enough for sockets, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A PostgreSQL server on which tests may create databases. ``template``: what new ones are made from."""

    def __init__(self, url: str, template: str = "template0") -> None:
        self.url = url
        self._template = template
        self._migrated: dict[str, str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def fresh(self, template: str | None = None) -> Iterator[str]:
        """The URL of a new database, dropped afterwards, also when somebody is still connected."""
        name = self._create(template or self._template)
        try:
            yield self._url_of(name)
        finally:
            self._drop(name)

    @contextmanager
    def migrated(self, migrate: Callable[[str], Awaitable[object]], kind: str = "whole") -> Iterator[str]:
        """The same with our tables in it: migrated once for each worker and ``kind``, then copied."""
        with self._lock:
            if kind not in self._migrated:
                made = self._migrated[kind] = self._create(self._template)
                _run(migrate, self._url_of(made))
                self._is_template(made, "true")
        with self.fresh(template=self._migrated[kind]) as url:
            yield url

    @property
    def offers_timescale(self) -> bool:
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
            return found is not None

    @property
    def may_restore(self) -> bool:
        """Whether a backup of a migrated database can be restored here: of one with TimescaleDB by a superuser only."""
        with psycopg.connect(self.url) as connection:
            query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            return connection.execute(query).fetchone() == (True,) or not self.offers_timescale

    def close(self) -> None:
        for name in self._migrated.values():
            self._is_template(name, "false")
            self._drop(name)

    def _create(self, template: str) -> str:
        name = f"hv_test_{uuid.uuid4().hex[:16]}"
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def _drop(self, name: str) -> None:
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _is_template(self, name: str, value: str) -> None:
        self._execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE {}").format(sql.Identifier(name), sql.SQL(value)))

    def _execute(self, statement: sql.Composed) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    connection.execute(statement)
                return
            except SOMEBODY_IS_CONNECTED:
                if not tries_left:
                    raise
                time.sleep(0.5)

    def _url_of(self, name: str) -> str:
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()


@contextmanager
def server() -> Iterator[Server]:
    """The named server, else one of our own in a folder of its own."""
    named = named_server()
    if named is not None:
        yield from _closing(Server(named, template="template1"))
        return
    with short_folder(within=_quick_place()) as folder, EmbeddedPostgres(folder, durable=False) as postgres:
        yield from _closing(Server(postgres.url_of("postgres")))


@contextmanager
def refused(url: str) -> Iterator[None]:
    """Nobody gets into this database any more, and whoever is in it is thrown out."""
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            while admin.execute(  # who was let in just before is seen a moment later
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            ).rowcount:
                time.sleep(0.05)
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def _quick_place() -> Path:
    """Memory, where there is enough of it."""
    there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH
    return MEMORY if there else Path("/tmp")


def _closing(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.close()


def _run(work: Callable[[str], Awaitable[object]], url: str) -> None:
    """Run a coroutine in a thread of its own: the loop of the test that asks is left alone."""

    async def finish() -> None:
        await work(url)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, finish()).result()
