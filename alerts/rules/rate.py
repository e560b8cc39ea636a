"""Rate: a device that cries too often – thirty times a month. Somebody should look at it, or at how it is used.

Theory
    One count a local day. The sum of the last ``days`` reaching ``count`` raises once; the alert is over when the sum has
    fallen below it again, which is looked at once a day.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import Field

from alerts.model import NOTHING, Clear, Evidence, Heard, Judgement, Lateness, Track, Watch, WatchState
from alerts.rules import EventTypes, Moment, OnlyIf, RuleType, Scene, Wanted, fits
from devices.model import Observation

LOOK_AGAIN = timedelta(days=1)


class Rate(RuleType):
    """``count`` of the types in ``on``, whose fields fit ``only_if``, within ``days`` (today is one of them)."""

    type: Literal["rate"] = "rate"
    on: EventTypes
    only_if: OnlyIf = Field(default_factory=dict)
    count: Annotated[int, Field(ge=2, le=10_000)]
    days: Annotated[int, Field(ge=1, le=35)]

    waits = True

    @property
    def lasting(self) -> bool:
        return True

    def hears(self) -> frozenset[str]:
        return frozenset(self.on)

    def wants(self, said: Observation) -> Wanted:
        return Wanted.ANY if said.type in self.on and fits(said, self.only_if) else Wanted.NOTHING

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        said, watch = heard.observation, scene.watch
        if self.wants(said) is Wanted.NOTHING or heard.lateness is Lateness.HISTORY:
            return NOTHING
        by_day, today = _counts(watch), _day(said.occurred_at, scene.local)
        by_day[today] = by_day.get(today, 0) + 1
        kept = self._recent(by_day, max(by_day))
        raised = watch is not None and watch.state is WatchState.RAISED
        reached = sum(kept.values()) >= self.count
        moved = Watch(
            self.watch_key(heard.subject),
            rule_id,
            heard.subject,
            since=max(said.occurred_at, watch.since) if watch else said.occurred_at,
            due_at=watch.due_at if raised and watch else said.received_at + LOOK_AGAIN if reached else None,
            state=WatchState.RAISED if reached or raised else WatchState.MET,
            facts=_facts(kept),
        )
        if not reached or raised:
            return Judgement((moved,))
        told = Evidence.of(said)
        evidence = Evidence(
            said.type,
            told.occurred_at,
            told.received_at,
            {"times": sum(kept.values()), "days": self.days},
            kind=told.kind,
        )
        return Judgement((moved,), (self.raised(rule_id, heard.subject, evidence),))

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        kept = self._recent(_counts(watch), _day(moment.now, moment.local))
        if sum(kept.values()) >= self.count:
            later = Watch(
                watch.key, watch.rule_id, watch.subject, watch.since, moment.now + LOOK_AGAIN, watch.state, _facts(kept)
            )
            return Judgement((later,))
        calm = Watch(watch.key, watch.rule_id, watch.subject, watch.since, None, WatchState.MET, _facts(kept))
        evidence = Evidence("calm_again", watch.since, moment.now, {"times": sum(kept.values()), "days": self.days})
        return Judgement((calm,), (Clear(self.key(watch.subject), evidence),) if self.track is Track.TECHNICAL else ())

    def _recent(self, by_day: dict[date, int], today: date) -> dict[date, int]:
        first = today - timedelta(days=self.days - 1)
        return {day: count for day, count in by_day.items() if day >= first}


def _day(at: datetime, zone: tzinfo) -> date:
    return at.astimezone(zone).date()


def _counts(watch: Watch | None) -> dict[date, int]:
    told: dict[str, int] = watch.facts.get("by_day", {}) if watch else {}
    return {date.fromisoformat(day): count for day, count in told.items()}


def _facts(by_day: dict[date, int]) -> dict[str, Any]:
    return {"by_day": {day.isoformat(): count for day, count in sorted(by_day.items())}}
