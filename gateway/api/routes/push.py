"""Web Push: the key to subscribe with, and the phones that people are reached on."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request

from gateway.api import schemas
from gateway.api.access import Anybody, TheFront

router = APIRouter()


@router.get("/push/key", tags=["phones"])
async def push_key(who: Anybody, front: TheFront) -> schemas.PushKey:
    """The key that a browser subscribes with."""
    return await front.push_key(who)


@router.put("/push/subscription", tags=["phones"])
async def push_subscribe(
    body: schemas.PushRequest, request: Request, who: Anybody, front: TheFront
) -> schemas.PushPhone:
    """You are reached on this phone from now on, before any other way; whoever was before, is not any more. Say it again whenever
    the app is opened. 409 `turned_off` for a phone that you have removed, unless it is `asked` for."""
    return await front.push_subscribe(who, body, request.headers.get("User-Agent", ""))


@router.delete("/push/subscription/{uid}", status_code=204, tags=["phones"])
async def push_unsubscribe(uid: UUID, who: Anybody, front: TheFront) -> None:
    """You are not reached on this phone any more."""
    await front.push_unsubscribe(who, uid)


@router.post("/push/subscription/{uid}/test", status_code=204, tags=["phones"])
async def push_test(uid: UUID, who: Anybody, front: TheFront) -> None:
    """A push to this phone of yours, that says that it can be reached. 409 where its push service does not take it."""
    await front.push_test(who, uid)
