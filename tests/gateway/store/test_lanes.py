"""A lane is held by one process at a time; whoever lost it stores nothing more. In the database's clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from devices.model import Lane
from gateway.store import backups, gateways, sites
from gateway.store.db import Connection, Database, DatabaseGone
from gateway.store.sites import Hearing, LaneLost
from tests.gateway.place import NOW, Place, fall, place

OVER = timedelta(milliseconds=-1)


async def take(town: Place, holder: str, lane: Lane = Lane.ALARM) -> int | None:
    """By a process that lives."""
    await town.beats(holder)
    return await town.run(lambda each: sites.take_lane(each, town.site.id, lane, holder))


async def fence(town: Place, epoch: int) -> None:
    await town.run(lambda each: sites.fence(each, town.site.id, Lane.ALARM, epoch))


async def test_the_second_has_to_wait_until_the_lease_runs_out(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        assert await take(town, "one") == 1
        assert await take(town, "two") is None
        assert await take(town, "two", Lane.BULK) == 1, "each lane by itself"
        await town.beats("one", OVER)
        assert await take(town, "two") == 2
        assert await take(town, "one") is None


async def test_a_lease_that_ran_out_is_still_ours_while_nobody_took_it(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        assert await take(town, "one") == 1
        await town.beats("one", OVER)
        await fence(town, 1)
        assert not await town.beats("one"), "and we learn that it had run out"
        assert await town.beats("one")
        assert await take(town, "two") is None


async def test_a_process_that_leaves_leaves_its_lanes(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        assert await take(town, "one") == 1
        await town.run(lambda each: gateways.leave(each, "one"))
        assert await take(town, "two") == 2


async def test_a_process_is_shown_for_an_hour_after_it_went(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        for holder, lease in (("lives", timedelta(minutes=1)), ("gone", OVER), ("long gone", -timedelta(hours=2))):
            await town.beats(holder, lease)
        await town.run(gateways.forget_gone)
        known = await town.run(gateways.processes)
        assert [(each.holder, each.alive) for each in known] == [("lives", True), ("gone", False)]


async def test_taking_it_again_is_a_new_epoch_and_the_old_one_is_fenced_off(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        assert await take(town, "one") == 1
        assert await take(town, "one") == 2
        await fence(town, 2)
        with pytest.raises(LaneLost):
            await fence(town, 1)


async def test_given_back_is_free_at_once_and_only_by_its_holder(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        assert await take(town, "one") == 1
        await town.run(lambda each: sites.give_lane_back(each, town.site.id, Lane.ALARM, 99))
        assert await take(town, "two") is None
        await town.run(lambda each: sites.give_lane_back(each, town.site.id, Lane.ALARM, 1))
        assert await take(town, "two") == 2


async def test_many_at_once_and_one_has_it(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        taken = await asyncio.gather(*(take(town, f"holder {number}") for number in range(10)))
        assert sorted(each for each in taken if each is not None) == [1]


async def test_who_lost_the_lane_stores_nothing(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        held = await town.held(holder="one")
        await town.beats("one", OVER)
        assert await take(town, "two") == 2
        with pytest.raises(LaneLost):
            await town.store(held, [fall(town.homes[0], "1")])
        assert await town.rows("SELECT 1 FROM said UNION ALL SELECT 1 FROM alert UNION ALL SELECT 1 FROM seen") == []


async def test_while_a_restore_lasts_nobody_stores_anything(migrated_url: str) -> None:
    """Not even who holds the lane, and found its way to the database that was made anew."""
    async with place(migrated_url) as town:
        held = await town.held()
        await town.run(backups.mark)
        with pytest.raises(LaneLost):
            await town.store(held, [fall(town.homes[0], "1")])
        await town.run(backups.unmark)
        await town.store(held, [fall(town.homes[0], "1")])
        assert len(await town.rows("SELECT 1 FROM alert")) == 1


async def test_a_lane_is_not_taken_in_the_middle_of_a_batch(migrated_url: str) -> None:
    """The fence is held until the batch is committed; taking waits for it."""
    async with place(migrated_url) as town:
        assert await take(town, "one") == 1
        await town.beats("one", OVER)

        async def batch(connection: Connection) -> None:
            await sites.fence(connection, town.site.id, Lane.ALARM, 1)
            taking = asyncio.create_task(take(town, "two"))
            done, _ = await asyncio.wait({taking}, timeout=0.2)
            assert not done
            self_made.append(taking)

        self_made: list[asyncio.Task[int | None]] = []
        await town.run(batch)
        assert await self_made[0] == 2


async def test_what_a_frozen_process_left_open_is_ended(migrated_url: str) -> None:
    """Its transaction holds the lane, and nobody goes on with it: who takes over does not wait for a time-out."""
    frozen, alive = Database(migrated_url, process="one"), Database(migrated_url, process="two")
    async with place(migrated_url) as town:
        assert await take(town, "one") == 1
        await frozen.open()
        await alive.open()
        try:
            with pytest.raises(DatabaseGone):  # noqa: PT012 - the transaction is what is ended
                async with frozen.connection() as connection, alive.connection() as other:
                    await sites.fence(connection, town.site.id, Lane.ALARM, 1)
                    await other.execute("SELECT 1")
                    assert await take(town, "two", Lane.BULK) == 1
                    await connection.execute("SELECT 1")  # while it lives, nobody ends it
                    await town.beats("one", OVER)
                    assert await take(town, "two") == 2
                    await other.execute("SELECT 1")  # nor anything of another's
                    await connection.execute("SELECT 1")
        finally:
            await frozen.close()
            await alive.close()


async def test_a_site_is_heard_as_far_as_both_of_its_lanes(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await take(town, "one")
        await take(town, "one", Lane.BULK)

        async def heard(lane: Lane, minutes: int) -> None:
            at = Hearing(NOW + timedelta(minutes=minutes), None, None, 0)
            await town.run(lambda each: sites.save_hearing(each, town.site.id, lane, at))

        await heard(Lane.ALARM, 9)
        assert [each.heard_until for each in await town.run(sites.site_hearings)] == [None]
        await heard(Lane.BULK, 4)
        assert [each.heard_until for each in await town.run(sites.site_hearings)] == [NOW + timedelta(minutes=4)]
