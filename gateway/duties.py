"""Who is on duty, as people look at it: a zone's roster and duty, and somebody's own.

Who sees what
    Whoever has a role in a zone sees who is on duty there and what is planned. Why somebody is away is for themselves and for
    those who plan. Who is on duty is worked out by the code by which alerts find people (``people.Roster``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.duty import Duty, Span, spans
from gateway import checking
from gateway.access import PLANNERS, Who
from gateway.api import schemas
from gateway.errors import Invalid, NotFound
from gateway.store import checkins, contacts, people, plans, rosters, staff, zones
from gateway.store.db import Connection
from gateway.store.people import Person, Roster

LONGEST_LOOK = timedelta(days=31)
A_WEEK = timedelta(days=7)
AHEAD = timedelta(days=28)
"""How far ahead somebody sees their own shifts."""
A_YEAR = timedelta(days=366)
SERVING: tuple[schemas.Serving, ...] = ("responder", "technical")
Row = Mapping[str, Any]
Persons = Mapping[int, Person]

# A zone ---------------------------------------------------------------------------------------------------------------


async def roster(connection: Connection, who: Who, uid: UUID, now: datetime, local: ZoneInfo) -> schemas.RosterView:
    """What is planned for a zone in which the reader has a role, else NotFound."""
    zone = await own_zone(connection, who, uid)
    by_role = {role: await people.colleagues(connection, zone["id"], (role,), now, reachable=False) for role in SERVING}
    there = {person.id: person for each in by_role.values() for person in each}
    rotations = await rosters.rotations(connection, zone["id"])
    overrides = await rosters.overrides(connection, zone["id"], now, now + A_YEAR)
    swaps = await rosters.swaps(connection, zone["id"], now)
    absences = await rosters.absences(connection, list(there), now, None)
    persons = await _named(connection, [*rotations, *overrides, *swaps, *absences])
    _, graces = await plans.read(connection, zone["id"], now, now)
    own_minutes, own_tests = await checkins.own_check_in(connection, zone["id"])
    return schemas.RosterView(
        zone=named(zone),
        time_zone=local.key,
        shifts=[shift_view(row) for row in await staff.shifts(connection, zone["id"])],
        rotations=[rotation_view(row, persons) for row in rotations],
        overrides=[override_view(row, persons) for row in overrides],
        swaps=[swap_view(row, persons, who) for row in swaps],
        absences=[absence_view(row, persons, who, plans=plans_in(who, zone["id"])) for row in absences],
        staff=[
            schemas.Colleague(
                id=each.uid, name=each.name, roles=[role for role, persons in by_role.items() if each in persons]
            )
            for each in sorted(there.values(), key=lambda each: (each.name, each.id))
        ],
        check_in_minutes=int(graces[0].total_seconds()) // 60 if 0 in graces else 0,
        own_check_in_minutes=own_minutes,
        check_in_tests=await contacts.tested_at_check_in(connection, zone["id"]),
        own_check_in_tests=own_tests,
        may_plan=plans_in(who, zone["id"]),
    )


async def duty(
    connection: Connection, who: Who, uid: UUID, query: schemas.DutyQuery, now: datetime, local: ZoneInfo
) -> schemas.DutyView:
    """Who serves from a time until another. Invalid where that is not in order, or too long."""
    zone = await own_zone(connection, who, uid)
    since = query.since or now
    until = query.until or since + A_WEEK
    if not since < until <= since + LONGEST_LOOK:
        raise Invalid("until", "it has to be later than `since`, by 31 days at most", "ask for a shorter time")
    found = await people.roster(connection, zone["id"], since, until)
    served = list(_same_people(serving_spans(found, query.role, since, until, local)))
    persons = await people.names(connection, sorted(mentioned(each for span in served for each in span.duties)))
    return schemas.DutyView(
        zone=named(zone),
        role=query.role,
        time_zone=local.key,
        spans=[
            schemas.DutySpan(
                since=span.begins.astimezone(local),
                until=span.ends.astimezone(local),
                on_duty=[_serves(each, persons) for each in span.duties],
            )
            for span in served
        ],
    )


def serving_spans(found: Roster, role: str, since: datetime, until: datetime, local: ZoneInfo) -> Iterator[Span]:
    """From change to change of shifts and roles, with those alone who have the role then."""
    roles = (at for each in found.assigned for at in (each.since, each.until) if at is not None)
    for span in spans(found.plan(role), since, until, local, roles):
        yield Span(span.begins, span.ends, found.employed(role, span.begins, span.duties))


def _same_people(found: Iterable[Span]) -> Iterator[Span]:
    """What changes nothing is no change."""
    last: Span | None = None
    for span in found:
        if last is not None and _told(last) == _told(span):
            last = Span(last.begins, span.ends, last.duties)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _told(span: Span) -> list[tuple[int, str, int | None]]:
    return [(each.person_id, each.why, each.instead_of) for each in span.duties]


async def own_zone(connection: Connection, who: Who, uid: UUID) -> dict[str, Any]:
    """A zone in which the reader has a role, else NotFound."""
    row = await zones.find(connection, uid)
    if row is None or row["id"] not in who.zone_ids:
        raise NotFound("zone", "there is no such zone, or it is not one of yours", "choose one of yours")
    return row


def plans_in(who: Who, zone_id: int) -> bool:
    """Whether somebody plans the roster of a zone."""
    return zone_id in who.zones_as(PLANNERS)


# One's own ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Own:
    """A shift of somebody's, and the zone in which they serve."""

    zone: Row
    duty: Duty


async def mine(connection: Connection, who: Who, now: datetime, local: ZoneInfo) -> schemas.MyDuty:
    """One's own shifts, swaps, absences and check-in."""
    places = await checkins.zones_served(connection, who.person_id, now)
    own = await own_shifts(connection, who.person_id, places, now, now + AHEAD, local)
    swaps = [row for zone in _once(places) for row in await rosters.swaps(connection, zone["id"], now)]
    concerned = {row["id"]: row for row in swaps if who.person_id in (row["asks_id"], row["gives_id"])}
    absences = await rosters.absences(connection, [who.person_id], now, None)
    persons = await _named(connection, [*concerned.values(), *absences], mentioned(each.duty for each in own))
    return schemas.MyDuty(
        time_zone=local.key,
        check_in=await check_in(connection, who, now, local),
        shifts=[_own(each, persons, local) for each in own],
        swaps=[swap_view(row, persons, who) for row in concerned.values()],
        absences=[absence_view(row, persons, who, plans=False) for row in absences],
    )


async def check_in(connection: Connection, who: Who, now: datetime, local: ZoneInfo) -> list[schemas.CheckInView]:
    """Where one has to check in, and whether one has."""
    there = await checking.where(connection, who.person_id, now, local)
    by_id = {row["id"]: row for row in await zones.named(connection, [each.zone_id for each in there])}
    return [
        schemas.CheckInView(
            zone=named(by_id[each.zone_id]), presence=each.presence, since=each.since, due_at=each.due_at
        )
        for each in there
    ]


async def own_shifts(
    connection: Connection, person_id: int, places: Sequence[Row], since: datetime, until: datetime, local: ZoneInfo
) -> list[Own]:
    """Somebody's shifts from a time until another, those that have begun too, in order. ``places``: where they serve."""
    found: list[Own] = []
    for zone in places:
        roster_ = await people.roster(connection, zone["id"], since, until)
        duties: dict[Duty, None] = {}
        for span in serving_spans(roster_, zone["role"], since, until, local):
            own = (each for each in span.duties if each.person_id == person_id)
            duties |= {each: None for each in own if each.nearness == 0 or not zone["below"]}
        found += [Own(zone, each) for each in duties]
    return sorted(found, key=lambda each: (each.duty.begins, each.zone["id"]))


def _once(rows: Iterable[Row]) -> list[Row]:
    return list({row["id"]: row for row in rows}.values())


def _own(each: Own, persons: Persons, local: ZoneInfo) -> schemas.OwnShift:
    return schemas.OwnShift(
        zone=named(each.zone),
        role=each.zone["role"],
        begins=each.duty.begins.astimezone(local),
        ends=each.duty.ends.astimezone(local),
        why=each.duty.why,
        instead_of=ref_of(each.duty.instead_of, persons),
    )


# Views ----------------------------------------------------------------------------------------------------------------


def named(zone: Row) -> schemas.Named:
    return schemas.Named(id=zone["uid"], name=zone["name"])


def ref(person: Person) -> schemas.PersonRef:
    return schemas.PersonRef(id=person.uid, name=person.name)


def ref_of(person_id: int | None, persons: Persons) -> schemas.PersonRef | None:
    return ref(persons[person_id]) if person_id is not None and person_id in persons else None


def mentioned(duties: Iterable[Duty]) -> set[int]:
    """Whom duties name."""
    return {person for each in duties for person in (each.person_id, each.instead_of) if person is not None}


PERSONS = ("leaves_id", "comes_id", "asks_id", "gives_id", "person_id", "cover_id")


async def _named(connection: Connection, rows: Sequence[Row], also: Iterable[int] = ()) -> dict[int, Person]:
    single = {row[name] for row in rows for name in PERSONS if row.get(name) is not None}
    several = {person for row in rows for person in row.get("persons", ())}
    return await people.names(connection, sorted(single | several | set(also)))


async def shown(connection: Connection, row: Row) -> dict[int, Person]:
    """Whom a row names."""
    return await _named(connection, [row])


def _serves(each: Duty, persons: Persons) -> schemas.Serves:
    person = persons[each.person_id]
    return schemas.Serves(id=person.uid, name=person.name, why=each.why, instead_of=ref_of(each.instead_of, persons))


def shift_view(row: Row) -> schemas.ShiftView:
    same = ("version", "role", "weekday", "weeks", "week", "anchor", "position", "from_date", "to_date")
    return schemas.ShiftView(
        id=row["uid"],
        person=schemas.PersonRef(id=row["person_uid"], name=row["name"]),
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        on_days=list(row["on_days"] or ()),
        start=row["start_time"],
        end=row["end_time"],
        **{name: row[name] for name in same},
    )


def rotation_view(row: Row, persons: Persons) -> schemas.RotationView:
    same = ("version", "name", "role", "first_day", "hand_over", "turn_days", "weekdays", "position", "to_date")
    return schemas.RotationView(
        id=row["uid"],
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        persons=[ref(persons[each]) for each in row["persons"] if each in persons],
        start=row["start_time"],
        end=row["end_time"],
        **{name: row[name] for name in same},
    )


def override_view(row: Row, persons: Persons) -> schemas.OverrideView:
    return schemas.OverrideView(
        id=row["uid"],
        version=row["version"],
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        role=row["role"],
        leaves=ref_of(row["leaves_id"], persons),
        comes=ref_of(row["comes_id"], persons),
        begins=row["begins"],
        ends=row["ends"],
    )


def swap_view(row: Row, persons: Persons, who: Who) -> schemas.SwapView:
    return schemas.SwapView(
        id=row["uid"],
        version=row["version"],
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        role=row["role"],
        asks=ref(persons[row["asks_id"]]),
        other=ref(persons[row["gives_id"]]),
        mine=schemas.StretchView(begins=row["asks_begins"], ends=row["asks_ends"]),
        theirs=schemas.StretchView(begins=row["gives_begins"], ends=row["gives_ends"]),
        state=row["state"],
        answers=list(answers(row, who)),
    )


def answers(row: Row, who: Who) -> Iterator[Literal["accept", "decline", "withdraw"]]:
    """What somebody may answer to a swap: the other one, whoever asked, and those who plan, also once it is accepted."""
    if row["state"] == "proposed" and who.person_id == row["gives_id"]:
        yield "accept"
        yield "decline"
    asked = row["state"] == "proposed" and who.person_id in (row["asks_id"], row["created_by"])
    if asked or (row["state"] in ("proposed", "accepted") and plans_in(who, row["zone_id"])):
        yield "withdraw"


def absence_view(row: Row, persons: Persons, who: Who, *, plans: bool) -> schemas.AbsenceView:
    own = row["person_id"] == who.person_id
    return schemas.AbsenceView(
        id=row["uid"],
        version=row["version"],
        person=ref(persons[row["person_id"]]),
        begins=row["begins"],
        ends=row["ends"],
        cover=ref_of(row["cover_id"], persons),
        kind=row["kind"] if own or plans else None,
        may_change=own or plans,
    )
