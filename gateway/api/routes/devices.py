"""Devices: what there is, where each is fitted, and the doses that are planned for it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Keeper, Overseer, TheFront

router = APIRouter()


@router.get("/devices", tags=["technical"])
async def devices(who: Overseer, front: TheFront, query: Annotated[schemas.DeviceQuery, Query()]) -> schemas.DevicePage:
    """The devices in your zones, where each is fitted and how it is; in order of address, or the worst first."""
    return await front.devices(who, query)


@router.post("/devices", status_code=201, tags=["technical"])
async def register_device(body: schemas.DeviceRequest, who: Keeper, front: TheFront) -> schemas.DeviceItem:
    """Register a device at a site of yours, also one that has spoken before. Then fit it."""
    return await front.register_device(who, body)


@router.get("/devices/{uid}", tags=["technical"])
async def device(uid: UUID, who: Overseer, front: TheFront) -> schemas.DeviceDetail:
    """One device: where it is fitted, how it is, its open alerts, and the rules that apply to it, with those that they hide."""
    return await front.device(who, uid)


@router.patch("/devices/{uid}", tags=["technical"])
async def change_device(uid: UUID, body: schemas.DeviceChange, who: Keeper, front: TheFront) -> schemas.DeviceItem:
    """Another model, or another limit of silence; what waits for it is judged by that at once."""
    return await front.change_device(who, uid, body)


@router.post("/devices/{uid}/fit", status_code=201, tags=["technical"])
async def fit_device(uid: UUID, body: schemas.FitRequest, who: Keeper, front: TheFront) -> schemas.FittingView:
    """Fit a device in a dwelling, for a resident who lives there or for nobody in particular. 409 names what is in the way."""
    return await front.fit_device(who, uid, body)


@router.post("/devices/{uid}/move", status_code=201, tags=["technical"])
async def move_device(uid: UUID, body: schemas.FitRequest, who: Keeper, front: TheFront) -> schemas.FittingView:
    """Fit a device somewhere else. Planned doses go along where it stays the same resident's."""
    return await front.move_device(who, uid, body)


@router.post("/devices/{uid}/take-down", tags=["technical"])
async def take_down_device(uid: UUID, body: schemas.TakeDown, who: Keeper, front: TheFront) -> schemas.FittingView:
    """Take a device down. What waits for it there ends with it."""
    return await front.take_down_device(who, uid, body)


@router.get("/devices/{uid}/doses", tags=["technical"])
async def doses(uid: UUID, who: Overseer, front: TheFront) -> schemas.DoseList:
    """The doses that are planned for a device as it is fitted now."""
    return await front.doses(who, uid)


@router.post("/devices/{uid}/doses", status_code=201, tags=["technical"])
async def set_dose(uid: UUID, body: schemas.DoseRequest, who: Keeper, front: TheFront) -> schemas.DoseView:
    """Plan a dose that recurs, from now on. 409 names the dose at the same time that is in the way."""
    return await front.set_dose(who, uid, body)


@router.post("/doses/{uid}/end", tags=["technical"])
async def end_dose(uid: UUID, body: schemas.DoseEnd, who: Keeper, front: TheFront) -> schemas.DoseView:
    """Give a dose its last day. Nobody waits for it afterwards."""
    return await front.end_dose(who, uid, body)
