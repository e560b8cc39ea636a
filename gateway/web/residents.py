"""The page of a resident's access log: who looked at them, when, at what and why. It stands still: each look is written down."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response

from gateway.api import schemas
from gateway.web.part import Part

PER_PAGE = 50
LONGEST_CURSOR = 64

ROUTES = (("GET", "/residents/{uid}/access-log", "access_log"),)


class ResidentPages(Part):
    """A part of :class:`gateway.web.pages.Pages`."""

    async def access_log(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        cursor = request.query_params.get("cursor", "")[:LONGEST_CURSOR] or None
        log = await self._front.access_log(who, uid, schemas.AccessLogQuery(cursor=cursor, limit=PER_PAGE))
        return self._page(request, "access_log.html", log=log, later=cursor is not None, still=True)
