"""The clock's endpoint. It exists only where the clock is controlled: in trials and tests, never in production."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime

from gateway.access import Role
from gateway.api import schemas
from gateway.api.access import PROBLEMS, Access
from gateway.api.openapi import operation_id

Advance = Callable[[timedelta], Awaitable[AwareDatetime]]


def clock_router(advance: Advance) -> APIRouter:
    """The endpoint, for a gateway whose clock ``advance`` moves."""
    router = APIRouter(prefix="/api/v1", responses=PROBLEMS, generate_unique_id_function=operation_id)
    one_at_a_time = asyncio.Lock()

    @router.post("/clock", dependencies=[Depends(Access(frozenset({Role.ADMIN})))], tags=["trials"])
    async def let_pass(body: schemas.LetPass) -> schemas.ClockView:
        """Let controlled time pass; answers when all that fell due in it is done."""
        async with one_at_a_time:
            return schemas.ClockView(now=await advance(timedelta(seconds=body.advance_seconds)))

    return router
