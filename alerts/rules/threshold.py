"""Threshold: a number that a device reports is too low or too high, until it is clearly good again.

Theory
    Hysteresis: raised when the number passes ``below`` or ``above``, over when it reaches ``clear_at``, and in between as
    it was. A battery that wavers about its limit is one alert. A number that is older than what was raised never clears.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from alerts.model import NOTHING, Evidence, Heard, Judgement, Lateness, Watch, WatchState
from alerts.rules import ANY, OUTSTANDING, EventTypes, RuleType, Scene, Wanted
from alerts.waiting import newest
from devices.model import Observation

Number = Annotated[float, Field(allow_inf_nan=False)]


_NUMBERS = (int, float)


class Threshold(RuleType):
    """``field`` of the types in ``on``; either ``below`` or ``above``, in the field's own unit."""

    type: Literal["threshold"] = "threshold"
    on: EventTypes
    field: Annotated[str, Field(min_length=1, max_length=64)]
    below: Number | None = None
    above: Number | None = None
    clear_at: Number

    waits = True

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("give either below or above")
        if (self.below is not None and self.clear_at < self.below) or (
            self.above is not None and self.clear_at > self.above
        ):
            raise ValueError("clear_at must be on the good side of the limit")
        return self

    @property
    def lasting(self) -> bool:
        return True

    def hears(self) -> frozenset[str]:
        return frozenset(self.on)

    def wants(self, said: Observation) -> Wanted:
        """A good number is what is said nearly always: it looks for what is outstanding only."""
        value = self._value(said)
        if value is None:
            return Wanted.NOTHING
        if self._good(value):
            return OUTSTANDING
        return ANY if self._bad(value) else Wanted.NOTHING

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        value, watch = self._value(heard.observation), scene.watch
        if value is None or (watch is not None and heard.observation.occurred_at < newest(watch)):
            return NOTHING
        raised = watch is not None and watch.state is WatchState.RAISED
        evidence = Evidence.of(heard.observation)
        if self._bad(value) and not raised and heard.lateness is not Lateness.HISTORY:
            signal = self.raised(rule_id, heard.subject, evidence)
            return Judgement((self._as(WatchState.RAISED, rule_id, heard),), (signal,))
        if self._bad(value) and raised and watch is not None:
            noted = {"newest": heard.observation.occurred_at.isoformat()}
            return Judgement((replace(watch, facts=noted),))
        if self._good(value) and raised:
            return Judgement((self._as(WatchState.MET, rule_id, heard),), (self.over(heard.subject, evidence),))
        return NOTHING

    def elapse(self, watch: Watch, moment: object) -> Judgement:
        """Nothing of it is ever due by itself; it is looked at where the rule was changed."""
        settled = watch.state if watch.state is WatchState.RAISED else WatchState.MET
        return Judgement((replace(watch, due_at=None, state=settled),))

    def _as(self, state: WatchState, rule_id: int, heard: Heard) -> Watch:
        at = heard.observation.occurred_at
        return Watch(self.watch_key(heard.subject), rule_id, heard.subject, at, None, state)

    def _value(self, said: Observation) -> float | None:
        value = said.fields.get(self.field) if said.type in self.on else None
        return value if type(value) in _NUMBERS else None

    def _bad(self, value: float) -> bool:
        return value < self.below if self.below is not None else self.above is not None and value > self.above

    def _good(self, value: float) -> bool:
        return value >= self.clear_at if self.below is not None else value <= self.clear_at
