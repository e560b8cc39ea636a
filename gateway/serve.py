"""`hjemmevakt serve`: one process, from settings to a running gateway, until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import nullcontext
from functools import partial

import structlog
import uvicorn

from gateway import controlled
from gateway.api.app import create_app
from gateway.app import Gateway
from gateway.clock import pause
from gateway.collecting import collect_less
from gateway.errors import SettingError
from gateway.settings import Role, Settings
from gateway.store.db import DatabaseGone
from gateway.store.migrate import migrate
from gateway.store.stepping import Told, What
from gateway.tasks import end
from gateway.web import demo

log = structlog.get_logger()

DATABASE_WAIT = 2.0
StageOf = Callable[[Gateway], demo.Stage]


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: ours end the whole process in order."""

    capture_signals = nullcontext  # type: ignore[assignment]


def stop_on_signals() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    return stop


async def serve(
    settings: Settings, url: str, roles: Iterable[Role], stop: asyncio.Event, stage_of: StageOf | None = None
) -> None:
    """Run until ``stop`` is set. SettingError when the address to listen at cannot be had. ``stage_of``: the demo's own."""
    gateway = Gateway(settings, url, roles)
    listener = _listener(settings) if "web" in gateway.roles else None
    preparing, stopping = asyncio.create_task(prepare(gateway, url)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({preparing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if preparing.done():
            await preparing
            await _run(gateway, listener, stop, stage_of(gateway) if stage_of else None)
    finally:
        await end([preparing, stopping])
        await gateway.database.close()
        if listener is not None:
            listener.close()
    log.info("gateway.stopped")


async def _run(gateway: Gateway, listener: socket.socket | None, stop: asyncio.Event, stage: demo.Stage | None) -> None:
    async with gateway.running():
        collect_less()
        web = asyncio.create_task(serve_web(gateway, stop, listener, stage)) if listener is not None else None
        listen = f"{gateway.settings.listen_host}:{gateway.settings.listen_port}"
        log.info("gateway.started", roles=sorted(gateway.roles), listen=listen)
        await stop.wait()
        if web is not None:
            await web


def _listener(settings: Settings) -> socket.socket:
    """The address, taken but not listened at yet: who comes too early is refused, and does not wait."""
    host, port = settings.listen_host, settings.listen_port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        told = f"cannot listen at {host}:{port}: {error.strerror}; set HJEMMEVAKT_LISTEN_PORT or HJEMMEVAKT_LISTEN_HOST"
        raise SettingError(told) from None
    return listener


async def prepare(gateway: Gateway, url: str) -> None:
    """Bring the database up to date, with all that it has to have; waiting for it where it is away."""
    for step in (partial(_migrate, url), gateway.prepare):
        while not await _is_done(step):
            await pause(DATABASE_WAIT)


async def _is_done(step: Callable[[], Awaitable[None]]) -> bool:
    try:
        await step()
    except DatabaseGone as error:
        log.warning("database.away", error=str(error).strip(), again_in=DATABASE_WAIT)
        return False
    return True


async def _migrate(url: str) -> None:
    applied = await migrate(url, tell=_tell)
    if applied:
        log.info("database.migrated", applied=applied)


def _tell(told: Told) -> None:
    """What the migrations do, and what is in their way."""
    if told.what is What.WAITS:
        return  # nobody has to do anything: `hjemmevakt migrate --check` says what for
    speak = log.warning if told.what in {What.AGAIN, What.BUSY, What.NEWER} else log.info
    speak("database.migration", what=str(told.what), name=told.name, detail=told.detail)


async def serve_web(
    gateway: Gateway, stop: asyncio.Event, listener: socket.socket | None = None, stage: demo.Stage | None = None
) -> None:
    """API and pages, until ``stop`` is set. SettingError when the address to listen at cannot be had."""
    advance = partial(controlled.advance, gateway) if gateway.controlled is not None else None
    first = [demo.router(gateway.front, stage, gateway.settings, gateway.clock)] if stage is not None else []
    app = create_app(gateway.front, gateway, gateway.clock, advance, first)
    app.state.demo, app.state.demo_words = stage, demo
    app.state.https = gateway.settings.public_url.scheme == "https"
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
    )
    server = Server(config)
    ends = asyncio.create_task(_end_with(server, gateway, stop))
    try:
        await server.serve(sockets=[listener or _listener(gateway.settings)])
    finally:
        stop.set()
        await ends


async def _end_with(server: Server, gateway: Gateway, stop: asyncio.Event) -> None:
    await stop.wait()
    gateway.live.close()
    server.should_exit = True
