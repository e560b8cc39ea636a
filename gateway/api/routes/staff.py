"""Zones, staff, and the commands that were given."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Anybody, Leader, TheFront

router = APIRouter()


@router.get("/zones", tags=["staff"])
async def zones(who: Anybody, front: TheFront) -> list[schemas.ZoneView]:
    """The tree of zones, and your roles in each."""
    return await front.zones(who)


@router.get("/people", tags=["staff"])
async def people(who: Leader, front: TheFront, query: Annotated[schemas.StaffQuery, Query()]) -> schemas.StaffPage:
    """The staff of the zones that you lead, with their roles there, in order of name."""
    return await front.people(who, query)


@router.get("/people/{uid}", tags=["staff"])
async def person(uid: UUID, who: Leader, front: TheFront) -> schemas.StaffItem:
    """One member of staff of the zones that you lead."""
    return await front.person(who, uid)


@router.get("/commands", tags=["alerts"])
async def commands(
    who: Anybody, front: TheFront, query: Annotated[schemas.CommandQuery, Query()]
) -> schemas.CommandPage:
    """What devices were asked to do for alerts that you may see, and what you asked; the newest first."""
    return await front.commands(who, query)


@router.get("/commands/{uid}", tags=["alerts"])
async def command(uid: UUID, who: Anybody, front: TheFront) -> schemas.CommandItem:
    """One command, and how far it has come."""
    return await front.given_command(who, uid)
