"""The pages on a gateway in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from gateway.api.app import problem_response
from gateway.api.routes import alerts
from gateway.clock import ControlledClock
from gateway.embedded import free_port
from gateway.errors import Problem
from gateway.settings import load
from gateway.web import demo, html, pages
from tests.web import fake, fake_demo, fake_people

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
ADDRESS = "http://hjemmevakt.test"


@pytest.fixture
def front() -> fake.FakeFront:
    return fake.night()


@pytest.fixture
def demo_stage() -> fake_demo.FakeStage | None:
    """The demo's, for a test that asks for its pages; see `places.OURS_AND_THE_DEMOS`."""
    return None


@pytest.fixture
def web(front: fake.FakeFront, demo_stage: fake_demo.FakeStage | None) -> FastAPI:
    """The pages as the application serves them, and the API's answers; in the demo with the demo's pages."""
    app, clock = FastAPI(), ControlledClock(fake_people.NOW)
    if demo_stage is not None:
        app.include_router(demo.router(front, demo_stage, load({}, environment="demo"), clock))
        app.state.demo, app.state.demo_words = demo_stage, demo
    app.include_router(pages.router(front, clock))
    app.include_router(alerts.router, prefix="/api/v1")
    app.state.front = front
    app.mount("/static", StaticFiles(directory=html.STATIC))

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return problem_response(error.status, error.title, error.reason, error.detail, error.mend)

    @app.middleware("http")
    async def safe(request: Request, call_next):  # type: ignore[no-untyped-def]
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return app


@pytest.fixture
async def guest(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which nobody is signed in."""
    headers = {"Origin": ADDRESS, "Accept-Language": "nb-NO,nb;q=0.9"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url=ADDRESS, headers=headers) as client:
        yield client


@pytest.fixture
async def nurse(guest: httpx.AsyncClient) -> httpx.AsyncClient:
    """A browser in which Ingrid Aase is signed in."""
    guest.cookies.set("hjemmevakt_session", "token")
    return guest


@dataclass
class Served:
    """The pages on a port. ``stop`` takes them away, ``start`` brings them back on the same port."""

    app: FastAPI
    port: int
    server: uvicorn.Server | None = None
    task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        config = uvicorn.Config(
            self.app, port=self.port, log_level="error", timeout_graceful_shutdown=1, lifespan="off"
        )
        self.server = uvicorn.Server(config)
        self.server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self.task = asyncio.create_task(self.server.serve())
        while not self.server.started:
            assert not self.task.done(), "it has ended by itself"
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        if self.server is not None and self.task is not None:
            self.server.should_exit = True
            await self.task


@pytest_asyncio.fixture(loop_scope="session")
async def served(web: FastAPI) -> AsyncIterator[Served]:
    """The pages for a real browser."""
    served = Served(web, free_port())
    await served.start()
    yield served
    await served.stop()
