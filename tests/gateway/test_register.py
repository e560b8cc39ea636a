"""What is remembered of the register is what it says: whoever moves, dies or moves in is heard of with the next message."""

from __future__ import annotations

from datetime import timedelta

from devices.model import Lane
from gateway.store import devices
from tests.gateway.place import NOW, Home, Place, fall, heartbeat, place

MINUTE = timedelta(minutes=1)


async def tells_of(town: Place, home: Home, id_: str, at: int) -> tuple[int | None, int | None]:
    """The fitting that a word of a device is stamped with, and whom its alert is about."""
    await town.store(await town.held(), [fall(home, id_, NOW + at * MINUTE)], NOW + at * MINUTE)
    (said,) = await town.rows("SELECT installation_id FROM said WHERE message_id = %s", id_)
    (alert,) = await town.rows("SELECT resident_id FROM alert ORDER BY id DESC LIMIT 1")
    return said["installation_id"], alert["resident_id"]


async def test_a_device_that_was_moved_tells_of_its_new_home_at_once(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        one, two = town.homes
        assert await tells_of(town, one, "before", 1) == (one.installation, one.resident)
        await town.run(lambda each: devices.move(each, one.device, two.dwelling, two.resident, NOW + 2 * MINUTE))
        (fitting,) = await town.rows("SELECT max(id) AS id FROM installation")
        assert await tells_of(town, one, "after", 3) == (fitting["id"], two.resident)

        # What it kept from before it was moved is of the home that it was in.
        await town.store(await town.held(), [heartbeat(one, "kept", NOW + MINUTE)], NOW + 4 * MINUTE)
        (kept,) = await town.rows("SELECT installation_id FROM said WHERE message_id = 'kept'")
        assert kept["installation_id"] == one.installation


async def test_a_device_for_nobody_in_particular_tells_of_whoever_lives_there_alone_then(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        one, two = town.homes
        await town.rows("UPDATE installation SET resident_id = NULL WHERE id = %s RETURNING 1", one.installation)
        assert (await tells_of(town, one, "alone", 1))[1] == one.resident
        await town.rows(
            "UPDATE residency SET during = tstzrange(lower(during), %s) WHERE resident_id = %s RETURNING 1",
            NOW + 2 * MINUTE,
            two.resident,
        )
        await town.rows(
            "INSERT INTO residency (resident_id, dwelling_id, during) VALUES (%s, %s, tstzrange(%s, %s)) RETURNING 1",
            two.resident, one.dwelling, NOW + 2 * MINUTE, NOW + 10 * MINUTE,
        )  # fmt: skip
        await town.rows(
            "UPDATE alert SET closed_at = raised_at, due_at = NULL, due_for = NULL, stage = 'closed' RETURNING 1"
        )
        assert (await tells_of(town, one, "two", 3))[1] is None
        await town.rows(
            """UPDATE alert SET closed_at = raised_at, due_at = NULL, due_for = NULL, stage = 'closed'
               WHERE closed_at IS NULL RETURNING 1"""
        )
        assert (await tells_of(town, one, "alone again", 11))[1] == one.resident, "by time alone, nothing was changed"


async def test_a_device_that_is_registered_as_another_kind_is_believed_no_more(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        (home,) = town.homes
        bulk = await town.held(Lane.BULK)
        assert (await town.store(bulk, [heartbeat(home, "1")])).quarantined == 0
        await town.rows("UPDATE device SET kind = 'door_sensor' RETURNING 1")
        assert (await town.store(bulk, [heartbeat(home, "2")])).quarantined == 1


async def test_what_a_transaction_has_added_and_lost_again_is_not_remembered(migrated_url: str) -> None:
    """A device that nobody registered is added as it speaks; where that transaction fails, it is added again."""
    async with place(migrated_url) as town:
        (home,) = town.homes
        bulk = await town.held(Lane.BULK)
        await town.rows("DELETE FROM installation RETURNING 1")
        await town.rows("DELETE FROM watch")
        await town.rows("DELETE FROM device RETURNING 1")
        await town.rows("ALTER TABLE device_health ADD CONSTRAINT not_now CHECK (message_id <> 'bad')")
        await town.store(bulk, [heartbeat(home, "bad"), heartbeat(home, "good")])
        (stored,) = await town.rows("SELECT o.message_id, d.address FROM said o JOIN device d ON d.id = o.device_id")
        assert (stored["message_id"], stored["address"]) == ("good", home.address.address)
