"""Our key for Web Push (VAPID, RFC 8292): a pair of P-256. Push services know us by it, and browsers subscribe with its public half.

A private key is a number from 1 to one less than the curve's order. To make and to check one takes no more than that; the package
that reckons with keys takes 7 MB, and is imported with the first push, or for the first browser that subscribes.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from secrets import randbelow
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

PRIVATE_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
WRONG = "must be the 32 bytes of a private key of P-256, as base64url"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (FIPS 186-4, D.1.2.3)."""


def fresh_key() -> str:
    """A new private key: its 32 bytes as base64url."""
    return base64url((1 + randbelow(ORDER - 1)).to_bytes(32))


def check_key(text: str) -> None:
    """ValueError for anything but a private key, which is not repeated."""
    if not PRIVATE_KEY.fullmatch(text) or not 0 < _number(text) < ORDER:
        raise ValueError(WRONG)


def read_key(text: str) -> ec.EllipticCurvePrivateKey:
    """A private key. ValueError for anything else, which is not repeated."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - see above

    check_key(text)
    return ec.derive_private_key(_number(text), ec.SECP256R1())


def public_key(text: str) -> str:
    """What a browser subscribes with (``applicationServerKey``), of a private key: base64url."""
    numbers = read_key(text).public_key().public_numbers()
    return base64url(b"\x04" + numbers.x.to_bytes(32) + numbers.y.to_bytes(32))


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(f"{text}="))
