"""The pages of policies: the form and its buttons without any script, what is refused, and what is shown before it matters."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from gateway.embedded import Broker
from tests.gateway.served import served
from tests.support.town import PASSWORD
from tests.web import fake, fake_people, fake_policies
from tests.web.test_rule_pages import fields

FORM = "policy-form"
EDIT = f"/policies/edit?policy={fake_policies.NIGHT_ID}"
NEW = f"/policies/edit?zone={fake_policies.ZONE.id}"


@pytest.fixture
def lead(front: fake.FakeFront) -> fake.FakeFront:
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    return front


def text(page: httpx.Response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


async def test_everybody_may_look_and_some_may_set(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    page = await nurse.get("/policies")
    for told in ("Pleie, haster", "etter 1 min: alle på vakt", "Sone: Eiganes og Tasta", "4 Digitalt tilsyn, Fall"):
        assert told in text(page)
    assert "/policies/edit?zone=" not in page.text
    assert (await nurse.get(NEW)).status_code == 403
    assert (await nurse.get("/reach")).status_code == 403
    assert (await nurse.get("/rehearsal")).status_code == 403
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    assert f"/policies/edit?zone={fake_policies.ZONE.id}" in (await nurse.get("/policies")).text
    history = await nurse.get(f"/policies/{fake_policies.NIGHT_ID}")
    assert "Versjon 2" in text(history)
    assert "satt av Siri Bakken" in text(history)


async def test_a_form_that_nobody_touched_says_the_policy_as_it_is(
    nurse: httpx.AsyncClient, lead: fake.FakeFront
) -> None:
    form = fields((await nurse.get(EDIT)).text, FORM)
    reply = await nurse.post("/policies/edit", data={**form, "do": "save"})
    assert (reply.status_code, reply.headers["location"]) == (303, f"/policies/{fake_policies.NIGHT_ID}")
    (change,) = lead.policed.changed
    assert change.version == 2
    assert change.policy == fake_policies.NIGHT.model_dump(mode="json") | {
        "window": {"from_time": "22:00", "to_time": "07:00", "weekdays": list(range(7))},
        "codes": ["fall", "4"],
    }


async def test_a_severity_can_have_limits_of_its_own(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    form = fields((await nurse.get(EDIT)).text, FORM)
    own = {"severity_limits.40.claimed": "2", "severity_limits.40.accept": "0,5", "limits.accept": "3", "do": "save"}
    assert (await nurse.post("/policies/edit", data={**form, **own})).status_code == 303
    (change,) = lead.policed.changed
    base = fake_policies.NIGHT.limits
    assert change.policy["limits"] == base.model_dump() | {"accept": 180}
    assert change.policy["severity_limits"] == [
        {"severity": 40, "claimed": 120, "on_way": base.on_way, "arrived": base.arrived, "accept": 30}
    ]
    broken = await nurse.post("/policies/edit", data={**form, "severity_limits.30.claimed": "soon", "do": "save"})
    assert broken.status_code == 422
    assert 'id="wrong-severity_limits"' in broken.text
    assert 'value="soon"' in broken.text, "what was typed is kept"


async def test_the_limits_are_told_in_words(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    page = text(await nurse.get("/how-it-works"))
    assert "fra Kritisk: tatt 5 min, på vei 20 min, på stedet 1 t; 1 min til å ta imot en overlevering" in page


async def test_steps_are_added_moved_and_removed_by_buttons_and_nothing_is_saved_by_them(
    nurse: httpx.AsyncClient, lead: fake.FakeFront
) -> None:
    form = fields((await nurse.get(NEW)).text, FORM)

    async def presses(what: str) -> list[str]:
        nonlocal form
        page = (await nurse.post("/policies/edit", data={**form, "do": what})).text
        form = fields(page, FORM)
        return [form[f"steps.{number}.whom"][0] for number in range(9) if f"steps.{number}.whom" in form]

    assert await presses("add") == ["first_on_duty", "all_on_duty", "zone_lead", "response_centre", "response_centre"]
    assert await presses("remove:1") == ["first_on_duty", "zone_lead", "response_centre", "response_centre"]
    assert await presses("up:1") == ["zone_lead", "first_on_duty", "response_centre", "response_centre"]
    assert await presses("down:0") == ["first_on_duty", "zone_lead", "response_centre", "response_centre"]
    for odd in ("up:0", "down:3", "remove:77", "remove:x", "jump"):
        assert await presses(odd) == ["first_on_duty", "zone_lead", "response_centre", "response_centre"]
    assert lead.policed.added == []
    form["name"], form["steps.0.wait"] = ["Dag"], ["1,5"]
    assert (await nurse.post("/policies/edit", data={**form, "do": "save"})).status_code == 303
    (added,) = lead.policed.added
    assert added.scope.zone == fake_policies.ZONE.id
    assert (added.policy["name"], added.policy["steps"][0]["wait_seconds"], len(added.policy["steps"])) == (
        "Dag",
        90,
        4,
    )


async def test_what_is_wrong_is_told_where_it_is_and_nothing_is_lost(
    nurse: httpx.AsyncClient, lead: fake.FakeFront
) -> None:
    form = fields((await nurse.get(NEW)).text, FORM)
    wrong = {**form, "name": "", "steps.1.wait": "soon", "vkp": "77.7", "rounds": "99", "do": "save"}
    page = await nurse.post("/policies/edit", data=wrong)
    assert page.status_code == 422
    for where in ("name", "rounds", "steps.1"):
        assert f'id="wrong-{where}"' in page.text, where
    assert 'value="soon"' in page.text
    page = await nurse.post("/policies/edit", data={**form, "name": "Natt", "vkp": "77.7", "do": "save"})
    assert "En av disse kodene finnes ikke." in page.text
    lead.policed.alone = True
    page = await nurse.post("/policies/edit", data={**form, "name": "Natt", "do": "save"})
    assert "Denne planen når færre enn to personer: fewer than two persons in: Madla (1)" in text(page)
    lead.policed.stale = True
    gone = {"csrf_token": "csrf-of-this-session", "version": "2"}
    page = await nurse.post(f"/policies/{fake_policies.NIGHT_ID}/withdraw", data=gone)
    assert (page.status_code, "Noen andre har endret planen imens." in page.text) == (409, True)
    lead.policed.stale = False
    assert (await nurse.post(f"/policies/{fake_policies.NIGHT_ID}/withdraw", data=gone)).status_code == 303
    assert lead.policed.withdrawn == [(fake_policies.NIGHT_ID, 2)]
    for rubbish in ("/policies/edit?policy=x", "/policies/edit?zone=x"):
        assert (await nurse.get(rubbish)).status_code == 422
    assert (await nurse.post("/policies/edit", data={**form, "at": "zone:x", "do": "add"})).status_code == 422


async def test_who_would_be_paged_is_asked_in_local_time(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    page = await nurse.get(
        "/rehearsal",
        params={"resident": str(fake_policies.RESIDENT.id), "zone": "x", "at": "2026-11-22T03:10", "q": "sol"},
    )
    (asked,) = lead.policed.asked
    assert asked.at is not None
    assert (asked.resident, asked.zone, asked.at.isoformat()) == (
        fake_policies.RESIDENT.id,
        None,
        "2026-11-22T03:10:00+01:00",
    )
    for told in (
        "Solveig Haugland, Eiganes og Tasta",
        "den gjelder denne tida på døgnet",
        "Ikke varslet: Siri Bakken, er ikke på vakt da",
        "når ingen, og hoppes over med en gang",
        "Kari Nordbø (appen når den er åpen, SMS, så, 15 s seinere: e-post)",
        "Holdes tilbake til 08:10: beboeren er borte",
        "Bare én person blir nådd",
        "Pleie, haster (Overalt): satt for noe videre",
    ):
        assert told in text(page), told
    assert f"/policies/edit?resident={fake_policies.RESIDENT.id}" in page.text
    refused = await nurse.get("/rehearsal", params={"zone": str(fake_policies.ZONE.id), "at": "some day"})
    assert (refused.status_code, "ikke ditt" in refused.text) == (422, True)


async def test_the_week_to_come_is_a_table_that_can_be_read_without_colours(
    nurse: httpx.AsyncClient, lead: fake.FakeFront
) -> None:
    page = await nurse.get("/reach")
    rows = re.findall(r'<th scope="row">([^<]+)</th>(.*?)</tr>', page.text, re.DOTALL)
    cells = {zone: re.findall(r'<td class="level-(\w+)">(\d+)', row) for zone, row in rows}
    assert {len(each) for each in cells.values()} == {21}, "from 03 on"
    assert cells["Madla og Tjensvoll"][5] == ("0", "0")
    assert cells["Eiganes og Tasta"][0] == ("1", "1")
    for told in ("Madla og Tjensvoll: Ingen blir nådd", "08:00 – 09:00", "Lederen fikk beskjed 03:00."):
        assert told in text(page), told
    other = await nurse.get("/reach?track=technical&day=2026-11-24")
    assert "Ingenting: alle planer når noen hele døgnet." in other.text
    assert "ingen plan gjelder" in other.text
    assert (await nurse.get("/reach?day=rubbish&track=x")).status_code == 200


async def test_the_whole_way_on_a_real_gateway(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker) as it:
        home = await it.town.home()
        it.http.headers["Origin"] = "http://gateway.test"
        await it.http.post("/sign-in", data={"username": "siri", "password": PASSWORD})
        (zone,) = await it.town.rows("SELECT uid FROM zone WHERE name = 'Sone'")
        (resident,) = await it.town.rows("SELECT uid FROM resident WHERE id = %s", home.resident)
        form = fields((await it.http.get(f"/policies/edit?zone={zone['uid']}")).text, FORM)
        form |= {
            "name": ["Sone først"],
            "steps.0.whom": ["zone_lead"],
            "steps.2.whom": ["next_on_duty"],
            "do": ["save"],
        }
        saved = await it.http.post("/policies/edit", data=form)
        assert saved.status_code == 303, text(saved)
        assert "Sone først" in (await it.http.get(saved.headers["location"])).text
        page = await it.http.get("/rehearsal", params={"resident": str(resident["uid"]), "q": "Beboer"})
        assert "Siri (appen når den er åpen)" in text(page)
        assert "de andre på vakt" in text(page)
        assert "Det er ikke sjekket ennå." in text(await it.http.get("/reach"))
        assert await it.town.gateway.auditor.run_once()
        assert "<caption" in (await it.http.get("/reach")).text
        await it.town.says(home.fall_alarm, "fall")
        assert await it.town.news() == ["Siri"]
        assert "Sone: " in text(await it.http.get("/how-it-works"))
