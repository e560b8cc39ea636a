"""Our key for Web Push (VAPID, RFC 8292): a pair of P-256. Push services know us by it, and browsers subscribe with its public half."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec

PRIVATE_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
WRONG = "must be the 32 bytes of a private key of P-256, as base64url"


def fresh_key() -> str:
    """A new private key: its 32 bytes as base64url."""
    return base64url(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32))


def read_key(text: str) -> ec.EllipticCurvePrivateKey:
    """A private key. ValueError for anything else, which is not repeated."""
    if not PRIVATE_KEY.fullmatch(text):
        raise ValueError(WRONG)
    try:
        return ec.derive_private_key(int.from_bytes(urlsafe_b64decode(f"{text}=")), ec.SECP256R1())
    except ValueError:
        raise ValueError(WRONG) from None


def public_key(text: str) -> str:
    """What a browser subscribes with (``applicationServerKey``), of a private key: base64url."""
    numbers = read_key(text).public_key().public_numbers()
    return base64url(b"\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32))


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
