"""Dose: a planned dose that nobody confirmed.

Theory
    The shell opens a watch per planned dose: ``since`` is the planned time, ``due_at`` planned + grace (the schedule's own,
    ``facts["grace"]``, else the rule's). What the
    device says *meets* the watch (dispensed, taken) or *answers* it (it says itself that the dose was missed: another
    rule raises that, so that one dose is one alert). Nothing said, and the site heard since: raised.

Which dose an event is about
    ``dose_at`` where the device says it. Else a dose hears each type of event once ("taken" after "dispensed" is the
    same dose, a second "dispensed" is another), and what could be a late word on one dose is never taken for an early
    word on the next: a dose watched in vain is a call too many, one taken for granted is a dose nobody misses.
        1. the earliest dose from 10 minutes before its time to its ``due_at``;
        2. the latest dose that was due up to ``early`` ago (too late to be met);
        3. the next dose, from ``early`` before it;
        4. the latest missed dose of the last 24 hours.
    Something that comes after the watch was raised informs the alert and clears nothing: a human looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Lateness, Subject, Watch, WatchState
from alerts.rules import EventTypes, Moment, RuleType, Scene, Wanted
from devices.model import Observation, parse_time

SAME_DOSE = timedelta(minutes=1)
ON_TIME = timedelta(minutes=10)
"""How much earlier than planned still counts as on time: clocks differ."""
INFORMED_FOR = timedelta(hours=24)


class Dose(RuleType):
    """A planned dose that nobody confirmed within ``grace_seconds``."""

    type: Literal["dose"] = "dose"
    met_by: EventTypes
    answered_by: tuple[str, ...] = ()
    grace_seconds: Annotated[int, Field(ge=300, le=5 * 3600)] = 3600
    early_seconds: Annotated[int, Field(ge=0, le=12 * 3600)] = 3600

    waits = True

    def hears(self) -> frozenset[str]:
        return frozenset({*self.met_by, *self.answered_by})

    def wants(self, said: Observation) -> Wanted:
        return Wanted.ANY if said.type in self.met_by or said.type in self.answered_by else Wanted.NOTHING

    def open(self, rule_id: int, subject: Subject, schedule_id: int, dose_at: datetime, grace: int | None) -> Watch:
        """The watch for one planned dose; a schedule's own grace, in seconds, wins."""
        key = f"dose:{schedule_id}:{dose_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        opened = Watch(key, rule_id, subject, since=dose_at, due_at=dose_at, facts={"grace": grace})
        return replace(opened, due_at=self._ends(opened))

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        if not self._counts(heard):
            return NOTHING
        watch = self._watch_meant(heard, scene.watches)
        if watch is None:
            return NOTHING
        said = heard.observation
        told = replace(watch, facts={**watch.facts, "heard": sorted({*_types_heard(watch), said.type})})
        if watch.state is WatchState.RAISED:
            over, device = said.type in self.met_by, watch.subject.device_id
            inform = Inform(self.key(watch.subject), "device_said", Evidence.of(said), over, device)
            return Judgement((told,), (inform,))
        if _dose_at(heard) is None and said.occurred_at > self._ends(watch):
            return Judgement((told,))
        return Judgement((replace(told, due_at=None, state=WatchState.MET),))

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        if watch.state is not WatchState.WAITING:
            return Judgement((replace(watch, due_at=None),))
        if self._ends(watch) > moment.known_until:
            return Judgement((replace(watch, due_at=self._ends(watch)),))
        evidence = Evidence(
            type="nothing_said",
            occurred_at=watch.since,
            received_at=moment.now,
            fields={"dose_at": watch.since.isoformat()},
        )
        done = replace(watch, due_at=None, state=WatchState.RAISED)
        return Judgement((done,), (self.raised(watch.rule_id, watch.subject, evidence),))

    def _ends(self, watch: Watch) -> datetime:
        """When the dose counts as missed, as the rule has it now."""
        own = watch.facts.get("grace")
        return watch.since + timedelta(seconds=self.grace_seconds if own is None else own)

    def _counts(self, heard: Heard) -> bool:
        """History is raised by no other rule, so it answers nothing; that a dose was given long ago still counts."""
        said = heard.observation.type
        answers = said in self.answered_by and heard.lateness is not Lateness.HISTORY
        return answers or said in self.met_by

    def _watch_meant(self, heard: Heard, watches: Sequence[Watch]) -> Watch | None:
        ordered = sorted(watches, key=lambda watch: watch.since)
        planned = _dose_at(heard)
        if planned is None:
            return self._by_time(heard, ordered)
        same = [watch for watch in ordered if abs(watch.since - planned) < SAME_DOSE]
        return next((watch for watch in same if watch.state is WatchState.WAITING), same[0] if same else None)

    def _by_time(self, heard: Heard, ordered: Sequence[Watch]) -> Watch | None:
        at, early = heard.observation.occurred_at, timedelta(seconds=self.early_seconds)
        unheard = [watch for watch in ordered if heard.observation.type not in _types_heard(watch)]
        on_time = [each for each in unheard if each.since - min(early, ON_TIME) <= at <= self._ends(each)]
        late = [each for each in unheard if self._ends(each) < at <= self._ends(each) + early]
        ahead = [
            each for each in unheard if each.state is WatchState.WAITING and each.since - early <= at <= each.since
        ]
        missed = [each for each in unheard if each.state is WatchState.RAISED]
        informed = [each for each in missed if each.since <= at <= each.since + INFORMED_FOR]
        return next(iter([*on_time[:1], *late[-1:], *ahead[:1], *informed[-1:]]), None)


def _types_heard(watch: Watch) -> Sequence[str]:
    heard: Sequence[str] = watch.facts.get("heard", ())
    return heard


def _dose_at(heard: Heard) -> datetime | None:
    """The dose the device names; None where it names none, or in a way that nobody understands."""
    try:
        return parse_time(heard.observation.fields.get("dose_at"))
    except ValueError:
        return None
