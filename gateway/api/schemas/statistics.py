"""Statistics: how the fleet is now, when things happen in a zone, what alerts came to, how long answers took, and who has many."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from alerts.alert import Action, Cause
from alerts.model import Severity, Track
from gateway.api.schemas.base import Code, Day, Named, Schema, Taken

Step = Literal["hour", "day", "hour_of_day", "all"]
Per = Literal["zone", "condition", "kind", "severity", "track", "cause", "cause_code", "action", "action_code"]
Codes = Annotated[tuple[Code, ...], Field(max_length=50)]


class FleetQuery(Taken):
    """Of which devices. ``zone``: with what is below it; None for all that you cover."""

    zone: UUID | None = None


class FleetLine(Schema):
    """The devices of a kind in a zone. ``fitted``: in a home; ``silent``: against their contract; ``disconnected``: as they or the
    broker last said; ``battery_low``: 20 % or less; ``signal_weak``: below -100 dBm; ``with_alerts``: with an open one that you may
    see. The last five are of those that are fitted."""

    zone: Named
    kind: str
    devices: int
    unregistered: int
    fitted: int
    silent: int
    disconnected: int
    battery_low: int
    signal_weak: int
    with_alerts: int


class FleetHealth(Schema):
    """As of ``at``: a line for each zone and kind, in this order."""

    at: datetime
    lines: list[FleetLine]


class ActivityQuery(Taken):
    """``zone``: with all below it that you cover; the days from ``since`` (by default four weeks ago) to ``until`` (by default
    today), both included. ``kind``, ``type`` (may be repeated): only what these devices said, only of these types."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    zone: UUID
    since: Day | None = None
    until: Day | None = None
    kinds: Annotated[Codes, Field(alias="kind")] = ()
    types: Annotated[Codes, Field(alias="type")] = ()


class ActivityDay(Schema):
    """How much was said in each of the 24 hours of a local day. Where the clock is put back, an hour has two."""

    day: date
    hours: list[int]


class ActivityMap(Schema):
    """Every day in order. ``counted_until``: the end of the last hour that is counted; None before the first."""

    zone: Named
    counted_until: datetime | None
    days: list[ActivityDay]


class AlertStatisticsQuery(Taken):
    """Alerts that are closed, by when they were raised: the days from ``since`` (by default a quarter, 92 days, ago) to ``until`` (by
    default today), both included. ``zone``: with all below it, None for all that you lead. ``step``: a line for each hour, each day,
    each hour of the day (of all days together), or none of them; ``per`` (may be repeated): and for each of these. ``cause_code`` and ``action_code`` are VKP
    codes, where somebody gave them."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    zone: UUID | None = None
    since: Day | None = None
    until: Day | None = None
    step: Step = "day"
    per: Annotated[tuple[Per, ...], Field(max_length=9)] = ()
    track: Track | None = None
    conditions: Annotated[Codes, Field(alias="condition")] = ()


class AlertLine(Schema):
    """What is asked for tells which of the first eleven are there; a ``cause`` of None: it was over by itself.

    ``false_alarms``: by device or user; ``answered``: by a person, of these so many within 60 and 180 seconds; ``on_site``: somebody
    arrived, of these so many within 30 minutes. The seconds are sums over those, from raising: a mean is their sum by their number."""

    begin: datetime | None = None
    hour: int | None = None
    zone: Named | None = None
    condition: str | None = None
    kind: str | None = None
    severity: Severity | None = None
    track: Track | None = None
    cause: Cause | None = None
    cause_code: str | None = None
    action: Action | None = None
    action_code: str | None = None
    count: int
    false_alarms: int
    answered: int
    answered_in_60_s: int
    answered_in_180_s: int
    answer_seconds: int
    on_site: int
    on_site_in_30_min: int
    on_site_seconds: int
    close_seconds: int


class AlertStatistics(Schema):
    """Lines in order of time, then of what they are for. ``counted_until``: alerts that were closed since are not yet in."""

    since: date
    until: date
    counted_until: datetime | None
    lines: list[AlertLine]


# Figures --------------------------------------------------------------------------------------------------------------

PerAnswer = Literal["zone", "hour", "cause", "condition"]


class AnswerTimesQuery(Taken):
    """Alerts that are closed, by when they were raised: the days from ``since`` (by default four weeks ago) to ``until`` (by
    default today), both included. ``zone``: with all below it, None for all that you lead. ``per`` (may be repeated): a line for
    each zone, hour of the day, cause or condition; without it one of all."""

    zone: UUID | None = None
    since: Day | None = None
    until: Day | None = None
    per: Annotated[tuple[PerAnswer, ...], Field(max_length=4)] = ()
    track: Track | None = None


class AnswerLine(Schema):
    """What is asked for tells which of the first four are there; a ``cause`` of None: it was over by itself.

    ``answered``: by a person, the others were over before; of these so many within 60 and 180 seconds, half of them within the
    median and nine in ten within the 90th percentile. ``on_site``: somebody arrived. All from raising."""

    zone: Named | None = None
    hour: int | None = None
    cause: Cause | None = None
    condition: str | None = None
    alerts: int
    false_alarms: int
    answered: int
    answered_in_60_s: int
    answered_in_180_s: int
    answer_median_seconds: int | None
    answer_p90_seconds: int | None
    on_site: int
    on_site_in_30_min: int
    on_site_median_seconds: int | None
    on_site_p90_seconds: int | None


class AnswerTimes(Schema):
    """Lines in order of what they are for."""

    since: date
    until: date
    lines: list[AnswerLine]


class FrequencyQuery(Taken):
    """Alerts by when they were raised, open ones too: the days from ``since`` (by default four weeks ago) to ``until`` (by default
    today), both included. ``zone``: with all below it, None for all of yours. ``marked``: only what has too many."""

    zone: UUID | None = None
    since: Day | None = None
    until: Day | None = None
    track: Track | None = None
    marked: bool = False
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


class Frequency(Schema):
    """``zone``: of the newest alert. Of ``closed`` ones so many were ``false_alarms``, by device or user. ``most_in_a_month``: in the
    busiest of the months that the days are in, each counted whole; ``marked``: that is too many."""

    zone: Named
    alerts: int
    closed: int
    false_alarms: int
    most_in_a_month: int
    marked: bool


class DeviceFrequency(Frequency):
    device: Named
    kind: str


class ResidentFrequency(Frequency):
    resident: Named


class Frequencies(Schema):
    """Whoever has the most alerts first. ``many_a_month``: more are marked."""

    since: date
    until: date
    many_a_month: int


class DeviceFrequencies(Frequencies):
    lines: list[DeviceFrequency]


class ResidentFrequencies(Frequencies):
    lines: list[ResidentFrequency]
