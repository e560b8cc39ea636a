"""Teams: persons of a zone whom policies call together, each from and until."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.store.db import Connection, new_uid


@dataclass(frozen=True, slots=True)
class Membership:
    """A member, in the order in which they are called. None: without end."""

    person_id: int
    since: datetime
    until: datetime | None = None


_TEAM = """SELECT t.id, t.uid, t.name, t.version, t.withdrawn, t.zone_id, z.uid AS zone_uid, z.name AS zone
           FROM team t JOIN zone z ON z.id = t.zone_id"""


async def listed(connection: Connection, zones: Collection[int]) -> list[dict[str, Any]]:
    """Those of these zones that are not withdrawn, in order of zone and name."""
    cursor = await connection.execute(
        f"{_TEAM} WHERE t.zone_id = ANY(%s) AND NOT t.withdrawn ORDER BY z.name, t.name, t.id", (sorted(zones),)
    )
    return await cursor.fetchall()


async def find(connection: Connection, uid: UUID) -> dict[str, Any] | None:
    """One, withdrawn or not."""
    cursor = await connection.execute(f"{_TEAM} WHERE t.uid = %s", (uid,))
    return await cursor.fetchone()


async def members(connection: Connection, teams: Collection[int]) -> list[dict[str, Any]]:
    """Of these teams, in order."""
    cursor = await connection.execute(
        """SELECT m.team_id, m.person_id, p.uid, p.name, lower(m.during) AS since, upper(m.during) AS until
           FROM team_member m JOIN person p ON p.id = m.person_id WHERE m.team_id = ANY(%s)
           ORDER BY m.team_id, m.position, m.id""",
        (sorted(teams),),
    )
    return await cursor.fetchall()


async def add(connection: Connection, zone_id: int, name: str, wanted: Sequence[Membership]) -> UUID | None:
    """A new one; None where the zone has one of this name."""
    uid = new_uid()
    cursor = await connection.execute(
        """INSERT INTO team (uid, zone_id, name, version) VALUES (%s, %s, %s, 1) ON CONFLICT DO NOTHING RETURNING id""",
        (uid, zone_id, name),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    await _set_members(connection, row["id"], wanted)
    return uid


async def is_taken(connection: Connection, zone_id: int, name: str, besides: int) -> bool:
    """Whether the zone has another team of this name."""
    cursor = await connection.execute(
        "SELECT 1 FROM team WHERE zone_id = %s AND name = %s AND NOT withdrawn AND id <> %s", (zone_id, name, besides)
    )
    return await cursor.fetchone() is not None


async def change(connection: Connection, team_id: int, name: str, wanted: Sequence[Membership], expected: int) -> bool:
    """Its name and members are these from now on. False where somebody else was quicker."""
    cursor = await connection.execute(
        "UPDATE team SET name = %s, version = version + 1 WHERE id = %s AND version = %s AND NOT withdrawn",
        (name, team_id, expected),
    )
    if cursor.rowcount != 1:
        return False
    await _set_members(connection, team_id, wanted)
    return True


async def withdraw(connection: Connection, team_id: int, expected: int) -> bool:
    """False where somebody else was quicker."""
    cursor = await connection.execute(
        "UPDATE team SET withdrawn = true, version = version + 1 WHERE id = %s AND version = %s AND NOT withdrawn",
        (team_id, expected),
    )
    return cursor.rowcount == 1


async def called_by(connection: Connection, uid: UUID) -> list[int]:
    """The policies in force that call a team."""
    cursor = await connection.execute(
        """SELECT p.id FROM policy p JOIN policy_version v ON v.policy_id = p.id AND v.version = p.version
           WHERE NOT v.withdrawn AND v.spec @> jsonb_build_object('steps', jsonb_build_array(jsonb_build_object('id', %s::text)))
           ORDER BY p.name, p.id""",
        (str(uid),),
    )
    return [row["id"] for row in await cursor.fetchall()]


async def _set_members(connection: Connection, team_id: int, wanted: Sequence[Membership]) -> None:
    await connection.execute("DELETE FROM team_member WHERE team_id = %s", (team_id,))
    for position, each in enumerate(wanted):
        await connection.execute(
            """INSERT INTO team_member (team_id, person_id, during, position)
               VALUES (%s, %s, tstzrange(%s, %s), %s)""",
            (team_id, each.person_id, each.since, each.until, position),
        )
