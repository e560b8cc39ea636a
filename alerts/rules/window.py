"""Window: a device said it at a time of day when it should not have happened: a door that is opened at night.

The time is the device's, by the clock on the wall; see :class:`~alerts.schedule.Window`.
"""

from __future__ import annotations

from typing import Literal

from alerts.model import NOTHING, Evidence, Heard, Inform, Judgement, Lateness
from alerts.rules import EventTypes, RuleType, Scene
from alerts.schedule import Window as TimeOfDay


class Window(RuleType):
    """``on``: event types that raise within ``window``. ``inform_on``: types that are noted on the open alert, at any time."""

    type: Literal["window"] = "window"
    on: EventTypes
    window: TimeOfDay
    inform_on: tuple[str, ...] = ()

    @property
    def lasting(self) -> bool:
        """Where some word tells its end."""
        return bool(self.inform_on)

    def hears(self) -> frozenset[str]:
        return frozenset({*self.on, *self.inform_on})

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        said = heard.observation
        if heard.lateness is Lateness.HISTORY:
            return NOTHING
        if said.type in self.on and self.window.covers(said.occurred_at, scene.local):
            return Judgement(signals=(self.raised(rule_id, heard.subject, Evidence.of(said)),))
        if said.type in self.inform_on:
            told = Inform(
                self.key(heard.subject), "device_said", Evidence.of(said), over=True, device_id=heard.subject.device_id
            )
            return Judgement(signals=(told,))
        return NOTHING
