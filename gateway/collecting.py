"""Collecting garbage less often: what the path makes of a batch is gone with it, without any help of the collector."""

from __future__ import annotations

import gc

COLLECT_AFTER = 50_000
"""Objects; Python's own 700 would collect twenty times for each batch, and go through all that stays again and again."""


def collect_less() -> None:
    """For the rest of the process; what is there by now stays, and is not looked through any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
