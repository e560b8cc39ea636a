"""A list in a form that works without any script: its buttons come back as ``do`` with what to do and which one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def done(items: Sequence[T], what: str, new: T, most: int, least: int = 0) -> list[T]:
    """The list after a button: ``add``, or ``up:N``, ``down:N``, ``remove:N``. What makes no sense changes nothing."""
    verb, _, which = what.partition(":")
    after, number = list(items), int(which) if which.isdecimal() and len(which) < 4 else -1
    if verb == "add" and len(after) < most:
        after.append(new)
    elif verb == "remove" and 0 <= number < len(after) and len(after) > least:
        del after[number]
    elif verb in ("up", "down"):
        other = number + (1 if verb == "down" else -1)
        if 0 <= number < len(after) and 0 <= other < len(after):
            after[number], after[other] = after[other], after[number]
    return after
