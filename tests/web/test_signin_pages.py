"""Signing in, forms that are somebody's own, and languages."""

from __future__ import annotations

import httpx
import pytest

from gateway.web import guard
from tests.web import fake, fake_alerts, fake_people

FALL = fake_alerts.alert().id


# Sign-in --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/alerts", f"/alerts/{FALL}", "/quarantine", "/sites"])
async def test_nobody_sees_anything_without_signing_in(guest: httpx.AsyncClient, path: str) -> None:
    response = await guest.get(path)
    assert (response.status_code, response.headers["location"]) == (303, f"/sign-in?next={path}")


async def test_sign_in_leads_back_and_sets_a_cookie_that_scripts_cannot_read(guest: httpx.AsyncClient) -> None:
    given = {"username": "ingrid", "password": fake_people.PASSWORD, "next": f"/alerts/{FALL}"}
    response = await guest.post("/sign-in", data=given)
    assert (response.status_code, response.headers["location"]) == (303, f"/alerts/{FALL}")
    cookie = response.headers["set-cookie"].lower()
    assert "hjemmevakt_session=token" in cookie
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie


async def test_over_https_the_cookie_stays_on_https(guest: httpx.AsyncClient) -> None:
    given = {"username": "ingrid", "password": fake_people.PASSWORD}
    response = await guest.post("https://hjemmevakt.test/sign-in", data=given)
    assert "; secure" in response.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("username", "status", "told"),
    [("ingrid", 401, "Feil brukernavn eller passord."), ("many", 429, "For mange forsøk.")],
)
async def test_a_refused_sign_in_says_why_and_keeps_the_name(
    guest: httpx.AsyncClient, username: str, status: int, told: str
) -> None:
    response = await guest.post("/sign-in", data={"username": username, "password": "galt"})
    assert response.status_code == status
    assert told in response.text
    assert f'value="{username}"' in response.text
    assert "galt" not in response.text


async def test_sign_out_ends_the_session(nurse: httpx.AsyncClient) -> None:
    response = await nurse.post("/sign-out", data={"csrf_token": fake_people.Who().csrf_token})
    assert response.headers["location"] == "/sign-in"
    assert (await nurse.get("/alerts")).status_code == 303


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/alerts?state=closed", "/alerts?state=closed"),
        ("https://evil.example", "/alerts"),
        ("//evil.example", "/alerts"),
        ("/\\evil.example", "/alerts"),
        ("/\t/evil.example", "/alerts"),
        ("javascript:alert(1)", "/alerts"),
        ("", "/alerts"),
        (None, "/alerts"),
    ],
)
def test_next_leads_nowhere_but_to_us(target: str | None, leads_to: str) -> None:
    assert guard.safe_next(target) == leads_to


# Forms ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/language", f"/alerts/{FALL}/answer"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://hjemmevakt.test", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_form_from_another_site_is_refused(
    nurse: httpx.AsyncClient, front: fake.FakeFront, path: str, headers: dict[str, str]
) -> None:
    given = {
        "csrf_token": fake_people.Who().csrf_token,
        "answer": "claim",
        "language": "en",
        "password": fake_people.PASSWORD,
    }
    response = await nurse.post(path, data=given, headers=headers)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    assert front.taken == []
    assert front.sessions == {"token": fake_people.Who()}


@pytest.mark.parametrize("token", ["", "csrf-of-another-session", "æ"])
@pytest.mark.parametrize("path", ["/sign-out", "/language"])
async def test_a_form_without_the_sessions_token_is_refused(nurse: httpx.AsyncClient, path: str, token: str) -> None:
    response = await nurse.post(path, data={"csrf_token": token, "language": "en"})
    assert response.status_code == 403


async def test_an_answer_without_the_sessions_token_is_refused_on_the_alert(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    response = await nurse.post(f"/alerts/{FALL}/answer", data={"answer": "claim", "csrf_token": "another"})
    assert response.status_code == 403
    assert "Siden var utdatert" in response.text
    assert "Jeg tar den" in response.text
    assert front.taken == []


# Languages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("nn-NO,nn;q=0.9", "Brukarnamn"),
        ("no", "Brukernavn"),
        ("en-GB", "User name"),
        ("de", "Brukernavn"),
        ("", "Brukernavn"),
    ],
)
async def test_a_guest_is_met_in_the_browsers_language(guest: httpx.AsyncClient, wanted: str, told: str) -> None:
    assert told in (await guest.get("/sign-in", headers={"Accept-Language": wanted})).text


async def test_a_guests_choice_is_remembered(guest: httpx.AsyncClient) -> None:
    await guest.post("/language", data={"language": "nn", "next": "/sign-in"})
    assert 'lang="nn"' in (await guest.get("/sign-in")).text


async def test_the_language_of_whoever_is_signed_in_goes_with_them(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    given = {"language": "nn", "csrf_token": fake_people.Who().csrf_token, "next": f"/alerts/{FALL}"}
    response = await nurse.post("/language", data=given)
    assert response.headers["location"] == f"/alerts/{FALL}"
    assert front.sessions["token"].language == "nn"
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert "Eg tek den" in page
    assert '<html lang="nn">' in page


async def test_an_unknown_language_is_refused(guest: httpx.AsyncClient) -> None:
    assert (await guest.post("/language", data={"language": "../../etc"})).status_code == 422
