"""Devices."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from gateway.api import schemas
from gateway.api.access import Cursor, Limit, Overseer, TheFront

router = APIRouter()


def device_query(
    q: Annotated[str, Query(max_length=100, description="A part of address, model, home or resident's name")] = "",
    kind: Annotated[str | None, Query(max_length=64)] = None,
    zone: UUID | None = None,
    state: Annotated[
        Literal["silent", "attention"] | None, Query(description="Only what is silent, or whatever needs somebody")
    ] = None,
    order: Annotated[Literal["address", "worst"], Query(description="By address, or the worst first")] = "address",
) -> schemas.DeviceQuery:
    """Which devices."""
    return schemas.DeviceQuery(q=q, kind=kind, zone=zone, state=state, order=order)


@router.get("/devices", tags=["technical"])
async def devices(
    who: Overseer,
    front: TheFront,
    query: Annotated[schemas.DeviceQuery, Depends(device_query)],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.DevicePage:
    """The devices in your zones, where each is fitted and how it is; in order of address, or the worst first."""
    return await front.devices(who, query, cursor, limit)


@router.get("/devices/{uid}", tags=["technical"])
async def device(uid: UUID, who: Overseer, front: TheFront) -> schemas.DeviceDetail:
    """One device: where it is fitted, how it is, its open alerts, and the rules that apply to it, with those that they hide."""
    return await front.device(who, uid)
