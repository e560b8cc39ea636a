"""Policies and teams as programs set them: who sees and may set what, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from alerts.channels import channel_names
from gateway.api import schemas
from gateway.client import ProblemError
from gateway.embedded import Broker
from tests.gateway.api.test_register import refusal, zone
from tests.gateway.served import Served, served
from tests.support.rules import uid_of

STEPS = [{"target": each, "wait_seconds": 60} for each in ("zone_lead", "all_on_duty", "response_centre")]


def policy(**more: Any) -> dict[str, Any]:
    return {"name": "Egen", "track": "care", "steps": STEPS, **more}


async def request(it: Served, where: str, **more: Any) -> schemas.PolicyRequest:
    return schemas.PolicyRequest(scope=schemas.PolicyScopeRequest(zone=await zone(it, where)), policy=policy(**more))


async def test_policies_are_seen_and_set_where_they_are(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        siri, ada, liv = await it.client("Siri"), await it.client("Ada"), await it.client("Liv")
        here, there = await it.town.home(), await it.town.home(zone="Øy")
        own = await siri.add_policy(await request(it, "Sone"))
        above = await ada.add_policy(await request(it, "Kommune"))
        resident = schemas.PolicyScopeRequest(resident=await uid_of(it.town, "resident", here.resident))
        hers = await siri.add_policy(schemas.PolicyRequest(scope=resident, policy=policy()))
        assert (own.scope.text, hers.scope.name, own.may_change, above.may_change) == ("Sone", "resident", True, True)
        seen = {each.id for each in await liv.policies()}
        assert above.id in seen
        assert not seen & {own.id, hers.id}
        assert await refusal(liv.policy(hers.id)) == "404 policy"
        tek, kari = await it.client("Tek"), await it.client("Kari")
        assert {each.id for each in await tek.policies()} & {own.id, hers.id} == {own.id}, (
            "he repairs, and cares for nobody"
        )
        assert await refusal(tek.policy(hers.id)) == "404 policy"
        about_her = schemas.RehearsalQuery(resident=resident.resident)
        assert await refusal(tek.rehearsal(about_her)) == "404 scope"
        assert (await kari.policy(hers.id)).id == hers.id
        assert not (await siri.policy(above.id)).may_change
        assert (
            await refusal(siri.change_policy(above.id, schemas.PolicyChange(policy=policy(), version=1))) == "403 zone"
        )
        assert await refusal(siri.withdraw_policy(above.id, schemas.WithdrawRequest(version=1))) == "403 zone"
        foreign = schemas.PolicyScopeRequest(resident=await uid_of(it.town, "resident", there.resident))
        assert await refusal(siri.add_policy(schemas.PolicyRequest(scope=foreign, policy=policy()))) == "404 scope"
        assert await refusal(siri.add_policy(await request(it, "Øy"))) == "403 zone"
        assert await refusal(siri.policy_options(foreign)) == "404 scope"
        offered = await siri.policy_options(resident)
        assert [each.name for each in offered.people] == ["Ada", "Kari", "Ola", "Siri", "Tek", "Vakt"]
        assert sorted(offered.contacts) == [each for each in channel_names() if each != "canary"]
        by_all = [{**STEPS[0], "contacts": offered.contacts}, *STEPS[1:]]
        by_any = await siri.add_policy(await request(it, "Sone", name="Alle veier", steps=by_all))
        assert "tekstmelding, telefonoppringning, ntfy" in by_any.words.steps[0]
        by_none = [{**STEPS[0], "contacts": ["canary"]}, *STEPS[1:]]
        assert (
            await refusal(siri.add_policy(await request(it, "Sone", name="Ingen vei", steps=by_none))) == "422 policy"
        )
        assert {"fall", "reach_gap"} <= {each.condition for each in offered.conditions}
        assert await refusal(siri.add_policy(await request(it, "Sone", steps=[{"target": "moon"}]))) == "422 policy"
        assert await refusal(siri.add_policy(await request(it, "Sone", name="\x00"))) == "422 policy"
        asked = schemas.RehearsalQuery(zone=await zone(it, "Sone"), at=it.town.now + timedelta(days=3650))
        assert [each.called[0].person.name for each in (await siri.rehearsal(asked)).rungs] == [
            "Siri",
            "Kari",
            "Vakt",
            "Vakt",
        ]
        assert await refusal(siri.rehearsal(schemas.RehearsalQuery(zone=await zone(it, "Øy")))) == "404 scope"


async def test_a_team_is_kept_by_its_zone_and_not_withdrawn_while_it_is_called(
    migrated_url: str, broker: Broker
) -> None:
    async with served(migrated_url, broker) as it:
        siri, ada, vakt = await it.client("Siri"), await it.client("Ada"), await it.client("Vakt")
        kari, liv = UUID(await it.uid("Kari")), UUID(await it.uid("Liv"))
        sone = await zone(it, "Sone")
        member = schemas.MemberRequest(person=kari)
        team = await siri.add_team(schemas.TeamRequest(zone=sone, name="Natt", members=(member,)))
        assert ([each.person.name for each in team.members], team.version, team.may_change) == (["Kari"], 1, True)
        assert [each.id for each in await vakt.teams()] == [team.id]
        assert not (await vakt.team(team.id)).may_change
        assert await refusal(siri.add_team(schemas.TeamRequest(zone=sone, name="Natt"))) == "409 name"
        assert await refusal(siri.add_team(schemas.TeamRequest(zone=await zone(it, "Øy"), name="Natt"))) == "403 zone"
        assert await refusal(siri.add_team(schemas.TeamRequest(zone=uuid4(), name="Natt"))) == "404 zone"
        elsewhere = schemas.TeamRequest(zone=sone, name="Øya", members=(schemas.MemberRequest(person=liv),))
        assert await refusal(siri.add_team(elsewhere)) == "422 members"
        backwards = schemas.MemberRequest(person=kari, since=it.town.now, until=it.town.now)
        for members in ((member, member), (backwards,)):
            wrong = schemas.TeamChange(name="Natt", members=members, version=1)
            assert await refusal(siri.change_team(team.id, wrong)) == "422 members"
        both = (schemas.MemberRequest(person=liv), member)
        changed = await ada.change_team(team.id, schemas.TeamChange(name="Natt", members=both, version=1))
        assert [each.person.name for each in changed.members] == ["Liv", "Kari"]
        stale = schemas.TeamChange(name="Natt", members=(), version=1)
        assert await refusal(siri.change_team(team.id, stale)) == "409 stale"
        calls = policy(steps=[{"target": "team", "id": str(team.id), "wait_seconds": 60}])
        scope = schemas.PolicyScopeRequest(zone=sone)
        calling = await siri.add_policy(schemas.PolicyRequest(scope=scope, policy=calls))
        far = await it.town.home(zone="Øy")
        hers = schemas.PolicyScopeRequest(resident=await uid_of(it.town, "resident", far.resident))
        hidden = await ada.add_policy(schemas.PolicyRequest(scope=hers, policy={**calls, "name": "Astrids"}))
        assert calling.words.steps[0] == "med en gang: team Natt"
        assert await refusal(siri.withdraw_team(team.id, schemas.WithdrawRequest(version=2))) == "409 in_use"
        with pytest.raises(ProblemError, match="this team: Egen, 1 more"):
            await siri.withdraw_team(team.id, schemas.WithdrawRequest(version=2))
        await ada.withdraw_policy(hidden.id, schemas.WithdrawRequest(version=1))
        await siri.withdraw_policy(calling.id, schemas.WithdrawRequest(version=1))
        gone = await siri.withdraw_team(team.id, schemas.WithdrawRequest(version=2))
        assert (gone.withdrawn, gone.may_change, await siri.teams()) == (True, False, [])
        again = await siri.add_team(schemas.TeamRequest(zone=sone, name="Natt"))
        assert again.id != team.id
