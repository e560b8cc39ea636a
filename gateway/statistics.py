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
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from devices.kinds import kinds
from gateway.access import CARERS, LEADERS, OVERSEERS, Role, Who
from gateway.api import schemas
from gateway.errors import Invalid, NotFound
from gateway.store import devicelist, statistics, zones
from gateway.store.counted import ALERT_COUNTS, DAYS_IN
from gateway.store.db import Connection
from gateway.store.devicelist import Known, Search
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
    asked = Search(await zones_asked(connection, who, OVERSEERS, query.zone))
    known = Known(who.sight, {name: kind.silent_after.total_seconds() for name, kind in kinds().items()})
    rows = await devicelist.fleet(connection, asked, known, now)
    lines = [{**row, "zone": {"id": row["zone_uid"], "name": row["zone"]}} for row in rows]
    return schemas.FleetHealth.model_validate({"at": now, "lines": lines})


async def activity(
    connection: Connection, who: Who, query: schemas.ActivityQuery, now: datetime
) -> schemas.ActivityMap:
    """When how much was said in a zone. Invalid where it would tell of few homes."""
    who.require(OVERSEERS)
    covered = await zones_asked(connection, who, OVERSEERS, query.zone)
    strange = set(covered) - set(who.zones_as(CARERS))
    if strange and await statistics.homes(connection, strange, now) < FEWEST_HOMES:
        detail = f"fewer than {FEWEST_HOMES} homes have devices there, so it would tell how somebody lives"
        raise Invalid("too_few", detail, "ask for a larger zone")
    since, until = days_asked(query.since, query.until, FOUR_WEEKS, now)
    rows = await statistics.activity(connection, span_of(covered, since, until), query.kinds, query.types)
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


async def alert_statistics(connection: Connection, who: Who, query: schemas.AlertStatisticsQuery, now: datetime) -> str:
    """What closed alerts came to: an AlertStatistics, as JSON. It is written by the database: to make thousands of lines here would
    hold up everybody else."""
    who.require(LEADERS)
    covered = await zones_asked(connection, who, LEADERS, query.zone)
    since, until = days_asked(query.since, query.until, A_QUARTER, now)
    span = span_of(covered, since, until)
    lines = await statistics.alerts(
        connection, span, query.step, query.per, query.track, query.conditions, MOST_LINES + 1
    )
    if lines.count > MOST_LINES:
        raise Invalid("too_much", f"that is more than {MOST_LINES} lines", "ask for less time, or for wider steps")
    counted = await statistics.counted_until(
        connection, "alert_daily" if query.step in ("day", "all") else "alert_hourly"
    )
    head = schemas.AlertStatistics(since=since, until=until, counted_until=counted, lines=[])
    return f'{head.model_dump_json(exclude={"lines"})[:-1]},"lines":{lines.json}}}'


async def zones_asked(connection: Connection, who: Who, roles: frozenset[Role], zone: UUID | None) -> list[int]:
    """The zones that are asked for and that they cover. NotFound for one that is not theirs."""
    covered = who.zones_as(roles)
    if zone is None:
        return covered
    found = await statistics.below(connection, zone, covered)
    if not found:
        raise NotFound("zone", "there is no such zone, or it is not one of yours", "choose one of yours")
    return found


def days_asked(since: date | None, until: date | None, by_default: timedelta, now: datetime) -> tuple[date, date]:
    last = until or now.astimezone(DAYS_IN).date()
    first = since or last - by_default
    if first > last:
        raise Invalid("range", "since is after until", "ask for days in their order")
    if (last - first).days >= LONGEST:
        raise Invalid("range", f"that is {(last - first).days} days", f"ask for at most {LONGEST} days at a time")
    return first, last


def span_of(covered: Sequence[int], since: date, until: date) -> Span:
    begin, end = (datetime.combine(day, time(), DAYS_IN) for day in (since, until + timedelta(days=1)))
    return Span(covered, begin, end)


# As a table ------------------------------------------------------------------------------------------------------------


def fleet_csv(found: schemas.FleetHealth) -> str:
    return table(
        [column for column in schemas.FleetLine.model_fields if column != "zone"],
        [each.model_dump(mode="json") for each in found.lines],
        named=("zone",),
    )


def activity_csv(found: schemas.ActivityMap) -> str:
    hours = [f"{hour:02}" for hour in range(24)]
    rows = [{"day": str(each.day), **dict(zip(hours, each.hours, strict=True))} for each in found.days]
    return table(["day", *hours], rows)


def alert_csv(found: str, query: schemas.AlertStatisticsQuery) -> str:
    """Of :func:`alert_statistics`, with the columns that were asked for."""
    at = {"hour": ["begin"], "day": ["begin"], "hour_of_day": ["hour"], "all": []}[query.step]
    own = [each for each in dict.fromkeys(query.per) if each != "zone"]
    return table([*at, *own, *ALERT_COUNTS], json.loads(found)["lines"], named=("zone",) if "zone" in query.per else ())


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], named: Sequence[str] = ()) -> str:
    """As RFC 4180 has it. What is ``named``, a zone or a device, is two columns in front: its id and its name."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*(column for each in named for column in (f"{each}_id", each)), *columns])
    for row in rows:
        names = (text for each in named for text in (row[each]["id"], _harmless(row[each]["name"])))
        writer.writerow([*names, *(row[column] for column in columns)])
    return out.getvalue()


def _harmless(name: str) -> str:
    """A spreadsheet takes a text that begins so for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
