"""Electronic lock: what it and its door report, by whom and how, and the commands that it confirms with its new state."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import (
    HEALTH_EVENTS,
    HEALTH_HARMLESS,
    MINUTE,
    battery_below,
    health_rules,
    immediate,
    rule,
    technical,
)
from devices.kinds import Command, Event, Kind
from devices.kinds.e_lock.simulator import day, obey
from devices.vkp import Severity
from devices.words import N_, Words


class Moved(Event):
    """The lock has moved. ``method``: app, code, fob, key, button (by hand, from inside), remote (a command) or auto (the
    lock itself); one that is not known here is kept. ``by``: the lock's own number for who it was, never a name or a code; ``command``: the id of
    the command that it obeys."""

    method: Annotated[str, Field(max_length=32)] | None = None
    by: Annotated[str, Field(max_length=64)] | None = None
    command: Annotated[str, Field(max_length=64)] | None = None


class Stuck(Event):
    """The lock could not move; ``command``: the id of the command that it could not obey."""

    command: Annotated[str, Field(max_length=64)] | None = None


class Refused(Event):
    """A command that the lock will not obey: its id, and why."""

    command: Annotated[str, Field(max_length=64)] | None = None
    reason: Annotated[str, Field(max_length=200)] | None = None


FAILED_BY = frozenset({"jammed", "motor_blocked", "command_refused"})

WORDS = Words(
    name=N_("Electronic lock"),
    says={
        "locked": N_("The door was locked"),
        "unlocked": N_("The door was unlocked"),
        "unlatched": N_("The door was unlocked and opened"),
        "jammed": N_("The lock is stuck"),
        "motor_blocked": N_("The lock's motor is blocked"),
        "forced": N_("The lock was forced"),
        "door_opened": N_("The door was opened"),
        "door_closed": N_("The door was closed"),
        "command_refused": N_("The lock has refused a command"),
    },
    conditions={
        "jammed": N_("Lock stuck"),
        "motor_blocked": N_("Lock motor blocked"),
        "forced": N_("Lock forced"),
        "left_unlocked": N_("Door left unlocked"),
        "door_left_open": N_("Door left open"),
        "needs_repair": N_("Lock to be repaired"),
        "battery_critical": N_("Battery almost empty"),
    },
    fields={
        "method": N_("How"),
        "by": N_("By"),
        "command": N_("Command"),
        "reason": N_("Reason"),
    },
    values={
        "method": {
            "app": N_("with the app"),
            "code": N_("with a code"),
            "fob": N_("with a fob"),
            "key": N_("with the key"),
            "button": N_("by hand, from inside"),
            "remote": N_("from hjemmevakt"),
            "auto": N_("by itself"),
        }
    },
)

KIND = Kind(
    name="e_lock",
    events={
        **HEALTH_EVENTS,
        "locked": Moved,
        "unlocked": Moved,
        "unlatched": Moved,
        "jammed": Stuck,
        "motor_blocked": Stuck,
        "forced": Event,
        "door_opened": Event,
        "door_closed": Event,
        "command_refused": Refused,
    },
    harmless=HEALTH_HARMLESS | {"locked", "unlocked", "unlatched", "door_opened", "door_closed", "command_refused"},
    default_rules=(
        immediate("jammed", Severity.SERIOUS, "6"),
        technical("needs_repair", Severity.SERIOUS, on=["jammed"]),
        immediate("forced", Severity.CRITICAL, "6"),
        # Who unlocks with the key or from inside lives there. A way that nobody here knows may be anybody's.
        rule(
            "state",
            "left_unlocked",
            Severity.MODERATE,
            "6",
            enters=["unlocked", "unlatched"],
            except_if={"method": ["key", "button", "auto"]},
            leaves=["locked"],
            for_seconds=10 * MINUTE,
        ),
        rule(
            "state",
            "door_left_open",
            Severity.MODERATE,
            "6",
            enters=["door_opened"],
            leaves=["door_closed"],
            for_seconds=10 * MINUTE,
        ),
        technical("motor_blocked", Severity.SERIOUS),
        battery_below(10, "battery_critical", Severity.SERIOUS, name="battery_critical"),
        *health_rules(["jammed", "forced"]),
    ),
    silent_after=timedelta(hours=2),
    day=day,
    words=WORDS,
    life=frozenset({"unlocked", "unlatched", "door_opened"}),
    entry=frozenset({"unlocked", "unlatched", "door_opened"}),
    commands={
        "unlock": Command(N_("Unlock"), frozenset({"unlocked"}), FAILED_BY),
        "unlatch": Command(N_("Unlock and open"), frozenset({"unlatched"}), FAILED_BY),
        "lock": Command(N_("Lock"), frozenset({"locked"}), FAILED_BY),
    },
    obey=obey,
    parts={
        **dict.fromkeys(("locked", "unlocked", "unlatched", "jammed", "motor_blocked", "forced"), "bolt"),
        **dict.fromkeys(("door_opened", "door_closed"), "door"),
    },
)
