"""Statistics, as JSON and as a table (CSV)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from gateway import figures, statistics
from gateway.api import schemas
from gateway.api.access import Leader, Overseer, TheFront

router = APIRouter(prefix="/statistics")

FleetQuery = Annotated[schemas.FleetQuery, Query()]
ActivityQuery = Annotated[schemas.ActivityQuery, Query()]
AlertQuery = Annotated[schemas.AlertStatisticsQuery, Query()]
AnswersQuery = Annotated[schemas.AnswerTimesQuery, Query()]
FrequencyQuery = Annotated[schemas.FrequencyQuery, Query()]
CSV: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    "tags": ["statistics"],
}


@router.get("/fleet", tags=["statistics"])
async def fleet_health(who: Overseer, front: TheFront, query: FleetQuery) -> schemas.FleetHealth:
    """How many devices of each zone of yours and each kind are silent, low, weak, or without connection now."""
    return await front.fleet_health(who, query)


@router.get("/fleet.csv", **CSV)
async def fleet_health_csv(who: Overseer, front: TheFront, query: FleetQuery) -> Response:
    """The same as a table."""
    return _table(statistics.fleet_csv(await front.fleet_health(who, query)), "fleet")


@router.get("/activity", tags=["statistics"])
async def activity(who: Overseer, front: TheFront, query: ActivityQuery) -> schemas.ActivityMap:
    """How much devices of a zone of yours said, beside signs of life, in each hour of each day. For technical services not of a
    zone with few homes."""
    return await front.activity(who, query)


@router.get("/activity.csv", **CSV)
async def activity_csv(who: Overseer, front: TheFront, query: ActivityQuery) -> Response:
    """The same as a table: a line a day, a column an hour."""
    return _table(statistics.activity_csv(await front.activity(who, query)), "activity")


@router.get("/alerts", tags=["statistics"], response_model=schemas.AlertStatistics)
async def alert_statistics(who: Leader, front: TheFront, query: AlertQuery) -> Response:
    """How many alerts of the zones that you lead were raised when, what they were, and how long answers took."""
    return Response(await front.alert_statistics(who, query), media_type="application/json")


@router.get("/alerts.csv", **CSV)
async def alert_statistics_csv(who: Leader, front: TheFront, query: AlertQuery) -> Response:
    """The same as a table."""
    return _table(statistics.alert_csv(await front.alert_statistics(who, query), query), "alerts")


@router.get("/answers", tags=["statistics"])
async def answer_times(who: Leader, front: TheFront, query: AnswersQuery) -> schemas.AnswerTimes:
    """How long answers took in the zones that you lead, and how long it took to be there: shares, medians, 90th percentiles."""
    return await front.answer_times(who, query)


@router.get("/answers.csv", **CSV)
async def answer_times_csv(who: Leader, front: TheFront, query: AnswersQuery) -> Response:
    """The same as a table."""
    return _table(figures.answer_csv(await front.answer_times(who, query), query), "answers")


@router.get("/devices", tags=["statistics"])
async def device_frequency(who: Overseer, front: TheFront, query: FrequencyQuery) -> schemas.DeviceFrequencies:
    """Which devices had how many alerts, how many of them false, and which have too many. For technical services of technical
    alerts."""
    return await front.device_frequency(who, query)


@router.get("/devices.csv", **CSV)
async def device_frequency_csv(who: Overseer, front: TheFront, query: FrequencyQuery) -> Response:
    """The same as a table."""
    return _table(figures.frequency_csv(await front.device_frequency(who, query)), "devices")


@router.get("/residents", tags=["statistics"])
async def resident_frequency(who: Leader, front: TheFront, query: FrequencyQuery) -> schemas.ResidentFrequencies:
    """Which residents had how many alerts, how many of them false, and who has too many. It is in their access log."""
    return await front.resident_frequency(who, query)


@router.get("/residents.csv", **CSV)
async def resident_frequency_csv(who: Leader, front: TheFront, query: FrequencyQuery) -> Response:
    """The same as a table."""
    return _table(figures.frequency_csv(await front.resident_frequency(who, query)), "residents")


def _table(text: str, name: str) -> Response:
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
