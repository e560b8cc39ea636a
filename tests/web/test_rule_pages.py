"""The pages of rules and devices: who sees what, what a form says, and the whole way on a real gateway."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from gateway.embedded import Broker
from tests.gateway.served import served
from tests.support.rules import own, sets, uid_of
from tests.support.town import PASSWORD
from tests.web import fake, fake_alerts, fake_people, fake_rules

EDIT = "/rules/edit?kind=door_sensor&name=left_open"


def fields(page: str, form: str = "rule-form") -> dict[str, list[str]]:
    """A form as a browser would send it without a touch."""
    found = re.search(rf'<form[^>]*id="{form}".*?</form>', page, re.DOTALL)
    assert found, f"there is no form {form}"
    given: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", found[0]):
        told = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if told.get("type") in ("radio", "checkbox") and " checked" not in tag:
            continue
        given.setdefault(told["name"], []).append(told.get("value", ""))
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', found[0], re.DOTALL):
        given[name] = re.findall(r'<option value="([^"]*)" selected', options)[:1]
    return given


@pytest.fixture
def lead(front: fake.FakeFront) -> fake.FakeFront:
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    return front


async def test_everybody_may_look_and_some_may_set(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    page = (await nurse.get("/rules?kind=door_sensor")).text
    assert "Når «Døra ble åpnet» har vart i 5 min uten «Døra ble lukket»." in page
    assert "Slått av" in page
    assert "satt av Siri Bakken" in page
    assert "Sett den for en sone" not in page
    assert (await nurse.get(EDIT)).status_code == 403
    assert 'href="/devices"' not in page
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    page = (await nurse.get("/rules?kind=door_sensor")).text
    assert 'href="/rules/edit?kind=door_sensor&amp;name=left_open"' in page
    assert 'name=battery_empty"' not in page, "technical rules are not for leads"
    assert 'href="/devices"' in page


async def test_rules_that_nobody_can_read_are_told_first(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.ruled.unreadable = True
    page = (await nurse.get("/rules?kind=door_sensor")).text
    assert "1 av disse reglene kan ikke leses" in page
    assert "Denne regelen kan ikke leses: den vurderer ingenting." in page
    assert (await nurse.get("/rules?kind=toaster")).status_code == 404


async def test_the_form_says_what_is_wrong_where_it_is(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    lead.ruled.wrong = [{"field": "for_seconds", "code": "range", "what": "", "mend": ""}]
    given = fields((await nurse.get(EDIT)).text) | {"for_seconds": ["99999999"], "save": ["1"]}
    reply = await nurse.post("/rules/edit", data=given)
    assert reply.status_code == 422
    assert re.search(r'id="field-for_seconds".*?Dette er utenfor grensene\.', reply.text, re.DOTALL)
    assert 'value="99999999"' in reply.text
    lead.ruled.wrong, lead.ruled.stale = [], True
    reply = await nurse.post("/rules/edit", data=given)
    assert reply.status_code == 409
    assert "Noen andre har endret denne regelen" in reply.text
    assert lead.ruled.set == []


async def test_what_is_saved_is_for_what_was_chosen_against_the_version_that_was_there(
    nurse: httpx.AsyncClient, lead: fake.FakeFront
) -> None:
    page = (await nurse.get(f"{EDIT}&device={fake_rules.DEVICE.id}")).text
    assert "Beboer: Solveig Haugland (er satt allerede)" in page
    given = fields(page) | {"scope": [f"resident:{fake_rules.RESIDENT.id}"], "save": ["1"]}
    reply = await nurse.post("/rules/edit", data=given)
    assert reply.headers["location"] == f"/devices/{fake_rules.DEVICE.id}#left_open"
    (saved,) = lead.ruled.set
    assert (saved.scope.resident, saved.version) == (fake_rules.RESIDENT.id, 7)
    assert saved.spec == own("door_sensor", "left_open")


@pytest.mark.parametrize("path", ["/rules/edit", f"/rules/{fake_rules.OVERRIDE}/withdraw"])
async def test_forms_of_others_are_refused(nurse: httpx.AsyncClient, lead: fake.FakeFront, path: str) -> None:
    given = {"csrf_token": fake_people.Who().csrf_token, "version": "3", "save": "1"}
    evil = await nurse.post(path, data=given, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    assert (await nurse.post(path, data={**given, "csrf_token": "another"})).status_code == 403
    assert (lead.ruled.set, lead.ruled.withdrawn) == ([], [])


async def test_a_rule_is_withdrawn_from_its_history(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    page = (await nurse.get(f"/rules/{fake_rules.OVERRIDE}")).text
    assert page.index("Versjon 3") < page.index("Versjon 2") < page.index("Versjon 1")
    reply = await nurse.post(f"/rules/{fake_rules.OVERRIDE}/withdraw", data=fields(page, "withdraw"))
    assert reply.headers["location"].startswith("/rules?kind=fall_alarm#")
    assert lead.ruled.withdrawn == [(fake_rules.OVERRIDE, 3)]
    lead.ruled.stale = True
    reply = await nurse.post(f"/rules/{fake_rules.OVERRIDE}/withdraw", data=fields(page, "withdraw"))
    assert (reply.status_code, "Noen andre har endret" in reply.text) == (409, True)


async def test_a_device_tells_which_rules_apply_and_why(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    page = (await nurse.get(f"/devices/{fake_rules.DEVICE.id}")).text
    for told in (
        "Tastarustå 14, H0203",
        "Hørt 4 min siden",
        "Ikke tilkoblet",
        "Batteri 71 %",
        "Den kan være stille i 1 d 1 t.",
    ):
        assert told in page
    assert "Den nærmeste vinner. Den skjuler: Alle enheter av denne typen" in page
    assert page.index("Ved «Fall oppdaget»") < page.index("Ved «Tomt batteri»")
    assert "fa-0017" in (await nurse.get("/devices?q=fa-0")).text
    assert "Fant ingen enheter" in (await nurse.get("/devices?q=zz")).text
    assert f'href="/devices/{fake_rules.DEVICE.id}"' in (await nurse.get(f"/alerts/{fake_alerts.alert().id}")).text


async def test_a_responder_finds_no_way_to_devices(nurse: httpx.AsyncClient) -> None:
    assert "/devices/" not in (await nurse.get(f"/alerts/{fake_alerts.alert().id}")).text
    assert (await nurse.get("/devices")).status_code == 403


async def test_the_whole_way_on_a_real_gateway(migrated_url: str, broker: Broker) -> None:
    """Siri looks up Kari's resident's device, tries a longer wait for its door, and sets it for the resident."""
    async with served(migrated_url, broker, deaf_seconds=86_400) as it:
        town = it.town
        home = await town.home()
        door = await town.fits(home, "door_sensor")
        for minutes in (7, 12):
            await town.says(door, "opened")
            await town.passes(minutes=minutes)
            await town.says(door, "closed")
            await town.done("Kari", (await town.alerts("left_open"))[-1]["uid"])
        await sets(
            town, "Siri", "door_sensor", own("door_sensor", "left_open", for_seconds=360), zone=town.zones["Sone"]
        )

        it.http.headers["Origin"] = "http://gateway.test"
        await it.http.post("/sign-in", data={"username": "siri", "password": PASSWORD})
        uid = await uid_of(town, "device", door.id)
        device = (await it.http.get(f"/devices/{uid}")).text
        assert "Sone: Sone · satt av Siri" in device
        assert "Den skjuler: Alle enheter av denne typen" in device
        form = (await it.http.get(f"/rules/edit?kind=door_sensor&name=left_open&device={uid}")).text
        resident = f"resident:{await uid_of(town, 'resident', home.resident)}"
        given: dict[str, Any] = fields(form) | {"for_seconds": ["10"], "scope": [resident]}
        preview = (await it.http.post("/rules/edit", data={**given, "preview": "1"})).text
        assert re.findall(r'<dd id="([\w-]+)">(\d+)', preview) == [
            ("before", "2"), ("after", "1"), ("only-before", "1"), ("only-after", "0"),
        ]  # fmt: skip
        assert "har vart i 10 min" in preview
        assert await town.rows("SELECT 1 FROM rule WHERE resident_id IS NOT NULL") == []
        again = fields(preview)
        assert parse_qs(str(again.get("scope", [""])[0])) == parse_qs(resident)
        reply = await it.http.post("/rules/edit", data={**again, "save": "1"})
        assert (reply.status_code, reply.headers["location"]) == (303, f"/devices/{uid}#left_open")
        (rule,) = await town.rows(
            "SELECT v.spec FROM rule r JOIN rule_version v ON v.rule_id = r.id WHERE resident_id IS NOT NULL"
        )
        assert rule["spec"]["for_seconds"] == 600
        assert "Beboer: Beboer 1" in (await it.http.get(f"/devices/{uid}")).text
        refused = await it.http.post("/rules/edit", data={**again, "save": "1"})
        assert (refused.status_code, "Noen andre har endret" in refused.text) == (409, True)
