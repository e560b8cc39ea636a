"""Whether a policy reaches people: now, and in every hour to come. Pure.

Rules
    A ladder is sound where two different persons can be reached by it, by a contact that works, wherever on it they stand:
    one may be on the way to somebody, or asleep. It is better where its first step already reaches somebody.
    A zone is looked at by span: whom a ladder reaches changes where duty, a role, a team or the time of day of a policy begins
    or ends, and nowhere between. An hour is as good as its worst span, a track as its worst policy.
    What an alert would be given is chosen by ``alerts.choosing``, whom it reaches found by ``alerts.finding``: as live.

Theory
    Which policies a zone's alerts can get depends on the time of day only, so it is worked out once for each set of
    policies whose window is open (``_Chosen``); people are found once for each span and policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import chain, pairwise

from alerts.choosing import Case, choose, concerns
from alerts.finding import Duty, Holding, Period, Staff, find
from alerts.model import Severity, Track
from alerts.policy import Policy, StoredPolicy

ENOUGH = 2
"""Persons that a ladder has to reach."""
HOUR = timedelta(hours=1)
CLASSES = (Severity.NORMAL, Severity.MODERATE, Severity.SERIOUS, Severity.CRITICAL)
MOST_PERSONS = 99


class Gap(StrEnum):
    """What is wrong with whom a policy reaches, the worst first."""

    NOBODY = "nobody"
    ONE = "one"
    FIRST_STEP = "first_step"


@dataclass(frozen=True, slots=True)
class Reached:
    """How many persons the whole ladder reaches, and its first step."""

    persons: int
    first: int

    @property
    def gap(self) -> Gap | None:
        if self.persons == 0:
            return Gap.NOBODY
        if self.persons < ENOUGH:
            return Gap.ONE
        return None if self.first else Gap.FIRST_STEP


def reached(policy: Policy, staff: Staff, at: datetime) -> Reached:
    """How a ladder stands at a time."""
    by_step = [
        {each.person_id for each in find(step, policy.track, staff, at).contacts}
        for step in dict.fromkeys(policy.steps)
    ]
    return Reached(len(frozenset().union(*by_step)), len(by_step[0]))


# A week of a zone ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A zone to look at. ``around``: it and those around it, from the inside out; ``residents`` that have a policy of their
    own and live there; ``changes``: the times at which somebody's duty begins or ends there."""

    zone_id: int
    around: Sequence[int]
    staff: Staff
    residents: Sequence[int] = ()
    changes: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class Weak:
    """A policy that does not reach enough, from and until. ``severities``: of the alerts that would get it."""

    zone_id: int
    stored: StoredPolicy
    gap: Gap
    since: datetime
    until: datetime
    persons: int
    severities: tuple[Severity, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of each hour from ``since`` on the fewest persons that a policy of the track reaches, and what is weak."""

    zone_id: int
    since: datetime
    hours: Mapping[Track, tuple[int, ...]]
    weak: tuple[Weak, ...]


@dataclass(frozen=True, slots=True)
class _Remembering:
    """Who serves, remembered for a moment: policies ask the same again and again."""

    duty: Duty
    _known: dict[tuple[str, datetime], tuple[int, ...]] = field(default_factory=dict)

    @property
    def assigned(self) -> Sequence[Holding]:
        return self.duty.assigned

    def serving(self, role: str, at: datetime, local: tzinfo) -> tuple[int, ...]:
        if (role, at) not in self._known:
            self._known[role, at] = self.duty.serving(role, at, local)
        return self._known[role, at]


@dataclass(frozen=True, slots=True)
class _Span:
    since: datetime
    until: datetime
    stands: tuple[tuple[StoredPolicy, tuple[Severity, ...], Reached], ...]


def look_ahead(place: Place, policies: Sequence[StoredPolicy], now: datetime, hours: int) -> Outlook:
    """Every hour of a zone from this one on; of this one, what is left of it."""
    since = now.replace(minute=0, second=0, microsecond=0)
    spans = list(_spans(place, policies, now, since + hours * HOUR))
    return Outlook(
        place.zone_id,
        since,
        {track: tuple(_fewest(spans, track, since + hour * HOUR) for hour in range(hours)) for track in Track},
        tuple(_weak(place.zone_id, spans)),
    )


def _spans(place: Place, policies: Sequence[StoredPolicy], since: datetime, until: datetime) -> Iterator[_Span]:
    here = [each for each in policies if _may_concern(each, place)]
    chosen = _Chosen(place, here)
    for begins, ends in pairwise(sorted({since, *_changes(place, here, since, until), until})):
        staff = replace(place.staff, duty=_Remembering(place.staff.duty))
        stands = tuple(
            (stored, severities, reached(stored.policy, staff, begins)) for stored, severities in chosen.at(begins)
        )
        yield _Span(begins, ends, stands)


def _may_concern(stored: StoredPolicy, place: Place) -> bool:
    return any(concerns(stored, resident, place.around) for resident in (None, *place.residents))


def _changes(place: Place, policies: Iterable[StoredPolicy], since: datetime, until: datetime) -> Iterator[datetime]:
    staff = place.staff
    yield from (each for each in place.changes if since < each < until)
    periods: list[Period] = [
        *staff.duty.assigned,
        *chain(*staff.roles.values()),
        *chain(*staff.teams.values()),
        *staff.away,
    ]
    for period in periods:
        yield from (at for at in (period.since, period.until) if at is not None and since < at < until)
    for window in {each.policy.window for each in policies if each.policy.window is not None}:
        yield from window.changes(since, until, staff.local)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which policies the alerts of a place would get, and of which severities; remembered by the windows that are open."""

    place: Place
    policies: Sequence[StoredPolicy]
    _known: dict[frozenset[int], tuple[tuple[StoredPolicy, tuple[Severity, ...]], ...]] = field(default_factory=dict)

    def at(self, at: datetime) -> tuple[tuple[StoredPolicy, tuple[Severity, ...]], ...]:
        windowed = [each for each in self.policies if each.policy.window is not None]
        open_now = frozenset(
            each.version_id
            for each in windowed
            if each.policy.window and each.policy.window.covers(at, self.place.staff.local)
        )
        if open_now not in self._known:
            self._known[open_now] = self._choose(at)
        return self._known[open_now]

    def _choose(self, at: datetime) -> tuple[tuple[StoredPolicy, tuple[Severity, ...]], ...]:
        found: dict[int, tuple[StoredPolicy, set[Severity]]] = {}
        for case in self._cases():
            stored = choose(self.policies, case, self.place.around, at, self.place.staff.local)
            found.setdefault(stored.version_id, (stored, set()))[1].add(case.severity)
        return tuple((stored, tuple(sorted(severities))) for stored, severities in found.values())

    def _cases(self) -> Iterator[Case]:
        """An alert of each severity of each track about nothing that a policy names; and about each code that one names."""
        for resident in (None, *self.place.residents):
            for track in Track:
                codes = {code for each in self.policies if each.policy.track is track for code in each.policy.codes}
                for severity in CLASSES:
                    yield Case(track, severity, resident_id=resident)
                    yield from (Case(track, severity, code, code, resident) for code in sorted(codes))


def _fewest(spans: Iterable[_Span], track: Track, hour: datetime) -> int:
    return min(
        (
            found.persons
            for span in spans
            if span.since < hour + HOUR and hour < span.until
            for stored, _, found in span.stands
            if stored.policy.track is track
        ),
        default=MOST_PERSONS,
    )


def _weak(zone_id: int, spans: Iterable[_Span]) -> Iterator[Weak]:
    """Spans one after the other that are weak in the same way are one."""
    going: dict[tuple[int, Gap], Weak] = {}
    for span in spans:
        now: dict[tuple[int, Gap], Weak] = {}
        for stored, severities, found in span.stands:
            if found.gap is None:
                continue
            key = (stored.version_id, found.gap)
            before = going.pop(key, None)
            now[key] = (
                replace(before, until=span.until, persons=min(before.persons, found.persons))
                if before
                else Weak(zone_id, stored, found.gap, span.since, span.until, found.persons, severities)
            )
        yield from going.values()
        going = now
    yield from going.values()
