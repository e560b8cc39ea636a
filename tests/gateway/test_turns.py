"""Two batches of a lane at once: the later one is begun early, and judged in its turn."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest

from devices.dialects.native import encode
from devices.model import Lane, Message, MessageClass, Said
from gateway.batches import decode
from gateway.ingest import Held, Stored, store_batch
from gateway.person.erase import erase
from gateway.store import devices
from gateway.store.db import Connection, NotCommitted, commit_behind, has_committed
from gateway.store.sites import LaneLost
from gateway.turns import Stumbled, Turn
from tests.gateway.place import NOW, Home, Place, fall, heartbeat, place

SOON = 0.05


async def _waits(task: asyncio.Task[object]) -> bool:
    """Whether it has not ended although everything that is ready had its turn."""
    await asyncio.wait([task], timeout=SOON)
    return not task.done()


# The line -------------------------------------------------------------------------------------------------------------


async def test_the_first_waits_for_nobody() -> None:
    turn = Turn()
    await turn.begins()
    await turn.comes()


async def test_the_next_begins_when_the_one_before_was_looked_at_and_comes_when_it_is_over() -> None:
    one = Turn()
    two = Turn(one)
    begins = asyncio.create_task(two.begins())
    assert await _waits(begins)
    one.looked()
    await begins
    comes = asyncio.create_task(two.comes())
    assert await _waits(comes)
    one.ends()
    await comes


async def test_whoever_is_behind_one_that_stumbles_begins_anew_when_that_is_over() -> None:
    one = Turn()
    two = Turn(one)
    one.looked()
    comes = asyncio.create_task(two.comes())
    assert await _waits(comes)
    one.stumbles()
    with pytest.raises(Stumbled):
        await comes
    begins = asyncio.create_task(two.begins())
    assert await _waits(begins)
    one.looked()  # its second try
    assert await _waits(begins)
    one.ends()
    await begins
    await two.comes()


async def test_one_that_stumbles_before_it_was_looked_at_holds_up_the_next() -> None:
    one = Turn()
    one.stumbles()
    begins = asyncio.create_task(Turn(one).begins())
    assert await _waits(begins)
    one.ends()
    await begins


async def test_where_there_is_no_room_a_batch_begins_when_the_one_before_is_over() -> None:
    room = asyncio.Semaphore(1)
    here, there = Turn(), Turn()
    here.looked()
    there.looked()
    ahead, other = Turn(here, room), Turn(there, room)
    await ahead.begins()
    begins = asyncio.create_task(other.begins())
    assert await _waits(begins)
    there.ends()
    await begins
    await other.comes()
    here.ends()
    await ahead.comes()
    assert not room.locked()


async def test_room_that_was_taken_meanwhile_is_not_waited_for() -> None:
    room = asyncio.Semaphore(1)
    here, there = Turn(), Turn()
    other, ahead = Turn(there, room), Turn(here, room)
    begins = asyncio.create_task(other.begins())
    assert await _waits(begins)
    here.looked()
    await ahead.begins()
    there.looked()
    assert await _waits(begins)
    there.ends()
    await asyncio.wait_for(begins, 60)
    assert room.locked(), "the other lane has it still"


@pytest.mark.parametrize("how", ["comes", "stumbles", "ends"])
async def test_room_is_left_once_however_a_batch_goes_on(how: str) -> None:
    room = asyncio.Semaphore(1)
    one = Turn()
    one.looked()
    two = Turn(one, room)
    await two.begins()
    assert room.locked()
    one.ends()
    if how == "comes":
        await two.comes()
    elif how == "stumbles":
        two.stumbles()
    two.ends()
    await room.acquire()
    assert room.locked()


def test_no_turn_keeps_those_that_are_over() -> None:
    turn = Turn()
    two = Turn(turn)
    turn.ends()
    two.ends()
    assert turn not in vars(two).values()


# In the database ------------------------------------------------------------------------------------------------------


def _store(town: Place, held: Held, said: list[Message], turn: Turn) -> asyncio.Task[Stored]:
    return asyncio.create_task(store_batch(town.database, held, decode(said, held.lane), NOW, town.cache, turn))


def _presence(home: Home, id_: str, seconds: int, *, online: bool) -> Message:
    at = NOW + timedelta(seconds=seconds)
    topic, payload = encode(
        home.address, "fall_alarm", id_, Said(at, MessageClass.STATUS, "presence", {"online": online})
    )
    return Message(topic, payload, at)


async def _disconnected(town: Place) -> list[tuple[str, bool]]:
    rows = await town.rows("SELECT state, due_at IS NOT NULL AS waits FROM watch WHERE key LIKE 'state:disconnected:%'")
    return [(row["state"], row["waits"]) for row in rows]


async def test_what_came_later_is_judged_later_though_it_was_begun_first(migrated_url: str) -> None:
    """Back before away, as the database would see it: the device would wait to be missed for ever."""
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held(Lane.BULK)
        one = Turn()
        two = Turn(one)
        later = _store(town, held, [_presence(home, "2", 60, online=True)], two)
        assert await _waits(later)
        await _store(town, held, [_presence(home, "1", 0, online=False)], one)
        assert await _disconnected(town) == [("waiting", True)]
        assert await _waits(later)  # it is not acknowledged yet
        one.ends()
        assert (await later).new == 1
        assert await _disconnected(town) == [("met", False)]


async def test_one_behind_a_batch_that_fails_leaves_nothing_and_holds_nothing(migrated_url: str) -> None:
    """Both have said the same, and the one behind was quicker: the one before gets it all the same."""
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held()
        one = Turn()
        two = Turn(one)
        later = _store(town, held, [fall(home, "same"), fall(home, "own")], two)
        assert await _waits(later)
        one.stumbles()
        with pytest.raises(Stumbled):
            await later
        assert await town.rows("SELECT 1 FROM seen UNION ALL SELECT 1 FROM said") == []
        first = await _store(town, held, [fall(home, "same")], one)
        one.ends()
        second = await _store(town, held, [fall(home, "same"), fall(home, "own")], two)
        assert (first.new, second.new) == (1, 1)
        assert len(second.receipts) == 2


async def test_a_message_in_both_is_stored_once_and_thanked_for_twice(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held(Lane.BULK)
        one = Turn()
        two = Turn(one)
        before = _store(town, held, [heartbeat(home, "same"), heartbeat(home, "a")], one)
        await two.begins()
        later = _store(town, held, [heartbeat(home, "same"), heartbeat(home, "b")], two)
        first = await before
        one.ends()
        second = await later
        assert (first.new, second.new) == (2, 1)
        assert (len(first.receipts), len(second.receipts)) == (2, 2)
        rows = await town.rows("SELECT message_id FROM said ORDER BY message_id")
        assert [row["message_id"] for row in rows] == ["a", "b", "same"]


async def _behind(town: Place, held: Held, said: list[Message], turn: Turn) -> Stored:
    """As a lane does it."""
    while True:
        await turn.begins()
        with suppress(Stumbled):
            return await _store(town, held, said, turn)


async def test_poison_is_set_apart_in_its_turn(migrated_url: str) -> None:
    """A batch of which something cannot be stored waits like any other, and what was behind it is stored after it."""
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held()
        await town.rows("ALTER TABLE observation ADD CONSTRAINT poison CHECK (message_id <> 'bad')")
        one = Turn()
        later = asyncio.create_task(_behind(town, held, [fall(home, "2")], Turn(one)))
        assert (await _store(town, held, [fall(home, "1"), fall(home, "bad")], one)).quarantined == 1
        assert await _waits(later)
        one.ends()
        assert (await later).new == 1
        assert [row["message_id"] for row in await town.rows("SELECT message_id FROM said ORDER BY id")] == ["1", "2"]


async def test_a_lane_that_was_lost_meanwhile_stores_nothing(migrated_url: str) -> None:
    """Its batch was looked at, then the lane was taken by another process: the fence is asked when the turn comes."""
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held()
        one = Turn()
        later = _store(town, held, [fall(home, "1")], Turn(one))
        assert await _waits(later)
        await town.rows("UPDATE site_lane SET epoch = epoch + 1")
        one.ends()
        with pytest.raises(LaneLost):
            await later
        assert await town.rows("SELECT 1 FROM seen UNION ALL SELECT 1 FROM alert") == []


async def test_a_device_that_was_moved_meanwhile_calls_for_help_from_where_it_is(migrated_url: str) -> None:
    """A fall was looked at, and waits; then it turns out that its device hangs in another home."""
    async with place(migrated_url, homes=2) as town:
        (former, now), held = town.homes, await town.held()
        one = Turn()
        one.looked()
        later = asyncio.create_task(_behind(town, held, [fall(former, "help")], Turn(one)))
        assert await _waits(later)
        moved = NOW - timedelta(minutes=1)
        await town.run(lambda each: devices.move(each, former.device, now.dwelling, now.resident, moved))
        one.ends()
        await later
        assert [row["dwelling_id"] for row in await town.rows("SELECT dwelling_id FROM alert")] == [now.dwelling]


async def test_whoever_is_erased_meanwhile_is_not_stored_again(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held(Lane.BULK)
        one = Turn()
        one.looked()
        later = asyncio.create_task(_behind(town, held, [heartbeat(home, "1")], Turn(one)))
        assert await _waits(later)
        await erase(town.database, home.resident, "somebody", NOW, None, end_first=True)
        one.ends()
        await later
        rows = await town.rows("SELECT installation_id FROM said WHERE installation_id = %s", home.installation)
        assert rows == []


async def test_an_id_that_is_used_again_at_once_is_flagged(migrated_url: str) -> None:
    """By a batch that looks while the one before has not committed: the database does not tell it."""
    async with place(migrated_url) as town:
        (home,), held = town.homes, await town.held(Lane.BULK)
        one = Turn()
        two = Turn(one)
        before = _store(town, held, [heartbeat(home, "same", battery=80)], one)
        await two.begins()
        later = _store(town, held, [heartbeat(home, "same", battery=20), heartbeat(home, "own", battery=20)], two)
        await before
        one.ends()
        await later
        rows = await town.rows("SELECT message_id, fields -> 'battery' AS battery, flags FROM said")
        assert {(row["message_id"], row["battery"]): row["flags"] for row in rows} == {
            ("same", 80): [],
            ("same", 20): ["id_reused"],
            ("own", 20): [],
        }


async def test_what_the_database_has_given_up_is_not_acknowledged(migrated_url: str) -> None:
    """It answers COMMIT by ROLLBACK, which is no error to it, where somebody has passed over what had failed before."""
    async with place(migrated_url) as town:

        async def work(connection: Connection) -> object:
            async with connection.pipeline() as pipeline:
                with suppress(psycopg.errors.DivisionByZero):
                    await connection.execute("SELECT 1 / 0")
                    await pipeline.sync()
                return await commit_behind(connection)

        commit = await town.run(work)
        with pytest.raises(NotCommitted, match="ROLLBACK"):
            has_committed(commit)  # type: ignore[arg-type]
