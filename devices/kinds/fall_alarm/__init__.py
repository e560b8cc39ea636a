"""Fall alarm: a wearable that reports a fall after the wearer's own 20 to 30 s to cancel it have passed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, immediate, silence, technical
from devices.kinds import Event, Kind
from devices.kinds.fall_alarm.simulator import day
from devices.vkp import Severity
from devices.words import N_, Words


class Fall(Event):
    """A fall. ``impact_g``: peak acceleration in g; ``confidence``: 0 to 1, as the device reckons it."""

    impact_g: Annotated[float, Field(ge=0, le=1000)] | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None


WORDS = Words(
    name=N_("Fall alarm"),
    says={
        "fall": N_("Fall detected"),
        "fall_cancelled": N_("The wearer has cancelled the fall alarm"),
        "button_pressed": N_("The button was pressed"),
        "worn": N_("The alarm was put on"),
        "not_worn": N_("The alarm was taken off"),
    },
    conditions={"fall": N_("Fall"), "button_pressed": N_("Button pressed")},
    fields={"impact_g": N_("Impact"), "confidence": N_("Confidence")},
    units={"impact_g": "{} g"},
)

KIND = Kind(
    name="fall_alarm",
    events={
        **HEALTH_EVENTS,
        "fall": Fall,
        "fall_cancelled": Event,
        "button_pressed": Event,
        "worn": Event,
        "not_worn": Event,
    },
    harmless=HEALTH_HARMLESS | {"fall_cancelled", "worn", "not_worn", "mains_off"},
    default_rules=(
        immediate("fall", Severity.CRITICAL, "4.1", inform_on=("fall_cancelled",)),
        immediate("button_pressed", Severity.SERIOUS, "4.13"),
        technical("battery_low"),
        technical("battery_empty", Severity.SERIOUS),
        technical("fault", Severity.SERIOUS),
        technical("tamper"),
        silence(severity=Severity.SERIOUS),
    ),
    silent_after=timedelta(hours=25),
    day=day,
    words=WORDS,
)
