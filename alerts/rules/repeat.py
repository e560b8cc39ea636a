"""Repeat: the same thing again and again within a short time. Each is evidence, and together they weigh more.

Theory
    Each press raises by a rule of its own; this one counts. From the ``count``-th within ``within_seconds`` on, by the
    times the device gives, the alert gets this rule's severity and more people are called at once – also where each of the
    earlier ones was looked at and closed, because the count is the fitting's and not the alert's. Its condition is that
    of the rule that raises the single press, so that it joins the same alert.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from alerts.model import NOTHING, Evidence, Heard, Judgement, Lateness, Watch, WatchState
from alerts.rules import EventTypes, Moment, OnlyIf, RuleType, Scene, Wanted, fits
from devices.model import Observation

REMEMBERED = 100
"""Times that are kept of a fitting: nobody needs more to know that help is wanted."""


class Repeat(RuleType):
    """``on``: the types that count, whose fields fit ``only_if``."""

    type: Literal["repeat"] = "repeat"
    on: EventTypes
    only_if: OnlyIf = Field(default_factory=dict)
    count: Annotated[int, Field(ge=2, le=50)]
    within_seconds: Annotated[int, Field(ge=1, le=7 * 24 * 3600)]

    waits = True

    def hears(self) -> frozenset[str]:
        return frozenset(self.on)

    def wants(self, said: Observation) -> Wanted:
        return Wanted.ANY if said.type in self.on and fits(said, self.only_if) else Wanted.NOTHING

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        if self.wants(heard.observation) is Wanted.NOTHING or heard.lateness is Lateness.HISTORY:
            return NOTHING
        at = heard.observation.occurred_at
        times = sorted([*_times(scene.watch), at])
        newest = times[-1]
        kept = [each for each in times if newest - each <= timedelta(seconds=self.within_seconds)][-REMEMBERED:]
        facts = {"times": [each.isoformat() for each in kept]}
        counted = Watch(self.watch_key(heard.subject), rule_id, heard.subject, newest, None, WatchState.MET, facts)
        repeats = self._together(times, at)
        if repeats < self.count:
            return Judgement((counted,))
        signal = self.raised(rule_id, heard.subject, Evidence.of(heard.observation), repeats=repeats)
        return Judgement((counted,), (signal,))

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        """Nothing of it is ever due."""
        return Judgement((replace(watch, due_at=None, state=WatchState.MET),))

    def _together(self, times: list[datetime], at: datetime) -> int:
        """The most that happened within the time, ``at`` among them."""
        span = timedelta(seconds=self.within_seconds)
        starts = [each for each in times if at - span <= each <= at]
        return max(sum(start <= each <= start + span for each in times) for start in starts)


def _times(watch: Watch | None) -> list[datetime]:
    return [datetime.fromisoformat(each) for each in watch.facts.get("times", ())] if watch else []
