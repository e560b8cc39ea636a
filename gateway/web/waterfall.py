"""A waterfall made on the server: the way of an alert in, the geometry of an SVG out. No template, no colour, no text of its own.

Theory
    What takes milliseconds and what takes an hour are both of interest, so time is not to scale: a tenth of a second, a second,
    a minute and an hour are each about as wide (``place``). Whoever looks is told so, and the table has the times.
    Across, all is in percent of the width, and down in pixels, as in ``gateway/web/chart.py``.
    A bar is what a page waited for, piece by piece, each from the time of one leg to that of the next one that is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import log10

from alerts.chain import OUTSIDE
from gateway.api.schemas import AlertPath, PagePath

LABEL = 40
"""Pixels above a bar: for whom, and below it how it ended."""
STATE = 17
BAR = 16
GAP = 12
AXIS = 26
FINEST = 0.1
"""Seconds: below, time is to scale."""
THINNEST = 0.6
"""Percent of the width: what a piece needs to be seen."""
TICKS = (1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
NEAREST = 13
"""Percent of the width between two ticks, for their words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """``waits``: for what, which is its colour. ``x`` and ``width`` in percent; ``seconds`` that it took."""

    waits: str
    x: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """``page``: its place among the pages, None for the message. ``label_y``, ``state_y``, ``y``: in pixels."""

    page: int | None
    label_y: int
    state_y: int
    y: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """``seconds`` after the event, at ``x`` percent."""

    seconds: int
    x: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The whole picture, ``height`` pixels high; ``floor``: where the axis is."""

    height: int
    floor: int
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]


def waterfall(path: AlertPath) -> Waterfall:
    """The geometry. What has not ended goes on until ``path.until``."""
    ways = [_of_message(path), *(_of_page(page, path.until) for page in path.pages)]
    last = max([path.occurred_at + timedelta(seconds=1), *(at for way in ways for at, _ in way)])
    whole = (last - path.occurred_at).total_seconds()
    rows: list[Row] = []
    for number, way in enumerate(ways):
        top = number * (LABEL + BAR + GAP)
        pieces, label = tuple(_pieces(way, path.occurred_at, whole)), top + LABEL - 6
        rows.append(Row(number - 1 if number else None, label - STATE, label, top + LABEL, pieces))
    floor = len(ways) * (LABEL + BAR + GAP)
    return Waterfall(floor + AXIS, floor, tuple(rows), tuple(_ticks(whole)))


def place(seconds: float, whole: float) -> float:
    """Where a time after the event is, in percent of the width."""
    share = log10(1 + max(seconds, 0) / FINEST) / log10(1 + max(whole, FINEST) / FINEST)
    return round(min(share, 1) * 100, 2)


Way = list[tuple[datetime, str]]
"""Times in order, each with what is waited for from then on; the last one with nothing."""


def _of_message(path: AlertPath) -> Way:
    stored = path.stored_at or path.raised_at
    return [(path.occurred_at, "network"), (stored, "judging"), (path.raised_at, "")]


def _of_page(page: PagePath, until: datetime) -> Way:
    """From being made to its end. A leg that nobody told of is left out: its wait goes on as it was."""
    ended = page.answered_at or page.ended_at
    legs = (
        (page.queued_at, "sending"),
        (page.leased_at, "handing"),
        (page.handed_over_at, "showing" if page.channel == OUTSIDE else "receipt"),  # nobody says that it was received
        (page.received_at, "showing"),
        (page.shown_at, "answer"),
    )
    known = sorted((at, waits) for at, waits in legs if at is not None and (ended is None or at <= ended))
    return (
        [*known, (max(ended or until, known[-1][0]), "")]
        if known
        else [(page.queued_at, "sending"), (ended or until, "")]
    )


def _pieces(way: Sequence[tuple[datetime, str]], begin: datetime, whole: float) -> Iterator[Piece]:
    """Those that took time; a row that took none is one thin piece."""
    pairs = [(waits, since, until) for (since, waits), (until, _) in pairwise(way)]
    for waits, since, until in [each for each in pairs if each[2] > each[1]] or pairs[-1:]:
        x, end = (place((at - begin).total_seconds(), whole) for at in (since, until))
        width = max(end - x, THINNEST)
        yield Piece(waits, round(min(x, 100 - width), 2), round(width, 2), max((until - since).total_seconds(), 0.0))


def _ticks(whole: float) -> Iterator[Tick]:
    before = 0.0
    for seconds in TICKS:
        x = place(seconds, whole)
        if seconds < whole and x - before >= NEAREST and x <= 100 - NEAREST / 2:
            before = x
            yield Tick(seconds, x)
