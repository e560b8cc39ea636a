"""Services that behave, and some that do not: real HTTP servers on loopback, each in threads of its own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from gateway.embedded import LOOPBACK


@dataclass(frozen=True, slots=True)
class Got:
    """A request. ``said``: its JSON, or the fields of its form."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        if "json" in self.headers.get("content-type", ""):
            said: dict[str, Any] = json.loads(self.body)
            return said
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Service:
    """What a service answers, and what it got. ``answers`` come first, one each; then always ``status`` and ``body``."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    repeats: bool = False
    """Whether it answers with everything that it was told, secrets and all."""
    got: list[Got] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """The service, open for business."""
    with _Server(service) as server:
        service.url = f"http://{LOOPBACK}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: Service) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.service = service


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        service = self.server.service
        headers = {name.lower(): value for name, value in self.headers.items()}
        got = Got(self.command, self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
        service.got.append(got)
        status, body = service.answers.pop(0) if service.answers else (service.status, service.body)
        if service.repeats:
            everything = " ".join((*headers.values(), got.path, got.body.decode()))
            body = json.dumps(dict.fromkeys(("error", "message", "description"), everything)).encode()
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **service.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET = _answer  # noqa: N815 - the names that http.server has

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        pass


# Out of their minds: each is given to ``tests.alerts.mail_servers.talking`` ------------------------------------------------


def drips_headers(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stop.wait(0.02):
        connection.sendall(b"X-More: to come\r\n")


def drips_a_body(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")
    while not stop.wait(0.02):
        connection.sendall(b" ")


def never_ends(connection: socket.socket, stop: threading.Event) -> None:
    """As fast as it can."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not stop.is_set():
        connection.sendall(b"2000\r\n" + b" " * 0x2000 + b"\r\n")


def hangs_up_in_the_middle(connection: socket.socket, stop: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id"')


def speaks_garbage_after_a_request(connection: socket.socket, stop: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"\xff\xfe\x00 250 OK, whatever you said\r\n\r\n" * 50)


def sends_a_page(connection: socket.socket, stop: threading.Event) -> None:
    """The page of a proxy that wants somebody to sign in."""
    connection.recv(65536)
    page = b"<html><body>Welcome to the guest network</body></html>"
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page)


def packs_nonsense(connection: socket.socket, stop: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!")
