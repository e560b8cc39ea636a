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


@router.get("/observations/buckets", tags=["observations"])
async def buckets(who: Overseer, front: TheFront, query: Annotated[schemas.BucketQuery, Query()]) -> schemas.BucketList:
    """The same, counted by type and measured by buckets of time: at most 1000."""
    return await front.buckets(who, query)
