"""Charts made on the server: values in, the geometry of an SVG out. No template, no colour and no text of its own.

Theory
    A chart is a stack of rows over one axis of time: a row of bars for each thing that is counted, then a row with a line for
    each thing that is measured. Each row has a scale of its own, so that a single alarm is seen beside a thousand signs of
    life, and its name stands above it, so that nobody has to tell colours apart. Shaded stretches of time go through all rows.
    Across, everything is in percent of the width, and down in pixels: the same picture fits a phone and a desk, and its
    text is as large as the page's. A line is therefore made of pieces (a polyline knows no percent).
    Time is to scale. A day of 23 hours is narrower than one of 25.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise

LABEL = 22
"""Pixels above a row for its name."""
BARS = 26
LINE = 56
GAP = 8
AXIS = 24
THINNEST = 0.35
"""Percent of the width: what a bar needs to be seen."""
LOWEST = 3
"""Pixels: the bar of a single one among thousands."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From when until when, and the edges of the buckets in between: one more than there are values in a row."""

    since: datetime
    until: datetime
    edges: Sequence[datetime]

    def x(self, moment: datetime) -> float:
        """Percent of the width; what lies outside is at the edge."""
        share = (moment - self.since) / max(self.until - self.since, timedelta(seconds=1))
        return round(min(max(share, 0), 1) * 100, 2)

    @property
    def buckets(self) -> list[tuple[float, float]]:
        """Begin and width of each, in percent."""
        places = [self.x(each) for each in self.edges]
        return [(begin, round(end - begin, 2)) for begin, end in pairwise(places)]


@dataclass(frozen=True, slots=True)
class Counted:
    """Something that is counted, per bucket."""

    name: str
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Measured:
    """Something that is measured, per bucket (None: not). ``low`` and ``high``: the ends of its scale. ``joined``: between
    values that lie further apart there is no line, for nobody knows what was between them."""

    name: str
    values: Sequence[float | None]
    low: float
    high: float
    joined: timedelta


@dataclass(frozen=True, slots=True)
class Shade:
    """A stretch of time that is shaded, and what it is."""

    kind: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """``x`` and ``width`` in percent, ``y`` and ``height`` in pixels; ``bucket`` says which."""

    bucket: int
    count: int
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line: ``x1``, ``x2`` in percent, ``y1``, ``y2`` in pixels."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A value that stands alone."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its name's baseline, its floor and ceiling, and what is in it."""

    name: str
    label_y: float
    ceiling: float
    floor: float
    bars: tuple[Bar, ...] = ()
    pieces: tuple[Piece, ...] = ()
    dots: tuple[Dot, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded stretch, in percent."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole picture, ``height`` pixels high; ``floor``: where the axis of time is."""

    height: int
    floor: int
    rows: tuple[Row, ...]
    bands: tuple[Band, ...]


def chart(axis: Axis, counted: Sequence[Counted], measured: Sequence[Measured], shades: Sequence[Shade] = ()) -> Chart:
    """The geometry. ValueError where a row has another number of values than there are buckets."""
    places = axis.buckets
    rows: list[Row] = []
    top = 0
    for each in counted:
        rows.append(_bars(each, places, top))
        top += LABEL + BARS + GAP
    for line in measured:
        rows.append(_line(line, axis, places, top))
        top += LABEL + LINE + GAP
    bands = tuple(_band(each, axis) for each in shades if each.until > axis.since and each.since < axis.until)
    return Chart(top + AXIS, top, tuple(rows), bands)


def moments(since: datetime, until: datetime, local: tzinfo, most: int = 5) -> list[datetime]:
    """At most so many round local times within a range, in UTC: hours of a day, else midnights. What the clocks skip or
    repeat is one moment."""
    for hours in (1, 3, 6, 12):
        found = list(_hours(since, until, local, hours))
        if len(found) <= most:
            return found
    for days in (1, 2, 7, 14, 28, 56, 112):
        found = list(_midnights(since, until, local, days))
        if len(found) <= most:
            return found
    return []


def _bars(row: Counted, places: Sequence[tuple[float, float]], top: int) -> Row:
    floor = top + LABEL + BARS
    highest = max([1, *row.counts])
    bars = [
        _bar(number, count, place, floor, max(LOWEST, count / highest * BARS))
        for number, (count, place) in enumerate(zip(row.counts, places, strict=True))
        if count
    ]
    return Row(row.name, top + LABEL - 7, top + LABEL, floor, bars=tuple(bars))


def _bar(number: int, count: int, place: tuple[float, float], floor: float, height: float) -> Bar:
    begin, width = place
    gap = width * 0.12
    wide = max(width - gap, THINNEST)
    return Bar(
        number, count, round(min(begin, 100 - wide), 2), round(wide, 2), round(floor - height, 1), round(height, 1)
    )


def _line(row: Measured, axis: Axis, places: Sequence[tuple[float, float]], top: int) -> Row:
    ceiling, floor = top + LABEL, top + LABEL + LINE
    known = [
        (axis.edges[number], round(begin + width / 2, 2), _y(value, row, ceiling, floor))
        for number, (value, (begin, width)) in enumerate(zip(row.values, places, strict=True))
        if value is not None
    ]
    joined = [(one, two) for one, two in pairwise(known) if two[0] - one[0] <= row.joined]
    pieces = tuple(Piece(one[1], one[2], two[1], two[2]) for one, two in joined)
    held = {each[0] for pair in joined for each in pair}
    dots = tuple(Dot(x, y) for at, x, y in known if at not in held or at == known[-1][0])
    return Row(row.name, top + LABEL - 7, ceiling, floor, pieces=pieces, dots=dots)


def _y(value: float, row: Measured, ceiling: float, floor: float) -> float:
    share = (value - row.low) / ((row.high - row.low) or 1)
    return round(floor - min(max(share, 0), 1) * (floor - ceiling), 1)


def _band(shade: Shade, axis: Axis) -> Band:
    begin, end = axis.x(shade.since), axis.x(shade.until)
    return Band(shade.kind, begin, round(max(end - begin, THINNEST), 2))


def _hours(since: datetime, until: datetime, local: tzinfo, step: int) -> Iterator[datetime]:
    day, last = since.astimezone(local).date(), until.astimezone(local).date()
    seen: set[datetime] = set()
    while day <= last:
        for hour in range(0, 24, step):
            at = datetime.combine(day, time(hour), local).astimezone(UTC)
            if since <= at < until and at not in seen:
                seen.add(at)
                yield at
        day += timedelta(days=1)


def _midnights(since: datetime, until: datetime, local: tzinfo, step: int) -> Iterator[datetime]:
    day = since.astimezone(local).date()
    while (at := datetime.combine(day, time(), local).astimezone(UTC)) < until:
        if at >= since:
            yield at
            day += timedelta(days=step)
        else:
            day += timedelta(days=1)
