"""Pages, for the phones that they were sent to. Whoever has a page's key needs no session."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from alerts.delivery import Receipt
from gateway.api import schemas
from gateway.api.access import Public, TheFront

router = APIRouter(prefix="/pages", tags=["pages"], dependencies=[Depends(Public())])

Key = Annotated[str, Path(min_length=32, max_length=128, pattern=r"^[A-Za-z0-9_-]+$", description="came with the page")]
GONE: dict[int | str, dict[str, Any]] = {410: {"model": schemas.Problem, "content": {"application/problem+json": {}}}}


@router.get("/{key}")
async def page(key: Key, front: TheFront) -> schemas.PageView:
    """Whether a page is still wanted: to be asked before a late one is shown. It tells nothing about anybody."""
    return await front.page(key)


@router.post("/{key}/received")
async def page_received(key: Key, front: TheFront) -> schemas.PageView:
    """The device has the page: its person's other contacts are not tried. Saying it again changes nothing."""
    return await front.page_heard(key, Receipt.RECEIVED)


@router.post("/{key}/shown")
async def page_shown(key: Key, front: TheFront) -> schemas.PageView:
    """The device has shown the page. Saying it again changes nothing."""
    return await front.page_heard(key, Receipt.SHOWN)


@router.post("/{key}/claim", responses=GONE)
async def claim_page(key: Key, front: TheFront, body: schemas.PageClaim | None = None) -> schemas.PageClaimed:
    """The page's person takes the alert. Refused with the reason, e.g. when a colleague has it; gone when the alert is closed
    or the page is more than a day old. The same again is the same answer, as long as they have it."""
    return await front.claim_page(key, body or schemas.PageClaim())
