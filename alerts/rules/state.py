"""State: left in a state for too long – a door open, a lock unlocked, a device without connection.

Theory
    A device says that it enters the state, and that it leaves it; see :mod:`alerts.waiting`. That it says so again (at
    start-up, with each battery report, retained by the broker) is the same state and moves nothing.
    After it was raised, to say so again is the same state for ``SAME_STATE``; later, its end was lost, and it begins anew.
    A ``window`` is when it matters: a state that has lasted long enough outside it is raised when the window begins, if it
    lasts until then.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Literal

from pydantic import Field

from alerts.model import NOTHING, Heard, Judgement, Watch
from alerts.rules import ANY, OUTSTANDING, EventTypes, Moment, OnlyIf, RuleType, Scene, Wanted, fits
from alerts.schedule import Window
from alerts.waiting import begun, ended, lapsed, seconds
from devices.model import MessageClass, Observation

SAME_STATE = timedelta(hours=6)


class State(RuleType):
    """In the state since a type of ``enters`` whose fields fit ``only_if`` and not ``except_if``, until a type of ``leaves``;
    raised when that has lasted ``for_seconds``. A type of both that does not fit leaves the state."""

    type: Literal["state"] = "state"
    enters: EventTypes
    leaves: EventTypes
    only_if: OnlyIf = Field(default_factory=dict)
    except_if: OnlyIf = Field(default_factory=dict)
    for_seconds: Annotated[int, Field(ge=0, le=30 * 24 * 3600)]
    window: Window | None = None

    waits = True

    @property
    def lasting(self) -> bool:
        return True

    def hears(self) -> frozenset[str]:
        return frozenset({*self.enters, *self.leaves})

    def wants(self, said: Observation) -> Wanted:
        """A sign of life must stay cheap: it looks for what is outstanding only."""
        if said.type in self.enters and self._fits(said):
            return ANY
        if said.type not in self.leaves:
            return Wanted.NOTHING
        return OUTSTANDING if said.message_class is MessageClass.STATUS else ANY

    def observe(self, rule_id: int, heard: Heard, scene: Scene) -> Judgement:
        said = heard.observation
        if said.type in self.enters and self._fits(said):
            due_at = self._due(said.occurred_at, scene.local)
            return begun(self, rule_id, heard, scene.watch, due_at, again_after=SAME_STATE)
        wanted = self.wants(said)
        if wanted is Wanted.NOTHING or (wanted is OUTSTANDING and scene.watch is None):
            return NOTHING
        return ended(self, rule_id, heard, scene.watch)

    def elapse(self, watch: Watch, moment: Moment) -> Judgement:
        return lapsed(self, watch, moment, self._due(watch.since, moment.local))

    def _fits(self, said: Observation) -> bool:
        return fits(said, self.only_if) and not (self.except_if and self._left_out(said))

    def _left_out(self, said: Observation) -> bool:
        return any(said.fields.get(name) in values for name, values in self.except_if.items())

    def _due(self, since: datetime, local: tzinfo) -> datetime:
        due_at = since + seconds(self.for_seconds)
        return self.window.first_within(due_at, local) if self.window else due_at
