"""What could not be read is decoded again when the fault is mended: raised as late as it is, once, and never as news of
a device that has fallen silent."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gateway import controlled
from gateway.api import schemas
from gateway.embedded import Broker
from tests.gateway.served import Served, problem, served
from tests.support.town import Device, Home
from tests.support.world import World, world

WAITING = schemas.QuarantineQuery()


def _body(at: datetime, message_id: str, type_: str, **fields: object) -> bytes:
    return json.dumps({"id": message_id, "time": at.isoformat(), "type": type_, **fields}).encode()


def _topic(device: Device, last: str) -> str:
    return f"hv/v1/{device.address.site}/{device.kind}/{device.address.address}/{last}"


async def wrongly_registered(town: World, home: Home) -> None:
    """Somebody took the fall alarm for a dispenser when it was registered."""
    await town.rows("UPDATE device SET kind = 'medicine_dispenser' WHERE id = %s", home.fall_alarm.id)


async def rightly_registered(town: World, home: Home) -> None:
    await town.rows("UPDATE device SET kind = 'fall_alarm' WHERE id = %s", home.fall_alarm.id)


async def again(town: World, uid: UUID, name: str = "Tek") -> str:
    """Somebody decodes it again; what became of it."""
    told = await town.gateway.front.decode_again(await town.who(name), uid)
    await controlled.settle(town.gateway)
    return told.outcome


async def only(town: World) -> dict[str, Any]:
    (kept,) = await town.quarantined()
    return kept


async def test_a_fall_of_a_device_that_was_registered_wrongly_is_raised_when_that_is_mended(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await wrongly_registered(town, home)
        fell = town.now
        spoken = json.dumps({"type": "fall", "time": fell.isoformat(), "id": "f1", "impact_g": 4.5}, indent=1).encode()
        await town.publishes(_topic(home.fall_alarm, "alarm"), spoken)
        kept = await only(town)
        assert (kept["reason"], bytes(kept["raw"]), kept["topic"]) == (
            "kind_mismatch",
            spoken,
            _topic(home.fall_alarm, "alarm"),
        )
        assert (kept["address"], kept["kind"], kept["state"]) == (
            home.fall_alarm.address.address,
            "fall_alarm",
            "waiting",
        )
        assert await town.news() == ["Kari"]  # for an uninterpretable alarm: somebody looks at once
        assert await town.alerts("fall") == []

        # Not mended yet: it stays, and nobody is called again.
        assert await again(town, kept["uid"]) == "unreadable"
        assert await town.observed(home.fall_alarm) == []
        assert await town.news() == []

        await rightly_registered(town, home)
        await town.passes(minutes=20)
        await town.news()
        assert await again(town, kept["uid"]) == "decoded"
        fall = await town.alert("fall")
        assert (fall["resident_id"], fall["severity"]) == (home.resident, 40)
        assert (fall["occurred_at"], fall["late_seconds"]) == (fell, 20 * 60)
        assert await town.news() == ["Kari"]
        (observed,) = await town.observed(home.fall_alarm)
        assert (observed["occurred_at"], observed["received_at"]) == (fell, town.now)
        assert (observed["flags"], bytes(observed["raw"])) == (["decoded_again"], spoken)
        kept = await only(town)
        assert (kept["state"], kept["decoded_at"], kept["decoded_by_id"]) == ("decoded", town.now, town.staff["Tek"])
        audited = await town.rows("SELECT actor_id, object_id FROM audit WHERE action = 'quarantine.decoded'")
        assert audited == [{"actor_id": town.staff["Tek"], "object_id": kept["id"]}]

        # Once is enough, also when the device sends it again.
        assert await again(town, kept["uid"]) == "already_decoded"
        await town.publishes(_topic(home.fall_alarm, "alarm"), spoken)
        assert await town.news() == []
        assert len(await town.observed(home.fall_alarm)) == 1
        assert await town.timeline(fall["uid"]) == ["raised", "step_reached"]


async def test_what_stays_broken_stays_and_says_why(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.publishes(_topic(home.fall_alarm, "alarm"), b'{"id": "x", "type": "fall"')
        kept = await only(town)
        await town.rows("UPDATE quarantine SET reason = 'poison', detail = 'an older gateway failed over it'")
        told = await town.news(), await town.rows("SELECT * FROM alert_entry"), await town.rows("SELECT * FROM audit")
        answer = await town.gateway.front.decode_again(await town.who("Siri"), kept["uid"])
        assert (answer.outcome, answer.reason) == ("unreadable", "not_json")
        after = await only(town)
        assert {name: value for name, value in after.items() if value != kept[name]} == {}
        assert told == (
            ["Kari"],
            await town.rows("SELECT * FROM alert_entry"),
            await town.rows("SELECT * FROM audit"),
        )


async def test_what_is_a_day_old_is_history_and_calls_nobody_to_the_home(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await wrongly_registered(town, home)
        await town.publishes(_topic(home.fall_alarm, "alarm"), _body(town.now, "f1", "fall"))
        (kept,) = await town.quarantined()
        await town.done("Kari", (await town.alert())["uid"])
        await rightly_registered(town, home)
        await town.passes(hours=25)
        await town.news()
        assert await again(town, kept["uid"]) == "decoded"
        assert await town.alerts("fall") == []
        assert (await town.alert("old_alarm", track="technical"))["device_id"] == home.fall_alarm.id
        assert await town.news() == ["Tek"]


async def test_a_clock_that_lies_is_judged_by_when_the_message_came(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await wrongly_registered(town, home)
        came = town.now
        topic = _topic(home.fall_alarm, "alarm")
        await town.publishes(topic, _body(came + timedelta(hours=5), "ahead", "fall"))
        await town.publishes(topic, _body(datetime.fromisoformat("1970-01-01T00:00:00Z"), "unset", "button_pressed"))
        await rightly_registered(town, home)
        await town.passes(hours=1)
        for kept in await town.quarantined():
            assert await again(town, kept["uid"]) == "decoded"
        seen = await town.observed(home.fall_alarm)
        assert [each["occurred_at"] for each in seen] == [came, came]
        assert [each["flags"] for each in seen] == [["clock_ahead", "decoded_again"], ["clock_unset", "decoded_again"]]
        assert [
            each["late_seconds"] for each in await town.alerts() if each["condition"] in ("fall", "button_pressed")
        ] == [
            3600,
            3600,
        ]


async def test_ten_at_once_are_one(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await wrongly_registered(town, home)
        await town.publishes(_topic(home.fall_alarm, "event"), _body(town.now, "f1", "fall"))
        kept = await only(town)
        await rightly_registered(town, home)
        tek = await town.who("Tek")
        front = town.gateway.front
        told = await asyncio.gather(*(front.decode_again(tek, kept["uid"]) for _ in range(10)))
        assert sorted(each.outcome for each in told) == ["already_decoded"] * 9 + ["decoded"]
        await controlled.settle(town.gateway)
        assert await town.news() == ["Kari"]
        assert len(await town.observed(home.fall_alarm)) == 1


async def test_what_came_in_another_way_meanwhile_is_not_raised_twice(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await wrongly_registered(town, home)
        spoken = _body(town.now, "f1", "fall")
        await town.publishes(_topic(home.fall_alarm, "alarm"), spoken)
        kept = await only(town)
        await rightly_registered(town, home)
        await town.publishes(_topic(home.fall_alarm, "alarm"), spoken)  # the device had no receipt, and sends it again
        fall = await town.alert("fall")
        await town.news()
        assert await again(town, kept["uid"]) == "seen_before"
        assert (await only(town))["state"] == "decoded"
        assert await town.news() == []
        assert await town.timeline(fall["uid"]) == ["raised", "step_reached"]
        assert len(await town.observed(home.fall_alarm)) == 1


async def test_it_is_no_sign_of_life(migrated_url: str, broker: Broker) -> None:
    """A device spoke nonsense once and is dead since; reading that once more does not bring it back."""
    async with world(migrated_url, broker) as town:
        home = await town.home(silent_after=timedelta(hours=2))
        await wrongly_registered(town, home)
        await town.publishes(
            _topic(home.fall_alarm, "status"), _body(town.now, "h1", "heartbeat", battery=17.0, online=True)
        )
        spoke = town.now
        kept = await only(town)
        await rightly_registered(town, home)
        await town.passes(minutes=110)
        assert await again(town, kept["uid"]) == "decoded"
        (state,) = await town.rows("SELECT last_seen FROM device_state WHERE device_id = %s", home.fall_alarm.id)
        assert state["last_seen"] == spoke
        await town.passes(minutes=15)
        silent = [each["device_id"] for each in await town.alerts("device_silent", track="technical")]
        assert home.fall_alarm.id in silent


async def test_a_message_that_breaks_the_store_stays_and_the_others_go_on(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        homes = [await town.home() for _ in range(3)]
        for home in homes:
            await wrongly_registered(town, home)
        for number, home in enumerate(homes):
            more = {"poison": True} if number == 1 else {}
            await town.publishes(_topic(home.fall_alarm, "event"), _body(town.now, f"m{number}", "fall", **more))
            await rightly_registered(town, home)
        await town.rows("ALTER TABLE observation ADD CHECK (NOT fields ? 'poison')")
        told = await town.gateway.front.decode_all_again(await town.who("Tek"), WAITING, None)
        await controlled.settle(town.gateway)
        assert (told.decoded, told.unreadable, told.next_cursor) == (2, 1, None)
        assert [(each["state"], each["reason"]) for each in await town.quarantined()] == [
            ("decoded", "kind_mismatch"),
            ("waiting", "poison"),
            ("decoded", "kind_mismatch"),
        ]
        assert [each["resident_id"] for each in await town.alerts("fall")] == [homes[0].resident, homes[2].resident]


# Through the API ------------------------------------------------------------------------------------------------------


async def listed(it: Served, name: str = "Tek", **query: Any) -> list[dict[str, Any]]:
    reply = await it.get(name, "/quarantine", **query)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["items"]
    return found


async def post(it: Served, path: str, name: str = "Tek", **query: Any) -> Any:
    return await it.http.post(f"/api/v1/quarantine{path}", params=query, headers=await it.bearer(name))


async def test_quarantine_is_searched(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        event = f"hv/v1/{town.site}/fall_alarm/fa-1/event"
        for payload in (b"Stekeovn 100% \\ \x00\xff", "Bråten".encode(), b'{"id": "a_b", "type": "worn"}'):
            await town.publishes(event, payload)
        await town.publishes(f"hv/v1/{town.site}/Toaster/t-1/event", b"{}")

        async def found(**query: Any) -> list[str]:
            return [each["reason"] + "/" + each["text"][:4] for each in await listed(it, **query)]

        assert len(await found()) == 4
        assert await found(q="stekeOVN") == ["not_json/Stek"]
        assert await found(q="100%") == await found(q="\\ ") == ["not_json/Stek"]
        assert await found(q="Bråten") == ["not_json/Brå" + "t"]
        assert await found(q="a_b") == ['time/{"id']
        assert await found(q="axb") == []
        assert await found(q="toaster") == ["unknown_kind/{}"]
        assert await found(q="'time'") == ['time/{"id']
        assert len(await found(q=town.site.upper())) == 4
        assert await found(reason="time") == ['time/{"id']
        assert (await found(site=town.site), await found(site="other"))[1] == []
        assert await found(state="decoded") == []
        assert await found(q="\x00") == []
        assert (await listed(it, reason="unknown_kind"))[0]["device_kind"] == "Toaster"
        problem(await it.get("Tek", "/quarantine", reason="nonsense"), 422)
        problem(await it.get("Tek", "/quarantine", state="gone"), 422)
        problem(await it.get("Tek", "/quarantine", q="x" * 201), 422)


async def test_what_matches_is_decoded_again_in_order_and_in_one_go(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        home = await town.home()
        await wrongly_registered(town, home)
        for number in range(5):
            await town.publishes(_topic(home.fall_alarm, "event"), _body(town.now, f"m{number}", "worn"))
        await town.publishes(_topic(home.fall_alarm, "event"), b"broken")
        await rightly_registered(town, home)
        told = (await post(it, "/decode", q="m3")).json()
        assert (told["decoded"], told["unreadable"]) == (1, 0)
        told = (await post(it, "/decode")).json()
        counts = {"decoded": 4, "seen_before": 0, "already_decoded": 0, "unreadable": 1}
        assert told == {**counts, "next_cursor": None}
        seen = [each["message_id"] for each in await town.observed(home.fall_alarm)]
        assert seen == ["m3", "m0", "m1", "m2", "m4"]
        assert len(await listed(it)) == 1
        (newest, *_) = decoded = await listed(it, state="decoded")
        assert len(decoded) == 5
        assert (newest["decoded_by"]["name"], newest["device"]) == ("Tek", home.fall_alarm.address.address)


async def test_only_of_ones_own_sites_and_not_by_care_staff(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        town = it.town
        await town.publishes(f"hv/v1/{town.site}/fall_alarm/fa-1/event", b"broken")
        (item,) = await listed(it)
        (row,) = await town.rows(
            """INSERT INTO zone (uid, parent_id, kind, name) VALUES (gen_random_uuid(), %s, 'municipality', 'Nabo')
               RETURNING id""",
            town.zones["Senter"],
        )
        town.zones["Nabo"] = row["id"]
        await town.person("Nils", "lead", "Nabo")
        problem(await post(it, f"/{item['id']}/decode", "Nils"), 404, "quarantine")
        assert (await post(it, "/decode", "Nils")).json()["unreadable"] == 0
        problem(await post(it, f"/{item['id']}/decode", "Kari"), 403, "role")
        problem(await post(it, "/decode", "Kari"), 403, "role")
        # A lead next door who is also a nurse here reads no quarantine here.
        await town.rows(
            """INSERT INTO assignment (person_id, role, zone_id, during)
               VALUES (%s, 'responder', %s, tstzrange(%s, NULL))""",
            town.staff["Nils"],
            town.zones["Sone"],
            town.now,
        )
        assert await listed(it, "Nils") == []
        for name in ("Siri", "Vakt", "Ada", "Tek"):
            assert (await post(it, f"/{item['id']}/decode", name)).json()["outcome"] == "unreadable"
