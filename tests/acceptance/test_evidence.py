"""It happens again: what a second fall does to an alert that somebody already has."""

from __future__ import annotations

import asyncio

from gateway.embedded import Broker
from tests.support.world import world


async def test_a_second_fall_pages_whoever_has_the_alert_and_then_the_others(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "claim")
        assert await town.news() == ["Kari"]

        await town.passes(minutes=3)
        await town.says(home.fall_alarm, "fall", impact_g=9.0)
        assert (await town.alert())["holder_id"] == town.staff["Kari"]
        assert await town.news() == ["Kari"]

        await town.passes(seconds=59)
        assert await town.news() == []
        await town.passes(seconds=1)
        assert await town.news() == ["Ola"]  # first on duty is Kari, who was just paged; so the step behind her
        codes = await town.timeline(fall)
        assert codes[-4:] == ["holder_paged", "evidence_unconfirmed", "step_skipped", "step_reached"]

        await town.passes(minutes=2)
        assert await town.news() == ["Siri"]
        confirmed = await town.answers("Kari", fall, "claim")
        assert (confirmed.stage, confirmed.holder and confirmed.holder.name) == ("claimed", "Kari")
        await town.passes(minutes=4)
        assert await town.news() == []


async def test_a_word_from_the_holder_within_the_minute_calls_nobody_else(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "on_way")
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari", "Kari"]

        await town.passes(seconds=50)
        await town.answers("Kari", fall, "claim")  # "I still have it", not a step back
        assert (await town.alert())["stage"] == "on_way"
        await town.passes(minutes=19)
        assert await town.news() == []
        assert (await town.timeline(fall))[-1] == "confirmed"

        # The same on site, and nobody confirms: the ladder, and Ola's answer ends it while Kari keeps the alert.
        await town.answers("Kari", fall, "arrived")
        await town.says(home.fall_alarm, "fall")
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]
        assert (await town.alert())["stage"] == "arrived"
        helped = await town.answers("Ola", fall, "claim")
        assert helped.holder is not None
        assert (helped.holder.name, helped.stage) == ("Kari", "arrived")
        await town.passes(minutes=30)
        assert await town.news() == []


async def test_a_second_fall_while_it_is_being_closed_undoes_the_closing(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "arrived")
        await town.answers("Kari", fall, "close", cause="false_by_user", action="talked")
        assert await town.news() == ["Kari"]
        await town.passes(seconds=3)
        await town.says(home.fall_alarm, "fall")
        again = await town.alert()
        assert (again["stage"], again["cause"], again["holder_id"]) == ("arrived", None, town.staff["Kari"])
        assert await town.news() == ["Kari"]
        await town.passes(minutes=1)
        assert await town.news() == ["Ola"]
        assert (await town.alert())["stage"] == "arrived"

        # Closed straight from open, by somebody who never took it: back to the ladder.
        other = await town.home()
        await town.says(other.fall_alarm, "fall")
        second = (await town.alerts("fall"))[1]["uid"]
        await town.answers("Ola", second, "close", cause="test", action="nothing")
        assert await town.news() == ["Kari"]
        await town.says(other.fall_alarm, "fall")
        reopened = (await town.alerts("fall"))[1]
        assert (reopened["stage"], reopened["holder_id"]) == ("open", None)
        assert await town.news() == ["Kari"]


async def test_a_second_fall_during_a_hand_over_pages_both(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "claim")
        await town.answers("Kari", fall, "hand_over", to="Siri")
        assert await town.news() == ["Kari", "Siri"]
        await town.says(home.fall_alarm, "fall")
        assert sorted(await town.news()) == ["Kari", "Siri"]
        await town.passes(seconds=59)
        assert await town.news() == []
        await town.passes(seconds=1)
        assert (await town.alert())["holder_id"] == town.staff["Kari"], "and it is on offer still"
        assert await town.news() == ["Ola"]


async def test_a_second_fall_on_the_ladder_pages_the_step_again_and_does_not_restart_it(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        await town.passes(minutes=2)
        assert await town.news() == ["Kari", "Kari", "Ola"]
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari", "Ola"]
        await town.passes(minutes=1)
        assert await town.news() == ["Siri"]

        # Four presses are four presses, also in one batch; from the third on they weigh more, and call more people.
        await town.says(home.fall_alarm, "button_pressed", settle=False)
        await asyncio.gather(*(town.says(home.fall_alarm, "button_pressed", settle=False) for _ in range(2)))
        await town.says(home.fall_alarm, "button_pressed")
        pressed = await town.alert("button_pressed")
        assert (pressed["vkp_code"], pressed["severity"]) == ("4.13", 40)
        assert len(await town.entries(pressed["uid"], "evidence_joined")) == 1
        assert len(await town.entries(pressed["uid"], "repeated")) == 2
        told = await town.news()
        assert (told[:2], set(told[2:])) == (["Kari"] * 2, {"Kari", "Ola", "Siri"})


async def test_a_couple_in_one_dwelling_are_two_people(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        his = await town.home()
        hers = await town.home(dwelling=his.dwelling)
        await town.says(his.fall_alarm, "fall")
        await town.says(hers.fall_alarm, "fall")
        first, second = await town.alerts("fall")
        assert (first["resident_id"], second["resident_id"]) == (his.resident, hers.resident)
        assert (first["dwelling_id"], second["dwelling_id"]) == (his.dwelling, his.dwelling)
        assert await town.news() == ["Kari", "Kari"]

        await town.done("Kari", first["uid"])
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]
        shown = await town.gateway.front.alert_detail(await town.who("Kari"), second["uid"])
        assert shown.resident_details is not None
        assert shown.resident_details.name == "Beboer 2"


async def test_a_cancelled_fall_is_told_and_clears_nothing(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.says(home.fall_alarm, "fall_cancelled")
        assert (await town.timeline(fall))[-1] == "device_said"
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Kari", "Ola"]
