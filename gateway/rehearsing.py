"""Rehearsing: who would be paged if something happened here at some time, and where too few would be in the week to come.

For overseers, of the zones that they oversee; of residents for those who see care there. It is what alerts do
(``alerts.rehearsal``): the same choice of a policy, the same ladder, the same people; about now also without whoever has not
checked in, and later as if everybody does, which is said. What a silence, or that the resident is away, would hold back is said
by what holds it back (``gateway.holding``). That a resident was named is in the audit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.alert import Page
from alerts.choosing import Case, Choice, Verdict, explain
from alerts.conditions import known
from alerts.model import Severity, Subject, Track
from alerts.policy import Policy, Target
from alerts.policywords import BECAUSE, GAPS, MISSED, VERDICTS, after_text, step_text, title, tried_text
from alerts.reach import Gap
from alerts.rehearsal import Rung, rehearse
from alerts.render import SEVERITIES, translations
from alerts.rulebook import Rulebook
from alerts.silence import Decision
from alerts.silence_words import HELD
from alerts.timeline import CHANNELS, LINES
from gateway import holding, policing
from gateway.access import OVERSEERS, Who
from gateway.api import schemas
from gateway.errors import Invalid, NotFound
from gateway.ruling import note_residents
from gateway.store import outlook, people, policies, reachable, zones
from gateway.store.db import Connection
from gateway.store.people import Person
from gateway.store.policies import Scope

ABOUT_NOW = timedelta(minutes=5)
"""So far from now who has checked in by now is taken to be who has then."""
NOT_TOLD = frozenset({Verdict.OTHER_TRACK, Verdict.ELSEWHERE})
"""Policies that nobody would think of."""


async def rehearsal(
    connection: Connection, who: Who, query: schemas.RehearsalQuery, book: Rulebook, now: datetime
) -> schemas.Rehearsal:
    """NotFound for a place that the reader does not oversee, Invalid for a condition that no rule raises."""
    who.require(OVERSEERS)
    scope = await _place(connection, who, query)
    await note_residents(connection, who, [scope.resident_id], now)
    case, at, zone_id = _case(query, scope), query.at or now, scope.where_id or 0
    around = book.ancestry.get(zone_id, (zone_id,))
    choice = explain(book.policies, case, around, at, book.local)
    policy = choice.stored.policy
    wanted = reachable.Wanted(zone_id, book.channels, (policy,))
    until, is_now = at + _length(policy), abs(at - now) <= ABOUT_NOW
    gather = reachable.gather_present if is_now else reachable.gather
    staff = await gather(connection, wanted, at, until, book.local)
    assumes = not is_now and bool((await people.roster(connection, zone_id, at, at)).graces)
    rungs = rehearse(policy, case.severity, at, staff)
    subject = Subject(0, zone_id, resident_id=scope.resident_id)
    held = await holding.foreseen(connection, case, subject, at, book)
    (zone,) = await zones.named(connection, [zone_id])
    teller = await _teller(connection, who, choice, rungs)
    return teller.tell(scope, zone, case, at, book, held, assumes_check_in=assumes)


async def outlook_of(connection: Connection, who: Who, local: ZoneInfo, now: datetime) -> schemas.ReachView:
    """The week to come, in the zones that the reader oversees."""
    who.require(OVERSEERS)
    mine = who.zones_as(OVERSEERS)
    stands = await outlook.standing(connection)
    gaps = [
        row
        for row in await outlook.gaps(connection, mine)
        if row["resident_id"] is None or row["zone_id"] in who.sight.care
    ]
    named = await policies.by_ids(connection, {row["policy_id"] for row in gaps})
    await note_residents(connection, who, [row["resident_id"] for row in gaps], now)
    gettext = translations(who.language).gettext
    return schemas.ReachView(
        time_zone=local.key,
        looked_at=stands["looked_at"] if stands else None,
        due_at=stands["due_at"] if stands else None,
        zones=[
            schemas.ReachZone(
                zone=schemas.Named(id=row["uid"], name=row["name"]),
                since=row["since"],
                care=row["care"],
                technical=row["technical"],
            )
            for row in await outlook.zones(connection, mine)
        ],
        gaps=[
            schemas.ReachGap(
                zone=schemas.Named(id=row["zone_uid"], name=row["zone"]),
                policy=schemas.Named(
                    id=row["policy_uid"], name=title(policies.stored(named[row["policy_id"]]).policy, who.language)
                ),
                track=Track(row["track"]),
                gap=Gap(row["gap"]),
                gap_text=gettext(GAPS[Gap(row["gap"])]),
                since=row["since"],
                until=row["until"],
                persons=row["persons"],
                severities=[Severity(each) for each in row["severities"]],
                told_at=row["told_at"],
            )
            for row in gaps
        ],
    )


async def _place(connection: Connection, who: Who, query: schemas.RehearsalQuery) -> Scope:
    name: policies.ScopeName = "zone" if query.zone is not None else "resident"
    scope = await policies.scope_of(connection, name, query.zone or query.resident or UUID(int=0))
    may = scope is not None and scope.where_id in who.zones_as(OVERSEERS)
    if scope is None or not may or (name == "resident" and scope.where_id not in who.sight.care):
        raise NotFound("scope", f"there is no such {name}, or it is not in a zone of yours", "choose one of yours")
    return scope


def _case(query: schemas.RehearsalQuery, scope: Scope) -> Case:
    condition = known().get(query.condition)
    if condition is None:
        raise Invalid("condition", f"no rule raises {query.condition!r:.80}", "choose one from the list of options")
    severity = condition.severity if query.severity is None else query.severity
    return Case(query.track or condition.track, severity, condition.condition, condition.vkp_code, scope.resident_id)


def _length(policy: Policy) -> timedelta:
    return timedelta(seconds=sum(each.wait_seconds for each in policy.ladder) + policy.repeat_seconds)


async def _teller(connection: Connection, who: Who, choice: Choice, rungs: Sequence[Rung]) -> _Teller:
    every = [choice.stored, *(each.stored for each in choice.others if each.verdict not in NOT_TOLD)]
    rows = await policies.by_ids(connection, [each.id for each in every])
    called = {contact.person_id for rung in rungs for contact in rung.contacts}
    missed = {person for rung in rungs for person, _ in rung.missed}
    persons = await people.names(connection, sorted(called | missed))
    named = await policing.names_in(connection, [choice.stored.policy])
    return _Teller(who, choice, rungs, rows, persons, named)


class _Teller:
    """A rehearsal in a reader's language."""

    def __init__(
        self,
        who: Who,
        choice: Choice,
        rungs: Sequence[Rung],
        rows: Mapping[int, policing.Row],
        persons: Mapping[int, Person],
        named: Mapping[UUID, str],
    ) -> None:
        self._who, self._choice, self._rungs = who, choice, rungs
        self._rows, self._persons, self._named = rows, persons, named
        self._ = translations(who.language).gettext

    def tell(
        self,
        scope: Scope,
        zone: policing.Row,
        case: Case,
        at: datetime,
        book: Rulebook,
        held: Decision,
        *,
        assumes_check_in: bool,
    ) -> schemas.Rehearsal:
        policy = self._choice.stored.policy
        others = [each for each in self._choice.others if each.verdict not in NOT_TOLD]
        resident = scope.name == "resident" and scope.uid is not None
        return schemas.Rehearsal(
            zone=schemas.Named(id=zone["uid"], name=zone["name"]),
            resident=schemas.Named(id=scope.uid or UUID(int=0), name=scope.text) if resident else None,
            condition=case.condition,
            condition_text=known()[case.condition].text(self._who.language),
            severity=case.severity,
            severity_text=self._(SEVERITIES[case.severity]),
            track=case.track,
            at=at,
            policy=self._ref(self._choice.stored.id),
            because=list(self._choice.because),
            because_text=[self._(BECAUSE[each]) for each in self._choice.because],
            others=[
                schemas.OtherPolicy(
                    policy=self._ref(each.stored.id), verdict=each.verdict, verdict_text=self._(VERDICTS[each.verdict])
                )
                for each in others
                if policing.sees(self._who, self._rows[each.stored.id], book)
            ],
            rungs=[self._rung(each, at) for each in self._rungs],
            persons=len({contact.person_id for each in self._rungs for contact in each.contacts}),
            repeat_seconds=policy.wait_after(len(policy.ladder) - 1, case.severity),
            assumes_check_in=assumes_check_in,
            held_back=self._held(held),
        )

    def _held(self, decision: Decision) -> schemas.HeldBack | None:
        if not decision.held or decision.silence is None:
            return None
        return schemas.HeldBack(why=decision.why, why_text=self._(HELD[decision.why]), until=decision.silence.until)

    def _ref(self, policy_id: int) -> schemas.PolicyRef:
        row = self._rows[policy_id]
        stored = policies.stored(row)
        scope = schemas.PolicyScope(name=row["scope"], id=row["scope_uid"], text=row["scope_text"])
        return schemas.PolicyRef(
            id=row["uid"], title=title(stored.policy, self._who.language), scope=scope, version=row["version"]
        )

    def _rung(self, rung: Rung, at: datetime) -> schemas.RungView:
        steps = self._choice.stored.policy.steps
        step = steps[rung.step] if rung.step is not None else None
        after = int((rung.at - at).total_seconds())
        nobody = self._(LINES["nobody_reachable"].text)
        return schemas.RungView(
            at=rung.at,
            after_seconds=after,
            code=rung.code,
            step=rung.step,
            round=rung.round,
            target=Target(step.target) if step else None,
            text=step_text(step, self._named, self._who.language) if step else nobody,
            after_text=after_text(after, self._who.language),
            called=self._called(rung.pages),
            missed=[
                schemas.MissedPerson(person=self._person(person), reason=reason, reason_text=self._(MISSED[reason]))
                for person, reason in rung.missed
                if person in self._persons
            ],
        )

    def _called(self, pages: Sequence[Page]) -> list[schemas.CalledPerson]:
        by_person: dict[int, list[Page]] = {}
        for each in sorted(pages, key=lambda page: page.after):
            by_person.setdefault(each.contact.person_id, []).append(each)
        return [self._tried(person, by_person[person]) for person in by_person if person in self._persons]

    def _tried(self, person: int, pages: Sequence[Page]) -> schemas.CalledPerson:
        kinds = [each.contact.kind for each in pages]
        words = [self._(CHANNELS.get(each, each)) for each in kinds]
        after = [int(each.after.total_seconds()) for each in pages]
        return schemas.CalledPerson(
            person=self._person(person),
            contacts=kinds,
            contacts_text=tried_text(list(zip(words, after, strict=True)), self._who.language),
            after_seconds=after,
        )

    def _person(self, person: int) -> schemas.PersonRef:
        found = self._persons[person]
        return schemas.PersonRef(id=found.uid, name=found.name)
