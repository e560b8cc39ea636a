"""Buckets of time: the edges of equal minutes or hours, or of days as people live them.

Theory
    Minutes and hours are lengths: such buckets are equally long, and counted from a local midnight. A day is a date: it
    begins at midnight where people live, so that one in spring has 23 hours and one in autumn 25. Nothing is lost or
    counted twice on either; a bucket of so many days ends at the midnight so many dates later.
    The edges reach out to whole buckets around what was asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from gateway.errors import Invalid

MOST = 1000
"""Buckets at once."""
_WRITTEN = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_MINUTES = {"m": 1, "h": 60}


@dataclass(frozen=True, slots=True)
class Width:
    """How wide a bucket is: so many minutes, or so many local days."""

    minutes: int = 0
    days: int = 0

    @property
    def about(self) -> timedelta:
        return timedelta(minutes=self.minutes, days=self.days)


def width(text: str) -> Width:
    """``15m``, ``6h`` or ``1d``. Invalid for anything else, and for more than 31 days."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise _invalid(text)
    number, unit = int(written[1]), written[2]
    found = Width(days=number) if unit == "d" else Width(minutes=number * _MINUTES[unit])
    if found.about > timedelta(days=31):
        raise _invalid(text)
    return found


def edges(since: datetime, until: datetime, wide: Width, local: tzinfo) -> list[datetime]:
    """Where buckets begin, and at last where they end; in UTC. Invalid where there are more than :data:`MOST`."""
    if (until - since) / wide.about > MOST:
        raise Invalid(
            "too_many",
            f"that is more than {MOST} buckets",
            "ask for wider buckets, or for less time",
        )
    return _days(since, until, wide.days, local) if wide.days else _lengths(since, until, wide.about, local)


def _lengths(since: datetime, until: datetime, length: timedelta, local: tzinfo) -> list[datetime]:
    midnight = _midnight(since, local)
    at = midnight + (since - midnight) // length * length
    found = [at]
    while at < until:
        at += length
        found.append(at)
    return found


def _days(since: datetime, until: datetime, days: int, local: tzinfo) -> list[datetime]:
    day = since.astimezone(local).date()
    found = [_midnight(since, local)]
    while found[-1] < until:
        day += timedelta(days=days)
        found.append(datetime.combine(day, time(), local).astimezone(UTC))
    return found


def _midnight(moment: datetime, local: tzinfo) -> datetime:
    return datetime.combine(moment.astimezone(local).date(), time(), local).astimezone(UTC)


def _invalid(text: str) -> Invalid:
    return Invalid("bucket", f"{text!r:.20} is no width of a bucket", "write 15m, 6h or 1d; at most 31d")
