"""Homes whose devices say things by their kinds' default rules, replayed by the code that judges live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.model import Heard, Subject
from alerts.replay import Fitted, Planned, Story, Told, replay
from alerts.rulebook import Rulebook
from alerts.rules import Rule
from alerts.schedule import DosePlan
from devices.kinds import kinds
from devices.model import Said
from simulators.home import Fitting
from tests.alerts.homes import said
from tests.alerts.replays import book_of, default_book

EVERY_DAY = frozenset(range(7))


def book_with(*enabled: str) -> Rulebook:
    """The default rules of every kind; those that are ``enabled`` by name are on, whatever the default."""
    every = [rule for rules in default_book().rules.values() for rule in rules]
    return book_of(_switched_on(rule) if rule.spec.name in enabled else rule for rule in every)


def _switched_on(rule: Rule) -> Rule:
    return replace(rule, spec=rule.spec.model_copy(update={"enabled": True}))


@dataclass
class Households:
    """Devices by address, each fitted since the beginning; what they say, in order."""

    since: datetime
    book: Rulebook = field(default_factory=default_book)
    _dwellings: dict[str, int] = field(default_factory=dict)
    _fitted: dict[str, Fitted] = field(default_factory=dict)
    _planned: list[Planned] = field(default_factory=list)
    _heard: list[Heard] = field(default_factory=list)

    def fit(self, fitting: Fitting, *, silent_after: timedelta | None = None) -> None:
        """Devices of one ``home`` are in one dwelling."""
        number = len(self._fitted) + 1
        dwelling = self._dwellings.setdefault(fitting.home or fitting.address, len(self._dwellings) + 1)
        subject = Subject(1, 10, number, 1000 + number, dwelling, 7)
        contract = silent_after or kinds()[fitting.kind].silent_after
        made = Fitted(fitting.kind, subject, contract.total_seconds(), self.since)
        self._fitted[fitting.address] = made
        for place, dose in enumerate(fitting.doses):
            plan = DosePlan(dose, EVERY_DAY, self.since.date())
            self._planned.append(Planned(number * 100 + place, made, plan))

    def says(self, address: str, at: datetime, type_: str, **fields: Any) -> None:
        """A device says something, which is heard a second later."""
        fitted = self._fitted[address]
        self._heard.append(said(type_, at, kind=fitted.kind, fields=fields, subject=fitted.subject))

    def lives(self, address: str, told: Iterable[Said]) -> None:
        for each in told:
            self.says(address, each.at, each.type, **each.fields)

    def alerts(self, until: datetime) -> list[Told]:
        """Whatever comes of it."""
        heard = sorted(self._heard, key=lambda each: each.observation.received_at)
        story = Story(heard, self.since, until, list(self._fitted.values()), self._planned)
        replayed = replay(story, self.book)
        assert replayed.failures == []
        return replayed.alerts


def told(alerts: Iterable[Told]) -> list[Mapping[str, Any]]:
    """Alerts as a story expects them: condition, code, severity, track."""
    return [
        {
            "condition": each.first.condition,
            "vkp": each.first.vkp_code,
            "severity": each.severity,
            "track": str(each.first.track),
        }
        for each in alerts
    ]
