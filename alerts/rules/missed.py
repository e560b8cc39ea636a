"""Missed: something that should have happened did not – after something else, or by a time of day.

Theory
    *After*: one of ``after`` begins a wait of ``within_seconds`` for one of ``met_by``; see :mod:`alerts.waiting`.
    *By*: a watch for each fitting, day after day: between ``since`` and ``by``, by the clock on the wall, one of ``met_by``
    has to come. A day that had begun when the watch was opened does not count. What comes too late is told on the alert.
    (A planned dose is a rule of its own, :mod:`alerts.rules.dose`: which dose something is about takes more than this.)
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Subject, Watch
from alerts.rules import EventTypes, Moment, RuleType, Scene, Start, Wanted
from alerts.schedule import ONE_DAY, Weekdays, local
from alerts.waiting import begun, ended, lapsed, seconds
from devices.model import Observation


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

    def hears(self) -> frozenset[str]:
        return frozenset({*self.after, *self.met_by})

    def wants(self, said: Observation) -> Wanted:
        if said.type in self.after:
            return Wanted.ANY
        return Wanted.OUTSTANDING if said.type in self.met_by else Wanted.NOTHING

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        said, watch = heard.observation, scene.watch
        if self.by is not None:
            return self._met_today(rule_id, heard, watch, scene.local) if said.type in self.met_by else NOTHING
        if said.type in self.met_by and watch is not None:
            return ended(self, rule_id, heard, watch)
        if said.type in self.after:
            return begun(self, rule_id, heard, watch, said.occurred_at + seconds(self.within_seconds or 0))
        return NOTHING

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        if self.by is None:
            return lapsed(self, watch, moment, watch.since + seconds(self.within_seconds or 0))
        begins, ends = self._day(watch.since, moment.local)
        if begins != watch.since or ends > moment.known_until:  # the rule has other times now, or it is not yet time
            return Judgement((replace(watch, since=begins, due_at=ends),))
        evidence = Evidence("nothing_said", watch.since, moment.now, {"by": ends.isoformat()})
        missed = {"since": begins.isoformat(), "until": ends.isoformat()}
        following = self._following(watch, ends, moment.local, {"missed": missed})
        return Judgement((following,), (self.raised(watch.rule_id, watch.subject, evidence),))

    def begin(self, rule_id: int, subject: Subject, start: Start) -> Watch:
        begins, ends = self._day(start.now, start.local)
        return Watch(self.watch_key(subject), rule_id, subject, since=begins, due_at=ends)

    def _met_today(self, rule_id: int, heard: Heard, watch: Watch | None, zone: tzinfo) -> Judgement:
        at = heard.observation.occurred_at
        if watch is None or watch.due_at is None:
            return NOTHING
        if watch.since <= at <= watch.due_at:
            return Judgement((self._following(watch, watch.due_at, zone, {}),))
        missed = watch.facts.get("missed")
        if missed is None or at < datetime.fromisoformat(missed["since"]):
            return NOTHING
        told = Inform(self.key(watch.subject), "device_said", Evidence.of(heard.observation))
        return Judgement((replace(watch, facts={}),), (told,))

    def _following(self, watch: Watch, ends: datetime, zone: tzinfo, facts: dict[str, Any]) -> Watch:
        since, due_at = self._day(ends + timedelta(microseconds=1), zone)
        return replace(watch, since=since, due_at=due_at, facts=facts)

    def _day(self, after: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
        """The first whole period that begins at ``after`` or later, in UTC."""
        day = after.astimezone(zone).date() - ONE_DAY
        while local(day, self.since, zone) < after or day.weekday() not in self.weekdays:
            day += ONE_DAY
        return local(day, self.since, zone), local(day, self.by or self.since, zone)
