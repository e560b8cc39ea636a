"""Junk: mutations of the golden examples as well as noise, because noise alone seldom gets past the first check.

Seeded, so that a failure can be had again. `make fuzz` makes a million pieces of it; FUZZ says how many.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from random import Random
from typing import Any

from tests.devices.golden import all_examples

JUNK = int(os.environ.get("FUZZ", "10000"))
"""How many pieces a test of junk makes."""

SEEDS = tuple(example.message.payload for example in all_examples())
NASTY: tuple[Any, ...] = (
    None, True, -0.0, 1e308, 5e-324, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**400, "", "\0", "\x7f\u2028", "😀", "a" * 65,
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-11-22T03:10:00+24:00", "1795313400", [], {}, [[]],
    {"": {"": ""}}, {"\0": 1}, {"__class__": 1, "model_config": 2, "__pydantic_extra__": 3, "self": 4},
)  # fmt: skip
SPLICES = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\\u0000", b"\\ud800", b"NaN", b"Infinity", b"1e999", b"-1e999", b"9" * 5000, b"[" * 300,
    b'{"a":' * 300, b"\xef\xbb\xbf", b"//", b",", b'"', b"}", b"'",
)  # fmt: skip


def mutated(payload: bytes, random: Random) -> bytes:
    return random.choice(MUTATIONS)(payload, random)


def _noise(_: bytes, random: Random) -> bytes:
    return random.randbytes(random.randrange(40))


def _spliced(payload: bytes, random: Random) -> bytes:
    at = random.randrange(len(payload) + 1)
    return payload[:at] + random.choice(SPLICES) + payload[at + random.randrange(4) :]


def _flipped(payload: bytes, random: Random) -> bytes:
    turned = bytearray(payload or b"{}")
    turned[random.randrange(len(turned))] ^= 1 << random.randrange(8)
    return bytes(turned)


def _changed(payload: bytes, random: Random) -> bytes:
    """A value or a key replaced by something nasty, the rest left valid."""
    try:
        body = json.loads(payload)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {"x": body}
    key = random.choice([*body, "x", "\0", "", "__dict__"])
    body[key] = random.choice(NASTY)
    return json.dumps(body, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (_noise, _spliced, _flipped, _changed, _changed)
