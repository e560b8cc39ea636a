"""HTTP, spoken: the one place of :mod:`alerts.channels._http` that opens a connection. Imported with the first request: the client
takes some MB, and a tenth of a second."""

from __future__ import annotations

import json
import ssl
from functools import cache
from typing import Any

import httpx

from alerts.channels._http import LONGEST_ANSWER, Answer, Ask, retry_after, scrubbed, too_late
from alerts.delivery import Failed


async def talk(asked: Ask, within: float) -> Answer | Failed:
    """One request. ``within``: seconds for each part of it; whoever calls has to see to all of them together."""
    try:
        return await _talk(asked, within)
    except httpx.TimeoutException:
        return too_late(within)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return Failed(scrubbed(f"{type(error).__name__}: {error}", asked.hidden))


async def _talk(asked: Ask, within: float) -> Answer:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **asked.headers}
    async with (
        httpx.AsyncClient(timeout=within, verify=_tls()) as client,
        client.stream(
            asked.method, asked.url, headers=headers, auth=asked.auth, json=asked.json, data=asked.form
        ) as response,
    ):
        said = await _json(response)
        return Answer(response.status_code, said, retry_after(response.headers), asked.hidden)


async def _json(response: httpx.Response) -> Any:
    """None for what is no JSON, or too long to be an answer to us."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > LONGEST_ANSWER:
            return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@cache
def _tls() -> ssl.SSLContext:
    """Made once: to read all the authorities takes longer than to send a page."""
    return httpx.create_ssl_context()
