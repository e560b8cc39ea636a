"""What servers that come along stand on: folders of their own, a user without rights, locks, and the end of a log."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypedDict

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


class Server:
    """A server that runs while a block does."""

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"cannot create the folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EmbeddedError(f"cannot write to the folder {folder}: choose another one, or change its owner")


def identity() -> Identity:
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


def give_to_server_user(path: Path) -> None:
    if os.geteuid() == 0:
        identity()
        shutil.chown(path, SERVER_USER, SERVER_USER)


def open_for_server_user(owned: Sequence[Path], program: Path | None = None) -> None:
    """As root: the server's user owns these paths, can walk to them (not list what lies on the way), and read `program`."""
    if os.geteuid() != 0:
        return
    for path in owned:
        give_to_server_user(path)
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
def locked(path: Path) -> Iterator[None]:
    """Hold `path` alone for a moment; waits for its turn."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def shared(path: Path) -> IO[bytes]:
    """Hold `path` together with others, until the file is closed or the process is gone."""
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def nobody_holds(path: Path) -> bool:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def tail(path: Path, lines: int = 15) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"
