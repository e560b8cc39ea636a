"""Fall alarm: a wearable that reports a fall after the wearer's own 20 to 30 s to cancel it have passed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, HOUR, MINUTE, health_rules, immediate, rule
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
    conditions={
        "fall": N_("Fall"),
        "button_pressed": N_("Button pressed"),
        "unprotected": N_("Resident without protection: battery empty"),
        "not_worn": N_("Alarm not worn for a day"),
        "not_put_on": N_("Alarm not put on this morning"),
    },
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
    harmless=HEALTH_HARMLESS | {"fall_cancelled", "worn", "not_worn"},
    default_rules=(
        immediate("fall", Severity.CRITICAL, "4.1", inform_on=["fall_cancelled"]),
        immediate("button_pressed", Severity.SERIOUS, "4.13"),
        rule(
            "repeat",
            "button_pressed",
            Severity.CRITICAL,
            "4.13",
            name="pressed_again",
            on=["button_pressed"],
            count=3,
            within_seconds=10 * MINUTE,
        ),
        immediate("unprotected", Severity.MODERATE, on=["battery_empty"]),
        rule(
            "state",
            "not_worn",
            Severity.NORMAL,
            enters=["not_worn"],
            leaves=["worn"],
            for_seconds=24 * HOUR,
            while_away="rest",
        ),
        # Off until somebody wants it: whoever sleeps with the alarm on does not put it on in the morning.
        rule(
            "missed",
            "not_put_on",
            Severity.NORMAL,
            met_by=["worn"],
            since="05:00",
            by="11:00",
            while_away="rest",
            enabled=False,
        ),
        *health_rules(["fall", "button_pressed"], end_of_life=Severity.SERIOUS),
    ),
    silent_after=timedelta(hours=25),
    day=day,
    words=WORDS,
    life=frozenset({"fall", "button_pressed", "worn"}),
)
