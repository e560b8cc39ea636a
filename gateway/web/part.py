"""What every part of the pages stands on. The parts together are :class:`gateway.web.pages.Pages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from gateway.clock import Clock
from gateway.errors import NotSignedIn
from gateway.web import guard
from gateway.web.seam import Front

MOST_FIELDS = 400
SEE_OTHER = 303
"""How a form is answered."""
Form = Mapping[str, str]


class Part:
    """Whoever asks; and the answer, which :class:`gateway.web.pages.Pages` makes."""

    def __init__(self, front: Front[Any], clock: Clock) -> None:
        self._front = front
        self._clock = clock

    async def _who(self, request: Request) -> Any:
        """Whoever is signed in; None where nobody is."""
        request.state.who = await self._front.who(guard.token_of(request))
        return request.state.who

    async def _signed_in(self, request: Request, back: str | None = None) -> Any:
        """Whoever is signed in; NotSignedIn where nobody is."""
        who = await self._front.who(guard.token_of(request))
        if who is None:
            request.state.back = back
            raise NotSignedIn("session", "nobody is signed in")
        request.state.who = who
        return who

    async def _signed_form(self, request: Request, back: str = guard.HOME) -> tuple[Any, Form]:
        """Whoever is signed in, and a form that they themselves sent."""
        guard.check_same_origin(request)
        who = await self._signed_in(request, back)
        form = await form_of(request)
        guard.check_csrf(form.get("csrf_token", ""), who.csrf_token)
        return who, form

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


async def form_of(request: Request) -> Form:
    """A form's texts; an empty one counts as not given."""
    async with request.form(max_files=0, max_fields=20) as form:
        return {name: value for name, value in form.items() if isinstance(value, str) and value}
