"""Immediate: a device said it, so it is an alert. Late is raised too (and says so); history is not, nor told on today's alert."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Lateness, Track
from alerts.rules import EventTypes, OnlyIf, RuleType, Scene, fits


class Immediate(RuleType):
    """``on``: event types that raise, where their fields fit ``only_if``. ``inform_on``: types that are noted on the open
    alert and clear nothing; after those of ``still_on`` it may go on all the same."""

    type: Literal["immediate"] = "immediate"
    on: EventTypes
    inform_on: tuple[str, ...] = ()
    still_on: tuple[str, ...] = ()
    only_if: OnlyIf = Field(default_factory=dict)

    NEWER: ClassVar[frozenset[str]] = RuleType.NEWER | {"still_on"}

    @property
    def lasting(self) -> bool:
        """Where some word tells its end, or somebody has to mend it."""
        return self.track is Track.TECHNICAL or not set(self.inform_on) <= set(self.still_on)

    def hears(self) -> frozenset[str]:
        return frozenset({*self.on, *self.inform_on})

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        said = heard.observation
        evidence = Evidence.of(said)
        if heard.lateness is Lateness.HISTORY:
            return NOTHING
        if said.type in self.on and fits(said, self.only_if):
            return Judgement(signals=(self.raised(rule_id, heard.subject, evidence),))
        if said.type in self.inform_on:
            over = said.type not in self.still_on
            told = Inform(self.key(heard.subject), "device_said", evidence, over, heard.subject.device_id)
            return Judgement(signals=(told,))
        return NOTHING
