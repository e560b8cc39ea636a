"""Devices."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Cursor, Limit, Overseer, TheFront

router = APIRouter()


@router.get("/devices", tags=["technical"])
async def devices(
    who: Overseer,
    front: TheFront,
    q: Annotated[str, Query(max_length=100, description="A part of address, model, home or resident's name")] = "",
    kind: Annotated[str | None, Query(max_length=64)] = None,
    zone: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.DevicePage:
    """The devices in your zones, in order of address."""
    return await front.devices(who, q, kind, zone, cursor, limit)


@router.get("/devices/{uid}", tags=["technical"])
async def device(uid: UUID, who: Overseer, front: TheFront) -> schemas.DeviceDetail:
    """One device: where it is fitted, how it is, and the rules that apply to it, with those that they hide."""
    return await front.device(who, uid)
