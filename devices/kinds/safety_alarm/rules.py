"""What is made of a mobile safety alarm's messages, where nobody has set it otherwise.

Each press is evidence of its own, and the third within ten minutes calls everybody at once. Two tracks from one event
where both have to act: an empty battery is a person unprotected, and a device to be charged or changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devices.health import immediate, silence, technical
from devices.vkp import Severity

LOCATION, SAFETY_ALARM = "2", "3"
MINUTE = 60

PRESSED_AGAIN = {
    "type": "repeat",
    "name": "button_pressed_again",
    "on": ["button_pressed"],
    "count": 3,
    "within_seconds": 10 * MINUTE,
    "condition": "button_pressed",
    "vkp_code": SAFETY_ALARM,
    "severity": int(Severity.CRITICAL),
    "track": "care",
}
UNPROTECTED = {
    **immediate("battery_empty", Severity.MODERATE),
    "name": "unprotected",
    "condition": "unprotected",
}
BATTERY_BELOW = {
    "type": "threshold",
    "name": "battery_below",
    "on": ["heartbeat"],
    "field": "battery",
    "below": 20,
    "clear_at": 30,
    "condition": "battery_low",
    "vkp_code": None,
    "severity": int(Severity.MODERATE),
    "track": "technical",
}
DISCONNECTED = {
    "type": "state",
    "name": "disconnected",
    "enters": ["presence"],
    "only_if": {"online": [False]},
    "leaves": ["presence", "heartbeat"],
    "for_seconds": 10 * MINUTE,
    "condition": "disconnected",
    "vkp_code": None,
    "severity": int(Severity.MODERATE),
    "track": "technical",
}
LOW_COVERAGE = {
    "type": "state",
    "name": "low_coverage",
    "enters": ["low_coverage"],
    "leaves": ["coverage_ok"],
    "for_seconds": 30 * MINUTE,
    "condition": "low_coverage",
    "vkp_code": None,
    "severity": int(Severity.MODERATE),
    "track": "technical",
}
CRIES_WOLF = {
    "type": "rate",
    "name": "cries_wolf",
    "on": ["button_pressed", "fall"],
    "count": 30,
    "days": 30,
    "condition": "cries_wolf",
    "vkp_code": None,
    "severity": int(Severity.NORMAL),
    "track": "technical",
}
FAR_FROM_HOME = {
    "type": "threshold",
    "name": "far_from_home",
    "on": ["position"],
    "field": "distance_from_home_m",
    "above": 1000,
    "clear_at": 500,
    "condition": "far_from_home",
    "vkp_code": LOCATION,
    "severity": int(Severity.SERIOUS),
    "track": "care",
    "enabled": False,
}
"""For whoever loses their way: set for one resident at a time, with a distance that is theirs."""

DEFAULT_RULES: tuple[Mapping[str, Any], ...] = (
    immediate("button_pressed", Severity.SERIOUS, SAFETY_ALARM),
    PRESSED_AGAIN,
    immediate("fall", Severity.CRITICAL, "4.1", inform_on=("fall_cancelled",)),
    immediate("zone_left", Severity.SERIOUS, LOCATION, inform_on=("zone_entered",)),
    FAR_FROM_HOME,
    # 4.19 ("no movement") and not 4.9 ("inactivity"): the device feels its wearer, not the life in a home.
    immediate("immobility", Severity.SERIOUS, "4.19"),
    UNPROTECTED,
    technical("battery_empty", Severity.SERIOUS),
    technical("battery_low"),
    BATTERY_BELOW,
    DISCONNECTED,
    LOW_COVERAGE,
    CRIES_WOLF,
    technical("fault", Severity.SERIOUS),
    technical("tamper"),
    silence(severity=Severity.SERIOUS),
)
