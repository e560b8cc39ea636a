"""Policies as data with versions, and the teams that they call.

A policy is never deleted, because alerts point at its versions: one that is withdrawn has a last version that says so. A
change is made against the version that was looked at. Locks: the policy, or the team.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import structlog

from alerts.policy import DEFAULT_POLICIES, SPEC, Policy, StoredPolicy
from alerts.stored import as_stored
from gateway.store.db import Connection, new_uid
from gateway.store.editions import add_version

log = structlog.get_logger()

ScopeName = Literal["whole", "zone", "resident"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy is set for. ``where_id``: the zone itself, or that of the resident's home; None for the whole and for who
    lives nowhere."""

    name: ScopeName = "whole"
    id: int | None = None
    uid: UUID | None = None
    text: str = ""
    where_id: int | None = None

    @property
    def zone_id(self) -> int | None:
        return self.id if self.name == "zone" else None

    @property
    def resident_id(self) -> int | None:
        return self.id if self.name == "resident" else None


# What alerts go by ----------------------------------------------------------------------------------------------------


async def in_force(connection: Connection) -> list[StoredPolicy]:
    """Every policy in its current version but those withdrawn. For one that we cannot read, a default one: somebody must be
    called."""
    cursor = await connection.execute(
        """SELECT v.id AS version_id, v.spec, p.id, p.zone_id, p.resident_id FROM policy p
           JOIN policy_version v ON v.policy_id = p.id AND v.version = p.version
           WHERE NOT v.withdrawn ORDER BY p.id"""
    )
    return [stored(row) for row in await cursor.fetchall()]


def stored(row: Mapping[str, Any]) -> StoredPolicy:
    """A row with ``version_id``, ``spec``, ``id``, ``zone_id`` and ``resident_id``."""
    policy = policy_of(row["spec"], row["version_id"])
    return StoredPolicy(row["version_id"], policy, row["id"], row["zone_id"], row["resident_id"])


def policy_of(spec: Mapping[str, Any], version_id: int) -> Policy:
    """A stored policy; where it cannot be read, the default of its name, else of its track, and a line in the log."""
    try:
        return Policy.model_validate(spec)
    except ValueError as error:
        log.error("policy.unreadable", version=version_id, error=str(error))
    by_name = [each for each in DEFAULT_POLICIES if each.name == spec.get("name")]
    by_track = [each for each in DEFAULT_POLICIES if each.track == spec.get("track")]
    return [*by_name, *by_track, *DEFAULT_POLICIES][0]


async def add_missing(connection: Connection, policies: Sequence[Policy], now: datetime) -> int:
    """Add the policies whose names were never there; what a municipality changed stays, be it the name. How many were added."""
    cursor = await connection.execute(
        """SELECT p.name FROM policy p WHERE p.zone_id IS NULL AND p.resident_id IS NULL
           UNION SELECT v.spec->>'name' FROM policy p JOIN policy_version v ON v.policy_id = p.id
           WHERE p.zone_id IS NULL AND p.resident_id IS NULL"""
    )
    known = {row["name"] for row in await cursor.fetchall()}
    missing = [each for each in policies if each.name not in known]
    return sum([await _add(connection, each, Scope(), None, now) is not None for each in missing])


# Setting --------------------------------------------------------------------------------------------------------------


async def add(connection: Connection, policy: Policy, scope: Scope, by: int | None, now: datetime) -> int | None:
    """A new one; its id. One of this name that was withdrawn is taken up again. None where there is one in force."""
    return await _add(connection, policy, scope, by, now) or await _take_up_again(connection, policy, scope, by, now)


async def _add(connection: Connection, policy: Policy, scope: Scope, by: int | None, now: datetime) -> int | None:
    cursor = await connection.execute(
        """INSERT INTO policy (uid, name, version, zone_id, resident_id) VALUES (%s, %s, 0, %s, %s)
           ON CONFLICT DO NOTHING RETURNING id""",
        (new_uid(), policy.name, scope.zone_id, scope.resident_id),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    await add_version(connection, "policy", row["id"], 1, _spec(policy, scope), by, now, schema=SPEC)
    return int(row["id"])


async def _take_up_again(
    connection: Connection, policy: Policy, scope: Scope, by: int | None, now: datetime
) -> int | None:
    cursor = await connection.execute(
        """SELECT p.id, p.version FROM policy p WHERE p.name = %s AND p.zone_id IS NOT DISTINCT FROM %s
           AND p.resident_id IS NOT DISTINCT FROM %s FOR NO KEY UPDATE""",
        (policy.name, scope.zone_id, scope.resident_id),
    )
    row = await cursor.fetchone()
    if row is None or not await _is_withdrawn(connection, row["id"], row["version"]):
        return None
    await add_version(connection, "policy", row["id"], row["version"] + 1, _spec(policy, scope), by, now, schema=SPEC)
    return int(row["id"])


async def is_taken(connection: Connection, name: str, scope: Scope, besides: int) -> bool:
    """Whether another policy for the same has this name."""
    cursor = await connection.execute(
        """SELECT 1 FROM policy WHERE name = %s AND zone_id IS NOT DISTINCT FROM %s
           AND resident_id IS NOT DISTINCT FROM %s AND id <> %s""",
        (name, scope.zone_id, scope.resident_id, besides),
    )
    return await cursor.fetchone() is not None


async def change(
    connection: Connection, policy_id: int, policy: Policy, scope: Scope, expected: int, by: int, now: datetime
) -> bool:
    """A new version. False where somebody else was quicker, or it is withdrawn."""
    if not await _lock(connection, policy_id, expected):
        return False
    await connection.execute("UPDATE policy SET name = %s WHERE id = %s", (policy.name, policy_id))
    await add_version(connection, "policy", policy_id, expected + 1, _spec(policy, scope), by, now, schema=SPEC)
    return True


async def withdraw(connection: Connection, policy_id: int, expected: int, by: int, now: datetime) -> bool:
    """No new alert gets it any more; those that climb it go on. False where somebody else was quicker."""
    if not await _lock(connection, policy_id, expected):
        return False
    cursor = await connection.execute(
        "SELECT spec FROM policy_version WHERE policy_id = %s AND version = %s", (policy_id, expected)
    )
    row = await cursor.fetchone()
    await add_version(
        connection, "policy", policy_id, expected + 1, row["spec"] if row else {}, by, now, schema=SPEC, withdrawn=True
    )
    return True


async def _lock(connection: Connection, policy_id: int, expected: int) -> bool:
    cursor = await connection.execute("SELECT version FROM policy WHERE id = %s FOR NO KEY UPDATE", (policy_id,))
    row = await cursor.fetchone()
    there = row is not None and row["version"] == expected
    return there and not await _is_withdrawn(connection, policy_id, expected)


async def _is_withdrawn(connection: Connection, policy_id: int, version: int) -> bool:
    cursor = await connection.execute(
        "SELECT withdrawn FROM policy_version WHERE policy_id = %s AND version = %s", (policy_id, version)
    )
    row = await cursor.fetchone()
    return bool(row and row["withdrawn"])


def _spec(policy: Policy, scope: Scope) -> dict[str, Any]:
    """Of one that is set for a zone or a resident everything is written: the first release would take it for one for
    everywhere, and must not be able to read it."""
    return as_stored(policy) if scope.name == "whole" else policy.model_dump(mode="json")


# What people look at --------------------------------------------------------------------------------------------------

_HOME_ZONE = """(SELECT w.zone_id FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
                 WHERE y.resident_id = {} ORDER BY upper(y.during) DESC NULLS FIRST, y.id DESC LIMIT 1)"""
_POLICY = f"""
    SELECT p.id, p.uid, p.name, p.zone_id, p.resident_id, v.id AS version_id, v.version, v.spec, v.created_at,
           v.created_by, v.withdrawn, coalesce(z.uid, t.uid) AS scope_uid, coalesce(z.name, t.name, '') AS scope_text,
           CASE WHEN p.zone_id IS NOT NULL THEN 'zone' WHEN p.resident_id IS NOT NULL THEN 'resident'
                ELSE 'whole' END AS scope,
           coalesce(p.zone_id, {_HOME_ZONE.format("p.resident_id")}) AS where_id
    FROM policy p JOIN policy_version v ON v.policy_id = p.id
    LEFT JOIN zone z ON z.id = p.zone_id LEFT JOIN resident t ON t.id = p.resident_id"""


async def listed(connection: Connection) -> list[dict[str, Any]]:
    """Every policy in force, the widest first and in order of name."""
    cursor = await connection.execute(
        f"""{_POLICY} WHERE v.version = p.version AND NOT v.withdrawn
            ORDER BY p.resident_id IS NOT NULL, p.zone_id IS NOT NULL, scope_text, p.name, p.id"""
    )
    return await cursor.fetchall()


async def versions(connection: Connection, uid: UUID) -> list[dict[str, Any]]:
    """Every version of one, the newest first."""
    cursor = await connection.execute(f"{_POLICY} WHERE p.uid = %s ORDER BY v.version DESC", (uid,))
    return await cursor.fetchall()


async def by_ids(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """These as they stand, withdrawn or not."""
    cursor = await connection.execute(f"{_POLICY} WHERE v.version = p.version AND p.id = ANY(%s)", (sorted(ids),))
    return {row["id"]: row for row in await cursor.fetchall()}


async def scope_of(connection: Connection, name: ScopeName, uid: UUID) -> Scope | None:
    """The zone or resident of an outer id."""
    query = {
        "zone": "SELECT x.id, x.name AS text, x.id AS where_id FROM zone x WHERE x.uid = %s",
        "resident": f"SELECT x.id, x.name AS text, {_HOME_ZONE.format('x.id')} AS where_id FROM resident x WHERE x.uid = %s",
    }[name]
    cursor = await connection.execute(query.encode(), (uid,))
    row = await cursor.fetchone()
    return Scope(name, row["id"], uid, row["text"], row["where_id"]) if row else None


async def staff_of(
    connection: Connection, zones: Collection[int], roles: Collection[str], now: datetime
) -> list[dict[str, Any]]:
    """Whoever works and has one of these roles in one of these zones now, in order of name."""
    cursor = await connection.execute(
        """SELECT DISTINCT p.id, p.uid, p.name FROM person p JOIN assignment g ON g.person_id = p.id
           WHERE p.active AND g.zone_id = ANY(%s) AND g.role = ANY(%s) AND g.during @> %s::timestamptz
           ORDER BY p.name, p.id""",
        (sorted(zones), sorted(roles), now),
    )
    return await cursor.fetchall()


async def names_of(connection: Connection, uids: Collection[UUID]) -> dict[UUID, str]:
    """The names of persons and teams by outer id."""
    cursor = await connection.execute(
        "SELECT uid, name FROM person WHERE uid = ANY(%(ids)s) UNION ALL SELECT uid, name FROM team WHERE uid = ANY(%(ids)s)",
        {"ids": list(uids)},
    )
    return {row["uid"]: row["name"] for row in await cursor.fetchall()}
