"""Medicine dispenser: hands out doses on schedule, and is most dangerous when it says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, immediate, silence, technical
from devices.kinds import Event, Instant, Kind
from devices.kinds.medicine_dispenser.simulator import day
from devices.vkp import Severity
from devices.words import N_, Words


class Dose(Event):
    """Something about one dose. ``dose_at``: the time the dose was planned for, with offset, where the device says it."""

    dose_at: Instant | None = None


class Stock(Event):
    """What is left. ``doses_left``: a count of doses."""

    doses_left: Annotated[int, Field(ge=0, le=10_000)] | None = None


WORDS = Words(
    name=N_("Medicine dispenser"),
    says={
        "dose_scheduled": N_("A dose is planned"),
        "dose_dispensed": N_("The dose was dispensed"),
        "dose_taken": N_("The dose was taken"),
        "dose_missed": N_("The dose was not taken"),
        "dose_not_dispensed": N_("The dose was not dispensed"),
        "no_medicine": N_("No medicine for the dose"),
        "technical_stop": N_("The dispenser has stopped"),
        "bag_unreadable": N_("The dose bag could not be read"),
        "roll_fault": N_("Fault with the roll"),
        "jam": N_("The roll is stuck"),
        "tray_full": N_("The tray is full"),
        "low_stock": N_("Medicine is running out"),
        "empty": N_("The dispenser is empty"),
        "refilled": N_("The dispenser was refilled"),
        "opened": N_("The dispenser was opened"),
        "closed": N_("The dispenser was closed"),
        "left_open": N_("The dispenser stands open"),
        "break_in": N_("The dispenser was broken into"),
        "tilted": N_("The dispenser was tilted"),
        "message_read": N_("The message was read"),
    },
    conditions={
        "dose_missed": N_("Dose not confirmed"),
        "dose_not_dispensed": N_("Dose not dispensed"),
        "no_medicine": N_("Dose prevented: no medicine"),
        "technical_stop": N_("Dispenser stopped"),
        "bag_unreadable": N_("Dose bag not read"),
        "roll_fault": N_("Fault with the roll"),
        "jam": N_("Roll jammed"),
        "tray_full": N_("Tray full"),
        "low_stock": N_("Medicine running out"),
        "empty": N_("Out of medicine"),
        "break_in": N_("Dispenser broken into"),
        "left_open": N_("Dispenser left open"),
    },
    fields={"dose_at": N_("Dose planned for"), "doses_left": N_("Doses left")},
)

KIND = Kind(
    name="medicine_dispenser",
    events={
        **HEALTH_EVENTS,
        "dose_scheduled": Dose,
        "dose_dispensed": Dose,
        "dose_taken": Dose,
        "dose_missed": Dose,
        "dose_not_dispensed": Dose,
        "no_medicine": Dose,
        "technical_stop": Event,
        "bag_unreadable": Event,
        "roll_fault": Event,
        "jam": Event,
        "tray_full": Event,
        "low_stock": Stock,
        "empty": Stock,
        "refilled": Stock,
        "opened": Event,
        "closed": Event,
        "left_open": Event,
        "break_in": Event,
        "tilted": Event,
        "message_read": Event,
    },
    harmless=HEALTH_HARMLESS
    | {"dose_scheduled", "dose_dispensed", "dose_taken", "refilled", "opened", "closed", "tilted", "message_read"},
    default_rules=(
        {
            "type": "dose",
            "name": "dose_unconfirmed",
            "condition": "dose_missed",
            "vkp_code": "1.3",
            "severity": int(Severity.SERIOUS),
            "track": "care",
            "met_by": ["dose_dispensed", "dose_taken"],
            "answered_by": ["dose_missed", "dose_not_dispensed", "no_medicine"],
            "grace_seconds": 60 * 60,
            "early_seconds": 60 * 60,
        },
        immediate("dose_missed", Severity.SERIOUS, "1.3", inform_on=("dose_taken",)),
        immediate("dose_not_dispensed", Severity.SERIOUS, "1.1"),
        immediate("no_medicine", Severity.SERIOUS, "1.2"),
        immediate("technical_stop", Severity.SERIOUS, "1.5"),
        immediate("bag_unreadable", Severity.MODERATE, "1.6"),
        immediate("roll_fault", Severity.MODERATE, "1.7"),
        immediate("jam", Severity.SERIOUS, "1.8"),
        immediate("tray_full", Severity.MODERATE, "1.9"),
        immediate("low_stock", Severity.NORMAL, "1.12"),
        immediate("empty", Severity.SERIOUS, "1.13"),
        immediate("break_in", Severity.SERIOUS, "1.22"),
        technical("battery_low", vkp_code="1.17"),
        technical("battery_empty", Severity.SERIOUS, "1.18"),
        technical("mains_off", vkp_code="1.19"),
        technical("left_open", vkp_code="1.21"),
        technical("fault", Severity.SERIOUS, "1.5"),
        technical("tamper"),
        silence("1.20", Severity.SERIOUS),
    ),
    silent_after=timedelta(hours=2),
    day=day,
    words=WORDS,
)
