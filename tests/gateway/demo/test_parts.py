"""The demo's parts that need no server: who answers and when, what is said, who a visitor can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from devices.kinds import kinds
from gateway import seed as seeding
from gateway.demo import day, stories
from gateway.demo.colleagues import HURRY, hurried, in_mind
from gateway.demo.visitors import first_on_duty, visitors
from gateway.errors import SettingError
from gateway.settings import load
from gateway.store.demo import Called
from gateway.web import demo as pages
from simulators.staff import Given

NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
DEVICES = {
    f"{each.prefix}-{index + 1:03}": (index, each.kind) for index in range(200) for each in seeding._equipment(index)
}


def test_every_story_is_told_in_the_visitors_own_zone_by_devices_that_can_say_it() -> None:
    assert stories.STORIES.keys() == pages.WHAT.keys()
    for name, story in stories.STORIES.items():
        for address in story.addresses:
            index, kind = DEVICES[address]
            assert index % len(seeding.ZONES) == 0, (name, address)
            assert story.type is None or story.type in kinds()[kind].events, (name, address)
    assert set(stories.WEAK) < set(stories.POWER)


def test_every_scene_is_in_the_devices_language() -> None:
    for scene in (*day.SMALL, *day.CALLS):
        for line in scene.lines:
            kinds()[scene.kind].events[line.type].model_validate(line.fields)


def test_at_night_no_door_is_opened_and_nobody_speaks_for_a_kind_that_is_not_there() -> None:
    homes = {"door_sensor": ["dor-1"], "e_lock": ["las-1"]}
    said = [day.choose(day.SMALL, homes, Random(number), night=True) for number in range(50)]
    assert {chosen[0] for chosen in said if chosen} == {"las-1"}
    assert day.choose(day.SMALL, {}, Random(1), night=False) is None


def called(**more: object) -> Called:
    told = {"page_id": 1, "alert_id": 1, "uid": UUID(int=5), "person_id": 3, "attempt": 1, "condition": "fall"}
    return Called(**{**told, "severity": 40, "track": "care", **more})  # type: ignore[arg-type]


def test_colleagues_react_like_people_and_then_hurry() -> None:
    given = (Given(timedelta(seconds=20), "claim"), Given(timedelta(seconds=620), "arrived"))
    assert [each.after.total_seconds() for each in hurried(given, HURRY)] == [20, 140]
    assert hurried((), HURRY) == ()
    minds = [in_mind(called(uid=UUID(int=number)), NOW) for number in range(200)]
    answered = [each for each in minds if each]
    assert all(each[0].answer == "claim" for each in answered)
    assert sum(each[-1].answer == "close" for each in answered) > 150
    assert max(each[-1].after for each in answered) < timedelta(minutes=45)


@pytest.mark.parametrize(("hour", "who"), [(8, "vakt1a"), (16, "vakt1b"), (23, "vakt1c"), (3, "vakt1c")])
def test_the_nurse_is_the_one_on_duty(hour: int, who: str) -> None:
    assert first_on_duty(datetime(2026, 3, 3, hour, tzinfo=OSLO).astimezone(UTC), OSLO) == who


def test_a_visitor_can_be_five_people() -> None:
    accounts = [each for each, _ in seeding._posts(iter(f"Navn {number}" for number in range(99)))]
    assert [each.key for each in visitors(accounts, NOW, OSLO)] == [*pages.WHO]
    assert visitors([], NOW, OSLO) == ()


@pytest.mark.parametrize("environment", ["production", "test"])
def test_its_pages_refuse_to_exist_anywhere_else(environment: str) -> None:
    with pytest.raises(SettingError, match="environment demo only"):
        pages.router(None, None, load({}, environment=environment), None)  # type: ignore[arg-type]
