"""Mobile safety alarm: a button with GPS that is worn out of doors too, and can tell a fall, a zone and a standstill.

Any of its messages may carry a position; see ``devices.position`` for what becomes of it. Zones are the device's own:
it reports leaving and entering one. How far from home somebody is, the gateway reckons itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, Heartbeat
from devices.kinds import Kind
from devices.kinds.safety_alarm.rules import DEFAULT_RULES
from devices.kinds.safety_alarm.simulator import day
from devices.position import Located
from devices.words import N_, Words


class LocatedHeartbeat(Heartbeat, Located):
    """A sign of life, from where."""


class Moved(Located):
    """Where the wearer is. ``speed_kmh``: as the receiver reckons it."""

    speed_kmh: Annotated[float, Field(ge=0, le=1000)] | None = None


class Fall(Located):
    """A fall. ``impact_g``: peak acceleration in g; ``confidence``: 0 to 1, as the device reckons it."""

    impact_g: Annotated[float, Field(ge=0, le=1000)] | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None


class Zone(Located):
    """The wearer has crossed the edge of a zone. ``zone``: what the device calls it."""

    zone: Annotated[str, Field(max_length=64)] | None = None


class Still(Located):
    """The wearer has not moved for ``still_minutes``."""

    still_minutes: Annotated[float, Field(ge=0, le=100_000)] | None = None


WORDS = Words(
    name=N_("Mobile safety alarm"),
    says={
        "button_pressed": N_("The button was pressed"),
        "fall": N_("Fall detected"),
        "fall_cancelled": N_("The wearer has cancelled the fall alarm"),
        "position": N_("Position"),
        "zone_left": N_("The wearer has left the zone"),
        "zone_entered": N_("The wearer is in the zone again"),
        "immobility": N_("The wearer does not move"),
        "low_coverage": N_("Weak mobile coverage"),
        "coverage_ok": N_("Mobile coverage is good again"),
    },
    conditions={
        "button_pressed": N_("Button pressed"),
        "fall": N_("Fall"),
        "zone_left": N_("Zone left"),
        "far_from_home": N_("Far from home"),
        "immobility": N_("Does not move"),
        "unprotected": N_("Unprotected: the battery is empty"),
        "disconnected": N_("Device not connected"),
        "low_coverage": N_("Weak mobile coverage"),
        "cries_wolf": N_("Alarms unusually often"),
    },
    fields={
        "latitude": N_("Latitude"),
        "longitude": N_("Longitude"),
        "accuracy_m": N_("Accuracy"),
        "position_at": N_("Position found"),
        "source": N_("Found by"),
        "speed_kmh": N_("Speed"),
        "impact_g": N_("Impact"),
        "confidence": N_("Confidence"),
        "zone": N_("Zone"),
        "still_minutes": N_("Without moving"),
    },
    units={"accuracy_m": "{} m", "speed_kmh": "{} km/h", "impact_g": "{} g", "still_minutes": "{} min"},
    values={"source": {"gps": N_("satellite"), "wifi": N_("wireless networks"), "cell": N_("mobile masts")}},
)

KIND = Kind(
    name="safety_alarm",
    events={
        **HEALTH_EVENTS,
        "heartbeat": LocatedHeartbeat,
        "button_pressed": Located,
        "fall": Fall,
        "fall_cancelled": Located,
        "position": Moved,
        "zone_left": Zone,
        "zone_entered": Zone,
        "immobility": Still,
        "low_coverage": Located,
        "coverage_ok": Located,
    },
    harmless=HEALTH_HARMLESS
    | {"fall_cancelled", "position", "zone_entered", "low_coverage", "coverage_ok", "mains_off"},
    default_rules=DEFAULT_RULES,
    # Alarm equipment is commonly heard every hour. Two of those may be lost under way (a lift, a tunnel, a ferry);
    # after the third somebody walks about unprotected. A day, as battery devices are given at home, is too long here.
    silent_after=timedelta(hours=3),
    day=day,
    words=WORDS,
)
