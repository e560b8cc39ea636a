"""What the truth asks for, from a truth written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from devices.model import MessageClass
from gateway.trial.expect import Must, Script, musts
from gateway.trial.explain import cause
from simulators.faults import Fault, Injected
from simulators.field import Happened, Plan, Truth
from simulators.home import Fitting

SINCE = datetime(2026, 11, 23, 11, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 22, tzinfo=UTC)
"""23 o'clock in Oslo."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DOOR = Fitting(address="dor-001", kind="door_sensor", home="1")
ALARM = Fitting(address="trygg-001", kind="safety_alarm", home="1")
FALL = Fitting(address="fall-001", kind="fall_alarm", home="1")


def said(fitting: Fitting, type_: str, at: datetime, *, late: timedelta = timedelta(0), **changed: object) -> Happened:
    class_ = MessageClass.ALARM if type_ == "fall" else MessageClass.EVENT
    one = Happened(fitting, type_, class_, at, at, f"{type_} {at}", None, True, at + late, at + late)
    for name, value in changed.items():
        setattr(one, name, value)
    return one


def asked(*happened: Happened, fitting: Fitting = DOOR) -> list[Must]:
    """What has to be there, silences of the devices left out."""
    truth = Truth(Plan("s", (DOOR, ALARM, FALL), SINCE, SINCE + DAY), happened=list(happened))
    found = musts(Script(truth), SINCE + DAY)
    return [each for each in found if each.device == fitting.address and each.evidence != "nothing_said"]


OUT = said(DOOR, "went_out", NIGHT)


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([OUT], [10]),
        ([OUT, said(DOOR, "went_out", NIGHT + 3 * MINUTE)], [10]),
        ([OUT, said(DOOR, "came_in", NIGHT + 5 * MINUTE)], []),
        ([OUT, said(DOOR, "came_in", NIGHT + 5 * MINUTE, arrived_at=None)], []),
        ([OUT, said(ALARM, "zone_entered", NIGHT + 5 * MINUTE)], []),
        ([OUT, said(DOOR, "came_in", NIGHT + 40 * MINUTE)], [10]),
        ([said(DOOR, "went_out", NIGHT, late=5 * MINUTE)], []),
        ([said(DOOR, "went_out", NIGHT, claimed=NIGHT - 7 * MINUTE)], []),
        ([said(DOOR, "went_out", SINCE + 60 * MINUTE)], []),
        ([said(DOOR, "opened", SINCE + 60 * MINUTE)], [5]),
    ],
)
def test_what_began_and_was_not_ended_has_to_be_raised_in_its_time(
    happened: list[Happened], expected: list[int]
) -> None:
    waits = [each for each in asked(*happened) if each.condition in ("not_back", "left_open")]
    assert [(each.since - happened[0].at) // MINUTE for each in waits] == expected
    assert all(each.track == "care" for each in waits)


def test_an_alarm_from_before_yesterday_has_to_be_told_of_as_well() -> None:
    (must,) = asked(said(FALL, "fall", NIGHT, claimed=NIGHT - 2 * DAY), fitting=FALL)
    assert (must.condition, must.track) == ("old_alarm", "technical")


def test_a_fault_takes_nothing_off_what_arrived_whole() -> None:
    truth = Truth(Plan("s", (FALL,), SINCE, SINCE + DAY), happened=[said(FALL, "fall", NIGHT)])
    truth.injected += [Injected(fault, FALL.address, SINCE, SINCE + DAY) for fault in Fault]
    assert [each.condition for each in musts(Script(truth), SINCE + DAY) if each.evidence == "fall"] == ["fall"]


@dataclass(frozen=True)
class Alert:
    condition: str
    track: str
    device: str | None
    home: str | None
    raised_at: datetime


@pytest.mark.parametrize(
    ("dropped", "explained"), [("dose_dispensed", True), ("heartbeat", False), ("mains_off", False)]
)
def test_a_fault_explains_what_it_is_about_and_nothing_else(dropped: str, explained: bool) -> None:
    """That a sign of life was dropped is no reason for a missed dose that was given."""
    box = Fitting(address="med-001", kind="medicine_dispenser", home="1")
    given = said(box, "dose_dispensed", NIGHT)
    other = said(box, dropped, NIGHT - MINUTE)
    injected = Injected(Fault.DROP, box.address, NIGHT, NIGHT, other.message_id)
    happened = [given, *([other] if dropped != "heartbeat" else [])]
    script = Script(Truth(Plan("s", (box,), SINCE, SINCE + DAY), happened=happened, injected=[injected]))
    found = cause(script, Alert("dose_missed", "care", box.address, "1", NIGHT + 60 * MINUTE))
    assert (found is not None) is explained
