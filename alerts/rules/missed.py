"""Missed: something that should have happened did not – after something else, or by a time of day.

Theory
    *After*: one of ``after`` begins a wait of ``within_seconds`` for one of ``met_by``; see :mod:`alerts.waiting`.
    *By*: a watch for each fitting, day after day (``facts["day"]``; its times are the rule's, as it stands): between ``since``
    and ``by``, by the clock on the wall, one of ``met_by`` has to come. A day that had begun when the watch was opened does
    not count. What comes too late is told on the alert; what is known of later days already is kept (``facts["met"]``).
    (A planned dose is a rule of its own, :mod:`alerts.rules.dose`: which dose something is about takes more than this.)
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, tzinfo
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Subject, Watch
from alerts.rules import EventTypes, Moment, RuleType, Scene, Start, Wanted
from alerts.schedule import ONE_DAY, Weekdays, local
from alerts.waiting import begun, ended, lapsed, seconds
from devices.model import Observation

REMEMBERED = 7
"""Days that are kept of what has come while an earlier day is still waited for."""


class Missed(RuleType):
    """Either ``after`` with ``within_seconds``, or ``by`` with ``since`` (local times, ``since`` the earlier) on ``weekdays``."""

    type: Literal["missed"] = "missed"
    met_by: EventTypes
    after: tuple[str, ...] = ()
    within_seconds: Annotated[int, Field(ge=1, le=7 * 24 * 3600)] | None = None
    since: time = time(0)
    by: time | None = None
    weekdays: Weekdays = tuple(range(7))

    waits = True

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.after) == (self.by is not None) or bool(self.after) != (self.within_seconds is not None):
            raise ValueError("give either after and within_seconds, or by")
        if self.by is not None and self.by <= self.since:
            raise ValueError("by must be later in the day than since")
        return self

    @property
    def standing(self) -> bool:
        return self.by is not None

    @property
    def watch_prefix(self) -> str:
        """The two ways wait for different things, and never for each other's."""
        return f"missed{'_by' if self.by is not None else ''}:{self.name}:"

    @property
    def lasting(self) -> bool:
        return bool(self.after)

    def hears(self) -> frozenset[str]:
        return frozenset({*self.after, *self.met_by})

    def wants(self, said: Observation) -> Wanted:
        if said.type in self.after:
            return Wanted.ANY
        return Wanted.OUTSTANDING if said.type in self.met_by else Wanted.NOTHING

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        said, watch = heard.observation, scene.watch
        if self.by is not None:
            return self._met(heard, watch, scene.local) if said.type in self.met_by else NOTHING
        over = ended(self, rule_id, heard, watch) if said.type in self.met_by and watch is not None else NOTHING
        if said.type not in self.after:
            return over
        watch = over.watches[-1] if over.watches else watch
        new = begun(self, rule_id, heard, watch, said.occurred_at + seconds(self.within_seconds or 0))
        return Judgement(new.watches or over.watches, over.signals)

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        if self.by is None:
            return lapsed(self, watch, moment, watch.since + seconds(self.within_seconds or 0))
        begins, ends = self._period(_day_of(watch, moment.local), moment.local)
        if ends > moment.known_until:
            return Judgement((replace(watch, since=begins, due_at=ends),))
        following = self._following(watch, moment.local)
        if not self._counts(_day_of(watch, moment.local)):  # the rule has other days now
            return Judgement((following,))
        evidence = Evidence("nothing_said", begins, moment.now, {"by": ends.isoformat()})
        missed = {**following.facts, "missed": begins.isoformat()}
        return Judgement((replace(following, facts=missed),), (self.raised(watch.rule_id, watch.subject, evidence),))

    def begin(self, rule_id: int, subject: Subject, start: Start) -> Watch:
        day = start.now.astimezone(start.local).date()
        if self._period(day, start.local)[0] < start.now:
            day += ONE_DAY
        return self._on(Watch(self.watch_key(subject), rule_id, subject, start.now, start.now), day, start.local)

    def _met(self, heard: Heard, watch: Watch | None, zone: tzinfo) -> Judgement:
        at = heard.observation.occurred_at
        if watch is None or watch.due_at is None:
            return NOTHING
        waited_for, day = _day_of(watch, zone), at.astimezone(zone).date()
        begins, ends = self._period(day, zone)
        if day == waited_for and begins <= at <= ends:
            return Judgement((self._following(watch, zone),))
        if waited_for < day and begins <= at <= ends:
            met = sorted({*watch.facts.get("met", ()), day.isoformat()})[-REMEMBERED:]
            return Judgement((replace(watch, facts={**watch.facts, "met": met}),))
        return self._too_late(heard, watch)

    def _too_late(self, heard: Heard, watch: Watch) -> Judgement:
        missed = watch.facts.get("missed")
        if missed is None or heard.observation.occurred_at < datetime.fromisoformat(missed):
            return NOTHING
        evidence, device = Evidence.of(heard.observation), watch.subject.device_id
        told = Inform(self.key(watch.subject), "device_said", evidence, over=True, device_id=device)
        facts = {name: value for name, value in watch.facts.items() if name != "missed"}
        return Judgement((replace(watch, facts=facts),), (told,))

    def _following(self, watch: Watch, zone: tzinfo) -> Watch:
        """The next day on which something has to come, and is not known to have come."""
        met, day = watch.facts.get("met", ()), _day_of(watch, zone) + ONE_DAY
        while day.isoformat() in met:
            day += ONE_DAY
        later = [each for each in met if each > day.isoformat()]
        return self._on(replace(watch, facts={"met": later} if later else {}), day, zone)

    def _on(self, watch: Watch, day: date, zone: tzinfo) -> Watch:
        while not self._counts(day):
            day += ONE_DAY
        begins, ends = self._period(day, zone)
        return replace(watch, since=begins, due_at=ends, facts={**watch.facts, "day": day.isoformat()})

    def _counts(self, day: date) -> bool:
        return day.weekday() in self.weekdays

    def _period(self, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
        """When a day's wait begins and ends, in UTC."""
        return local(day, self.since, zone), local(day, self.by or self.since, zone)


def _day_of(watch: Watch, zone: tzinfo) -> date:
    day = watch.facts.get("day")
    return date.fromisoformat(day) if day else watch.since.astimezone(zone).date()
