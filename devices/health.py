"""What every kind of device can say of its own health, the rules that all kinds share, and how a kind writes its own.

A default rule is plain data, with the fields of its type in ``alerts.rules`` (which validates it). It is overridden by its
name; rules of one condition and track share one open alert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    "end_of_life": Event,
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
        "end_of_life": N_("The device has reached the end of its life"),
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
        "end_of_life": N_("Device to be replaced"),
        "device_silent": N_("Device silent"),
        "disconnected": N_("Device without connection"),
        "cries_wolf": N_("Many alarms from one device"),
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

HEALTH_HARMLESS = frozenset({"heartbeat", PRESENCE, "mains_off", "mains_on", "test"})

MINUTE = 60
HOUR = 60 * MINUTE
LOW, FULL_AGAIN = 20, 30
"""Percent at which a battery is low, and at which it is not any more: in between it stays as it was."""
DISCONNECTED_AFTER = 10 * MINUTE
MANY, DAYS = 30, 30
"""So many alarms in so many days are too many. A Norwegian vendor: 1 % of users cause more than 30 a month."""


def by_the_broker(said: Observation) -> bool:
    """Whether the broker speaks in the device's name – a last will, or something retained – or we ourselves, having read
    again what it said long ago. That is no sign of life."""
    last_will = said.type == PRESENCE and said.fields.get("online") is False
    return last_will or (bool(said.flags) and not said.flags.isdisjoint((Flag.RETAINED, Flag.DECODED_AGAIN)))


def rule(
    type_: str, condition: str, severity: Severity, vkp_code: str | None = None, *, track: str = "care", **own: Any
) -> dict[str, Any]:
    """A default rule, named as its condition unless ``name`` says otherwise. ``own``: the fields of its type."""
    return {
        "type": type_,
        "name": condition,
        "condition": condition,
        "vkp_code": vkp_code,
        "severity": int(severity),
        "track": track,
        **own,
    }


def immediate(
    condition: str, severity: Severity, vkp_code: str | None = None, *, on: Sequence[str] = (), **own: Any
) -> dict[str, Any]:
    """A default rule: this event (or each of those ``on``) is an alert at once."""
    return rule("immediate", condition, severity, vkp_code, on=list(on or (condition,)), **own)


def technical(
    condition: str, severity: Severity = Severity.MODERATE, vkp_code: str | None = None, *, on: Sequence[str] = ()
) -> dict[str, Any]:
    """A default rule: this event (or each of those ``on``) is a technical alert at once."""
    return immediate(condition, severity, vkp_code, on=on, track="technical")


def silence(vkp_code: str | None = None, severity: Severity = Severity.MODERATE) -> dict[str, Any]:
    """A default rule: the device has said nothing for longer than its contract."""
    return rule("silence", "device_silent", severity, vkp_code, track="technical")


def battery_below(
    percent: float, condition: str, severity: Severity, vkp_code: str | None = None, *, name: str
) -> dict[str, Any]:
    """A default rule: fewer percent than these, by a sign of life or a warning; over when it is clearly full again."""
    said = ["heartbeat", "battery_low"]
    own = {"on": said, "field": "battery", "below": percent, "clear_at": FULL_AGAIN}
    return rule("threshold", condition, severity, vkp_code, track="technical", name=name, **own)


def health_rules(
    alarms: Sequence[str] = (),
    *,
    unable: Severity = Severity.SERIOUS,
    end_of_life: Severity = Severity.MODERATE,
    codes: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], ...]:
    """The default rules of a device's health.

    ``alarms``: the types of which a device can say too many. ``unable``: how severe it is that the device cannot do its
    work – silent, faulty, its battery empty. ``codes``: VKP codes by condition.
    """
    code = (codes or {}).get
    return (
        technical("battery_low", vkp_code=code("battery_low")),
        battery_below(LOW, "battery_low", Severity.MODERATE, code("battery_low"), name="battery_percent"),
        technical("battery_empty", unable, code("battery_empty")),
        technical("fault", unable, code("fault")),
        technical("tamper"),
        technical("end_of_life", end_of_life),
        _disconnected(code("disconnected")),
        silence(code("device_silent"), unable),
        *((_cries_wolf(alarms),) if alarms else ()),
    )


def _disconnected(vkp_code: str | None) -> dict[str, Any]:
    lost = {"enters": [PRESENCE], "only_if": {"online": [False]}, "leaves": [PRESENCE, "heartbeat"]}
    return rule(
        "state", "disconnected", Severity.MODERATE, vkp_code, track="technical", for_seconds=DISCONNECTED_AFTER, **lost
    )


def _cries_wolf(alarms: Sequence[str]) -> dict[str, Any]:
    return rule("rate", "cries_wolf", Severity.NORMAL, track="technical", on=list(alarms), count=MANY, days=DAYS)
