"""Where somebody is: shown to whoever answers, told again when it changes, kept in one place and for days."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from devices.model import DeviceAddress
from gateway.api import schemas
from gateway.embedded import Broker
from gateway.live import Subscription
from gateway.store import devices, municipality
from gateway.store.audit import Changed
from gateway.store.db import Connection
from tests.support.town import Device, Home
from tests.support.world import World, world

AT_HOME = {"latitude": 58.97001234, "longitude": 5.73001234}
DOMKIRKEN: dict[str, Any] = {"latitude": 58.96992345, "longitude": 5.73318765, "accuracy_m": 12, "source": "gps"}
HARBOUR: dict[str, Any] = {"latitude": 58.97301234, "longitude": 5.72654321, "accuracy_m": 35, "source": "wifi"}
SOLA: dict[str, Any] = {"latitude": 58.88765432, "longitude": 5.63765432, "accuracy_m": 20, "source": "gps"}
TELLTALE = [str(each[name]) for each in (DOMKIRKEN, HARBOUR, SOLA) for name in ("latitude", "longitude")]


async def alarm_of(town: World, home: Home, resident: int | None = None, since: int = 30) -> Device:
    """A mobile safety alarm for the resident of a home, whose place is known; fitted some days ago."""
    address = f"safe-{home.dwelling}-{resident or home.resident}"

    async def make(connection: Connection) -> int:
        device = await municipality.add_device(connection, town.site, address, "safety_alarm")
        fitted_at = town.now - timedelta(days=since)
        await municipality.fit(connection, device, home.dwelling, resident or home.resident, "", fitted_at)
        return device

    made = await town.gateway.database.run(make)
    await town.rows("UPDATE dwelling SET latitude = %s, longitude = %s WHERE id = %s", *AT_HOME.values(), home.dwelling)
    await town.rows("UPDATE device SET silent_after_seconds = 31536000 WHERE id = %s", made)
    return Device(made, DeviceAddress(town.site, "native", address), "safety_alarm")


async def seen(town: World, name: str, alert: Any) -> list[schemas.PositionView]:
    """The positions that somebody is shown on an alert."""
    return (await town.gateway.front.alert_detail(await town.who(name), alert)).positions


async def telling_tables(town: World) -> set[str]:
    """Every table in which one of the coordinates stands, as text or as bytes."""
    tables = await town.rows(
        """SELECT relname AS name FROM pg_class
           WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"""
    )
    found = set()
    for table in tables:
        rows = await town.rows(f"SELECT t::text AS text FROM {table['name']} t")
        texts = [each["text"] for each in rows]
        signs = [*TELLTALE, *(each.encode().hex() for each in TELLTALE)]
        if any(sign in text for text in texts for sign in signs):
            found.add(table["name"])
    return found


async def test_where_a_press_came_from_and_where_the_wearer_went(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        alarm = await alarm_of(town, home)
        await town.says(alarm, "button_pressed", **DOMKIRKEN)
        press = await town.alert()
        assert (press["vkp_code"], press["severity"], press["condition"]) == ("3", 30, "button_pressed")
        assert await town.news() == ["Kari"]
        await town.passes(seconds=90)

        (position,) = await seen(town, "Kari", press["uid"])
        assert position.model_dump(exclude={"device", "at"}) == {
            "when": "latest", "latitude": 58.96992345, "longitude": 5.73318765, "accuracy_m": 12.0, "source": "gps",
            "age_seconds": 90, "device_kind": "safety_alarm", "own": True,
            "distance_from_home_m": 170,
        }  # fmt: skip
        assert position.at == press["occurred_at"]

        await town.says(alarm, "position", **HARBOUR)
        latest, at_alert = await seen(town, "Kari", press["uid"])
        assert (latest.when, latest.latitude, latest.accuracy_m, latest.age_seconds) == ("latest", 58.97301234, 35, 0)
        assert (at_alert.when, at_alert.latitude, at_alert.age_seconds) == ("at_alert", 58.96992345, 90)

        # What was found earlier comes late: the newest stays the newest.
        await town.says(alarm, "position", at=town.now - timedelta(seconds=30), **SOLA)
        assert (await seen(town, "Kari", press["uid"]))[0].latitude == 58.97301234

        # Of an alert that is closed nobody needs to know any more.
        await town.answers("Kari", press["uid"], "claim")
        await town.done("Kari", press["uid"])
        assert await seen(town, "Kari", press["uid"]) == []


async def test_coordinates_stand_in_one_table_and_not_for_long(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, position_days=3) as town:
        home = await town.home()
        alarm = await alarm_of(town, home)
        topic = f"hv/v1/{town.site}/safety_alarm/{alarm.address.address}"
        await town.says(alarm, "button_pressed", **DOMKIRKEN)
        await town.says(alarm, "button_pressed", gps={"coordinates": [DOMKIRKEN["longitude"], DOMKIRKEN["latitude"]]})
        await town.says(alarm, "fall", **HARBOUR, impact_g=4.0)
        await town.says(alarm, "heartbeat", message_class="status", battery=60, **HARBOUR)
        await town.says(alarm, "no_such_type", message_class="alarm", **SOLA)
        await town.says(home.fall_alarm, "fall", **SOLA)
        await town.says(alarm, "position", **{**SOLA, "accuracy_m": -5})  # quarantine
        await town.publishes(f"{topic}/alarm", json.dumps(SOLA).encode()[:-30])  # not even JSON
        await town.publishes(f"hv/v1/{town.site}/fall_alarm/{alarm.address.address}/alarm", _message(SOLA))  # mismatch
        alerts = await town.alerts()
        assert len(alerts) >= 4
        for each in alerts:
            await seen(town, "Vakt", each["uid"])
        assert len(await town.quarantined()) == 3
        assert await telling_tables(town) == {"position"}
        assert len(await town.rows("SELECT 1 FROM position")) == 5

        fall = next(each for each in await town.alerts("fall") if each["device_id"] == alarm.id)
        (raised,) = await town.entries(fall["uid"], "raised")
        evidence = raised["evidence"]["fields"]
        assert {"accuracy_m": 35, "source": "wifi", "impact_g": 4.0}.items() <= evidence.items()
        assert not {"latitude", "longitude"} & evidence.keys()

        for track, name in (("care", "Vakt"), ("technical", "Tek")):
            for each in await town.alerts(track=track):
                await town.done(name, each["uid"])
        await town.passes(days=2, hours=23)
        await town.gateway.timekeeper.prune()
        assert await telling_tables(town) == {"position"}
        await town.passes(hours=2)
        await town.gateway.timekeeper.prune()
        assert await telling_tables(town) == set()
        assert await town.rows("SELECT 1 FROM position") == []


def _message(fields: dict[str, Any]) -> bytes:
    return json.dumps({"id": "m-1", "time": "2026-03-03T11:00:00Z", "type": "fall", **fields}).encode()


async def test_a_fall_alarm_knows_no_place_but_its_wearer_has_another_device(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        couple = await town.home(dwelling=home.dwelling)
        hers, his = await alarm_of(town, home), await alarm_of(town, couple)
        await town.says(hers, "position", **HARBOUR)
        await town.says(his, "position", **SOLA)
        await town.passes(minutes=20)
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert("fall"))["uid"]
        (position,) = await seen(town, "Kari", fall)
        assert (position.latitude, position.age_seconds) == (58.97301234, 1200)
        assert (position.own, position.device_kind) == (False, "safety_alarm")

        # Every look is written down, and that it showed where somebody was.
        looks = await town.rows("SELECT actor_id, object_id, params FROM audit WHERE action = 'resident.viewed'")
        assert [(each["actor_id"], each["object_id"]) for each in looks] == [(town.staff["Kari"], home.resident)]
        assert looks[0]["params"]["position_shown"] is True


async def test_who_has_the_device_now_is_not_where_the_one_before_was(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        old, new = await town.home(), await town.home()
        alarm = await alarm_of(town, old)
        await alarm_of(town, new)  # so that the place of the new home is known, too
        before = town.now
        await town.says(alarm, "position", **HARBOUR)
        await town.passes(minutes=5)
        await town.gateway.database.run(lambda each: devices.move(each, alarm.id, new.dwelling, new.resident, town.now))
        await town.passes(minutes=5)
        found_at = before.isoformat()
        await town.says(alarm, "button_pressed", **SOLA, position_at=found_at)  # the last that its receiver found
        press = await town.alert()
        assert press["resident_id"] == new.resident
        assert await seen(town, "Kari", press["uid"]) == []
        (raised,) = await town.entries(press["uid"], "raised")
        assert "distance_from_home_m" not in raised["evidence"]["fields"]

        await town.says(alarm, "position", **DOMKIRKEN)
        (position,) = await seen(town, "Kari", press["uid"])
        assert position.latitude == 58.96992345


async def test_who_leaves_the_zone_is_looked_for_and_who_is_back_is_told_of(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        alarm = await alarm_of(town, await town.home())
        await town.says(alarm, "zone_left", message_class="alarm", zone="hjemme", **HARBOUR)
        left = await town.alert()
        assert (left["condition"], left["vkp_code"], left["severity"]) == ("zone_left", "2", 30)
        assert await town.news() == ["Kari"]
        await town.passes(seconds=20)
        await town.says(alarm, "zone_entered", zone="hjemme")
        assert await town.timeline(left["uid"]) == ["raised", "step_reached", "device_said"]
        assert (await town.alert())["closed_at"] is None, "somebody looks all the same"


async def test_three_presses_call_everybody(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        alarm = await alarm_of(town, await town.home())
        for _ in range(3):
            await town.says(alarm, "button_pressed", **DOMKIRKEN)
            await town.passes(seconds=20)
        press = await town.alert()
        assert (press["condition"], press["severity"]) == ("button_pressed", 40)
        assert "Ola" in await town.news()


async def test_far_from_home_is_set_for_one_who_loses_the_way(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, other = await town.home(), await town.home()
        lost, free = await alarm_of(town, home), await alarm_of(town, other)
        await _switch_on(town, home.resident)
        await town.says(free, "position", **SOLA)
        await town.says(lost, "position", **HARBOUR)
        assert await town.alerts() == []
        await town.says(lost, "position", **SOLA)
        away = await town.alert()
        assert (away["condition"], away["vkp_code"], away["resident_id"]) == ("far_from_home", "2", home.resident)
        (raised,) = await town.entries(away["uid"], "raised")
        assert raised["evidence"]["fields"]["distance_from_home_m"] == 10_600

        # A position that says hardly anything calls nobody home; one at home is told.
        await town.says(lost, "position", **{**HARBOUR, "accuracy_m": 4000, "source": "cell"})
        assert await town.entries(away["uid"], "device_said") == []
        await town.says(lost, "position", **DOMKIRKEN)
        (told,) = await town.entries(away["uid"], "device_said")
        assert told["evidence"]["fields"]["distance_from_home_m"] == 170


async def _switch_on(town: World, resident: int) -> None:
    """The rule of a distance, for one resident."""
    (rule,) = await town.rows(
        """INSERT INTO rule (uid, kind, name, resident_id, version)
           VALUES (gen_random_uuid(), 'safety_alarm', 'far_from_home', %s, 1) RETURNING id""",
        resident,
    )
    await town.rows(
        """INSERT INTO rule_version (rule_id, version, spec, created_at)
           SELECT %s, 1, v.spec || '{"enabled": true}', %s FROM rule_version v JOIN rule r ON r.id = v.rule_id
           WHERE r.name = 'far_from_home' AND r.resident_id IS NULL""",
        rule["id"],
        town.now,
    )


async def test_an_open_page_looks_again_when_its_resident_moves(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, other = await town.home(), await town.home()
        alarm, others = await alarm_of(town, home), await alarm_of(town, other)
        sone = frozenset({town.zones["Sone"]})
        await town.announced()
        with town.gateway.live.subscribe() as changes:
            assert await _told(changes, lambda: town.says(alarm, "position", **HARBOUR)) is None
        await town.says(home.fall_alarm, "fall")
        await town.announced()
        with town.gateway.live.subscribe() as changes:
            await _hears(changes, Changed(zones=sone), lambda: town.says(alarm, "position", **SOLA))
            assert await _told(changes, lambda: town.says(others, "position", **SOLA)) is None
            assert await _told(changes, lambda: town.says(alarm, "coverage_ok")) is None
            beats = partial(town.says, alarm, "heartbeat", message_class="status", **SOLA)
            await _hears(changes, Changed(zones=sone), beats)


async def _hears(changes: Subscription, expected: Changed, happens: Callable[[], Awaitable[Any]]) -> None:
    """That listeners are told of it when it happens, behind what they have not been told of yet."""
    await happens()
    async with asyncio.timeout(20):
        while await anext(changes.changes()) != expected:
            pass


async def _told(changes: Subscription, happens: Callable[[], Awaitable[Any]]) -> Changed | None:
    """What listeners are told when something happens, or None when it is nothing."""
    await happens()
    try:
        async with asyncio.timeout(0.7):
            return await anext(changes.changes())
    except TimeoutError:
        return None
