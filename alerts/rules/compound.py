"""Compound: several things together – out at night and *not back*; smoke *and* somebody at home.

Theory
    A word of the device begins it: one of ``on``, within ``window``, while each of ``given`` holds. A given looks at the
    home's last words, from any device that is fitted there: is the newest of some words one of those that are meant?
    Then, unless one of ``unless`` comes within ``within_seconds`` – from this device, another of its kind in the home
    (own types by their name), or one of another kind (``kind/type``) – it is raised. With 0 seconds it is raised at once.
    A type that is in ``on`` and in ``unless`` ends a wait where there is one, and begins one where there is none: a door
    that opens again has somebody coming back, and so has the back door after the front door.
    What comes within ``settle_seconds`` of the beginning is a part of it, and ends nothing: a door that bounces.
    With ``tells`` it raises nothing, but tells whoever deals with the open alert of its condition, at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Lateness, Signal, Watch, WatchState
from alerts.rules import EventTypes, LastWord, Moment, OnlyIf, RuleType, Scene, Wanted, fits, word_of
from alerts.schedule import Window
from alerts.waiting import begun, ended, lapsed, outstanding, seconds
from devices.model import Observation

WordName = Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$", max_length=130)]
"""``kind/type``."""


class Given(BaseModel):
    """That the newest word among ``of``, no older than ``within_seconds``, is one of ``is_one_of``; where nothing of the
    kind was said, ``if_unknown``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: Annotated[tuple[WordName, ...], Field(min_length=1)]
    is_one_of: Annotated[tuple[WordName, ...], Field(min_length=1)]
    within_seconds: Annotated[int, Field(ge=1, le=30 * 24 * 3600)] = 24 * 3600
    if_unknown: bool = False

    def holds(self, home: Mapping[str, LastWord], at: datetime) -> bool:
        """Whether it is so at a time."""
        said = [(home[word].rank, word) for word in self.of if word in home]
        recent = [each for each in said if each[0][0] >= at - timedelta(seconds=self.within_seconds)]
        return max(recent)[1] in self.is_one_of if recent else self.if_unknown


class Compound(RuleType):
    """See above. ``within_seconds``: how long to wait for one of ``unless``."""

    type: Literal["compound"] = "compound"
    on: EventTypes
    only_if: OnlyIf = Field(default_factory=dict)
    unless: tuple[str, ...] = ()
    within_seconds: Annotated[int, Field(ge=0, le=7 * 24 * 3600)] = 0
    settle_seconds: Annotated[int, Field(ge=0, le=600)] = 0
    window: Window | None = None
    given: tuple[Given, ...] = ()
    tells: Literal["home_occupied", "home_empty"] | None = None

    waits = True

    @model_validator(mode="after")
    def _tells_at_once(self) -> Self:
        if self.tells is not None and self.within_seconds:
            raise ValueError("a rule that tells does so at once: leave within_seconds out")
        return self

    @property
    def lasting(self) -> bool:
        return self.within_seconds > 0

    def hears(self) -> frozenset[str]:
        return frozenset({*self.on, *self.unless})

    def asks(self) -> frozenset[str]:
        """The words (``kind/type``) that it has to know of."""
        return frozenset(word for each in self.given for word in each.of)

    def listens(self, kind: str) -> frozenset[str]:
        """The words (``kind/type``) that may end a wait of a device of this kind."""
        return frozenset(each if "/" in each else f"{kind}/{each}" for each in self.unless)

    def wants(self, said: Observation) -> Wanted:
        ends = self._ends(said)
        if not self.within_seconds or (said.type not in self.on and not ends):
            return Wanted.NOTHING
        return Wanted.ANY

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        said, watch = heard.observation, scene.watch
        if self._ends(said) and watch is not None and outstanding(watch):
            return NOTHING if self._settles(heard, watch) else ended(self, rule_id, heard, watch)
        if not self._begins(heard, scene):
            return ended(self, rule_id, heard, watch) if self.within_seconds and self._ends(said) else NOTHING
        if not self.within_seconds:
            return Judgement(signals=(self._signal(rule_id, heard, Evidence.of(said)),))
        return begun(self, rule_id, heard, watch, said.occurred_at + seconds(self.within_seconds))

    def neighbour(self, rule_id: int, heard: Heard, watch: Watch) -> Judgement:
        """What a word of another device of the home makes of an outstanding watch."""
        if not outstanding(watch) or self._settles(heard, watch):
            return NOTHING
        return ended(self, rule_id, heard, watch)

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        return lapsed(self, watch, moment, watch.since + seconds(self.within_seconds))

    def _settles(self, heard: Heard, watch: Watch) -> bool:
        at = heard.observation.occurred_at
        return watch.state is WatchState.WAITING and watch.since <= at < watch.since + seconds(self.settle_seconds)

    def _begins(self, heard: Heard, scene: Scene) -> bool:
        said, at = heard.observation, heard.observation.occurred_at
        return (
            said.type in self.on
            and not scene.ended
            and heard.lateness is not Lateness.HISTORY
            and fits(said, self.only_if)
            and (self.window is None or self.window.covers(at, scene.local))
            and all(each.holds(scene.home, at) for each in self.given)
        )

    def _ends(self, said: Observation) -> bool:
        return said.type in self.unless or word_of(said) in self.unless

    def _signal(self, rule_id: int, heard: Heard, evidence: Evidence) -> Signal:
        if self.tells is not None:
            return Inform(self.key(heard.subject), self.tells, evidence)
        return self.raised(rule_id, heard.subject, evidence)
