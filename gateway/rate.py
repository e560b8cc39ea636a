"""The rate guard: a device that talks without end takes no room from the others.

Rules
    Alarms always pass; so does whatever a device says within its rate, which for most of them is more than a day's talk.
    What is beyond is not stored and gets no receipt: a device that keeps its messages says it again, later, and then it is
    taken. To the broker it is acknowledged, so that nothing waits behind it. It is a sign of life all the same.
    Technical services are told when it begins and when it is over.

Theory
    Counted for each device in windows of a minute, by the process that has the lane. With the process the count is gone,
    and the device has one window more. A device that comes back after weeks with all that it has kept is no flood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from alerts.model import Clear, Evidence, Raise, Severity, Signal, Subject, Track
from devices.model import DeviceAddress, MessageClass
from gateway.stamping import Read

FLOODS = "device_floods"
WINDOW = timedelta(minutes=1)


class Flood(NamedTuple):
    """What was held back of a device, and when the last of it came. ``begins``: it is the first of it. None held back: it is
    over."""

    device: DeviceAddress
    kind: str
    at: datetime
    held_back: int
    begins: bool


class Sifted(NamedTuple):
    """What passes, in order, and of whom something does not."""

    read: list[Read]
    floods: list[Flood]


@dataclass
class RateGuard:
    """One a lane. ``most`` messages a device and window; 0: no bound."""

    most: int
    _counts: dict[DeviceAddress, int] = field(default_factory=dict)
    _flooding: dict[DeviceAddress, str] = field(default_factory=dict)
    _ends: datetime | None = None

    def sift(self, read: Sequence[Read], now: datetime) -> Sifted:
        """Apart, what is beyond its device's rate; and who floods, or does no more."""
        if not self.most:
            return Sifted(list(read), [])
        over = self._turned(now)
        passing: list[Read] = []
        beyond: dict[DeviceAddress, list[Read]] = {}
        counts, most, alarm = self._counts, self.most, MessageClass.ALARM
        for each in read:
            said = each.observation
            if said.message_class is alarm:
                passing.append(each)
                continue
            count = counts[said.device] = counts.get(said.device, 0) + 1
            (passing if count <= most else beyond.setdefault(said.device, [])).append(each)
        return Sifted(passing, [*over, *(self._flood(device, said) for device, said in beyond.items())])

    def _flood(self, device: DeviceAddress, said: Sequence[Read]) -> Flood:
        last, begins = said[-1].observation, device not in self._flooding
        self._flooding[device] = last.kind
        return Flood(device, last.kind, last.received_at, len(said), begins)

    def _turned(self, now: datetime) -> list[Flood]:
        """At the end of a window: who has kept to the rate in it."""
        if self._ends is not None and now < self._ends:
            return []
        calm = {device: kind for device, kind in self._flooding.items() if self._counts.get(device, 0) <= self.most}
        for device in calm:
            del self._flooding[device]
        self._counts.clear()
        self._ends = now + WINDOW
        return [Flood(device, kind, now, 0, begins=False) for device, kind in calm.items()]


def signal_of(flood: Flood, subject: Subject) -> Signal | None:
    """What technical services are told."""
    key = f"{FLOODS}:{subject.scope}"
    if not flood.held_back:
        return Clear(key, Evidence("fewer_again", flood.at, flood.at))
    if not flood.begins:
        return None
    evidence = Evidence("too_many", flood.at, flood.at, device=str(flood.device), kind=flood.kind)
    return Raise(key, FLOODS, None, Severity.MODERATE, Track.TECHNICAL, subject, evidence)
