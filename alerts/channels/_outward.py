"""Code that reaches the internet only: whatever it does with an address, it is connected to no host of a private network.

Theory
    An address can say where it leads in a hundred ways, and a name can lead elsewhere the next time it is looked up. What is
    connected to cannot lie: it is looked at as the socket connects (the audit event ``socket.connect`` of Python), when it is
    too late to be another one. The hook is there once for the process, and minds the context that asks for it, and the threads
    to which a library passes its context on. A thread that is started without it is not minded.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from alerts.subscription import is_public

ASKED = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})


@dataclass
class Minded:
    """``hosts``: those of a private network that may be reached. ``refused``: whether something else was to be."""

    hosts: Collection[str]
    refused: bool = False


_minded: ContextVar[Minded | None] = ContextVar("minded", default=None)


@contextmanager
def outward_only(hosts: Collection[str]) -> Iterator[Minded]:
    """OSError for whoever connects elsewhere."""
    _install()
    minded = Minded(hosts)
    before = _minded.set(minded)
    try:
        yield minded
    finally:
        _minded.reset(before)


@cache
def _install() -> None:
    sys.addaudithook(_look)


def _look(event: str, told: tuple[Any, ...]) -> None:
    minded = _minded.get() if event in ASKED else None
    if minded is not None and not _may_be_reached(told[1], minded.hosts):
        minded.refused = True
        raise PermissionError("this is a host of a private network")


def _may_be_reached(to: Any, hosts: Collection[str]) -> bool:
    """``to``: as sockets have it; a path where it is a socket of this machine. A name, which nobody has looked up, is refused."""
    try:
        address = str(to[0]) if isinstance(to, tuple) else ""
        return is_public(address) or address in {each for host in hosts for each in addresses_of(host)}
    except ValueError:
        return False


def addresses_of(host: str) -> list[str]:
    """Of a host by number or name; none for what is no host. Numbers are read as the system reads them: 127.1, 0x7f000001."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]
