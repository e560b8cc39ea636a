"""Values that are made by the hundred thousand: frozen for whoever writes code, without what freezing costs while it runs.

A frozen dataclass sets each field through ``object.__setattr__``, which makes a value of ten fields three times as dear to
make; and of each message from a home a handful are made. So here the type checker alone holds that nothing is changed. It
is for the few values that every message passes through; whatever else is a value is a frozen dataclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool, slots: bool):
        """As ``dataclass``; ``frozen`` is left to the type checker, and equal values have equal hashes all the same."""
        return dataclass(slots=slots, unsafe_hash=frozen)


made = tuple.__new__
"""``made(Pair, (one, other))``: the named tuple that ``Pair(one, other)`` is, in half the time: no function in between."""

__all__ = ["made", "value"]
