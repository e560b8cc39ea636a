"""Mail servers that behave, and some that do not: real ones on loopback sockets, each in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gateway.embedded import LOOPBACK, free_port


@dataclass
class PostOffice:
    """What a mail server answers at each command, and the envelopes it took."""

    at_sender: str = "250 OK"
    at_recipient: str = "250 OK"
    at_data: str = "250 2.0.0 accepted"
    password: str | None = None
    port: int = 0
    taken: list[Envelope] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.at_sender

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.at_data.startswith("250"):
            self.taken.append(envelope)
        return self.at_data

    def checks(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password == (self.password or "").encode()
        return AuthResult(success=right, handled=False)


@contextmanager
def opened(office: PostOffice) -> Iterator[PostOffice]:
    """The post office, open for business."""
    office.port = free_port()
    authenticator = office.checks if office.password else None
    controller = Controller(
        office,
        hostname=LOOPBACK,
        port=office.port,
        authenticator=authenticator,
        auth_require_tls=False,
        ready_timeout=60,
    )
    controller.start()
    try:
        yield office
    finally:
        controller.stop()


@contextmanager
def talking(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A server that does ``talk`` with whoever connects, until it is told to stop; its port."""
    stop = threading.Event()
    with socket.create_server((LOOPBACK, 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, talk, stop))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(
    listening: socket.socket, talk: Callable[[socket.socket, threading.Event], None], stop: threading.Event
) -> None:
    with suppress(OSError):
        while not stop.is_set():
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                talk(connection, stop)


def says_nothing(connection: socket.socket, stop: threading.Event) -> None:
    stop.wait()


def hangs_up(connection: socket.socket, stop: threading.Event) -> None:
    """Closes as soon as somebody comes."""


def speaks_garbage(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"\xff\xfeHTTP/1.1 200 OK\r\n\r\n" * 50)
    stop.wait()


def drips(connection: socket.socket, stop: threading.Event) -> None:
    """A greeting without end: never silent for long, and never done."""
    while not stop.wait(0.02):
        connection.sendall(b"220-welcome\r\n")


def takes_and_never_says_goodbye(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"220 ready\r\n")
    lines = connection.makefile("rb")
    in_data = False
    for line in lines:
        if in_data:
            in_data = line != b".\r\n"
            reply = b"" if in_data else b"250 2.0.0 accepted\r\n"
        elif line.startswith(b"QUIT"):
            stop.wait()
            return
        else:
            in_data = line.startswith(b"DATA")
            reply = b"354 go on\r\n" if in_data else b"250 ok\r\n"
        connection.sendall(reply)
