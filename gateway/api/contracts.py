"""The contracts of the protocol, as they hold for this gateway: for those who connect devices and generate code.

They say nothing of anybody, and ask for no sign-in, as /docs does. The API's own is at /openapi.json.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from gateway.contracts import protocol_contracts, written
from gateway.errors import NotFound

router = APIRouter(prefix="/contracts", include_in_schema=False)


@router.get("")
async def contracts() -> list[str]:
    """Which there are."""
    return [f"/contracts/{name}" for name in protocol_contracts()]


@router.get("/{name:path}")
async def contract(name: str) -> Response:
    """One of them."""
    found = protocol_contracts().get(name)
    if found is None:
        raise NotFound("contract", f"there is no contract {name!r:.80}", "GET /contracts tells which there are")
    return Response(written(found), media_type="application/json")
