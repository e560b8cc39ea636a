"""Checking in to a shift, and looking for who has not.

Rules
    Whoever serves in a zone that uses it says that they are there, and later that they are not any more. Saying it twice is
    saying it once.
    A zone's own shifts are looked at when one begins or ends and when somebody's time to check in is over, as every row that
    may need attention has a time at which it is due. Whoever is missed is an alert for those who lead the zone: technical, as
    no resident waits behind it, with steps of its own (``alerts.policy``), and over by itself once they check in or the shift
    is over. Once, as long as they do not come and go: what a lead has closed stays closed. Whether others are paged in their place is decided when an alert's step fires (``alerts.checkin``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from alerts.checkin import EARLY, MISSED, CheckIn, OnRoster, Presence, presence
from alerts.duty import next_change
from alerts.model import Clear, Entry, Evidence
from alerts.policy import NOT_CHECKED_IN
from alerts.rulebook import Rulebook
from gateway import noticing
from gateway.engine import act
from gateway.errors import NotFound
from gateway.store import audit, checkins, people, rosters
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection
from gateway.store.people import CHECKS_IN, Roster

MANY = 100
A_DAY = timedelta(days=1)


# Saying so ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class There:
    """Somebody's part of a zone's duty at a moment. ``since``: of their duty without a break; ``due_at``: when they are missed."""

    zone_id: int
    presence: Presence
    since: datetime
    due_at: datetime


async def where(connection: Connection, person_id: int, now: datetime, local: tzinfo) -> list[There]:
    """In which zones somebody has to check in now, or within the time in which it counts; in the order of their ids."""
    served = await checkins.zones_served(connection, person_id, now)
    zones = {row["id"]: row["below"] for row in served if row["role"] == CHECKS_IN and row["uses"]}
    if not zones:
        return []
    last = (await checkins.check_ins(connection, [person_id], now)).get(person_id)
    found: list[There] = []
    for zone, below in sorted(zones.items()):
        roster = await people.roster(connection, zone, now, now + EARLY)
        found += [
            There(zone, presence(each, last, now), each.since, each.since + each.grace)
            for each in _soon(roster, now, local, own=below)
            if each.person_id == person_id and each.grace is not None
        ]
    return found


def _soon(roster: Roster, now: datetime, local: tzinfo, *, own: bool) -> list[OnRoster]:
    """Whoever is on duty, and whoever will be as soon as one can check in to it. ``own``: by the zone's own shifts alone."""
    serving = _own_duty(roster, now, local) if own else roster.on_rosters(now, local)
    there = {each.person_id for each in serving}
    later = _own_duty(roster, now + EARLY, local) if own else roster.on_rosters(now + EARLY, local)
    return [*serving, *(each for each in later if each.since > now and each.person_id not in there)]


async def check_in(connection: Connection, person_id: int, now: datetime, local: tzinfo) -> There | None:
    """Somebody is there: where, as it was before, None where they have said so already. NotFound where there is no shift of theirs to
    check in to."""
    await rosters.lock_person(connection, person_id)
    places = await where(connection, person_id, now, local)
    if not places:
        raise NotFound(
            "no_shift",
            "no shift that is checked in to is yours now, or within two hours",
            "ask your lead about the roster",
        )
    if all(each.presence is Presence.CHECKED_IN for each in places):
        return None
    await checkins.check_in(connection, person_id, now)
    await _said(connection, person_id, "check_in.in", now)
    return places[0]


async def check_out(connection: Connection, person_id: int, now: datetime) -> None:
    """Somebody is not there any more."""
    await rosters.lock_person(connection, person_id)
    if await checkins.check_out(connection, person_id, now):
        await _said(connection, person_id, "check_in.out", now)


async def _said(connection: Connection, person_id: int, action: str, now: datetime) -> None:
    await audit.add(connection, now, (Audited(action, "person", person_id, person_id),))
    await checkins.look_again_for(connection, [person_id], now)
    await audit.announce(connection, Changed(persons=frozenset({person_id})))


async def expected(connection: Connection, but: Collection[int], now: datetime, local: tzinfo) -> list[int]:
    """Whoever is on duty and has not said that they are there, in the zones that use it; but for those of some zones."""
    found: set[int] = set()
    for zone in await checkins.looked_at(connection):
        if zone in but:
            continue
        own = _own_duty(await people.roster(connection, zone, now, now), now, local)
        checks = await checkins.check_ins(connection, [each.person_id for each in own], now)
        waits = {Presence.EXPECTED, Presence.NOT_CHECKED_IN}
        found |= {each.person_id for each in own if presence(each, checks.get(each.person_id), now) in waits}
    return sorted(found)


# Looking for who has not ----------------------------------------------------------------------------------------------


async def look(connection: Connection, now: datetime, book: Rulebook) -> int:
    """Every zone that is due. How many were looked at."""
    due = await checkins.lock_looks(connection, now, MANY)
    changed = Changed()
    for zone in due:
        changed |= await _look_at(connection, zone, now, book)
    await audit.announce(connection, changed)
    return len(due)


async def _look_at(connection: Connection, zone: int, now: datetime, book: Rulebook) -> Changed:
    """Gather, decide, apply."""
    roster = await people.roster(connection, zone, now, now + A_DAY)
    own = _own_duty(roster, now, book.local)
    checks = await checkins.check_ins(connection, [each.person_id for each in own], now)
    known = await checkins.missed_keys(connection, _key(zone))

    missed = [each for each in own if presence(each, checks.get(each.person_id), now) in MISSED]
    over = set(known) - {_key(zone, each.person_id) for each in missed}

    changed = await act(connection, [Clear(each, Evidence("checked_in", now, now)) for each in sorted(over)], now, book)
    for person in missed:
        key, since = _key(zone, person.person_id), _since(person, checks.get(person.person_id))
        if key not in known and not await checkins.was_missed(connection, zone, key, since):
            changed |= await _miss(connection, zone, person.person_id, now, book)
    following = _next(roster, own, checks, now, book.local) if 0 in roster.graces else None
    await checkins.look_next(connection, zone, following)
    return changed


def _since(missed: OnRoster, last: CheckIn | None) -> datetime:
    """Since when somebody is missed for this reason: the beginning of their duty, or when they last came or went."""
    return max(missed.since, *(at for at in (last.in_at, last.out_at) if at is not None)) if last else missed.since


def _own_duty(roster: Roster, now: datetime, local: tzinfo) -> list[OnRoster]:
    """Whoever serves by the zone's own shifts; those of a zone around it are looked at there."""
    own = {each.person_id for each in roster.duties(CHECKS_IN, now, local) if each.nearness == 0}
    return [each for each in roster.on_rosters(now, local) if each.person_id in own]


async def _miss(connection: Connection, zone: int, person: int, now: datetime, book: Rulebook) -> Changed:
    subject = await noticing.subject_in(connection, zone)
    if subject is None:
        return Changed()
    missed = noticing.word(_key(zone, person), NOT_CHECKED_IN, subject, now)
    return await noticing.tell(connection, missed, Entry("missed_at_check_in", {"persons": [person]}), now, book)


def _next(
    roster: Roster, own: Sequence[OnRoster], checks: dict[int, CheckIn], now: datetime, local: tzinfo
) -> datetime:
    """When somebody is missed who is not yet, or something else can have changed."""
    waited_for = [each.since + each.grace for each in own if each.grace and each.since + each.grace > now]
    checked_out = [each.out_at for each in checks.values() if each.out_at is not None and each.out_at > now]
    return min([*waited_for, *checked_out, next_change(roster.plan(CHECKS_IN), now, local)])


def _key(zone: int, person: int | None = None) -> str:
    return f"{NOT_CHECKED_IN}:zone:{zone}:person:{'' if person is None else person}"
