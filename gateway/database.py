"""Which database a command works on: the one that the settings name, or one that comes along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.embedded import EmbeddedPostgres
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.store.db import DatabaseGone


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
