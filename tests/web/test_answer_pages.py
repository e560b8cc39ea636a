"""Answers by the pages' forms, and what is refused."""

from __future__ import annotations

import re
from uuid import UUID

import httpx
import pytest

from tests.web import fake, fake_alerts, fake_people
from tests.web.forms import form

FALL = fake_alerts.alert().id


async def test_an_answer_is_sent_on_with_version_and_key_and_leads_back(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    given = form((await nurse.get(f"/alerts/{FALL}")).text, "claim")
    response = await nurse.post(f"/alerts/{FALL}/answer", data=given)
    assert (response.status_code, response.headers["location"]) == (303, f"/alerts/{FALL}")
    ((uid, request, key),) = front.taken
    assert (uid, request.answer, request.version, key) == (FALL, "claim", 3, given["key"])
    assert str(UUID(key)) == key


async def test_every_button_has_a_key_of_its_own(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get(f"/alerts/{FALL}")).text + (await nurse.get(f"/alerts/{FALL}")).text
    keys = re.findall(r'name="key" value="([^"]+)"', page)
    assert len(keys) == len(set(keys)) == 8


async def test_done_needs_a_cause_and_an_action(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    given = form((await nurse.get(f"/alerts/{FALL}")).text, "close")
    response = await nurse.post(f"/alerts/{FALL}/answer", data={**given, "cause": "real", "action": ""})
    assert response.status_code == 422
    assert "du må velge noe først" in response.text
    await nurse.post(f"/alerts/{FALL}/answer", data={**given, "cause": "real", "action": "visited"})
    assert [(taken.cause, taken.action) for _, taken, _ in front.taken] == [("real", "visited")]


async def test_done_may_say_more_exactly_what_it_was(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    page = (await nurse.get(f"/alerts/{FALL}")).text
    codes = re.findall(r'<option value="([\d.]+)" lang="nb">', page)
    assert codes[:2] == ["4", "4.1"], "those of the alert's own chapter first"
    assert len(codes) == 65
    given = form(page, "close") | {"cause": "false_by_user", "action": "talked"}
    await nurse.post(f"/alerts/{FALL}/answer", data=given)
    await nurse.post(f"/alerts/{FALL}/answer", data={**given, "cause_code": "4.13"})
    assert [taken.cause_code for _, taken, _ in front.taken] == [None, "4.13"]


async def test_a_closed_alert_says_what_it_was_and_that_it_happened_again(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get(f"/alerts/{fake_alerts.closed().id}")).text
    assert '(VKP 4.1 <span lang="nb">Fall</span>)' in page
    assert '(VKP 8 <span lang="nb">samtale</span>)' in page
    assert f'<a href="/alerts/{fake_alerts.paused().id}">Det skjedde igjen 02:49</a>' in page


async def test_pausing_needs_a_reason_and_a_time(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.alerts = [fake_alerts.alert(stage="claimed", holder=fake_people.ME, answers=["on_way", "pause"])]
    given = form((await nurse.get(f"/alerts/{FALL}")).text, "pause")
    for missing in ({"reason": "visit_soon"}, {"minutes": "10"}, {"reason": "visit_soon", "minutes": "31"}):
        assert (await nurse.post(f"/alerts/{FALL}/answer", data={**given, **missing})).status_code == 422
    said = {"reason": "visit_soon", "minutes": "10", "note": "Snakket med datteren"}
    await nurse.post(f"/alerts/{FALL}/answer", data={**given, **said})
    ((_, taken, _),) = front.taken
    assert (taken.reason, taken.minutes, taken.note) == ("visit_soon", 10, "Snakket med datteren")
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert "På pause til 03:24" in page
    assert "10 min igjen" in page
    assert "Uten et ord fra deg" not in page


async def test_a_pause_is_shown_with_its_reason_and_ended_before_its_time(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    uid = fake_alerts.paused().id
    page = (await nurse.get(f"/alerts/{uid}")).text
    for told in (
        "På pause til 03:26",
        "12 min igjen",
        "Et besøk kommer snart",
        "<q>Kari er der uansett klokken elleve</q>",
    ):
        assert told in page
    assert (
        f'<a href="/alerts/{fake_alerts.closed().id}">Det samme ble lukket 02:19: Reelt behov, Snakket med</a>' in page
    )
    first = re.search(r'<div class="first">.*?name="answer" value="(\w+)"', page, re.DOTALL)
    assert first is not None
    assert first[1] == "resume"
    await nurse.post(f"/alerts/{uid}/answer", data=form(page, "resume"))
    assert [taken.answer for _, taken, _ in front.taken] == ["resume"]
    assert "På pause" not in (await nurse.get(f"/alerts/{uid}")).text


async def test_an_offer_is_taken_or_declined(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    uid = fake_alerts.offered().id
    page = (await nurse.get(f"/alerts/{uid}")).text
    assert re.findall(r'name="answer" value="(\w+)"', page) == ["claim", "decline", "on_way", "arrived"]
    assert "Ole-Jakob Tjensvoll har den fortsatt og får vite det med en gang." in page
    await nurse.post(f"/alerts/{uid}/answer", data={**form(page, "decline"), "note": "Jeg er hos en annen"})
    ((_, taken, _),) = front.taken
    assert (taken.answer, taken.note) == ("decline", "Jeg er hos en annen")


async def test_handing_over_names_a_colleague(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.alerts = [fake_alerts.alert(stage="claimed", holder=fake_people.ME, answers=["hand_over"])]
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert f'<option value="{fake_people.KARI.id}">Kari Nordbø</option>' in page
    given = form(page, "hand_over")
    assert (await nurse.post(f"/alerts/{FALL}/answer", data=given)).status_code == 422
    await nurse.post(f"/alerts/{FALL}/answer", data={**given, "to": str(fake_people.KARI.id)})
    assert front.taken[0][1].to == fake_people.KARI.id


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("held_by_other", "En kollega har dette varselet."),
        ("stale", "Noe har skjedd siden du så dette."),
        ("closed", "Varselet er allerede lukket."),
        ("unreachable", "Den kollegaen kan ikke nås nå."),
        ("unheard_of", "refused"),
    ],
)
async def test_a_refusal_shows_the_alert_again_and_says_what_happened(
    nurse: httpx.AsyncClient, front: fake.FakeFront, reason: str, told: str
) -> None:
    front.refuse = reason
    given = form((await nurse.get(f"/alerts/{FALL}")).text, "claim")
    response = await nurse.post(f"/alerts/{FALL}/answer", data=given)
    assert response.status_code == 409
    assert told in response.text
    assert "Solveig Haugland" in response.text
    assert f"url=/alerts/{FALL}" in response.text
    assert (await nurse.get(f"/alerts/{FALL}/answer")).headers["location"] == f"/alerts/{FALL}"


async def test_a_session_that_ended_meanwhile_leads_to_the_sign_in_and_back(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    given = form((await nurse.get(f"/alerts/{FALL}")).text, "claim")
    front.sessions.clear()
    response = await nurse.post(f"/alerts/{FALL}/answer", data=given)
    assert response.headers["location"] == f"/sign-in?next=/alerts/{FALL}"


@pytest.mark.parametrize("path", ["/alerts/00000000-0000-0000-0000-0000000000ff", "/alerts/not-an-id"])
async def test_an_alert_that_is_not_there_is_a_plain_page(nurse: httpx.AsyncClient, path: str) -> None:
    response = await nurse.get(path)
    assert response.status_code == 404
    assert "Denne siden finnes ikke" in response.text
