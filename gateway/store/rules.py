"""Rules and policies as data with versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from alerts.policy import DEFAULT_POLICIES, Policy, StoredPolicy
from alerts.rules import Rule, RuleType, parse_rule
from gateway.store import watches
from gateway.store.db import Connection, as_json, new_uid

log = structlog.get_logger()


async def all_rules(connection: Connection) -> tuple[list[Rule], tuple[int, ...]]:
    """Every rule in its current version, and the ids of those that we cannot read: they must not stop the others."""
    cursor = await connection.execute(
        """SELECT r.id, r.version, r.kind, r.zone_id, r.resident_id, r.device_id, v.spec,
                  CASE WHEN r.device_id IS NOT NULL THEN 3 WHEN r.resident_id IS NOT NULL THEN 2
                       WHEN r.zone_id IS NOT NULL THEN 1 ELSE 0 END AS scope
           FROM rule r JOIN rule_version v ON v.rule_id = r.id AND v.version = r.version ORDER BY r.id"""
    )
    rows = await cursor.fetchall()
    read = [rule for row in rows if (rule := _readable(row))]
    return read, tuple(row["id"] for row in rows if row["id"] not in {rule.id for rule in read})


def _readable(row: Mapping[str, Any]) -> Rule | None:
    try:
        return Rule(**{**row, "spec": parse_rule(row["spec"])})
    except ValueError as error:
        log.error("rule.unreadable", rule=row["id"], version=row["version"], error=str(error))
        return None


async def all_policies(connection: Connection) -> list[StoredPolicy]:
    """Every policy in its current version. For one that we cannot read, a default one: somebody must be called."""
    cursor = await connection.execute(
        """SELECT v.id, v.spec FROM policy p JOIN policy_version v ON v.policy_id = p.id AND v.version = p.version
           ORDER BY p.id"""
    )
    return [StoredPolicy(row["id"], policy_of(row["spec"], row["id"])) for row in await cursor.fetchall()]


def policy_of(spec: Mapping[str, Any], version_id: int) -> Policy:
    """A stored policy; where it cannot be read, the default of its name, else of its track, and a line in the log."""
    try:
        return Policy.model_validate(spec)
    except ValueError as error:
        log.error("policy.unreadable", version=version_id, error=str(error))
    by_name = [each for each in DEFAULT_POLICIES if each.name == spec.get("name")]
    by_track = [each for each in DEFAULT_POLICIES if each.track == spec.get("track")]
    return [*by_name, *by_track, *DEFAULT_POLICIES][0]


async def rules_version(connection: Connection) -> tuple[int, int]:
    """Something that changes with any rule and any policy."""
    cursor = await connection.execute(
        """SELECT (SELECT count(*) FROM rule_version) AS rules,
                  (SELECT coalesce(max(id), 0) FROM policy_version) AS policies"""
    )
    row = await cursor.fetchone()
    return (row["rules"], row["policies"]) if row else (0, 0)


async def set_kind_rules(connection: Connection, specs: Mapping[str, Sequence[RuleType]], now: datetime) -> int:
    """Bring the rules that are set for whole kinds to these; a changed one gets a new version. How many changed."""
    changed = 0
    for kind, rules in sorted(specs.items()):
        for spec in rules:
            changed += await _set_kind_rule(connection, kind, spec, now)
    return changed


async def _set_kind_rule(connection: Connection, kind: str, spec: RuleType, now: datetime) -> int:
    cursor = await connection.execute(
        """SELECT r.id, r.version, v.spec FROM rule r
           JOIN rule_version v ON v.rule_id = r.id AND v.version = r.version
           WHERE r.kind = %s AND r.name = %s AND num_nonnulls(r.zone_id, r.resident_id, r.device_id) = 0 FOR UPDATE""",
        (kind, spec.name),
    )
    found = await cursor.fetchone()
    if found and found["spec"] == spec.model_dump(mode="json"):
        return 0
    if found:
        await connection.execute("UPDATE rule SET version = version + 1 WHERE id = %s", (found["id"],))
        rule_id, version = found["id"], found["version"] + 1
    else:
        cursor = await connection.execute(
            "INSERT INTO rule (uid, kind, name, version) VALUES (%s, %s, %s, 1) RETURNING id",
            (new_uid(), kind, spec.name),
        )
        row = await cursor.fetchone()
        rule_id, version = (row["id"], 1) if row else (0, 0)
    await connection.execute(
        "INSERT INTO rule_version (rule_id, version, spec, created_at) VALUES (%s, %s, %s, %s)",
        (rule_id, version, as_json(spec.model_dump(mode="json")), now),
    )
    if version > 1:
        await watches.touch(connection, kind, spec.name, now)
    return 1


async def add_missing_policies(connection: Connection, policies: Sequence[Policy], now: datetime) -> int:
    """Add the policies whose names are not there yet; what a municipality changed stays. How many were added."""
    added = 0
    for policy in policies:
        cursor = await connection.execute(
            "INSERT INTO policy (uid, name, version) VALUES (%s, %s, 1) ON CONFLICT DO NOTHING RETURNING id",
            (new_uid(), policy.name),
        )
        row = await cursor.fetchone()
        if row:
            added += 1
            await connection.execute(
                "INSERT INTO policy_version (policy_id, version, spec, created_at) VALUES (%s, 1, %s, %s)",
                (row["id"], as_json(policy.model_dump(mode="json")), now),
            )
    return added
