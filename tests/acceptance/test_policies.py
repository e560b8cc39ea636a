"""Policies that people set: whom alerts then page, what is refused, and what is seen before it matters."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from alerts.policy import DEFAULT_POLICIES, LONGEST_REPEAT
from gateway.api import schemas
from gateway.embedded import Broker
from gateway.errors import Conflict, Invalid, InvalidFields, NotAllowed, Problem
from gateway.store.policies import policy_of
from tests.support.phones import Phones
from tests.support.rules import uid_of
from tests.support.silences import is_away, silences
from tests.support.world import World, world

NINE_PM = datetime(2026, 3, 3, 20, 0, tzinfo=UTC)


def step(target: str, wait: int = 60, **more: Any) -> dict[str, Any]:
    return {"target": target, "wait_seconds": wait, **more}


CENTRE = step("response_centre")


def spec(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "Egen", "track": "care", "steps": [*steps], **more}


async def sets(town: World, name: str, data: dict[str, Any], **scope: int) -> schemas.PolicyView:
    """Somebody sets a policy for a zone or a resident by its inner id, or for everywhere."""
    for_ = {what: await uid_of(town, what, id_) for what, id_ in scope.items()}
    request = schemas.PolicyRequest(scope=schemas.PolicyScopeRequest(**for_), policy=data)
    return await town.gateway.front.add_policy(await town.who(name), request)


async def refusal(town: World, name: str, data: dict[str, Any], **scope: int) -> Problem:
    with pytest.raises(Problem) as refused:
        await sets(town, name, data, **scope)
    return refused.value


async def person(town: World, name: str) -> UUID:
    return await uid_of(town, "person", town.staff[name])


async def would_page(town: World, name: str, at: datetime, condition: str = "fall", **where: int) -> schemas.Rehearsal:
    for_ = {what: await uid_of(town, what, id_) for what, id_ in where.items()}
    return await town.gateway.front.rehearsal(
        await town.who(name), schemas.RehearsalQuery.model_validate({"at": at, "condition": condition, **for_})
    )


def called(rehearsal: schemas.Rehearsal) -> list[tuple[int, list[str]]]:
    """After how many seconds who."""
    return [(each.after_seconds, [one.person.name for one in each.called]) for each in rehearsal.rungs if each.called]


async def test_a_zone_s_night_calls_others_than_its_day_and_the_preview_says_so_before(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker, start=NINE_PM) as town:
        zone = town.zones["Sone"]
        night = {"from_time": "22:00", "to_time": "07:00"}
        data = spec(step("zone_lead", 120), CENTRE, name="Natt", window=night, repeat_seconds=300)
        await sets(town, "Siri", data, zone=zone)
        home = await town.home()
        by_day = await would_page(town, "Siri", NINE_PM, resident=home.resident)
        by_night = await would_page(town, "Siri", NINE_PM + timedelta(hours=6), resident=home.resident)
        assert (by_day.policy.title, by_day.because) == ("Pleie, haster", ["whole", "severity"])
        assert {each.policy.title: each.verdict for each in by_day.others}["Natt"] == "other_time"
        assert (by_night.policy.title, by_night.because) == ("Natt", ["zone", "time"])
        assert called(by_night) == [(0, ["Siri"]), (120, ["Vakt"]), (420, ["Vakt"])]

        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari"]
        await town.done("Kari", (await town.alert())["uid"])
        await town.passes(hours=6)
        await town.news()
        await town.says(home.fall_alarm, "fall", at=town.now)
        assert await town.news() == ["Siri"]
        await town.passes(seconds=119)
        assert await town.news() == []
        await town.passes(seconds=1)
        assert await town.news() == ["Vakt"]
        await town.passes(seconds=300)
        assert await town.news() == ["Vakt"]


async def test_a_resident_s_own_ladder_and_a_named_person_who_is_off_duty_is_skipped(
    migrated_url: str, broker: Broker
) -> None:
    """First Ola, whom she knows, by e-mail or else in the app; a team; then the centre. On his day off Ola is left alone."""
    async with world(migrated_url, broker) as town:
        await town.person("Berit", "responder")
        team = await town.gateway.front.add_team(
            await town.who("Siri"),
            schemas.TeamRequest(
                zone=await uid_of(town, "zone", town.zones["Sone"]),
                name="Kjente",
                members=(
                    schemas.MemberRequest(person=await person(town, "Berit")),
                    schemas.MemberRequest(person=await person(town, "Kari"), since=town.now + timedelta(days=2)),
                ),
            ),
        )
        home, other = await town.home(), await town.home()
        ola = step("person", id=str(await person(town, "Ola")), only_on_duty=True, contacts=["email", "in_app"])
        data = spec(ola, step("team", id=str(team.id)), CENTRE)
        await sets(town, "Siri", data, resident=home.resident)

        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Ola"]
        fall = (await town.alert())["uid"]
        await town.passes(seconds=60)
        assert await town.news() == ["Berit"]
        await town.done("Ola", fall)
        await town.says(other.fall_alarm, "fall")
        assert await town.news() == ["Kari"], "hers alone"
        (others,) = [each["uid"] for each in await town.alerts() if each["closed_at"] is None]
        await town.done("Kari", others)

        await town.off_duty("Ola")
        ahead = await would_page(town, "Vakt", town.now, resident=home.resident)
        assert [(each.person.name, each.reason) for each in ahead.rungs[0].missed] == [("Ola", "off_duty")]
        assert called(ahead)[0] == (0, ["Berit"])
        in_three_days = await would_page(town, "Vakt", town.now + timedelta(days=3), resident=home.resident)
        assert called(in_three_days)[0] == (0, ["Berit", "Kari"])
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Berit"]
        (back,) = [each["uid"] for each in await town.alerts() if each["closed_at"] is None]
        await town.done("Berit", back)
        await town.gateway.front.report_absence(await town.who("Berit"), schemas.AbsenceRequest())
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Vakt"], "on holiday, and nobody else is in the team yet"
        looks = await town.rows("SELECT 1 FROM audit WHERE action = 'resident.named' AND object_id = %s", home.resident)
        assert len(looks) == 2, "Siri and Vakt, once a day each"


async def test_an_alert_that_climbs_keeps_its_steps_when_the_policy_is_changed(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        zone, front, siri = town.zones["Sone"], town.gateway.front, await town.who("Siri")
        made = await sets(town, "Siri", spec(step("zone_lead"), CENTRE), zone=zone)
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Siri"]
        change = schemas.PolicyChange(policy=spec(step("all_on_duty"), CENTRE), version=made.version)
        changed = await front.change_policy(siri, made.id, change)
        with pytest.raises(Conflict, match="somebody else"):
            await front.change_policy(siri, made.id, change)
        await town.passes(seconds=60)
        assert await town.news() == ["Vakt"], "as it was when the alert was raised"
        await town.done("Vakt", (await town.alert())["uid"])
        await town.says(home.fall_alarm, "fall")
        assert sorted(await town.news()) == ["Kari", "Ola"]
        (second,) = [each["uid"] for each in await town.alerts() if each["closed_at"] is None]
        await town.done("Kari", second)

        gone = await front.withdraw_policy(siri, made.id, changed.version)
        assert (gone.withdrawn, gone.version, gone.may_change) == (True, 3, False)
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari"], "the one for everywhere again"
        detail = await front.policy(siri, made.id)
        assert [(each.version, each.withdrawn, each.by and each.by.name) for each in detail.versions] == [
            (3, True, "Siri"),
            (2, False, "Siri"),
            (1, False, "Siri"),
        ]
        assert made.id not in [each.id for each in await front.policies(siri)]
        told = await town.rows("SELECT action, params FROM audit WHERE object = 'policy' ORDER BY id")
        assert [each["action"] for each in told] == ["policy.set", "policy.set", "policy.withdrawn"]
        again = await sets(town, "Siri", spec(step("all_on_duty"), CENTRE), zone=zone)
        assert (again.id, again.version) == (made.id, 4), "taken up again, with its history"


async def test_a_policy_that_reaches_fewer_than_two_is_refused_with_the_place(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        zone = town.zones["Sone"]
        alone = await refusal(town, "Siri", spec(step("zone_lead")), zone=zone)
        assert (alone.reason, "Sone (1)" in alone.detail) == ("reach", True)
        await town.unreachable("Vakt")
        assert (await refusal(town, "Siri", spec(step("zone_lead"), CENTRE), zone=zone)).reason == "reach"
        await town.reachable("Vakt")
        assert (await sets(town, "Siri", spec(step("zone_lead"), CENTRE), zone=zone)).version == 1
        assert (await refusal(town, "Siri", spec(step("zone_lead"), CENTRE), zone=zone)).reason == "name"


async def test_what_cannot_be_set_is_refused_by_whom_it_is_and_field_by_field(
    migrated_url: str, broker: Broker
) -> None:
    async with world(migrated_url, broker) as town:
        await town.person("Ada", "admin", "Senter")
        zone, home = town.zones["Sone"], await town.home()
        good = spec(step("zone_lead"), CENTRE)
        assert isinstance(await refusal(town, "Siri", good), NotAllowed), "not for everywhere"
        assert (await sets(town, "Ada", good)).scope.name == "whole"
        for name in ("Kari", "Tek", "Vakt"):
            assert isinstance(await refusal(town, name, good, zone=zone), NotAllowed), name
        assert isinstance(await refusal(town, "Siri", good, zone=town.zones["Kommune"]), NotAllowed)
        slow = spec(step("person", 3600, id=str(await person(town, "Tek"))), CENTRE, codes=["flying"])
        wrong = await refusal(town, "Siri", slow, resident=home.resident)
        assert isinstance(wrong, InvalidFields)
        assert {each["field"] for each in wrong.errors} == {"codes", "steps.0.wait_seconds"}
        no_care = await refusal(
            town, "Siri", spec(step("person", id=str(await person(town, "Tek"))), CENTRE), zone=zone
        )
        assert isinstance(no_care, InvalidFields), "who repairs is not shown who has fallen"
        everywhere = {each.name: each for each in await town.gateway.front.policies(await town.who("Ada"))}
        last = everywhere["technical"]
        with pytest.raises(Conflict, match="no policy"):
            await town.gateway.front.withdraw_policy(await town.who("Ada"), last.id, last.version)
        nowhere = schemas.RehearsalQuery(zone=await uid_of(town, "zone", zone), condition="flying")
        with pytest.raises(Invalid, match="flying"):
            await town.gateway.front.rehearsal(await town.who("Siri"), nowhere)


async def test_a_rehearsal_says_until_when_a_silence_would_hold_it_back(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE_PM, deaf_seconds=24 * 3600) as town:
        home, other = await town.home(doses=[time(23)]), await town.home()
        door = await town.fits(home, "door_sensor")

        async def held(condition: str, hours: float, **where: int) -> tuple[str, datetime] | None:
            told = await would_page(town, "Siri", NINE_PM + timedelta(hours=hours), condition=condition, **where)
            return (told.held_back.why_text, told.held_back.until) if told.held_back else None

        hers, zone = {"resident": home.resident}, {"zone": town.zones["Sone"]}
        assert await held("door_at_night", 3, **hers) is None
        silence = await silences(town, "Siri", home, 5, condition="door_at_night")
        assert await held("door_at_night", 3, **hers) == ("det er dempet", silence.until)
        assert await held("door_at_night", 6, **hers) is None, "it is over by then"
        assert await held("door_at_night", 3, resident=other.resident) is None
        assert await held("door_at_night", 3, **zone) is None
        assert await held("fall", 3, **hers) is None
        whole = await silences(town, "Siri", "Sone", 6, condition="door_at_night")
        assert await held("door_at_night", 3, **zone) == ("det er dempet", whole.until)
        assert await held("door_at_night", 3, **hers) == ("det er dempet", whole.until), "by the one that lasts longer"
        away = await is_away(town, "Siri", home, 24)
        assert await held("dose_missed", 3, **hers) == ("beboeren er borte", away.until)
        assert [await held(each, 3, **hers) for each in ("fall", "fire", "reach_gap")] == [None] * 3

        await town.passes(hours=2)
        await town.says(door, "opened")
        await town.says(home.fall_alarm, "fall", at=town.now)
        assert [each["condition"] for each in await town.alerts()] == ["life_while_away", "fall"], "as it said"


async def test_a_rehearsal_tells_which_contact_is_tried_when(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker, start=NINE_PM, channels={"sms": Phones()}) as town:
        for address in ("+4740000001", "+4740000002"):
            number = schemas.ContactRequest(channel="sms", address=address)
            await town.gateway.front.add_contact(await town.who("Kari"), number)
        first = (await would_page(town, "Siri", NINE_PM, zone=town.zones["Sone"])).rungs[0]
        (kari,) = first.called
        assert (kari.contacts, kari.after_seconds) == (["in_app", "sms", "sms"], [0, 0, 15])
        assert kari.contacts_text == "appen når den er åpen, tekstmelding, så, 15 s seinere: tekstmelding"


async def test_something_is_always_for_whatever_happens(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        await town.person("Ada", "admin", "Senter")
        await town.person("Tom", "technical", position=0)
        front, ada = town.gateway.front, await town.who("Ada")
        last = {each.name: each for each in await front.policies(ada)}["technical"]
        general = {**spec(CENTRE, step("technical_all"), step("zone_lead")), "track": "technical", "name": "technical"}

        async def refused(**narrower: Any) -> str:
            change = schemas.PolicyChange(policy={**general, **narrower}, version=last.version)
            with pytest.raises(Problem) as refusal:
                await front.change_policy(ada, last.id, change)
            return refusal.value.reason

        night = {"from_time": "22:00", "to_time": "06:00"}
        narrower: list[dict[str, Any]] = [{"codes": ["reach_gap"]}, {"window": night}, {"min_severity": 10}]
        assert [await refused(**each) for each in (*narrower, {"max_severity": 30})] == ["last"] * 4
        assert await refused(track="care") == "policy"
        await sets(town, "Ada", {**general, "name": "Mildt", "max_severity": 30})
        assert await refused(codes=["reach_gap"]) == "last", "that one is not for what is critical"
        await sets(town, "Ada", {**general, "name": "Alt"})
        narrow = schemas.PolicyChange(policy={**general, "codes": ["reach_gap"]}, version=last.version)
        changed = await front.change_policy(ada, last.id, narrow)
        assert (await front.withdraw_policy(ada, last.id, changed.version)).withdrawn


async def test_an_alert_that_was_raised_before_names_and_rounds_climbs_on(migrated_url: str, broker: Broker) -> None:
    """The policy as the release before froze it; and one that repeats too slowly for what it has become."""
    async with world(migrated_url, broker) as town:
        home = await town.home()
        await town.says(home.fall_alarm, "fall")
        assert await town.news() == ["Kari"]
        old = {
            "name": "care_urgent",
            "track": "care",
            "min_severity": 30,
            "steps": [step("first_on_duty"), step("zone_lead", 60)],
            "repeat_seconds": 900,
            "limits": {"claimed": 600, "on_way": 1800, "arrived": 3600},
        }
        assert policy_of(old, 1).ladder[1].target == "zone_lead"
        await town.rows("UPDATE alert SET policy = %s::jsonb", json.dumps(old))
        await town.passes(seconds=60)
        assert await town.news() == ["Siri"]
        await town.passes(seconds=LONGEST_REPEAT)
        assert await town.news() == ["Siri"], "critical: every five minutes"
        assert DEFAULT_POLICIES[0].name == old["name"]


# The week to come -----------------------------------------------------------------------------------------------------


async def test_the_lead_is_told_once_of_a_gap_and_it_goes_by_itself(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        auditor, front, siri = town.gateway.auditor, town.gateway.front, await town.who("Siri")
        assert (await auditor.run_once(), await auditor.run_once()) == (True, False), "once an hour"
        found = await front.reach(siri)
        assert (len(found.zones), {*found.zones[0].care}, len(found.zones[0].care)) == (1, {4}, 168)
        assert {(each.track, each.gap) for each in found.gaps} == {("technical", "one"), ("technical", "first_step")}
        assert await town.news() == []

        await town.unreachable("Kari", "Ola", "Vakt")
        await town.passes(hours=1)
        assert await auditor.run_once()
        await town.settle()
        assert await town.news() == ["Siri"], "the only one who is left"
        (gap,) = await town.alerts("reach_gap", track="technical")
        assert (gap["severity"], gap["zone_id"]) == (20, town.zones["Sone"])
        found = await front.reach(siri)
        care = [each for each in found.gaps if each.track == "care"]
        assert {(each.gap, each.persons, each.told_at) for each in care} == {("one", 1, town.now)}
        assert {*found.zones[0].care} == {1}
        await town.answers("Siri", gap["uid"], "claim")

        await town.passes(hours=1)
        assert await auditor.run_once()
        await town.settle()
        assert await town.news() == [], "told once"
        assert (await town.health())[0] != "red"
        await town.unreachable("Siri", "Tek")
        await town.passes(hours=1)
        assert await auditor.run_once()
        assert "reach" in (await town.health())[1], "nobody at all: red"
        await town.reachable("Kari", "Ola", "Vakt", "Siri", "Tek")
        await town.passes(hours=1)
        assert await auditor.run_once()
        assert (await town.alerts("reach_gap", track="technical"))[0]["closed_at"] is not None
        assert await town.health() == ("ok", [])


async def test_a_changed_policy_is_looked_at_at_once_by_one_of_several(migrated_url: str, broker: Broker) -> None:
    async with world(migrated_url, broker) as town:
        auditor = town.gateway.auditor
        assert await auditor.run_once()
        await sets(town, "Siri", spec(step("zone_lead"), CENTRE), zone=town.zones["Sone"])
        assert sorted(await asyncio.gather(auditor.run_once(), auditor.run_once())) == [False, True]
