"""A push service and the browser behind it: takes pushes over HTTP (or HTTPS), checks who signed them, and decrypts with the keys
that only the browser has.

    with PushService() as service:
        phone = service.phone()
        … the gateway pushes to phone.subscription …
        assert service.told == [{"kind": "page", …}]
"""

from __future__ import annotations

import json
import os
import ssl
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import http_ece
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from alerts.subscription import Subscription

LOOPBACK = "127.0.0.1"


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Phone:
    """A browser with a subscription, and its secrets."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def subscription(self) -> Subscription:
        numbers = self.key.public_key().public_numbers()
        point = b"\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
        return Subscription(self.endpoint, base64url(point), base64url(self.secret))

    def reads(self, body: bytes) -> dict[str, Any]:
        """What was pushed. Raises where it was encrypted for somebody else, or changed on the way."""
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        found: dict[str, Any] = json.loads(plain)
        return found


@dataclass(frozen=True)
class Pushed:
    """A push as the service got it: its headers in small letters, the claims that were signed, and what the phone reads."""

    path: str
    headers: Mapping[str, str]
    claims: Mapping[str, Any]
    size: int
    told: Mapping[str, Any]


class PushService(ThreadingHTTPServer):
    """``answers``: the statuses of the next pushes, 201 when there are no more; None: no answer at all.
    ``retry_after``: what it says beside them."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__((LOOPBACK, 0), _Answer)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"
        self.host = LOOPBACK
        self.answers: list[int | None] = []
        self.retry_after = ""
        self.pushed: list[Pushed] = []
        self.faults: list[str] = []
        self.phones: dict[str, Phone] = {}
        self.leave = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def phone(self) -> Phone:
        """One more browser that has subscribed."""
        path = f"/push/{len(self.phones) + 1}"
        made = Phone(f"{self.scheme}://{self.host}:{self.server_port}{path}")
        self.phones[path] = made
        return made

    @property
    def told(self) -> list[Mapping[str, Any]]:
        return [each.told for each in self.pushed]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no fault of the service."""


class _Answer(BaseHTTPRequestHandler):
    server: PushService
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            claims = verified(headers["authorization"])
            read = self.server.phones[self.path].reads(body)
            self.server.pushed.append(Pushed(self.path, headers, claims, len(body), read))
        except Exception as fault:  # noqa: BLE001 - the test looks at it
            self.server.faults.append(repr(fault))
        answer = self.server.answers.pop(0) if self.server.answers else 201
        if answer is None:
            self.server.leave.wait(30)
            return
        self.send_response(answer)
        if 300 <= answer < 400:
            self.send_header("Location", "/elsewhere")
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        pass


def verified(authorization: str) -> dict[str, Any]:
    """The claims of a VAPID header (RFC 8292) and the key ``k``, where the signature is that key's. Raises where it is not."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid", scheme
    parts = dict(each.strip().split("=", 1) for each in rest.split(","))
    signed, _, signature = parts["t"].rpartition(".")
    raw = from_base64url(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(parts["k"]))
    key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    claims: dict[str, Any] = json.loads(from_base64url(signed.split(".")[1]))
    return {**claims, "k": parts["k"]}
