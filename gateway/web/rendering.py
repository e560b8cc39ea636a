"""Answers as pages: a template in the reader's language, and a page for every problem, in one place.

Rules
    What is shown is about people: nothing is kept in any cache.
    Nobody is signed in: to the sign-in, and back afterwards to where they were. After a form that is the page that it was on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from alerts.render import LANGUAGES, translations
from gateway.access import AUDITORS, OVERSEERS
from gateway.clock import Clock
from gateway.errors import NotSignedIn, Problem
from gateway.log import without_key
from gateway.store.db import DatabaseGone
from gateway.web import lists, phone, views, words
from gateway.web.html import Times, environment, guest_language
from gateway.web.part import SEE_OTHER
from gateway.web.seam import Who

log = structlog.get_logger()

KEPT = frozenset(
    [
        "state",
        "cursor",
        "next",
        "q",
        "reason",
        "site",
        "kind",
        "name",
        "zone",
        "resident",
        "device",
        "range",
        "type",
        "before",
        "after",
        "severity",
        "track",
        "waiting",
        "sort",
        "week",
        "role",
        "policy",
        "day",
        "condition",
        "at",
        "period",
        "team",
        "pattern",
        "rotation",
    ]
)
"""What of an address leads back to the same page."""


def render(request: Request, clock: Clock, template: str, status: int = 200, **shown: Any) -> Response:
    who: Who | None = getattr(request.state, "who", None)
    language = who.language if who is not None and who.language in LANGUAGES else guest_language(request)
    page = environment(language).get_template(template)
    context = {
        "language": language,
        "who": who,
        "demo": getattr(request.app.state, "demo", None),
        "demo_words": getattr(request.app.state, "demo_words", None),
        "at": Times(clock.now(), language),
        "fragment": request.query_params.get("fragment") == "1",
        "here": here(request),
        "sees_quarantine": who is not None and bool(who.roles & OVERSEERS),
        "sees_looks": who is not None and bool(who.roles & AUDITORS),
        "translate": translations(language).gettext,
        "words": words,
        "phone_words_at": phone.words_address(language),
        "views": views,
        "lists": lists,
    }
    headers = {"Cache-Control": "no-store", "Vary": "Cookie, Accept-Language"}
    return HTMLResponse(page.render(**context, **shown), status, headers)


def here(request: Request) -> str:
    """This page's own address, to come back to; after a form, the page that it was on."""
    known: str | None = getattr(request.state, "here", None)
    if known is not None:
        return known
    path = request.url.path
    for done in ("/answer", "/command", "/withdraw", "/end", "/extend", "/consent"):
        path = path.removesuffix(done)
    kept = {name: value for name, value in request.query_params.items() if name in KEPT}
    return path + ("?" + "&".join(f"{name}={quote(value)}" for name, value in kept.items()) if kept else "")


def page_route(clock: Clock) -> type[APIRoute]:
    """Routes whose problems are pages."""

    class PageRoute(APIRoute):
        """A route that shows a problem as a page, and leads to the sign-in where nobody is signed in."""

        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()

            async def handle_and_tell(request: Request) -> Response:
                try:
                    response: Response = await handle(request)
                except NotSignedIn:
                    return _to_sign_in(request)
                except Problem as problem:
                    return problem_page(request, clock, problem)
                except DatabaseGone as gone:
                    log.error("database.away", path=without_key(request.url.path), error=str(gone).strip())
                    return problem_page(request, clock, problem_of(503, "database"))
                except (RequestValidationError, HTTPException):
                    return problem_page(request, clock, problem_of(404, "not_found"))
                return response

            return handle_and_tell

    return PageRoute


def _to_sign_in(request: Request) -> Response:
    back = getattr(request.state, "back", None) or here(request)
    return RedirectResponse(f"/sign-in?next={quote(back)}", SEE_OTHER)


def problem_of(status: int, reason: str) -> Problem:
    problem = Problem(reason, reason)
    problem.status = status
    return problem


def problem_page(request: Request, clock: Clock, problem: Problem) -> Response:
    return render(request, clock, "problem.html", problem.status, problem=problem)
