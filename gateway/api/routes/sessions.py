"""Signing in and out, and who is signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gateway.access import Who
from gateway.api import schemas
from gateway.api.access import Access, Anybody, Public, TheFront

router = APIRouter()


@router.post("/sessions", status_code=201, dependencies=[Depends(Public())], tags=["sessions"])
async def sign_in(body: schemas.SignIn, request: Request, front: TheFront) -> schemas.SessionView:
    """Sign in with a local account. The token goes into `Authorization: Bearer` of every other call."""
    begun = await front.sign_in(body.username, body.password, request.headers.get("User-Agent", ""))
    return schemas.SessionView(id=begun.session_id, token=begun.token, expires_at=begun.expires_at, person=begun.person)


@router.delete("/sessions/current", status_code=204, tags=["sessions"])
async def sign_out(who: Annotated[Who, Depends(Access(None))], front: TheFront) -> Response:
    """End this session."""
    await front.sign_out(who)
    return Response(status_code=204)


@router.get("/me", tags=["sessions"])
async def me(who: Anybody, front: TheFront) -> schemas.Me:
    """Who is signed in, with which roles and zones."""
    return await front.me(who)


@router.put("/me/language", status_code=204, tags=["sessions"])
async def set_language(body: schemas.Language, who: Anybody, front: TheFront) -> Response:
    """The language that texts come in."""
    await front.set_language(who, body.language)
    return Response(status_code=204)
