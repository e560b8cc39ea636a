"""Calendars of a roster: a planner's export brought in, and addresses that a phone subscribes to.

Rules
    An import is for a zone, a role, a source and a window. It replaces what the same source brought for that window, and nothing
    else. It is looked at first: what is added, moved and removed, and which attendees nobody is known by. Whose shifts those
    are, is left out and said; nothing is guessed.
    A feed's address holds a secret that is kept as its hash only. It shows what its owner may see when it is read: nothing more
    once they have no role there, or have revoked it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.render import MY_SHIFTS, ON_DUTY, translations
from alerts.schedule import local as local_time
from gateway import calendars, duties
from gateway.access import Who
from gateway.api import schemas
from gateway.calendars import Compared, Dated, Entry, Found, Read
from gateway.errors import Invalid, NotFound
from gateway.store import audit, checkins, outlook, people, rosterfeeds, rosters, tokens, zones
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection
from gateway.store.people import Person

BACK, AHEAD = timedelta(days=14), timedelta(days=84)
"""What a feed shows."""
MOST_FEEDS = 10
Row = Mapping[str, Any]


# In -------------------------------------------------------------------------------------------------------------------


def read(request: schemas.ImportRequest, local: ZoneInfo) -> Read:
    """What is in the calendar, which takes a while: not to be done where others wait. Invalid where it is none."""
    try:
        return calendars.read(request.calendar, request.since, request.until, local)
    except calendars.NoCalendar as wrong:
        raise Invalid("calendar", str(wrong), "export it as iCalendar (.ics) and send its whole text") from None


async def import_calendar(
    connection: Connection,
    who: Who,
    uid: UUID,
    request: schemas.ImportRequest,
    read: Read,
    now: datetime,
    local: ZoneInfo,
) -> schemas.ImportView:
    """What a calendar changes of a zone's roster; done, where that is asked for."""
    zone = await planned_zone(connection, who, uid)
    await rosters.lock_zone(connection, zone["id"])
    known = await _known(connection, zone, request, read.found, now)
    before = await _brought(connection, zone, request, local)

    wanted, unknown = _persons(read.found, known)
    compared = calendars.compare(before, wanted)

    if request.apply:
        await _apply(connection, who, zone, request, compared, now)
    persons = await people.names(connection, sorted({each.person_id for each in (*before, *wanted)}))
    return _view(compared, persons, sorted(unknown), read.unreadable, local, applied=request.apply)


async def planned_zone(connection: Connection, who: Who, uid: UUID) -> dict[str, Any]:
    """A zone whose roster the reader plans, else NotFound."""
    zone = await zones.find(connection, uid)
    if zone is None or not duties.plans_in(who, zone["id"]):
        raise NotFound("zone", "there is no such zone, or you do not plan its roster", "choose one that you lead")
    return zone


async def _known(
    connection: Connection, zone: Row, request: schemas.ImportRequest, found: Sequence[Found], now: datetime
) -> dict[str, int]:
    """Staff of the zone by what a calendar calls them, in small letters; what the planner says comes first."""
    at = max(now, local_midnight(request, now))
    there = await people.colleagues(connection, zone["id"], (request.role,), at, reachable=False)
    ids = {each.uid: each.id for each in there}
    names = {name for each in found for attendee in each.attendees for name in attendee}
    known = await rosterfeeds.persons_by_name(connection, names, sorted(ids.values()))
    strange = sorted(str(each) for each in request.people.values() if each not in ids)
    if strange:
        raise Invalid("people", f"no staff of this zone: {', '.join(strange)}", "choose some of its staff")
    return {**known, **{name.lower(): ids[each] for name, each in request.people.items()}}


def local_midnight(request: schemas.ImportRequest, now: datetime) -> datetime:
    """When the window begins, near enough to ask who works then."""
    return datetime.combine(request.since, time(12), tzinfo=now.tzinfo)


async def _brought(connection: Connection, zone: Row, request: schemas.ImportRequest, local: ZoneInfo) -> list[Dated]:
    since, until = (local_time(day, time(0), local) for day in (request.since, request.until))
    rows = await rosterfeeds.planned_by(connection, zone["id"], request.role, request.source, since, until)
    return [Dated(row["person_id"], row["begins"], row["ends"], row["event"], row["id"]) for row in rows]


def _persons(found: Sequence[Found], known: Mapping[str, int]) -> tuple[list[Dated], set[str]]:
    """A shift for each attendee whom we know, and what the others are called."""
    wanted, unknown = list[Dated](), set[str]()
    for each in found:
        for attendee in each.attendees:
            person = next((known[name.lower()] for name in attendee if name.lower() in known), None)
            if person is None:
                unknown.add(attendee[0])
            else:
                wanted.append(Dated(person, each.begins, each.ends, each.event))
    return wanted, unknown


async def _apply(
    connection: Connection,
    who: Who,
    zone: Row,
    request: schemas.ImportRequest,
    compared: Compared,
    now: datetime,
) -> None:
    gone = [each.id for each in (*compared.removed, *(was for was, _ in compared.moved)) if each.id is not None]
    fresh = [*compared.added, *(becomes for _, becomes in compared.moved)]
    await rosterfeeds.drop_planned(connection, gone)
    rows = [(each.person_id, each.begins, each.ends, each.event) for each in fresh]
    await rosterfeeds.plan(connection, zone["id"], request.role, request.source, rows)
    told = {
        "source": request.source,
        "added": len(compared.added),
        "moved": len(compared.moved),
        "removed": len(compared.removed),
    }
    await audit.add(connection, now, (Audited("roster.imported", "zone", zone["id"], who.person_id, told),))
    await checkins.look_again(connection, [zone["id"]], now)
    await outlook.look_at(connection, now)
    await audit.announce(connection, Changed(frozenset({zone["id"]})))


def _view(
    compared: Compared,
    persons: Mapping[int, Person],
    unknown: Sequence[str],
    unreadable: Sequence[str],
    local: ZoneInfo,
    *,
    applied: bool,
) -> schemas.ImportView:
    def shift(each: Dated, was: Dated | None = None) -> schemas.ImportedShift:
        begins, ends = each.begins.astimezone(local), each.ends.astimezone(local)
        before = (
            schemas.StretchView(begins=was.begins.astimezone(local), ends=was.ends.astimezone(local)) if was else None
        )
        return schemas.ImportedShift(begins=begins, ends=ends, person=duties.ref(persons[each.person_id]), was=before)

    return schemas.ImportView(
        applied=applied,
        added=[shift(each) for each in compared.added],
        moved=[shift(becomes, was) for was, becomes in compared.moved],
        removed=[shift(each) for each in compared.removed],
        kept=compared.kept,
        unknown=list(unknown),
        unreadable=list(unreadable),
    )


# Out ------------------------------------------------------------------------------------------------------------------


async def feeds(connection: Connection, who: Who) -> list[schemas.FeedView]:
    """One's own calendars; their addresses were shown when they were made."""
    return [_feed(row) for row in await rosterfeeds.feeds(connection, who.person_id)]


async def add_feed(connection: Connection, who: Who, request: schemas.FeedRequest, now: datetime) -> schemas.FeedView:
    """A new address. The oldest makes room for it."""
    zone = await duties.own_zone(connection, who, request.zone) if request.zone is not None else None
    await rosters.lock_person(connection, who.person_id)
    there = await rosterfeeds.feeds(connection, who.person_id)
    for row in there[: len(there) - MOST_FEEDS + 1] if len(there) >= MOST_FEEDS else ():
        await rosterfeeds.revoke_feed(connection, who.person_id, row["uid"], now)
    token = tokens.fresh()
    inner, uid = await rosters.add(
        connection,
        "roster_feed",
        {
            "token_hash": tokens.hashed(token),
            "person_id": who.person_id,
            "zone_id": zone["id"] if zone else None,
            "role": request.role,
            "created_at": now,
        },
    )
    await audit.add(connection, now, (Audited("feed.added", "feed", inner, who.person_id),))
    made = next(row for row in await rosterfeeds.feeds(connection, who.person_id) if row["uid"] == uid)
    return _feed(made).model_copy(update={"address": f"/calendar/{token}.ics"})


async def revoke_feed(connection: Connection, who: Who, uid: UUID, now: datetime) -> None:
    """Whoever has the address gets nothing more."""
    inner = await rosterfeeds.revoke_feed(connection, who.person_id, uid, now)
    if inner is None:
        raise NotFound("feed", "there is no such calendar, or it is not yours")
    await audit.add(connection, now, (Audited("feed.revoked", "feed", inner, who.person_id),))


async def calendar(connection: Connection, token: str, now: datetime, local: ZoneInfo) -> str:
    """What an address shows. NotFound for one that never was, is revoked, or whose owner may not see it any more."""
    row = await rosterfeeds.feed_by(connection, tokens.hashed(token))
    if row is None:
        raise NotFound("feed", "there is no such calendar, or it is revoked")
    since, until = now - BACK, now + AHEAD
    gettext = translations(row["language"]).gettext
    if row["zone_id"] is None:
        places = await checkins.zones_served(connection, row["person_id"], now)
        own = await duties.own_shifts(connection, row["person_id"], places, since, until, local)
        person = (row["person"], str(row["person_uid"]))
        entries = [
            Entry(
                _uid(row["person_uid"], each.zone["uid"], each.duty.begins),
                each.duty.begins,
                each.duty.ends,
                gettext(ON_DUTY).format(zone=each.zone["name"]),
                person,
            )
            for each in own
        ]
        return calendars.write(gettext(MY_SHIFTS), entries, now)
    reach = await people.reach(connection, row["person_id"], now)
    if row["zone_id"] not in reach.zones:
        raise NotFound("feed", "there is no such calendar, or it is revoked")
    return calendars.write(row["zone"], await _zone_entries(connection, row, since, until, local), now)


async def _zone_entries(
    connection: Connection, row: Row, since: datetime, until: datetime, local: ZoneInfo
) -> list[Entry]:
    found = await people.roster(connection, row["zone_id"], since, until)
    every = {
        each: None for span in duties.serving_spans(found, row["role"], since, until, local) for each in span.duties
    }
    persons = await people.names(connection, sorted({each.person_id for each in every}))
    return [
        Entry(
            _uid(persons[each.person_id].uid, row["zone_uid"], each.begins),
            each.begins,
            each.ends,
            persons[each.person_id].name,
            (persons[each.person_id].name, str(persons[each.person_id].uid)),
        )
        for each in sorted(every, key=lambda each: (each.begins, each.position, each.person_id))
    ]


def _uid(person: object, zone: object, begins: datetime) -> str:
    return f"{person}.{zone}.{begins:%Y%m%dT%H%MZ}@hjemmevakt"


def _feed(row: Row) -> schemas.FeedView:
    zone = schemas.Named(id=row["zone_uid"], name=row["zone"]) if row["zone_id"] is not None else None
    return schemas.FeedView(id=row["uid"], zone=zone, role=row["role"], since=row["created_at"])
