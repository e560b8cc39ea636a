"""What could not be read, and how sites are heard."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from devices.model import Reason
from gateway.api import schemas
from gateway.web import views, words
from tests.web import fake, fake_people


async def test_quarantine_is_for_technical_services(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    refused = await nurse.get("/quarantine")
    assert refused.status_code == 403
    assert "Du har ikke tilgang til dette." in refused.text
    assert ">Karantene</a>" not in refused.text
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"technical"}))
    page = (await nurse.get("/quarantine")).text
    assert ">Karantene</a>" in page
    assert "Et felt mangler eller er feil" in page
    assert "&lt;b&gt;sterk&lt;/b&gt;" in page


def message(number: int, text: str, **more: Any) -> schemas.QuarantineItem:
    """One more in quarantine."""
    kept = fake.night().items[0]
    return kept.model_copy(update={"id": UUID(int=300 + number), "text": text, "retained": False, **more})


@pytest.fixture
def technician(front: fake.FakeFront, nurse: httpx.AsyncClient) -> httpx.AsyncClient:
    """The same browser with a technician before it, and three messages in quarantine."""
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"technical"}))
    front.items += [message(1, "dispenser jammed"), message(2, "opened", reason="unknown_kind")]
    return nurse


async def test_quarantine_is_searched(technician: httpx.AsyncClient) -> None:
    page = (await technician.get("/quarantine", params={"q": "jammed <"})).text
    assert "Ingen treff" in page
    assert 'value="jammed &lt;"' in page
    page = (await technician.get("/quarantine", params={"q": "jammed", "reason": "fields"})).text
    assert ("dispenser jammed" in page, "opened" in page) == (True, False)
    assert '<option value="fields" selected>' in page
    assert "Tolk alle disse på nytt" in page
    assert 'href="/quarantine?state=decoded&amp;q=jammed&amp;reason=fields"' in page
    for odd in ({"reason": "<b>"}, {"q": "x" * 5000}, {"state": "?"}, {"decoded": "-1"}, {"decoded": "9" * 50}):
        assert (await technician.get("/quarantine", params=odd)).status_code == 200


async def test_one_message_is_decoded_again_and_what_came_of_it_is_told(technician: httpx.AsyncClient) -> None:
    given = {"csrf_token": fake_people.Who().csrf_token, "q": "jammed"}
    done = await technician.post(f"/quarantine/{UUID(int=301)}/decode", data=given)
    assert (done.status_code, done.headers["location"]) == (303, "/quarantine?q=jammed&decoded=1")
    page = (await technician.get(done.headers["location"])).text
    assert "Tolket og lagret: 1." in page
    assert "Ingen treff" in page
    decoded = (await technician.get("/quarantine?state=decoded")).text
    assert "dispenser jammed" in decoded
    assert "Tolket på nytt</strong>" in decoded
    assert "· Ingrid Aase" in decoded
    assert "Tolk på nytt</button>" not in decoded


async def test_what_still_cannot_be_read_is_gone_back_to(technician: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.unreadable = {UUID(int=302)}
    given = {"csrf_token": fake_people.Who().csrf_token}
    done = await technician.post(f"/quarantine/{UUID(int=302)}/decode", data=given)
    assert done.headers["location"] == f"/quarantine?unreadable=1#item-{UUID(int=302)}"
    assert "Kan fortsatt ikke leses: 1." in (await technician.get("/quarantine?unreadable=1")).text
    assert (await technician.post(f"/quarantine/{UUID(int=999)}/decode", data=given)).status_code == 404


async def test_all_are_decoded_again_some_at_a_time(technician: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.unreadable = {UUID(int=300)}
    given = {"csrf_token": fake_people.Who().csrf_token}
    done = await technician.post("/quarantine/decode", data=given)
    page = (await technician.get(done.headers["location"])).text
    assert "Tolket og lagret: 1." in page
    assert "Kan fortsatt ikke leses: 1." in page
    (rest,) = re.findall(r'name="rest" value="([^"]+)"', page)
    last = await technician.post("/quarantine/decode", data={**given, "rest": rest})
    page = (await technician.get(last.headers["location"])).text
    assert "fortsett med resten" not in page
    none = await technician.post("/quarantine/decode", data={**given, "q": "nowhere"})
    assert "Ingenting ventet på å bli tolket på nytt." in (await technician.get(none.headers["location"])).text


async def test_decoding_again_is_not_for_care_staff_nor_for_other_sites_forms(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    given = {"csrf_token": fake_people.Who().csrf_token}
    for path in ("/quarantine/decode", f"/quarantine/{UUID(int=300)}/decode"):
        assert (await nurse.post(path, data=given)).status_code == 403
        front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"technical"}))
        assert (await nurse.post(path, data={"csrf_token": "wrong"})).status_code == 403
        assert (await nurse.post(path, data=given, headers={"Origin": "https://evil.test"})).status_code == 403
        front.sessions["token"] = fake_people.Who()
    assert front.items[0].state == "waiting"


async def test_hearing_says_until_when_each_site_was_heard(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get("/sites")).text
    assert "Ikke hørt" in page
    assert "siden 02:32" in page
    assert "til 03:13" in page


def test_every_reason_has_words_and_what_to_do() -> None:
    assert set(words.REASONS) == set(words.ADVICE) == {*Reason}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"id": "1", "type": "fall"}', '{\n  "id": "1",\n  "type": "fall"\n}'),
        ('{"id": ', '{"id": '),
        ("[" * 9999,) * 2,
    ],
)
def test_a_message_is_shown_so_that_it_can_be_read(text: str, shown: str) -> None:
    assert views.readable(text) == shown
