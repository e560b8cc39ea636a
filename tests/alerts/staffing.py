"""A zone's people for tests of whom ladders reach: shifts by the weekday, roles from and until, contacts, teams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.alert import Contact
from alerts.duty import on_duty
from alerts.finding import Member, Staff
from alerts.roster import Shift

OSLO = ZoneInfo("Europe/Oslo")
NOON = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)
"""A Tuesday, 12:00 in Oslo."""
KARI, OLA, SIRI, VAKT, TEK, BERIT = range(1, 7)
UIDS = {person: UUID(int=person) for person in range(1, 10)}
TEAM = UUID(int=100)


@dataclass(frozen=True)
class Held:
    """A role, as the gateway has it."""

    person_id: int
    role: str
    nearness: int = 0
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True)
class Duty:
    """Who has which role in a zone, and the shifts."""

    assigned: Sequence[Held]
    shifts: Mapping[str, Sequence[Shift]] = field(default_factory=dict)

    def serving(self, role: str, at: datetime, local: tzinfo) -> tuple[int, ...]:
        employed = {each.person_id for each in self.assigned if each.role == role and each.holds(at)}
        return tuple(each for each in on_duty(self.shifts.get(role, ()), at, local) if each in employed)


def always(person: int, position: int = 0) -> list[Shift]:
    """On duty day and night."""
    return [Shift(person, day, time(0), time(0), position) for day in range(7)]


ROLES = (Held(KARI, "responder"), Held(OLA, "responder"), Held(SIRI, "lead"), Held(VAKT, "centre", 2))
PHONES = {
    KARI: (Contact(10, KARI, "in_app"), Contact(11, KARI, "sms")),
    OLA: (Contact(20, OLA, "sms"), Contact(21, OLA, "email")),
    SIRI: (Contact(30, SIRI, "in_app"),),
    VAKT: (Contact(40, VAKT, "in_app"),),
    BERIT: (Contact(60, BERIT, "in_app"),),
}


def staff(
    shifts: Sequence[Shift] | None = None,
    *,
    roles: Sequence[Held] = ROLES,
    contacts: Mapping[int, tuple[Contact, ...]] = PHONES,
    members: Sequence[Member] = (),
    besides: Mapping[int, Sequence[Held]] | None = None,
) -> Staff:
    """Kari on duty first, Ola behind her, Siri leads, Vakt sits at the centre."""
    duty = Duty(roles, {"responder": [*always(KARI), *always(OLA, 1)] if shifts is None else shifts})
    own = {each.person_id: [each] for each in roles}
    return Staff(
        duty,
        OSLO,
        contacts,
        {uid: person for person, uid in UIDS.items()},
        {TEAM: tuple(members)},
        {**own, **(besides or {})},
    )
