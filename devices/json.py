"""JSON from a device, with the limits that keep it storable: no NUL, no endless nesting, no giant numbers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from devices.model import DecodeError, Reason

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)
SMALL = 2**31
"""Most numbers are smaller, either way, and can be stored without a further look."""


def parse_object(payload: bytes) -> dict[str, Any]:
    """A JSON object, or DecodeError saying what is wrong with it."""
    return read_object(payload)[0]


def read_object(payload: bytes) -> tuple[dict[str, Any], bool]:
    """The same, and whether it is plain: nothing in it but texts without escapes, small numbers and truths, and no object
    inside either, as a name that comes twice may have said first."""
    if len(payload) > MAX_BYTES:
        raise DecodeError(Reason.TOO_LARGE, f"{len(payload)} bytes; at most {MAX_BYTES} are taken")
    try:
        value = from_json(payload, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise DecodeError(Reason.NOT_JSON, str(error)) from None
    if not isinstance(value, dict):
        raise DecodeError(Reason.NOT_JSON, f"a JSON object is expected, not {type(value).__name__}")
    plain = payload.find(b"\\") < 0 and payload.rfind(b"{") == 0 and _is_plain(value)  # nearly every message is
    if not plain:
        _check_storable(value, MAX_DEPTH)
    return value, plain


def _is_plain(value: dict[str, Any]) -> bool:
    for item in value.values():  # all(…) would take twice as long, and every message comes by here
        kind = type(item)
        if not (kind is str or kind is bool or (kind is int and -SMALL < item < SMALL)):
            return False
    return True


def content_hash(value: Mapping[str, Any], names: Iterable[str], *, plain: bool = False) -> bytes:
    """16 bytes that are equal for equal content, whatever the order of keys inside.

    ``names``: what counts, in alphabetical order. ``plain``: it is known that nothing in it is nested.
    """
    content = {}
    for name in names:  # a comprehension takes half as long again, and every message comes by here
        content[name] = value[name]
    if not plain and not _NESTED.isdisjoint(map(type, content.values())):
        content = _sorted(content)
    hashed = _EMPTY.copy()  # faster than a new one
    hashed.update(to_json(content))
    return hashed.digest()


_EMPTY = hashlib.blake2b(digest_size=16)
_NESTED = frozenset({dict, list})


def _sorted(value: Any) -> Any:
    """The same with its keys in order, at any depth."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def _check_storable(value: Any, depth: int) -> None:
    if depth < 0:
        raise DecodeError(Reason.NOT_STORABLE, f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if "\x00" in value:
            raise DecodeError(Reason.NOT_STORABLE, "a string contains the character U+0000")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_storable(key, depth)
            _check_storable(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item, depth - 1)
    elif isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
        raise DecodeError(Reason.NOT_STORABLE, "an integer needs more than 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise DecodeError(Reason.NOT_STORABLE, "a number is too large")
