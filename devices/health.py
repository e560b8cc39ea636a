"""What every kind of device can say of its own health, and the rules that all kinds share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from devices.kinds import Event
from devices.model import Flag, Observation
from devices.vkp import Severity
from devices.words import N_, Words

Percent = Annotated[float, Field(ge=0, le=100)]


class Heartbeat(Event):
    """A sign of life. Battery in percent, radio strength in dBm."""

    battery: Percent | None = None
    rssi: Annotated[float, Field(ge=-200, le=50)] | None = None
    mains: bool | None = None
    firmware: Annotated[str, Field(max_length=64)] | None = None
    online: bool | None = None


class Presence(Event):
    """Connected or not, as the retained last will and its counterpart say it."""

    online: bool


class Battery(Event):
    """A battery warning; percent where the device knows it."""

    battery: Percent | None = None


class Fault(Event):
    """A fault the device found in itself."""

    fault: Annotated[str, Field(max_length=200)] | None = None


PRESENCE = "presence"
"""The type of a status message that carries nothing but ``online``."""

HEALTH_EVENTS: dict[str, type[Event]] = {
    "heartbeat": Heartbeat,
    PRESENCE: Presence,
    "battery_low": Battery,
    "battery_empty": Battery,
    "fault": Fault,
    "tamper": Event,
    "mains_off": Event,
    "mains_on": Event,
    "test": Event,
}

HEALTH_WORDS = Words(
    says={
        "heartbeat": N_("Sign of life"),
        "presence": N_("Connected or not"),
        "battery_low": N_("Battery low"),
        "battery_empty": N_("Battery empty"),
        "fault": N_("The device reports a fault"),
        "tamper": N_("Somebody has tampered with the device"),
        "mains_off": N_("Mains power off"),
        "mains_on": N_("Mains power on"),
        "test": N_("Test"),
    },
    conditions={
        "battery_low": N_("Battery low"),
        "battery_empty": N_("Battery empty"),
        "mains_off": N_("Mains power off"),
        "fault": N_("Device fault"),
        "tamper": N_("Device tampered with"),
        "device_silent": N_("Device silent"),
    },
    fields={
        "battery": N_("Battery"),
        "rssi": N_("Radio strength"),
        "mains": N_("Mains power"),
        "firmware": N_("Firmware"),
        "fault": N_("Fault"),
        "online": N_("Connected"),
    },
    units={"battery": "{} %", "rssi": "{} dBm"},
)
"""The words that all kinds share."""

HEALTH_HARMLESS = frozenset({"heartbeat", PRESENCE, "mains_on", "test"})


def by_the_broker(said: Observation) -> bool:
    """Whether the broker speaks in the device's name – a last will, or something retained – which is no sign of life."""
    last_will = said.type == PRESENCE and said.fields.get("online") is False
    return last_will or Flag.RETAINED in said.flags


def technical(event: str, severity: Severity = Severity.MODERATE, vkp_code: str | None = None) -> dict[str, Any]:
    """A default rule: this event is a technical alert of the same name."""
    return immediate(event, severity, vkp_code, track="technical")


def immediate(
    event: str, severity: Severity, vkp_code: str | None = None, *, track: str = "care", inform_on: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A default rule: this event is an alert of the same name, at once."""
    return {
        "type": "immediate",
        "name": event,
        "on": [event],
        "condition": event,
        "vkp_code": vkp_code,
        "severity": int(severity),
        "track": track,
        "inform_on": list(inform_on),
    }


def silence(vkp_code: str | None = None, severity: Severity = Severity.MODERATE) -> dict[str, Any]:
    """A default rule: the device has said nothing for longer than its contract."""
    return {
        "type": "silence",
        "name": "device_silent",
        "condition": "device_silent",
        "vkp_code": vkp_code,
        "severity": int(severity),
        "track": "technical",
    }
