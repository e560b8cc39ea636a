"""What every part of the pages stands on. The parts together are :class:`gateway.web.pages.Pages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from gateway.clock import Clock
from gateway.web import guard
from gateway.web.seam import Front

MOST_FIELDS = 400


class Part:
    """Whoever asks, and the answer; :class:`gateway.web.pages.Pages` has both."""

    _front: Front[Any]
    _clock: Clock

    async def _who(self, request: Request) -> Any:
        raise NotImplementedError

    async def _signed_in(self, request: Request, back: str | None = None) -> Any:
        raise NotImplementedError

    async def _signed_form(self, request: Request, back: str) -> tuple[Any, Any]:
        raise NotImplementedError

    def _now(self) -> datetime:
        return self._clock.now()

    async def _answers(self, request: Request, back: str) -> tuple[Any, Mapping[str, Sequence[str]]]:
        """Whoever is signed in, and a form that they themselves sent, with every value of each name."""
        guard.check_same_origin(request)
        who = await self._signed_in(request, back)
        async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
            answers: dict[str, list[str]] = {}
            for name, value in form.multi_items():
                if isinstance(value, str):
                    answers.setdefault(name, []).append(value)
        guard.check_csrf(answers.get("csrf_token", [""])[-1], who.csrf_token)
        return who, answers

    def _page(self, request: Request, template: str, status: int = 200, **shown: Any) -> Response:
        raise NotImplementedError
