"""Where providers of SMS and calls tell us what became of a page, and what somebody answered.

Each provider speaks as it does (:mod:`alerts.channels`), so these are no part of the contract of the API. Whoever asks needs no
account: the address that they were given is signed.
"""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Query, Request, Response

from alerts.channels._callback import CalledBack
from gateway.api.access import Public, TheFront
from gateway.errors import Invalid

router = APIRouter(include_in_schema=False, dependencies=[Depends(Public())])

LONGEST_BODY = 64 * 1024
MOST_FIELDS = 200
Page = Annotated[str, Query(max_length=64)]
Sig = Annotated[str, Query(max_length=128)]


@router.post("/callbacks/{channel}/status", status_code=204)
async def report(channel: str, request: Request, front: TheFront, page: Page = "", sig: Sig = "") -> Response:
    """What became of a page."""
    await front.reported(channel, await _called(request, front.public_url, page, sig))
    return Response(status_code=204)


@router.post("/callbacks/{channel}/inbound")
@router.post("/callbacks/{channel}/pressed")
async def answer(channel: str, request: Request, front: TheFront, page: Page = "", sig: Sig = "") -> Response:
    """What somebody wrote, or pressed in a call."""
    spoken = await front.answered(channel, await _called(request, front.public_url, page, sig))
    return Response(spoken.body, media_type=spoken.content_type)


async def _called(request: Request, public_url: str, page: str, sig: str) -> CalledBack:
    body, headers = await _body(request), {name.lower(): value for name, value in request.headers.items()}
    pairs, said = _read(body, headers.get("content-type", ""))
    query = request.url.query
    return CalledBack(public_url, request.url.path, query, page, sig, headers, said, pairs)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            raise Invalid("body", f"a report has at most {LONGEST_BODY} bytes", "send less")
    return bytes(body)


def _read(body: bytes, content_type: str) -> tuple[tuple[tuple[str, str], ...], Any]:
    """The fields of a form in their order, and what is said: of a form, or in JSON."""
    try:
        if "json" in content_type:
            return (), json.loads(body)
        text = body.decode("utf-8").replace("\x00", "")
        pairs = tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except (ValueError, RecursionError):
        raise Invalid("body", "this is neither a form nor JSON", "send one of these") from None
    return pairs, dict(pairs)
