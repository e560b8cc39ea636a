"""Rise: a number climbs by much in a short time – before it has reached any limit.

Theory
    The readings of the last ``within_seconds``, by the times that the device gives, are kept with the watch. A reading that
    is ``by`` or more above the lowest of them raises, once; the next can come when one is not. A reading that comes late
    is put where it belongs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from alerts.model import NOTHING, Evidence, Heard, Judgement, Lateness, Watch, WatchState
from alerts.rules import EventTypes, Moment, RuleType, Scene, Wanted
from devices.model import Observation

REMEMBERED = 100
"""Readings that are kept of a fitting."""


class Rise(RuleType):
    """``field`` of the types in ``on`` rises by ``by``, in its own unit, within ``within_seconds``."""

    type: Literal["rise"] = "rise"
    on: EventTypes
    field: Annotated[str, Field(min_length=1, max_length=64)]
    by: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    within_seconds: Annotated[int, Field(ge=1, le=24 * 3600)]

    waits = True

    def hears(self) -> frozenset[str]:
        return frozenset(self.on)

    def wants(self, said: Observation) -> Wanted:
        return Wanted.NOTHING if self._value(said) is None else Wanted.ANY

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        value, watch = self._value(heard.observation), scene.watch
        if value is None or heard.lateness is Lateness.HISTORY:
            return NOTHING
        readings = self._recent([*_readings(watch), (heard.observation.occurred_at, value)])
        newest, now = readings[-1]
        risen = now - min(each for _, each in readings) >= self.by
        state = WatchState.RAISED if risen else WatchState.MET
        facts = {"readings": [[at.isoformat(), each] for at, each in readings]}
        kept = Watch(self.watch_key(heard.subject), rule_id, heard.subject, newest, None, state, facts)
        told_before = watch is not None and watch.state is WatchState.RAISED
        if not risen or told_before:
            return Judgement((kept,))
        return Judgement((kept,), (self.raised(rule_id, heard.subject, Evidence.of(heard.observation)),))

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        """Nothing of it is ever due; it is looked at where the rule was changed."""
        settled = watch.state if watch.state is WatchState.RAISED else WatchState.MET
        return Judgement((replace(watch, due_at=None, state=settled),))

    def _recent(self, readings: list[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
        in_order = sorted(readings)
        since = in_order[-1][0] - timedelta(seconds=self.within_seconds)
        return [each for each in in_order if each[0] >= since][-REMEMBERED:]

    def _value(self, said: Observation) -> float | None:
        value = said.fields.get(self.field) if said.type in self.on else None
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _readings(watch: Watch | None) -> list[tuple[datetime, float]]:
    return [(datetime.fromisoformat(at), value) for at, value in watch.facts.get("readings", ())] if watch else []
