"""What has been seen before, what a device's state is made of, and what a device was fitted to at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts.model import Subject
from devices.model import Lane
from gateway.retention import Rest
from gateway.store import devices, observations, retention, watches
from gateway.store.devices import Sign
from gateway.store.observations import Seen
from tests.gateway.place import NOW, Place, fall, place

MINUTE = timedelta(minutes=1)


async def test_an_identity_is_new_once(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        one, two = (home.device for home in town.homes)
        first = {(one, "a", b"x"), (two, "a", b"x"), (one, "b", b"x")}
        assert await town.run(lambda each: observations.mark_seen(each, first, NOW)) == Seen(frozenset(), frozenset())
        second = {(one, "a", b"x"), (one, "a", b"y"), (two, "c", b"x"), (two, "d", b"x"), (two, "d", b"y")}
        seen = await town.run(lambda each: observations.mark_seen(each, second, NOW))
        assert seen == Seen(known=frozenset({(one, "a", b"x")}), reused=frozenset({(one, "a"), (two, "d")}))
        assert await town.run(lambda each: observations.mark_seen(each, set(), NOW)) == Seen(frozenset(), frozenset())
        assert await town.run(lambda each: observations.mark_seen(each, second, NOW)) == Seen(
            known=frozenset(second), reused=frozenset({(one, "a"), (two, "d")})
        )


async def test_identities_are_forgotten_when_no_device_can_send_them_again(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        device = town.homes[0].device
        await town.run(lambda each: observations.mark_seen(each, {(device, "old", b"")}, NOW - timedelta(days=40)))
        await town.run(lambda each: observations.mark_seen(each, {(device, "new", b"")}, NOW))
        assert await town.run(lambda each: retention.delete(each, Rest("seen", 35, NOW - timedelta(days=35)))) == 1
        assert await town.rows("SELECT message_id FROM seen") == [{"message_id": "new"}]


async def test_the_same_id_with_other_content_is_stored_judged_and_flagged(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        home, held = town.homes[0], await town.held()
        await town.store(held, [fall(home, "1")])
        again = fall(home, "1")
        other = type(again)(again.topic, again.payload.replace(b'"fall"', b'"fall","impact_g":3'), again.received_at)
        stored = await town.store(held, [again, other, fall(town.homes[1], "1")])
        assert stored.new == 2
        flags = await town.rows("SELECT flags FROM said ORDER BY id")
        assert [each["flags"] for each in flags] == [[], ["id_reused"], []]


# State ----------------------------------------------------------------------------------------------------------------


async def told(town: Place, seen: timedelta, said: timedelta, online: bool | None = None, **fields: Any) -> None:
    sign = Sign(town.homes[0].device, NOW + seen, NOW + said, online, fields)
    await town.run(lambda each: devices.save_signs(each, [sign]))


async def state(town: Place) -> dict[str, Any]:
    (row,) = await town.rows("SELECT last_seen, last_said_at, online, fields FROM device_state")
    return row


async def test_older_word_never_overwrites_newer(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await told(town, 5 * MINUTE, 5 * MINUTE, True, battery=80, signal=3)
        await told(town, 6 * MINUTE, 1 * MINUTE, False, battery=95, temperature=21)  # kept, and sent late
        assert await state(town) == {
            "last_seen": NOW + 6 * MINUTE,
            "last_said_at": NOW + 5 * MINUTE,
            "online": True,
            "fields": {"battery": 80, "signal": 3, "temperature": 21},
        }


async def test_newer_word_overwrites_what_it_speaks_of(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await told(town, 1 * MINUTE, 1 * MINUTE, True, battery=80, signal=3)
        await told(town, 2 * MINUTE, 2 * MINUTE, None, battery=79)
        found = await state(town)
        assert (found["online"], found["fields"]) == (True, {"battery": 79, "signal": 3})


async def test_a_sign_of_life_never_goes_back(migrated_url: str) -> None:
    async with place(migrated_url) as town:
        await told(town, 9 * MINUTE, 9 * MINUTE)
        await told(town, 2 * MINUTE, 2 * MINUTE)
        assert (await state(town))["last_seen"] == NOW + 9 * MINUTE
        device = town.homes[0].device
        assert await town.run(lambda each: devices.last_seen(each, [device, 999])) == {device: NOW + 9 * MINUTE}


# Fitting --------------------------------------------------------------------------------------------------------------


async def test_a_moved_device_is_whose_it_was_at_the_time(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        old, new = town.homes
        await town.rows("DELETE FROM installation WHERE device_id = %s", new.device)
        moved = NOW - timedelta(days=1)
        await town.run(lambda each: devices.move(each, old.device, new.dwelling, new.resident, moved))
        (now_at,) = await town.rows("SELECT id FROM installation WHERE upper_inf(during)")
        moments = [
            (old.device, NOW),
            (old.device, moved - MINUTE),
            (old.device, moved),
            (old.device, NOW - 99 * 24 * 60 * MINUTE),
        ]
        found = await town.run(lambda each: devices.subjects_at(each, [*moments, (new.device, NOW)]))
        nord, kommune = town.zones["Nord"], town.zones["Kommune"]
        after = Subject(town.site.id, nord, old.device, now_at["id"], new.dwelling, new.resident)
        nowhere = Subject(town.site.id, kommune, old.device)
        stray = Subject(town.site.id, kommune, new.device)
        assert found == [after, town.subject(old), after, nowhere, stray]


async def test_moving_ends_what_was_waited_for_at_the_old_place(migrated_url: str) -> None:
    async with place(migrated_url, homes=2) as town:
        old, new = town.homes
        for key, since in (
            ("dose:1:before", NOW - MINUTE),
            ("dose:1:after", NOW + MINUTE),
            ("silence:x", NOW - MINUTE),
        ):
            await town.rows(
                """INSERT INTO watch (key, rule_id, site_id, zone_id, installation_id, since, due_at, state, facts)
                   SELECT %s, r.id, s.id, s.zone_id, %s, %s, %s, 'waiting', '{}' FROM rule r, site s LIMIT 1""",
                key,
                old.installation,
                since,
                NOW + 2 * MINUTE,
            )
        for lane in Lane:
            await town.rows(
                """INSERT INTO site_lane (site_id, lane, heard_until) SELECT id, %s, %s FROM site
                   ON CONFLICT (site_id, lane) DO UPDATE SET heard_until = excluded.heard_until""",
                lane,
                NOW + 3 * MINUTE,
            )
        await town.run(lambda each: devices.move(each, old.device, new.dwelling, new.resident, NOW))
        due = await town.run(lambda each: watches.due(each, NOW + 3 * MINUTE, 10))
        ended = {each.watch.key: each.fitting_ended for each in due}
        assert ended == {"dose:1:before": False, "dose:1:after": True, "silence:x": True}


@pytest.mark.parametrize("at", [NOW, NOW - timedelta(days=1)])
async def test_a_fall_tells_of_who_lived_there_when_it_happened(migrated_url: str, at: Any) -> None:
    async with place(migrated_url, homes=2) as town:
        old, new = town.homes
        await town.run(
            lambda each: devices.move(each, old.device, new.dwelling, new.resident, NOW - timedelta(hours=1))
        )
        await town.store(await town.held(), [fall(old, "1", at + MINUTE, NOW + MINUTE)], NOW + MINUTE)
        found = await town.rows("SELECT resident_id FROM alert WHERE track = 'care' ORDER BY id")
        # A late one may be late, or its device's clock is slow and help is needed where it is now: both hear of it.
        late = [old.resident, new.resident]
        assert sorted(each["resident_id"] for each in found) == ([new.resident] if at == NOW else sorted(late))
