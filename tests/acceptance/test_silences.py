"""Silences: what is held back calls nobody, is counted and shown – and is raised when the silence ends and it still goes on.

Siri leads the zone; a second lead, Leif, is there where it takes two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway import controlled
from gateway.api import schemas
from gateway.embedded import Broker
from gateway.errors import Problem
from gateway.store import municipality
from tests.support.silences import consents, ends, lets_last, look, may_not, silences, uid_of
from tests.support.town import Device, Home
from tests.support.world import World, world

EVENING = datetime(2026, 3, 3, 20, 30, tzinfo=UTC)
"""21:30 in Oslo."""
A_DAY = 24 * 3600
"""A site is deaf after so long: controlled time goes in quanta of a third of it."""


async def replaced(town: World, home: Home, old: Device) -> Device:
    """The device is taken down, and another one is fitted in its place."""
    await town.rows(
        "UPDATE installation SET during = tstzrange(lower(during), %s) WHERE device_id = %s", town.now, old.id
    )
    new = await town.fits(home, old.kind)
    await town.rows("UPDATE installation SET during = tstzrange(%s, NULL) WHERE device_id = %s", town.now, new.id)
    return new


async def test_a_door_that_is_silenced_for_a_night_and_a_sensor_that_is_replaced(
    migrated_url: str, broker: Broker
) -> None:
    """The resident's silence goes along to the new sensor; the old sensor's own does not. Another code is raised."""
    async with world(migrated_url, broker, start=EVENING, deaf_seconds=A_DAY) as town:
        home = await town.home()
        door = await town.fits(home, "door_sensor")
        own = await silences(town, "Siri", door, 8.5, condition="door_at_night")
        await town.passes(hours=1.5)
        await town.says(door, "opened")
        await town.says(door, "closed")
        assert (await town.alerts(), await town.news()) == ([], [])
        (held,) = (await look(town, own)).held
        assert (held.condition, held.times, held.outcome) == ("door_at_night", 1, "over")

        new = await replaced(town, home, door)
        await town.says(new, "opened", at=town.now)
        assert (await town.alert("door_at_night"))["device_id"] == new.id
        assert await town.news() == ["Kari"]
        await town.done("Kari", (await town.alert("door_at_night"))["uid"])
        await town.says(new, "closed")

        whole = await silences(town, "Siri", home, 7, condition="door_at_night")
        await town.passes(hours=1)
        await town.says(new, "opened")
        assert await town.news() == []
        await town.passes(minutes=5)  # left open is another code
        assert [each["condition"] for each in await town.alerts()] == ["door_at_night", "left_open"]
        await town.done("Kari", (await town.alert("left_open"))["uid"])
        await town.passes(hours=8.5)
        assert (await look(town, own)).ended_why == "moved"
        assert [each.outcome for each in (await look(town, whole)).held] == ["raised"]
        again = (await town.alerts("door_at_night"))[-1]
        assert (await town.timeline(again["uid"]))[0] == "raised"
        assert await town.entries(again["uid"], "was_silenced") != []
        assert (await look(town, whole)).held[0].alert == again["uid"]


async def test_a_fire_is_silenced_by_two_or_not_at_all(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        sensor, other = await town.fits(home, "fire_sensor"), await town.fits(home, "fire_sensor")
        await town.person("Leif", "lead")
        asked = await silences(town, "Siri", "Sone", 24, condition="fire", reason="exercise")
        assert (asked.state, asked.vital, asked.may) == ("asked", True, ["end"])
        assert sorted(await town.news()) == ["Leif", "Siri"]  # both lead here; Siri's own page is the zone's
        await town.says(sensor, "smoke")
        fire = await town.alert("fire")
        assert "Kari" in await town.news()
        await town.says(sensor, "cleared")
        await town.done("Kari", fire["uid"])
        with pytest.raises(Problem) as refused:
            await consents(town, "Siri", asked)
        assert refused.value.reason == "same_person"

        agreed = await consents(town, "Leif", asked)
        assert (agreed.state, agreed.consented_by.name if agreed.consented_by else None) == ("in_force", "Leif")
        assert [each["closed_at"] is None for each in await town.alerts("silence_consent")] == [False]
        await town.news()
        await town.says(sensor, "smoke")
        await town.says(other, "heat")
        await town.says(sensor, "silenced")
        await town.says(sensor, "cleared")
        assert ((await look(town, asked)).held[0].times, await town.news()) == (2, [])
        longer = await lets_last(town, "Leif", await look(town, asked), 24)
        assert (longer.until, longer.asked_until) == (asked.until, asked.until + timedelta(hours=24))
        assert (await look(town, asked)).may == [
            "consent",
            "extend",
            "end",
        ]  # Leif has asked, and Siri is the second now
        assert (await consents(town, "Siri", longer)).until == longer.asked_until
        await town.news()
        await ends(town, "Vakt", await look(town, asked, "Vakt"))
        assert (await town.alerts("fire"))[-1]["closed_at"] is None  # the other sensor has not said that it is over
        assert "Kari" in await town.news()


async def test_what_is_over_is_not_raised_and_what_grew_worse_is(migrated_url: str, broker: Broker) -> None:
    """Also: an alert that was open before goes on climbing, and an alarm that nobody can read is never held back."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home, busy = await town.home(), await town.home()
        await town.says(busy.fall_alarm, "button_pressed")
        before = await town.alert("button_pressed")
        assert await town.news() == ["Kari"]
        quiet = await silences(town, "Siri", home.fall_alarm, 6)
        await silences(town, "Siri", busy.fall_alarm, 6)
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]
        await town.done("Ola", before["uid"])
        await town.says(home.fall_alarm, "button_pressed")
        await town.says(home.fall_alarm, "button_pressed")
        assert await town.news() == []
        await town.says(home.fall_alarm, "button_pressed")
        third = (await town.alerts("button_pressed"))[-1]
        assert (third["severity"], (await town.news())[0]) == (40, "Kari")
        assert await town.entries(third["uid"], "was_silenced") != []
        await town.says(home.fall_alarm, "fall")
        assert await town.alert("fall")
        await town.done("Kari", third["uid"])
        await ends(town, "Siri", await look(town, quiet))
        assert (
            len(await town.alerts("button_pressed")) == 2
        )  # both presses that were held back were told with the third
        await town.says(busy.fall_alarm, "waved", message_class="alarm")
        assert await town.alert("uninterpretable_alarm")


async def test_a_device_that_is_mended(migrated_url: str, broker: Broker) -> None:
    """Technical services silence what a device raises for them, and nothing else; what is whole again stays quiet."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        lock = await town.fits(home, "e_lock")
        assert await may_not(town, "Tek", lock) == "role"
        assert await may_not(town, "Tek", home, track="technical") == "role"
        assert await may_not(town, "Kari", lock) == "role"
        assert await may_not(town, "Vakt", lock, 13) == "until"
        assert await may_not(town, "Siri", lock, 24 * 31) == "until"
        assert await may_not(town, "Siri", lock, reason="hospital") == "reason"
        assert await may_not(town, "Siri", lock, reason="other") == "note"
        assert await may_not(town, "Siri", lock, condition="no_such_thing") == "condition"
        mending = await silences(town, "Tek", lock, 48, track="technical")
        await town.says(lock, "battery_low", battery=10)
        await town.says(lock, "fault")
        assert await town.alerts(track="technical") == []
        await town.says(lock, "heartbeat", battery=90, message_class="status")
        await town.says(lock, "jammed")
        assert [each["condition"] for each in await town.alerts()] == ["jammed"]
        assert await town.news() == ["Kari"]
        held = {each.condition: each.outcome for each in (await look(town, mending, "Tek")).held}
        assert (held["battery_low"], held["fault"]) == ("over", None)
        await ends(town, "Tek", await look(town, mending, "Tek"))
        assert {each["condition"] for each in await town.alerts(track="technical")} == {"fault", "needs_repair"}


async def test_who_is_told_and_when(migrated_url: str, broker: Broker) -> None:
    """Every morning the leads, the owner and the leads before the end, and the leads when the owner is gone."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        await town.person("Leif", "lead")
        made = await silences(town, "Leif", home.dispenser, 60)
        assert await town.news() == []
        await town.passes(hours=21)  # past eight the next morning
        assert sorted(await town.news()) == ["Leif", "Siri"]
        daily = await town.alert("silences_in_force")
        assert (daily["severity"], daily["resident_id"]) == (10, None)
        await town.done("Siri", daily["uid"])
        await town.passes(hours=16)  # a day before the end
        assert sorted(await town.news()) == ["Leif", "Siri"]
        warned = await town.alert("silence_ends")
        await lets_last(town, "Siri", await look(town, made), 24)
        assert (await town.alert("silence_ends"))["closed_at"] is not None
        assert warned["closed_at"] is None
        await town.rows("DELETE FROM assignment WHERE person_id = %s", town.staff["Siri"])
        await town.person("Ny", "lead")
        await town.passes(hours=8)
        assert (await town.alert("silence_without_owner"))["closed_at"] is None
        await town.passes(days=3)
        assert (await town.alert("silence_without_owner"))["closed_at"] is not None
        assert (await look(town, made, "Leif")).ended_why == "time_up"
        assert (await town.alerts("silences_in_force"))[-1]["closed_at"] is not None


async def test_what_nobody_agreed_to_ends_without_having_held_anything(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        asked = await silences(town, "Siri", home.fall_alarm, 2, vital=True)
        await town.says(home.fall_alarm, "button_pressed")
        assert await town.alert("button_pressed")
        await town.passes(hours=2)
        over = await look(town, asked)
        assert (over.state, over.ended_why, over.events) == ("ended", "not_agreed", 0)
        assert over.until - over.since == timedelta(hours=2)


async def test_who_had_agreed_asks_for_longer_and_nobody_agrees(migrated_url: str, broker: Broker) -> None:
    """It ends when it would have, and what it held back is raised; to let it end earlier takes nobody else."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        sensor = await town.fits(home, "fire_sensor")
        await town.person("Leif", "lead")
        asked = await silences(town, "Siri", "Sone", 8, condition="fire", reason="exercise")
        await consents(town, "Leif", asked)
        earlier = await lets_last(town, "Leif", await look(town, asked), -6)
        assert earlier.until == asked.until - timedelta(hours=6)
        longer = await lets_last(town, "Leif", await look(town, asked), 24)
        with pytest.raises(Problem) as refused:
            await consents(town, "Leif", longer)
        assert refused.value.reason == "same_person"
        await town.says(sensor, "smoke")
        await town.news()
        await town.passes(hours=2)
        over = await look(town, asked)
        assert (over.ended_why, over.asked_until, over.held[0].outcome) == ("time_up", None, "raised")
        assert (await town.alert("fire"))["closed_at"] is None
        assert "Kari" in await town.news()


async def test_a_morning_that_nobody_reads_is_no_alarm_that_nobody_answers(migrated_url: str, broker: Broker) -> None:
    """It climbs as every alert; but neither is `/health` red by it, nor is it care in any figure."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        made = await silences(town, "Siri", home.dispenser, 96)
        await town.passes(hours=70)
        assert await town.rows("SELECT count(*) AS n FROM alert WHERE exhausted_at IS NOT NULL") == [{"n": 1}]
        health = await town.gateway.health()
        assert (health.unanswered_alerts, [each.reason for each in health.findings]) == (0, [])
        await ends(town, "Siri", await look(town, made))
        await town.passes(hours=24)
        assert {each["closed_at"] is None for each in await town.alerts()} == {False}
        assert await town.rows("SELECT condition FROM alert_fact") == []


async def test_the_response_centre_silences_nothing_for_good(migrated_url: str, broker: Broker) -> None:
    """Half a day in all, however often it is extended, and whoever has set it; a lead lets it last."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        home = await town.home()
        short = await silences(town, "Vakt", home.dispenser, 10)
        await town.passes(hours=6)
        short = await lets_last(town, "Vakt", short, 2)
        with pytest.raises(Problem) as refused:
            await lets_last(town, "Vakt", short, 1)
        assert refused.value.reason == "until"
        shorter = await lets_last(town, "Vakt", short, -1)
        longer = await lets_last(town, "Siri", shorter, 24)
        with pytest.raises(Problem) as refused:
            await lets_last(town, "Vakt", longer, 1)
        assert refused.value.reason == "until"


async def test_a_silence_moves_with_its_resident(migrated_url: str, broker: Broker) -> None:
    """At once: whoever leads where they live now sees it, and can end it."""
    async with world(migrated_url, broker, deaf_seconds=A_DAY) as town:
        town.zones["Øy"] = await town.gateway.database.run(
            lambda each: municipality.add_zone(each, town.zones["Kommune"], "zone", "Øy")
        )
        await town.person("Liv", "lead", "Øy")
        home, there = await town.home(), await town.home(zone="Øy")
        made = await silences(town, "Siri", home, 8)
        with pytest.raises(Problem):
            await look(town, made, "Liv")
        where = (await uid_of(town, home))["resident"]
        (new,) = await town.rows("SELECT uid FROM dwelling WHERE id = %s", there.dwelling)
        await town.gateway.front.move_in(await town.who("Tek"), where, schemas.MoveIn(dwelling=new["uid"]))
        await controlled.settle(town.gateway)
        assert (await look(town, made, "Liv")).zone.name == "Øy"
        assert (await ends(town, "Liv", await look(town, made, "Liv"))).state == "ended"
