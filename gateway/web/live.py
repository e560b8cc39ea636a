"""The stream that tells a page to look again. It carries no content: the page fetches what its reader may see.

Rules
    A signed-out session ends its stream, and so does a change of what the reader may see: the page loads anew. Without a
    database the stream just breaks off: the page says so, and connects again.
    Pings are events and not comments, so that a page notices a dead connection: a phone that has lost its network
    hears nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent

from gateway.store.db import DatabaseGone
from gateway.web.seam import Front, W

PING_SECONDS = 10
LOOK_AT_SESSION_SECONDS = 15.0
RETRY_MILLISECONDS = 2000


def stream(front: Front[W], who: W, token: str | None) -> EventSourceResponse:
    """The event stream of a session."""
    events = _events(front, who, token)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventSourceResponse(events, headers=headers, ping=PING_SECONDS, ping_message_factory=lambda: _event("ping"))


async def _events(front: Front[W], who: W, token: str | None) -> AsyncGenerator[ServerSentEvent, None]:
    changes = front.changes(who)
    following = asyncio.ensure_future(_following(changes))
    yield ServerSentEvent(event="ping", data="", retry=RETRY_MILLISECONDS)
    try:
        while True:
            done, _ = await asyncio.wait({following}, timeout=LOOK_AT_SESSION_SECONDS)
            if (done and not following.result()) or not await _same(front, who, token):
                yield _event("ended")
                return
            if done:
                yield _event("changed")
                following = asyncio.ensure_future(_following(changes))
    except DatabaseGone:
        return
    finally:
        await _leave(following, changes)


async def _following(changes: AsyncIterator[None]) -> bool:
    """Wait for the next change; False when there will be none."""
    async for _ in changes:
        return True
    return False


async def _leave(following: asyncio.Future[bool], changes: AsyncIterator[None]) -> None:
    """Wait for nothing more, and let go of the subscription now, not when it is collected."""
    following.cancel()
    await asyncio.wait({following})
    if isinstance(changes, AsyncGenerator):
        await changes.aclose()


async def _same(front: Front[W], who: W, token: str | None) -> bool:
    """Whether the session is in force and sees what it saw."""
    now = await front.who(token)
    return now is not None and (now.roles, now.zone_ids) == (who.roles, who.zone_ids)


def _event(name: str) -> ServerSentEvent:
    return ServerSentEvent(event=name, data="")
