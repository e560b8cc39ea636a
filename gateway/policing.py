"""Policing: policies that people see and set – for everywhere, a zone or a resident.

Who may set one
    For a zone and for residents who live there: leads and administrators of the zone. For everywhere: administrators of every
    topmost zone.
    Whoever is signed in and has a role sees the policies for everywhere and for the zones around their own; a resident's are
    for care staff of their zone, and that they were shown is in the audit.

A policy is set against the version that was looked at, and refused where it does not reach two persons in some zone in which it
applies, now or when its time of day begins. Alerts keep the version with which they were raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts import policycheck
from alerts.conditions import known
from alerts.model import Severity, Track
from alerts.policy import Policy, Target
from alerts.policywords import applies, limits_text, steps_text, title
from alerts.reach import Gap, reached
from alerts.rulebook import Rulebook
from alerts.rulecheck import Wrong
from alerts.timeline import CHANNELS
from gateway.access import POLICY_MAKERS, Role, Who, may_be_handed
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, InvalidFields, NotAllowed, NotFound
from gateway.ruling import note_residents
from gateway.store import audit, outlook, people, policies, reachable, teams, zones
from gateway.store.audit import Audited
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.policies import Scope

Row = Mapping[str, Any]
MOST_ZONES_TOLD = 5


def may_set(who: Who, scope: Scope, book: Rulebook) -> bool:
    """Whether somebody may set policies for this."""
    if scope.name == "whole":
        tops = {around[-1] for around in book.ancestry.values()}
        return bool(tops) and all(Role.ADMIN in who.roles_in.get(top, ()) for top in tops)
    return scope.where_id in who.zones_as(POLICY_MAKERS)


def sees(who: Who, row: Row, book: Rulebook) -> bool:
    """Whether somebody may see a policy."""
    where = row["where_id"]
    if row["scope"] == "resident":
        return where in who.sight.care
    return (
        row["scope"] == "whole"
        or where in who.zone_ids
        or any(where in book.ancestry.get(each, ()) for each in who.zone_ids)
    )


# Looking --------------------------------------------------------------------------------------------------------------


async def policy_list(connection: Connection, who: Who, book: Rulebook, now: datetime) -> list[schemas.PolicyView]:
    """Every policy in force that the reader may see: the widest first."""
    rows = [row for row in await policies.listed(connection) if sees(who, row, book)]
    await note_residents(connection, who, [row["resident_id"] for row in rows], now)
    teller = await teller_for(connection, who, rows, book)
    return [teller.view(row) for row in rows]


async def policy_detail(
    connection: Connection, who: Who, uid: UUID, book: Rulebook, now: datetime
) -> schemas.PolicyDetail:
    """One of them with its versions, withdrawn or not; else NotFound."""
    rows = await found(connection, who, uid, book)
    await note_residents(connection, who, [rows[0]["resident_id"]], now)
    teller = await teller_for(connection, who, rows, book)
    versions = [teller.version(row) for row in rows]
    return schemas.PolicyDetail(**teller.view(rows[0]).model_dump(), versions=versions)


async def options(
    connection: Connection, who: Who, asked: schemas.PolicyScopeRequest, book: Rulebook, now: datetime
) -> schemas.PolicyOptions:
    """What the form to set a policy offers. NotFound for what there is not, NotAllowed where nothing may be set."""
    who.require(POLICY_MAKERS)
    scope = await scope_for(connection, who, asked)
    _require_right(who, scope, book)
    await note_residents(connection, who, [scope.resident_id], now)
    staff = await policies.staff_of(connection, _nearby(who, scope, book), may_be_handed(Track.TECHNICAL), now)
    there = await teams.listed(connection, _nearby(who, scope, book))
    return schemas.PolicyOptions(
        scope=schemas.PolicyScope(name=scope.name, id=scope.uid, text=scope.text),
        people=[schemas.PersonRef(id=row["uid"], name=row["name"]) for row in staff],
        teams=[schemas.Named(id=row["uid"], name=f"{row['name']} ({row['zone']})") for row in there],
        contacts=list(CHANNELS),
        conditions=conditions(who.language),
    )


def conditions(language: str) -> list[schemas.ConditionView]:
    """What alerts can be about, care first and the severest first."""
    every = sorted(known().values(), key=lambda each: (each.track, -each.severity, each.condition))
    return [
        schemas.ConditionView(
            condition=each.condition,
            text=each.text(language),
            vkp_code=each.vkp_code,
            severity=each.severity,
            track=each.track,
        )
        for each in every
    ]


# Setting --------------------------------------------------------------------------------------------------------------


async def add(
    connection: Connection, who: Who, request: schemas.PolicyRequest, book: Rulebook, now: datetime
) -> schemas.PolicyView:
    """A new policy. NotFound, NotAllowed, InvalidFields, Invalid or Conflict, with the reason, when it cannot be set."""
    who.require(POLICY_MAKERS)
    scope = await scope_for(connection, who, request.scope)
    _require_right(who, scope, book)
    policy = await _checked(connection, who, request.policy, scope, book, now)
    policy_id = await policies.add(connection, policy, scope, who.person_id, now)
    if policy_id is None:
        raise _taken()
    return await _set(connection, who, policy_id, "policy.set", book, now)


async def change(
    connection: Connection, who: Who, uid: UUID, request: schemas.PolicyChange, book: Rulebook, now: datetime
) -> schemas.PolicyView:
    """A new version of it, of the same track. Alerts that climb the old one go on as they began. Conflict where nothing would be
    left for some alerts."""
    who.require(POLICY_MAKERS)
    row = (await found(connection, who, uid, book))[0]
    scope = _scope(row)
    _require_right(who, scope, book)
    policy, before = await _checked(connection, who, request.policy, scope, book, now), policies.stored(row).policy
    if policy.track is not before.track:
        raise _wrong(
            [Wrong("track", "choice", f"it is for alerts of {before.track}", "set another one for the other track")]
        )
    if is_general(before) and not is_general(policy):
        await _require_another(connection, row)
    if await policies.is_taken(connection, policy.name, scope, row["id"]):
        raise _taken()
    if not await policies.change(connection, row["id"], policy, scope, request.version, who.person_id, now):
        raise stale()
    return await _set(connection, who, row["id"], "policy.set", book, now)


async def withdraw(
    connection: Connection, who: Who, uid: UUID, version: int, book: Rulebook, now: datetime
) -> schemas.PolicyView:
    """No new alert gets it any more. Conflict where it is the last of its track for everywhere."""
    who.require(POLICY_MAKERS)
    row = (await found(connection, who, uid, book))[0]
    _require_right(who, _scope(row), book)
    await _require_another(connection, row)
    if not await policies.withdraw(connection, row["id"], version, who.person_id, now):
        raise stale()
    return await _set(connection, who, row["id"], "policy.withdrawn", book, now)


def is_general(policy: Policy) -> bool:
    """Whether it is for whatever happens at any time."""
    everything = not policy.codes and policy.window is None
    return everything and policy.min_severity is Severity.NOT_REPORTED and policy.max_severity is Severity.CRITICAL


async def _require_another(connection: Connection, row: Row) -> None:
    """Somewhere there is always a policy of the track for whatever happens wherever."""
    track = policies.stored(row).policy.track
    left = [
        each
        for each in await policies.in_force(connection)
        if each.id != row["id"] and each.zone_id is None and each.resident_id is None and each.policy.track is track
    ]
    if row["scope"] == "whole" and not any(is_general(each.policy) for each in left):
        raise Conflict("last", "without this one some alerts would have no policy", "set another for everywhere first")


async def _set(
    connection: Connection, who: Who, policy_id: int, action: str, book: Rulebook, now: datetime
) -> schemas.PolicyView:
    row = (await policies.by_ids(connection, [policy_id]))[policy_id]
    told = {name: row[name] for name in ("version", "zone_id", "resident_id") if row[name] is not None}
    await audit.add(connection, now, (Audited(action, "policy", policy_id, who.person_id, told),))
    await outlook.look_at(connection, now)
    await note_residents(connection, who, [row["resident_id"]], now)
    return (await teller_for(connection, who, [row], book)).view(row)


async def _checked(
    connection: Connection, who: Who, data: Mapping[str, Any], scope: Scope, book: Rulebook, now: datetime
) -> Policy:
    """The policy that is asked for: InvalidFields says what is wrong with it, Invalid whom it does not reach."""
    checked = policycheck.check(data, known().keys(), CHANNELS.keys())
    wrong = list(checked.wrong)
    if checked.policy is not None:
        wrong += await _unknown(connection, who, checked.policy, scope, book, now)
    if checked.policy is None or wrong:
        raise _wrong(wrong)
    await _require_reach(connection, checked.policy, scope, book, now)
    return checked.policy


def _wrong(wrong: Sequence[Wrong]) -> InvalidFields:
    told = "; ".join(f"{each.field}: {each.what} ({each.mend})" for each in wrong)
    return InvalidFields("policy", told, "mend these fields and send it again", [asdict(each) for each in wrong])


async def _unknown(
    connection: Connection, who: Who, policy: Policy, scope: Scope, book: Rulebook, now: datetime
) -> list[Wrong]:
    """Steps that name somebody who is not there, or may not see such alerts."""
    nearby = _nearby(who, scope, book)
    staff = {each["uid"] for each in await policies.staff_of(connection, nearby, may_be_handed(policy.track), now)}
    there = {each["uid"] for each in await teams.listed(connection, nearby)}
    mend = "choose one from the list of options"
    return [
        Wrong(f"steps.{number}.id", "unknown", f"there is no such {step.target}, or none with a role there", mend)
        for number, step in enumerate(policy.steps)
        if step.id is not None and step.id not in (staff if step.target is Target.PERSON else there)
    ]


async def _require_reach(connection: Connection, policy: Policy, scope: Scope, book: Rulebook, now: datetime) -> None:
    """Invalid, with the zones, where the ladder does not reach two different persons when it first applies."""
    at = policy.window.first_within(now, book.local) if policy.window is not None else now
    rows = await zones.lived_in(connection)
    here = [row for row in rows if scope.where_id is None or scope.where_id in book.ancestry.get(row["id"], ())]
    if scope.name == "resident":
        here = [row for row in here if row["id"] == scope.where_id]
    weak: list[str] = []
    for row in here:
        wanted = reachable.Wanted(row["id"], book.channels, (policy,))
        stands = reached(policy, await reachable.gather(connection, wanted, at, at, book.local), at)
        if stands.gap in (Gap.NOBODY, Gap.ONE):
            weak.append(f"{row['name']} ({stands.persons})")
    if weak:
        more = f" and {len(weak) - MOST_ZONES_TOLD} more zones" if len(weak) > MOST_ZONES_TOLD else ""
        where = ", ".join(weak[:MOST_ZONES_TOLD]) + more
        raise Invalid(
            "reach",
            f"at {at.astimezone(book.local):%Y-%m-%d %H:%M} this ladder reaches fewer than two persons in: {where}",
            "add a step that reaches others, as the response centre, or see that they have contacts that work",
        )


def _require_right(who: Who, scope: Scope, book: Rulebook) -> None:
    if not may_set(who, scope, book):
        whom = "an administrator of the whole" if scope.name == "whole" else "a lead or an administrator of the zone"
        raise NotAllowed("zone", "you may not set policies for this", f"ask {whom}")


def _nearby(who: Who, scope: Scope, book: Rulebook) -> list[int]:
    """The zones whose people a policy may name: those of whoever sets it, and those around what it is set for."""
    return sorted({*who.zones_as(POLICY_MAKERS), *book.ancestry.get(scope.where_id or 0, ())})


def stale() -> Conflict:
    return Conflict("stale", "somebody else has changed this since you looked at it", "look again, then save")


def _taken() -> Conflict:
    return Conflict(
        "name", "there is already a policy of this name for this", "change that one, or choose another name"
    )


# Parts ----------------------------------------------------------------------------------------------------------------


async def scope_for(connection: Connection, who: Who, asked: schemas.PolicyScopeRequest) -> Scope:
    """What is named. NotFound where there is none that the reader covers; NotAllowed for a zone of others."""
    if asked.zone is None and asked.resident is None:
        return Scope()
    name: policies.ScopeName = "zone" if asked.zone is not None else "resident"
    scope = await policies.scope_of(connection, name, asked.zone or asked.resident or UUID(int=0))
    if scope is None or (name == "resident" and scope.where_id not in who.zone_ids):
        raise NotFound("scope", f"there is no such {name}, or it is not in a zone of yours", "choose one of yours")
    if scope.where_id not in who.zone_ids:
        raise NotAllowed("zone", "you do not cover this zone", "choose a zone of yours")
    return scope


async def found(connection: Connection, who: Who, uid: UUID, book: Rulebook) -> list[dict[str, Any]]:
    rows = await policies.versions(connection, uid)
    if not rows or not sees(who, rows[0], book):
        raise NotFound("policy", "there is no such policy, or it is not yours to see", "choose one from the list")
    return rows


def _scope(row: Row) -> Scope:
    inner = row["zone_id"] or row["resident_id"]
    return Scope(row["scope"], inner, row["scope_uid"], row["scope_text"], row["where_id"])


class Teller:
    """Policies as a reader is shown them. ``persons``: who set them; ``named``: whom their steps name."""

    def __init__(self, who: Who, book: Rulebook, persons: Mapping[int, Person], named: Mapping[UUID, str]) -> None:
        self._who, self._book = who, book
        self._persons, self._named = persons, named

    def view(self, row: Row) -> schemas.PolicyView:
        scope = _scope(row)
        return schemas.PolicyView(
            **self.version(row).model_dump(),
            id=row["uid"],
            name=row["name"],
            scope=schemas.PolicyScope(name=scope.name, id=scope.uid, text=scope.text),
            may_change=not row["withdrawn"] and may_set(self._who, scope, self._book),
        )

    def version(self, row: Row) -> schemas.PolicyVersion:
        policy, by = policies.policy_of(row["spec"], row["version_id"]), self._persons.get(row["created_by"])
        return schemas.PolicyVersion(
            version=row["version"],
            policy=policy,
            words=words(policy, self._named, self._who.language),
            readable=_readable(row["spec"]),
            withdrawn=row["withdrawn"],
            since=row["created_at"],
            by=schemas.PersonRef(id=by.uid, name=by.name) if by else None,
        )


def words(policy: Policy, named: Mapping[UUID, str], language: str) -> schemas.PolicyWords:
    """A policy in a reader's language."""
    return schemas.PolicyWords(
        title=title(policy, language),
        applies=applies(policy, language),
        steps=steps_text(policy, named, language),
        limits=limits_text(policy, language),
    )


async def names_in(connection: Connection, every: Iterable[Policy]) -> dict[UUID, str]:
    """The names of the persons and teams that policies call."""
    ids = {step.id for policy in every for step in policy.steps if step.id is not None}
    return await policies.names_of(connection, ids) if ids else {}


async def teller_for(connection: Connection, who: Who, rows: Sequence[Row], book: Rulebook) -> Teller:
    persons = await people.names(connection, sorted({row["created_by"] for row in rows} - {None}))
    named = await names_in(connection, [policies.policy_of(row["spec"], row["version_id"]) for row in rows])
    return Teller(who, book, persons, named)


def _readable(spec: Mapping[str, Any]) -> bool:
    try:
        Policy.model_validate(spec)
    except ValueError:
        return False
    return True
