"""Statistics: how the fleet is, when things happen in a zone, and what alerts came to – for those who plan, not for those who answer.

Who sees what
    Each for the zones that they cover. The fleet and a zone's activity: leads, the response centre, technical services and
    administrators (``OVERSEERS``); alerts: those without technical services (``LEADERS``). No line has a name, a home or a
    device in it, so a look is no look at a resident.
    Few homes tell of somebody all the same. Whoever may look at what a resident's devices say (``CARERS``) learns nothing
    more here; technical services may not, so a zone with fewer than :data:`FEWEST_HOMES` homes has no activity for them.
    Numbers of alerts have no least: who leads a zone sees each of its alerts with the resident's name.

Days and hours are those in Oslo, and end when they are over: see :mod:`gateway.store.rollups`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from devices.kinds import kinds
from gateway.access import CARERS, LEADERS, OVERSEERS, Role, Who
from gateway.api import schemas
from gateway.errors import Invalid, NotFound
from gateway.store import devicelist, statistics, zones
from gateway.store.db import Connection
from gateway.store.devicelist import Known, Search
from gateway.store.rollups import ALERT_COUNTS, DAYS_IN
from gateway.store.statistics import Span

FEWEST_HOMES = 5
FOUR_WEEKS, A_QUARTER = timedelta(days=27), timedelta(days=91)
LONGEST = 5 * 366
"""Days at once."""
MOST_LINES = 50_000


async def fleet_health(
    connection: Connection, who: Who, query: schemas.FleetQuery, now: datetime
) -> schemas.FleetHealth:
    """How many devices of each zone and kind are how."""
    who.require(OVERSEERS)
    asked = Search(await _zones(connection, who, OVERSEERS, query.zone))
    known = Known(who.sight, {name: kind.silent_after.total_seconds() for name, kind in kinds().items()})
    rows = await devicelist.fleet(connection, asked, known, now)
    lines = [{**row, "zone": {"id": row["zone_uid"], "name": row["zone"]}} for row in rows]
    return schemas.FleetHealth.model_validate({"at": now, "lines": lines})


async def activity(
    connection: Connection, who: Who, query: schemas.ActivityQuery, now: datetime
) -> schemas.ActivityMap:
    """When how much was said in a zone. Invalid where it would tell of few homes."""
    who.require(OVERSEERS)
    covered = await _zones(connection, who, OVERSEERS, query.zone)
    strange = set(covered) - set(who.zones_as(CARERS))
    if strange and await statistics.homes(connection, strange, now) < FEWEST_HOMES:
        detail = f"fewer than {FEWEST_HOMES} homes have devices there, so it would tell how somebody lives"
        raise Invalid("too_few", detail, "ask for a larger zone")
    since, until = _days(query.since, query.until, FOUR_WEEKS, now)
    rows = await statistics.activity(connection, _span(covered, since, until), query.kinds, query.types)
    hours = {since + timedelta(days=n): [0] * 24 for n in range((until - since).days + 1)}
    for row in rows:
        hours[row["day"]][row["hour"]] = row["count"]
    zone = await zones.find(connection, query.zone)
    assert zone is not None
    return schemas.ActivityMap(
        zone=schemas.Named(id=zone["uid"], name=zone["name"]),
        counted_until=await statistics.counted_until(connection, "zone_activity_hourly"),
        days=[schemas.ActivityDay(day=day, hours=counts) for day, counts in hours.items()],
    )


async def alert_statistics(
    connection: Connection, who: Who, query: schemas.AlertStatisticsQuery, now: datetime
) -> schemas.AlertStatistics:
    """What closed alerts came to."""
    who.require(LEADERS)
    covered = await _zones(connection, who, LEADERS, query.zone)
    since, until = _days(query.since, query.until, A_QUARTER, now)
    span = _span(covered, since, until)
    rows = await statistics.alerts(
        connection, span, query.step, query.per, query.track, query.conditions, MOST_LINES + 1
    )
    if len(rows) > MOST_LINES:
        raise Invalid("too_much", f"that is more than {MOST_LINES} lines", "ask for less time, or for wider steps")
    named = {row["id"]: {"id": row["uid"], "name": row["name"]} for row in await zones.named(connection, covered)}
    lines = [{**row, "zone": named[row["zone_id"]]} for row in rows] if "zone" in query.per else rows
    counted = await statistics.counted_until(
        connection, "alert_daily" if query.step in ("day", "all") else "alert_hourly"
    )
    return schemas.AlertStatistics.model_validate(  # in one go: with thousands of lines it is several times as fast
        {"since": since, "until": until, "counted_until": counted, "lines": lines}
    )


async def _zones(connection: Connection, who: Who, roles: frozenset[Role], zone: UUID | None) -> list[int]:
    """The zones that are asked for and that they cover. NotFound for one that is not theirs."""
    covered = who.zones_as(roles)
    if zone is None:
        return covered
    found = await statistics.below(connection, zone, covered)
    if not found:
        raise NotFound("zone", "there is no such zone, or it is not one of yours", "choose one of yours")
    return found


def _days(since: date | None, until: date | None, by_default: timedelta, now: datetime) -> tuple[date, date]:
    last = until or now.astimezone(DAYS_IN).date()
    first = since or last - by_default
    if first > last:
        raise Invalid("range", "since is after until", "ask for days in their order")
    if (last - first).days >= LONGEST:
        raise Invalid("range", f"that is {(last - first).days} days", f"ask for at most {LONGEST} days at a time")
    return first, last


def _span(covered: Sequence[int], since: date, until: date) -> Span:
    begin, end = (datetime.combine(day, time(), DAYS_IN) for day in (since, until + timedelta(days=1)))
    return Span(covered, begin, end)


# As a table ------------------------------------------------------------------------------------------------------------


def fleet_csv(found: schemas.FleetHealth) -> str:
    return _csv(
        [column for column in schemas.FleetLine.model_fields if column != "zone"],
        [each.model_dump(mode="json") for each in found.lines],
        zones=True,
    )


def activity_csv(found: schemas.ActivityMap) -> str:
    hours = [f"{hour:02}" for hour in range(24)]
    rows = [{"day": str(each.day), **dict(zip(hours, each.hours, strict=True))} for each in found.days]
    return _csv(["day", *hours], rows)


def alert_csv(found: schemas.AlertStatistics, query: schemas.AlertStatisticsQuery) -> str:
    """With the columns that were asked for."""
    at = {"hour": ["begin"], "day": ["begin"], "hour_of_day": ["hour"], "all": []}[query.step]
    own = [each for each in dict.fromkeys(query.per) if each != "zone"]
    rows = [each.model_dump(mode="json") for each in found.lines]
    return _csv([*at, *own, *ALERT_COUNTS], rows, zones="zone" in query.per)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, zones: bool = False) -> str:
    """As RFC 4180 has it. A zone is two columns, its id and its name."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*(("zone_id", "zone") if zones else ()), *columns])
    for row in rows:
        place = (row["zone"]["id"], _harmless(row["zone"]["name"])) if zones else ()
        writer.writerow([*place, *(row[column] for column in columns)])
    return out.getvalue()


def _harmless(name: str) -> str:
    """A spreadsheet takes a text that begins so for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
