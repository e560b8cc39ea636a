"""The pages of contacts: what is shown of each, what each form asks for, and links that are opened on a phone."""

from __future__ import annotations

import re
from datetime import time
from uuid import UUID

import httpx
import pytest

from gateway.access import SESSION_COOKIE
from tests.web import fake, fake_contacts, fake_people

MINE = "/me/contacts"
FIRST, SECOND = UUID(int=701), UUID(int=702)


async def sent(nurse: httpx.AsyncClient, **form: str) -> httpx.Response:
    return await nurse.post(MINE, data={"csrf_token": fake_people.Who().csrf_token, **form})


async def test_each_contact_says_how_it_stands_and_why(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get(MINE)).text
    for told in ("Virker", "Venter på å bli bekreftet", "Prøven ble ikke bekreftet", "Virker ikke", "Ikke prøvd"):
        assert told in page
    assert "550 5.1.1 no such user" in page
    assert "Stille fra 22:00 til 07:00" in page
    assert "Det som er alvorlig eller kritisk, kommer likevel." in page
    assert "ikke satt opp her lenger" in page
    assert re.search(r"iPhone · lagt til man\. 2\. nov\. \d\d:\d\d · appen sist åpnet ", page), (
        "one phone is told from another"
    )
    assert 'aria-label="Fjern: Appen på en telefon iPhone"' in page
    assert page.count('value="test"') == 3, "not the app, not one that waits, not one that is not set up"


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ({"do": "add", "channel": "sms", "address": "+4740000001"}, ("add", ("sms", "+4740000001"))),
        ({"do": "test", "id": str(FIRST)}, ("test", FIRST)),
        ({"do": "call_off", "id": str(FIRST)}, ("call_off", FIRST)),
        ({"do": "remove", "id": str(FIRST)}, ("remove", (FIRST, False))),
        ({"do": "remove", "id": str(FIRST), "sure": "yes"}, ("remove", (FIRST, True))),
        ({"do": "quiet", "id": str(FIRST), "from": "22:00", "to": "07:00"}, ("quiet", (time(22), time(7)))),
        ({"do": "quiet", "id": str(FIRST)}, ("quiet", (None, None))),
        ({"do": "down", "id": str(FIRST)}, ("order", ["2be", "2bd", "2bf", "2c0", "2c1", "2c2"])),
        ({"do": "up", "id": str(SECOND)}, ("order", ["2be", "2bd", "2bf", "2c0", "2c1", "2c2"])),
        ({"do": "up", "id": str(FIRST)}, ("order", ["2bd", "2be", "2bf", "2c0", "2c1", "2c2"])),
        ({"do": "end_session", "id": str(FIRST)}, ("end_session", FIRST)),
    ],
)
async def test_a_form_is_one_step_and_leads_back(
    nurse: httpx.AsyncClient, front: fake.FakeFront, form: dict[str, str], asked: tuple[str, object]
) -> None:
    reply = await sent(nurse, **form)
    assert (reply.status_code, reply.headers["location"]) == (303, MINE)
    assert front.contacted == [asked]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"do": "add", "channel": "email", "address": "nowhere"}, "Dette er ingen e-postadresse"),
        ({"do": "add", "channel": "ntfy", "address": "nowhere"}, "Denne adressen kan ikke brukes her"),
        ({"do": "add", "channel": "../x", "address": "x"}, "Denne adressen kan ikke brukes her"),
        ({"do": "quiet", "id": str(FIRST), "from": "22:00"}, "Oppgi begge klokkeslettene"),
        ({"do": "quiet", "id": str(FIRST), "from": "25:00", "to": "x"}, "Oppgi begge klokkeslettene"),
        ({"do": "quiet", "id": str(FIRST), "from": "07:00", "to": "07:00"}, "Oppgi begge klokkeslettene"),
        ({"do": "up", "id": str(UUID(int=5))}, "finnes ikke lenger"),
        ({"do": "test", "id": "x"}, "Ikke sendt: du må velge noe først."),
        ({"do": "dance"}, "Ikke sendt: du må velge noe først."),
    ],
)
async def test_what_is_refused_is_told_where_it_was_and_changes_nothing(
    nurse: httpx.AsyncClient, front: fake.FakeFront, form: dict[str, str], told: str
) -> None:
    reply = await sent(nurse, **form)
    assert reply.status_code in (404, 409, 422)
    assert told in reply.text
    assert front.contacted == []


async def test_what_was_typed_stands_there_still(nurse: httpx.AsyncClient) -> None:
    page = (await sent(nurse, do="add", channel="email", address="nowhere")).text
    assert 'value="nowhere"' in page


async def test_the_last_contact_is_asked_for_once_more(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.contact_refusal = "last_contact"
    reply = await sent(nurse, do="remove", id=str(FIRST))
    assert reply.status_code == 409
    assert "ingenting annet når fram til deg" in reply.text
    assert 'name="sure" value="yes"' in reply.text
    assert (await sent(nurse, do="remove", id=str(FIRST), sure="yes")).status_code == 303
    assert front.contacted == [("remove", (FIRST, True))]


async def test_a_form_from_elsewhere_or_without_the_token_does_nothing(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    forged = {"do": "remove", "id": str(FIRST)}
    assert (await nurse.post(MINE, data=forged)).status_code == 403
    whole = {**forged, "csrf_token": fake_people.Who().csrf_token}
    assert (await nurse.post(MINE, data=whole, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert front.contacted == []


async def test_a_code_is_drawn_here_and_shown_once(nurse: httpx.AsyncClient) -> None:
    reply = await sent(nurse, do="phone_link")
    link = f"https://vakt.example/add-phone/{fake_contacts.TOKEN}"
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    assert link in reply.text
    svg = reply.text[
        reply.text.index('<svg viewBox="0 0') : reply.text.index("</svg>", reply.text.index('class="code"'))
    ]
    assert "style=" not in svg
    assert link not in (await nurse.get(MINE)).text


# On the phone ---------------------------------------------------------------------------------------------------------

OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize(("by_phone", "leads_to"), [(True, "/phone"), (False, MINE)])
async def test_a_phone_is_nurse_and_led_to_where_it_may_ring(
    guest: httpx.AsyncClient, front: fake.FakeFront, by_phone: bool, leads_to: str
) -> None:
    front.by_phone = by_phone
    path = f"/add-phone/{fake_contacts.TOKEN}"
    assert fake_contacts.WHOSE.name in (await guest.get(path)).text
    assert SESSION_COOKIE not in guest.cookies
    reply = await guest.post(path, headers=OURS)
    assert (reply.status_code, reply.headers["location"]) == (303, leads_to)
    assert "HttpOnly" in reply.headers["set-cookie"]


async def test_a_link_that_was_used_meanwhile_signs_nobody_in(guest: httpx.AsyncClient) -> None:
    reply = await guest.post(f"/add-phone/{fake_contacts.ANOTHERS}", headers=OURS)
    assert (reply.status_code, "set-cookie" in reply.headers) == (410, False)
    assert "virker ikke lenger" in reply.text


@pytest.mark.parametrize("key", ["x", "å" * 40, "w" * 42, "%00" * 40, "r" * 200])
async def test_a_key_that_is_none_is_not_found(guest: httpx.AsyncClient, key: str) -> None:
    assert (await guest.get(f"/confirm/{key}")).status_code == 404
    assert (await guest.post(f"/confirm/{key}", headers=OURS)).status_code == 404


async def test_an_alarms_key_confirms_nothing_and_leads_to_the_alert(
    guest: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    path = f"/confirm/{fake_contacts.AN_ALARM}"
    assert (await guest.get(path)).headers["location"] == f"/alerts/{UUID(int=17)}"
    await guest.post(path, headers=OURS)
    assert front.pages[fake_contacts.AN_ALARM].wanted


async def test_a_lead_sees_how_colleagues_are_reached_and_others_do_not(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    front.sessions["token"] = fake_people.Who(roles=frozenset({"lead"}))
    page = (await nurse.get("/reach")).text
    assert page.index("Ole-Jakob Tjensvoll") < page.index("Kari Nordbø"), "whom nothing is known to reach first"
    assert "Ingenting når fram" in page
    assert "stavanger.example" not in page
    front.sessions["token"] = fake_people.Who(roles=frozenset({"technical"}))
    assert "Kari Nordbø" not in (await nurse.get("/reach")).text
