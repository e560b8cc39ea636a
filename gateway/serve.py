"""`hjemmevakt serve`: one process, from settings to a running gateway, until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext

import structlog
import uvicorn

from gateway.api.app import create_app
from gateway.app import Gateway
from gateway.clock import pause
from gateway.embedded import EmbeddedPostgres
from gateway.settings import Role, Settings
from gateway.store.db import DatabaseGone
from gateway.store.migrate import migrate

log = structlog.get_logger()

DATABASE_WAIT = 2.0


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: ours end the whole process in order."""

    capture_signals = nullcontext  # type: ignore[assignment]


@contextmanager
def database_of(settings: Settings) -> Iterator[str]:
    """The URL of the database that the settings name, or of one that comes along and runs meanwhile."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with EmbeddedPostgres(settings.data_folder / "postgres") as server:
        yield server.url


def stop_on_signals() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    return stop


async def serve(settings: Settings, url: str, roles: Iterable[Role], stop: asyncio.Event) -> None:
    """Run until ``stop`` is set."""
    if not await _migrated(url, stop):
        return
    gateway = Gateway(settings, url, roles)
    async with gateway.running():
        web = asyncio.create_task(serve_web(gateway, stop)) if "web" in gateway.roles else None
        log.info(
            "gateway.started", roles=sorted(gateway.roles), listen=f"{settings.listen_host}:{settings.listen_port}"
        )
        await stop.wait()
        if web is not None:
            await web
    log.info("gateway.stopped")


async def _migrated(url: str, stop: asyncio.Event) -> bool:
    """Bring the database up to date, waiting for it where it is away; False when we are to stop instead."""
    while not stop.is_set():
        try:
            applied = await migrate(url)
        except DatabaseGone as error:
            log.warning("database.away", error=str(error).strip(), again_in=DATABASE_WAIT)
            await pause(DATABASE_WAIT)
            continue
        if applied:
            log.info("database.migrated", applied=applied)
        return True
    return False


async def serve_web(gateway: Gateway, stop: asyncio.Event) -> None:
    """API and pages, until ``stop`` is set."""
    settings = gateway.settings
    config = uvicorn.Config(
        create_app(gateway.front, gateway, gateway.clock),
        host=settings.listen_host,
        port=settings.listen_port,
        log_level="warning",
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
    )
    server = Server(config)
    ends = asyncio.create_task(_end_with(server, stop))
    try:
        await server.serve()
    except SystemExit:
        log.exception("web.not_started", listen=f"{settings.listen_host}:{settings.listen_port}")
    finally:
        stop.set()
        await ends


async def _end_with(server: Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
