"""Silencing: what people do about silences – ask for one, agree to it, let it last longer, end it.

Who may
    Silence something: leads and administrators where it is; the response centre for at most 12 hours; technical services
    what a device raises for themselves, while they mend it. Say that a resident is away: leads and administrators; the
    response centre for at most three days, until a lead is at work again. What the centre extends lasts no longer in all.
    Agree to what takes two (``alerts.silence.needs_consent``): a lead or an administrator there who has not asked for it.
    End a silence: whoever might set it, for any length, and its owner; say that a resident is back: all care staff. To end
    one is to hear more, so it takes less to do so.
A silence is changed against the version that was looked at. The audit says who did what until when, and never the note.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.model import Severity, Subject, Track
from alerts.rulebook import Rulebook
from alerts.rules import Rule
from alerts.silence import REASONS, SHORT, Kind, Reason, Silence, is_vital, longest, needs_consent, severity_of
from alerts.silence_ends import BACK_ASKED, CONSENT_ASKED, ENDS_SOON, WITHOUT_OWNER, Ended, next_look, next_morning
from gateway import lifting
from gateway.access import CONSENTERS, OVERSEERS, TRACKS, Role, Who
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, NotAllowed, NotFound
from gateway.store import audit, devices, duesilences, people, rules, silences
from gateway.store.audit import Audited, Changed
from gateway.store.db import Connection
from gateway.store.rules import Scope
from gateway.store.silences import New

CARE = frozenset(role for role in Role if Track.CARE in TRACKS[role])
SHORT_AWAY = timedelta(days=3)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """What is to be silenced: where it is, and a device's fitting."""

    scope: Scope
    zone_id: int
    subject: Subject | None = None


# Who may --------------------------------------------------------------------------------------------------------------


def longest_for(roles: Collection[str], kind: Kind, scope: str, track: Track | None) -> timedelta | None:
    """For how long somebody with these roles may silence it; None for not at all."""
    if {Role.LEAD, Role.ADMIN} & set(roles):
        return longest(kind)
    if Role.CENTRE in roles:
        return SHORT_AWAY if kind is Kind.AWAY else SHORT
    own = kind is Kind.SILENCE and scope == "device" and track is Track.TECHNICAL
    return longest(kind) if own and Role.TECHNICAL in roles else None


def acts(who: Who, row: Row, silence: Silence) -> list[schemas.SilenceAct]:
    """What somebody may do about a silence that is not over."""
    if silence.ended_at is not None:
        return []
    roles = who.roles_in.get(silence.zone_id, frozenset())
    may: list[schemas.SilenceAct] = []
    if waits_for_consent(row) and roles & CONSENTERS and who.person_id not in (row["asked_by"], row["owner_id"]):
        may.append("consent")
    able = longest_for(roles, silence.kind, scope_of(row), silence.track) is not None
    if able and silence.agreed:
        may.append("extend")
    back = silence.kind is Kind.AWAY and bool(roles & CARE)
    if able or back or who.person_id == silence.owner_id:
        may.append("end")
    return may


def waits_for_consent(row: Row) -> bool:
    """Whether somebody else has yet to agree, to it or to its longer time."""
    return row["asked_until"] is not None or (row["needs_consent"] and row["consented_at"] is None)


def scope_of(row: Row) -> schemas.SilenceScopeName:
    return "device" if row["device_id"] is not None else "resident" if row["resident_id"] is not None else "zone"


# Doing ----------------------------------------------------------------------------------------------------------------


async def ask(connection: Connection, who: Who, request: schemas.SilenceRequest, now: datetime, book: Rulebook) -> UUID:
    """Set a silence, or ask for one that it takes two to set. Its outer id; NotFound, NotAllowed, Invalid or Conflict."""
    about = await find(connection, who, request, now)
    new = _checked(who, about, request, now, book)
    if new.kind is Kind.AWAY and await silences.is_away(connection, about.scope.id or 0):
        raise Conflict("away_already", "this resident is away already", "say when they are back, or that they are")
    inner, uid = await silences.add(connection, new, now, now)
    told = {"until": new.until.isoformat(), "reason": new.reason, "condition": new.condition, "vital": new.vital}
    action = "silence.asked" if new.needs_consent else "silence.set"
    await _note(connection, who, action, inner, now, **told)
    await _follow_up(connection, who, uid, now, book)
    return uid


async def consent(connection: Connection, who: Who, uid: UUID, version: int, now: datetime, book: Rulebook) -> None:
    """Agree to what somebody else has asked. Conflict where nothing is asked, or by oneself."""
    row, silence = await _locked(connection, who, uid, version)
    if not waits_for_consent(row):
        raise Conflict("not_asked", "nobody waits for consent to this", "look again")
    if who.person_id in (row["asked_by"], row["owner_id"]):
        raise NotAllowed("same_person", "it takes a second person to agree to this", "ask another lead")
    if "consent" not in acts(who, row, silence):
        raise NotAllowed("role", "a lead or an administrator of the zone has to agree to this", "ask one of them")
    until = row["asked_until"] or row["until"]
    if until <= now:
        raise Conflict("over", "the time that was asked for is over", "ask for another one")
    await silences.consent(connection, row, who.person_id, now)
    await _note(connection, who, "silence.consented", row["id"], now, until=until.isoformat())
    told = await lifting.take_back(connection, silence, (CONSENT_ASKED, ENDS_SOON, WITHOUT_OWNER), now, book)
    await audit.announce(connection, told | Changed(frozenset({silence.zone_id})))


async def extend(
    connection: Connection, who: Who, uid: UUID, request: schemas.SilenceLonger, now: datetime, book: Rulebook
) -> None:
    """Let it last until another time; where it took two, it takes two again. Whoever says so is its owner."""
    row, silence = await _locked(connection, who, uid, request.version)
    if "extend" not in acts(who, row, silence):
        raise NotAllowed("role", "you may not let this last longer", "ask a lead of the zone")
    roles = who.roles_in.get(silence.zone_id, frozenset())
    begins = _counts_from(roles, scope_of(row), silence, request.until, now)
    _require_time(roles, silence.kind, scope_of(row), silence.track, begins, request.until, now)
    pending = silence.needs_consent and request.until > silence.until
    change = silences.ask_longer if pending else silences.extend
    await change(connection, silence.id, request.until, who.person_id, now)
    action = "silence.longer_asked" if pending else "silence.extended"
    await _note(connection, who, action, silence.id, now, until=request.until.isoformat())
    told = (WITHOUT_OWNER,) if pending else (ENDS_SOON, WITHOUT_OWNER, BACK_ASKED)
    changed = await lifting.take_back(connection, silence, told, now, book)
    await audit.announce(connection, changed)
    await _follow_up(connection, who, uid, now, book)


async def end(connection: Connection, who: Who, uid: UUID, version: int, now: datetime, book: Rulebook) -> None:
    """End it now; what it held back and is not over is raised."""
    row, silence = await _locked(connection, who, uid, version)
    if "end" not in acts(who, row, silence):
        raise NotAllowed("role", "you may not end this", "ask a lead of the zone, or its owner")
    await audit.announce(connection, await lifting.end(connection, silence, Ended.BY_HAND, who.person_id, now, book))


async def _follow_up(connection: Connection, who: Who, uid: UUID, now: datetime, book: Rulebook) -> None:
    """When it is to be looked at, who has to agree, and that its zone's leads are told every morning."""
    row = await silences.lock(connection, uid)
    (silence,) = silences.readable([row] if row else [])
    await duesilences.looked_at(connection, silence.id, silence.zone_id, next_look(silence, now, book.local), None)
    await duesilences.plan_summary(connection, silence.zone_id, next_morning(now, book.local))
    changed = Changed(frozenset({silence.zone_id}))
    if row and waits_for_consent(row):
        others = await people.colleagues(connection, silence.zone_id, sorted(CONSENTERS), now)
        called = tuple(each.id for each in others if each.id != who.person_id)
        changed |= await lifting.notify(connection, silence, CONSENT_ASKED, now, book, called)
    await audit.announce(connection, changed)


# Parts ----------------------------------------------------------------------------------------------------------------


async def find(connection: Connection, who: Who, asked: schemas.SilenceFor, now: datetime) -> About:
    """What is named. NotFound where there is none in a zone of the reader's, Conflict for who lives nowhere."""
    name, uid = asked.named
    scope = await rules.scope_of(connection, name, uid)
    if scope is None or scope.id is None or scope.zone_id is None or scope.zone_id not in who.zones_as(OVERSEERS):
        raise NotFound(name, f"there is no such {name}, or it is not in a zone of yours", "choose one of yours")
    if name != "device":
        return About(scope, scope.zone_id)
    (subject,) = await devices.subjects_at(connection, [(scope.id, now)])
    return About(scope, subject.zone_id, subject)


def _checked(who: Who, about: About, request: schemas.SilenceRequest, now: datetime, book: Rulebook) -> New:
    """The silence that is asked for. NotAllowed or Invalid says what is wrong with it."""
    kind, scope, away = request.kind, about.scope, request.kind is Kind.AWAY
    track = None if away else request.track
    since = request.since or now
    since = since if away else max(since, now)
    _require_reason(kind, request)
    if away and scope.name != "resident":
        raise Invalid("scope", "only a resident can be away", "name a resident")
    roles = who.roles_in.get(about.zone_id, frozenset())
    _require_time(roles, kind, scope.name, track, max(since, now), request.until, now)
    condition = None if away else _condition(request, book)
    vital = not away and (request.vital or (condition is not None and names_vital(condition, track, book)))
    concerned = rules_for(about, book)
    severity = request.severity if request.severity is not None and not vital and not away else None
    return New(
        kind=kind,
        zone_id=about.zone_id,
        device_id=scope.id if scope.name == "device" else None,
        installation_id=about.subject.installation_id if about.subject else None,
        resident_id=scope.id if scope.name == "resident" else None,
        condition=condition,
        track=track,
        severity=severity if severity is not None else severity_of(concerned, condition, vital=vital),
        vital=vital,
        needs_consent=not away and needs_consent(scope.name, condition, track, vital=vital),
        reason=request.reason,
        note=request.note.strip(),
        owner_id=who.person_id,
        since=since,
        until=request.until,
    )


def _require_reason(kind: Kind, request: schemas.SilenceRequest) -> None:
    if request.reason not in REASONS[kind]:
        raise Invalid("reason", f"{request.reason} is no reason for this", f"one of: {', '.join(REASONS[kind])}")
    if request.reason is Reason.OTHER and not request.note.strip():
        raise Invalid("note", "the reason is another one, and nothing says which", "say it in the note")


def _counts_from(roles: Collection[str], scope: str, silence: Silence, until: datetime, now: datetime) -> datetime:
    """From when a longer time counts: for whoever may silence it for a short time only from its beginning, so that a short time
    after another never becomes a long one. To let it end earlier is to hear more, and counts from now."""
    short = longest_for(roles, silence.kind, scope, silence.track) != longest(silence.kind)
    return silence.since if short and until > silence.until else max(now, silence.since)


def _require_time(
    roles: Collection[str],
    kind: Kind,
    scope: str,
    track: Track | None,
    since: datetime,
    until: datetime,
    now: datetime,
) -> None:
    most = longest_for(roles, kind, scope, track)
    if most is None:
        raise NotAllowed(
            "role",
            "this is silenced by leads; for a short time by the response centre; a device's technical alerts by technical"
            " services",
            "ask a lead of the zone",
        )
    if until <= max(since, now):
        raise Invalid("until", "it has to end later than it begins, and later than now", "give a later time")
    if until - since > most or since > now + longest(kind):
        days, hours = divmod(int(most.total_seconds()) // 3600, 24)
        told = f"{days} days" if days else f"{hours} hours"
        raise Invalid("until", f"it may last {told} at most", "give an earlier time; it can be extended later")


def _condition(request: schemas.SilenceRequest, book: Rulebook) -> str | None:
    known = {rule.spec.condition for rule in book.in_force}
    if request.condition is not None and request.condition not in known:
        raise Invalid("condition", f"no rule raises {request.condition!r}", "choose one that a rule raises")
    return request.condition


def names_vital(condition: str, track: Track | None, book: Rulebook) -> bool:
    """Whether all that is raised of a condition is vital: then to silence it is to silence that."""
    every = [
        rule.spec
        for rule in book.in_force
        if rule.spec.condition == condition and track in (None, rule.spec.track) and rule.spec.enabled
    ]
    all_vital = all(is_vital(condition, each.severity, each.track, each.vkp_code) for each in every)
    return is_vital(condition, Severity.NOT_REPORTED) or (bool(every) and all_vital)


def rules_for(about: About, book: Rulebook) -> list[Rule]:
    """The rules that may raise something of it."""
    if about.subject is not None and about.scope.kind is not None:
        return list(book.applying(about.scope.kind, about.subject))
    return [rule for rule in book.in_force if rule.spec.enabled]


async def _locked(connection: Connection, who: Who, uid: UUID, version: int) -> tuple[Row, Silence]:
    """A silence in a zone of theirs as it stands, held. NotFound, or Conflict where it has changed meanwhile."""
    row = await silences.lock(connection, uid)
    found = silences.readable([row] if row else [])
    if row is None or not found or row["zone_id"] not in who.zone_ids or not _sees(who, row):
        raise NotFound("silence", "there is no such silence, or it is not yours to see")
    if row["version"] != version or row["ended_at"] is not None:
        raise Conflict("stale", "this silence has changed since you looked at it", "look again")
    return row, found[0]


def _sees(who: Who, row: Row) -> bool:
    return row["resident_id"] is None or row["zone_id"] in who.sight.care


async def _note(connection: Connection, who: Who, action: str, silence_id: int, now: datetime, **told: Any) -> None:
    line = Audited(action, "silence", silence_id, who.person_id, {name: value for name, value in told.items() if value})
    await audit.add(connection, now, (line,))
