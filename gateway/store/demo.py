"""What the demo alone asks of the database: contracts and schedules of its devices, who is called, what was just said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from alerts.rules import parse_rule
from gateway.store import audit, municipality, rules
from gateway.store.audit import Changed
from gateway.store.db import Connection
from gateway.store.rules import Scope

JUST_BEFORE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A device, where it is fitted now, and in which zone."""

    device_id: int
    address: str
    kind: str
    installation_id: int
    zone_id: int


@dataclass(frozen=True, slots=True)
class Called:
    """Somebody who was paged about an alert that is open. ``page_id`` grows."""

    page_id: int
    alert_id: int
    uid: Any
    person_id: int
    attempt: int
    condition: str
    severity: int
    track: str


async def fitted(connection: Connection, site: str) -> dict[str, Fitted]:
    """The fitted devices of a site by address."""
    cursor = connection.cursor(row_factory=class_row(Fitted))
    await cursor.execute(
        """SELECT d.id AS device_id, d.address, d.kind, i.id AS installation_id, w.zone_id
           FROM device d JOIN site s ON s.id = d.site_id AND s.name = %s
           JOIN installation i ON i.device_id = d.id AND upper_inf(i.during) JOIN dwelling w ON w.id = i.dwelling_id
           ORDER BY d.address""",
        (site,),
    )
    return {each.address: each for each in await cursor.fetchall()}


async def set_contracts(connection: Connection, seconds: Mapping[str, int]) -> None:
    """So long these devices, by address, may be silent."""
    for address, limit in sorted(seconds.items()):
        await connection.execute("UPDATE device SET silent_after_seconds = %s WHERE address = %s", (limit, address))


async def set_device_rule(connection: Connection, device: Fitted, spec: Mapping[str, Any], now: datetime) -> None:
    """A rule for one device, unless it has one of that name."""
    cursor = await connection.execute(
        "SELECT 1 FROM rule WHERE device_id = %s AND name = %s", (device.device_id, spec["name"])
    )
    if await cursor.fetchone() is not None:
        return
    scope = Scope("device", device.device_id, None, device.address, device.zone_id, device.kind)
    admin = await person_of(connection, "admin")
    await rules.save(connection, device.kind, parse_rule(dict(spec)), scope, 0, admin, now)


async def plan_dose_once(connection: Connection, device: Fitted, at: datetime, local_at: datetime, grace: int) -> None:
    """A dose on this one day. ``local_at``: the same moment by the clock on the wall."""
    schedule = await municipality.add_dose_schedule(
        connection, device.installation_id, local_at.time(), at, grace_seconds=grace
    )
    await connection.execute(
        "UPDATE dose_schedule SET to_date = %s, watched_until = %s WHERE id = %s",
        (local_at.date(), at - JUST_BEFORE, schedule),
    )


async def person_of(connection: Connection, username: str) -> int:
    cursor = await connection.execute("SELECT id FROM person WHERE username = %s", (username,))
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"nobody is called {username}")
    return int(row["id"])


async def called(connection: Connection, but: Collection[int]) -> list[Called]:
    """Whoever was paged, and has it on the phone, about alerts that are open in other zones than these."""
    cursor = connection.cursor(row_factory=class_row(Called))
    await cursor.execute(
        """SELECT DISTINCT ON (p.alert_id, p.person_id, p.attempt) p.id AS page_id, a.id AS alert_id, a.uid, p.person_id,
                  p.attempt, a.condition, a.severity, a.track
           FROM page p JOIN alert a ON a.id = p.alert_id AND a.closed_at IS NULL
           WHERE p.handed_over_at IS NOT NULL AND NOT a.zone_id = ANY(%s)
           ORDER BY p.alert_id, p.person_id, p.attempt, p.id""",
        (list(but),),
    )
    return await cursor.fetchall()


async def open_in(connection: Connection, zones: Sequence[int]) -> int:
    """How many alerts are open in these zones."""
    cursor = await connection.execute(
        "SELECT count(*) AS n FROM alert WHERE closed_at IS NULL AND zone_id = ANY(%s)", (list(zones),)
    )
    row = await cursor.fetchone()
    return int(row["n"]) if row else 0


async def just_said(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The newest that devices said, signs of life left out."""
    cursor = await connection.execute(
        """SELECT o.received_at, o.kind, o.type, d.address, z.name AS zone
           FROM observation o JOIN device d ON d.id = o.device_id
           JOIN installation i ON i.id = o.installation_id JOIN dwelling w ON w.id = i.dwelling_id
           JOIN zone z ON z.id = w.zone_id
           ORDER BY o.id DESC LIMIT %s""",
        (limit,),
    )
    return await cursor.fetchall()


async def progress(connection: Connection, since: datetime) -> tuple[int, int]:
    """Something that changes with every message that is stored and every page that is handed over."""
    cursor = await connection.execute(
        """SELECT (SELECT coalesce(max(id), 0) FROM observation) AS said,
                  (SELECT count(*) FROM page WHERE handed_over_at >= %s) AS handed_over""",
        (since,),
    )
    row = await cursor.fetchone()
    return (int(row["said"]), int(row["handed_over"])) if row else (0, 0)


async def tell(connection: Connection, persons: Collection[int]) -> None:
    """The open pages of these persons look again."""
    await audit.announce(connection, Changed(persons=frozenset(persons)))
