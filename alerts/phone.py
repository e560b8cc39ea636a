"""Telephone numbers: as people write them, and as providers and we compare them (E.164, ITU-T)."""

from __future__ import annotations

import re

NORWAY = "+47"
_SIGNS = re.compile(r"[\s().\-\u00a0\u2011\u2013]")
_INTERNATIONAL = re.compile(r"\+[1-9]\d{6,14}")
_NORWEGIAN = re.compile(r"\+47([2-9]\d{7}|58\d{10}|59\d{10})")
"""Eight digits, the first from 2; twelve for the subscriptions of things (the Norwegian numbering plan, Nkom)."""


def e164(written: str) -> str:
    """``90 12 34 56``, ``0047 90123456`` and ``+47 901 23 456`` are +4790123456. ValueError for what is no number."""
    digits = _SIGNS.sub("", written.strip())
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif re.fullmatch(r"[2-9]\d{7}", digits):
        digits = f"{NORWAY}{digits}"
    is_number = _INTERNATIONAL.fullmatch(digits) if not digits.startswith(NORWAY) else _NORWEGIAN.fullmatch(digits)
    if not is_number or not digits.isascii():
        raise ValueError("must be a telephone number, as +47 901 23 456")
    return digits


def told(number: str) -> str | None:
    """A number as a provider tells it, some without the plus; None for what is none (a short code, a name)."""
    for written in (number, f"+{number}"):
        try:
            return e164(written)
        except ValueError:
            continue
    return None
