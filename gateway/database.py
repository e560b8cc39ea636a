"""Which database a command works on: the one that the settings name, or one that comes along. It is brought up to date by
``hjemmevakt migrate`` and by gateways, and by no other command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from gateway.embedded import EmbeddedPostgres
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.store.db import Database, DatabaseGone, opened
from gateway.store.migrate import pending

Answer = TypeVar("Answer")


class OldSchema(GatewayError):
    """The database is not up to date: run hjemmevakt migrate."""


@contextmanager
def database_of(settings: Settings) -> Iterator[str]:
    """The URL of the database that the settings name, or of one that comes along and runs meanwhile.

    GatewayError when the block finds that it cannot be used.
    """
    try:
        if settings.database_url is not None:
            yield settings.database_url.get_secret_value()
            return
        with EmbeddedPostgres(settings.data_folder / "postgres") as server:
            yield server.url
    except DatabaseGone as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise GatewayError(f"the database cannot be used: {told[0]}") from None


@asynccontextmanager
async def up_to_date(url: str, process: str = "") -> AsyncIterator[Database]:
    """A database, while the block runs. OldSchema for one that is not as this release wants it."""
    if await pending(url):
        raise OldSchema("the database is not up to date: run hjemmevakt migrate")
    async with opened(url, process) as database:
        yield database


def work_on(settings: Settings, work: Callable[[Database], Awaitable[Answer]], process: str = "") -> Answer:
    """Work on the database that the settings name. OldSchema, and GatewayError where it cannot be used."""

    async def answer(url: str) -> Answer:
        async with up_to_date(url, process) as database:
            return await work(database)

    with database_of(settings) as url:
        return asyncio.run(answer(url))
