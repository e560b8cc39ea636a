"""Free ports, of which no two of a user's processes are given the same while both live.

Between being given a port and binding it time passes: a server starts, or is down and comes back. That nobody is bound to it
is not enough then. So each process locks its ports in one file, a byte a port; the system forgets the locks of a process that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import os
import socket
import tempfile
from pathlib import Path

from gateway.embedded.ground import EmbeddedError

LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 32_000)
"""Below those of which systems give one to whoever asks for any: nobody is given it before it is bound."""
_next_port = itertools.count(37 * os.getpid())
"""Each process begins at another place, so that it seldom comes upon what another has."""


def free_port() -> int:
    """A TCP port on the loopback that nobody uses right now; no other process is given it until this one ends, and this one not
    before all others. EmbeddedError where there is none."""
    for number in itertools.islice(_next_port, len(_PORTS)):
        port = _PORTS[number % len(_PORTS)]
        if not _becomes_ours(port):
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
        fcntl.lockf(_file(), fcntl.LOCK_UN, 1, port)
    raise EmbeddedError(f"no port between {_PORTS[0]} and {_PORTS[-1]} is free")


def _becomes_ours(port: int) -> bool:
    try:
        fcntl.lockf(_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise _unusable(error) from error
    return True


@functools.cache
def _file() -> int:
    """Open as long as this process lives: closing it would give up all of its locks."""
    try:
        return os.open(_path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(error) from error


def _path() -> Path:
    return Path(tempfile.gettempdir()) / f"hjemmevakt-ports-{os.getuid()}"


def _unusable(error: OSError) -> EmbeddedError:
    return EmbeddedError(
        f"{_path()}, in which ports are kept apart, cannot be used: {error.strerror}; remove it, or set TMPDIR to a folder of yours"
    )
