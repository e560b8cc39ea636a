"""The broker: who has an account on it, and what was found when it was last tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row

from gateway.store import audit
from gateway.store.audit import Audited
from gateway.store.db import Connection
from gateway.store.municipality import CANARY

CHECKED = "broker.checked"


class Account(NamedTuple):
    """A device that speaks to the broker itself."""

    site: str
    kind: str
    address: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One time that the broker was tried, as it was noted."""

    at: datetime
    params: Mapping[str, Any]


async def accounts(connection: Connection) -> list[Account]:
    """Every registered device of the native protocol; in other ecosystems a bridge speaks for them, and the
    canary's signs in as the gateway."""
    cursor = await connection.execute(
        """SELECT s.name AS site, d.kind, d.address FROM device d JOIN site s ON s.id = d.site_id
           WHERE d.registered AND d.ecosystem = 'native' AND d.address <> %s ORDER BY s.name, d.kind, d.address""",
        (CANARY,),
    )
    return [Account(**row) for row in await cursor.fetchall()]


async def last_checked(connection: Connection, site_id: int) -> Checked | None:
    """By any process: the broker is tried below a site's topics, and noted there."""
    cursor = connection.cursor(row_factory=class_row(Checked))
    await cursor.execute(
        "SELECT at, params FROM audit WHERE object = 'site' AND object_id = %s AND action = %s ORDER BY id DESC LIMIT 1",
        (site_id, CHECKED),
    )
    return await cursor.fetchone()


async def note_checked(connection: Connection, site_id: int, checked: Checked) -> None:
    await audit.add(connection, checked.at, (Audited(CHECKED, "site", site_id, params=checked.params),))
