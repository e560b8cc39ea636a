"""A municipality to be tortured: homes with a device of each kind, spread over two sites, and a ladder that climbs fast."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from devices.model import DeviceAddress, MessageClass, Said
from gateway.seed import SITE
from simulators.home import class_of
from tests.bench.town import fill
from tests.support.processes import rows
from tests.torture.memory import Speaker

OTHER_SITE = "sandnes"
STEP_SECONDS = 10
TARGETS = ("first_on_duty", "all_on_duty", "zone_lead", "response_centre")
ALARM_SHARE = 0.01
AT_RISK = 40
"""Devices from which alarms come: more of them, and the pages of their ladders are all that there is to see. So few, that many an
alarm joins an alert that is open."""

TELEMETRY = {
    "fall_alarm": ("heartbeat", "worn"),
    "medicine_dispenser": ("heartbeat", "refilled"),
    "door_sensor": ("heartbeat", "closed"),
    "e_lock": ("heartbeat", "locked"),
    "safety_alarm": ("heartbeat", "low_coverage"),
    "fire_sensor": ("heartbeat", "cleared"),
}
LOCKED_BY = ("auto", "key", "app")
ALARMS = {"fall_alarm": ("fall", "button_pressed"), "safety_alarm": ("button_pressed",), "fire_sensor": ("smoke",)}


@dataclass(frozen=True, slots=True)
class People:
    """Devices: ``speakers`` say messages, ``standing`` ones only whether they are there."""

    speakers: Sequence[Speaker]
    standing: Sequence[Speaker]


async def build(url: str, devices: int, standing: int) -> People:
    """Homes, staff, rules and so many devices, in a database with our tables."""
    await fill(url, devices + standing, datetime.now(UTC))
    await rows(url, "INSERT INTO site (name, zone_id) SELECT %s, zone_id FROM site WHERE name = %s", OTHER_SITE, SITE)
    await rows(
        url,
        """UPDATE device SET site_id = (SELECT id FROM site WHERE name = %s) WHERE id IN
           (SELECT device_id FROM installation WHERE dwelling_id %% 2 = 0)""",
        OTHER_SITE,
    )
    await _climb_fast(url)
    found = await rows(
        url,
        "SELECT s.name, d.address, d.kind FROM device d JOIN site s ON s.id = d.site_id WHERE d.address LIKE 'b-%%' ORDER BY 2",
    )
    every = [Speaker(DeviceAddress(each["name"], "native", each["address"]), each["kind"]) for each in found]
    return People(every[:devices], every[devices:])


async def _climb_fast(url: str) -> None:
    """Policies as a municipality could set them, with the shortest waits there are."""
    steps = [{"target": target, "wait_seconds": STEP_SECONDS} for target in TARGETS]
    await rows(
        url,
        """WITH next AS (UPDATE policy SET version = version + 1 WHERE name LIKE 'care%%' RETURNING id, version)
           INSERT INTO policy_version (policy_id, version, spec, created_at)
           SELECT next.id, next.version,
                  v.spec || jsonb_build_object('steps', %s::jsonb, 'repeat_seconds', 60), v.created_at
           FROM next JOIN policy_version v ON v.policy_id = next.id AND v.version = next.version - 1""",
        json.dumps(steps),
    )


def words(
    speakers: Sequence[Speaker], random: Random, alarm_share: float = ALARM_SHARE
) -> Iterator[tuple[Speaker, Said]]:
    """What is said next, for ever: signs of life and events, and now and then somebody falls, presses or burns."""
    at_risk = [each for each in speakers if each.kind in ALARMS][:AT_RISK]
    while True:
        urgent = random.random() < alarm_share
        speaker = random.choice(at_risk if urgent else speakers)
        type_ = random.choice((ALARMS if urgent else TELEMETRY)[speaker.kind])
        message_class = class_of(speaker.kind, type_)
        assert (message_class is MessageClass.ALARM) == urgent, f"{speaker.kind} {type_}"
        yield speaker, Said(datetime.now(UTC), message_class, type_, _fields(type_, random))


def _fields(type_: str, random: Random) -> dict[str, Any]:
    """They differ from message to message, so that it is seen when one is stored with those of another."""
    match type_:
        case "heartbeat":
            return {"battery": random.randint(40, 100), "rssi": random.randint(-99, -40)}
        case "refilled":
            return {"doses": random.randint(1, 28)}
        case "locked":
            return {"method": random.choice(LOCKED_BY)}
        case "fall":
            return {"impact_g": round(random.uniform(2, 9), 2), "confidence": round(random.random(), 3)}
        case _:
            return {}
