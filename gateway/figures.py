"""Figures for those who lead: how long answers took, against what is aimed at, and which devices and residents have alerts so often
that something is wrong.

Who sees what
    Answer times, and how often residents had alerts: leads, the response centre and administrators (``LEADERS``), each for
    the zones that they cover. How often devices had alerts: technical services too, of technical alerts alone.
    No figure names anybody of the staff. A resident who is named here is in the access log, as in any list.

Aims
    97.5 % of calls are answered within 60 seconds and 99 % within 180 (the quality standard of telecare); who goes there is on
    site within 30 minutes (a Norwegian municipality). One resident in a hundred causes more than thirty alarms a month (a
    Norwegian vendor): whoever has more in any month is marked, of a whole month, also where a week of it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from gateway import statistics
from gateway.access import LEADERS, OVERSEERS, Role, Who
from gateway.api import schemas
from gateway.errors import Invalid
from gateway.store import audit, figures
from gateway.store.db import Connection
from gateway.store.figures import Often

MANY_A_MONTH = 30
"""Alerts; more are marked."""


async def answer_times(
    connection: Connection, who: Who, query: schemas.AnswerTimesQuery, now: datetime
) -> schemas.AnswerTimes:
    """How long it took until alerts were answered, and until somebody was there."""
    who.require(LEADERS)
    covered = await statistics.zones_asked(connection, who, LEADERS, query.zone)
    since, until = statistics.days_asked(query.since, query.until, statistics.FOUR_WEEKS, now)
    span, most = statistics.span_of(covered, since, until), statistics.MOST_LINES
    rows = await figures.answers(connection, span, query.per, query.track, most + 1)
    if len(rows) > most:
        raise Invalid("too_much", f"that is more than {most} lines", "ask for less at a time")
    return schemas.AnswerTimes.model_validate({"since": since, "until": until, "lines": rows})


async def device_frequency(
    connection: Connection, who: Who, query: schemas.FrequencyQuery, now: datetime
) -> schemas.DeviceFrequencies:
    """Which devices had alerts that the reader may see, the most first."""
    who.require(OVERSEERS)
    since, until, often = await _often(connection, who, OVERSEERS, query, now)
    rows = await figures.devices(connection, often)
    return schemas.DeviceFrequencies.model_validate(_answer(since, until, rows))


async def resident_frequency(
    connection: Connection, who: Who, query: schemas.FrequencyQuery, now: datetime
) -> schemas.ResidentFrequencies:
    """Which residents had alerts, the most first. That the reader saw their names is in the audit."""
    who.require(LEADERS)
    since, until, often = await _often(connection, who, LEADERS, query, now)
    rows = await figures.residents(connection, often)
    await audit.note_shown(connection, now, who.person_id, [row["resident_id"] for row in rows])
    return schemas.ResidentFrequencies.model_validate(_answer(since, until, rows))


async def _often(
    connection: Connection, who: Who, roles: frozenset[Role], query: schemas.FrequencyQuery, now: datetime
) -> tuple[date, date, Often]:
    covered = await statistics.zones_asked(connection, who, roles, query.zone)
    since, until = statistics.days_asked(query.since, query.until, statistics.FOUR_WEEKS, now)
    inside, months = statistics.span_of(covered, since, until), statistics.span_of(covered, *whole_months(since, until))
    return since, until, Often(
        care=set(covered) & set(who.zones_as(LEADERS)),
        technical=covered,
        since=inside.since,
        until=inside.until,
        months_since=months.since,
        months_until=months.until,
        track=query.track,
        mark=MANY_A_MONTH,
        marked=query.marked,
        limit=query.limit,
    )  # fmt: skip


def whole_months(since: date, until: date) -> tuple[date, date]:
    """The first day of the first month, and the last one of the last."""
    return since.replace(day=1), (until.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _answer(since: date, until: date, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"since": since, "until": until, "many_a_month": MANY_A_MONTH, "lines": rows}


# As a table ------------------------------------------------------------------------------------------------------------


def answer_csv(found: schemas.AnswerTimes, query: schemas.AnswerTimesQuery) -> str:
    """With the columns that were asked for."""
    own = [each for each in dict.fromkeys(query.per) if each != "zone"]
    counts = [each for each in schemas.AnswerLine.model_fields if each not in ("zone", "hour", "cause", "condition")]
    rows = [each.model_dump(mode="json") for each in found.lines]
    return statistics.table([*own, *counts], rows, named=("zone",) if "zone" in query.per else ())


def frequency_csv(found: schemas.DeviceFrequencies | schemas.ResidentFrequencies) -> str:
    """A line a device, or a resident."""
    counts = [each for each in schemas.Frequency.model_fields if each != "zone"]
    rows = [each.model_dump(mode="json") for each in found.lines]
    if isinstance(found, schemas.DeviceFrequencies):
        return statistics.table(["kind", *counts], rows, named=("device", "zone"))
    return statistics.table(counts, rows, named=("resident", "zone"))
