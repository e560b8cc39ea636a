"""Positions: where a device says it is, and what is left of a message without it.

Rules of this file
    A position is read from whatever says one, and reading never fails: half a pair, a number out of range, or 0° 0°
    (which receivers say when they have no fix) is no position.
    Coordinates are known by the names of their fields, at any depth: what a message keeps has none of them.

Theory
    Where somebody is, minute by minute, is more than whoever answers an alert needs to keep. So coordinates are taken
    out of all that lives long – fields, raw bytes, evidence – and live in one place, for days. What rules need stays in
    the message as a distance: how far from home, at least, and rounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import asin, cos, hypot, radians, sin, sqrt
from typing import Annotated, Any

from pydantic import Field

from devices.glance import Glance
from devices.json import MAX_BYTES
from devices.kinds import Event, Instant
from devices.model import Observation, parse_time, settle_time

COORDINATES = frozenset({"latitude", "longitude", "altitude", "lat", "lon", "lng", "coordinates"})
"""Names of fields that say where, in any case of letters."""

DISTANCE = "distance_from_home_m"
"""The field that the gateway adds: metres from home, at least."""

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the Earth (IUGG)."""

TELLING_M = 500.0
"""A position that is less accurate tells nothing of who is at home."""

LONGEST_SOURCE = 32

_PAIR = re.compile(
    rb'("(?:' + b"|".join(name.encode() for name in sorted(COORDINATES)) + rb')\\{0,8}"\s*:\s*)'
    rb'(?:[-+]?[0-9][0-9.eE+-]*|"(?:[^"\\]|\\.)*"?|\[(?:[^\[\]{}]|\[[^\[\]{}]*\]?)*(?:\]|\Z))',
    re.IGNORECASE | re.DOTALL,
)


class Located(Event):
    """Where the device was, in degrees (WGS 84). ``accuracy_m``: the radius in metres within which it probably was.

    ``position_at``: when that was found out, where it was not at the message's own time. ``source``: gps, wifi or cell;
    one that is not known here is kept.
    """

    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    accuracy_m: Annotated[float, Field(ge=0, le=100_000)] | None = None
    position_at: Instant | None = None
    source: Annotated[str, Field(max_length=LONGEST_SOURCE)] | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in degrees (WGS 84) and when the device was there, in UTC. ``accuracy_m``: None where it did not say."""

    latitude: float
    longitude: float
    accuracy_m: float | None
    at: datetime
    source: str | None = None


def position_of(said: Observation) -> Position | None:
    """The position that a message carries, if it carries one."""
    fields = said.fields
    if "latitude" not in fields:
        return None
    latitude, longitude = _number(fields, "latitude", 90), _number(fields, "longitude", 180)
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None
    accuracy, source = _number(fields, "accuracy_m", 100_000), fields.get("source")
    return Position(
        latitude,
        longitude,
        accuracy if accuracy is not None and accuracy >= 0 else None,
        _found_at(said),
        source if isinstance(source, str) and len(source) <= LONGEST_SOURCE else None,
    )


def without_position(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without coordinates, at any depth, also in a text that is JSON itself."""
    return {name: _without(value) for name, value in fields.items() if not tells_where(name)}


def masked(raw: bytes) -> bytes:
    """A message's bytes with ``null`` for every coordinate, also where they are no JSON; else unchanged."""
    hidden = _PAIR.sub(rb"\1null", raw)
    left: list[str] = []

    def without(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        left.extend(name for name, value in pairs if tells_where(name) and value is not None)
        return {name: None if tells_where(name) else value for name, value in pairs}

    if len(raw) > MAX_BYTES:
        return hidden
    try:
        value = json.loads(hidden, object_pairs_hook=without)
    except (ValueError, RecursionError):
        return hidden
    return json.dumps(value).encode() if left else hidden


def apart(said: Observation) -> Observation:
    """What a device said, without where it was."""
    if not _may_tell(said):
        return said
    kept = without_position(said.fields)
    if kept == said.fields and _PAIR.search(said.raw) is None:
        return said
    return replace(said, fields=kept, raw=masked(said.raw))


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres along the Earth's surface between two (latitude, longitude) in degrees; by haversine, within 0.6 %."""
    (from_latitude, from_longitude), (to_latitude, to_longitude) = one, other
    north = sin(radians(to_latitude - from_latitude) / 2)
    east = sin(radians(to_longitude - from_longitude) / 2)
    across = sqrt(cos(radians(from_latitude)) * cos(radians(to_latitude)))
    return 2 * EARTH_RADIUS_M * asin(min(1.0, hypot(north, across * east)))


def distance_from_home_m(position: Position, home: tuple[float, float]) -> int | None:
    """How far away at least: metres without the accuracy, in tens, from a kilometre on in hundreds; never negative.

    ``home``: (latitude, longitude) in degrees. Without an accuracy the position is taken at its word: rather too far.
    None where the position is so coarse that it could be either at home or away: nobody is called home by that.
    """
    accuracy = position.accuracy_m or 0.0
    at_least = max(0.0, distance_m((position.latitude, position.longitude), home) - accuracy)
    if accuracy > TELLING_M and at_least < accuracy:
        return None
    unit = 10 if at_least < 1000 else 100
    return round(at_least / unit) * unit


def _found_at(said: Observation) -> datetime:
    """Settled as the message's own time is; that one where the device names no other."""
    try:
        claimed = parse_time(said.fields.get("position_at"))
    except ValueError:
        return said.occurred_at
    return settle_time(claimed, said.received_at)[0]


def _number(fields: Mapping[str, Any], name: str, most: float) -> float | None:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -most <= value <= most else None


def _may_tell(said: Observation) -> bool:
    """Most messages tell at a glance that they have nothing of the kind."""
    return said.may_have_position and (
        _GLANCE.may_have_one(said.raw)
        or not COORDINATES.isdisjoint(map(str.lower, said.fields))
        or not _NESTED.isdisjoint(map(type, said.fields.values()))
    )


_GLANCE = Glance(("lat", "lon", "lng", "alt", "coord"))
_NESTED = frozenset({dict, list})


def tells_where(name: str) -> bool:
    """Whether a field of this name is a coordinate."""
    return name.lower() in COORDINATES


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return without_position(value)
    if isinstance(value, str):
        return _text_without(value) if '"' in value else value
    return [_without(each) for each in value] if isinstance(value, list) else value


def _text_without(text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return _PAIR.sub(rb"\1null", raw).decode("utf-8", "surrogatepass")
