"""Silences, and residents who are away."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.api import schemas
from gateway.api.access import Anybody, Consenter, Overseer, TheFront

router = APIRouter()


@router.get("/silences", tags=["silences"])
async def silences(
    who: Anybody, front: TheFront, query: Annotated[schemas.SilenceQuery, Query()]
) -> schemas.SilencePage:
    """What is silenced where you have a role, why, until when and how much it has held back; or the history."""
    return await front.silences(who, query)


@router.post("/silences", status_code=201, tags=["silences"])
async def set_silence(body: schemas.SilenceRequest, who: Overseer, front: TheFront) -> schemas.SilenceDetail:
    """Silence a device, a resident or a zone, or say that a resident is away. A fall or a fire is not silenced before a second
    person has agreed; what is held back and not over is raised at the end."""
    return await front.set_silence(who, body)


@router.get("/silences/count", tags=["silences"])
async def silence_count(who: Anybody, front: TheFront) -> schemas.SilenceCount:
    """How many silences there are where you have a role, and how many wait for somebody."""
    return await front.silence_count(who)


@router.get("/silences/draft", tags=["silences"])
async def silence_draft(
    who: Overseer, front: TheFront, query: Annotated[schemas.SilenceFor, Query()]
) -> schemas.SilenceDraft:
    """What you can silence of a device, a resident or a zone, for whom and for how long."""
    return await front.silence_draft(who, query)


@router.get("/silences/{uid}", tags=["silences"])
async def silence(uid: UUID, who: Anybody, front: TheFront) -> schemas.SilenceDetail:
    """One silence with what it has held back, and who did what to it."""
    return await front.silence(who, uid)


@router.post("/silences/{uid}/consent", tags=["silences"])
async def consent(uid: UUID, body: schemas.SilenceSeen, who: Consenter, front: TheFront) -> schemas.SilenceDetail:
    """Agree to a silence, or to its later end, that somebody else has asked for."""
    return await front.consent(who, uid, body)


@router.post("/silences/{uid}/extend", tags=["silences"])
async def extend(uid: UUID, body: schemas.SilenceLonger, who: Overseer, front: TheFront) -> schemas.SilenceDetail:
    """Another end. What took two takes two again."""
    return await front.extend(who, uid, body)


@router.post("/silences/{uid}/end", tags=["silences"])
async def end_silence(uid: UUID, body: schemas.SilenceSeen, who: Anybody, front: TheFront) -> schemas.SilenceDetail:
    """End a silence now, or say that a resident is back."""
    return await front.end_silence(who, uid, body)
