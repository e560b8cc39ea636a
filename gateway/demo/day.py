"""A day in which something is going on: every few seconds a door, a lock, a walk; every minute or two somebody is called.

Pure but for :class:`Town`. The town's own life (`simulators.home`) goes on at its own pace underneath; a day in
which nothing happens for an hour is what everybody hopes for, and nothing to look at.

Rules
    All of it is plausible: doors stay shut at night, most calls are a press of the button, fires are rare and end.
    The visitor's own zone is left in peace while an alert is open there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from random import Random
from typing import Any

from gateway.clock import pause
from simulators.home import Fitting

NIGHT = (21, 7)
QUIET_SECONDS, ALERT_SECONDS = (2.0, 6.0), (55.0, 110.0)
FIRST_ALERT = 12.0
IN_FIRST = 0.3
"""The share of alerts in the visitor's zone, while it has none open."""


@dataclass(frozen=True, slots=True)
class Line:
    """A device says something, so many seconds after the line before."""

    after: float
    type: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What devices of a kind say one after the other; ``weight``: how often it comes, against the others."""

    kind: str
    weight: float
    lines: tuple[Line, ...]
    by_night: bool = True


SMALL = (
    Scene("door_sensor", 5, (Line(0, "opened"), Line(9, "closed")), by_night=False),
    Scene(
        "e_lock",
        4,
        (
            Line(0, "unlocked", {"method": "app"}),
            Line(5, "door_opened"),
            Line(11, "door_closed"),
            Line(45, "locked", {"method": "auto"}),
        ),
    ),
    Scene("medicine_dispenser", 2, (Line(0, "message_read"),)),
    Scene("medicine_dispenser", 1, (Line(0, "opened"), Line(40, "refilled"), Line(15, "closed")), by_night=False),
    Scene("fall_alarm", 2, (Line(0, "worn"),)),
    Scene("fire_sensor", 1, (Line(0, "test"),), by_night=False),
)
CALLS = (
    Scene("safety_alarm", 20, (Line(0, "button_pressed"),)),
    Scene("fall_alarm", 16, (Line(0, "button_pressed"),)),
    Scene("fall_alarm", 9, (Line(0, "fall", {"impact_g": 3.8, "confidence": 0.86}),)),
    Scene("fall_alarm", 5, (Line(0, "fall", {"impact_g": 2.9, "confidence": 0.71}), Line(25, "fall_cancelled"))),
    Scene("medicine_dispenser", 10, (Line(0, "dose_missed"),)),
    Scene("medicine_dispenser", 8, (Line(0, "low_stock", {"doses_left": 6}),)),
    Scene("medicine_dispenser", 4, (Line(0, "tray_full"),)),
    Scene("medicine_dispenser", 3, (Line(0, "jam"),)),
    Scene("fall_alarm", 7, (Line(0, "battery_low", {"battery": 14}),)),
    Scene("safety_alarm", 3, (Line(0, "zone_left"), Line(90, "zone_entered"))),
    Scene("e_lock", 2, (Line(0, "jammed"),)),
    Scene("fire_sensor", 1, (Line(0, "smoke"), Line(70, "cleared"))),
)


def choose(
    scenes: Sequence[Scene],
    homes: Mapping[str, Sequence[str]],
    random: Random,
    *,
    night: bool,
) -> tuple[str, Scene] | None:
    """A device and what it says. ``homes``: addresses by kind. None where nobody here could."""
    possible = [each for each in scenes if homes.get(each.kind) and (each.by_night or not night)]
    if not possible:
        return None
    scene = random.choices(possible, [each.weight for each in possible])[0]
    return random.choice(homes[scene.kind]), scene


def by_kind(fittings: Sequence[Fitting]) -> dict[str, list[str]]:
    """Addresses by kind."""
    found: dict[str, list[str]] = {}
    for each in fittings:
        found.setdefault(each.kind, []).append(each.address)
    return found


def is_night(now: datetime, local: tzinfo) -> bool:
    hour, (begins, ends) = now.astimezone(local).hour, NIGHT
    return hour >= begins or hour < ends


@dataclass(frozen=True, slots=True)
class Town:
    """Who can say something: in the visitor's zone and elsewhere. ``say``: through the town's devices."""

    first: Mapping[str, Sequence[str]]
    others: Mapping[str, Sequence[str]]
    say: Callable[[str, str, Mapping[str, Any]], object]
    busy: Callable[[], Awaitable[bool]]
    """Whether an alert is open in the visitor's zone."""
    night: Callable[[], bool]

    async def live(self, random: Random) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.bustle(random, group))
            group.create_task(self.calls(random, group))

    async def bustle(self, random: Random, group: asyncio.TaskGroup) -> None:
        """Small things, every few seconds, for ever."""
        homes = {kind: [*self.first.get(kind, ()), *self.others.get(kind, ())] for kind in (*self.first, *self.others)}
        while True:
            await pause(random.uniform(*QUIET_SECONDS))
            group.create_task(self.play(choose(SMALL, homes, random, night=self.night())))

    async def calls(self, random: Random, group: asyncio.TaskGroup) -> None:
        """Somebody has to be called, every minute or two, for ever."""
        wait = FIRST_ALERT
        while True:
            await pause(wait)
            at_home = random.random() < IN_FIRST and not await self.busy()
            group.create_task(
                self.play(choose(CALLS, self.first if at_home else self.others, random, night=self.night()))
            )
            wait = random.uniform(*ALERT_SECONDS)

    async def play(self, chosen: tuple[str, Scene] | None) -> None:
        """The lines of a scene, one after the other."""
        if chosen is None:
            return
        address, scene = chosen
        for line in scene.lines:
            await pause(line.after)
            self.say(address, line.type, line.fields)
