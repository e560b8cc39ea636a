"""Statistics, as JSON and as a table (CSV)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from gateway import statistics
from gateway.api import schemas
from gateway.api.access import Leader, Overseer, TheFront

router = APIRouter(prefix="/statistics")

FleetQuery = Annotated[schemas.FleetQuery, Query()]
ActivityQuery = Annotated[schemas.ActivityQuery, Query()]
AlertQuery = Annotated[schemas.AlertStatisticsQuery, Query()]
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


@router.get("/alerts", tags=["statistics"])
async def alert_statistics(who: Leader, front: TheFront, query: AlertQuery) -> schemas.AlertStatistics:
    """How many alerts of the zones that you lead were raised when, what they were, and how long answers took."""
    return await front.alert_statistics(who, query)


@router.get("/alerts.csv", **CSV)
async def alert_statistics_csv(who: Leader, front: TheFront, query: AlertQuery) -> Response:
    """The same as a table."""
    return _table(statistics.alert_csv(await front.alert_statistics(who, query), query), "alerts")


def _table(text: str, name: str) -> Response:
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
