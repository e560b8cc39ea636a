"""Door sensor: tells that the door of a home is opened and closed – and, where it can, who passes and which way.

``went_out`` and ``came_in`` are about the resident. A sensor that cannot tell the resident from a visitor says neither:
whether somebody is at home is read from these words when it burns.
"""

from __future__ import annotations

from datetime import timedelta

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, MINUTE, health_rules, rule
from devices.kinds import Event, Kind
from devices.kinds.door_sensor.simulator import day
from devices.vkp import Severity
from devices.words import N_, Words

NIGHT = {"from_time": "22:00", "to_time": "06:00"}
OUT = ["opened", "went_out"]
BACK = ["came_in", "safety_alarm/zone_entered"]

WORDS = Words(
    name=N_("Door sensor"),
    says={
        "opened": N_("The door was opened"),
        "closed": N_("The door was closed"),
        "went_out": N_("The resident went out"),
        "came_in": N_("The resident came in"),
    },
    conditions={
        "door_at_night": N_("Door opened at night"),
        "left_open": N_("Door left open"),
        "not_back": N_("Out at night and not back"),
    },
)

KIND = Kind(
    name="door_sensor",
    events={**HEALTH_EVENTS, "opened": Event, "closed": Event, "went_out": Event, "came_in": Event},
    harmless=HEALTH_HARMLESS | {"opened", "closed", "went_out", "came_in"},
    default_rules=(
        rule(
            "window",
            "door_at_night",
            Severity.MODERATE,
            "4.15",
            on=OUT,
            window=NIGHT,
            inform_on=["came_in", "closed"],
            while_away="rest",
        ),
        rule(
            "compound",
            "not_back",
            Severity.SERIOUS,
            "4.21",
            on=["went_out"],
            unless=BACK,
            within_seconds=10 * MINUTE,
            window=NIGHT,
            while_away="rest",
        ),
        # A plain contact cannot tell a resident who leaves from a visitor, or from one who comes home late. Off until it is set
        # for somebody who lives alone and gets no visits at night: a door that opens a second time is the coming back.
        rule(
            "compound",
            "not_back",
            Severity.SERIOUS,
            "4.21",
            name="not_back_by_door",
            on=["opened"],
            unless=["opened", *BACK],
            within_seconds=10 * MINUTE,
            settle_seconds=30,
            window=NIGHT,
            while_away="rest",
            enabled=False,
        ),
        rule(
            "state",
            "left_open",
            Severity.MODERATE,
            "4.15",
            enters=["opened"],
            leaves=["closed"],
            for_seconds=5 * MINUTE,
        ),
        *health_rules(),
    ),
    silent_after=timedelta(hours=25),
    day=day,
    words=WORDS,
    life=frozenset({"opened", "went_out", "came_in"}),
    entry=frozenset({"opened", "came_in"}),
)
