"""What could not be read, and how far sites are heard."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from devices.model import Reason as Unreadable
from gateway.api import schemas
from gateway.api.access import Anybody, Cursor, Limit, Overseer, TheFront

router = APIRouter()


def quarantine_query(
    q: Annotated[
        str | None, Query(max_length=200, description="A part of topic, detail, site or the message itself")
    ] = None,
    reason: Unreadable | None = None,
    site: Annotated[str | None, Query(max_length=64)] = None,
    state: schemas.QuarantineState = "waiting",
) -> schemas.QuarantineQuery:
    """Which messages in quarantine."""
    return schemas.QuarantineQuery(q=q, reason=reason, site=site, state=state)


QuarantineQuery = Annotated[schemas.QuarantineQuery, Depends(quarantine_query)]


@router.get("/quarantine", tags=["technical"])
async def quarantine(
    who: Overseer, front: TheFront, query: QuarantineQuery, cursor: Cursor = None, limit: Limit = 50
) -> schemas.QuarantinePage:
    """Messages of your sites that could not be read, with raw bytes and reason; the newest first."""
    return await front.quarantine(who, query, cursor, limit)


@router.post("/quarantine/decode", tags=["technical"])
async def decode_all_again(
    who: Overseer, front: TheFront, query: QuarantineQuery, cursor: Cursor = None
) -> schemas.DecodedAgainAll:
    """Decode again all that wait and match, the oldest first, 200 at a time. Go on with `next_cursor`."""
    return await front.decode_all_again(who, query, cursor)


@router.post("/quarantine/{uid}/decode", tags=["technical"])
async def decode_again(uid: UUID, who: Overseer, front: TheFront) -> schemas.DecodedAgain:
    """Decode one message again. What can be read now is stored and judged, as late as it is."""
    return await front.decode_again(who, uid)


@router.get("/sites", tags=["technical"])
async def sites(who: Anybody, front: TheFront) -> list[schemas.SiteView]:
    """Every site and until when it has been heard."""
    return await front.sites(who)
