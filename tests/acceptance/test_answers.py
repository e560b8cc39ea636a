"""Somebody answers: from "I take it" to "done", and what happens when they then say nothing."""

from __future__ import annotations

import pytest

from gateway.api.schemas import AnswerName
from gateway.embedded import Broker
from tests.support.world import world


async def test_a_fall_is_taken_driven_to_and_closed_and_never_opens_again(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        assert await town.news() == ["Kari"]

        assert (await town.answers("Kari", fall, "claim")).stage == "claimed"
        await town.passes(minutes=4)
        assert (await town.answers("Kari", fall, "on_way")).stage == "on_way"
        await town.passes(minutes=19)
        assert (await town.answers("Kari", fall, "arrived")).stage == "arrived"
        await town.passes(minutes=40)
        closing = await town.answers("Kari", fall, "close", cause="real", action="ambulance")
        assert closing.stage == "closing"

        await town.passes(seconds=4)
        assert (await town.answers("Kari", fall, "undo_close")).stage == "arrived"
        await town.passes(minutes=10)
        assert (await town.alert())["stage"] == "arrived"

        await town.answers("Kari", fall, "close", cause="false_by_user", action="talked")
        await town.passes(seconds=5)
        closed = await town.alert()
        assert (closed["stage"], closed["cause"], closed["action"]) == ("closed", "false_by_user", "talked")
        assert (closed["closed_at"], closed["due_at"]) == (town.now, None)

        for answer in ("claim", "arrived", "undo_close", "take_over", "need_help", "release"):
            assert await town.refused("Kari", fall, answer) == "closed"
        assert await town.refused("Kari", fall, "close", cause="real", action="visited") == "closed"
        await town.passes(hours=2)
        assert await town.news() == []
        assert [code for code in await town.timeline(fall) if not code.startswith("step_")] == [
            "raised", "claimed", "on_way", "arrived", "closing", "closing_undone", "closing", "closed",
        ]  # fmt: skip

        await town.says(home.fall_alarm, "fall")
        first, second = await town.alerts("fall")
        assert (first["stage"], second["stage"]) == ("closed", "open")
        assert await town.news() == ["Kari"]


@pytest.mark.parametrize(("stage", "minutes"), [("claim", 5), ("on_way", 20), ("arrived", 60)])
async def test_who_answers_and_then_says_nothing_loses_it(
    migrated_url: str, broker: Broker, stage: AnswerName, minutes: int
) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, stage)
        assert await town.news() == ["Kari"]

        await town.passes(minutes=minutes, seconds=-1)
        assert await town.news() == []

        await town.passes(seconds=1)
        back = await town.alert()
        assert (back["stage"], back["holder_id"]) == ("open", None)
        assert await town.news() == ["Kari"]
        assert (await town.timeline(fall))[-2:] == ["stage_lapsed", "step_reached"]

        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]
        assert (await town.answers("Ola", fall, "claim")).stage == "claimed"
        await town.passes(minutes=4)
        assert await town.news() == []


async def test_an_answer_to_a_climbing_alert_stops_it_at_every_step(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        for steps, by in ((0, "Kari"), (1, "Ola"), (3, "Siri"), (5, "Vakt"), (15, "Vakt")):
            home = await town.home()
            await town.says(home.fall_alarm, "fall")
            fall = (await town.alerts("fall"))[-1]["uid"]
            await town.passes(minutes=steps)
            await town.news()
            health, _ = await town.health()
            assert health == ("red" if steps == 15 else "ok")
            await town.answers(by, fall, "claim")
            assert await town.health() == ("ok", [])
            await town.passes(minutes=4)
            assert await town.news() == []
            await town.done(by, fall)


async def test_what_is_held_by_one_is_refused_to_others_until_taken_over(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "claim")
        assert await town.refused("Ola", fall, "claim") == "held_by_other"
        assert await town.refused("Ola", fall, "on_way") == "held_by_other"
        assert await town.refused("Ola", fall, "close", cause="real", action="visited") == "held_by_other"
        assert await town.refused("Ola", fall, "release") == "held_by_other"
        assert await town.refused("Kari", fall, "close", cause="real", action="visited", version=0) == "stale"

        taken = await town.answers("Ola", fall, "take_over")
        assert (taken.stage, taken.holder and taken.holder.name) == ("claimed", "Ola")
        assert await town.refused("Kari", fall, "arrived") == "held_by_other"
        assert await town.news() == ["Kari"]
        assert (await town.entries(fall, "taken_over"))[0]["from"] == town.staff["Kari"]


async def test_handing_over(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "claim")
        await town.news()
        assert await town.refused("Kari", fall, "hand_over", to="Kari") == "same_person"
        assert await town.refused("Ola", fall, "hand_over", to="Siri") == "held_by_other"
        await town.unreachable("Siri")
        assert await town.refused("Kari", fall, "hand_over", to="Siri") == "unreachable"
        await town.reachable("Siri")
        assert await town.news() == []

        # Accepted: from then on it is Siri's.
        await town.answers("Kari", fall, "hand_over", to="Siri")
        assert await town.news() == ["Siri"]
        await town.passes(seconds=59)
        accepted = await town.answers("Siri", fall, "on_way")
        assert (accepted.stage, accepted.holder and accepted.holder.name) == ("on_way", "Siri")
        await town.passes(minutes=19)
        assert await town.news() == []

        # Declined: Siri has it still, is told at once, and says so.
        await town.answers("Siri", fall, "hand_over", to="Ola")
        assert await town.news() == ["Ola"]
        assert await town.refused("Kari", fall, "decline") == "not_offered"
        declined = await town.answers("Ola", fall, "decline", note="Jeg er hos en annen")
        assert (declined.stage, declined.holder and declined.holder.name) == ("on_way", "Siri")
        assert await town.news() == ["Siri"]
        (page,) = await town.rows("SELECT about FROM page ORDER BY id DESC LIMIT 1")
        assert page["about"] == "declined"
        await town.passes(seconds=50)
        assert (await town.answers("Siri", fall, "claim")).stage == "on_way"
        await town.passes(minutes=5)
        assert await town.news() == []

        # Lapsed: Siri is asked; as she does not say so either, nobody knows who has it, and the ladder begins.
        await town.answers("Siri", fall, "hand_over", to="Ola")
        assert await town.news() == ["Ola"]
        await town.passes(minutes=1)
        assert (await town.alert())["holder_id"] == town.staff["Siri"]
        assert await town.news() == ["Siri"]
        await town.passes(minutes=1)
        assert (await town.alert())["holder_id"] is None
        assert await town.news() == ["Kari"]
        assert (await town.timeline(fall))[-4:] == ["hand_over_lapsed", "asked_to_keep", "not_kept", "step_reached"]


async def test_letting_go_pages_the_next_at_once(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "on_way")
        await town.passes(minutes=3)
        await town.news()

        assert (await town.answers("Kari", fall, "release")).stage == "open"
        assert await town.news() == ["Ola"]
        await town.passes(minutes=2)
        assert await town.news() == ["Siri"]
        assert await town.refused("Kari", fall, "release") == "not_held"


async def test_help_is_called_for_until_somebody_else_comes(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert())["uid"]
        await town.answers("Kari", fall, "arrived")
        await town.news()

        await town.answers("Kari", fall, "need_help")
        assert await town.news() == ["Ola"]
        await town.passes(minutes=2)
        assert await town.news() == ["Siri"]
        await town.answers("Kari", fall, "arrived")  # a word from who calls for help does not end the call
        await town.passes(minutes=2)
        assert await town.news() == ["Vakt"]

        helped = await town.answers("Ola", fall, "claim")
        assert (helped.stage, helped.holder and helped.holder.name) == ("arrived", "Kari")
        await town.passes(minutes=59)
        assert await town.news() == []
        assert (await town.timeline(fall))[-1] == "assisted"
