"""Rules, and what they would have raised."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway import ruling
from gateway.api import schemas
from gateway.api.access import Anybody, Ruler, TheFront

router = APIRouter()


@router.get("/rules", tags=["rules"])
async def rules(
    who: Anybody, front: TheFront, kind: Annotated[str | None, Query(max_length=64)] = None
) -> schemas.RuleList:
    """The rules in force that you may see, of a kind or of all. Of each name the nearest applies to a device."""
    return await front.rules(who, kind)


@router.put("/rules", tags=["rules"])
async def set_rule(body: schemas.RuleRequest, who: Ruler, front: TheFront) -> schemas.RuleView:
    """Set a rule for a zone, a resident or a device; what waits follows it at once. Preview it first."""
    return await front.set_rule(who, body)


@router.post("/rules/preview", tags=["rules"])
async def preview_rule(body: schemas.RuleRequest, who: Ruler, front: TheFront) -> schemas.Preview:
    """What the rule would have raised over the last 30 days of what is stored, beside what the rules as they are would have."""
    return await front.preview_rule(who, body)


@router.get("/rules/{uid}", tags=["rules"])
async def rule(uid: UUID, who: Anybody, front: TheFront) -> schemas.RuleDetail:
    """One rule with its versions, and who set each."""
    return await front.rule(who, uid)


@router.post("/rules/{uid}/withdraw", tags=["rules"])
async def withdraw_rule(uid: UUID, body: schemas.WithdrawRequest, who: Ruler, front: TheFront) -> schemas.RuleView:
    """Withdraw a rule: the next nearest of its name applies again, and what waits follows at once."""
    return await front.withdraw_rule(who, uid, body.version)


@router.get("/rule-types", tags=["rules"])
async def rule_types(_: Anybody) -> list[schemas.RuleType]:
    """Every type of rule, with the JSON Schema of its data."""
    return ruling.types()
