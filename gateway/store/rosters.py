"""Rosters as people keep them: the rows of which plans are made (:mod:`gateway.store.plans`).

Everything that changes a zone's roster first locks the zone: two planners at once see each other's work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection, all_rows, new_uid
from gateway.store.zones import UP


async def lock_zone(connection: Connection, zone_id: int) -> None:
    await connection.execute("SELECT 1 FROM zone WHERE id = %s FOR NO KEY UPDATE", (zone_id,))


async def lock_person(connection: Connection, person_id: int) -> None:
    await connection.execute("SELECT 1 FROM person WHERE id = %s FOR NO KEY UPDATE", (person_id,))


async def add(connection: Connection, table: str, values: Mapping[str, Any]) -> tuple[int, UUID]:
    """A row of one of these tables. ``values`` by column; a pair of times is a range."""
    given = {"uid": new_uid(), **values}
    names, places = ", ".join(given), ", ".join(_place(value) for value in given.values())
    cursor = await connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING id, uid".encode(), _flat(given.values())
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("an INSERT answered no row")
    return row["id"], row["uid"]


async def change(connection: Connection, table: str, id_: int, version: int, values: Mapping[str, Any]) -> bool:
    """Whether it still was as it is in that version, and is changed."""
    sets = ", ".join(f"{name} = {_place(value)}" for name, value in values.items())
    cursor = await connection.execute(
        f"UPDATE {table} SET {sets}, version = version + 1 WHERE id = %s AND version = %s".encode(),
        (*_flat(values.values()), id_, version),
    )
    return cursor.rowcount == 1


async def remove(connection: Connection, table: str, id_: int, version: int) -> bool:
    """A recurring plan that has not begun is taken back. Whether it still was as it is in that version."""
    if table == "rotation":
        await connection.execute(
            """DELETE FROM rotation_person t USING rotation r
               WHERE t.rotation_id = r.id AND r.id = %s AND r.version = %s""",
            (id_, version),
        )
    cursor = await connection.execute(f"DELETE FROM {table} WHERE id = %s AND version = %s".encode(), (id_, version))
    return cursor.rowcount == 1


def _place(value: object) -> str:
    return "tstzrange(%s, %s)" if isinstance(value, tuple) else "%s"


def _flat(values: Iterable[Any]) -> list[Any]:
    return [each for value in values for each in (value if isinstance(value, tuple) else (value,))]


async def add_turns(connection: Connection, rotation_id: int, persons: Sequence[int]) -> None:
    for turn, person in enumerate(persons):
        await connection.execute("INSERT INTO rotation_person VALUES (%s, %s, %s)", (rotation_id, turn, person))


async def find(connection: Connection, table: str, uid: UUID) -> dict[str, Any] | None:
    """A row of one of these tables as it is, with the ends of its ranges."""
    rows = await all_rows(
        connection, f"SELECT t.*{_ENDS.get(table, '')} FROM {table} t WHERE t.uid = %(uid)s", {"uid": uid}
    )
    return rows[0] if rows else None


_ENDS = {
    "roster_override": ", lower(t.during) AS begins, upper(t.during) AS ends",
    "absence": ", lower(t.during) AS begins, upper(t.during) AS ends",
    "roster_swap": """, lower(t.asks_during) AS asks_begins, upper(t.asks_during) AS asks_ends,
                      lower(t.gives_during) AS gives_begins, upper(t.gives_during) AS gives_ends""",
}


async def rotations(connection: Connection, zone_id: int) -> list[dict[str, Any]]:
    """Those that cover a zone, with their zone and persons in order."""
    return await all_rows(
        connection,
        f"""{UP} SELECT r.*, z.uid AS zone_uid, z.name AS zone,
                  ARRAY(SELECT t.person_id FROM rotation_person t WHERE t.rotation_id = r.id ORDER BY t.turn) AS persons
           FROM up JOIN zone z ON z.id = up.id JOIN rotation r ON r.zone_id = up.id ORDER BY r.role, r.name, r.id""",
        {"zone": zone_id},
    )


async def overrides(connection: Connection, zone_id: int, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Those of a zone and around it that are not withdrawn."""
    return await all_rows(
        connection,
        f"""{UP} SELECT t.*{_ENDS["roster_override"]}, z.uid AS zone_uid, z.name AS zone
            FROM up JOIN zone z ON z.id = up.id JOIN roster_override t ON t.zone_id = up.id
            WHERE t.withdrawn_at IS NULL AND t.during && tstzrange(%(since)s, %(until)s) ORDER BY begins, t.id""",
        {"zone": zone_id, "since": since, "until": until},
    )


async def swaps(connection: Connection, zone_id: int, since: datetime) -> list[dict[str, Any]]:
    """Those of a zone and around it that are proposed or accepted, and not over."""
    return await all_rows(
        connection,
        f"""{UP} SELECT t.*{_ENDS["roster_swap"]}, z.uid AS zone_uid, z.name AS zone
            FROM up JOIN zone z ON z.id = up.id JOIN roster_swap t ON t.zone_id = up.id
            WHERE t.state IN ('proposed', 'accepted') AND greatest(upper(t.asks_during), upper(t.gives_during)) > %(since)s
            ORDER BY t.id""",
        {"zone": zone_id, "since": since},
    )


async def absences(
    connection: Connection, persons: Collection[int], since: datetime, until: datetime | None
) -> list[dict[str, Any]]:
    """Those of these persons that are not withdrawn."""
    return await all_rows(
        connection,
        f"""SELECT t.*{_ENDS["absence"]} FROM absence t
            WHERE t.withdrawn_at IS NULL AND t.person_id = ANY(%(persons)s) AND t.during && tstzrange(%(since)s, %(until)s)
            ORDER BY begins, t.id""",
        {"persons": sorted(persons), "since": since, "until": until},
    )


async def staff_of(connection: Connection, zones: Collection[int], now: datetime) -> list[dict[str, Any]]:
    """Whoever works and has a role that serves in one of these zones."""
    return await all_rows(
        connection,
        """SELECT DISTINCT p.id, p.uid FROM assignment g JOIN person p ON p.id = g.person_id AND p.active
           WHERE g.zone_id = ANY(%(zones)s) AND g.during @> %(now)s::timestamptz AND g.role IN ('responder', 'technical')""",
        {"zones": sorted(zones), "now": now},
    )
