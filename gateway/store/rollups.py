"""Rollups: what was said, and what alerts came to, counted per hour and per local day.

Rules
    A rollup tells of hours and days that have ended. Each is a view with the same columns on both databases: over a table
    ``…_kept`` that is filled here, and where TimescaleDB is, over a continuous aggregate ``…_live`` that is refreshed here.
    They are reckoned only from raw data that is all there: nothing is reckoned again for a time of which something may have been
    dropped, or what was counted would be forgotten with it.
    What was counted wrongly, for it came late, is counted again: ``received_at`` is ours, so an observation is late by a
    moment, within :data:`LATE`; an alert is counted when it was raised and known when it is closed, which may be weeks after.
    One process reckons at a time; others leave it to that one. Between two windows whoever waits for it has its turn first: to
    erase somebody, to convert. What is left is reckoned the next time.

Theory
    Days are made of hours, and zones of fittings, so raw data is read once. On plain PostgreSQL rows are replaced where they
    differ, window by window, each in a transaction with the word of how far it has come. TimescaleDB knows by itself which
    hours have changed; it must not be asked inside a transaction. Days are days in Oslo on either, whatever the setting says:
    a continuous aggregate cannot be changed.

Personal data
    ``device_health_…`` and ``activity_…`` tell of a home, by the fitting: :func:`forget_between` removes them. Zones and alerts have no
    person, home or device in them and stay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from psycopg import sql

from gateway.store.aside import under_way
from gateway.store.db import Connection

DAYS_IN = ZoneInfo("Europe/Oslo")
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACE = timedelta(minutes=2)
"""After the end of an hour, for what is on its way into the database."""
LATE = HOUR
"""So long after an hour has ended what was received in it may be committed."""
LOCK = 7_305_816_043
LONGEST = "10min"
"""That one statement may take."""
AT_ONCE = 50_000


class _GivenUp(Exception):
    """Somebody else has to do with what is counted."""


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


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a rollup is reckoned, and from when on it is a continuous aggregate: None for never, and for always."""

    reckoned_until: datetime | None
    live_since: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """How long what is counted is there at least, whatever it is: of each table, and the hours of which days are made."""

    observation: timedelta
    device_health: timedelta
    hours: timedelta

    @classmethod
    def alike(cls, time: timedelta) -> Kept:
        return cls(time, time, time)

    def of(self, rollup: Rollup) -> timedelta:
        if rollup.of_rollups:
            return self.hours
        return self.device_health if rollup.made_of == "device_health" else self.observation


# Reckoning --------------------------------------------------------------------------------------------------------------


async def refresh(connection: Connection, now: datetime, kept: Kept) -> int:
    """Reckon what has ended since last time, as far back as what it is made of is there. How many rollups had something to be reckoned; 0 where another process
    is at it, or rows are set aside. The connection makes its own transactions (autocommit)."""
    async with _alone(connection) as alone:
        if not alone or await under_way(connection):
            return 0
        standing, live = await _standing(connection), await is_live(connection)
        reckon = _refresh if live else _fill
        due = [(each, _until(each, now)) for each in ROLLUPS if _until(each, now) != standing[each.name].reckoned_until]
        for number, (each, until) in enumerate(due):
            whole = each.first_whole(now - kept.of(each))
            try:
                await reckon(connection, each, standing[each.name], whole, until)
                await _give_way(connection)
                async with connection.transaction():
                    await _note(connection, each, until, live=live)
            except _GivenUp:
                return number
        return len(due)


async def is_live(connection: Connection) -> bool:
    """Whether this database has continuous aggregates. (``to_regclass`` would not see in a transaction what was made since.)"""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'alert_hourly_live'
                          AND relnamespace = current_schema()::regnamespace) AS live"""
    )
    row = await cursor.fetchone()
    return bool(row and row["live"])


def _until(rollup: Rollup, now: datetime) -> datetime:
    """Until when it can be reckoned. Alerts are closed in every hour, also those of days that have ended long ago."""
    ended = now - GRACE
    return ROLLUPS[0].floor(ended) if rollup.of_facts else rollup.floor(ended)


async def _fill(connection: Connection, rollup: Rollup, had: Standing, whole: datetime, until: datetime) -> None:
    """Replace the rows that differ. ``whole``: from when on all of what it is made of is there."""
    if rollup.of_facts:
        since = had.reckoned_until - timedelta(days=1) if had.reckoned_until else FIRST
        async with connection.transaction():  # 0017 waits for it: it makes a hypertable of what is read here
            await connection.execute(rollup.upsert, {"since": since, "until": rollup.floor(until)})
            await _require_plain(connection)
        return
    for since, end in rollup.windows(await _begin(connection, rollup, had, whole, until), until):
        async with connection.transaction():  # first the row that 0017 changes before it takes over
            await _note(connection, rollup, end, live=False)
            await connection.execute(rollup.upsert, {"since": since, "until": end})
        await _give_way(connection)


async def _note(connection: Connection, rollup: Rollup, until: datetime, *, live: bool) -> None:
    """How far it has come."""
    await connection.execute("UPDATE rollup SET reckoned_until = %s WHERE name = %s", (until, rollup.name))
    if not live:
        await _require_plain(connection)


async def _require_plain(connection: Connection) -> None:
    """_GivenUp where 0017 has made continuous aggregates since we began: what we count now they count, too."""
    if await is_live(connection):
        raise _GivenUp


async def _refresh(connection: Connection, rollup: Rollup, had: Standing, whole: datetime, until: datetime) -> None:
    """The same where TimescaleDB reckons: what changed before, and then what is new."""
    if rollup.of_facts:
        await _call(connection, rollup, None, rollup.floor(until))
        return
    if had.live_since is not None:
        whole = max(whole, had.live_since)
    if had.reckoned_until is not None and whole < had.reckoned_until:
        await _call(connection, rollup, whole, had.reckoned_until)
    begin = had.reckoned_until or await _begin(connection, rollup, had, whole, until)
    for since, end in rollup.windows(max(begin, whole), until):
        await _call(connection, rollup, since, end)
        await _note(connection, rollup, end, live=True)
        await _give_way(connection)


async def _call(connection: Connection, rollup: Rollup, since: datetime | None, until: datetime) -> None:
    await connection.execute(
        "CALL refresh_continuous_aggregate(%s::regclass, %s::timestamptz, %s::timestamptz)",
        (f"{rollup.name}_live", since, until),
    )


async def _begin(connection: Connection, rollup: Rollup, had: Standing, whole: datetime, until: datetime) -> datetime:
    """From where on to reckon: a little before where it stands, else from the first that there is."""
    if had.reckoned_until is not None:
        return max(whole, rollup.floor(had.reckoned_until - LATE))
    column = "bucket" if rollup.of_rollups else "received_at"
    cursor = await connection.execute(f"SELECT min({column}) AS oldest FROM {rollup.made_of}")
    row = await cursor.fetchone()
    oldest = row["oldest"] if row else None
    return max(whole, rollup.floor(oldest)) if oldest is not None else until


async def _standing(connection: Connection) -> dict[str, Standing]:
    cursor = await connection.execute("SELECT name, reckoned_until, live_since FROM rollup")
    return {row["name"]: Standing(row["reckoned_until"], row["live_since"]) for row in await cursor.fetchall()}


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncIterator[bool]:
    """Whether nobody else reckons; nobody does as long as we do."""
    if not await _lock(connection):
        yield False
        return
    try:
        await connection.execute(f"SET statement_timeout = '{LONGEST}'")
        yield True
    finally:
        await connection.execute("RESET statement_timeout")
        await connection.execute("SELECT pg_advisory_unlock_all()")


async def _lock(connection: Connection) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS ours", (LOCK,))
    row = await cursor.fetchone()
    return bool(row and row["ours"])


async def _give_way(connection: Connection) -> None:
    """_GivenUp where somebody has waited until we are done; the lock is theirs now."""
    await connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
    if not await _lock(connection):
        raise _GivenUp


# Forgetting -------------------------------------------------------------------------------------------------------------


async def forget_between(
    connection: Connection, device_id: int, installation_id: int, since: datetime | None, until: datetime | None
) -> int:
    """Remove all that tells of a fitting between two times (None: no such bound); how many rows. In the transaction that removes
    what was said then, or after it: hours and days in which it begins and ends tell of others before and after, and are counted
    anew from what is left. Waits for whoever reckons just now, at most a minute."""
    await connection.execute("SET LOCAL lock_timeout = '60s'")
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    standing, gone = await _standing(connection), 0
    for each in (each for each in ROLLUPS if each.personal):
        by_device = "AND device_id = %(device)s" if "device_id" in each.key else ""
        whose = f"installation_id = %(installation)s {by_device}"
        fitting = {"device": device_id, "installation": installation_id}
        begin = each.floor(since) if since is not None else FIRST
        query = f"WHERE {whose} AND bucket >= %(since)s AND bucket < coalesce(%(until)s::timestamptz, 'infinity')"
        tables = await _tables(connection, each)
        for table in tables:
            statement = sql.SQL("DELETE FROM {} " + query).format(table)
            gone += (await connection.execute(statement, {**fitting, "since": begin, "until": until})).rowcount
        for bucket in each.partly(since, until):
            had, end = standing[each.name], each.after(bucket)
            if had.reckoned_until is not None and end <= had.reckoned_until:
                kept = had.live_since is not None and bucket < had.live_since
                anew = each.anew(tables[0] if kept else tables[-1], whose)
                await connection.execute(anew, {**fitting, "since": bucket, "until": end})
    return gone


async def _tables(connection: Connection, rollup: Rollup) -> list[sql.Identifier]:
    """The tables in which its rows are: ours, and the one behind the continuous aggregate."""
    found = [sql.Identifier(f"{rollup.name}_kept")]
    if await is_live(connection):
        cursor = await connection.execute(
            """SELECT materialization_hypertable_schema AS schema, materialization_hypertable_name AS name
               FROM timescaledb_information.continuous_aggregates
               WHERE view_schema = current_schema() AND view_name = %s""",
            (f"{rollup.name}_live",),
        )
        found += [sql.Identifier(row["schema"], row["name"]) for row in await cursor.fetchall()]
    return found


async def prune(connection: Connection, name: str, before: datetime) -> int:
    """Drop what a rollup tells of before a time; how many rows and chunks, of our own table only so many at once: call it until
    it is 0."""
    (rollup,) = (each for each in ROLLUPS if each.name == name)
    ours, *live = await _tables(connection, rollup)
    gone = 0
    for table in live:  # whole chunks, and then what is left of the oldest
        cursor = await connection.execute(
            "SELECT drop_chunks(%s::regclass, older_than => %s::timestamptz)", (f"{name}_live", before)
        )
        gone += cursor.rowcount
        cursor = await connection.execute(sql.SQL("DELETE FROM {} WHERE bucket < %s").format(table), (before,))
        gone += cursor.rowcount
    some = sql.SQL("DELETE FROM {0} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {0} WHERE bucket < %s LIMIT %s))")
    cursor = await connection.execute(some.format(ours), (before, AT_ONCE))
    return gone + cursor.rowcount


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), DAYS_IN).astimezone(UTC)
