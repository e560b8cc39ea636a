"""Observing: which devices there are, how each is, and what it said.

Who sees what was said
    A device's messages: leads, the response centre, technical services and administrators (``OVERSEERS``). They need them
    to find out what is wrong with it, and what set it off. All devices of a resident together tell how somebody lives:
    that is for leads, the response centre and administrators (``CARERS``), and not for technical services.
    Either way only what was said in a fitting whose dwelling is in a zone that they cover; what a device said while it was
    fitted nowhere belongs to its site's zone. A device that has been moved takes nothing along: the new zone does not see
    the old home, nor the old zone the new one; the device's page shows the fitting that it is in now.
    A message as it came is shown to those who mend devices (``TECHNICIANS``), where they cover the zone. It has neither
    secrets nor coordinates (``devices.redaction``, ``gateway.positions``), and neither have its fields.
    Whose life was looked into is in the audit as ``resident.observed``, once a day for each reader: by the resident, and by
    a device for whoever it is fitted for, or lives alone where it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from alerts.model import Track
from alerts.replay import Deaf
from alerts.rulebook import Rulebook
from alerts.words import said as words_of
from devices.kinds import kinds
from gateway import buckets, cursors, reading, ruling, silencelist
from gateway.access import CARERS, OVERSEERS, TECHNICIANS, Role, Who
from gateway.api import schemas
from gateway.errors import Invalid, NotFound
from gateway.store import audit, devicelist, devices, history, said, statistics, zones
from gateway.store.db import Connection
from gateway.store.devicelist import Known, Search
from gateway.store.said import Stretch, Wanted

MOST_ALERTS = 20
BY_DEFAULT = timedelta(days=30)
LONGEST = timedelta(days=366)
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
"""Nothing was received before."""
MOST_COUNTS = 20_000
"""Pairs of bucket and type in one answer."""
LONGEST_RAW = 4000
"""Characters of a message that are shown."""

Query = schemas.ObservationQuery | schemas.BucketQuery | schemas.CountedQuery


# Devices --------------------------------------------------------------------------------------------------------------


async def device_page(
    connection: Connection, who: Who, query: schemas.DeviceQuery, now: datetime
) -> schemas.DevicePage:
    """Devices in the zones that the reader covers. NotAllowed for care staff on the road."""
    asked, limit = _search(who, query, now), query.limit
    after = await cursors.row(query.cursor, lambda uid: shown(connection, who, uid, OVERSEERS, now))
    rows = await devicelist.search(connection, asked, _known(who), now, after, limit + 1)
    await ruling.note_residents(connection, who, [row["resident_id"] for row in rows[:limit]], now)
    following = str(rows[limit - 1]["uid"]) if len(rows) > limit else None
    return schemas.DevicePage(devices=[item(row) for row in rows[:limit]], next_cursor=following)


async def device_count(
    connection: Connection, who: Who, query: schemas.DeviceQuery, now: datetime
) -> schemas.DeviceCount:
    """How many of a kind and zone are silent or need somebody, whatever else is searched for."""
    silent, attention = await devicelist.silent(connection, _search(who, query, now), _known(who), now)
    return schemas.DeviceCount(silent=silent, attention=attention)


async def zones_of(connection: Connection, who: Who) -> list[schemas.Named]:
    """The zones whose devices the reader looks after, by name."""
    who.require(OVERSEERS)
    return [
        schemas.Named(id=row["uid"], name=row["name"]) for row in await zones.named(connection, who.zones_as(OVERSEERS))
    ]


async def device_detail(
    connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook
) -> schemas.DeviceDetail:
    """A device with its alerts and rules. NotFound when there is none that the reader may see."""
    who.require(OVERSEERS)
    row = await shown(connection, who, uid, OVERSEERS, now)
    if row is None:
        raise NotFound("device", "there is no such device, or it is not in a zone of yours")
    (subject,) = await devices.subjects_at(connection, [(row["id"], now)])
    await ruling.note_residents(connection, who, [subject.resident_id], now)
    return schemas.DeviceDetail(
        **item(row).model_dump(),
        fitted_since=row["fitted_since"],
        heard_until=row["heard_until"],
        alerts=await reading.alerts_of_device(connection, who, row["id"], MOST_ALERTS, now),
        rules=await ruling.applied(connection, who, row["kind"], subject, book),
        silences=await silencelist.about(connection, who, subject, now, book),
        may_change=any(ruling.may_set(who, track, row["zone_id"]) for track in Track),
    )


def _search(who: Who, query: schemas.DeviceQuery, now: datetime) -> Search:
    who.require(OVERSEERS)
    if query.kind is not None:
        ruling.kind_of(query.kind)
    silent = query.silent_longer_than
    return Search(
        zones=who.zones_as(OVERSEERS),
        text=query.q.strip(),
        unheard_since=now - timedelta(seconds=silent) if silent is not None else None,
        **query.model_dump(exclude={"q", "silent_longer_than", "cursor", "limit"}),
    )


async def shown(
    connection: Connection, who: Who, uid: UUID, roles: frozenset[Role], now: datetime
) -> dict[str, Any] | None:
    """A device as it is fitted now, where they have one of these roles."""
    return await devicelist.shown(connection, uid, who.zones_as(roles), _known(who), now)


def _known(who: Who) -> Known:
    return Known(who.sight, {name: kind.silent_after.total_seconds() for name, kind in kinds().items()})


def item(row: Mapping[str, Any]) -> schemas.DeviceItem:
    resident = schemas.Named(id=row["resident_uid"], name=row["resident"]) if row["resident_uid"] else None
    same = ("kind", "address", "model", "site", "registered", "dwelling", "placed", "last_seen", "online", "state")
    how = ("quiet_since", "silent_at", "silent", "open_alerts", "severity", "silenced_until")
    return schemas.DeviceItem(
        id=row["uid"],
        zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
        resident=resident,
        silent_after_seconds=int(row["contract"]),
        **{name: row[name] for name in (*same, *how)},
    )


# What was said --------------------------------------------------------------------------------------------------------


async def observations(
    connection: Connection,
    who: Who,
    query: schemas.ObservationQuery,
    now: datetime,
) -> schemas.ObservationPage:
    """A page of what was said. NotFound when there is no such device or resident that the reader may see."""
    wanted, limit = _wanted(query, now), query.limit
    await said.limit_time(connection)
    _, of = await _whose(connection, who, query, now)
    rows = await said.listed(connection, of, wanted, query.order, cursors.spot(query.cursor), limit + 1)
    await _note_told(connection, who, query, of, rows[:limit], now)
    may = frozenset(who.zones_as(TECHNICIANS)) if query.raw else frozenset()
    following = cursors.behind(rows[limit - 1]) if len(rows) > limit else None
    items = [_view(row, who.language, raw=row["zone_id"] in may) for row in rows[:limit]]
    return schemas.ObservationPage(since=wanted.since, until=wanted.until, items=items, next_cursor=following)


async def bucket_list(
    connection: Connection, who: Who, query: schemas.BucketQuery, now: datetime, local: tzinfo
) -> schemas.BucketList:
    """What was said, by buckets. NotFound when there is no such device or resident that the reader may see."""
    asked = _wanted(query, now)
    edges = buckets.edges(asked.since, asked.until, buckets.width(query.bucket), local)
    wanted = Wanted(edges[0], edges[-1], asked.types, asked.message_class)
    await said.limit_time(connection)
    device, of = await _whose(connection, who, query, now)
    counts = await said.counted(connection, of, wanted, edges, MOST_COUNTS + 1)
    if len(counts) > MOST_COUNTS:
        raise Invalid("too_much", "there are too many types in too many buckets", "ask for wider buckets or some types")
    values = {
        name: await said.measured(connection, of, wanted, edges, _storable(name))
        for name in dict.fromkeys(query.fields)
    }
    await _note_told(connection, who, query, of, [], now, wanted)
    deaf, silent = await _unheard(connection, device, of, wanted, now) if device is not None else ((), ())
    told = {row["type"] for row in counts}
    kind = await _kind(connection, device)
    return schemas.BucketList(
        since=edges[0],
        until=edges[-1],
        buckets=_buckets(edges, counts, values),
        texts={each: words_of(each, kind, who.language) for each in sorted(told)},
        deaf=[schemas.Period(since=each.since, until=each.until) for each in deaf],
        silent=[schemas.Period(since=each.since, until=each.until) for each in silent],
    )


async def counted_list(
    connection: Connection, who: Who, query: schemas.CountedQuery, now: datetime
) -> schemas.CountedList:
    """How often what was said, as it was counted. NotFound when there is no such device or resident that the reader may see."""
    wanted = _wanted(query, now)
    await said.limit_time(connection)
    device, of = await _whose(connection, who, query, now)
    rows = await statistics.counted(connection, of, wanted, query.step, MOST_COUNTS + 1)
    if len(rows) > MOST_COUNTS:
        raise Invalid("too_much", "there are too many types in too many hours", "ask for days, or for some types")
    health = await statistics.health(connection, of, wanted, query.step) if device is not None else []
    await _note_told(connection, who, query, of, [], now, wanted)
    found: dict[datetime, dict[str, Any]] = {
        row["begin"]: {"begin": row["begin"], "types": {}} for row in (*rows, *health)
    }
    for row in rows:
        found[row["begin"]]["types"][row["type"]] = row["count"]
    for row in health:
        found[row["begin"]]["health"] = row
    kind = await _kind(connection, device)
    return schemas.CountedList(
        since=wanted.since,
        until=wanted.until,
        counted_until=await statistics.counted_until(connection, f"activity_{statistics.TABLES[query.step]}"),
        lines=[schemas.Counted.model_validate(found[begin]) for begin in sorted(found)],
        texts={each: words_of(each, kind, who.language) for each in sorted({row["type"] for row in rows})},
    )


async def _whose(connection: Connection, who: Who, query: Query, now: datetime) -> tuple[int | None, list[Stretch]]:
    """The device's inner id, if it is about one, and what of it the reader may see."""
    if query.resident is not None:
        resident = await said.resident_in(connection, query.resident, who.zones_as(CARERS))
        if resident is None:
            raise NotFound("resident", "there is no such resident, or they are not in a zone of yours")
        return None, resident[1]
    assert query.device is not None
    device = await said.device_in(connection, query.device, who.zones_as(OVERSEERS))
    if device is None or not device[1]:
        raise NotFound("device", "there is no such device, or it is not in a zone of yours")
    if query.fitted == "all":
        return device
    fitted = await said.fitted_now(connection, device[0], now)
    return device[0], [each for each in device[1] if each.installation_id == fitted]


def _wanted(query: Query, now: datetime) -> Wanted:
    until = min(max(query.until or now, FIRST), now)
    since = max(query.since, FIRST) if query.since else max(until - BY_DEFAULT, FIRST)
    if since > until or (query.until and query.since and query.since >= query.until):
        raise Invalid("range", "since is not before until, or has not come yet", "ask for a time that has passed")
    if until - since > LONGEST:
        days = (until - since).days
        raise Invalid("range", f"that is {days} days", f"ask for at most {LONGEST.days} days at a time")
    types = [_storable(each) for each in query.types]
    return Wanted(since, until + timedelta(microseconds=1) if until == now else until, types, query.message_class)


def _storable(text: str) -> str:
    """U+0000 is in nothing that is stored, and the database does not take it."""
    return text.replace("\x00", "\ufffd")


async def _note_told(
    connection: Connection,
    who: Who,
    query: Query,
    of: Sequence[Stretch],
    rows: Iterable[Mapping[str, Any]],
    now: datetime,
    counted: Wanted | None = None,
) -> None:
    """Whose life was looked into: those that the devices are fitted for, and whoever lives alone where they are, or lived
    there in the time that was ``counted``."""
    residents = {each.resident_id for each in of if each.resident_id is not None}
    if counted is not None and query.device is not None:
        fittings = [each.installation_id for each in of if each.installation_id is not None]
        residents |= set(await said.lived_alone(connection, fittings, counted.since, counted.until))
    moments = {(row["device_id"], row["occurred_at"]) for row in rows if query.device is not None}
    moments |= {(each.device_id, now) for each in of if query.device is not None}
    seen = {each.installation_id for each in of}
    subjects = await devices.subjects_at(connection, sorted(moments)) if moments else []
    residents |= {each.resident_id for each in subjects if each.resident_id and each.installation_id in seen}
    if residents:
        await audit.note_shown(connection, now, who.person_id, sorted(residents), "resident.observed")


def _view(row: Mapping[str, Any], language: str, *, raw: bool) -> schemas.ObservationView:
    delay = (row["received_at"] - row["occurred_at"]).total_seconds()
    same = ("fitting", "placed", "type", "message_class", "message_id", "occurred_at", "received_at", "flags", "fields")
    return schemas.ObservationView(
        id=cursors.behind(row),
        device=schemas.Named(id=row["device_uid"], name=row["address"]),
        device_kind=row["kind"],
        text=words_of(row["type"], row["kind"], language),
        late_seconds=max(0, int(delay)),
        raw=_text(bytes(row["raw"])) if raw and row["raw"] is not None else None,
        **{name: row[name] for name in same},
    )


def _text(raw: bytes) -> str:
    return raw[:LONGEST_RAW].decode("utf-8", "backslashreplace").replace("\x00", "\\x00")


def _buckets(
    edges: Sequence[datetime], counts: Iterable[Mapping[str, Any]], values: Mapping[str, Iterable[Mapping[str, Any]]]
) -> list[schemas.Bucket]:
    types: list[dict[str, int]] = [{} for _ in edges[1:]]
    for row in counts:
        types[row["bucket"]][row["type"]] = row["count"]
    measured: list[dict[str, schemas.Measured]] = [{} for _ in edges[1:]]
    for name, rows in values.items():
        for row in rows:
            numbers = {each: float(row[each]) for each in ("min", "avg", "max", "last")}
            measured[row["bucket"]][name] = schemas.Measured(count=row["count"], **numbers)
    return [
        schemas.Bucket(since=since, until=until, count=sum(types[at].values()), types=types[at], values=measured[at])
        for at, (since, until) in enumerate(itertools.pairwise(edges))
    ]


async def _kind(connection: Connection, device: int | None) -> str | None:
    found = await devices.contracts(connection, [device]) if device is not None else {}
    return found[device].kind if device is not None else None


# Silence ----------------------------------------------------------------------------------------------------------------


async def _unheard(
    connection: Connection, device: int, of: Sequence[Stretch], wanted: Wanted, now: datetime
) -> tuple[list[Deaf], list[Deaf]]:
    """When the device's site was deaf, and when the device itself was silent: in the fitting that it is in now, for what it
    said elsewhere is not to be seen here, not even that it said something."""
    (subject,) = await devices.subjects_at(connection, [(device, now)])
    contract = (await devices.contracts(connection, [device]))[device]
    kind = kinds().get(contract.kind)
    seconds = contract.silent_after_seconds or (kind.silent_after.total_seconds() if kind else 0)
    end = min(wanted.until, now)
    begin = wanted.since - timedelta(seconds=seconds)
    deaf = (await history.deaf(connection, [subject.site_id], begin, now)).get(subject.site_id, [])
    fitted = await said.fitted_since(connection, device, now)
    if not seconds or fitted is None or subject.installation_id not in {each.installation_id for each in of}:
        return _within(deaf, wanted.since, end), []
    begin = max(begin, fitted)
    heard = (await history.signs_of_life(connection, [(device, seconds)], begin)).get(device, [])
    gaps = silences([begin, *heard, now], timedelta(seconds=seconds), deaf)
    return _within(deaf, wanted.since, end), _within(gaps, wanted.since, end)


def silences(signs: Sequence[datetime], contract: timedelta, deaf: Sequence[Deaf]) -> list[Deaf]:
    """From which sign of life to the next it was longer than the contract, not counting the time in which nobody could
    have heard the device. ``signs``: in order, the last being the present."""
    return [
        Deaf(last, following)
        for last, following in itertools.pairwise(signs)
        if following - last > contract and following - last - _deaf_between(last, following, deaf) > contract
    ]


def _deaf_between(since: datetime, until: datetime, deaf: Sequence[Deaf]) -> timedelta:
    both = (min(each.until, until) - max(each.since, since) for each in deaf)
    return sum((each for each in both if each > timedelta()), timedelta())


def _within(periods: Iterable[Deaf], since: datetime, until: datetime) -> list[Deaf]:
    cut = (Deaf(max(each.since, since), min(each.until, until)) for each in periods)
    return [each for each in cut if each.since < each.until]
