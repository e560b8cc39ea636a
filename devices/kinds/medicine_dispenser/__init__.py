"""Medicine dispenser: hands out doses on schedule, and is most dangerous when it says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, HOUR, MINUTE, health_rules, immediate, rule, technical
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
        "needs_repair": N_("Dispenser to be repaired"),
        "not_taken": N_("Dose dispensed, not taken"),
    },
    fields={"dose_at": N_("Dose planned for"), "doses_left": N_("Doses left")},
)

ALARMS = ["dose_missed", "dose_not_dispensed", "no_medicine", "technical_stop", "jam", "empty", "break_in"]
CODES = {
    "battery_low": "1.17",
    "battery_empty": "1.18",
    "fault": "1.5",
    "disconnected": "1.20",
    "device_silent": "1.20",
}

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
        rule(
            "dose",
            "dose_missed",
            Severity.SERIOUS,
            "1.3",
            name="dose_unconfirmed",
            met_by=["dose_dispensed", "dose_taken"],
            answered_by=["dose_missed", "dose_not_dispensed", "no_medicine"],
            grace_seconds=HOUR,
            early_seconds=HOUR,
            while_away="rest",
        ),
        # Off until it is known that the model reports it: many do not.
        rule(
            "missed",
            "not_taken",
            Severity.MODERATE,
            "1.10",
            after=["dose_dispensed"],
            met_by=["dose_taken"],
            within_seconds=30 * MINUTE,
            while_away="rest",
            enabled=False,
        ),
        immediate("dose_missed", Severity.SERIOUS, "1.3", inform_on=["dose_taken"], while_away="rest"),
        immediate("dose_not_dispensed", Severity.SERIOUS, "1.1"),
        immediate("no_medicine", Severity.SERIOUS, "1.2"),
        immediate("technical_stop", Severity.SERIOUS, "1.5"),
        immediate("bag_unreadable", Severity.MODERATE, "1.6"),
        immediate("roll_fault", Severity.MODERATE, "1.7"),
        immediate("jam", Severity.SERIOUS, "1.8"),
        technical("needs_repair", Severity.SERIOUS, "1.5", on=["technical_stop", "jam"]),
        immediate("tray_full", Severity.MODERATE, "1.9"),
        immediate("low_stock", Severity.NORMAL, "1.12"),
        immediate("empty", Severity.SERIOUS, "1.13"),
        immediate("break_in", Severity.SERIOUS, "1.22"),
        technical("left_open", vkp_code="1.21"),
        rule(
            "state",
            "left_open",
            Severity.MODERATE,
            "1.21",
            track="technical",
            name="stands_open",
            enters=["opened"],
            leaves=["closed"],
            for_seconds=10 * MINUTE,
        ),
        rule(
            "state",
            "mains_off",
            Severity.MODERATE,
            "1.19",
            track="technical",
            enters=["mains_off"],
            leaves=["mains_on"],
            for_seconds=MINUTE,
        ),
        *health_rules(ALARMS, codes=CODES),
    ),
    silent_after=timedelta(hours=2),
    day=day,
    words=WORDS,
    life=frozenset({"dose_taken", "opened", "message_read"}),
)
