"""What the device's page makes of a device: how it is in plain words, the chart of what it said, and its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_datetime

from alerts.render import translations
from devices.health import LOW, PRESENCE
from devices.words import N_
from gateway.api import schemas
from gateway.web import chart, words
from gateway.web.html import OSLO, Times
from gateway.web.views import LATE_SECONDS

RANGES: Mapping[str, tuple[timedelta, str, str]] = {
    "24h": (timedelta(hours=24), "30m", N_("24 hours")),
    "7d": (timedelta(days=7), "3h", N_("7 days")),
    "30d": (timedelta(days=30), "1d", N_("30 days")),
}
"""How far back, how wide a bar is, and what it is called."""
MEASURED = ("battery", "rssi")
MOST_ROWS = 8
MOST_MARKS = 5
STRONGEST, WEAKEST = -40, -120
"""dBm: the scale of radio strength, wider where a device is outside of it."""
SIGNS = frozenset({"heartbeat", PRESENCE})

HEARD = N_("Heard {ago}")
NEVER = N_("Never heard")
SILENT_SINCE = N_("Silent since {time}")
NEVER_SINCE = N_("Never heard since it was fitted, {time}")
ALERT_AT = N_("If it says nothing until {time}, technical services are alerted.")
ALERT_WAS = N_("It should have been heard by {time}.")
NO_RULE = N_("No rule alerts anybody when it falls silent.")
NOWHERE = N_("It is fitted nowhere: nobody is alerted when it is silent.")
SITE_DEAF = N_("The site has not been heard since {time}: until it is, silence says nothing.")
NOT_CONNECTED = N_("Not connected")
BATTERY, BATTERY_LOW = N_("Battery {percent} %"), N_("Battery {percent} %: low")
MAINS, NO_MAINS = N_("On mains power"), N_("Without mains power, on its battery")
RADIO = N_("Radio strength {dbm} dBm")
FIRMWARE = N_("Firmware {version}")
IN_WORDS = frozenset({"battery", "mains", "rssi", "firmware", "online"})
"""Fields of a device's state that have a line of their own."""

NOW_AND_LEAST = N_("{name}: {last}, lowest {least}")
OPEN_ALERTS = N_("Open alerts: {number}")
BUT_SIGNS = "but-signs"
"""The filter for everything but signs of life: no type is called so, for a type has no minus."""
ALL_OTHERS = N_("Everything else")


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is so with a device, with its icon; ``bad``: somebody should do something about it."""

    icon: str
    text: str
    more: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A time on the axis: where, and how it is written; ``anchor`` as SVG has it."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Column:
    """A line of the table that says the same as the chart."""

    when: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The chart with its words. ``tones``: what each row is; ``titles``: of each bucket; ``heads`` and ``table``: the same in
    numbers; ``periods``: kind, from and until, of what is shaded."""

    chart: chart.Chart
    marks: tuple[Mark, ...]
    tones: tuple[str, ...]
    scales: tuple[tuple[str, str], ...]
    titles: tuple[str, ...]
    heads: tuple[str, ...]
    table: tuple[Column, ...]
    periods: tuple[tuple[str, str], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message in plain words. ``fields``: label and text."""

    said: schemas.ObservationView
    late: str | None
    fields: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]


# How it is ------------------------------------------------------------------------------------------------------------


def standing(device: schemas.DeviceDetail, language: str, times: Times) -> list[Line]:
    """What somebody in a van wants to know, the most important first."""
    gettext = translations(language).gettext
    found = [_hearing(device, gettext, times)]
    if device.online is False:
        found.append(Line("deaf", gettext(NOT_CONNECTED), bad=True))
    battery, mains, radio = (device.state.get(name) for name in ("battery", "mains", "rssi"))
    if battery is not None and _number(battery):
        low = battery < LOW
        found.append(Line("battery", gettext(BATTERY_LOW if low else BATTERY).format(percent=_plain(battery)), bad=low))
    if isinstance(mains, bool):
        found.append(Line("mains", gettext(MAINS if mains else NO_MAINS), bad=not mains and device.kind in _ON_MAINS))
    if radio is not None and _number(radio):
        found.append(Line("heard", gettext(RADIO).format(dbm=_plain(radio))))
    if firmware := device.state.get("firmware"):
        found.append(Line("done", gettext(FIRMWARE).format(version=firmware)))
    return found


_ON_MAINS = frozenset({"medicine_dispenser"})
"""Kinds that are normally plugged in."""


def other_state(device: schemas.DeviceDetail, language: str, times: Times) -> list[tuple[str, str]]:
    """What else is known of its state, as label and text."""
    gettext = translations(language).gettext
    return [
        words.field(name, value, gettext, times.clock) for name, value in device.state.items() if name not in IN_WORDS
    ]


def _hearing(device: schemas.DeviceDetail, gettext: words.Gettext, times: Times) -> Line:
    line = _heard(device, gettext, times)
    told = [each for each in (line.more, _when_alerted(device, gettext, times)) if each]
    return replace(line, more=" · ".join(told))


def _when_alerted(device: schemas.DeviceDetail, gettext: words.Gettext, times: Times) -> str:
    if device.silent_at is None:
        return gettext(NOWHERE)
    if device.silent:
        return gettext(ALERT_WAS).format(time=times.clock(device.silent_at))
    if not any(
        each.rule.spec.get("type") == "silence" and each.rule.spec.get("enabled", True) for each in device.rules
    ):
        return gettext(NO_RULE)
    if device.heard_until is not None and times.now - device.heard_until > timedelta(minutes=5):
        return gettext(SITE_DEAF).format(time=times.clock(device.heard_until))
    return gettext(ALERT_AT).format(time=times.clock(device.silent_at))


def in_list(device: schemas.DeviceItem, language: str, times: Times) -> list[Line]:
    """What the list of devices says of one: when it was heard, and what is wrong."""
    gettext = translations(language).gettext
    found = [_heard(device, gettext, times)]
    if device.online is False and not device.silent:
        found.append(Line("deaf", gettext(NOT_CONNECTED), bad=True))
    battery = device.state.get("battery")
    if battery is not None and _number(battery) and battery < LOW:
        found.append(Line("battery", gettext(BATTERY_LOW).format(percent=_plain(battery)), bad=True))
    if device.open_alerts:
        found.append(
            Line(f"severity-{device.severity}", gettext(OPEN_ALERTS).format(number=device.open_alerts), bad=True)
        )
    return found


def _heard(device: schemas.DeviceItem, gettext: words.Gettext, times: Times) -> Line:
    if device.silent and device.quiet_since is not None:
        text = SILENT_SINCE if device.last_seen == device.quiet_since else NEVER_SINCE
        return Line(
            "deaf",
            gettext(text).format(time=times.clock(device.quiet_since)),
            times.span(int((times.now - device.quiet_since).total_seconds())),
            bad=True,
        )
    if device.last_seen is None:
        return Line("deaf", gettext(NEVER))
    return Line("heard", gettext(HEARD).format(ago=times.ago(device.last_seen)))


# The chart ------------------------------------------------------------------------------------------------------------


def picture(
    told: schemas.BucketList, since: datetime, contract: int, language: str, times: Times, *, by_day: bool
) -> Picture:
    """The chart of what was said since a time."""
    gettext = translations(language).gettext
    edges = [each.since for each in told.buckets] + [told.buckets[-1].until]
    axis = chart.Axis(max(told.since, since) if not by_day else told.since, min(told.until, times.now), edges)
    rows = _rows(told, gettext)
    lines = [found for name in MEASURED if (found := _measured(told, name, contract, gettext, times))]
    shades = [chart.Shade("deaf", each.since, each.until) for each in told.deaf]
    shades += [chart.Shade("silent", each.since, each.until) for each in told.silent]
    made = chart.chart(axis, [each for _, each in rows], [each for each, _ in lines], shades)
    days = [_day(each.since, language) if by_day else times.clock(each.since) for each in told.buckets]
    periods = [("deaf", each) for each in told.deaf] + [("silent", each) for each in told.silent]
    return Picture(
        made,
        tuple(_marks(axis, language)),
        (*(tone for tone, _ in rows), *("measured" for _ in lines)),
        (*(("", "") for _ in rows), *(scale for _, scale in lines)),
        tuple(days),
        (*(row.name for _, row in rows), *(_label(name, gettext) for name in MEASURED)),
        tuple(_column(told, number, rows, days[number], gettext, times) for number in range(len(days) - 1, -1, -1)
              if told.buckets[number].count),
        tuple((kind, _span(each, times)) for kind, each in sorted(periods, key=lambda each: each[1].since)),
        sum(each.count for each in told.buckets),
    )  # fmt: skip


def _rows(told: schemas.BucketList, gettext: words.Gettext) -> list[tuple[str, chart.Counted]]:
    """Signs of life first, then what is most seldom: that is what one looks for."""
    totals: dict[str, int] = {}
    for each in told.buckets:
        for name, count in each.types.items():
            totals[name] = totals.get(name, 0) + count
    ordered = sorted(totals, key=lambda name: (name not in SIGNS, totals[name], name))
    shown, rest = ordered[:MOST_ROWS], ordered[MOST_ROWS:]
    rows = [
        (
            "sign" if name in SIGNS else "event",
            chart.Counted(
                f"{told.texts.get(name, name)} · {totals[name]}", [each.types.get(name, 0) for each in told.buckets]
            ),
        )
        for name in shown
    ]
    if rest:
        counts = [sum(each.types.get(name, 0) for name in rest) for each in told.buckets]
        rows.append(("event", chart.Counted(f"{gettext(ALL_OTHERS)} · {sum(counts)}", counts)))
    return rows


def _measured(
    told: schemas.BucketList, name: str, contract: int, gettext: words.Gettext, times: Times
) -> tuple[chart.Measured, tuple[str, str]] | None:
    found = [each.values.get(name) for each in told.buckets]
    known = [each for each in found if each is not None]
    if not known:
        return None
    low, high = (
        (0.0, 100.0) if name == "battery" else _scale([*(each.min for each in known), *(each.max for each in known)])
    )
    width = told.buckets[0].until - told.buckets[0].since

    def written(value: float) -> str:
        return words.field(name, _plain(value), gettext, times.clock)[1]

    text = gettext(NOW_AND_LEAST).format(
        name=_label(name, gettext), last=written(known[-1].last), least=written(min(each.min for each in known))
    )
    joined = max(timedelta(seconds=contract), width * 2)
    values = [None if each is None else each.avg for each in found]
    return chart.Measured(text, values, low, high, joined), (written(low), written(high))


def _scale(values: Sequence[float]) -> tuple[float, float]:
    low, high = min([WEAKEST, *values]), max([STRONGEST, *values])
    return low // 10 * 10, -(-high // 10) * 10


def _marks(axis: chart.Axis, language: str) -> list[Mark]:
    far = axis.until - axis.since > timedelta(days=10)
    found = chart.moments(axis.since, axis.until, OSLO, MOST_MARKS)
    return [_mark(axis.x(each), each, language, far=far) for each in found]


def _mark(x: float, moment: datetime, language: str, *, far: bool) -> Mark:
    local = moment.astimezone(OSLO)
    text = _short_day(moment, language, far) if (local.hour, local.minute) == (0, 0) else f"{local:%H:%M}"
    return Mark(x, text, "start" if x < 8 else "end" if x > 92 else "middle")


def _day(moment: datetime, language: str) -> str:
    return format_datetime(moment.astimezone(OSLO), "EEE d. MMM", locale=language)


def _short_day(moment: datetime, language: str, far: bool) -> str:  # noqa: FBT001
    """As little as tells the day, so that it fits a phone."""
    return format_datetime(moment.astimezone(OSLO), "d. MMM" if far else "EEE d.", locale=language)


def _column(
    told: schemas.BucketList,
    number: int,
    rows: Sequence[tuple[str, chart.Counted]],
    when: str,
    gettext: words.Gettext,
    times: Times,
) -> Column:
    counts = [str(row.counts[number] or "–") for _, row in rows]
    values = [told.buckets[number].values.get(name) for name in MEASURED]
    numbers = [
        words.field(name, _plain(value.avg), gettext, times.clock)[1] if value else "–"
        for name, value in zip(MEASURED, values, strict=True)
    ]
    return Column(when, (*counts, *numbers))


def _span(period: schemas.Period, times: Times) -> str:
    return f"{times.clock(period.since)} – {times.clock(period.until)}"


# Messages -------------------------------------------------------------------------------------------------------------


def messages(items: Sequence[schemas.ObservationView], language: str, times: Times) -> list[Message]:
    """What it said, in words."""
    gettext = translations(language).gettext
    return [
        Message(
            each,
            times.span(each.late_seconds) if each.late_seconds >= LATE_SECONDS else None,
            tuple(words.field(name, value, gettext, times.clock) for name, value in each.fields.items()),
            tuple(words.word(words.FLAGS, flag, gettext) for flag in each.flags),
        )
        for each in items
    ]


def _label(name: str, gettext: words.Gettext) -> str:
    return words.word(words.FIELDS, name, gettext)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> float | int:
    """As short as it can be written."""
    return int(value) if float(value).is_integer() else round(value, 1)
