"""Alerts, what is answered and asked of devices, and pages by their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx

from gateway.api import schemas
from gateway.client.calls import API, Calls, Unreachable, each, problem_of

_ANY_LENGTH = httpx.Timeout(10, read=60)
"""Of the stream of changes: the gateway says something every quarter of a minute."""


class AlertCalls(Calls):
    async def alerts(self, query: schemas.AlertQuery | None = None) -> schemas.AlertPage:
        return await self._call(schemas.AlertPage, "GET", "/alerts", query=query)

    def all_alerts(self, query: schemas.AlertQuery | None = None) -> AsyncIterator[schemas.AlertSummary]:
        return each(self.alerts, query or schemas.AlertQuery(), lambda page: page.alerts)

    async def alert(self, uid: UUID) -> schemas.AlertDetail:
        return await self._call(schemas.AlertDetail, "GET", f"/alerts/{uid}")

    async def alert_path(self, uid: UUID) -> schemas.AlertPath:
        """Leg by leg."""
        return await self._call(schemas.AlertPath, "GET", f"/alerts/{uid}/path")

    async def answer(self, uid: UUID, body: schemas.AnswerRequest, key: str | None = None) -> schemas.AnswerReply:
        return await self._call(schemas.AnswerReply, "POST", f"/alerts/{uid}/answers", body, key=key or str(uuid4()))

    async def ask(self, uid: UUID, body: schemas.CommandRequest, key: str | None = None) -> schemas.CommandView:
        """Ask a device in the home of an alert for something."""
        return await self._call(schemas.CommandView, "POST", f"/alerts/{uid}/commands", body, key=key or str(uuid4()))

    async def changes(self) -> AsyncIterator[str]:
        """The names of server-sent events, as they come: ``changed`` when something you may see has changed. It ends with
        the session; where the connection is lost, Unreachable is raised: look again, then listen again."""
        try:
            async with self._http.stream("GET", f"{API}/changes", timeout=_ANY_LENGTH) as reply:
                if reply.is_error:
                    await reply.aread()
                    raise problem_of(reply)
                async for line in reply.aiter_lines():
                    if line.startswith("event:"):
                        yield line.removeprefix("event:").strip()
        except httpx.HTTPError as error:
            raise Unreachable(f"the stream of changes broke: {error!r}") from error

    async def commands(self, query: schemas.CommandQuery | None = None) -> schemas.CommandPage:
        return await self._call(schemas.CommandPage, "GET", "/commands", query=query)

    def all_commands(self, query: schemas.CommandQuery | None = None) -> AsyncIterator[schemas.CommandItem]:
        return each(self.commands, query or schemas.CommandQuery(), lambda page: page.commands)

    async def command(self, uid: UUID) -> schemas.CommandItem:
        return await self._call(schemas.CommandItem, "GET", f"/commands/{uid}")

    # Pages, by their keys ---------------------------------------------------------------------------------------------

    async def page(self, key: str) -> schemas.PageView:
        return await self._call(schemas.PageView, "GET", f"/pages/{key}")

    async def page_received(self, key: str) -> schemas.PageView:
        return await self._call(schemas.PageView, "POST", f"/pages/{key}/received")

    async def page_shown(self, key: str) -> schemas.PageView:
        return await self._call(schemas.PageView, "POST", f"/pages/{key}/shown")

    async def claim_page(self, key: str, body: schemas.PageClaim) -> schemas.PageClaimed:
        """Take the page's alert, in the name of its person."""
        return await self._call(schemas.PageClaimed, "POST", f"/pages/{key}/claim", body)
