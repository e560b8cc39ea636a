"""The rate guard: a device that talks without end takes no room from the others, and one that comes back loses nothing.

Rules
    Alarms always pass; so does whatever a device says within its rate, which for most of them is more than a day's talk.
    What was said before the window, by the device's own clock, was kept by it. That passes besides, within the same rate in
    each minute of the device's own time, and as long as it is not more than a day of the rate ahead of what it has earned since.
    What is beyond is not stored and gets no receipt: a device that keeps its messages says it again, later, and then it is
    taken. To the broker it is acknowledged, so that nothing waits behind it. It is a sign of life all the same.
    What cannot be read counts like the rest.
    Technical services are told when it begins and when it is over.

Theory
    What counts is when the broker got a message, not when we read it: what has waited for us since Friday is no flood. Our
    canaries tell. Each is behind all that the broker had when it was sent, so a window goes from one canary to the first that
    is a minute younger, and where we were away it is as long as that. Until that canary is back we do not know how far we are, but
    now at the latest: as many windows are granted as may have passed. What was granted too much is counted on in the next one.
    No device can move a canary.

    A device's own clock is its claim, so it only opens a second account, which ends: whatever times it makes up – one and the same,
    each a minute further, any at all – it gets no more than twice the rate for long, and a day of it once. Whoever has no clock
    (nothing claimed, one that was never set, or is ahead) says it now.

    Counted for each device by the process that has the lane, and remembered of those that spoke in this window, or have kept
    more than they have earned. With the connection the count is gone, and a device has both accounts once more. Who floods is
    not forgotten: it is known by the alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from alerts.model import Clear, Evidence, Raise, Severity, Signal, Subject, Track
from devices.model import DeviceAddress, MessageClass
from gateway.stamping import Read
from gateway.store.quarantine import Quarantined

FLOODS = "device_floods"
WINDOW = timedelta(minutes=1)
AHEAD = timedelta(days=1) // WINDOW
"""Windows' worth of what it has kept that a device may say at once: a message a second, kept for seven weeks."""


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
    rejected: list[Quarantined]
    floods: list[Flood]


@dataclass(slots=True)
class _Kept:
    """What passed of that which a device had kept: all of it, less what it has earned since; and of one minute of its own time,
    which began then."""

    minute: datetime
    of_minute: int = 0
    total: int = 0

    def passes(self, at: datetime, most: int) -> bool:
        """Whether one more does, which happened then by the device's clock."""
        if abs(at - self.minute) >= WINDOW:
            self.minute, self.of_minute = at, 0
        if self.of_minute >= most or self.total >= most * AHEAD:
            return False
        self.of_minute += 1
        self.total += 1
        return True


@dataclass
class RateGuard:
    """One a lane and connection. ``most`` messages a device and window; 0: no bound. ``since``: when the window began, at first
    until when the lane has been heard; None: it never was, and there is no bound until a canary is back. ``flooding``: of whom
    technical services were told, and its kind."""

    most: int
    since: datetime | None = None
    flooding: dict[DeviceAddress, str] = field(default_factory=dict)
    _counts: dict[DeviceAddress, int] = field(default_factory=dict)
    _kept: dict[DeviceAddress, _Kept] = field(default_factory=dict)
    _beyond: set[DeviceAddress] = field(default_factory=set)

    def sift(
        self,
        read: Sequence[Read],
        now: datetime,
        canary: datetime | None = None,
        rejected: Sequence[Quarantined] = (),
    ) -> Sifted:
        """Apart, what is beyond its device's rate; and who floods, or does no more. ``canary``: when the last of those was sent
        that came with it. ``rejected``: what could not be read counts, too."""
        if self.since is not None and self.since > now:  # our clock was ahead
            self.since = now
        passing, beyond = self._apart(read, now)
        floods = [
            self._flood(device, said[-1].observation.kind, said[-1].observation.received_at, len(said))
            for device, said in beyond.items()
        ]
        set_apart, junk = self._junk_apart(rejected, now)
        floods += [
            self._flood(device, each[-1].error.kind or "", each[-1].message.received_at, len(each))
            for device, each in junk.items()
        ]
        return Sifted(passing, set_apart, floods if canary is None else [*floods, *self._heard(canary)])

    def _apart(self, read: Sequence[Read], now: datetime) -> tuple[list[Read], dict[DeviceAddress, list[Read]]]:
        since = self.since
        if not self.most or since is None:
            return list(read), {}
        most, counts, alarm = self._earned(since, now), self._counts, MessageClass.ALARM
        passing: list[Read] = []
        beyond: dict[DeviceAddress, list[Read]] = {}
        for each in read:
            said = each.observation
            if said.message_class is alarm:
                passing.append(each)
            elif said.occurred_at < since:
                passes = self._passes_as_kept(said.device, said.occurred_at)
                (passing if passes else beyond.setdefault(said.device, [])).append(each)
            else:
                count = counts.get(said.device, 0)
                if count < most:
                    counts[said.device] = count + 1
                    passing.append(each)
                else:
                    beyond.setdefault(said.device, []).append(each)
        return passing, beyond

    def _junk_apart(
        self, rejected: Sequence[Quarantined], now: datetime
    ) -> tuple[list[Quarantined], dict[DeviceAddress, list[Quarantined]]]:
        """The same of what could not be read: it is said now."""
        passing: list[Quarantined] = []
        beyond: dict[DeviceAddress, list[Quarantined]] = {}
        most = self._earned(self.since, now) if self.most and self.since is not None else None
        for each in rejected:
            device = each.error.device
            if most is None or device is None or each.error.is_alarm:
                passing.append(each)
            elif self._counts.get(device, 0) < most:
                self._counts[device] = self._counts.get(device, 0) + 1
                passing.append(each)
            else:
                beyond.setdefault(device, []).append(each)
        return passing, beyond

    def _passes_as_kept(self, device: DeviceAddress, at: datetime) -> bool:
        kept = self._kept.get(device)
        if kept is None:
            kept = self._kept[device] = _Kept(at)
        return kept.passes(at, self.most)

    def _flood(self, device: DeviceAddress, kind: str, at: datetime, held_back: int) -> Flood:
        begins = device not in self.flooding
        self.flooding[device] = kind
        self._beyond.add(device)
        return Flood(device, kind, at, held_back, begins)

    def _earned(self, since: datetime, until: datetime) -> int:
        """What a device may have said in this time: never less than in one window."""
        return int(self.most * max(1.0, (until - since) / WINDOW))

    def _heard(self, sent_at: datetime) -> list[Flood]:
        """A canary is back: where the window is over by it, who has kept to the rate in it."""
        if self.since is None:
            self.since = sent_at
        if sent_at - self.since < WINDOW:
            return []
        self._settle(self._earned(self.since, sent_at))
        calm = {device: kind for device, kind in self.flooding.items() if device not in self._beyond}
        for device in calm:
            del self.flooding[device]
        self._beyond.clear()
        self.since = sent_at
        return [Flood(device, kind, sent_at, 0, begins=False) for device, kind in calm.items()]

    def _settle(self, earned: int) -> None:
        """What is not earned in this window is left for the next one."""
        owing = max(self._counts.values(), default=0) > earned  # there is nearly never anybody
        self._counts = (
            {device: count - earned for device, count in self._counts.items() if count > earned} if owing else {}
        )
        for kept in self._kept.values():
            kept.total -= earned
        self._kept = {device: kept for device, kept in self._kept.items() if kept.total > 0}


def signal_of(flood: Flood, subject: Subject) -> Signal | None:
    """What technical services are told. It is the device's, wherever it is fitted meanwhile."""
    key = f"{FLOODS}:device:{subject.device_id}"
    if not flood.held_back:
        return Clear(key, Evidence("fewer_again", flood.at, flood.at))
    if not flood.begins:
        return None
    evidence = Evidence("too_many", flood.at, flood.at, device=str(flood.device), kind=flood.kind)
    return Raise(key, FLOODS, None, Severity.MODERATE, Track.TECHNICAL, subject, evidence)
