"""Rules as data with versions.

A rule is never deleted, because watches and alerts point at it: one that is withdrawn has a last version that says so.
What waits follows in the same transaction. Locks: the rule, then dose schedules, then watches.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import structlog

from alerts.rules import Rule, RuleType, parse_rule
from alerts.rules.dose import Dose
from alerts.stored import as_stored
from gateway.store import watches
from gateway.store.db import Connection, new_uid
from gateway.store.editions import add_version

log = structlog.get_logger()

ScopeName = Literal["kind", "zone", "resident", "device"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule is set for. ``zone_id``: of the zone itself, of the resident's home, of where the device is; None for a
    whole kind and for who lives nowhere. ``kind``: the device's."""

    name: ScopeName = "kind"
    id: int | None = None
    uid: UUID | None = None
    text: str = ""
    zone_id: int | None = None
    kind: str | None = None

    @property
    def columns(self) -> tuple[int | None, int | None, int | None]:
        """Zone, resident and device, as a rule has them."""
        given = {self.name: self.id}
        return given.get("zone"), given.get("resident"), given.get("device")


async def all_rules(connection: Connection) -> tuple[list[Rule], tuple[int, ...]]:
    """Every rule in its current version, withdrawn ones too, and the ids of those in force that we cannot read: they must
    not stop the others."""
    cursor = await connection.execute(
        """SELECT r.id, r.version, r.kind, r.zone_id, r.resident_id, r.device_id, r.installation_id, v.spec,
                  v.withdrawn, CASE WHEN r.device_id IS NOT NULL THEN 3 WHEN r.resident_id IS NOT NULL THEN 2
                       WHEN r.zone_id IS NOT NULL THEN 1 ELSE 0 END AS scope
           FROM rule r JOIN rule_version v ON v.rule_id = r.id AND v.version = r.version ORDER BY r.id"""
    )
    rows = await cursor.fetchall()
    read = [rule for row in rows if (rule := _readable(row))]
    known = {rule.id for rule in read}
    return read, tuple(row["id"] for row in rows if row["id"] not in known and not row["withdrawn"])


def _readable(row: Mapping[str, Any]) -> Rule | None:
    try:
        return Rule(**{**row, "spec": parse_rule(row["spec"])})
    except ValueError as error:
        log.error("rule.unreadable", rule=row["id"], version=row["version"], error=str(error))
        return None


async def set_kind_rules(connection: Connection, specs: Mapping[str, Sequence[RuleType]], now: datetime) -> int:
    """Bring the rules that are set for whole kinds to these; a changed one gets a new version. How many changed."""
    changed = 0
    for kind, rules in sorted(specs.items()):
        for spec in rules:
            changed += await _set_kind_rule(connection, kind, spec, now)
    return changed


async def _set_kind_rule(connection: Connection, kind: str, spec: RuleType, now: datetime) -> int:
    found = await _lock(connection, kind, spec.name, Scope())
    if found and _spec(found["spec"]) == spec:
        return 0
    await _put(connection, found, kind, spec, Scope(), None, now)
    return 1


async def save(
    connection: Connection, kind: str, spec: RuleType, scope: Scope, expected: int, by: int, now: datetime
) -> int | None:
    """Set a rule for a zone, a resident or a device: a new one, or a new version of the one that is there. Its id.

    ``expected``: the version that is there, 0 where none is in force. None where somebody else was quicker.
    """
    found = await _lock(connection, kind, spec.name, scope)
    there = found["version"] if found else 0
    if expected != there and not (found and found["withdrawn"] and expected == 0):
        return None
    return await _put(connection, found, kind, spec, scope, by, now)


async def withdraw(connection: Connection, rule_id: int, expected: int, by: int, now: datetime) -> bool:
    """The next nearest rule of its name applies again. False where somebody else was quicker."""
    cursor = await connection.execute("SELECT id, kind, version FROM rule WHERE id = %s FOR NO KEY UPDATE", (rule_id,))
    row = await cursor.fetchone()
    found = await _current(connection, row) if row else None
    if found is None or found["version"] != expected or found["withdrawn"]:
        return False
    spec = _spec(found["spec"])
    await add_version(connection, "rule", rule_id, expected + 1, found["spec"], by, now, withdrawn=True)
    await _follow(connection, found["kind"], found["name"], spec, now)
    return True


async def _lock(connection: Connection, kind: str, name: str, scope: Scope) -> dict[str, Any] | None:
    """The rule of a name that is set for just this, with its current version."""
    cursor = await connection.execute(
        """SELECT id, kind, version FROM rule WHERE kind = %s AND name = %s AND zone_id IS NOT DISTINCT FROM %s
           AND resident_id IS NOT DISTINCT FROM %s AND device_id IS NOT DISTINCT FROM %s FOR NO KEY UPDATE""",
        (kind, name, *scope.columns),
    )
    row = await cursor.fetchone()
    return await _current(connection, row) if row else None


async def _current(connection: Connection, locked: Mapping[str, Any]) -> dict[str, Any] | None:
    cursor = await connection.execute(
        """SELECT r.id, r.kind, r.name, r.version, v.spec, v.withdrawn FROM rule r
           JOIN rule_version v ON v.rule_id = r.id AND v.version = r.version WHERE r.id = %s""",
        (locked["id"],),
    )
    return await cursor.fetchone()


async def _put(
    connection: Connection,
    found: Mapping[str, Any] | None,
    kind: str,
    spec: RuleType,
    scope: Scope,
    by: int | None,
    now: datetime,
) -> int:
    if found:
        rule_id, version = int(found["id"]), found["version"] + 1
    else:
        rule_id, version = await _add(connection, kind, spec.name, scope), 1
    await add_version(connection, "rule", rule_id, version, as_stored(spec), by, now)
    if scope.name == "device":
        await _bind(connection, rule_id, now)
    if found or scope.name != "kind":
        await _follow(connection, kind, spec.name, spec, now)
    return rule_id


async def _bind(connection: Connection, rule_id: int, now: datetime) -> None:
    """A device's rule holds where the device is fitted now, and not in the next home."""
    await connection.execute(
        """UPDATE rule r SET installation_id = (
               SELECT i.id FROM installation i WHERE i.device_id = r.device_id AND i.during @> %s::timestamptz)
           WHERE r.id = %s""",
        (now, rule_id),
    )


async def _add(connection: Connection, kind: str, name: str, scope: Scope) -> int:
    """UniqueViolation where somebody else was quicker."""
    cursor = await connection.execute(
        """INSERT INTO rule (uid, kind, name, zone_id, resident_id, device_id, version)
           VALUES (%s, %s, %s, %s, %s, %s, 1) RETURNING id""",
        (new_uid(), kind, name, *scope.columns),
    )
    row = await cursor.fetchone()
    return int(row["id"]) if row else 0


async def _follow(connection: Connection, kind: str, name: str, spec: RuleType | None, now: datetime) -> None:
    """What waits by a rule of this name follows it, as it is now: judged anew, or taken up again."""
    if isinstance(spec, Dose):
        await watches.plan_doses_anew(connection, kind, now)
    await watches.touch(connection, kind, name, now)
    if spec is not None and spec.waits and not spec.standing:
        heard = [each.removeprefix(f"{kind}/") for each in spec.hears()]
        await watches.take_up(connection, kind, name, heard, now)


def _spec(data: Mapping[str, Any]) -> RuleType | None:
    try:
        return parse_rule(data)
    except ValueError:
        return None


# What people look at --------------------------------------------------------------------------------------------------

_HOME_ZONE = """(SELECT w.zone_id FROM residency y JOIN dwelling w ON w.id = y.dwelling_id
                 WHERE y.resident_id = {} ORDER BY upper(y.during) DESC NULLS FIRST, y.id DESC LIMIT 1)"""
_DEVICE_ZONE = """coalesce((SELECT w.zone_id FROM installation i JOIN dwelling w ON w.id = i.dwelling_id
                            WHERE i.device_id = {0}.id ORDER BY upper(i.during) DESC NULLS FIRST, i.id DESC LIMIT 1),
                           (SELECT s.zone_id FROM site s WHERE s.id = {0}.site_id))"""

_LISTED = f"""
    SELECT r.id, r.uid, r.kind, r.name, r.version, r.zone_id, r.resident_id, r.device_id, v.spec, v.withdrawn,
           v.created_at, v.created_by, coalesce(z.uid, t.uid, d.uid) AS scope_uid,
           coalesce(z.name, t.name, d.address, '') AS scope_text,
           CASE WHEN r.device_id IS NOT NULL THEN 'device' WHEN r.resident_id IS NOT NULL THEN 'resident'
                WHEN r.zone_id IS NOT NULL THEN 'zone' ELSE 'kind' END AS scope,
           CASE WHEN r.zone_id IS NOT NULL THEN r.zone_id
                WHEN r.resident_id IS NOT NULL THEN {_HOME_ZONE.format("r.resident_id")}
                WHEN r.device_id IS NOT NULL THEN {_DEVICE_ZONE.format("d")} END AS where_zone_id
    FROM rule r JOIN rule_version v ON v.rule_id = r.id AND v.version = r.version
    LEFT JOIN zone z ON z.id = r.zone_id LEFT JOIN resident t ON t.id = r.resident_id
    LEFT JOIN device d ON d.id = r.device_id"""


async def listed(connection: Connection, kinds: Collection[str]) -> list[dict[str, Any]]:
    """Every rule in force of these kinds, with what it is set for and who set it: by name, the widest first."""
    cursor = await connection.execute(
        f"""{_LISTED} WHERE r.kind = ANY(%s) AND NOT v.withdrawn
            ORDER BY r.kind, r.name, num_nonnulls(r.device_id) * 3 + num_nonnulls(r.resident_id) * 2
                     + num_nonnulls(r.zone_id), scope_text, r.id""",
        (sorted(kinds),),
    )
    return await cursor.fetchall()


async def shown(connection: Connection, uid: UUID) -> dict[str, Any] | None:
    """One rule, withdrawn or not."""
    cursor = await connection.execute(f"{_LISTED} WHERE r.uid = %s", (uid,))
    return await cursor.fetchone()


async def by_ids(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    cursor = await connection.execute(f"{_LISTED} WHERE r.id = ANY(%s)", (sorted(ids),))
    return {row["id"]: row for row in await cursor.fetchall()}


async def set_for(connection: Connection, kind: str, name: str) -> list[dict[str, Any]]:
    """Every rule of a kind and name, withdrawn ones too."""
    cursor = await connection.execute(f"{_LISTED} WHERE r.kind = %s AND r.name = %s ORDER BY r.id", (kind, name))
    return await cursor.fetchall()


async def versions(connection: Connection, rule_id: int) -> list[dict[str, Any]]:
    """Every version, the newest first."""
    cursor = await connection.execute(
        """SELECT version, spec, withdrawn, created_at, created_by FROM rule_version WHERE rule_id = %s
           ORDER BY version DESC""",
        (rule_id,),
    )
    return await cursor.fetchall()


async def scope_of(connection: Connection, name: ScopeName, uid: UUID) -> Scope | None:
    """The zone, resident or device of an outer id."""
    queries: Mapping[ScopeName, str] = {
        "zone": "SELECT x.id, x.name AS text, x.id AS zone_id, NULL AS kind FROM zone x WHERE x.uid = %s",
        "resident": f"SELECT x.id, x.name AS text, {_HOME_ZONE.format('x.id')} AS zone_id, NULL AS kind FROM resident x WHERE x.uid = %s",
        "device": f"SELECT x.id, x.address AS text, {_DEVICE_ZONE.format('x')} AS zone_id, x.kind FROM device x WHERE x.uid = %s",
    }
    cursor = await connection.execute(queries[name].encode(), (uid,))
    row = await cursor.fetchone()
    return Scope(name, row["id"], uid, row["text"], row["zone_id"], row["kind"]) if row else None


async def residents(connection: Connection, ids: Collection[int]) -> list[dict[str, Any]]:
    """These residents with their outer ids and names."""
    cursor = await connection.execute("SELECT id, uid, name FROM resident WHERE id = ANY(%s)", (sorted(ids),))
    return await cursor.fetchall()
