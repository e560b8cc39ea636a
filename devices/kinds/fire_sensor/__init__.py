"""Fire sensor: smoke and heat. Never delayed, and never silenced by a schedule; a test is a test and no smoke.

A home's sensors are one fire: every further one that cries is new evidence on the same alert.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, health_rules, immediate, rule
from devices.kinds import Event, Kind
from devices.kinds.fire_sensor.simulator import day
from devices.vkp import Severity
from devices.words import N_, Words


class Heat(Event):
    """Heat. ``temperature``: in °C, where the sensor measures it."""

    temperature: Annotated[float, Field(ge=-50, le=1000)] | None = None


FIRE = ["smoke", "heat"]
WENT = ["door_sensor/went_out", "safety_alarm/zone_left"]
CAME = ["door_sensor/came_in", "safety_alarm/zone_entered"]


def _told(name: str, tells: str, last: list[str]) -> dict[str, Any]:
    """What the home's devices last said of whether somebody is there, for whoever runs to the fire."""
    return rule(
        "compound",
        "fire",
        Severity.CRITICAL,
        "4.11",
        name=name,
        per="dwelling",
        on=FIRE,
        given=[{"of": [*WENT, *CAME], "is_one_of": last}],
        tells=tells,
    )


WORDS = Words(
    name=N_("Fire sensor"),
    says={
        "smoke": N_("Smoke"),
        "heat": N_("Strong heat"),
        "cleared": N_("No smoke or heat any more"),
        "silenced": N_("The siren was switched off by hand"),
    },
    conditions={"fire": N_("Fire")},
    fields={"temperature": N_("Temperature")},
    units={"temperature": "{} °C"},
)

KIND = Kind(
    name="fire_sensor",
    events={**HEALTH_EVENTS, "smoke": Event, "heat": Heat, "cleared": Event, "silenced": Event},
    harmless=HEALTH_HARMLESS | {"cleared", "silenced"},
    default_rules=(
        immediate(
            "fire",
            Severity.CRITICAL,
            "4.11",
            on=FIRE,
            inform_on=["cleared", "silenced"],
            still_on=["silenced"],
            per="dwelling",
        ),
        _told("fire_occupied", "home_occupied", CAME),
        _told("fire_empty", "home_empty", WENT),
        *health_rules(FIRE, end_of_life=Severity.SERIOUS),
    ),
    silent_after=timedelta(hours=25),
    day=day,
    words=WORDS,
)
