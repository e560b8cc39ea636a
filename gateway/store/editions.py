"""Versions of what people set: the newest is in force, and every one stays, as alerts tell by which they were raised."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from gateway.store.db import Connection, as_json


async def add_version(
    connection: Connection,
    what: Literal["rule", "policy"],
    id_: int,
    version: int,
    spec: Mapping[str, Any],
    by: int | None,
    now: datetime,
    *,
    schema: int = 1,
    withdrawn: bool = False,
) -> None:
    """A version from now on. ``schema``: of the spec; ``by``: None where nobody has set it."""
    await connection.execute(f"UPDATE {what} SET version = %s WHERE id = %s".encode(), (version, id_))
    await connection.execute(
        f"""INSERT INTO {what}_version ({what}_id, version, spec, schema, created_at, created_by, withdrawn)
            VALUES (%s, %s, %s, %s, %s, %s, %s)""".encode(),
        (id_, version, as_json(dict(spec)), schema, now, by, withdrawn),
    )
