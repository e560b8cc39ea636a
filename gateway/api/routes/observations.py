"""What devices said."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ValidationError

from devices.model import MessageClass
from gateway.api import schemas
from gateway.api.access import Cursor, Limit, Overseer, TheFront
from gateway.errors import Invalid

router = APIRouter()


def whose(
    device: Annotated[UUID | None, Query(description="A device, or else a resident")] = None,
    resident: UUID | None = None,
    since: Annotated[AwareDatetime | None, Query(description="Received from then on; 30 days by default")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Received before then; now by default")] = None,
    type: Annotated[list[str] | None, Query(max_length=50, description="Only these types; may be repeated")] = None,  # noqa: A002 - the parameter's name
    message_class: Annotated[MessageClass | None, Query(alias="class")] = None,
    fitted: Annotated[
        Literal["now", "all"], Query(description="Of a device: in its fitting now, or all that is in your zones")
    ] = "all",
) -> dict[str, Any]:
    """What both endpoints share."""
    given = {"device": device, "resident": resident, "since": since, "until": until, "types": tuple(type or ())}
    return {**given, "message_class": message_class, "fitted": fitted}


Whose = Annotated[dict[str, Any], Depends(whose)]


@router.get("/observations", tags=["observations"])
async def observations(
    who: Overseer,
    front: TheFront,
    of: Whose,
    order: Annotated[Literal["newest", "oldest"], Query(description="By when we received it")] = "newest",
    raw: Annotated[bool, Query(description="With the messages as they came; for technical services")] = False,  # noqa: FBT002
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.ObservationPage:
    """What a device, or all devices of a resident, said: in your zones, at most 366 days at once. What was said in another
    zone's home stays there. A device for whoever looks after devices, a resident for leads and the response centre; the
    look is logged."""
    query = _made(schemas.ObservationQuery, {**of, "order": order, "raw": raw})
    return await front.observations(who, query, cursor, limit)


@router.get("/observations/buckets", tags=["observations"])
async def buckets(
    who: Overseer,
    front: TheFront,
    of: Whose,
    bucket: Annotated[str, Query(max_length=8, description="15m, 6h, 1d …; a day is a local one")] = "1h",
    field: Annotated[
        list[str] | None, Query(max_length=4, description="Numbers to measure, as battery; may be repeated")
    ] = None,
) -> schemas.BucketList:
    """The same, counted by type and measured by buckets of time: at most 1000."""
    query = _made(schemas.BucketQuery, {**of, "bucket": bucket, "fields": tuple(field or ())})
    return await front.buckets(who, query)


def _made(schema: Any, given: dict[str, Any]) -> Any:
    try:
        return schema.model_validate(given)
    except ValidationError as wrong:
        told = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in wrong.errors())
        raise Invalid("request", told, "see /docs for what is expected") from wrong
