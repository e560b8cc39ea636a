"""Policies for the pages to stand on: those that a municipality starts with, one for a zone's night, a rehearsal, a week."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.choosing import Because, Verdict
from alerts.finding import Missed
from alerts.model import Severity, Track
from alerts.policy import DEFAULT_POLICIES, Policy, Target
from alerts.policycheck import check
from alerts.policywords import BECAUSE, GAPS, MISSED, VERDICTS, after_text, tried_text
from alerts.reach import Gap
from alerts.render import SEVERITIES, condition_text, translations
from alerts.silence import Why
from alerts.silence_words import HELD
from alerts.timeline import CHANNELS, TARGETS
from gateway.api import schemas
from gateway.errors import Conflict, Invalid, InvalidFields, NotFound
from gateway.policing import conditions, words

SINCE = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
ZONE = schemas.Named(id=UUID(int=501), name="Eiganes og Tasta")
OTHER_ZONE = schemas.Named(id=UUID(int=502), name="Madla og Tjensvoll")
RESIDENT = schemas.Named(id=UUID(int=100), name="Solveig Haugland")
SIRI = schemas.PersonRef(id=UUID(int=4), name="Siri Bakken")
KARI = schemas.PersonRef(id=UUID(int=2), name="Kari Nordbø")
TEAM = schemas.Named(id=UUID(int=700), name="Nattpatruljen (Eiganes og Tasta)")
NIGHT_ID = UUID(int=710)
NIGHT = Policy.model_validate(
    {
        "name": "Natt",
        "track": "care",
        "min_severity": 30,
        "codes": ["4", "fall"],
        "window": {"from_time": "22:00", "to_time": "07:00"},
        "steps": [
            {
                "target": "team",
                "id": str(TEAM.id),
                "wait_seconds": 90,
                "contacts": ["in_app", "email"],
                "first_contact": True,
            },
            {"target": "person", "id": str(SIRI.id), "wait_seconds": 120, "only_on_duty": True},
            {"target": "response_centre", "wait_seconds": 300},
        ],
        "rounds": 2,
    }
)
WHOLE = schemas.PolicyScope(name="whole", id=None, text="")
FOR_ZONE = schemas.PolicyScope(name="zone", id=ZONE.id, text=ZONE.name)


def view(
    policy: Policy, number: UUID, scope: schemas.PolicyScope, language: str, version: int = 1
) -> schemas.PolicyView:
    """A policy as the gateway shows it."""
    return schemas.PolicyView(
        id=number,
        name=policy.name,
        version=version,
        policy=policy,
        words=words(policy, {TEAM.id: "Nattpatruljen", SIRI.id: SIRI.name}, language),
        readable=True,
        withdrawn=False,
        since=SINCE,
        by=SIRI if scope.id else None,
        scope=scope,
        may_change=True,
    )


@dataclass
class FakePolicies:
    """``added``, ``changed`` and ``withdrawn``: what was saved; ``stale``: somebody was quicker; ``alone``: too few are reached."""

    added: list[schemas.PolicyRequest] = field(default_factory=list)
    changed: list[schemas.PolicyChange] = field(default_factory=list)
    withdrawn: list[tuple[UUID, int]] = field(default_factory=list)
    asked: list[schemas.RehearsalQuery] = field(default_factory=list)
    stale: bool = False
    alone: bool = False

    def listed(self, language: str) -> list[schemas.PolicyView]:
        every = [view(each, UUID(int=720 + number), WHOLE, language) for number, each in enumerate(DEFAULT_POLICIES)]
        return [*every, view(NIGHT, NIGHT_ID, FOR_ZONE, language, 2)]

    def detail(self, uid: UUID, language: str) -> schemas.PolicyDetail:
        for each in self.listed(language):
            if each.id == uid:
                versions = [
                    schemas.PolicyVersion.model_validate({**each.model_dump(), "version": number}) for number in (2, 1)
                ]
                return schemas.PolicyDetail(**each.model_dump(), versions=versions)
        raise NotFound("policy", "no such policy")

    def options(self, asked: schemas.PolicyScopeRequest, language: str) -> schemas.PolicyOptions:
        resident = schemas.PolicyScope(name="resident", id=RESIDENT.id, text=RESIDENT.name)
        return schemas.PolicyOptions(
            scope=FOR_ZONE if asked.zone else resident if asked.resident else WHOLE,
            people=[KARI, SIRI],
            teams=[TEAM],
            contacts=list(CHANNELS),
            conditions=conditions(language),
        )

    def add(self, request: schemas.PolicyRequest, language: str) -> schemas.PolicyView:
        self.added.append(request)
        return self._saved(request.policy, language)

    def change(self, request: schemas.PolicyChange, language: str) -> schemas.PolicyView:
        self.changed.append(request)
        return self._saved(request.policy, language)

    def withdraw(self, uid: UUID, version: int, language: str) -> schemas.PolicyView:
        if self.stale:
            raise Conflict("stale", "somebody was quicker")
        self.withdrawn.append((uid, version))
        return self.listed(language)[-1]

    def _saved(self, data: dict[str, Any], language: str) -> schemas.PolicyView:
        if self.stale:
            raise Conflict("stale", "somebody was quicker")
        found = check(data, {each.condition for each in conditions("en")}, CHANNELS)
        if found.policy is None:
            wrong = [
                {"field": each.field, "code": each.code, "what": each.what, "mend": each.mend} for each in found.wrong
            ]
            raise InvalidFields("policy", "wrong", "mend it", wrong)
        if self.alone:
            raise Invalid("reach", "fewer than two persons in: Madla (1)", "add a step")
        return view(found.policy, NIGHT_ID, FOR_ZONE, language)


def rehearsal(query: schemas.RehearsalQuery, language: str) -> schemas.Rehearsal:
    """As it may be: the team has nobody, Siri is not on duty, the centre answers for all."""
    _ = translations(language).gettext
    at = query.at or NOW

    def rung(after: int, number: int, code: str, text: str, called: bool, missed: bool) -> schemas.RungView:
        by_app = schemas.CalledPerson(
            person=KARI,
            contacts=["in_app", "sms", "email"],
            contacts_text=tried_text([(_(CHANNELS["in_app"]), 0), ("SMS", 0), (_(CHANNELS["email"]), 15)], language),
            after_seconds=[0, 0, 15],
        )
        off = schemas.MissedPerson(person=SIRI, reason=Missed.OFF_DUTY, reason_text=_(MISSED[Missed.OFF_DUTY]))
        return schemas.RungView(
            at=at + timedelta(seconds=after),
            after_seconds=after,
            code=code,
            step=number,
            round=0,
            target=Target.RESPONSE_CENTRE,
            text=text,
            after_text=after_text(after, language),
            called=[by_app] if called else [],
            missed=[off] if missed else [],
        )

    centre = _(TARGETS[Target.RESPONSE_CENTRE])
    urgent = schemas.PolicyRef(id=UUID(int=720), title="Pleie, haster", scope=WHOLE, version=1)
    return schemas.Rehearsal(
        zone=ZONE,
        resident=RESIDENT if query.resident else None,
        condition=query.condition,
        condition_text=condition_text(query.condition, "fall_alarm", language),
        severity=Severity.CRITICAL,
        severity_text=_(SEVERITIES[Severity.CRITICAL]),
        track=Track.CARE,
        at=at,
        policy=schemas.PolicyRef(id=NIGHT_ID, title="Natt", scope=FOR_ZONE, version=2),
        because=[Because.ZONE, Because.TIME],
        because_text=[_(BECAUSE[each]) for each in (Because.ZONE, Because.TIME)],
        others=[
            schemas.OtherPolicy(policy=urgent, verdict=Verdict.LESS_NEAR, verdict_text=_(VERDICTS[Verdict.LESS_NEAR]))
        ],
        rungs=[
            rung(0, 0, "step_skipped", "Nattpatruljen", called=False, missed=False),
            rung(0, 1, "step_skipped", SIRI.name, called=False, missed=True),
            rung(0, 2, "step_reached", centre, called=True, missed=False),
            rung(300, 2, "step_repeated", centre, called=True, missed=False),
        ],
        persons=1,
        repeat_seconds=300,
        assumes_check_in=True,
        held_back=schemas.HeldBack(why=Why.AWAY, why_text=_(HELD[Why.AWAY]), until=at + timedelta(hours=5)),
    )


def reach(language: str) -> schemas.ReachView:
    """One zone in which nights are thin, and one in which nobody is there for an hour."""
    nights = [2 if 6 <= (hour + 3) % 24 < 22 else 1 for hour in range(168)]
    once = [0 if hour == 5 else 4 for hour in range(168)]
    gettext = translations(language).gettext

    def gap(zone: schemas.Named, kind: Gap, hours: tuple[int, int], persons: int) -> schemas.ReachGap:
        return schemas.ReachGap(
            zone=zone,
            policy=schemas.Named(id=NIGHT_ID, name="Natt"),
            track=Track.CARE,
            gap=kind,
            gap_text=gettext(GAPS[kind]),
            since=NOW + timedelta(hours=hours[0]),
            until=NOW + timedelta(hours=hours[1]),
            persons=persons,
            severities=[Severity.SERIOUS, Severity.CRITICAL],
            told_at=NOW if kind is Gap.NOBODY else None,
        )

    return schemas.ReachView(
        time_zone="Europe/Oslo",
        looked_at=NOW,
        due_at=NOW + timedelta(hours=1),
        zones=[
            schemas.ReachZone(zone=ZONE, since=NOW, care=nights, technical=[99] * 168),
            schemas.ReachZone(zone=OTHER_ZONE, since=NOW, care=once, technical=[2] * 168),
        ],
        gaps=[gap(ZONE, Gap.ONE, (0, 3), 1), gap(OTHER_ZONE, Gap.NOBODY, (5, 6), 0)],
    )
