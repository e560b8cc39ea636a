"""Who a visitor of the demo can be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from gateway import seed as seeding


@dataclass(frozen=True, slots=True)
class Visitor:
    """One who a visitor can be. ``key`` names it in a form; ``goes``: the page to begin with."""

    key: str
    username: str
    name: str
    zone: str
    goes: str = "/alerts"


def visitors(accounts: Sequence[seeding.Account], now: datetime, local: tzinfo) -> tuple[Visitor, ...]:
    """The nurse is the one who is first on duty in the visitor's zone at this moment."""
    by_name = {each.username: each for each in accounts}
    who = {
        "nurse": (first_on_duty(now, local), "/alerts"),
        "lead": ("leder1", "/alerts"),
        "centre": ("sentral1", "/alerts"),
        "technical": ("teknisk1", "/alerts"),
        "integrator": ("admin", "/happen#say"),
    }
    found = [(key, by_name[username], goes) for key, (username, goes) in who.items() if username in by_name]
    return tuple(Visitor(key, each.username, each.name, each.zone, goes) for key, each, goes in found)


def first_on_duty(now: datetime, local: tzinfo) -> str:
    """Whose shift it is, as the seeded roster has it."""
    at = now.astimezone(local).time()
    place = next((index for index, (start, end) in enumerate(seeding.SHIFTS) if start <= at < end), 2)
    return f"vakt1{'abcd'[place]}"
