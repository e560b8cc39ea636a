"""Whom the alerts of a zone can reach: all that is known of its people, read for ``alerts.finding`` to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from uuid import UUID

from psycopg.rows import class_row

from alerts import finding
from alerts.alert import People
from alerts.duty import spans
from alerts.finding import Member, Staff
from alerts.policy import Policy, Target
from gateway.store import people
from gateway.store.columns import bigints
from gateway.store.db import Connection
from gateway.store.people import Assigned, Roster


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose people: a zone's, by the channels that are set up; and those whom these policies name, and these persons."""

    zone_id: int
    channels: Sequence[str]
    policies: Sequence[Policy] = ()
    persons: Sequence[int] = ()

    def ids(self, target: Target) -> list[UUID]:
        """The outer ids that steps of this target name."""
        steps = (step for policy in self.policies for step in policy.steps)
        return sorted({step.id for step in steps if step.target is target and step.id is not None})


async def reachable(connection: Connection, wanted: Wanted, policy: Policy, now: datetime, local: tzinfo) -> People:
    """Who can be reached at a moment for an alert that climbs a policy."""
    roster = await people.roster(connection, wanted.zone_id, now, now)
    duty = await people.present(connection, roster, now, local, wanted.channels)
    staff = await _known(connection, wanted, duty, now, now, local)
    staff = replace(staff, skipped=duty.skipped, unskipped=roster)
    called = finding.meant(policy, staff, now) | set(wanted.persons)
    contacts = await people.contacts(connection, sorted(called), wanted.channels)
    return finding.people(policy, replace(staff, contacts=contacts), now, wanted.persons)


async def gather(connection: Connection, wanted: Wanted, since: datetime, until: datetime, local: tzinfo) -> Staff:
    """All that is known from a time until another. Contacts are those that work now."""
    staff, _ = await gather_ahead(connection, wanted, since, until, local)
    return staff


async def gather_present(
    connection: Connection, wanted: Wanted, now: datetime, until: datetime, local: tzinfo
) -> Staff:
    """The same from now on, as an alert would find it: without whoever has not checked in."""
    roster = await people.roster(connection, wanted.zone_id, now, until)
    duty = await people.present(connection, roster, now, local, wanted.channels)
    staff = await _with_contacts(connection, wanted, duty, now, until, local)
    return replace(staff, skipped=duty.skipped, unskipped=roster)


async def gather_ahead(
    connection: Connection, wanted: Wanted, since: datetime, until: datetime, local: tzinfo
) -> tuple[Staff, tuple[datetime, ...]]:
    """The same, with the times between at which somebody's duty begins or ends."""
    duty = await people.roster(connection, wanted.zone_id, since, until)
    staff = await _with_contacts(connection, wanted, duty, since, until, local)
    return staff, _changes(duty, since, until, local)


async def _with_contacts(
    connection: Connection, wanted: Wanted, duty: Roster, since: datetime, until: datetime, local: tzinfo
) -> Staff:
    staff = await _known(connection, wanted, duty, since, until, local)
    everyone = {*staff.roles, *(each.person_id for each in duty.assigned), *wanted.persons}
    return replace(staff, contacts=await people.contacts(connection, sorted(everyone), wanted.channels))


async def _known(
    connection: Connection, wanted: Wanted, duty: Roster, since: datetime, until: datetime, local: tzinfo
) -> Staff:
    """Everything but contacts."""
    persons = await _persons(connection, wanted.ids(Target.PERSON))
    teams = await _teams(connection, wanted.ids(Target.TEAM))
    named = {*persons.values(), *(each.person_id for members in teams.values() for each in members)}
    roles = await _roles(connection, sorted(named), since, until) if named else {}
    there = named | {each.person_id for each in duty.assigned}
    away = await _away(connection, sorted(there), since, until) if there else ()
    return Staff(duty, local, persons=persons, teams=teams, roles=roles, away=away)


def _changes(duty: Roster, since: datetime, until: datetime, local: tzinfo) -> tuple[datetime, ...]:
    found = {span.begins for plan in duty.plans.values() for span in spans(plan, since, until, local)}
    return tuple(sorted(each for each in found if since < each < until))


async def _persons(connection: Connection, uids: Sequence[UUID]) -> dict[UUID, int]:
    if not uids:
        return {}
    cursor = await connection.execute("SELECT uid, id FROM person WHERE uid = ANY(%s) AND active", (list(uids),))
    return {row["uid"]: row["id"] for row in await cursor.fetchall()}


async def _teams(connection: Connection, uids: Sequence[UUID]) -> dict[UUID, tuple[Member, ...]]:
    if not uids:
        return {}
    cursor = await connection.execute(
        """SELECT t.uid, m.person_id, lower(m.during) AS since, upper(m.during) AS until FROM team t
           JOIN team_member m ON m.team_id = t.id JOIN person p ON p.id = m.person_id AND p.active
           WHERE t.uid = ANY(%s) ORDER BY t.uid, m.position, m.id""",
        (list(uids),),
    )
    found: dict[UUID, tuple[Member, ...]] = {}
    for row in await cursor.fetchall():
        found[row["uid"]] = (*found.get(row["uid"], ()), Member(row["person_id"], row["since"], row["until"]))
    return found


async def _away(connection: Connection, persons: Sequence[int], since: datetime, until: datetime) -> tuple[Member, ...]:
    """When these persons are away at some time between (both included)."""
    cursor = await connection.execute(
        """SELECT a.person_id, lower(a.during) AS since, upper(a.during) AS until FROM absence a
           WHERE a.person_id = ANY(%b) AND a.withdrawn_at IS NULL AND a.during && tstzrange(%s, %s, '[]')""",
        (bigints(persons), since, until),
    )
    return tuple(Member(row["person_id"], row["since"], row["until"]) for row in await cursor.fetchall())


async def _roles(
    connection: Connection, persons: Sequence[int], since: datetime, until: datetime
) -> Mapping[int, Sequence[Assigned]]:
    """The roles of these persons at some time between (both included), wherever they have them."""
    cursor = connection.cursor(row_factory=class_row(Assigned))
    await cursor.execute(
        """SELECT g.person_id, g.role, 0 AS nearness, lower(g.during) AS since, upper(g.during) AS until
           FROM assignment g WHERE g.person_id = ANY(%s) AND g.during && tstzrange(%s, %s, '[]')
           ORDER BY g.person_id, g.id""",
        (list(persons), since, until),
    )
    return _by_person(await cursor.fetchall())


def _by_person(rows: Iterable[Assigned]) -> dict[int, list[Assigned]]:
    found: dict[int, list[Assigned]] = {}
    for row in rows:
        found.setdefault(row.person_id, []).append(row)
    return found
