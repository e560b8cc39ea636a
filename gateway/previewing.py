"""Previewing: what a rule would have raised over the last 30 days of what is stored, before it is set.

Three steps, so that no transaction stands open while a month is replayed: gather (read, with a limit), compare (pure, in a
thread: ``alerts.preview``), tell (names, and one line in the audit: it is a look at residents' data). Nothing else is
written.

Two days before the 30 are replayed too, so that what was going on when they begin is known; what they raise is not told.
Of what the site did not hear nothing is held against anybody. Signs of life that were sent twice, and nonsense that a
device said, are no part of what is stored; they may keep a device from being silent that the preview calls so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.model import Heard, Lateness, Severity, Subject
from alerts.preview import EDITED, Compared, compare, days, edited, per_day
from alerts.render import SEVERITIES, condition_text, translations
from alerts.replay import Deaf, Fitted, Lived, Planned, Story, Told
from alerts.rulebook import Rulebook
from alerts.rulecheck import default_of
from alerts.rules import Rule
from alerts.rules.compound import Compound
from alerts.rules.dose import Dose
from alerts.rules.rate import Rate
from alerts.rules.silence import Silence
from alerts.schedule import DosePlan
from devices.kinds import kinds
from devices.model import DeviceAddress, Flag, MessageClass, Observation
from gateway.access import RULERS, Who
from gateway.api import schemas
from gateway.errors import NotAllowed
from gateway.ruling import checked, kind_of, may_set, scope_for
from gateway.store import audit, history
from gateway.store.audit import Audited
from gateway.store.db import Connection
from gateway.store.history import Asked, Place
from gateway.store.rules import Scope

LOOKED_BACK = timedelta(days=30)
WARMING_UP = timedelta(days=2)
MOST_OBSERVATIONS = 200_000
SHOWN = 10
SHOWN_MOST = 5

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is compared. ``rows``: what was said, the newest first."""

    rule: Rule
    book: Rulebook
    scope: Scope
    zones: frozenset[int]
    since: datetime
    begins: datetime
    until: datetime
    rows: Sequence[Row]
    cut: bool
    fitted: Sequence[Fitted]
    planned: Sequence[Planned]
    deaf: Mapping[int, Sequence[Deaf]]
    lived: Mapping[str, Sequence[Lived]]


async def gather(
    connection: Connection,
    who: Who,
    request: schemas.RuleRequest,
    now: datetime,
    book: Rulebook,
    most: int = MOST_OBSERVATIONS,
) -> Gathered:
    """Read what is needed. The refusals of ``ruling.save``, but for who may set what: whoever may set rules may ask."""
    who.require(RULERS)
    kind = kind_of(request.kind)
    scope = await scope_for(connection, who, request.scope, kind)
    zone, resident, device = scope.columns
    rule = Rule(
        EDITED, 0, kind.name, await checked(connection, kind, request), RANKS[scope.name], zone, resident, device
    )
    _require_track(who, rule, scope)
    await history.limit_time(connection)
    zones = frozenset(each for each in who.zones_as(RULERS) if zone is None or zone in book.ancestry.get(each, ()))
    place = Place(kind.name, zones, resident, device)
    named = [each for each in edited(book, rule).rules[kind.name] if each.spec.name == rule.spec.name]
    rules = [*named, *(each for each in book.rules.get(kind.name, ()) if each.spec.name == rule.spec.name)]
    begins = now - LOOKED_BACK - _warming_up(rules)
    rows = await history.fittings(connection, place, begins, now)
    sites = {row["site_id"] for row in rows}
    first = await history.oldest(connection, sites, begins) or now
    asked = await _asked(connection, place, rules, rows, begins)
    said = [row async for row in history.said(connection, asked, begins, most + 1)]
    cut = len(said) > most
    begins = max(first, said[most - 1]["received_at"] if cut else first)
    fitted = await _fitted(connection, rows, rules, begins)
    return Gathered(
        rule=rule,
        book=book,
        scope=scope,
        zones=zones,
        since=max(begins, now - LOOKED_BACK),
        begins=begins,
        until=now,
        rows=said[:most],
        cut=cut,
        fitted=fitted,
        planned=await _planned(connection, fitted) if any(isinstance(each.spec, Dose) for each in rules) else (),
        deaf=await history.deaf(connection, sites, begins, now),
        lived=await history.lived(connection, sites, {each.spec.condition for each in rules}, begins),
    )


def _require_track(who: Who, rule: Rule, scope: Scope) -> None:
    """Who may not set such a rule may not read out of a home with it what it would tell."""
    tracks = {rule.spec.track, *(each.track for each in [default_of(kinds()[rule.kind], rule.spec.name)] if each)}
    zones = [scope.zone_id] if scope.zone_id is not None else sorted(who.zone_ids)
    for track in sorted(tracks):
        if not any(may_set(who, track, zone) for zone in zones):
            raise NotAllowed("track", f"you may not set {track} rules here", "ask somebody who may for the preview")


def replayed(gathered: Gathered) -> Compared:
    """Both replays. Takes seconds: for a thread."""
    return compare(_stories(gathered), gathered.book, gathered.rule, gathered.since)


async def tell(
    connection: Connection, who: Who, gathered: Gathered, compared: Compared, now: datetime
) -> schemas.Preview:
    """The answer, in the reader's language, and a line in the audit."""
    shown = _shown(compared)
    most = _most(compared)
    subjects = [each.first.subject for side in shown.values() for each in side] + [subject for subject, _, _ in most]
    names = await history.who_and_where(
        connection,
        {each.resident_id for each in subjects if each.resident_id is not None},
        {each.device_id for each in subjects if each.device_id is not None},
        {each.zone_id for each in subjects},
    )
    await audit.add(connection, now, (_audited(who, gathered, subjects),))
    teller = _Teller(names, who.language, gathered.rule.kind)
    before, after = per_day(compared.before, gathered.book), per_day(compared.after, gathered.book)
    every = days(gathered.since, gathered.until, gathered.book)
    return schemas.Preview(
        kind=gathered.rule.kind,
        name=gathered.rule.spec.name,
        since=gathered.since,
        until=gathered.until,
        observations=len(gathered.rows),
        devices=len({each.subject.device_id for each in gathered.fitted}),
        cut=gathered.cut,
        before=len(compared.before),
        after=len(compared.after),
        days=[schemas.PreviewDay(day=day, before=before.get(day, 0), after=after.get(day, 0)) for day in every],
        most=[teller.most(subject, *counts) for subject, *counts in most],
        only_before=len(compared.only_before),
        only_after=len(compared.only_after),
        crashed=list(compared.crashed),
        **{name: [teller.alert(each) for each in side] for name, side in shown.items()},
    )


# Gathering ------------------------------------------------------------------------------------------------------------

RANKS = {"kind": 0, "zone": 1, "resident": 2, "device": 3}


def _warming_up(rules: Iterable[Rule]) -> timedelta:
    """How long before the time that is told of the replay begins."""
    counted = [timedelta(days=each.spec.days) for each in rules if isinstance(each.spec, Rate)]
    return max([WARMING_UP, *counted])


async def _asked(
    connection: Connection, place: Place, rules: Sequence[Rule], fittings: Sequence[Row], since: datetime
) -> Asked:
    types = {type_ for rule in rules for type_ in rule.spec.hears()}
    compounds = [rule.spec for rule in rules if isinstance(rule.spec, Compound)]
    words = {word for each in compounds for word in (*each.asks(), *each.listens(place.kind))}
    homes = {row["dwelling_id"] for row in fittings}
    others = await history.living_with(connection, homes, since) if words else []
    own = {row["device_id"] for row in fittings} | set(await history.unfitted(connection, place))
    return Asked(own, types, others, words)


async def _fitted(connection: Connection, rows: Sequence[Row], rules: Sequence[Rule], since: datetime) -> list[Fitted]:
    contracts = {row["device_id"]: _contract(row) for row in rows}
    silent = any(isinstance(each.spec, Silence) for each in rules)
    seen = await history.signs_of_life(connection, sorted(contracts.items()), since) if silent else {}
    return [
        Fitted(
            kind=row["kind"],
            subject=_subject(row),
            silent_after_seconds=contracts[row["device_id"]],
            since=row["since"] or since,
            until=row["until"],
            seen=seen.get(row["device_id"], ()) if silent else None,
        )
        for row in rows
    ]


def _contract(row: Row) -> float:
    own = row["silent_after_seconds"]
    return float(own if own is not None else kinds()[row["kind"]].silent_after.total_seconds())


async def _planned(connection: Connection, fitted: Sequence[Fitted]) -> list[Planned]:
    by_id = {each.subject.installation_id: each for each in fitted}
    rows = await history.schedules(connection, [each for each in by_id if each is not None])
    return [
        Planned(
            row["id"],
            by_id[row["installation_id"]],
            DosePlan(row["local_time"], frozenset(row["weekdays"]), row["from_date"], row["to_date"]),
            row["grace_seconds"],
        )
        for row in rows
    ]


# Replaying ------------------------------------------------------------------------------------------------------------


def _stories(gathered: Gathered) -> list[Story]:
    """One a site; what it heard in the order in which it came."""
    heard: dict[int, list[Heard]] = {}
    for each in _heard(gathered):
        heard.setdefault(each.subject.site_id, []).append(each)
    fitted = [each for each in gathered.fitted if _concerned(each.subject, gathered)]
    sites = sorted({*heard, *(each.subject.site_id for each in fitted)})
    return [
        Story(
            heard.get(site, ()),
            gathered.begins,
            gathered.until,
            [each for each in fitted if each.subject.site_id == site],
            [
                each
                for each in gathered.planned
                if each.fitting.subject.site_id == site and _concerned(each.fitting.subject, gathered)
            ],
            gathered.deaf.get(site, ()),
            gathered.lived,
        )
        for site in sites
    ]


def _heard(gathered: Gathered) -> Iterator[Heard]:
    """What the rule's own devices said where it concerns them, and the words of others in their homes."""
    own = gathered.rule.kind
    for row in reversed(gathered.rows):
        said, subject = _observation(row), _subject(row)
        if said.kind != own or _concerned(subject, gathered):
            yield Heard(said, subject)
        yield from (each for each in _also_elsewhere(said, subject, gathered) if _concerned(each.subject, gathered))


def _also_elsewhere(said: Observation, subject: Subject, gathered: Gathered) -> Iterator[Heard]:
    """A late alarm of a device that was moved since is raised in both homes, as it is live."""
    late = Heard(said, subject)
    if not said.is_alarm or late.lateness is not Lateness.LATE or said.kind != gathered.rule.kind:
        return
    for each in gathered.fitted:
        there = each.subject
        here = each.since <= said.received_at and (each.until is None or said.received_at < each.until)
        if here and there.device_id == subject.device_id and there.installation_id != subject.installation_id:
            yield Heard(said, there)


def _concerned(subject: Subject, gathered: Gathered) -> bool:
    """Whether the rule would be set for this."""
    scope = gathered.scope
    if scope.name == "resident":
        return subject.resident_id == scope.id
    if scope.name == "device":
        return subject.device_id == scope.id
    return subject.zone_id in gathered.zones


def _observation(row: Row) -> Observation:
    return Observation(
        device=DeviceAddress(row["site"], row["ecosystem"], row["address"]),
        kind=row["kind"],
        message_class=MessageClass(row["message_class"]),
        type=row["type"],
        message_id=row["message_id"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        fields=row["fields"],
        raw=b"",
        content_hash=b"",
        flags=frozenset(Flag(each) for each in row["flags"]),
    )


def _subject(row: Row) -> Subject:
    return Subject(
        row["site_id"],
        row["zone_id"],
        row["device_id"],
        row["installation_id"],
        row["dwelling_id"],
        row["resident_id"],
    )


# Telling --------------------------------------------------------------------------------------------------------------


def _shown(compared: Compared) -> dict[str, list[Told]]:
    """The newest of each, the newest first."""
    sides = {
        "newest_before": compared.before,
        "newest_after": compared.after,
        "newest_only_before": compared.only_before,
        "newest_only_after": compared.only_after,
    }
    return {name: list(reversed(side[-SHOWN:])) for name, side in sides.items()}


def _most(compared: Compared) -> list[tuple[Subject, int, int]]:
    """The fittings that most of them are about."""
    before = Counter(each.first.subject for each in compared.before)
    after = Counter(each.first.subject for each in compared.after)
    ordered = sorted({*before, *after}, key=lambda each: (-max(before[each], after[each]), each.scope))
    return [(each, before[each], after[each]) for each in ordered[:SHOWN_MOST]]


def _audited(who: Who, gathered: Gathered, subjects: Iterable[Subject]) -> Audited:
    rule = gathered.rule
    scope = {name: value for name, value in zip(SCOPES, gathered.scope.columns, strict=True) if value is not None}
    residents = sorted({each.resident_id for each in subjects if each.resident_id is not None})
    told = {"kind": rule.kind, "name": rule.spec.name, **scope, "residents": residents}
    return Audited("rule.previewed", "rule", None, who.person_id, told)


SCOPES = ("zone_id", "resident_id", "device_id")


class _Teller:
    def __init__(self, names: Mapping[tuple[str, int], Row], language: str, kind: str) -> None:
        self._names = names
        self._language = language
        self._kind = kind

    def alert(self, told: Told) -> schemas.PreviewAlert:
        severity, subject = Severity(told.severity), told.first.subject
        return schemas.PreviewAlert(
            raised_at=told.raised_at,
            title=condition_text(told.first.condition, self._kind, self._language),
            severity=severity,
            severity_text=translations(self._language).gettext(SEVERITIES[severity]),
            times=told.times,
            **self._where(subject),
        )

    def most(self, subject: Subject, before: int, after: int) -> schemas.PreviewMost:
        return schemas.PreviewMost(before=before, after=after, **self._where(subject))

    def _where(self, subject: Subject) -> dict[str, Any]:
        zone = self._named("zone", subject.zone_id)
        return {
            "zone": zone.name if zone else "",
            "resident": self._named("resident", subject.resident_id),
            "device": self._named("device", subject.device_id),
        }

    def _named(self, what: str, id_: int | None) -> schemas.Named | None:
        row = self._names.get((what, id_)) if id_ is not None else None
        return schemas.Named(id=row["uid"], name=row["name"]) if row else None
