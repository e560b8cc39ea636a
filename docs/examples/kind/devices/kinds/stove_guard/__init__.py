"""Stove guard: watches the heat above a stove, and switches the stove off before something burns."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, HOUR, health_rules, immediate, rule
from devices.kinds import Event, Kind
from devices.kinds.stove_guard.simulator import day
from devices.vkp import Severity
from devices.words import N_, Words


class Hot(Event):
    """How hot it is above the stove. ``plate_temperature``: in °C."""

    plate_temperature: Annotated[float, Field(ge=-50, le=1000)] | None = None


WORDS = Words(
    name=N_("Stove guard"),
    says={
        "stove_on": N_("The stove was switched on"),
        "stove_off": N_("The stove was switched off"),
        "measured": N_("Temperature above the stove"),
        "too_hot": N_("Too hot above the stove"),
        "power_cut": N_("The guard has switched the stove off"),
    },
    conditions={
        "too_hot": N_("Too hot on the stove"),
        "power_cut": N_("Stove switched off by its guard"),
        "left_on": N_("Stove left on"),
    },
    fields={"plate_temperature": N_("Temperature above the stove")},
    units={"plate_temperature": "{} °C"},
)

KIND = Kind(
    name="stove_guard",
    events={
        **HEALTH_EVENTS, "stove_on": Event, "stove_off": Event, "measured": Hot, "too_hot": Hot, "power_cut": Event,
    },
    harmless=HEALTH_HARMLESS | {"stove_on", "stove_off", "measured"},
    default_rules=(
        immediate("too_hot", Severity.SERIOUS, inform_on=["power_cut", "stove_off"]),
        immediate("power_cut", Severity.MODERATE),
        rule("state", "left_on", Severity.MODERATE, enters=["stove_on"], leaves=["stove_off"], for_seconds=2 * HOUR),
        *health_rules(["too_hot"]),
    ),
    silent_after=timedelta(hours=25),
    day=day,
    words=WORDS,
)  # fmt: skip
