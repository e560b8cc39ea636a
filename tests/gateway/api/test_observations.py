"""What devices said, through the API: in which order, of which time, for whom – and what happens when a device is moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devices.model import MessageClass
from gateway.embedded import Broker
from gateway.store import devices, municipality
from tests.gateway.served import Served, problem, served
from tests.support.rules import uid_of
from tests.support.town import Device

HOUR = timedelta(hours=1)


async def uid(it: Served, device: Device) -> str:
    return str(await uid_of(it.town, "device", device.id))


async def heard(it: Served, name: str, **query: Any) -> list[str]:
    """What somebody is shown: the types, or the reason why not."""
    reply = await it.get(name, "/observations", **query)
    if reply.status_code != 200:
        return [str(reply.json()["reason"])]
    return [each["type"] for each in reply.json()["items"]]


async def beats(it: Served, device: Device, **fields: Any) -> None:
    await it.town.says(device, "heartbeat", message_class=MessageClass.STATUS, **fields)


async def test_what_was_said_comes_page_by_page_either_way(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        device = await uid(it, home.fall_alarm)
        began = it.town.now
        for number in range(5):
            await beats(it, home.fall_alarm, battery=90 - number, id=f"b{number}")
            await it.town.passes(minutes=10)
        await it.town.says(home.fall_alarm, "fall", impact_g=4.5, at=it.town.now - HOUR, id="late")
        for order, expected in (
            ("newest", ["late", "b4", "b3", "b2", "b1", "b0"]),
            ("oldest", ["b0", "b1", "b2", "b3", "b4", "late"]),
        ):
            seen: list[str] = []
            cursor: str | None = None
            while True:
                more = {"cursor": cursor} if cursor else {}
                page = (await it.get("Tek", "/observations", device=device, order=order, limit=2, **more)).json()
                seen += [each["message_id"] for each in page["items"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            assert seen == expected
        late = (await it.get("Siri", "/observations", device=device, limit=1)).json()["items"][0]
        assert (late["type"], late["message_class"], late["late_seconds"]) == ("fall", "alarm", 3600)
        assert (late["fields"], late["device"]["name"], late["placed"]) == ({"impact_g": 4.5}, "fall-1", "stue")

        async def asked(**query: Any) -> list[str]:
            return await heard(it, "Tek", device=device, **query)

        assert await asked(type=["fall", "worn"]) == ["fall"]
        assert await asked(**{"class": "status"}, limit=200) == ["heartbeat"] * 5
        until = (began + timedelta(minutes=20)).isoformat()
        assert await asked(since=began.isoformat(), until=until) == ["heartbeat"] * 2
        for wrong, reason in (
            ({"since": "2026-03-03T12:00:00"}, "request"),
            ({"since": until, "until": began.isoformat()}, "range"),
            ({"since": "2025-01-01T00:00:00Z"}, "range"),
            ({"until": "1900-01-01T00:00:00Z", "since": "1900-01-01T00:00:00Z"}, "range"),
            ({"until": "0001-01-01T00:00:00Z"}, "request"),
            ({"cursor": "12"}, "cursor"),
            ({"cursor": "999999999999999999.1"}, "cursor"),
            ({"type": "x" * 65}, "request"),
            ({"class": "loud"}, "request"),
        ):
            told = problem(await it.get("Tek", "/observations", device=device, **wrong), 422, reason)
            assert told["mend"], wrong
        assert await asked(type="\x00") == []
        problem(await it.get("Tek", "/observations"), 422, "whose")
        problem(await it.get("Siri", "/observations", device=device, resident=device), 422, "whose")


async def test_a_device_that_is_moved_takes_nothing_along(migrated_url: str, broker: Broker) -> None:
    """From Sone to Øy, with a day on the shelf; Lars leads Øy, Tina repairs there."""
    async with served(migrated_url, broker) as it:
        town = it.town
        await town.person("Lars", "lead", "Øy")
        await town.person("Tina", "technical", "Øy")
        before, after = await town.home(), await town.home(zone="Øy")
        device = before.fall_alarm
        of = {"device": await uid(it, device)}
        await town.says(device, "worn", id="at the first")
        await town.passes(minutes=60)
        await town.rows(
            "UPDATE installation SET during = tstzrange(lower(during), %s) WHERE device_id = %s", town.now, device.id
        )
        await beats(it, device, id="on the shelf")
        await town.passes(minutes=60)
        at = town.now
        await town.gateway.database.run(
            lambda each: municipality.fit(each, device.id, after.dwelling, after.resident, "soverom", at)
        )
        await town.passes(minutes=60)
        await town.says(device, "not_worn", id="at the second")

        assert await heard(it, "Siri", **of) == ["worn"], "what was said in her zone, and nothing after it"
        assert await heard(it, "Lars", **of) == ["not_worn"]
        assert await heard(it, "Tina", **of) == ["not_worn"]
        assert await heard(it, "Vakt", **of) == ["not_worn", "heartbeat", "worn"]
        assert await heard(it, "Tek", **of) == ["not_worn", "heartbeat", "worn"], "the site is of their zone"
        assert await heard(it, "Tek", **of, fitted="now") == ["not_worn"]
        assert await heard(it, "Siri", **of, fitted="now") == []
        assert await heard(it, "Kari", **of) == ["role"]
        for name, first, second in (("Siri", ["worn"], ["resident"]), ("Lars", ["resident"], ["not_worn"])):
            for home, expected in ((before, first), (after, second)):
                resident = str(await uid_of(town, "resident", home.resident))
                assert await heard(it, name, resident=resident) == expected, (name, home.dwelling)
        resident = str(await uid_of(town, "resident", before.resident))
        assert await heard(it, "Tek", resident=resident) == ["role"]

        # Nor does a bucket, nor the time in which it was silent, tell of the other home.
        def counted(reply: dict[str, Any]) -> dict[str, int]:
            return {name: count for each in reply["buckets"] for name, count in each["types"].items()}

        told = (await it.get("Lars", "/observations/buckets", **of, bucket="1d")).json()
        assert (counted(told), told["silent"]) == ({"not_worn": 1}, [])
        told = (await it.get("Siri", "/observations/buckets", **of, bucket="1d")).json()
        assert (counted(told), told["silent"]) == ({"worn": 1}, [])
        looks = await town.rows(
            "SELECT actor_id, object_id FROM audit WHERE action = 'resident.observed' ORDER BY actor_id, object_id"
        )
        told_of = {(each["actor_id"], each["object_id"]) for each in looks}
        assert (town.staff["Siri"], before.resident) in told_of
        assert (town.staff["Lars"], after.resident) in told_of
        assert not {(town.staff["Siri"], after.resident), (town.staff["Lars"], before.resident)} & told_of
        assert len(looks) == len(told_of), "once a day for each reader"


async def test_a_homes_devices_tell_of_whoever_lives_alone_there(migrated_url: str, broker: Broker) -> None:
    """A door sensor that is fitted for nobody in particular; one moves out, one in, and then somebody moves in too."""
    async with served(migrated_url, broker) as it:
        town = it.town
        home = await town.home()
        door = await town.fits(home, "door_sensor")
        await town.rows("UPDATE installation SET resident_id = NULL WHERE device_id = %s", door.id)
        await town.says(door, "opened", id="the first opens")
        await town.passes(minutes=60)
        await town.rows("UPDATE residency SET during = tstzrange(lower(during), %s)", town.now)
        at = town.now

        async def move_in(name: str) -> tuple[int, str]:
            made = await town.gateway.database.run(lambda each: municipality.add_resident(each, name, ""))
            await town.gateway.database.run(lambda each: municipality.move_in(each, made, home.dwelling, town.now))
            return made, str(await uid_of(town, "resident", made))

        following, second = await move_in("Den neste")
        await town.passes(minutes=60)
        await town.says(door, "closed", id="the second closes")
        first = str(await uid_of(town, "resident", home.resident))
        assert await heard(it, "Siri", resident=first) == ["opened"]
        assert await heard(it, "Siri", resident=second) == ["closed"]
        await town.passes(minutes=60)
        _, third = await move_in("Nok en")
        await town.passes(minutes=5)
        await town.says(door, "opened", id="one of two opens")
        assert await heard(it, "Siri", resident=second) == ["closed"], "of two nobody knows who"
        assert await heard(it, "Siri", resident=third) == []
        assert await heard(it, "Siri", device=await uid(it, door)) == ["opened", "closed", "opened"]
        assert at < town.now
        looks = await town.rows("SELECT DISTINCT object_id FROM audit WHERE action = 'resident.observed'")
        assert {home.resident, following} <= {each["object_id"] for each in looks}


async def test_messages_as_they_came_are_for_those_who_mend_devices(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        alarm = await it.town.fits(home, "safety_alarm")
        place = {"latitude": 58.97, "longitude": 5.73, "accuracy_m": 12.0}
        await it.town.says(alarm, "pressed", message_class=MessageClass.ALARM, position=place, pin="my pin")
        of = {"device": await uid(it, alarm), "raw": True}
        for name, sees in (("Tek", True), ("Ada", True), ("Siri", False), ("Vakt", False)):
            reply = await it.get(name, "/observations", **of)
            (item,) = reply.json()["items"]
            assert (item["raw"] is not None) == sees, name
            assert "58.97" not in reply.text
            assert "my pin" not in reply.text
        (item,) = (await it.get("Tek", "/observations", **{**of, "raw": False})).json()["items"]
        assert item["raw"] is None


async def test_buckets_count_and_measure(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home(silent_after=2 * HOUR)
        of = {"device": await uid(it, home.fall_alarm)}
        since = it.town.now
        for battery in (90, 80, 85):
            await beats(it, home.fall_alarm, battery=battery, rssi=-70, note="7", huge=10**16)
            await it.town.passes(minutes=20)
        await it.town.passes(minutes=180)
        await beats(it, home.fall_alarm, battery=40)
        asked = {**of, "since": since.isoformat(), "bucket": "1h", "field": ["battery", "note", "huge", "\x00"]}
        told = (await it.get("Tek", "/observations/buckets", **asked)).json()
        assert [each["count"] for each in told["buckets"]] == [3, 0, 0, 0, 1]
        first = told["buckets"][0]["values"]
        assert first == {"battery": {"count": 3, "min": 80.0, "avg": 85.0, "max": 90.0, "last": 85.0}}
        assert told["texts"]["heartbeat"] == "Livstegn"
        (silent,) = told["silent"]
        assert silent["since"] == (since + timedelta(minutes=40)).isoformat().replace("+00:00", "Z")
        for wrong in ("90", "0h", "1w", "40d", "1m"):
            months = {"since": (since - timedelta(days=30)).isoformat()} if wrong == "1m" else {}
            reply = await it.get("Tek", "/observations/buckets", **of, bucket=wrong, **months)
            assert problem(reply, 422)["mend"], wrong


async def test_the_worst_devices_come_first(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        made = [await town.home(silent_after=timedelta(days=2)) for _ in range(3)]
        everything = [each for home in made for each in (home.fall_alarm, home.dispenser)]
        gone, longer_gone, low = made[2].fall_alarm, made[0].dispenser, made[1].dispenser
        for device in everything:
            await beats(it, device, battery=9 if device == low else 80)
        for device, days in ((gone, 3), (longer_gone, 4), (made[0].fall_alarm, 1)):
            since = town.now - timedelta(days=days)
            await town.rows("UPDATE device_state SET last_seen = %s WHERE device_id = %s", since, device.id)
        await town.passes(minutes=1)
        assert longer_gone.address.address == "disp-1"

        async def found(**query: Any) -> list[str]:
            shown: list[str] = []
            cursor: str | None = None
            while True:
                more: dict[str, Any] = {"cursor": cursor} if cursor else {}
                page = (await it.get("Tek", "/devices", limit=2, **query, **more)).json()
                shown += [each["address"] for each in page["devices"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    return shown

        rest = ["disp-3", "fall-1", "fall-2"]
        assert await found(order="worst") == ["disp-1", "fall-3", "disp-2", *rest]
        assert await found(state="silent", order="worst") == ["disp-1", "fall-3"]
        assert await found(state="attention", kind="fall_alarm") == ["fall-3"]
        detail = (await it.get("Tek", f"/devices/{await uid(it, low)}")).json()
        assert (detail["silent"], [each["condition"] for each in detail["alerts"]]) == (False, ["battery_low"])
        detail = (await it.get("Tek", f"/devices/{await uid(it, gone)}")).json()
        late = town.now - timedelta(days=1)
        assert (detail["silent"], detail["silent_at"][:15]) == (True, late.isoformat()[:15])
        await town.rows(  # a day and an hour of deafness excuse what fell silent a day ago, and not what did before
            """INSERT INTO alert (uid, key, condition, severity, track, site_id, zone_id, occurred_at, raised_at, late_seconds,
                                  policy_version_id, policy, stage, version, attempt, closed_at)
               SELECT gen_random_uuid(), 'deaf', 'site_deaf', 40, 'technical', a.site_id, a.zone_id, %s, %s, 0,
                      a.policy_version_id, a.policy, 'closed', 1, 1, %s FROM alert a LIMIT 1""",
            town.now - timedelta(hours=30),
            town.now - timedelta(hours=30),
            town.now - timedelta(hours=5),
        )
        assert await found(state="silent") == ["disp-1"]
        await town.gateway.database.run(
            lambda each: devices.move(each, longer_gone.id, made[0].dwelling, made[0].resident, town.now)
        )
        assert await found(state="silent") == [], "what was fitted just now has time to speak"


@pytest.mark.parametrize("path", ["/observations", "/observations/buckets"])
async def test_there_is_nothing_to_guess(migrated_url: str, broker: Broker, path: str) -> None:
    async with served(migrated_url, broker) as it:
        stranger = await it.uid("Siri")
        problem(await it.get("Siri", path, device=stranger), 404, "device")
        problem(await it.get("Siri", path, resident=stranger), 404, "resident")
        problem(await it.get("Kari", path, device=stranger), 403, "role")
        problem(await it.get("Tek", path, resident=stranger), 403, "role")
