"""Links that open the phone's own map. Never a web address: where somebody is, is not told to a third party's site.

``geo:`` is what Android and most others open (RFC 5870); Apple's devices know ``maps:`` instead. An iPad says that it is a
Macintosh, which knows it too.
"""

from __future__ import annotations

import re

APPLES = re.compile(r"iPhone|iPad|iPod|Macintosh")


def map_link(latitude: float, longitude: float, user_agent: str) -> str:
    """A link to a place in degrees, with a pin on it, for whoever has this ``User-Agent``."""
    place = f"{_decimal(latitude)},{_decimal(longitude)}"
    return f"maps:?ll={place}&q={place}" if APPLES.search(user_agent) else f"geo:{place}?q={place}"


def _decimal(degrees: float) -> str:
    """To a decimetre, and never with an exponent."""
    return f"{degrees:.6f}".rstrip("0").rstrip(".")
