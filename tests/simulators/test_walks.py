"""A simulated safety alarm walks near the home that it is fitted in, and says so as a real one does."""

from __future__ import annotations

from datetime import UTC, date, datetime

from devices.dialects.native import DIALECT, encode
from devices.model import DeviceAddress, Message
from devices.position import Position, distance_m, position_of
from simulators.home import Fitting, Life, script

HOME = (58.9641, 5.7209)
DAYS = [date(2026, 3, day) for day in range(1, 29)]
LATER = datetime(2026, 4, 1, tzinfo=UTC)


def walks(fitting: Fitting) -> list[Position]:
    """Where it was in March, as the gateway reads it."""
    device = DeviceAddress("stavanger", "native", fitting.address)
    said = [each for day in DAYS for each in script(fitting, day, Life(falls_per_day=0.2), seed=3)]
    heard = [DIALECT.decode(Message(*encode(device, fitting.kind, "m-1", each), LATER)) for each in said]
    return [position for each in heard if (position := position_of(each)) is not None]


def test_who_walks_is_near_home_and_not_always_at_home() -> None:
    fittings = [Fitting(address=f"sa-{number}", kind="safety_alarm", place=HOME) for number in range(1, 6)]
    found = [walks(fitting) for fitting in fittings]
    away = [distance_m(HOME, (each.latitude, each.longitude)) for positions in found for each in positions]
    assert sum(len(positions) > 30 for positions in found) >= 2, "not everybody takes walks"
    assert max(away) < 1000
    assert min(away) < 50
    assert sum(each > 200 for each in away) > len(away) / 4


def test_a_home_without_a_place_is_somewhere_in_the_town() -> None:
    found = walks(Fitting(address="sa-2", kind="safety_alarm")) + walks(Fitting(address="sa-3", kind="safety_alarm"))
    assert found
    assert all(distance_m((58.97, 5.73), (each.latitude, each.longitude)) < 5000 for each in found)
