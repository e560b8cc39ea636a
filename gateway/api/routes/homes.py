"""Residents and dwellings."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Anybody, Auditor, Keeper, TheFront

router = APIRouter()


@router.get("/residents", tags=["homes"])
async def residents(
    who: Anybody, front: TheFront, query: Annotated[schemas.ResidentQuery, Query()]
) -> schemas.ResidentPage:
    """The residents of your zones, in order of name. That you were shown them is noted."""
    return await front.residents(who, query)


@router.post("/residents", status_code=201, tags=["homes"])
async def add_resident(body: schemas.ResidentRequest, who: Keeper, front: TheFront) -> schemas.ResidentDetail:
    """Somebody new, who lives in a dwelling of your zones."""
    return await front.add_resident(who, body)


@router.get("/residents/{uid}", tags=["homes"])
async def resident(uid: UUID, who: Anybody, front: TheFront) -> schemas.ResidentDetail:
    """One resident: where they live and lived, what is fitted for them, open alerts. That you looked is noted."""
    return await front.resident(who, uid)


@router.get("/residents/{uid}/access-log", tags=["homes"])
async def access_log(
    uid: UUID, who: Auditor, front: TheFront, query: Annotated[schemas.AccessLogQuery, Query()]
) -> schemas.AccessLog:
    """Who looked at a resident, when, at what and why, the newest first. That you looked at this is noted, too."""
    return await front.access_log(who, uid, query)


@router.patch("/residents/{uid}", tags=["homes"])
async def change_resident(
    uid: UUID, body: schemas.ResidentChange, who: Keeper, front: TheFront
) -> schemas.ResidentDetail:
    """Another name, telephone, birth or note; the last two by care staff."""
    return await front.change_resident(who, uid, body)


@router.post("/residents/{uid}/move-in", tags=["homes"])
async def move_in(uid: UUID, body: schemas.MoveIn, who: Keeper, front: TheFront) -> schemas.ResidentDetail:
    """They live in another dwelling, and not where they lived; with what is fitted for them, if you say so."""
    return await front.move_in(who, uid, body)


@router.post("/residents/{uid}/move-out", tags=["homes"])
async def move_out(uid: UUID, body: schemas.MoveOut, who: Keeper, front: TheFront) -> schemas.ResidentDetail:
    """They do not live there any more. What is fitted for them has to be taken down or moved."""
    return await front.move_out(who, uid, body)


@router.get("/dwellings", tags=["homes"])
async def dwellings(
    who: Anybody, front: TheFront, query: Annotated[schemas.DwellingQuery, Query()]
) -> schemas.DwellingPage:
    """The dwellings of your zones, in order of address."""
    return await front.dwellings(who, query)


@router.post("/dwellings", status_code=201, tags=["homes"])
async def add_dwelling(body: schemas.DwellingRequest, who: Keeper, front: TheFront) -> schemas.DwellingDetail:
    """A new dwelling in a zone of yours."""
    return await front.add_dwelling(who, body)


@router.get("/dwellings/{uid}", tags=["homes"])
async def dwelling(uid: UUID, who: Anybody, front: TheFront) -> schemas.DwellingDetail:
    """One dwelling: how to get in, who lives there, what is fitted there."""
    return await front.dwelling(who, uid)


@router.patch("/dwellings/{uid}", tags=["homes"])
async def change_dwelling(
    uid: UUID, body: schemas.DwellingChange, who: Keeper, front: TheFront
) -> schemas.DwellingDetail:
    """The address written another way, another way in, another zone. Who moves lives in another dwelling."""
    return await front.change_dwelling(who, uid, body)
