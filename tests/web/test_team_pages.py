"""The pages of teams: who is in one and what calls it, the form and its buttons without any script, and what is refused where."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web import formlist
from tests.web import fake, fake_people, fake_teams
from tests.web.fake_policies import KARI, NIGHT_ID, SIRI, ZONE
from tests.web.fake_teams import NIGHT
from tests.web.test_policy_pages import text
from tests.web.test_rule_pages import fields

OSLO = ZoneInfo("Europe/Oslo")
FORM = "team-form"
EDIT, NEW = f"/teams/edit?team={NIGHT.id}", f"/teams/edit?zone={ZONE.id}"


@pytest.fixture
def lead(front: fake.FakeFront) -> fake.FakeFront:
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    return front


@given(
    st.lists(st.integers(), max_size=6),
    st.text(max_size=9) | st.from_regex(r"(up|down|remove|add):?[0-9]{0,3}", fullmatch=True),
)
def test_a_button_moves_adds_or_removes_one(items: list[int], what: str) -> None:
    after = formlist.done(items, what, 77, most=6, least=1)
    assert abs(len(after) - len(items)) <= 1
    assert len(after) <= 6
    if len(after) == len(items):
        assert sorted(after) == sorted(items)


async def test_who_may_look_and_who_may_keep(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    for place in ("/teams", f"/teams/{NIGHT.id}", EDIT):
        assert (await nurse.get(place)).status_code == 403
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"centre"}))
    assert (await nurse.get("/teams")).status_code == 200
    assert (await nurse.get(EDIT)).status_code == 403
    assert (await nurse.get(f"/teams/{fake_teams.EMPTY.id}")).text.count("/teams/edit") == 0
    assert (await nurse.get("/teams/00000000-0000-0000-0000-000000000404")).status_code == 404


async def test_a_team_tells_who_is_in_it_and_what_calls_it(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    page = await nurse.get("/teams")
    for told in ("Ole-Jakob Tjensvoll gikk ut", "Siri Bakken fra", "Brukes av: Natt", "Ingen er med"):
        assert told in text(page), told
    assert f'href="/policies/{NIGHT_ID}"' in page.text
    assert f"/teams/edit?zone={ZONE.id}" in page.text


async def test_a_form_that_nobody_touched_says_the_team_as_it_is(
    nurse: httpx.AsyncClient, lead: fake.FakeFront
) -> None:
    form = fields((await nurse.get(EDIT)).text, FORM)
    done = await nurse.post("/teams/edit", data=form)
    assert (done.status_code, done.headers["location"]) == (303, f"/teams/{NIGHT.id}")
    ((what, change),) = lead.teamed
    assert (what, change.name, change.version) == ("change", "Nattpatruljen", 4)
    assert [(each.person, each.since, each.until) for each in change.members] == [
        (each.person.id, each.since, each.until) for each in NIGHT.members
    ], "to the microsecond, also of whoever is of no staff any more"


async def test_the_buttons_need_no_script_and_save_nothing(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    form = fields((await nurse.get(EDIT)).text, FORM)
    more = await nurse.post("/teams/edit", data={**form, "do": "add"})
    assert ("Medlem 4" in more.text, lead.teamed) == (True, [])
    moved = fields((await nurse.post("/teams/edit", data={**form, "do": "up:2"})).text, FORM)
    assert moved["members.1.person"] == [str(SIRI.id)]
    fewer = fields((await nurse.post("/teams/edit", data={**form, "do": "remove:1"})).text, FORM)
    assert "members.2.person" not in fewer


async def test_a_new_team(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    form = fields((await nurse.get(NEW)).text, FORM)
    form |= {"name": [" Kveld "], "members.0.person": [str(KARI.id)], "members.0.until": ["2026-12-24T15:00"]}
    assert (await nurse.post("/teams/edit", data=form)).status_code == 303
    ((what, made),) = lead.teamed
    assert (what, made.zone, made.name) == ("add", ZONE.id, "Kveld")
    assert made.members[0].until == datetime(2026, 12, 24, 15, tzinfo=OSLO)


@pytest.mark.parametrize(("given_", "field", "told"), [
    ({"name": ""}, "name", "Teamet må ha et navn"),
    ({"members.0.person": ""}, "members.0.person", "Velg noen, eller fjern linjen"),
    ({"members.0.person": "nonsense"}, "members.0.person", "Velg noen, eller fjern linjen"),
    ({"members.1.person": str(KARI.id)}, "members.1.person", "er allerede med i teamet"),
    ({"members.0.since": "i morgen"}, "members.0.since", "Dette er ingen tid"),
    ({"members.0.since": "2026-11-22T10:00", "members.0.until": "2026-11-22T10:00"}, "members.0.until", "Slutten er ikke etter"),
])  # fmt: skip
async def test_what_is_wrong_is_told_beside_its_field(
    nurse: httpx.AsyncClient, lead: fake.FakeFront, given_: dict[str, str], field: str, told: str
) -> None:
    form = {**fields((await nurse.get(EDIT)).text, FORM), **given_}
    shown = await nurse.post("/teams/edit", data=form)
    assert (shown.status_code, lead.teamed) == (422, [])
    beside = shown.text[shown.text.index(f'id="wrong-{field}"') :]
    assert told in beside[:400]
    kept = fields(shown.text, FORM)
    assert all(kept[name] == [value] for name, value in given_.items() if value != "nonsense"), (
        "what was written is still there"
    )


@pytest.mark.parametrize(("reason", "status", "told"), [
    ("stale", 409, "Noen andre har endret teamet"), ("name", 409, "et team med dette navnet"), ("members", 422, "ikke lenger ansatt"),
])  # fmt: skip
async def test_a_refusal_is_told_in_the_form(
    nurse: httpx.AsyncClient, lead: fake.FakeFront, reason: str, status: int, told: str
) -> None:
    form = fields((await nurse.get(EDIT)).text, FORM)
    lead.team_refusal = reason
    shown = await nurse.post("/teams/edit", data=form)
    assert (shown.status_code, told in text(shown)) == (status, True)


async def test_withdrawing(nurse: httpx.AsyncClient, lead: fake.FakeFront) -> None:
    form = fields((await nurse.get(f"/teams/{NIGHT.id}")).text, "withdraw")
    done = await nurse.post(f"/teams/{NIGHT.id}/withdraw", data=form)
    assert (done.status_code, done.headers["location"], lead.teamed) == (303, "/teams", [("withdraw", 4)])
    lead.team_refusal = "in_use"
    shown = await nurse.post(f"/teams/{NIGHT.id}/withdraw", data=form)
    assert (shown.status_code, "Teamet er i bruk i varslingsplaner" in text(shown)) == (409, True)
    assert (await nurse.post(f"/teams/{NIGHT.id}/withdraw", data={"version": "1"})).status_code == 403, "no token"
