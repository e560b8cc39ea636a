"""The rate guard: alarms pass, and what was late; what is beyond the rate waits; technical services are told once, and when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.dialects.native import encode, topic_of
from devices.model import DeviceAddress, Lane, Message, MessageClass, Said
from gateway.batches import decode
from gateway.embedded import Broker
from gateway.rate import AHEAD, WINDOW, RateGuard
from gateway.stamping import Read
from tests.gateway.place import NOW
from tests.support.town import Device
from tests.support.world import World, world

ONE, TWO = (DeviceAddress("kommune", "native", f"fall-{each}") for each in (1, 2))
WEEKEND = timedelta(hours=72)
IDS = count()


def said(device: DeviceAddress, at: datetime, got: datetime | None = None, *, alarm: bool = False) -> Read:
    """What a device said at a time by its clock, and when we got it."""
    what, type_ = (MessageClass.ALARM, "fall") if alarm else (MessageClass.STATUS, "heartbeat")
    topic, payload = encode(device, "fall_alarm", str(next(IDS)), Said(at, what, type_))
    (read,) = decode([Message(topic, payload, got or at)], Lane.ALARM if alarm else Lane.BULK).read
    return read


def state(device: DeviceAddress, got: datetime) -> Read:
    """What has no id and no time: the time is ours."""
    payload = b'{"online": false}'
    (read,) = decode([Message(topic_of(device, "fall_alarm", "status"), payload, got)], Lane.BULK).read
    return read


def every_minute(device: DeviceAddress, begins: datetime, lasts: timedelta, got: datetime) -> list[Read]:
    return [said(device, begins + each * WINDOW, got) for each in range(lasts // WINDOW)]


def seconds(number: float) -> datetime:
    return NOW + timedelta(seconds=number)


def passed(guard: RateGuard, read: Sequence[Read], now: datetime, canary: datetime | None = None) -> int:
    return len(guard.sift(read, now, canary).read)


def test_what_cannot_be_read_counts_but_no_alarm() -> None:
    """Else a device that talks nonsense without end has a row for each of it."""
    guard = RateGuard(10, NOW)
    junk = decode([Message(topic_of(ONE, "fall_alarm", "event"), b"junk", NOW)] * 15, Lane.BULK).rejected
    alarms = decode([Message(topic_of(ONE, "fall_alarm", "alarm"), b"junk", NOW)] * 15, Lane.ALARM).rejected
    nobody = decode([Message("elsewhere", b"junk", NOW)] * 15, Lane.BULK).rejected
    sifted = guard.sift([said(ONE, NOW) for _ in range(4)], seconds(1), None, [*junk, *alarms, *nobody])
    assert (len(sifted.read), sifted.rejected) == (4, [*junk[:6], *alarms, *nobody])
    assert [(each.device, each.kind, each.held_back) for each in sifted.floods] == [(ONE, "fall_alarm", 9)]


def test_each_device_has_a_rate_of_its_own_and_alarms_have_none() -> None:
    guard = RateGuard(10, NOW)
    first = guard.sift([*(said(ONE, NOW) for _ in range(8)), *(said(TWO, NOW) for _ in range(10))], seconds(1))
    assert (len(first.read), first.floods) == (18, [])
    more = [
        *(said(ONE, NOW) for _ in range(5)),
        said(TWO, NOW),
        *(said(TWO, NOW, alarm=True) for _ in range(40)),
    ]
    flooded = guard.sift(more, seconds(2))
    assert flooded.read == [*more[:2], *more[6:]], "in order, and whatever is an alarm"
    assert [(each.device, each.held_back, each.begins) for each in flooded.floods] == [(ONE, 3, True), (TWO, 1, True)]
    (again,) = guard.sift([said(ONE, NOW), said(ONE, NOW)], seconds(30)).floods
    assert (again.device, again.held_back, again.begins) == (ONE, 2, False)

    # A canary that is not a minute younger ends no window. The one that is does, and nobody was calm in this one.
    assert guard.sift([], seconds(59), seconds(59)).floods == []
    assert guard.sift([], seconds(60), seconds(60)).floods == []
    again, *_ = guard.sift([said(ONE, seconds(61)) for _ in range(11)], seconds(61)).floods
    assert (again.held_back, again.begins) == (1, False)
    calm = guard.sift([], seconds(120), seconds(120)).floods
    assert [(each.device, each.held_back, each.kind) for each in calm] == [(TWO, 0, "fall_alarm")]
    assert [each.device for each in guard.sift([], seconds(180), seconds(180)).floods] == [ONE]
    assert guard.sift([], seconds(240), seconds(240)).floods == []


def test_without_a_bound_everything_passes_and_who_was_told_of_is_told_to_be_over() -> None:
    guard = RateGuard(0, NOW, {ONE: "fall_alarm"})
    assert passed(guard, [said(ONE, NOW) for _ in range(5000)], NOW) == 5000
    assert [each.device for each in guard.sift([], seconds(60), seconds(60)).floods] == [ONE]


@pytest.mark.parametrize("tells", ["its clock is right", "its clock was never set", "its clock is ahead", "none"])
def test_what_has_waited_for_us_over_a_weekend_passes_whatever_the_device_says_of_when(tells: str) -> None:
    """Ten devices, a message a minute, in a batch of the moment: 4,320 each, and the bound is 3,000."""
    back = NOW + WEEKEND
    claims = {
        "its clock was never set": datetime(1970, 1, 1, tzinfo=UTC),
        "its clock is ahead": back + timedelta(days=9),
    }

    def got(device: DeviceAddress, at: datetime) -> Read:
        return state(device, back) if tells == "none" else said(device, claims.get(tells, at), back)

    guard = RateGuard(3000, NOW)
    devices = [ONE._replace(address=f"fall-{each}") for each in range(10)]
    queued = [got(device, NOW + each * WINDOW) for each in range(WEEKEND // WINDOW) for device in devices]
    assert guard.sift(queued, back) == (queued, [], [])
    # The canary is behind it, and from then on it is as ever.
    assert passed(guard, [], back, back) == 0
    assert passed(guard, [said(ONE, back + timedelta(seconds=1)) for _ in range(5000)], back) == 3000


def test_a_lane_that_was_never_heard_has_no_bound_until_a_canary_is_back() -> None:
    guard = RateGuard(10)
    assert passed(guard, [said(ONE, NOW) for _ in range(500)], NOW) == 500
    assert passed(guard, [], NOW, NOW) == 0
    assert passed(guard, [said(ONE, NOW) for _ in range(500)], NOW) == 10


@pytest.mark.parametrize("order", ["oldest first", "newest first", "any"])
def test_what_a_device_has_kept_itself_passes_beside_what_it_says_now(order: str) -> None:
    """It was without its broker for the weekend, and has it all acknowledged within a second. We were there all the time."""
    guard = RateGuard(3000, NOW)
    backlog = every_minute(ONE, NOW - WEEKEND, WEEKEND, seconds(1))
    if order == "newest first":
        backlog.reverse()
    elif order == "any":
        Random(7).shuffle(backlog)
    spoken = [*backlog, *(said(ONE, seconds(1)) for _ in range(3000))]
    assert guard.sift(spoken, seconds(1)) == (spoken, [], [])
    assert guard.sift([said(ONE, seconds(2))], seconds(2)).floods[0].held_back == 1


TIMES: dict[str, Callable[[], Iterator[datetime]]] = {
    "one and the same": lambda: (NOW - timedelta(days=2) for _ in count()),
    "two in turn": lambda: (NOW - timedelta(days=2 + each % 2) for each in count()),
    "each a minute further": lambda: (NOW - timedelta(days=30) + each * WINDOW for each in count()),
    "each a minute before": lambda: (NOW - timedelta(days=2) - each * WINDOW for each in count()),
    "any at all": lambda: (
        NOW - timedelta(minutes=random.uniform(1, 50_000)) for random in [Random(3)] for _ in count()
    ),
}


@pytest.mark.parametrize("kind", TIMES)
def test_no_time_that_a_device_makes_up_gets_it_around_the_guard(kind: str) -> None:
    """Five hundred messages a second for three hours, at a rate of four a minute."""
    guard, times, taken, minutes = RateGuard(4, NOW), TIMES[kind](), 0, 180
    floods = []
    for minute in range(minutes):
        now = NOW + minute * WINDOW
        sifted = guard.sift([said(ONE, next(times), now) for _ in range(100)], now, now)
        taken += len(sifted.read)
        floods += sifted.floods
    assert taken <= 4 * (2 * minutes + AHEAD)
    if kind == "one and the same":
        assert taken <= 4 * minutes
    assert sum(each.begins for each in floods) == 1
    before = taken
    for minute in range(
        minutes, 2 * minutes
    ):  # what it may have kept is used up: no more than twice the rate, from now on
        now = NOW + minute * WINDOW
        taken += len(guard.sift([said(ONE, next(times), now) for _ in range(100)], now, now).read)
    assert taken - before <= 4 * 2 * (minutes + 1)


def test_while_we_lag_behind_a_flood_gets_no_more_than_what_it_would_have_got_in_time() -> None:
    """We read ten minutes late for an hour: what was granted on account of that is not granted again and again."""
    guard, lag, taken = RateGuard(100, NOW), 10 * WINDOW, 0
    for minute in range(1, 61):
        got = NOW + minute * WINDOW
        taken += passed(guard, [said(ONE, got) for _ in range(1000)], got + lag, got)
    assert 60 * 100 <= taken <= (60 + 11) * 100


def test_after_a_restart_a_device_has_a_window_more_and_who_floods_is_known() -> None:
    guard = RateGuard(10, NOW, {ONE: "fall_alarm", TWO: "fall_alarm"})
    (flood,) = guard.sift([said(ONE, NOW) for _ in range(40)], seconds(3)).floods
    assert (flood.device, flood.held_back, flood.begins) == (ONE, 30, False)
    assert [(each.device, each.held_back) for each in guard.sift([], seconds(60), seconds(60)).floods] == [(TWO, 0)]


def test_where_our_clock_was_ahead_and_is_set_back_all_goes_on_from_then() -> None:
    guard = RateGuard(10, NOW + timedelta(days=1))
    assert passed(guard, [said(ONE, NOW) for _ in range(40)], NOW, NOW) == 10
    assert passed(guard, [said(ONE, seconds(60)) for _ in range(40)], seconds(60), seconds(60)) == 0
    assert passed(guard, [said(ONE, seconds(61)) for _ in range(40)], seconds(61)) == 10


def test_of_whom_speaks_no_more_nothing_is_remembered() -> None:
    guard = RateGuard(10, NOW)
    for number in range(500):
        device = ONE._replace(address=f"fall-{number}")
        at = [NOW - number * WINDOW, NOW, NOW]
        guard.sift([said(device, each, NOW) for each in at] * 6, NOW)
    assert len(guard._counts) == 500
    for minute in range(1, 3):
        guard.sift([], NOW + minute * WINDOW, NOW + minute * WINDOW)
    assert not guard._counts
    assert not guard._kept
    assert len(guard.flooding) == 0


class Story:
    """A device that says something every so many seconds; now and then it is away from its broker, or we are."""

    def __init__(self, guard: RateGuard) -> None:
        self.guard = guard
        self.now = NOW
        self.kept: list[datetime] = []
        self.queued: list[datetime] = []
        self.held_back = 0

    def passes(self, minutes: int, every: int, skew: timedelta, *, device_away: bool, we_away: bool) -> None:
        """What is away keeps, or is kept for. A canary every five seconds, while we are there."""
        for _ in range(0, minutes * 60, 5):
            self.now += timedelta(seconds=5)
            if not (self.now - NOW) % timedelta(seconds=every):
                self.kept.append(self.now + skew)
            if not device_away:
                self.queued += self.kept
                self.kept.clear()
            if not we_away:
                spoken = [said(ONE, at, self.now) for at in self.queued]
                self.held_back += len(spoken) - passed(self.guard, spoken, self.now, self.now)
                self.queued.clear()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.booleans()), min_size=1, max_size=6),
    st.integers(2, 12),
    st.integers(-600, 0),
)
def test_who_keeps_to_half_the_rate_loses_nothing_whoever_is_away(
    stretches: list[tuple[int, bool, bool]], fives: int, skew: int
) -> None:
    """Its clock is right, or up to ten minutes slow."""
    every = fives * 5
    story = Story(RateGuard(ceil(2 * 60 / every), NOW))
    for minutes, device_away, we_away in [*stretches, (3, False, False)]:
        story.passes(minutes, every, timedelta(seconds=skew), device_away=device_away, we_away=we_away)
    assert story.held_back == 0


# With a broker and a database ------------------------------------------------------------------------------------------


async def floods(town: World, device: Device, times: int = 50) -> set[str]:
    """A device says a lot at once; the ids."""
    told = {f"w{next(IDS)}" for _ in range(times)}
    for each in sorted(told):
        await town.says(device, "worn", id=each, settle=False)
    await town.settle()
    return told


async def test_what_is_held_back_is_stored_in_the_end_and_a_fall_in_it_is_raised_at_once(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker, device_per_minute=20) as town:
        home = await town.home()
        device = home.fall_alarm
        since = town.now
        told = await floods(town, device)
        await town.says(device, "fall")
        assert set(await town.news()) == {"Kari", "Tek"}
        assert len(await town.observed(device)) == 21
        flood = await town.alert("device_floods", track="technical")
        assert (flood["track"], flood["closed_at"]) == ("technical", None)
        (state,) = await town.rows("SELECT last_seen FROM device_state")
        assert state["last_seen"] == town.now

        # A device that keeps its messages says again what has no receipt.
        receipted = set(await town.receipts())
        for _ in range(6):
            await town.passes(minutes=1, seconds=1)
            for each in sorted(told - receipted):
                await town.says(device, "worn", id=each, at=since, settle=False)
            await town.passes(seconds=1)
            receipted |= set(await town.receipts())
        assert told <= receipted
        stored = [each["message_id"] for each in await town.observed(device)]
        assert sorted(each for each in stored if each in told) == sorted(told)
        await town.passes(minutes=3)
        await town.says(device, "worn")
        assert (await town.alert("device_floods", track="technical"))["closed_at"] is not None
        assert timedelta(minutes=5) < town.now - since


async def test_a_flood_is_over_also_where_the_lane_was_connected_anew_and_the_device_is_gone(
    migrated_url: str, own_broker: Broker
) -> None:
    """It is taken down, as one does with a device that floods: the alert is closed all the same, and it has not come to life."""
    async with world(migrated_url, own_broker, device_per_minute=20) as town:
        home = await town.home()
        await floods(town, home.fall_alarm)
        raised, last = await town.alert("device_floods", track="technical"), town.now
        await town.broker_stops()
        await town.rows(
            "UPDATE installation SET during = tstzrange(lower(during), %s) WHERE device_id = %s",
            town.now,
            home.fall_alarm.id,
        )
        await town.broker_starts()
        await town.passes(seconds=30)
        assert (await town.alert("device_floods", track="technical"))["closed_at"] is None
        await town.passes(minutes=2)
        closed = await town.alert("device_floods", track="technical")
        assert (closed["id"], closed["stage"]) == (raised["id"], "closed")
        (state,) = await town.rows("SELECT last_seen FROM device_state WHERE device_id = %s", home.fall_alarm.id)
        assert state["last_seen"] == last


async def test_a_flood_that_goes_on_over_a_new_connection_is_one_alert(migrated_url: str, own_broker: Broker) -> None:
    async with world(migrated_url, own_broker, device_per_minute=20) as town:
        home = await town.home()
        for _ in range(3):
            await floods(town, home.fall_alarm)
            await town.passes(seconds=65)
            await town.broker_stops()
            await town.broker_starts()
        (alert,) = await town.rows("SELECT * FROM alert WHERE condition = 'device_floods'")
        assert alert["closed_at"] is None
        assert (
            len(await town.rows("SELECT 1 FROM alert_entry WHERE code = 'raised' AND alert_id = %s", alert["id"])) == 1
        )
        await town.passes(minutes=3)
        (alert,) = await town.rows("SELECT * FROM alert WHERE condition = 'device_floods'")
        assert alert["closed_at"] is not None
