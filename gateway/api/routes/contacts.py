"""How you are reached, and where you are signed in."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from gateway.access import Who
from gateway.api import schemas
from gateway.api.access import Access, Anybody, TheFront

router = APIRouter(prefix="/me", tags=["contacts"])


@router.get("/contacts")
async def contacts(who: Anybody, front: TheFront) -> schemas.ContactList:
    """Your contacts in the order in which they are tried, how each stands, and which you can add."""
    return await front.contacts(who)


@router.post("/contacts", status_code=201)
async def add_contact(body: schemas.ContactRequest, who: Anybody, front: TheFront) -> schemas.ContactView:
    """Another contact, tried after the others. Its channel says what an address must be."""
    return await front.add_contact(who, body)


@router.put("/contacts/order")
async def order_contacts(body: schemas.ContactOrder, who: Anybody, front: TheFront) -> schemas.ContactList:
    """The order in which they are tried: all of them, each once."""
    return await front.order_contacts(who, body)


@router.patch("/contacts/{uid}")
async def set_quiet_hours(uid: UUID, body: schemas.QuietHours, who: Anybody, front: TheFront) -> schemas.ContactView:
    """When this one is not disturbed by what is neither serious nor critical."""
    return await front.set_quiet_hours(who, uid, body)


@router.delete("/contacts/{uid}", status_code=204)
async def remove_contact(
    uid: UUID,
    who: Anybody,
    front: TheFront,
    query: Annotated[schemas.RemovalQuery, Query()],
) -> Response:
    """You are not reached by it any more. `last_contact` where nothing else reaches you while you serve."""
    await front.remove_contact(who, uid, confirmed=query.confirmed)
    return Response(status_code=204)


@router.post("/contacts/{uid}/test")
async def test_contact(uid: UUID, who: Anybody, front: TheFront) -> schemas.ContactView:
    """A test page to this one contact, to be confirmed there; else your lead is told."""
    return await front.test_contact(who, uid)


@router.delete("/contacts/{uid}/test")
async def call_off_test(uid: UUID, who: Anybody, front: TheFront) -> schemas.ContactView:
    """A test that waits is called off: nobody is told."""
    return await front.call_off_test(who, uid)


@router.get("/sessions")
async def signed_in_at(who: Annotated[Who, Depends(Access(None))], front: TheFront) -> list[schemas.SignedInView]:
    """Where you are signed in, the newest first."""
    return await front.signed_in_at(who)


@router.delete("/sessions/{uid}", status_code=204)
async def end_session(uid: UUID, who: Annotated[Who, Depends(Access(None))], front: TheFront) -> Response:
    """End one of your sessions, as of a phone that is lost."""
    await front.end_session(who, uid)
    return Response(status_code=204)
