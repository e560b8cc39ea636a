"""Mobile safety alarm: a button with GPS that is worn out of doors too, and can tell a fall, a zone and a standstill.

Any of its messages may carry a position; see ``devices.position`` for what becomes of it. Zones are the device's own:
it reports leaving and entering one. How far from home somebody is, the gateway reckons itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from devices.health import HEALTH_EVENTS, HEALTH_HARMLESS, MINUTE, Heartbeat, health_rules, immediate, rule
from devices.kinds import Kind
from devices.kinds.safety_alarm.simulator import day
from devices.position import DISTANCE, Located
from devices.vkp import Severity
from devices.words import N_, Words

LOCATION, SAFETY_ALARM = "2", "3"
"""VKP codes."""


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
        "unprotected": N_("Resident without protection: battery empty"),
        "low_coverage": N_("Weak mobile coverage"),
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
    harmless=HEALTH_HARMLESS | {"fall_cancelled", "position", "zone_entered", "low_coverage", "coverage_ok"},
    default_rules=(
        # Each press is evidence of its own; the third within ten minutes calls everybody at once.
        immediate("button_pressed", Severity.SERIOUS, SAFETY_ALARM),
        rule(
            "repeat",
            "button_pressed",
            Severity.CRITICAL,
            SAFETY_ALARM,
            name="pressed_again",
            on=["button_pressed"],
            count=3,
            within_seconds=10 * MINUTE,
        ),
        immediate("fall", Severity.CRITICAL, "4.1", inform_on=["fall_cancelled"]),
        immediate("zone_left", Severity.SERIOUS, LOCATION, inform_on=["zone_entered"]),
        # Off until it is set for a resident who loses the way, with a distance that is theirs.
        rule(
            "threshold",
            "far_from_home",
            Severity.SERIOUS,
            LOCATION,
            on=["position"],
            field=DISTANCE,
            above=1000,
            clear_at=500,
            enabled=False,
        ),
        # 4.19 ("no movement") and not 4.9 ("inactivity"): the device feels its wearer, not the life in a home.
        immediate("immobility", Severity.SERIOUS, "4.19"),
        immediate("unprotected", Severity.MODERATE, on=["battery_empty"]),
        rule(
            "state",
            "low_coverage",
            Severity.MODERATE,
            track="technical",
            enters=["low_coverage"],
            leaves=["coverage_ok"],
            for_seconds=30 * MINUTE,
        ),
        *health_rules(["button_pressed", "fall", "zone_left", "immobility"], end_of_life=Severity.SERIOUS),
    ),
    # Alarm equipment is commonly heard every hour. Two of those may be lost under way (a lift, a tunnel, a ferry);
    # after the third somebody walks about unprotected. A day, as battery devices are given at home, is too long here.
    silent_after=timedelta(hours=3),
    day=day,
    words=WORDS,
)
