"""Cursors: where the next page of a list begins. Made by us, opaque to others; any other text is Invalid.

A cursor names the last row shown and not how many were, so what opens or closes meanwhile hides nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.errors import Invalid
from gateway.store.said import Spot
from gateway.store.views import Position

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = 18
"""Digits that fit into 64 bits."""


def after(row: Mapping[str, Any], person: int) -> str:
    """Behind this row of the open alerts, as the person sees them."""
    others = person not in (row["holder_id"], row["offered_to_id"])
    moment = (row["raised_at"] - _EPOCH) // _MICROSECOND
    return f"{int(others)}.{row['severity']}.{moment}.{row['id']}"


def position(cursor: str | None) -> Position | None:
    """Where in the open alerts to go on."""
    if cursor is None:
        return None
    parts = cursor.split(".")
    if len(parts) != 4:
        raise _invalid(cursor)
    others, severity, moment, id_ = (_digits(part, cursor) for part in parts)
    try:
        return Position(bool(others), severity, _EPOCH + moment * _MICROSECOND, id_)
    except OverflowError:
        raise _invalid(cursor) from None


def behind(row: Mapping[str, Any]) -> str:
    """Behind this observation."""
    return f"{(row['received_at'] - _EPOCH) // _MICROSECOND}.{row['id']}"


def spot(cursor: str | None) -> Spot | None:
    """Where in what was said to go on."""
    if cursor is None:
        return None
    parts = cursor.split(".")
    if len(parts) != 2:
        raise _invalid(cursor)
    moment, id_ = (_digits(part, cursor) for part in parts)
    try:
        return Spot(_EPOCH + moment * _MICROSECOND, id_)
    except OverflowError:
        raise _invalid(cursor) from None


def number(cursor: str | None) -> int | None:
    """The inner id to go on before."""
    return None if cursor is None else _digits(cursor, cursor)


def uid(cursor: str | None) -> UUID | None:
    """The outer id to go on before."""
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError:
        raise _invalid(cursor) from None


async def row(cursor: str | None, find: Callable[[UUID], Awaitable[object]]) -> UUID | None:
    """The outer id to go on behind. Invalid where nothing of it is to be found, for the reader: behind it the list would
    seem to be at its end."""
    after = uid(cursor)
    if after is not None and await find(after) is None:
        raise _invalid(cursor)
    return after


def _digits(text: str, cursor: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST:
        raise _invalid(cursor)
    return int(text)


def _invalid(cursor: object) -> Invalid:
    return Invalid("cursor", f"{cursor!r:.40} is no cursor of ours", "leave it out to begin at the start")
