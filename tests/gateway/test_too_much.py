"""The database gives up over a message, or over everything for a while: what is thanked for is stored, and an alarm is raised."""

from __future__ import annotations

import json

import pytest

from gateway.ingest import STUBBORN_TRIES
from gateway.store.db import DatabaseGone, TooMuch
from tests.gateway.place import Place, fall, heartbeat, place

GIVES_UP = """
CREATE SEQUENCE given_up;
CREATE FUNCTION gives_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {when} AND nextval('given_up') <= {times} THEN
        RAISE EXCEPTION 'too much' USING ERRCODE = '{code}';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER gives_up BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION gives_up();
"""
CANCELED, MEMORY, LIMIT = "57014", "53200", "54000"
FOR_EVER = 10**6


async def gives_up(town: Place, table: str, when: str = "true", times: int = FOR_EVER, code: str = CANCELED) -> None:
    await town.rows(GIVES_UP.format(table=table, when=when, times=times, code=code))


async def stored(town: Place) -> list[str]:
    rows = await town.rows("SELECT message_id FROM said ORDER BY id")
    return [row["message_id"] for row in rows]


@pytest.mark.parametrize("code", [CANCELED, MEMORY, LIMIT])
async def test_one_that_is_too_much_is_set_apart_and_its_alarm_raised(migrated_url: str, code: str) -> None:
    async with place(migrated_url, homes=2) as town:
        await gives_up(town, "observation", "new.message_id = 'bad'", code=code)
        one, two = town.homes
        said = [heartbeat(one, "1"), fall(one, "2"), fall(two, "bad"), heartbeat(two, "4"), heartbeat(two, "5")]
        came = await town.store(await town.held(), said)
        assert await stored(town) == ["1", "2", "4", "5"]
        assert (came.total, came.new, came.quarantined) == (5, 4, 1)
        assert sorted(json.loads(payload)["id"] for _, payload in came.receipts) == ["1", "2", "4", "5", "bad"]
        raised = await town.rows("SELECT condition, device_id FROM alert ORDER BY id")
        assert [(row["condition"], row["device_id"]) for row in raised] == [
            ("fall", one.device),
            ("uninterpretable_alarm", two.device),
        ]


async def test_a_database_that_was_busy_for_a_while_stores_all_as_it_is(migrated_url: str) -> None:
    """The batch, its halves and the first tries of a message by itself fail; none of them is at fault."""
    async with place(migrated_url) as town:
        (home,) = town.homes
        await gives_up(town, "observation", times=2 + STUBBORN_TRIES - 1)
        came = await town.store(await town.held(), [fall(home, "1"), heartbeat(home, "2")])
        assert (await stored(town), came.quarantined) == (["1", "2"], 0)
        assert [row["condition"] for row in await town.rows("SELECT condition FROM alert")] == ["fall"]


async def test_while_nothing_can_be_stored_nothing_is_thanked_for(migrated_url: str) -> None:
    """Not even that it could not be stored: the lane keeps the batch in hand, and tries again."""
    async with place(migrated_url) as town:
        (home,) = town.homes
        held = await town.held()
        await gives_up(town, "observation")
        await town.rows("CREATE TRIGGER gives_up BEFORE INSERT ON quarantine FOR EACH ROW EXECUTE FUNCTION gives_up()")
        with pytest.raises(TooMuch) as refused:
            await town.store(held, [fall(home, "1"), fall(home, "2")])
        assert isinstance(refused.value, DatabaseGone)
        assert await town.rows("SELECT id FROM quarantine UNION ALL SELECT id FROM alert") == []
        await town.rows("DROP FUNCTION gives_up CASCADE")
        await town.store(held, [fall(home, "1"), fall(home, "2")])
        assert await stored(town) == ["1", "2"]
