"""Which devices there are: read from the file that ``hjemmevakt seed`` writes, or made up from a seed.

The file is a JSON array of ``{"address": "md-0001", "kind": "medicine_dispenser", "doses": ["08:00", "20:00"],
"home": "12"}``; devices of the same home live with the same people.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from pathlib import Path
from random import Random

from pydantic import TypeAdapter, ValidationError

from simulators.home import Fitting

DOSES = ((8,), (8, 20), (9, 21), (8, 14, 20), (7, 12, 17, 22))
"""Hours at which people take their medicine, one of these per dispenser."""

BESIDES = {
    "safety_alarm": ("sa", 0.3),
    "door_sensor": ("ds", 0.4),
    "e_lock": ("el", 0.4),
    "fire_sensor": ("fs", 0.6),
}
"""By kind: how its addresses begin, and the share of homes that have one."""

_FITTINGS = TypeAdapter(tuple[Fitting, ...])


class DevicesFileError(ValueError):
    """The devices file cannot be used: which file, where in it, and what is wrong."""


def devices_file(path: Path) -> tuple[Fitting, ...]:
    """The devices of a file. DevicesFileError with one clear line."""
    try:
        fittings = _FITTINGS.validate_json(path.read_bytes())
    except OSError as error:
        raise DevicesFileError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DevicesFileError(f"{path}: {where}: {first['msg']}") from None
    addresses = [fitting.address for fitting in fittings]
    twice = next((address for address in addresses if addresses.count(address) > 1), None)
    if twice is not None:
        raise DevicesFileError(f"{path}: {twice} stands there more than once")
    return fittings


def town(seed: int, homes: int = 20) -> tuple[Fitting, ...]:
    """A made-up town: most homes have a fall alarm, many a dispenser, every one at least one of them; some have more."""
    random = Random(f"{seed}:town")
    return tuple(fitting for number in range(1, homes + 1) for fitting in _home(number, random))


def _home(number: int, random: Random) -> Iterator[Fitting]:
    home = f"home-{number:04}"
    has = random.choice(("fall_alarm", "medicine_dispenser", "both", "both"))
    if has != "medicine_dispenser":
        yield Fitting(address=f"fa-{number:04}", kind="fall_alarm", home=home)
    if has != "fall_alarm":
        doses = tuple(time(hour, random.choice((0, 0, 15, 30))) for hour in random.choice(DOSES))
        yield Fitting(address=f"md-{number:04}", kind="medicine_dispenser", doses=doses, home=home)
    for kind, (prefix, share) in BESIDES.items():
        if random.random() < share:
            yield Fitting(address=f"{prefix}-{number:04}", kind=kind, home=home)
