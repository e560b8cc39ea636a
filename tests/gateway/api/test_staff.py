"""Zones, staff, duty, policies and commands, as leads and integrators look them up."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.alert import Action, Cause
from alerts.command import Reason, State
from gateway.api import schemas
from gateway.client import ProblemError
from gateway.embedded import Broker
from gateway.store import people
from tests.gateway.api.test_register import refusal, zone
from tests.gateway.served import served

OSLO = ZoneInfo("Europe/Oslo")


async def test_duty_is_what_alerts_find_also_when_the_clocks_change(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        await it.town.off_duty("Kari", "Ola")
        for name, start, end, position in (("Kari", "07:00", "15:00", 0), ("Ola", "15:00", "07:00", 0)):
            await it.town.rows(
                """INSERT INTO roster_shift (person_id, zone_id, role, weekday, start_time, end_time, position, from_date)
                   SELECT %s, %s, 'responder', d, %s, %s, %s, '2026-01-01' FROM generate_series(0, 6) d""",
                it.town.staff[name],
                it.town.zones["Sone"],
                start,
                end,
                position,
            )
        siri = await it.client("Siri")
        sone = await zone(it, "Sone")
        since = datetime(2026, 3, 28, 12, tzinfo=OSLO)  # the clocks go forward that night
        leaves = since + timedelta(hours=30)
        await it.town.rows(
            "UPDATE assignment SET during = tstzrange(lower(during), %s) WHERE person_id = %s",
            leaves,
            it.town.staff["Ola"],
        )
        told = await siri.duty(sone, schemas.DutyQuery(since=since, until=since + timedelta(days=2)))
        assert [(each.since.isoformat()[5:22], [who.name for who in each.on_duty]) for each in told.spans] == [
            ("03-28T12:00:00+01", ["Kari"]),
            ("03-28T15:00:00+01", ["Ola"]),
            ("03-29T07:00:00+02", ["Kari"]),
            ("03-29T15:00:00+02", ["Ola"]),
            (leaves.astimezone(OSLO).isoformat()[5:22], []),
            ("03-30T07:00:00+02", ["Kari"]),
        ]
        for span in told.spans:
            found = await it.town.gateway.database.run(
                lambda each, at=span.since: people.on_duty_for(each, it.town.zones["Sone"], ("responder",), at, OSLO)  # type: ignore[misc]
            )
            names = await it.town.gateway.database.run(lambda each, ids=found: people.names(each, sorted(ids)))  # type: ignore[misc]
            assert {each.name for each in names.values()} == {each.name for each in span.on_duty}
        shifts = (await (await it.client("Kari")).roster(sone)).shifts
        assert (len(shifts), {each.person.name for each in shifts}) == (14, {"Kari", "Ola"})
        too_long = schemas.DutyQuery(since=since, until=since + timedelta(days=32))
        assert await refusal(siri.duty(sone, too_long)) == "422 until"
        assert await refusal((await it.client("Liv")).duty(sone)) == "404 zone"


async def test_zones_staff_and_policies(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        siri, ada = await it.client("Siri"), await it.client("Ada")
        (top,) = await siri.zones()
        (municipality,) = top.below
        below = {each.name: each.roles for each in municipality.below}
        assert (top.name, municipality.name, below) == ("Senter", "Kommune", {"Sone": ["lead"], "Øy": []})
        assert [each.name async for each in siri.all_people(schemas.StaffQuery(limit=1))] == ["Kari", "Ola", "Siri"]
        asked = schemas.StaffQuery(zone=await zone(it, "Kommune"), role="responder")
        assert [each.name async for each in ada.all_people(asked)] == ["Kari", "Liv", "Ola"]
        (kari,) = (await siri.people(schemas.StaffQuery(q="kar"))).people
        assert ([each.role for each in kari.roles], kari.reachable) == (["responder"], True)
        assert (await siri.person(kari.id)) == kari
        (liv,) = (await ada.people(schemas.StaffQuery(q="liv"))).people
        assert await refusal(siri.person(liv.id)) == "404 person"
        policies = {each.name: each for each in await siri.policies()}
        urgent = await siri.policy(policies["care_urgent"].id)
        assert (urgent.policy.steps[0].target, urgent.readable, len(urgent.versions)) == ("first_on_duty", True, 1)
        await it.town.rows('UPDATE policy_version SET spec = \'{"name": "care_urgent", "track": "?"}\' WHERE id = 1')
        broken = [each for each in await siri.policies() if not each.readable]
        assert len(broken) <= 1
        assert all(each.policy.steps for each in broken), "the one that is followed instead"


async def test_alerts_are_asked_for_by_what_they_are(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        vakt, kari = await it.client("Vakt"), await it.client("Kari")
        here, there = await it.fall(), await it.fall("Øy")
        home = await it.town.home()
        await it.town.passes(minutes=1)
        later = it.town.now
        await it.town.says(home.dispenser, "jam")
        await kari.answer(here, schemas.AnswerRequest(answer="claim"))

        async def found(state: str = "open", **asked: object) -> int:
            query = schemas.AlertQuery.model_validate({"state": state, "limit": 1, **asked})
            return len([each async for each in vakt.all_alerts(query)])

        everything = await found()
        assert (everything, await found(zone=await zone(it, "Senter"))) == (4, 4)
        assert await found(zone=await zone(it, "Øy")) == 1
        assert await found(severity=40) == await found(vkp_code="4.1") == await found(kind="fall_alarm") == 2
        assert await found(track="technical") == 1
        assert (await found(raised_since=later), await found(raised_until=later)) == (2, 2)
        assert (await found(condition="fall", severity=40, mine=False), await found(mine=True)) == (2, 0)
        assert len([each async for each in kari.all_alerts(schemas.AlertQuery(mine=True))]) == 1
        assert await found("closed") == 0
        await kari.answer(here, schemas.AnswerRequest(answer="close", cause=Cause.REAL, action=Action.VISITED))
        await it.town.passes(seconds=6)
        assert (await found("closed", kind="fall_alarm"), await found("closed", severity=40, track="technical")) == (
            1,
            0,
        )
        with pytest.raises(ProblemError, match="404 alert"):
            await kari.alert(there)


async def test_commands_are_seen_by_whoever_sees_their_alert(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        lock = await it.town.fits(home, "e_lock")
        await it.town.says(home.fall_alarm, "fall")
        (alert,) = await it.town.alerts("fall")
        kari = await it.client("Kari")
        (row,) = await it.town.rows("SELECT uid FROM device WHERE id = %s", lock.id)
        request = schemas.CommandRequest(device=row["uid"], command="unlock", reason=Reason.GET_IN)
        given = await kari.ask(alert["uid"], request, "once")
        assert (await kari.ask(alert["uid"], request, "once")).id == given.id
        shown = await (await it.client("Siri")).command(given.id)
        assert (shown.alert, shown.device.id, shown.zone.name) == (alert["uid"], row["uid"], "Sone")
        query = schemas.CommandQuery
        assert [each.id async for each in kari.all_commands(query(mine=True, device=row["uid"]))] == [given.id]
        assert (await kari.commands(query(state=State.DONE))).commands == []
        assert await refusal((await it.client("Liv")).command(given.id)) == "404 command"
        assert (await (await it.client("Liv")).commands(query(zone=await zone(it, "Sone")))).commands == []
