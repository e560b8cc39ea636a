"""What the page of figures makes of numbers: periods of local days, shares against what is aimed at, and a chart of the hours. Pure.

Rules
    A share is of what it can be of: within 60 seconds were so many of those that somebody answered, false were so many of those
    that are closed. Of nothing there is no share.
    Whether an aim is reached is told in words. An aim that nothing was measured against is neither reached nor missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from babel.dates import format_date
from babel.numbers import format_percent

from alerts.describe import span
from alerts.render import translations
from alerts.timeline import CAUSES
from devices.words import N_
from gateway.api import schemas
from gateway.web import chart
from gateway.web.told import Mark

PERIODS = {"week": N_("Week"), "month": N_("Month"), "quarter": N_("Quarter")}
WITHIN_60, WITHIN_180 = 0.975, 0.99
"""Of the calls, by the quality standard of telecare. For who is on site within 30 minutes there is a time and no share."""
OVER = N_("Over before anybody had to close it")
WEEK = N_("Week {number}, {year}")
A_DAY = timedelta(days=1)
MIDNIGHT, HOUR = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1)
"""Any day: the chart is of the hours of a day, not of one day's."""


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both included. ``before`` and ``after``: a day of the period before, and of the one after it."""

    name: str
    since: date
    until: date
    title: str

    @property
    def before(self) -> date:
        return self.since - A_DAY

    @property
    def after(self) -> date:
        return self.until + A_DAY


@dataclass(frozen=True, slots=True)
class Share:
    """``of``: of how many. ``reached``: None where nothing is aimed at, or nothing was measured."""

    text: str
    percent: float | None
    of: int
    reached: bool | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table of answer times."""

    name: str
    alerts: int
    answered: int
    within_60: Share
    within_180: Share
    median: str
    p90: str
    on_site: Share
    on_site_median: str
    on_site_p90: str
    false_alarms: Share


@dataclass(frozen=True, slots=True)
class Hours:
    """The chart, as the template draws it. ``tones``, ``scales``: of each row; ``titles``: of each hour."""

    chart: chart.Chart
    marks: tuple[Mark, ...]
    tones: tuple[str, ...]
    scales: tuple[tuple[str, str], ...]
    titles: tuple[str, ...]


# Periods --------------------------------------------------------------------------------------------------------------


def period(name: str | None, day: date, language: str) -> Period:
    """The one of this length that a day is in; a month where the name makes no sense."""
    if name == "week":
        since = day - A_DAY * day.weekday()
        year, number, _ = since.isocalendar()
        title = translations(language).gettext(WEEK).format(number=number, year=year)
        return Period("week", since, since + 6 * A_DAY, title)
    months = 3 if name == "quarter" else 1
    first = day.replace(day=1, month=(day.month - 1) // months * months + 1)
    after = (first + timedelta(days=31 * months)).replace(day=1)
    title = format_date(first, "QQQQ y" if months == 3 else "LLLL y", locale=language)
    return Period("quarter" if months == 3 else "month", first, after - A_DAY, title)


def day_of(text: str | None, today: date) -> date:
    """The day that an address asks for; today where that makes no sense, or is still to come."""
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return today
    return day if day.year >= 2000 and day <= today else today


# Shares ---------------------------------------------------------------------------------------------------------------


def share(part: int, of: int, language: str, aim: float | None = None) -> Share:
    if not of:
        return Share("–", None, 0)
    value = part / of
    text = format_percent(value, format="#,##0.0 %", locale=language)
    return Share(text, round(100 * value, 1), of, None if aim is None else value >= aim)


def seconds(value: int | None, language: str) -> str:
    """To the second below an hour, to the minute above."""
    if value is None:
        return "–"
    if value == 0:
        return translations(language).gettext("{number} s").format(number=0)
    return span(value if value < 3600 else value // 60 * 60, language)


def line(each: schemas.AnswerLine, name: str, language: str) -> Line:
    """A line of numbers as people read it."""
    return Line(
        name=name,
        alerts=each.alerts,
        answered=each.answered,
        within_60=share(each.answered_in_60_s, each.answered, language, WITHIN_60),
        within_180=share(each.answered_in_180_s, each.answered, language, WITHIN_180),
        median=seconds(each.answer_median_seconds, language),
        p90=seconds(each.answer_p90_seconds, language),
        on_site=share(each.on_site_in_30_min, each.on_site, language),
        on_site_median=seconds(each.on_site_median_seconds, language),
        on_site_p90=seconds(each.on_site_p90_seconds, language),
        false_alarms=share(each.false_alarms, each.alerts, language),
    )


def hour_name(hour: int) -> str:
    return f"{hour:02}–{hour + 1:02}"


def cause_name(each: schemas.AnswerLine, language: str) -> str:
    return translations(language).gettext(CAUSES[each.cause] if each.cause is not None else OVER)


# The chart ------------------------------------------------------------------------------------------------------------


def hours(lines: Sequence[schemas.AnswerLine], language: str) -> Hours:
    """Alerts and false ones as bars, and how many were answered within 60 and 180 seconds as lines, by the hour of the day."""
    gettext = translations(language).gettext
    by_hour: Mapping[int | None, schemas.AnswerLine] = {each.hour: each for each in lines}
    every = [by_hour.get(hour) for hour in range(24)]
    axis = chart.Axis(MIDNIGHT, MIDNIGHT + 24 * HOUR, [MIDNIGHT + hour * HOUR for hour in range(25)])
    counted = [
        chart.Counted(gettext(N_("Alerts")), [each.alerts if each else 0 for each in every]),
        chart.Counted(gettext(N_("False alarms")), [each.false_alarms if each else 0 for each in every]),
    ]
    within = [
        [
            share(part, each.answered, language).percent if each else None
            for each, part in zip(every, parts, strict=True)
        ]
        for parts in (
            [each.answered_in_60_s if each else 0 for each in every],
            [each.answered_in_180_s if each else 0 for each in every],
        )
    ]
    names = (gettext(N_("Answered within 60 s, percent")), gettext(N_("Answered within 180 s, percent")))
    measured = [chart.Measured(name, values, 0, 100, HOUR) for name, values in zip(names, within, strict=True)]
    ends = {0: "start", 24: "end"}
    return Hours(
        chart.chart(axis, counted, measured),
        tuple(Mark(round(hour / 24 * 100, 2), f"{hour:02}", ends.get(hour, "middle")) for hour in range(0, 25, 6)),
        ("event", "sign", "measured", "measured"),
        (("", ""), ("", ""), ("0", "100"), ("0", "100")),
        tuple(hour_name(hour) for hour in range(24)),
    )
