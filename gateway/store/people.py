"""People: who can be reached for an alert, who may see what, and who signs in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from alerts import finding
from alerts.alert import Contact
from alerts.checkin import OnRoster, Skipped, skipped
from alerts.duty import Duty, began, serving
from alerts.policy import Target
from alerts.roster import NOBODY, Plan
from alerts.schedule import Window
from gateway.store import checkins, plans
from gateway.store.columns import bigints, texts
from gateway.store.db import Connection
from gateway.store.zones import UP


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff."""

    id: int
    uid: UUID
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """A role, from and until; ``nearness``: 0 in the zone itself, 1 in its parent, and so on."""

    person_id: int
    role: str
    nearness: int
    since: datetime | None
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at a time."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Roster:
    """Who has which role for a zone, and when they serve: what escalation goes by.

    ``graces``: by nearness of a shift's zone, how long whoever serves may take to check in; empty where nobody has to.
    ``skipped``: whoever is passed over at the moment, as they have not. Every step of a policy asks who serves at the same
    moment: that is found out once.
    """

    assigned: Sequence[Assigned]
    plans: Mapping[str, Plan]
    graces: Mapping[int, timedelta] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    _served: dict[tuple[str, datetime, tzinfo], tuple[Duty, ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def plan(self, role: str) -> Plan:
        return self.plans.get(role, NOBODY)

    def serving(self, role: str, at: datetime, local: tzinfo) -> tuple[int, ...]:
        """Who is on duty at a time and has the role then, first who is paged first."""
        passed_over = {each.person_id for each in self.skipped} if role == CHECKS_IN else set()
        return tuple(each.person_id for each in self.duties(role, at, local) if each.person_id not in passed_over)

    def duties(self, role: str, at: datetime, local: tzinfo) -> tuple[Duty, ...]:
        """The same, and why; also whoever is passed over."""
        found = self._served.get((role, at, local))
        if found is None:
            found = self._served[role, at, local] = self.employed(role, at, serving(self.plan(role), at, local))
        return found

    def employed(self, role: str, at: datetime, duties: Sequence[Duty]) -> tuple[Duty, ...]:
        """Those of them who have the role at a time."""
        employed = {each.person_id for each in self.assigned if each.role == role and each.holds(at)}
        return tuple(each for each in duties if each.person_id in employed)

    def on_rosters(self, at: datetime, local: tzinfo) -> list[OnRoster]:
        """Whoever may have to check in, since when they are on duty."""
        plan = self.plan(CHECKS_IN)
        return [
            OnRoster(each.person_id, began(plan, each, local), self.graces.get(each.nearness))
            for each in self.duties(CHECKS_IN, at, local)
        ]


CHECKS_IN = "responder"
"""The role whose shifts are checked in to."""


async def roster(connection: Connection, zone_id: int, since: datetime, until: datetime) -> Roster:
    """What there is to know of a zone's duty from a time until another."""
    assigned = await _assigned(connection, zone_id, since, until)
    known = await plans.read(connection, zone_id, since, until)
    return Roster(await assigned.fetchall(), *known)


async def present(
    connection: Connection, found: Roster, now: datetime, local: tzinfo, channels: Sequence[str]
) -> Roster:
    """The roster without whoever has not checked in, where somebody else is there who can be reached."""
    if not found.graces:
        return found
    there = found.on_rosters(now, local)
    persons = [each.person_id for each in there]
    reachable = await contacts(connection, persons, channels)
    checks = await checkins.check_ins(connection, persons, now)
    return replace(found, skipped=skipped(there, checks, reachable, now))


async def targets(connection: Connection, zone_id: int, now: datetime, local: tzinfo) -> dict[Target, tuple[int, ...]]:
    """Whom each step calls for an alert of a zone at a moment, whether they can be reached or not."""
    return finding.targets(await roster(connection, zone_id, now, now), now, local)


async def on_duty_for(
    connection: Connection, zone_id: int, roles: Sequence[str], now: datetime, local: tzinfo
) -> frozenset[int]:
    """Who of these roles is on duty for a zone at a moment: by the roster; who leads or is at the centre always is."""
    found = await roster(connection, zone_id, now, now)
    always = {each.person_id for each in found.assigned if each.role in ("lead", "centre") and each.role in roles}
    return frozenset(always.union(*(found.serving(role, now, local) for role in roles)))


async def _assigned(
    connection: Connection, zone_id: int, since: datetime, until: datetime
) -> psycopg.AsyncCursor[Assigned]:
    """Ask for the roles that are in force at some time between (both included), the nearest first."""
    cursor = connection.cursor(row_factory=class_row(Assigned))
    await cursor.execute(
        f"""{UP}
            SELECT g.person_id, g.role, a.nearness, lower(g.during) AS since, upper(g.during) AS until FROM up a
            JOIN assignment g ON g.zone_id = a.id AND g.during && tstzrange(%(since)s, %(until)s, '[]')
            JOIN person p ON p.id = g.person_id AND p.active ORDER BY a.nearness, g.person_id""",
        {"zone": zone_id, "since": since, "until": until},
    )
    return cursor


async def contacts(
    connection: Connection, persons: Sequence[int], channels: Sequence[str]
) -> dict[int, tuple[Contact, ...]]:
    """How these persons can be reached, in their order: contacts that work, of channels that are set up."""
    cursor = await connection.execute(
        """SELECT c.id, c.person_id, c.channel, c.quiet_from, c.quiet_to FROM contact c JOIN person p ON p.id = c.person_id
           WHERE c.person_id = ANY(%b) AND c.channel = ANY(%b) AND c.active AND c.broken_reason IS NULL AND p.active
           ORDER BY c.person_id, c.position, c.id""",
        (bigints(persons), texts(channels)),
    )
    found: dict[int, tuple[Contact, ...]] = {}
    for row in await cursor.fetchall():
        quiet = Window(from_time=row["quiet_from"], to_time=row["quiet_to"]) if row["quiet_from"] is not None else None
        contact = Contact(row["id"], row["person_id"], row["channel"], quiet)
        found[row["person_id"]] = (*found.get(row["person_id"], ()), contact)
    return found


async def names(connection: Connection, ids: Sequence[int]) -> dict[int, Person]:
    """These persons by id."""
    cursor = connection.cursor(row_factory=class_row(Person))
    await cursor.execute("SELECT id, uid, name, language FROM person WHERE id = ANY(%s)", (list(ids),))
    return {each.id: each for each in await cursor.fetchall()}


async def colleagues(
    connection: Connection, zone_id: int, roles: Sequence[str], now: datetime, *, reachable: bool = True
) -> list[Person]:
    """Whoever has one of these roles in a zone or above it and (unless told otherwise) a contact that works."""
    cursor = connection.cursor(row_factory=class_row(Person))
    await cursor.execute(
        f"""{UP}
            SELECT DISTINCT p.id, p.uid, p.name, p.language FROM up a
            JOIN assignment g ON g.zone_id = a.id AND g.during @> %(now)s::timestamptz AND g.role = ANY(%(roles)s)
            JOIN person p ON p.id = g.person_id AND p.active
            WHERE NOT %(reachable)s OR EXISTS (
                SELECT 1 FROM contact c WHERE c.person_id = p.id AND c.active AND c.broken_reason IS NULL)
            ORDER BY p.name, p.id""",
        {"zone": zone_id, "roles": list(roles), "now": now, "reachable": reachable},
    )
    return await cursor.fetchall()


async def set_language(connection: Connection, person_id: int, language: str) -> None:
    await connection.execute("UPDATE person SET language = %s WHERE id = %s", (language, person_id))


@dataclass(frozen=True, slots=True)
class Reach:
    """What a person may see: roles in force, the zones below their assignments by id and name, and their roles there."""

    roles: frozenset[str]
    zones: Mapping[int, str]
    roles_in: Mapping[int, frozenset[str]]


async def reach(connection: Connection, person_id: int, now: datetime) -> Reach:
    cursor = await connection.execute(
        """WITH RECURSIVE covered AS (
               SELECT zone_id AS id, role FROM assignment WHERE person_id = %s AND during @> %s::timestamptz
               UNION SELECT z.id, c.role FROM zone z JOIN covered c ON z.parent_id = c.id)
           SELECT z.id, z.name, array_agg(c.role) AS roles
           FROM covered c JOIN zone z USING (id) GROUP BY z.id ORDER BY z.id""",
        (person_id, now),
    )
    rows = await cursor.fetchall()
    roles_in = {row["id"]: frozenset(row["roles"]) for row in rows}
    roles = frozenset(role for each in roles_in.values() for role in each)
    return Reach(roles, {row["id"]: row["name"] for row in rows}, roles_in)
