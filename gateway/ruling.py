"""Ruling: rules that people see and set – for a zone, a resident or a device; those of a whole kind come with the program.

Who may set one
    Care rules: leads and administrators. Technical ones: technical services and administrators. Each where the zone, the
    resident's home or the device is in a zone that they cover. What is critical care by default (a fall, a fire) may be
    switched off, lowered or narrowed by administrators only. Everybody with a role may look.

A rule is set against the version that was looked at. What waits follows in the same transaction; the audit says who set
which version for what, and never what is written in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.describe import describe
from alerts.model import Subject, Track
from alerts.rulebook import Rulebook
from alerts.rulecheck import check, default_of, weakens
from alerts.rules import Rule, RuleType, concerning, parse_rule, rule_types
from devices.kinds import Kind, kinds
from gateway.access import RULERS, Role, Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, InvalidFields, NotAllowed, NotFound
from gateway.store import audit, devices, people, rules, zones
from gateway.store.audit import Audited
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.rules import Scope

MAY_SET: Mapping[Track, frozenset[str]] = {
    Track.CARE: frozenset({Role.LEAD, Role.ADMIN}),
    Track.TECHNICAL: frozenset({Role.TECHNICAL, Role.ADMIN}),
}
Persons = Mapping[int, Person]


def may_set(who: Who, track: Track, zone_id: int | None) -> bool:
    """Whether somebody may set rules of a track for what is in a zone."""
    return zone_id is not None and bool(who.roles_in.get(zone_id, frozenset()) & MAY_SET[track])


def kind_of(name: str) -> Kind:
    """NotFound for a kind that this release does not know."""
    if name not in kinds():
        raise NotFound("kind", f"there is no kind of device {name!r:.80}", f"one of: {', '.join(sorted(kinds()))}")
    return kinds()[name]


# Looking --------------------------------------------------------------------------------------------------------------


async def rule_list(
    connection: Connection, who: Who, kind: str | None, now: datetime, book: Rulebook
) -> schemas.RuleList:
    """The rules in force that the reader may see, of a kind or of all."""
    wanted = [kind_of(kind).name] if kind is not None else sorted(kinds())
    rows = [row for row in await rules.listed(connection, wanted) if _sees(row, who, book)]
    await note_residents(connection, who, [row["resident_id"] for row in rows], now)
    persons = await _persons(connection, rows)
    return schemas.RuleList(rules=[_view(row, persons, who) for row in rows])


async def rule_detail(connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook) -> schemas.RuleDetail:
    """A rule with its versions. NotFound when there is none that the reader may see."""
    row = await _found(connection, who, uid, book)
    versions = await rules.versions(connection, row["id"])
    await note_residents(connection, who, [row["resident_id"]], now)
    persons = await _persons(connection, [row, *versions])
    told = [_version(each, row["kind"], persons, who.language) for each in versions]
    return schemas.RuleDetail(**_view(row, persons, who).model_dump(), versions=told)


def types() -> list[schemas.RuleType]:
    """Every type of rule with the JSON Schema of its data."""
    return [
        schemas.RuleType(type=name, schema_=each.model_json_schema()) for name, each in sorted(rule_types().items())
    ]


async def draft(
    connection: Connection,
    who: Who,
    kind: str,
    name: str,
    asked: schemas.ScopeRequest,
    book: Rulebook,
    now: datetime,
) -> schemas.RuleDraft:
    """What the form to set a rule begins with. NotFound for what there is not, NotAllowed where nothing may be set."""
    who.require(RULERS)
    there = [
        row for row in await rules.set_for(connection, kind, name) if row["scope"] == "kind" or _sees(row, who, book)
    ]
    scope = await scope_for(connection, who, asked, kind_of(kind))
    subject, around = await _about(connection, scope, book, now)
    applying = _nearest(there, subject, scope, around)
    named = subject.resident_id if subject else scope.id if scope.name == "resident" else None
    await note_residents(connection, who, [named], now)
    if applying is None:
        raise NotFound("rule", f"there is no rule {name!r:.80} for this", "choose one from the list of rules")
    track = Track(applying["spec"].get("track", Track.CARE))
    options = await _options(connection, who, scope, subject, track, book)
    if not options:
        raise NotAllowed("zone", "you may not set this rule here", "ask a lead or an administrator of the zone")
    in_force = {(row["scope"], row["scope_uid"]): row["version"] for row in there if not row["withdrawn"]}
    chosen = next((each for each in options if each.uid == scope.uid), options[-1])
    return schemas.RuleDraft(
        kind=kind,
        name=name,
        spec=applying["spec"],
        applies=_scope(applying),
        chosen=_as_scope(chosen),
        scopes=[
            schemas.ScopeOption(scope=_as_scope(each), version=in_force.get((each.name, each.uid), 0))
            for each in options
        ],
    )


# Setting --------------------------------------------------------------------------------------------------------------


async def save(connection: Connection, who: Who, request: schemas.RuleRequest, now: datetime) -> schemas.RuleView:
    """Set a rule. NotFound, NotAllowed, InvalidFields (field by field) or Conflict when it cannot be."""
    who.require(RULERS)
    kind = kind_of(request.kind)
    scope = await scope_for(connection, who, request.scope, kind)
    if scope.name == "kind":
        raise NotAllowed(
            "kind_wide", "rules for a whole kind come with the program", "set it for your topmost zone instead"
        )
    spec = await checked(connection, kind, request)
    there = await rules.set_for(connection, kind.name, spec.name)
    _require_right(who, kind, spec, scope, [each for row in there if (each := _readable(row["spec"])) is not None])
    rule_id = await rules.save(connection, kind.name, spec, scope, request.version, who.person_id, now)
    if rule_id is None:
        raise Conflict("stale", "somebody else has changed this rule since you looked at it", "look again, then save")
    row = (await rules.by_ids(connection, [rule_id]))[rule_id]
    await audit.add(connection, now, (_audited("rule.set", who, row),))
    return _view(row, await _persons(connection, [row]), who)


async def withdraw(
    connection: Connection, who: Who, uid: UUID, version: int, now: datetime, book: Rulebook
) -> schemas.RuleView:
    """The next nearest rule of its name applies again. NotFound, NotAllowed or Conflict when it cannot be."""
    who.require(RULERS)
    row = await _found(connection, who, uid, book)
    if row["scope"] == "kind":
        raise NotAllowed(
            "kind_wide", "rules for a whole kind come with the program", "switch it off for a zone instead"
        )
    if not _may_change(row, who):
        raise NotAllowed("zone", "you may not change this rule", "ask a lead or an administrator of the zone")
    await _require_no_weaker(connection, who, row)
    if not await rules.withdraw(connection, row["id"], version, who.person_id, now):
        raise Conflict("stale", "somebody else has changed this rule since you looked at it", "look again")
    row = (await rules.by_ids(connection, [row["id"]]))[row["id"]]
    await audit.add(connection, now, (_audited("rule.withdrawn", who, row),))
    return _view(row, await _persons(connection, [row]), who)


async def _require_no_weaker(connection: Connection, who: Who, row: Mapping[str, Any]) -> None:
    """Critical care is not let down by taking away what holds it up: what would apply then may be weaker."""
    kind = kinds()[row["kind"]]
    others = [each for each in await rules.set_for(connection, kind.name, row["name"]) if each["id"] != row["id"]]
    weaker = any(
        weakens(kind, spec)
        for each in others
        if each["scope"] in ("zone", "resident") and not each["withdrawn"] and (spec := _readable(each["spec"]))
    )
    if weaker and not may_weaken(who, row["where_zone_id"]):
        raise NotAllowed(
            "critical",
            "this is critical care, and what would hold instead may raise less: only an administrator may withdraw it",
            "ask an administrator, or leave it as it is",
        )


async def checked(connection: Connection, kind: Kind, request: schemas.RuleRequest) -> RuleType:
    """The rule that is asked for. InvalidFields says what is wrong with it."""
    name = str(request.spec.get("name", ""))[:64].replace("\x00", "")
    there = await rules.set_for(connection, kind.name, name)
    known = [spec for row in there if (spec := _readable(row["spec"])) is not None]
    found = check(kind, request.spec, known)
    if found.spec is None:
        told = "; ".join(f"{each.field}: {each.what} ({each.mend})" for each in found.wrong)
        raise InvalidFields("rule", told, "mend these fields and send it again", [asdict(each) for each in found.wrong])
    return found.spec


async def scope_for(connection: Connection, who: Who, asked: schemas.ScopeRequest, kind: Kind) -> Scope:
    """What is named. NotFound where there is none that the reader covers, NotAllowed for a zone of others, Invalid for a
    device of another kind."""
    if asked.named is None:
        return Scope()
    name, uid = asked.named
    scope = await rules.scope_of(connection, name, uid)
    covered = scope is not None and scope.zone_id in who.zones_as(RULERS)
    if scope is None or (name != "zone" and not covered):
        raise NotFound("scope", f"there is no such {name}, or it is not in a zone of yours", "choose one of yours")
    if not covered:
        raise NotAllowed("zone", "you do not cover this zone", "choose a zone of yours")
    if scope.kind not in (None, kind.name):
        raise Invalid("scope", f"this device is a {scope.kind}, not a {kind.name}", "choose a rule of its own kind")
    return scope


def _require_right(who: Who, kind: Kind, spec: RuleType, scope: Scope, there: Sequence[RuleType]) -> None:
    """For the track that it is to be of, and for those of every rule of its name, which it may hide."""
    default = default_of(kind, spec.name)
    tracks = {spec.track, *(each.track for each in there), *([default.track] if default else [])}
    for track in sorted(tracks):
        if not may_set(who, track, scope.zone_id):
            needed = ", ".join(sorted(MAY_SET[track]))
            raise NotAllowed("track", f"{track} rules are set by: {needed}", "ask one of them in this zone")
    if weakens(kind, spec) and not may_weaken(who, scope.zone_id):
        raise NotAllowed(
            "critical",
            "this is critical care: only an administrator may switch it off, lower it or let it raise less",
            "ask an administrator, or leave it as it is",
        )


def may_weaken(who: Who, zone_id: int | None) -> bool:
    """Whether somebody may let critical care be raised less."""
    return zone_id is not None and Role.ADMIN in who.roles_in.get(zone_id, frozenset())


def _audited(action: str, who: Who, row: Mapping[str, Any]) -> Audited:
    scope = {name: row[name] for name in ("zone_id", "resident_id", "device_id") if row[name] is not None}
    told = {"kind": row["kind"], "name": row["name"], "version": row["version"], **scope}
    return Audited(action, "rule", row["id"], who.person_id, told)


# Parts ----------------------------------------------------------------------------------------------------------------


async def _found(connection: Connection, who: Who, uid: UUID, book: Rulebook) -> dict[str, Any]:
    row = await rules.shown(connection, uid)
    if row is None or not _sees(row, who, book):
        raise NotFound("rule", "there is no such rule, or it is not yours to see")
    return row


def _sees(row: Mapping[str, Any], who: Who, book: Rulebook) -> bool:
    """Rules of a kind and of zones around ones own everybody sees; a resident's and a device's are for their zone."""
    where = row["where_zone_id"]
    if row["scope"] == "kind" or where in who.zone_ids:
        return True
    return row["scope"] == "zone" and any(where in book.ancestry.get(each, ()) for each in who.zone_ids)


def _may_change(row: Mapping[str, Any], who: Who) -> bool:
    spec = _readable(row["spec"])
    kind = kinds().get(row["kind"])
    if row["scope"] == "kind" or kind is None or row["withdrawn"]:
        return False
    default = default_of(kind, row["name"])
    tracks = {each.track for each in (spec, default) if each is not None} or set(Track)
    return all(may_set(who, track, row["where_zone_id"]) for track in tracks)


async def applied(
    connection: Connection, who: Who, kind: str, subject: Subject, book: Rulebook
) -> list[schemas.AppliedRule]:
    """Of each name the rule that applies, switched off or not, with those that it hides."""
    zones_around = book.ancestry.get(subject.zone_id, ())
    by_name: dict[str, list[Rule]] = {}
    for rule in concerning(book.rules.get(kind, ()), kind, subject, zones_around):
        by_name.setdefault(rule.spec.name, []).append(rule)
    rows = await rules.by_ids(connection, {rule.id for each in by_name.values() for rule in each})
    persons = await _persons(connection, rows.values())
    return [
        schemas.AppliedRule(
            rule=_view(rows[nearest.id], persons, who), hides=[_scope(rows[each.id]) for each in reversed(hidden)]
        )
        for _, (*hidden, nearest) in sorted(by_name.items())
        if nearest.id in rows
    ]


async def _about(
    connection: Connection, scope: Scope, book: Rulebook, now: datetime
) -> tuple[Subject | None, Sequence[int]]:
    """Where a scope is, and the zones around it from the inside out."""
    around = book.ancestry.get(scope.zone_id or 0, ())
    if scope.name != "device" or scope.id is None:
        return None, around
    (subject,) = await devices.subjects_at(connection, [(scope.id, now)])
    return subject, around


def _nearest(
    there: Iterable[Mapping[str, Any]], subject: Subject | None, scope: Scope, around: Sequence[int]
) -> Mapping[str, Any] | None:
    """The row that applies to a scope now."""
    resident = subject.resident_id if subject else scope.id if scope.name == "resident" else None
    device = scope.id if scope.name == "device" else None
    ranks: list[tuple[int, int, Mapping[str, Any]]] = []
    for row in there:
        if row["withdrawn"] or _readable(row["spec"]) is None:
            continue
        if row["scope"] == "kind":
            ranks.append((0, 0, row))
        elif row["scope"] == "zone" and row["zone_id"] in around:
            ranks.append((1, -around.index(row["zone_id"]), row))
        elif row["scope"] == "resident" and row["resident_id"] == resident:
            ranks.append((2, 0, row))
        elif row["scope"] == "device" and row["device_id"] == device:
            ranks.append((3, 0, row))
    return max(ranks, key=lambda each: each[:2])[2] if ranks else None


async def _options(
    connection: Connection, who: Who, scope: Scope, subject: Subject | None, track: Track, book: Rulebook
) -> list[Scope]:
    """What a rule can be set for, from here outwards: this device, its resident, the zones around; or all zones of theirs."""
    near = [scope] if scope.name in ("device", "resident") else []
    if subject is not None and subject.resident_id is not None:
        (resident,) = await rules.residents(connection, [subject.resident_id])
        near.append(Scope("resident", resident["id"], resident["uid"], resident["name"], scope.zone_id))
    around = book.ancestry.get(scope.zone_id or 0) or tuple(book.ancestry)
    named = {row["id"]: row for row in await zones.named(connection, around)}
    ordered = (
        [each for each in around if each in named]
        if scope.zone_id
        else sorted(named, key=lambda each: -len(book.ancestry[each]))
    )
    near += [Scope("zone", each, named[each]["uid"], named[each]["name"], each) for each in ordered]
    return [each for each in near if may_set(who, track, each.zone_id)]


async def note_residents(connection: Connection, who: Who, residents: Iterable[int | None], now: datetime) -> None:
    """Rules and devices of residents were shown to somebody."""
    shown = sorted({each for each in residents if each is not None})
    if shown:
        await audit.note_shown(connection, now, who.person_id, shown)


async def _persons(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> Persons:
    return await people.names(connection, sorted({row["created_by"] for row in rows} - {None}))


def _readable(data: Mapping[str, Any]) -> RuleType | None:
    try:
        return parse_rule(data)
    except ValueError:
        return None


def _words(data: Mapping[str, Any], kind: str, language: str) -> schemas.RuleWords | None:
    spec = _readable(data)
    return schemas.RuleWords(**asdict(describe(spec, kind, language))) if spec is not None else None


def _scope(row: Mapping[str, Any]) -> schemas.RuleScope:
    return schemas.RuleScope(name=row["scope"], id=row["scope_uid"], text=row["scope_text"])


def _as_scope(scope: Scope) -> schemas.RuleScope:
    return schemas.RuleScope(name=scope.name, id=scope.uid, text=scope.text)


def _by(row: Mapping[str, Any], persons: Persons) -> schemas.PersonRef | None:
    person = persons.get(row["created_by"])
    return schemas.PersonRef(id=person.uid, name=person.name) if person else None


def _view(row: Mapping[str, Any], persons: Persons, who: Who) -> schemas.RuleView:
    return schemas.RuleView(
        id=row["uid"],
        kind=row["kind"],
        name=row["name"],
        version=row["version"],
        scope=_scope(row),
        spec=row["spec"],
        words=_words(row["spec"], row["kind"], who.language),
        since=row["created_at"],
        by=_by(row, persons),
        withdrawn=row["withdrawn"],
        may_change=_may_change(row, who),
    )


def _version(row: Mapping[str, Any], kind: str, persons: Persons, language: str) -> schemas.RuleVersion:
    return schemas.RuleVersion(
        version=row["version"],
        spec=row["spec"],
        words=_words(row["spec"], kind, language),
        since=row["created_at"],
        by=_by(row, persons),
        withdrawn=row["withdrawn"],
    )
