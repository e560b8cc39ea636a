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

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from gateway.store.aside import under_way
from gateway.store.counted import FIRST, HOUR, ROLLUPS, Rollup
from gateway.store.db import Connection

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
