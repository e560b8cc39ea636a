"""Alerts, answers to them, commands for them, and the stream of changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse

from gateway.api import schemas
from gateway.api.access import Anybody, Overseer, TheFront

router = APIRouter()


@router.get("/alerts", tags=["alerts"])
async def alerts(who: Anybody, front: TheFront, query: Annotated[schemas.AlertQuery, Query()]) -> schemas.AlertPage:
    """The alerts you may see. Open: yours first, then the severest, then the oldest. Closed: the newest first."""
    return await front.alerts(who, query)


@router.get("/alerts/{uid}", tags=["alerts"])
async def alert(uid: UUID, who: Anybody, front: TheFront) -> schemas.AlertDetail:
    """One alert: who, where, how to get in, what the device said, and all that has happened since."""
    return await front.alert_detail(who, uid)


@router.get("/alerts/{uid}/path", tags=["alerts"])
async def alert_path(uid: UUID, who: Overseer, front: TheFront) -> schemas.AlertPath:
    """The way of an alert, leg by leg: when its message came, and of each page when it was sent, received, shown and
    answered."""
    return await front.alert_path(who, uid)


@router.post("/alerts/{uid}/answers", tags=["alerts"])
async def answer(
    uid: UUID,
    body: schemas.AnswerRequest,
    who: Anybody,
    front: TheFront,
    idempotency_key: Annotated[
        str, Header(min_length=1, max_length=128, description="One for each answer; a repeated one is the same answer")
    ],
) -> schemas.AnswerReply:
    """Answer an alert: claim, on_way, arrived, close, undo_close, hand_over, release, need_help, take_over."""
    return await front.answer(who, uid, body, idempotency_key)


@router.post("/alerts/{uid}/commands", status_code=202, tags=["alerts"])
async def ask(
    uid: UUID,
    body: schemas.CommandRequest,
    who: Anybody,
    front: TheFront,
    idempotency_key: Annotated[
        str,
        Header(min_length=1, max_length=128, description="One for each command; a repeated one is the same command"),
    ],
) -> schemas.CommandView:
    """Ask a lock in the alert's home to lock, unlock or unlatch. For whoever holds the alert, or was paged for it and is on
    duty. It is done when the alert's `locks` say so."""
    return await front.command(who, uid, body, idempotency_key)


@router.get("/changes", tags=["alerts"], response_class=EventSourceResponse)
async def changes(who: Anybody, front: TheFront) -> EventSourceResponse:
    """Server-sent events: `changed` whenever something in what you may see has changed. Then ask again."""

    async def events() -> AsyncIterator[dict[str, str]]:
        async for _ in front.changes(who):
            yield {"event": "changed", "data": ""}

    return EventSourceResponse(events(), ping=15)
