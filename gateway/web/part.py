"""What every part of the pages stands on. The parts together are :class:`gateway.web.pages.Pages`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import Request, Response

from gateway.web.seam import Front


class Part:
    """Whoever asks, and the answer; :class:`gateway.web.pages.Pages` has both."""

    _front: Front[Any]

    async def _who(self, request: Request) -> Any:
        raise NotImplementedError

    async def _signed_in(self, request: Request, back: str | None = None) -> Any:
        raise NotImplementedError

    async def _signed_form(self, request: Request, back: str) -> tuple[Any, Any]:
        raise NotImplementedError

    def _now(self) -> datetime:
        raise NotImplementedError

    def _page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        raise NotImplementedError
