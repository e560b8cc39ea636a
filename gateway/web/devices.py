"""The pages of devices: what is fitted where, and which rules apply to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response

from alerts.describe import span
from devices.kinds import kinds
from gateway.api import schemas
from gateway.web.rules import scope_text, weight
from gateway.web.seam import Front

PER_PAGE = 50

ROUTES = (
    ("GET", "/devices", "devices"),
    ("GET", "/devices/{uid}", "device"),
)
"""Method, path and the name of the page's method."""


class DevicePages:
    """A part of :class:`gateway.web.pages.Pages`, which has what is declared here."""

    _front: Front[Any]

    async def _signed_in(self, request: Request, back: str | None = None) -> Any:
        raise NotImplementedError

    def _page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        raise NotImplementedError

    async def devices(self, request: Request) -> Response:
        who = await self._signed_in(request)
        asked = request.query_params
        text, kind = asked.get("q", "")[:100], asked.get("kind") or None
        page = await self._front.devices(
            who, schemas.DeviceQuery(q=text, kind=kind, order="worst"), asked.get("cursor"), PER_PAGE
        )
        more = urlencode({name: value for name, value in (("q", text), ("kind", kind or "")) if value})
        return self._page(request, "devices.html", page=page, q=text, kind=kind, every_kind=sorted(kinds()), more=more)

    async def device(self, request: Request, uid: UUID) -> Response:
        who = await self._signed_in(request)
        detail = await self._front.device(who, uid)
        contract = span(detail.silent_after_seconds, who.language)
        applied = sorted(detail.rules, key=lambda each: weight(each.rule))
        scope = scope_text(who)
        return self._page(request, "device.html", device=detail, applied=applied, contract=contract, scope=scope)
