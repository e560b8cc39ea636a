"""What is counted per hour and per local day: each rollup, as data. How they are reckoned is in :mod:`gateway.store.rollups`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from psycopg import sql

DAYS_IN = ZoneInfo("Europe/Oslo")
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rollup:
    """``made_of``: the table or rollup that it counts; ``key`` and ``values``: its columns after ``bucket``; ``made_by``: the query, with
    ``since`` and ``until`` (None where only those alerts are counted again that were closed since then); ``daily``: its
    buckets are days; ``personal``: it tells of a home."""

    name: str
    made_of: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    made_by: str
    daily: bool = False
    personal: bool = False

    @property
    def of_facts(self) -> bool:
        """What it counts is known long after it happened."""
        return self.name.startswith("alert")

    @property
    def of_rollups(self) -> bool:
        return self.made_of.endswith("hourly")

    def floor(self, moment: datetime) -> datetime:
        """Where the hour or day begins."""
        if not self.daily:
            return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return _midnight(moment.astimezone(DAYS_IN).date())

    def after(self, bucket: datetime) -> datetime:
        """Where the hour or day ends that begins here."""
        return _midnight(bucket.astimezone(DAYS_IN).date() + timedelta(days=1)) if self.daily else bucket + HOUR

    def first_whole(self, moment: datetime) -> datetime:
        """Where the first hour or day begins that has nothing from before this moment."""
        floor = self.floor(moment)
        return floor if floor == moment else self.after(floor)

    def windows(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Whole hours or days, so many as are reckoned at once."""
        while since < until:
            end = self.after(since) if self.daily else min(since + DAY, until)
            yield since, end
            since = end

    def partly(self, since: datetime | None, until: datetime | None) -> Sequence[datetime]:
        """Where the hours or days begin that have something of between these times, and something of before or after."""
        bounds = [each for each in (since, until) if each is not None]
        return sorted({self.floor(each) for each in bounds if self.floor(each) != each})

    def anew(self, table: sql.Identifier, whose: str) -> sql.Composed:
        """The statement that counts in a table what is missing there, of some only."""
        columns = ", ".join(("bucket", *self.key, *self.values))
        made = f" ({columns}) SELECT * FROM ({self.made_by}) AS made ({columns}) WHERE {whose}"
        return sql.SQL("INSERT INTO {}").format(table) + sql.SQL(made)

    @property
    def upsert(self) -> str:
        columns = ", ".join(("bucket", *self.key, *self.values))
        old, new = (", ".join(f"{row}.{name}" for name in self.values) for row in ("k", "excluded"))
        return f"""INSERT INTO {self.name}_kept AS k ({columns}) {self.made_by}
            ON CONFLICT ({", ".join(("bucket", *self.key))}) DO UPDATE SET ({", ".join(self.values)}) = ROW({new})
            WHERE ({old}) IS DISTINCT FROM ({new})"""


_WITHIN = "{0} >= %(since)s AND {0} < %(until)s"
_OWN_WORD = "NOT (flags && '{retained,decoded_again}')"
_DAY = "date_trunc('day', bucket, 'Europe/Oslo')"
_HEALTH = ("messages", "battery_min", "battery_last", "signal_min", "signal_sum", "signal_count")
_ALERT_KEY = ("zone_id", "condition", "kind", "severity", "track", "cause")
ALERT_COUNTS = (
    "count",
    "false_alarms",
    "answered",
    "answered_in_60_s",
    "answered_in_180_s",
    "answer_seconds",
    "on_site",
    "on_site_in_30_min",
    "on_site_seconds",
    "close_seconds",
)
FACT_COUNTS = """count(*) AS count,
                  count(*) FILTER (WHERE cause IN ('false_by_device', 'false_by_user')) AS false_alarms,
                  count(answer_seconds) AS answered, count(*) FILTER (WHERE answer_seconds <= 60) AS answered_in_60_s,
                  count(*) FILTER (WHERE answer_seconds <= 180) AS answered_in_180_s,
                  coalesce(sum(answer_seconds), 0) AS answer_seconds, count(on_site_seconds) AS on_site,
                  count(*) FILTER (WHERE on_site_seconds <= 1800) AS on_site_in_30_min,
                  coalesce(sum(on_site_seconds), 0) AS on_site_seconds, sum(close_seconds) AS close_seconds"""
"""The same, counted from facts."""

ROLLUPS = (
    Rollup(
        "device_health_hourly",
        "device_health",
        ("device_id", "installation_id"),
        _HEALTH,
        f"""SELECT date_trunc('hour', received_at, 'UTC'), device_id, installation_id, count(*), min(battery),
                   (array_agg(battery ORDER BY received_at DESC, id DESC) FILTER (WHERE battery IS NOT NULL))[1],
                   min(signal), sum(signal::double precision), count(signal)
            FROM (SELECT *, reading(fields, 'battery', 0, 100) AS battery, reading(fields, 'rssi', -200, 50) AS signal
                  FROM device_health WHERE {_WITHIN.format("received_at")} AND {_OWN_WORD}
                                       AND NOT (type = 'presence' AND fields ->> 'online' = 'false')) o
            GROUP BY 1, 2, 3""",
        personal=True,
    ),
    Rollup(
        "activity_hourly",
        "observation",
        ("installation_id", "kind", "type"),
        ("count",),
        f"""SELECT date_trunc('hour', received_at, 'UTC'), installation_id, kind, type, count(*) FROM observation
            WHERE {_WITHIN.format("received_at")} AND installation_id IS NOT NULL AND {_OWN_WORD} GROUP BY 1, 2, 3, 4""",
        personal=True,
    ),
    Rollup(
        "zone_activity_hourly",
        "activity_hourly",
        ("zone_id", "kind", "type"),
        ("count",),
        f"""SELECT a.bucket, w.zone_id, a.kind, a.type, sum(a.count)
            FROM activity_hourly a JOIN installation i ON i.id = a.installation_id JOIN dwelling w ON w.id = i.dwelling_id
            WHERE {_WITHIN.format("a.bucket")} GROUP BY 1, 2, 3, 4""",
    ),
    Rollup(
        "alert_hourly",
        "alert_fact",
        _ALERT_KEY,
        ALERT_COUNTS,
        f"""SELECT raised_at, zone_id, condition, kind, severity, track, cause, {FACT_COUNTS}
           FROM alert_fact
           WHERE raised_at < %(until)s AND raised_at IN (SELECT raised_at FROM alert_fact WHERE closed_at >= %(since)s)
           GROUP BY 1, 2, 3, 4, 5, 6, 7""",
    ),
    Rollup(
        "device_health_daily",
        "device_health_hourly",
        ("device_id", "installation_id"),
        _HEALTH,
        f"""SELECT {_DAY}, device_id, installation_id, sum(messages), min(battery_min),
                   (array_agg(battery_last ORDER BY bucket DESC) FILTER (WHERE battery_last IS NOT NULL))[1],
                   min(signal_min), sum(signal_sum), sum(signal_count)
            FROM device_health_hourly WHERE {_WITHIN.format("bucket")} GROUP BY 1, 2, 3""",
        daily=True,
        personal=True,
    ),
    Rollup(
        "activity_daily",
        "activity_hourly",
        ("installation_id", "kind", "type"),
        ("count",),
        f"""SELECT {_DAY}, installation_id, kind, type, sum(count) FROM activity_hourly
            WHERE {_WITHIN.format("bucket")} GROUP BY 1, 2, 3, 4""",
        daily=True,
        personal=True,
    ),
    Rollup(
        "alert_daily",
        "alert_hourly",
        _ALERT_KEY,
        ALERT_COUNTS,
        f"""SELECT {_DAY}, zone_id, condition, kind, severity, track, cause, {", ".join(f"sum({name})" for name in ALERT_COUNTS)}
            FROM alert_hourly
            WHERE bucket < %(until)s AND {_DAY} IN (
                SELECT date_trunc('day', raised_at, 'Europe/Oslo') FROM alert_fact WHERE closed_at >= %(since)s)
            GROUP BY 1, 2, 3, 4, 5, 6, 7""",
        daily=True,
    ),
)
"""In the order in which they are made: each after what it is made of."""


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), DAYS_IN).astimezone(UTC)
