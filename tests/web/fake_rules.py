"""Rules and devices for the pages to stand on: what the kinds come with, one override, and a preview as one may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.describe import describe
from alerts.model import Severity
from alerts.rules import parse_rule
from devices.kinds import kinds
from gateway.api import schemas
from gateway.errors import Conflict, InvalidFields, NotFound

SINCE = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KIND_WIDE = schemas.RuleScope(name="kind", id=None, text="")
ZONE = schemas.RuleScope(name="zone", id=UUID(int=400), text="Eiganes og Tasta")
RESIDENT = schemas.RuleScope(name="resident", id=UUID(int=100), text="Solveig Haugland")
DEVICE = schemas.RuleScope(name="device", id=UUID(int=200), text="fa-0017")
SIRI = schemas.PersonRef(id=UUID(int=4), name="Siri Bakken")
OVERRIDE = UUID(int=500)


def view(kind: str, data: dict[str, Any], scope: schemas.RuleScope, number: int, language: str) -> schemas.RuleView:
    """A rule as the gateway shows it."""
    spec = parse_rule(data)
    return schemas.RuleView(
        id=UUID(int=number),
        kind=kind,
        name=spec.name,
        version=1,
        scope=scope,
        spec=spec.model_dump(mode="json"),
        words=schemas.RuleWords(**asdict(describe(spec, kind, language))),
        since=SINCE,
        by=None if scope.name == "kind" else SIRI,
        withdrawn=False,
        may_change=scope.name != "kind",
    )


def data_of(kind: str, name: str) -> dict[str, Any]:
    try:
        data = next(each for each in kinds()[kind].default_rules if each["name"] == name)
    except (KeyError, StopIteration):
        raise NotFound("rule", "no such rule") from None
    return parse_rule(data).model_dump(mode="json")


@dataclass
class FakeRules:
    """``set``: what was saved; ``asked``: what was previewed; ``wrong``: what to say is wrong; ``stale``: somebody was quicker;
    ``withdrawn``: rules and their versions."""

    set: list[schemas.RuleRequest] = field(default_factory=list)
    asked: list[schemas.RuleRequest] = field(default_factory=list)
    wrong: list[dict[str, str]] = field(default_factory=list)
    stale: bool = False
    battery: int = 71
    withdrawn: list[tuple[UUID, int]] = field(default_factory=list)
    unreadable: bool = False

    def of_kind(self, kind: str, language: str) -> list[schemas.RuleView]:
        own = [
            view(kind, dict(data), KIND_WIDE, 600 + n, language) for n, data in enumerate(kinds()[kind].default_rules)
        ]
        nearer = view(kind, {**data_of(kind, own[1].name), "enabled": False}, ZONE, OVERRIDE.int, language)
        if self.unreadable:
            nearer = nearer.model_copy(update={"words": None})
        return sorted([*own, nearer], key=lambda each: (each.name, each.scope.name != "kind"))

    def detail(self, language: str) -> schemas.RuleDetail:
        rule = next(each for each in self.of_kind("fall_alarm", language) if each.id == OVERRIDE)
        same = rule.model_dump(include={"spec", "words", "since", "by"})
        versions = [schemas.RuleVersion(version=number, withdrawn=number == 2, **same) for number in (3, 2, 1)]
        return schemas.RuleDetail(**{**rule.model_dump(), "version": 3}, versions=versions)

    def draft(self, kind: str, name: str, asked: schemas.ScopeRequest) -> schemas.RuleDraft:
        near = [DEVICE, RESIDENT] if asked.device else []
        return schemas.RuleDraft(
            kind=kind,
            name=name,
            spec=data_of(kind, name),
            applies=KIND_WIDE,
            chosen=[*near, ZONE][0],
            scopes=[schemas.ScopeOption(scope=each, version=int(each is RESIDENT) * 7) for each in (*near, ZONE)],
        )

    def save(self, request: schemas.RuleRequest, language: str) -> schemas.RuleView:
        self._check()
        self.set.append(request)
        return view(request.kind, request.spec, ZONE, OVERRIDE.int, language)

    def preview(self, request: schemas.RuleRequest, now: datetime) -> schemas.Preview:
        self._check()
        self.asked.append(request)
        since = now - timedelta(days=30)
        days = [
            schemas.PreviewDay(day=date(2026, 10, 23) + timedelta(days=n), before=n % 4, after=(n % 4) // 2)
            for n in range(31)
        ]
        named: dict[str, Any] = {
            "zone": "Eiganes og Tasta",
            "resident": schemas.Named(id=RESIDENT.id or UUID(int=0), name=RESIDENT.text),
        }
        named["device"] = schemas.Named(id=UUID(int=200), name="fa-0017")
        gone = [
            schemas.PreviewAlert(
                raised_at=now - timedelta(hours=9 * n + 3),
                title="Knapp trykket inn",
                severity=Severity.SERIOUS,
                severity_text="Alvorlig",
                times=1 + n % 2,
                **named,
            )
            for n in range(4)
        ]
        return schemas.Preview(
            kind=request.kind,
            name=request.spec["name"],
            since=since,
            until=now,
            observations=18_211,
            devices=42,
            cut=True,
            before=sum(each.before for each in days),
            after=sum(each.after for each in days),
            days=days,
            most=[schemas.PreviewMost(before=9, after=3, **named)],
            newest_before=gone,
            newest_after=gone[:2],
            only_before=2,
            only_after=0,
            newest_only_before=gone[2:],
            newest_only_after=[],
            crashed=[],
        )

    def device(self, now: datetime, language: str) -> schemas.DeviceDetail:
        every = self.of_kind("fall_alarm", language)
        own = [each for each in every if each.scope.name == "kind"]
        nearer = {each.name: each for each in every if each.scope.name != "kind"}
        applied = [
            schemas.AppliedRule(rule=nearer.get(each.name, each), hides=[KIND_WIDE] if each.name in nearer else [])
            for each in own
        ]
        return schemas.DeviceDetail(
            id=UUID(int=200),
            kind="fall_alarm",
            address="fa-0017",
            model="Sensorarmbånd 2",
            site="stavanger-nord",
            registered=True,
            zone=schemas.Named(id=ZONE.id or UUID(int=0), name=ZONE.text),
            dwelling="Tastarustå 14, H0203",
            placed="håndledd",
            resident=schemas.Named(id=RESIDENT.id or UUID(int=0), name=RESIDENT.text),
            last_seen=now - timedelta(minutes=4),
            online=False,
            state={"battery": self.battery, "firmware": "2.4.1", "mains": False},
            fitted_since=now - timedelta(days=120),
            silent_after_seconds=25 * 3600,
            quiet_since=now - timedelta(minutes=4),
            silent_at=now - timedelta(minutes=4) + timedelta(hours=25),
            silent=False,
            open_alerts=1,
            severity=20,
            heard_until=now,
            alerts=[],
            rules=applied,
            silences=[],
            may_change=True,
        )

    def devices(self, now: datetime, language: str) -> list[schemas.DeviceItem]:
        """One that is silent, and one that is not."""
        well = self.device(now, language)
        since = now - timedelta(days=3)
        gone = {"id": UUID(int=201), "address": "fa-0099", "last_seen": since, "quiet_since": since, "silent": True}
        return [
            well.model_copy(update={**gone, "silent_at": since + timedelta(hours=25), "state": {"battery": 7}}),
            well,
        ]

    def _check(self) -> None:
        if self.stale:
            raise Conflict("stale", "changed")
        if self.wrong:
            raise InvalidFields("rule", "wrong", "mend", self.wrong)
