"""The web application: API, pages, health and metrics, with the headers that keep a browser safe.

Errors are problem+json (RFC 9457) for programs. An endpoint that declares nobody is refused here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import iter_route_contexts
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import contracts
from gateway.api.access import Access, Public
from gateway.api.clock import Advance, clock_router
from gateway.api.openapi import PROBLEM_JSON, describe
from gateway.api.routes import router
from gateway.clock import Clock
from gateway.errors import Problem
from gateway.front import Front
from gateway.health import Health, State
from gateway.log import without_key
from gateway.metrics import METRICS
from gateway.store.db import DatabaseGone
from gateway.web import pages
from gateway.web.html import STATIC

log = structlog.get_logger()

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


class HealthSource(Protocol):
    """What tells how the gateway is."""

    async def health(self) -> Health:
        """Everything that /health shows."""

    @property
    def ready(self) -> bool:
        """Whether requests can be served."""


def create_app(
    front: Front, source: HealthSource, clock: Clock, advance: Advance | None = None, first: Sequence[APIRouter] = ()
) -> FastAPI:
    """The application. ValueError when an endpoint does not say who may call it. ``advance`` moves a controlled clock;
    ``first``: pages that come before ours."""
    app = FastAPI(
        title="hjemmevakt",
        version="1",
        description="A message from a home becomes an alert, an alert finds a person, and the answer is stored.",
        docs_url=None,
        redoc_url=None,
    )
    describe(app)
    app.state.front = front
    clocks = [clock_router(advance)] if advance is not None else []
    # As they are: what is included is worked out anew for each application, for a third of a second.
    for each in (router, *clocks, contracts.router, *first, pages.router(front, clock)):
        app.router.routes.extend(each.routes)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-assets")
    _add_docs(app)
    _add_health(app, source)
    _add_errors(app, front, clock)
    app.add_middleware(SafeHeaders)
    check_declared(app)
    return app


def check_declared(app: FastAPI) -> None:
    """ValueError for an endpoint of the API without a declared role: nothing is open by oversight."""
    found = [each for each in iter_route_contexts(app.routes) if (each.path or "").startswith(f"{router.prefix}/")]
    if len(found) < len(router.routes):
        raise ValueError(f"of {len(router.routes)} endpoints only {len(found)} were found to be checked")
    for each in found:
        declared = [part.call for part in each.dependant.dependencies]
        if not any(isinstance(call, Access | Public) for call in declared):
            raise ValueError(f"{sorted(each.methods or ())} {each.path} does not say who may call it")


def _add_docs(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url=app.openapi_url or "/openapi.json",
            title="hjemmevakt API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/static/icon.svg",
        )


def _add_health(app: FastAPI, source: HealthSource) -> None:
    @app.get("/health/live", include_in_schema=False)
    async def live() -> Response:
        return Response("alive\n", media_type="text/plain")

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> Response:
        return Response(
            "ready\n" if source.ready else "not ready\n", 200 if source.ready else 503, media_type="text/plain"
        )

    @app.get("/health", include_in_schema=False)
    async def health() -> Response:
        found = await source.health()
        status = 503 if found.state is State.RED else 200
        return Response(found.model_dump_json(indent=1), status, media_type="application/json")

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(METRICS.text(), media_type="text/plain; version=0.0.4")


def _add_errors(app: FastAPI, front: Front, clock: Clock) -> None:
    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return problem_response(error.status, error.title, error.reason, error.detail, error.mend, error.errors)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
        return problem_response(422, "Invalid", "request", told, "see /docs for what is expected")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.NOT_FOUND and (page := await pages.missing(front, clock, request)):
            return page
        response = problem_response(error.status_code, str(error.detail), "http", str(error.detail), "")
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> Response:  # the server logs the exception itself
        return problem_response(500, "Server error", "bug", "something went wrong here; it is in the log", "try again")

    async def database(request: Request, error: Exception) -> Response:
        log.error("database.away", path=without_key(request.url.path), error=str(error).strip())
        return problem_response(
            503, "Unavailable", "database", "the database cannot be reached right now", "try again in a moment"
        )

    for gone in DatabaseGone:
        app.add_exception_handler(gone, database)


def problem_response(
    status: int, title: str, reason: str, detail: str, mend: str, errors: Sequence[Mapping[str, str]] = ()
) -> Response:
    """A problem+json answer."""
    body: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body |= {"reason": reason, "mend": mend, **({"errors": [*errors]} if errors else {})}
    return Response(json.dumps(body, ensure_ascii=False), status, media_type=PROBLEM_JSON)


class SafeHeaders:
    """Adds the headers to every answer; a plain ASGI layer, so that streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(f"{router.prefix}/"):
                    headers.setdefault("Cache-Control", "no-store")
                if scope["path"] == "/docs":
                    headers["Content-Security-Policy"] = DOCS_POLICY
            await send(message)

        await self._app(scope, receive, send_safely)
