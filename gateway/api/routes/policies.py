"""Policies and teams, whom they would page, and whether they will reach people in the week to come."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Anybody, Leader, Overseer, PolicyMaker, TheFront

router = APIRouter()


@router.get("/policies", tags=["policies"])
async def policies(who: Anybody, front: TheFront) -> list[schemas.PolicyView]:
    """The policies in force that you may see, the widest first. Of those that are for an alert the nearest applies."""
    return await front.policies(who)


@router.post("/policies", status_code=201, tags=["policies"])
async def add_policy(body: schemas.PolicyRequest, who: PolicyMaker, front: TheFront) -> schemas.PolicyView:
    """Set a policy for a zone, a resident or everywhere. It is refused where it does not reach two persons."""
    return await front.add_policy(who, body)


@router.get("/policy-options", tags=["policies"])
async def policy_options(
    who: PolicyMaker, front: TheFront, query: Annotated[schemas.PolicyScopeRequest, Query()]
) -> schemas.PolicyOptions:
    """Whom a policy for this can call, by which kinds of contact, and about what."""
    return await front.policy_options(who, query)


@router.get("/policies/{uid}", tags=["policies"])
async def policy(uid: UUID, who: Anybody, front: TheFront) -> schemas.PolicyDetail:
    """One policy with its versions, and who set each."""
    return await front.policy(who, uid)


@router.put("/policies/{uid}", tags=["policies"])
async def change_policy(uid: UUID, body: schemas.PolicyChange, who: PolicyMaker, front: TheFront) -> schemas.PolicyView:
    """Set a policy anew, against the version that you looked at. Alerts keep the one with which they were raised."""
    return await front.change_policy(who, uid, body)


@router.post("/policies/{uid}/withdraw", tags=["policies"])
async def withdraw_policy(
    uid: UUID, body: schemas.WithdrawRequest, who: PolicyMaker, front: TheFront
) -> schemas.PolicyView:
    """Withdraw a policy: the next nearest applies to new alerts."""
    return await front.withdraw_policy(who, uid, body.version)


@router.get("/rehearsal", tags=["policies"])
async def rehearsal(
    who: Overseer, front: TheFront, query: Annotated[schemas.RehearsalQuery, Query()]
) -> schemas.Rehearsal:
    """Who would be paged if this happened here at that time and nobody answered, by the code that pages."""
    return await front.rehearsal(who, query)


@router.get("/reach", tags=["policies"])
async def reach(who: Overseer, front: TheFront) -> schemas.ReachView:
    """How many persons are reached in each hour of the next seven days, and where they are too few."""
    return await front.reach(who)


@router.get("/teams", tags=["policies"])
async def teams(who: Leader, front: TheFront) -> list[schemas.TeamView]:
    """The teams of your zones and of those around them."""
    return await front.teams(who)


@router.post("/teams", status_code=201, tags=["policies"])
async def add_team(body: schemas.TeamRequest, who: PolicyMaker, front: TheFront) -> schemas.TeamView:
    """Make a team of a zone of yours."""
    return await front.add_team(who, body)


@router.get("/teams/{uid}", tags=["policies"])
async def team(uid: UUID, who: Leader, front: TheFront) -> schemas.TeamView:
    """One team with its members."""
    return await front.team(who, uid)


@router.put("/teams/{uid}", tags=["policies"])
async def change_team(uid: UUID, body: schemas.TeamChange, who: PolicyMaker, front: TheFront) -> schemas.TeamView:
    """Who is in a team from now on, against the version that you looked at. Alerts follow at their next step."""
    return await front.change_team(who, uid, body)


@router.post("/teams/{uid}/withdraw", tags=["policies"])
async def withdraw_team(
    uid: UUID, body: schemas.WithdrawRequest, who: PolicyMaker, front: TheFront
) -> schemas.TeamView:
    """Withdraw a team that no policy calls."""
    return await front.withdraw_team(who, uid, body.version)
