"""The rate guard: alarms pass, what is beyond the rate waits, and technical services are told once, and when it is over."""

from __future__ import annotations

from datetime import timedelta

from devices.dialects.native import encode
from devices.model import Lane, Message, MessageClass, Said
from gateway.embedded import Broker
from gateway.ingest import decode
from gateway.rate import WINDOW, RateGuard
from gateway.stamping import Read
from tests.gateway.place import NOW, Home, fall, heartbeat, place
from tests.support.world import world


def said(home: Home, count: int, *, first: int = 0, alarms: bool = False) -> list[Read]:
    every: list[Message] = [(fall if alarms else heartbeat)(home, f"{alarms}-{first + each}") for each in range(count)]
    return decode(every, Lane.BULK).read


async def test_each_device_has_a_rate_of_its_own_and_alarms_have_none(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        one, two = town.homes
        guard = RateGuard(most=10)
        passed = guard.sift(said(one, 8) + said(two, 10), NOW)
        assert (len(passed.read), passed.floods) == (18, [])
        flooded = guard.sift(said(one, 5, first=8) + said(two, 1, first=10) + said(two, 4, alarms=True), NOW)
        assert [each.observation.message_id for each in flooded.read] == [
            "False-8", "False-9", "True-0", "True-1", "True-2", "True-3",
        ]  # fmt: skip
        assert [(each.device, each.held_back, each.begins) for each in flooded.floods] == [
            (one.address, 3, True),
            (two.address, 1, True),
        ]
        (again, *_) = guard.sift(said(one, 2, first=13), NOW + WINDOW / 2).floods
        assert (again.device, again.held_back, again.begins) == (one.address, 2, False)

        # The next window: both have flooded in the last one, and are not calm before they kept to it for a whole one.
        assert guard.sift(said(one, 11, first=20), NOW + WINDOW).floods[0].held_back == 1
        calm = guard.sift([], NOW + 2 * WINDOW)
        assert [(each.device, each.held_back) for each in calm.floods] == [(two.address, 0)]
        assert [each.device for each in guard.sift([], NOW + 3 * WINDOW).floods] == [one.address]
        assert guard.sift([], NOW + 4 * WINDOW).floods == []


async def test_without_a_bound_everything_passes(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        assert len(RateGuard(most=0).sift(said(town.homes[0], 5000), NOW).read) == 5000


async def test_what_is_held_back_is_stored_in_the_end_and_a_fall_in_it_is_raised_at_once(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker, device_per_minute=20) as town:
        home = await town.home()
        device = home.fall_alarm
        told = {f"w{number}" for number in range(50)}
        since = town.now

        async def says_all(missing: set[str]) -> None:
            for each in sorted(missing):
                topic, payload = encode(device.address, device.kind, each, Said(since, MessageClass.EVENT, "worn", {}))
                await town.publishes(topic, payload, settle=False)

        await says_all(told)
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
            await says_all(told - receipted)
            await town.passes(seconds=1)
            receipted |= set(await town.receipts())
        assert told <= receipted
        stored = [each["message_id"] for each in await town.observed(device)]
        assert sorted(each for each in stored if each in told) == sorted(told)
        await town.passes(minutes=3)
        await town.says(device, "worn")
        assert (await town.alert("device_floods", track="technical"))["closed_at"] is not None
        assert timedelta(minutes=5) < town.now - since
