"""Figures for the pages to stand on: a month in which answers were quick but not quick enough, a button that is pressed too often."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from alerts.alert import Cause
from gateway.api import schemas

ZONE = schemas.Named(id=UUID(int=501), name="Eiganes og Tasta")
OTHER = schemas.Named(id=UUID(int=502), name="Madla og Tjensvoll")
BEFORE = date(2026, 1, 1)
"""Of what is earlier there is nothing."""


@dataclass
class FakeFigures:
    """The part of the gateway in memory that figures are. ``figured``: what was asked, in order."""

    figured: list[tuple[str, Any]] = field(default_factory=list, kw_only=True)

    async def answer_times(self, who: Any, query: schemas.AnswerTimesQuery) -> schemas.AnswerTimes:
        self.figured.append(("answers", query))
        since, until = query.since or BEFORE, query.until or BEFORE
        lines = [] if until < BEFORE else _LINES[query.per]
        return schemas.AnswerTimes(since=since, until=until, lines=list(lines))

    async def device_frequency(self, who: Any, query: schemas.FrequencyQuery) -> schemas.DeviceFrequencies:
        self.figured.append(("devices", query))
        lines = [
            schemas.DeviceFrequency(
                device=schemas.Named(id=UUID(int=200 + number), name=f"sa-{number:04}"), kind="safety_alarm", **_often(alerts)
            )
            for number, alerts in enumerate((41, 30, 2))
        ]  # fmt: skip
        return schemas.DeviceFrequencies(lines=[] if _early(query) else lines, **_head(query))

    async def resident_frequency(self, who: Any, query: schemas.FrequencyQuery) -> schemas.ResidentFrequencies:
        self.figured.append(("residents", query))
        lines = [
            schemas.ResidentFrequency(resident=schemas.Named(id=UUID(int=100 + number), name=name), **_often(alerts))
            for number, (name, alerts) in enumerate((("Solveig Haugland", 41), ("Bjørg <Mæland>", 3)))
        ]
        return schemas.ResidentFrequencies(lines=[] if _early(query) else lines, **_head(query))


def _early(query: schemas.FrequencyQuery) -> bool:
    return (query.until or BEFORE) < BEFORE


def _head(query: schemas.FrequencyQuery) -> dict[str, Any]:
    return {"since": query.since or BEFORE, "until": query.until or BEFORE, "many_a_month": 30}


def _often(alerts: int) -> dict[str, Any]:
    return {
        "zone": ZONE, "alerts": alerts, "closed": alerts - 1, "false_alarms": alerts // 2, "most_in_a_month": alerts, "marked": alerts > 30
    }  # fmt: skip


def _line(alerts: int, quick: int, median: int | None, **what: Any) -> schemas.AnswerLine:
    answered = alerts if median is not None else 0
    return schemas.AnswerLine(
        alerts=alerts,
        false_alarms=alerts // 4,
        answered=answered,
        answered_in_60_s=quick,
        answered_in_180_s=answered,
        answer_median_seconds=median,
        answer_p90_seconds=None if median is None else 3 * median,
        on_site=answered // 2,
        on_site_in_30_min=answered // 3,
        on_site_median_seconds=None if median is None else 900,
        on_site_p90_seconds=None if median is None else 4000,
        **what,
    )


_LINES: dict[tuple[str, ...], list[schemas.AnswerLine]] = {
    (): [_line(400, 380, 34)],
    ("hour",): [_line(6 + hour % 12, 5 + hour % 12, 30 + hour, hour=hour) for hour in range(24) if hour not in (3, 4, 6)]
    + [_line(2, 0, None, hour=4)],
    ("zone",): [_line(300, 299, 30, zone=ZONE), _line(100, 81, 45, zone=OTHER), _line(3, 0, None, zone=ZONE)],
    ("cause",): [_line(200, 195, 30, cause=Cause.REAL), _line(100, 85, 45, cause=Cause.FALSE_BY_USER), _line(9, 0, None)],
}  # fmt: skip
