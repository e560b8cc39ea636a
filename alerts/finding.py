"""Whom a step reaches at a time: the persons that it means, and by which contacts. Pure, and the only place.

Rules
    Alerts, the preview, the auditor and the check of a policy that is saved all find people here.
    Who is on duty is the roster's to say (``Roster.serving``). A named person and a team's members are called while they have
    a role that may see alerts of the track and are not away; with ``only_on_duty`` only while they serve in the alert's zone. Who leads or is
    at the response centre has no shifts, and always does.
    Who leads, is at the centre or is technical staff is not called while they are away, and who has not checked in neither. A
    ladder of which a step then reaches nobody calls them all the same (``People.unskipped``, ``alerts.ladder``).
    A person whom a step means and does not reach is told of, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from alerts import chain
from alerts.alert import Contact, People
from alerts.checkin import Skipped
from alerts.model import Track
from alerts.policy import Policy, PolicyStep, Target

SERVING = ("responder", "technical")
"""Roles that have shifts."""
CALLED_ALWAYS = frozenset({"lead", "centre"})
SEES_CARE = frozenset({"responder", "lead", "centre", "admin"})


class Period(Protocol):
    """From and until; None: without beginning or end."""

    @property
    def since(self) -> datetime | None: ...
    @property
    def until(self) -> datetime | None: ...


class Holding(Period, Protocol):
    """A role of a person, from and until. ``nearness``: 0 in the alert's zone itself, 1 in its parent, and so on."""

    @property
    def person_id(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def nearness(self) -> int: ...
    def holds(self, at: datetime) -> bool: ...


class Duty(Protocol):
    """The roles in a zone, and who serves when."""

    @property
    def assigned(self) -> Sequence[Holding]: ...
    def serving(self, role: str, at: datetime, local: tzinfo) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a team, or somebody who is away, from and until (None: without end)."""

    person_id: int
    since: datetime | None = None
    until: datetime | None = None

    def belongs(self, at: datetime) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Staff:
    """All that is known of a zone's people for a while. ``contacts`` that work, in order; ``persons`` by outer id, ``teams``
    with their members in order; ``roles`` of both, wherever they have them, and when they and whoever is assigned are ``away``.
    ``skipped``: who is passed over by ``duty``, and ``unskipped`` the same duty with them; None where nobody is."""

    duty: Duty
    local: tzinfo
    contacts: Mapping[int, tuple[Contact, ...]] = field(default_factory=dict)
    persons: Mapping[UUID, int] = field(default_factory=dict)
    teams: Mapping[UUID, tuple[Member, ...]] = field(default_factory=dict)
    roles: Mapping[int, Sequence[Holding]] = field(default_factory=dict)
    away: tuple[Member, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unskipped: Duty | None = None

    def is_away(self, person: int, at: datetime) -> bool:
        return any(each.person_id == person and each.belongs(at) for each in self.away)

    def is_skipped(self, person: int) -> bool:
        return any(each.person_id == person for each in self.skipped)


class Missed(StrEnum):
    """Why a step does not reach somebody whom it means."""

    NO_ROLE = "no_role"
    AWAY = "away"
    OFF_DUTY = "off_duty"
    NOT_CHECKED_IN = "not_checked_in"
    NO_CONTACT = "no_contact"
    NO_SUCH_CONTACT = "no_such_contact"


@dataclass(frozen=True, slots=True)
class Found:
    """Whom a step reaches, in order, and whom it misses."""

    contacts: tuple[Contact, ...]
    missed: tuple[tuple[int, Missed], ...] = ()


def find(step: PolicyStep, track: Track, staff: Staff, at: datetime) -> Found:
    """Whom a step of a policy of a track reaches at a time."""
    called, missed = _meant(step, track, staff, at)
    contacts: list[Contact] = []
    for person in called:
        known = staff.contacts.get(person, ())
        chosen = by_kind(step, known)
        contacts += chosen
        if not chosen:
            missed.append((person, Missed.NO_SUCH_CONTACT if known else Missed.NO_CONTACT))
    return Found(tuple(contacts), tuple(missed))


def people(policy: Policy, staff: Staff, at: datetime, persons: Iterable[int] = ()) -> People:
    """Who can be reached for an alert that climbs a policy; and how these persons can be."""
    targets, unskipped = (
        {step.whom: _contacts(call(step, policy.track, staff, at), staff, at) for step in dict.fromkeys(policy.steps)}
        for call in (_called, _called_unskipped)
    )
    known = {person: _contacts((person,), staff, at) for person in persons}
    return People(targets, known, staff.skipped, unskipped if unskipped != targets else {})


def meant(policy: Policy, staff: Staff, at: datetime) -> frozenset[int]:
    """The persons whom any step calls, whether they can be reached or not; also those who are passed over."""
    return frozenset(
        each
        for step in policy.steps
        for call in (_called, _called_unskipped)
        for each in call(step, policy.track, staff, at)
    )


def targets(duty: Duty, at: datetime, local: tzinfo) -> dict[Target, tuple[int, ...]]:
    """Whom each step calls that names nobody by id, whether they can be reached or not."""
    staff = Staff(duty, local)
    return {target: call(staff, at) for target, call in _CALLS.items()}


def by_kind(step: PolicyStep, contacts: Sequence[Contact]) -> tuple[Contact, ...]:
    """Those of the kinds that a step reaches people by; of each person the first, where it says so."""
    chosen = [each for each in contacts if not step.contacts or each.kind in step.contacts]
    if not step.first_contact:
        return tuple(chosen)
    if step.contacts:
        chosen.sort(key=lambda each: step.contacts.index(each.kind))
    first = {each.person_id: each for each in reversed(chosen)}
    return tuple(each for each in contacts if first.get(each.person_id) == each)


def _contacts(persons: Iterable[int], staff: Staff, at: datetime) -> tuple[Contact, ...]:
    return tuple(chain.at(each, at, staff.local) for person in persons for each in staff.contacts.get(person, ()))


def _called(step: PolicyStep, track: Track, staff: Staff, at: datetime) -> tuple[int, ...]:
    return _meant(step, track, staff, at)[0]


def _called_unskipped(step: PolicyStep, track: Track, staff: Staff, at: datetime) -> tuple[int, ...]:
    """Whom a step would call if everybody on duty had checked in, and nobody who leads were away."""
    away = staff.away if step.id is not None else ()
    return _called(step, track, replace(staff, duty=staff.unskipped or staff.duty, skipped=(), away=away), at)


def _left_out(
    step: PolicyStep, track: Track, staff: Staff, at: datetime, called: tuple[int, ...]
) -> Iterator[tuple[int, Missed]]:
    """Whom a step by duty or role would call but for their being away or not having checked in."""
    if not staff.away and not staff.skipped:
        return
    for person in _called_unskipped(step, track, staff, at):
        if person not in called and staff.is_away(person, at):
            yield person, Missed.AWAY
        elif person not in called and staff.is_skipped(person):
            yield person, Missed.NOT_CHECKED_IN


def _meant(
    step: PolicyStep, track: Track, staff: Staff, at: datetime
) -> tuple[tuple[int, ...], list[tuple[int, Missed]]]:
    """The persons whom a step calls at a time; and those whom it names and does not call."""
    if step.id is None:
        present = _CALLS[step.target](staff, at)
        return present, list(_left_out(step, track, staff, at, present))
    called: list[int] = []
    missed: list[tuple[int, Missed]] = []
    for person in _named(step, staff, at):
        if not _has_role(person, track, staff, at):
            missed.append((person, Missed.NO_ROLE))
        elif staff.is_away(person, at):
            missed.append((person, Missed.AWAY))
        elif step.only_on_duty and not _on_duty(person, staff, at):
            missed.append((person, Missed.NOT_CHECKED_IN if staff.is_skipped(person) else Missed.OFF_DUTY))
        else:
            called.append(person)
    return tuple(called), missed


def _named(step: PolicyStep, staff: Staff, at: datetime) -> Iterable[int]:
    if step.id is None:
        return ()
    if step.target is Target.PERSON:
        return [staff.persons[step.id]] if step.id in staff.persons else []
    return dict.fromkeys(each.person_id for each in staff.teams.get(step.id, ()) if each.belongs(at))


def _has_role(person: int, track: Track, staff: Staff, at: datetime) -> bool:
    held = (each.role for each in staff.roles.get(person, ()) if each.holds(at))
    return any(track is not Track.CARE or role in SEES_CARE for role in held)


def _on_duty(person: int, staff: Staff, at: datetime) -> bool:
    always = any(
        each.person_id == person and each.role in CALLED_ALWAYS and each.holds(at) for each in staff.duty.assigned
    )
    return always or any(person in staff.duty.serving(role, at, staff.local) for role in SERVING)


# By target ------------------------------------------------------------------------------------------------------------


def _serving(staff: Staff, role: str, at: datetime) -> tuple[int, ...]:
    return staff.duty.serving(role, at, staff.local)


def _with_role(staff: Staff, role: str, at: datetime) -> tuple[int, ...]:
    return tuple(dict.fromkeys(each.person_id for each in _holding(staff, role, at)))


def _leads(staff: Staff, at: datetime) -> tuple[int, ...]:
    """Of the zone, else of the nearest zone around it that has one."""
    leads = _holding(staff, "lead", at)
    nearest = min((each.nearness for each in leads), default=0)
    return tuple(each.person_id for each in leads if each.nearness == nearest)


def _holding(staff: Staff, role: str, at: datetime) -> list[Holding]:
    held = (each for each in staff.duty.assigned if each.role == role and each.holds(at))
    return [each for each in held if not staff.is_away(each.person_id, at)]


_CALLS: Mapping[Target, Callable[[Staff, datetime], tuple[int, ...]]] = {
    Target.FIRST_ON_DUTY: lambda staff, at: _serving(staff, "responder", at)[:1],
    Target.NEXT_ON_DUTY: lambda staff, at: _serving(staff, "responder", at)[1:],
    Target.ALL_ON_DUTY: lambda staff, at: _serving(staff, "responder", at),
    Target.ZONE_LEAD: _leads,
    Target.RESPONSE_CENTRE: lambda staff, at: _with_role(staff, "centre", at),
    Target.TECHNICAL_ON_DUTY: lambda staff, at: _serving(staff, "technical", at),
    Target.TECHNICAL_ALL: lambda staff, at: _with_role(staff, "technical", at),
}
