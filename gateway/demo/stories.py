"""The stories that can be made to happen: which devices say what, and how long it takes until somebody is called. Pure.

All of these devices are in the visitor's own zone. Of a story's devices each has its turn, so that the same one is not
asked again at once – or all say it together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

REVIVES_AFTER = timedelta(minutes=6)
"""How long a dead device, and a power cut, last."""
DOOR = "dor-019"
DIES = "fall-025"
DOSE = ("disp-001", "disp-019")
POWER = ("disp-007", "disp-013", "disp-025", "disp-031", "disp-037", "disp-043", "disp-049", "disp-055")
WEAK = ("disp-031", "disp-043", "disp-055")
"""Those whose battery does not last."""
SHORT = {DIES: 60, **dict.fromkeys(WEAK, 120)}
"""Contracts: seconds of silence after which a device counts as silent."""


@dataclass(frozen=True, slots=True)
class Story:
    """What the devices say (``type`` None: nothing at all, and that is the point), and after how long it is an alert."""

    addresses: tuple[str, ...]
    type: str | None
    takes: timedelta = timedelta(0)
    fields: Mapping[str, Any] = field(default_factory=dict)
    together: bool = False


STORIES: Mapping[str, Story] = {
    "fall": Story(("fall-001", "fall-013", "fall-019"), "fall", fields={"impact_g": 4.6, "confidence": 0.93}),
    "press": Story(("trygg-013", "trygg-019", "trygg-043"), "button_pressed"),
    "smoke": Story(("brann-001", "brann-013", "brann-031"), "smoke"),
    "dose": Story(DOSE, "dose_missed"),
    "silent_dose": Story(DOSE, None, timedelta(minutes=5)),
    "door": Story((DOOR,), "opened"),
    "dies": Story((DIES,), None, timedelta(seconds=60)),
    "power": Story(POWER, "mains_off", timedelta(seconds=60), together=True),
}

PROPS = frozenset(address for story in STORIES.values() for address in story.addresses)
"""Every device that plays a part."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that a visitor made happen. ``at``: when it did, or the time from which the waiting counts."""

    number: int
    what: str
    addresses: tuple[str, ...]
    at: datetime
    message_id: str | None = None

    @property
    def expected_at(self) -> datetime:
        """When somebody will be called."""
        return self.at + STORIES[self.what].takes
