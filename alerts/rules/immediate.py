"""Immediate: a device said it, so it is an alert. Late is raised too (and says so); history is not, nor told on today's alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Lateness, Watch
from alerts.rules import RuleType


class Immediate(RuleType):
    """``on``: event types that raise. ``inform_on``: types that are noted on the open alert and clear nothing."""

    type: Literal["immediate"] = "immediate"
    on: Annotated[tuple[str, ...], Field(min_length=1)]
    inform_on: tuple[str, ...] = ()

    def observe(self, rule_id: int, heard: Heard, watches: Sequence[Watch]) -> Judgement:
        said = heard.observation
        evidence = Evidence.of(said)
        if heard.lateness is Lateness.HISTORY:
            return NOTHING
        if said.type in self.on:
            return Judgement(signals=(self.raised(rule_id, heard.subject, evidence),))
        if said.type in self.inform_on:
            return Judgement(signals=(Inform(self.key(heard.subject), "device_said", evidence),))
        return NOTHING
