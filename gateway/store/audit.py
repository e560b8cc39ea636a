"""Audit: who did or looked at what, in the transaction of what it tells of; and the announcement of a change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.store.db import Connection, as_json

CHANNEL = "hjemmevakt_changed"
LONGEST = 7900
"""Bytes that one announcement can carry; PostgreSQL refuses 8000."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a transaction changed: zones and persons by id, and whether there are pages or commands to send, or lanes to take."""

    zones: frozenset[int] = frozenset()
    persons: frozenset[int] = frozenset()
    pages: bool = False
    commands: bool = False
    lanes: bool = False

    def __or__(self, other: Changed) -> Changed:
        return Changed(
            self.zones | other.zones,
            self.persons | other.persons,
            self.pages or other.pages,
            self.commands or other.commands,
            self.lanes or other.lanes,
        )

    @classmethod
    def parse(cls, payload: str) -> Changed:
        told = json.loads(payload)
        zones, persons = frozenset(told["zones"]), frozenset(told["persons"])
        return cls(zones, persons, told["pages"], told.get("commands", False), told.get("lanes", False))


@dataclass(frozen=True, slots=True)
class Audited:
    """One line of the audit: ids, codes and parameters, never names."""

    action: str
    object: str
    object_id: int | None = None
    actor_id: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


async def add(connection: Connection, at: datetime, lines: Iterable[Audited]) -> None:
    for line in lines:
        await connection.execute(
            "INSERT INTO audit (at, actor_id, action, object, object_id, params) VALUES (%s, %s, %s, %s, %s, %s)",
            (at, line.actor_id, line.action, line.object, line.object_id, as_json(dict(line.params))),
        )


async def note_listed(connection: Connection, at: datetime, actor: int, alerts: Sequence[int]) -> None:
    """A list showed these alerts' residents to somebody: once for each alert and reader, however often they look."""
    await connection.execute(
        """INSERT INTO audit (at, actor_id, action, object, object_id, params)
           SELECT %(at)s, %(actor)s, 'resident.listed', 'resident', a.resident_id, jsonb_build_object('alert', a.id)
           FROM alert a
           WHERE a.id = ANY(%(alerts)s) AND a.resident_id IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM audit x
               WHERE x.object = 'resident' AND x.object_id = a.resident_id AND x.actor_id = %(actor)s
                 AND x.action = 'resident.listed' AND x.params ->> 'alert' = a.id::text)""",
        {"at": at, "actor": actor, "alerts": list(alerts)},
    )


async def note_shown(
    connection: Connection, at: datetime, actor: int, residents: Sequence[int], action: str = "resident.named"
) -> None:
    """A list of rules or devices named these residents to somebody, or (``resident.observed``) what their devices said was
    shown: once a day for each resident and reader."""
    await connection.execute(
        """INSERT INTO audit (at, actor_id, action, object, object_id, params)
           SELECT %(at)s, %(actor)s, %(action)s, 'resident', r.id, '{}'
           FROM unnest(%(residents)s::bigint[]) AS r (id)
           WHERE NOT EXISTS (
               SELECT 1 FROM audit x WHERE x.object = 'resident' AND x.object_id = r.id AND x.actor_id = %(actor)s
                 AND x.action = %(action)s AND x.at > %(at)s - interval '1 day')""",
        {"at": at, "actor": actor, "residents": list(residents), "action": action},
    )


async def announce(connection: Connection, changed: Changed) -> None:
    """Tell every process that listens, when the transaction commits. Ids only; "everything" where they are too many."""
    if changed == Changed():
        return
    told = {
        "zones": sorted(changed.zones),
        "persons": sorted(changed.persons),
        "pages": changed.pages,
        "commands": changed.commands,
        "lanes": changed.lanes,
    }
    payload = json.dumps(told)
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload if len(payload) <= LONGEST else ""))
