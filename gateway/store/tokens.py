"""Tokens that let somebody in: a session's, a link's, a calendar's. Each is shown once; what is stored is its hash, which lets nobody in."""

from __future__ import annotations

from hashlib import sha256
from secrets import token_urlsafe

BYTES = 32
"""Nobody guesses that; so the hash needs neither salt nor time."""


def fresh() -> str:
    """A new one, of letters that can stand in an address."""
    return token_urlsafe(BYTES)


def hashed(token: str) -> bytes:
    """As it is stored and looked for."""
    return sha256(token.encode()).digest()
