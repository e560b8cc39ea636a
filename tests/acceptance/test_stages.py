"""Between an answer and its end: a pause and what ends it, a hand-over that is declined, an end in the national codes, and what follows
an alert that was closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from gateway.api import schemas
from gateway.embedded import Broker
from gateway.errors import Invalid
from tests.support.world import World, world

SOON: dict[str, Any] = {"reason": "visit_soon", "minutes": 20}


async def pressed(town: World) -> tuple[Any, UUID]:
    """A home in which the button was pressed, and the alert: serious, and Kari was paged."""
    home = await town.home()
    await town.says(home.fall_alarm, "button_pressed")
    assert await town.news() == ["Kari"]
    return home, (await town.alert("button_pressed"))["uid"]


async def test_nobody_is_paged_in_a_pause_and_then_everybody_from_the_first_step(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        _, alert = await pressed(town)
        await town.answers("Kari", alert, "claim")
        assert await town.refused("Ola", alert, "pause", **SOON) == "held_by_other"
        paused = await town.answers("Kari", alert, "pause", **SOON, note="Datteren er der til klokken halv")
        assert (paused.stage, paused.due_at) == ("claimed", town.now + timedelta(minutes=20))
        assert await town.refused("Kari", alert, "pause", **SOON) == "paused"
        detail = await town.gateway.front.alert_detail(await town.who("Ola"), alert)
        assert detail.paused_until == paused.due_at
        assert (detail.timeline[-1].code, detail.timeline[-1].note) == ("paused", "Datteren er der til klokken halv")
        assert "note" not in detail.timeline[-1].params

        await town.passes(minutes=20, seconds=-1)
        assert await town.news() == []
        await town.passes(seconds=1)
        assert await town.news() == ["Kari"]
        assert (await town.timeline(alert))[-2:] == ["pause_over", "step_reached"]
        assert (await town.alert())["holder_id"] is None
        await town.passes(minutes=1)
        assert await town.news() == ["Kari", "Ola"]


async def test_a_press_ends_a_pause_at_once(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, alert = await pressed(town)
        await town.answers("Ola", alert, "pause", **SOON)
        await town.passes(minutes=5)
        await town.says(home.fall_alarm, "button_pressed")
        assert await town.news() == ["Ola"], "who paused it has it"
        detail = await town.gateway.front.alert_detail(await town.who("Ola"), alert)
        assert (detail.paused_until, detail.answers[0]) == (None, "claim")
        await town.passes(minutes=1)
        assert await town.news() == ["Kari"]
        assert [each for each in await town.timeline(alert) if not each.startswith("step")][-4:] == [
            "evidence_joined", "pause_ended", "holder_paged", "evidence_unconfirmed",
        ]  # fmt: skip


async def test_a_pause_is_ended_before_its_time_and_the_stage_goes_on(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        _, alert = await pressed(town)
        await town.answers("Kari", alert, "on_way")
        await town.answers("Kari", alert, "pause", **SOON)
        await town.passes(minutes=3)
        assert await town.refused("Ola", alert, "resume") == "held_by_other"
        resumed = await town.answers("Kari", alert, "resume")
        assert (resumed.stage, resumed.due_at) == ("on_way", town.now + timedelta(minutes=30))
        assert await town.refused("Kari", alert, "resume") == "not_paused"


async def test_what_is_critical_is_not_paused_and_a_pause_says_why_and_how_long(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        home, alert = await pressed(town)
        for missing in ({}, {"reason": "visit_soon"}, {"minutes": 5}):
            with pytest.raises(Invalid, match="reason"):
                await town.answers("Kari", alert, "pause", **missing)
        for wrong in ({"minutes": 31}, {"minutes": 0}, {"reason": "tired"}, {"note": ""}, {"note": "x" * 501}):
            with pytest.raises(ValidationError):
                schemas.AnswerRequest.model_validate({"answer": "pause", **SOON, **wrong})
        with pytest.raises(Invalid, match="beside this answer"):
            await town.answers("Kari", alert, "claim", note="Hei")
        await town.says(home.fall_alarm, "fall")
        fall = (await town.alert("fall"))["uid"]
        assert await town.refused("Kari", fall, "pause", **SOON) == "critical"
        assert "pause" not in (await town.gateway.front.alert_detail(await town.who("Kari"), fall)).answers
        assert await town.refused("Kari", alert, "pause", **SOON, version=99) == "stale"


async def test_a_release_that_knows_no_pauses_takes_it_for_the_limit_of_a_stage(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        _, alert = await pressed(town)
        await town.answers("Kari", alert, "pause", **SOON)
        (row,) = await town.rows("SELECT due_for, due_as FROM alert")
        assert (row["due_for"], row["due_as"]) == ("stage", "pause")
        await town.rows(
            "UPDATE alert SET due_for = 'step', stage = 'open', holder_id = NULL"
        )  # as it would let go of it
        detail = await town.gateway.front.alert_detail(await town.who("Kari"), alert)
        assert detail.paused_until is None
        await town.answers("Kari", alert, "on_way")
        assert (await town.rows("SELECT due_for, due_as FROM alert")) == [{"due_for": "stage", "due_as": None}]


# Closing --------------------------------------------------------------------------------------------------------------


async def test_closing_says_what_it_was_in_the_national_codes_everywhere_it_is_told(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        _, alert = await pressed(town)
        await town.answers("Kari", alert, "claim")
        with pytest.raises(Invalid, match="no VKP alert code"):
            await town.answers("Kari", alert, "close", cause="real", action="talked", cause_code="99.9")
        await town.answers("Kari", alert, "close", cause="real", action="talked", cause_code="4.1")
        await town.passes(seconds=5)
        outcome = (await town.gateway.front.alert_detail(await town.who("Kari"), alert)).outcome
        assert outcome is not None
        assert (outcome.cause_code, outcome.what_vkp_calls_the_cause) == ("4.1", "Fall")
        assert (outcome.action_code, outcome.what_vkp_calls_the_action) == ("8", "samtale")
        (fact,) = await town.rows("SELECT cause, cause_code, action, action_code FROM alert_fact")
        assert tuple(fact.values()) == ("real", "4.1", "talked", "8")
        (entry,) = await town.entries(alert, "closing")
        assert entry == {"cause": "real", "action": "talked", "cause_code": "4.1", "action_code": "8"}


# What follows ---------------------------------------------------------------------------------------------------------


async def test_the_same_again_within_a_day_is_a_new_alert_that_links_back(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, first = await pressed(town)
        await town.done("Kari", first)
        await town.passes(hours=23)
        await town.says(home.fall_alarm, "button_pressed")
        second = (await town.alerts("button_pressed"))[-1]["uid"]
        front, kari = town.gateway.front, await town.who("Kari")
        before, after = await front.alert_detail(kari, first), await front.alert_detail(kari, second)
        assert before.stage == "closed"
        assert before.followed_by is not None
        assert after.follows is not None
        assert (before.followed_by.id, after.follows.id) == (second, first)
        assert after.follows.closed_at == before.closed_at
        assert (before.follows, after.followed_by) == (None, None)

        # A day after it was closed it is no longer the same story.
        await town.done("Kari", second)
        await town.passes(hours=24, seconds=1)
        await town.says(home.fall_alarm, "button_pressed")
        third = (await town.alerts("button_pressed"))[-1]["uid"]
        assert (await front.alert_detail(kari, third)).follows is None


async def test_another_home_and_another_thing_follow_nothing(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        home, first = await pressed(town)
        await town.done("Kari", first)
        await town.says(home.fall_alarm, "fall")
        other = await town.home()
        await town.says(other.fall_alarm, "button_pressed")
        assert [each["follows_id"] for each in await town.rows("SELECT follows_id FROM alert")] == [None, None, None]
