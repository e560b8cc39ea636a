"""Faults: pure, seeded, combinable, and each told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from devices.dialects.native import DIALECT, encode
from devices.model import DecodeError, DeviceAddress, Message, MessageClass, Said
from simulators.faults import NO_FAULTS, Fault, FaultError, Faults, Sending, Told, carry, parse, tell
from simulators.field import Field, Plan, digest, transcript
from simulators.people import LIVELY
from simulators.town import town

SINCE = datetime(2026, 11, 23, 11, tzinfo=UTC)
DAYS = timedelta(days=3)
HOURLY = [
    Said(SINCE + timedelta(hours=hour), MessageClass.STATUS, "heartbeat", {"battery": 90, "mains": True})
    for hour in range(72)
]
SIX_DAYS = [*HOURLY, *(replace(each, at=each.at + DAYS) for each in HOURLY)]
ADDRESS = DeviceAddress("stavanger", "native", "fall-001")
FALL = encode(ADDRESS, "fall_alarm", "1", Said(SINCE, MessageClass.ALARM, "fall", {"impact_g": 4.2}))


def told(fault: str, said: Sequence[Said] = HOURLY, seed: int = 1) -> list[Told]:
    return list(tell("fall-001", "fall_alarm", said, parse([fault], DAYS), seed, SINCE))


def sent(fault: str, tries: int = 400) -> Counter[str]:
    """What becomes of many sendings of a fall."""
    found: Counter[str] = Counter()
    for number in range(tries):
        sending = Sending("fall-001", str(number), 1, SINCE, *FALL)
        arrivals, injected = carry(sending, parse([fault]), seed=1)
        found["none"] += not arrivals
        found["twice"] += len(arrivals) == 2
        found["broken"] += any(not each.whole and each.payload != FALL[1] for each in arrivals)
        found["told"] += len(injected)
    return found


def test_without_faults_everything_is_as_it_was() -> None:
    assert [each.said for each in tell("a", "fall_alarm", HOURLY, NO_FAULTS, 1, SINCE)] == HOURLY
    ((arrival,), injected) = carry(Sending("a", "1", 1, SINCE, *FALL), NO_FAULTS, 1)
    assert (arrival.topic, arrival.payload, injected) == (*FALL, ())


@pytest.mark.parametrize(
    ("fault", "what"), [("drop=0.1", "none"), ("duplicate=0.1", "twice"), ("corrupt=0.1", "broken")]
)
def test_under_way_a_share_of_sendings_goes_wrong_and_each_is_told(fault: str, what: str) -> None:
    found = sent(fault)
    assert 20 <= found[what] <= 65
    assert found["told"] == found[what]
    assert sum(found[other] for other in ("none", "twice", "broken")) == found[what]
    assert sent(fault) == found, "the same seed has the same luck"


def test_another_sending_of_the_same_message_has_its_own_luck() -> None:
    faults = parse(["drop=0.5"])
    sendings = [Sending("fall-001", "1", tries, SINCE, *FALL) for tries in range(1, 21)]
    arrived = [bool(carry(each, faults, 1)[0]) for each in sendings]
    assert len(set(arrived)) == 2


def test_broken_bytes_never_do_more_than_not_be_understood() -> None:
    for number in range(200):
        (arrival,), _ = carry(Sending("fall-001", str(number), 1, SINCE, *FALL), parse(["corrupt=1"]), 1)
        with suppress(DecodeError):
            DIALECT.decode(Message(arrival.topic, arrival.payload, SINCE))


def test_a_battery_falls_then_there_is_silence_then_it_is_replaced() -> None:
    said = told("battery_death=1", SIX_DAYS)
    (death,) = [one for each in said for one in each.faults]
    numbers = [each.said.fields["battery"] for each in said if death.at <= each.at < death.until]
    assert numbers == sorted(numbers, reverse=True)
    assert {each.said.type for each in said} == {"heartbeat", "battery_low", "battery_empty"}
    assert not any(each.said.fields.get("mains") for each in said if death.at <= each.at < death.until)
    silent = max(later.at - one.at for one, later in pairwise(said))
    assert silent >= timedelta(hours=12)
    assert said[-1].at > death.until
    assert told("battery_death=1", SIX_DAYS, seed=2) != said


def test_a_flood_is_the_same_again_and_again_and_nothing_happened() -> None:
    said = told("fall-001:flood")
    flood = [each for each in said if not each.real]
    assert 20 <= len(flood) <= 60
    assert len({each.said.type for each in flood}) == 1
    assert flood[-1].at - flood[0].at <= timedelta(minutes=10)
    assert [each.at for each in said] == sorted(each.at for each in said)
    assert [one.fault for each in said for one in each.faults] == [Fault.FLOOD]


def test_a_clock_is_wrong_and_the_truth_is_kept() -> None:
    how = set()
    for seed in range(12):
        said = told("skew=1", seed=seed)
        (skew,) = [one for each in said for one in each.faults]
        how.add(skew.told)
        assert [each.at for each in said] == [each.at for each in HOURLY]
        assert any(each.said.at != each.at for each in said)
    assert how == {"ahead", "behind", "drifting", "never set"}


@pytest.mark.parametrize("fault", ["delay=0.2", "reorder=0.2"])
def test_some_leave_late_or_after_the_next_one_and_keep_their_time(fault: str) -> None:
    said = told(fault)
    late = [each for each in said if each.due_at > each.at]
    assert 5 <= len(late) <= 30
    assert all(each.said.at == each.at and len(each.faults) == 1 for each in late)
    assert [each.said for each in said] == HOURLY


def test_faults_combine_and_the_same_seed_gives_the_same_bytes() -> None:
    faults = parse([f"{each}=0.1" for each in Fault], DAYS)
    plan = Plan("s", town(3, 15), SINCE, SINCE + DAYS, 7, LIVELY, faults)
    assert transcript(plan) == transcript(plan)
    assert digest(plan) != digest(replace(plan, seed=8))
    assert digest(plan) != digest(replace(plan, faults=NO_FAULTS))
    injected = lived(plan).truth.injected
    assert {each.fault for each in injected} == set(Fault)


def lived(plan: Plan, *, thanked: bool = True) -> Field:
    """All of it, with a receipt for whatever arrives whole, or for nothing."""
    homes, now = Field(plan), plan.since
    while now < plan.until:
        now = min(plan.until, now + timedelta(minutes=10))
        for each in homes.leave(now):
            if each.whole and thanked:
                topic = re.sub(r"/[a-z]+$", "/receipt", each.topic)
                homes.receipted(topic, each.message_id, now)
    homes.end()
    return homes


def test_a_device_with_faults_sends_its_alarm_until_it_has_the_receipt() -> None:
    life = replace(LIVELY, falls_per_day=1.0)
    plan = Plan("s", town(3, 8), SINCE, SINCE + DAYS, 7, life, parse(["drop=0.6", "corrupt=0.1"], DAYS))
    truth = lived(plan).truth
    falls = [each for each in truth.happened if each.type == "fall" and each.at < SINCE + DAYS - timedelta(hours=2)]
    assert len(falls) > 5
    assert all(each.arrived_at is not None for each in falls)
    assert truth.outstanding == []


def test_what_has_no_receipt_at_the_end_is_told() -> None:
    plan = Plan("s", town(3, 4), SINCE, SINCE + timedelta(days=1), 7, LIVELY)
    truth = lived(plan, thanked=False).truth
    assert len(truth.outstanding) == len(truth.happened) > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("frob=0.1", "is no fault; there are drop, duplicate"),
        ("drop", "give a share from 0 to 1"),
        ("drop=2", "give a share from 0 to 1"),
        ("drop=x", "give a share from 0 to 1"),
        ("fall-001:frob", "'frob' is no fault"),
    ],
)
def test_a_fault_that_cannot_be_understood(given: str, said: str) -> None:
    with pytest.raises(FaultError, match=re.escape(given)) as refused:
        parse([given])
    assert said in str(refused.value)


def test_faults_as_they_are_written() -> None:
    assert parse(["drop=0.1", "fall-001:flood"]) == Faults({Fault.DROP: 0.1}, frozenset({("fall-001", Fault.FLOOD)}))
    assert not parse([])
    assert not parse(["drop=0"])
