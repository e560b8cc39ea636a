"""What devices said."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Overseer, TheFront

router = APIRouter()


@router.get("/observations", tags=["observations"])
async def observations(
    who: Overseer, front: TheFront, query: Annotated[schemas.ObservationQuery, Query()]
) -> schemas.ObservationPage:
    """What a device, or all devices of a resident, said: in your zones, at most 366 days at once. What was said in another
    zone's home stays there. A device for whoever looks after devices, a resident for leads and the response centre; the
    look is logged."""
    return await front.observations(who, query)


@router.get("/observations/counted", tags=["observations"])
async def counted(
    who: Overseer, front: TheFront, query: Annotated[schemas.CountedQuery, Query()]
) -> schemas.CountedList:
    """How often a device, or all devices of a resident, said what, by hours or days that have ended; and how a device was. It is kept
    for longer than what was said. For whom the same is; the look is logged."""
    return await front.counted(who, query)


@router.get("/observations/buckets", tags=["observations"])
async def buckets(who: Overseer, front: TheFront, query: Annotated[schemas.BucketQuery, Query()]) -> schemas.BucketList:
    """The same, counted by type and measured by buckets of time: at most 1000."""
    return await front.buckets(who, query)
