"""pg_dump and pg_restore: which of those on this machine fits a server, and how it is run.

Rules
    The program is at least as new as the server (an older one does not know what it would lose), and of those the oldest:
    what a newer one writes, an older server may not read. Looked at are PATH, Debian's folders, and the wheel of the
    database that comes along.
    How to connect is handed over in the environment, which only this user can read; never as an argument.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gateway.embedded import EmbeddedError, installation
from gateway.errors import GatewayError

DEBIAN = Path("/usr/lib/postgresql")
LONGEST_ERROR = 2000


class NoProgram(GatewayError):
    """No program fits the server; which to install."""


class ProgramFailed(GatewayError):
    """pg_dump or pg_restore ended with an error; what it said."""


def fitting(name: str, server: int) -> Path:
    """The program for a server (as 170004). NoProgram when there is none."""
    found = sorted(_versions(name))
    for major, path in found:
        if major >= server // 10000:
            return path
    have = f"only that of PostgreSQL {found[-1][0]} is here" if found else "there is none here"
    wanted = server // 10000
    raise NoProgram(f"no {name} for PostgreSQL {wanted}, {have}: install postgresql-client-{wanted} or a newer one")


def _versions(name: str) -> Iterator[tuple[int, Path]]:
    for path in dict.fromkeys(_places(name)):
        major = _major(path)
        if major is not None:
            yield major, path


def _places(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    yield from DEBIAN.glob(f"*/bin/{name}")
    try:
        yield installation() / "bin" / name
    except EmbeddedError:
        return


def _major(path: Path) -> int | None:
    """Debian's program on PATH is a script that takes the newest; whatever answers is asked."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(said.group(1)) if said else None


@contextmanager
def running(path: Path, arguments: Sequence[str], connection: Mapping[str, str], *, reads: bool) -> Iterator[IO[bytes]]:
    """The program at work, and the end of its pipe: what it reads, or what it writes. ProgramFailed where it fails; it does
    not outlive the block."""
    process = subprocess.Popen(
        [path, *arguments],
        stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**_plain(), **connection},
        bufsize=0,
    )
    pipe = process.stdin if reads else process.stdout
    assert pipe is not None
    assert process.stderr is not None
    try:
        try:
            yield pipe
            pipe.close()
        except BrokenPipeError:
            pass  # it has ended, and says why
        said = process.stderr.read().decode(errors="replace").strip()
        code = process.wait()
    finally:
        process.kill()
        process.wait()
        for each in (pipe, process.stderr):
            each.close()
    if code != 0:
        raise ProgramFailed(f"{path.name} failed ({code}): {said[-LONGEST_ERROR:] or 'it said nothing'}")


def _plain() -> dict[str, str]:
    """What steers libpq steers the gateway's own connection in the same way, so it stays."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HJEMMEVAKT_")}
    return {**kept, "LC_ALL": "C"}
