"""Ecosystems that are there for tests alone, and found by the registry as all others are: for a block, this folder is one of those
in which it looks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devices import dialects
from devices.dialects import Dialect

HERE = str(Path(__file__).parent)
NAME = "one_topic"


@contextmanager
def one_topic() -> Iterator[Dialect]:
    """The ecosystem whose topics do not tell is known for the block."""
    dialects.__path__.append(HERE)
    _look_anew()
    try:
        yield dialects.dialects()[NAME]
    finally:
        dialects.__path__.remove(HERE)
        sys.modules.pop(f"{dialects.__name__}.{NAME}", None)
        _look_anew()


def _look_anew() -> None:
    dialects.dialects.cache_clear()
    dialects._in_order.cache_clear()
