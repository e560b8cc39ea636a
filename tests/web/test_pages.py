"""What the pages show, and what they refuse."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from alerts.command import State
from alerts.words import said
from devices.model import Reason
from gateway.api import schemas
from gateway.web import guard, pages, views, words
from gateway.web.how import BUTTONS
from gateway.web.maps import map_link
from gateway.web.views import LABELS
from tests.web import fake, fake_alerts, fake_people, fake_signs

TEMPLATES = Path(pages.__file__).parent / "templates"
FALL = fake_alerts.alert().id


def form(page: str, answer: str) -> dict[str, str]:
    """The hidden fields of an answer's form, as a browser would send them."""
    found = re.search(rf'<form[^>]*id="answer-{answer}".*?</form>', page, re.DOTALL)
    assert found, f"there is no form for {answer}"
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[0]))


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


# The list -------------------------------------------------------------------------------------------------------------


async def test_the_list_says_in_words_what_each_alert_is(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get("/alerts")).text
    for told in (
        "Kritisk",
        "Fall, Solveig Haugland",
        "Tastarustå 14, H0203",
        "4 min siden",
        "Ingen har den ennå",
        "Kom 20 min forsinket",
        "Ingen har svart siden 03:08",
        "Ole-Jakob Tjensvoll gir denne videre til deg",
        "stavanger-vest er ikke hørt siden 02:32",
    ):
        assert told in page
    assert "<title>(7) Varsler" in page
    assert (
        page.index("Til deg") < page.index("Bjørg Mæland") < page.index("Andre i sonene dine") < page.index("Torleif")
    )


async def test_a_wait_is_not_called_a_delay(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.alerts = [fake_alerts.missed_dose()]
    assert "forsinket" not in (await nurse.get("/alerts")).text
    page = (await nurse.get(f"/alerts/{fake_alerts.missed_dose().id}")).text
    assert "forsinket" not in page
    assert "Ingenting hørt" in page


async def test_the_severest_comes_first_and_of_equal_ones_what_nobody_has(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    """A night that cries wolf: thirty calls, one of them a fire."""
    taken = {"stage": "claimed", "holder": fake_people.KARI}
    front.alerts = [
        fake_alerts.alert(100 + each, severity=20, raised_at=fake_people.ago(90 - each)) for each in range(27)
    ]
    front.alerts += [
        fake_alerts.alert(140, severity=40, raised_at=fake_people.ago(80), **taken),
        fake_alerts.alert(150, severity=30),
    ]
    front.alerts += [fake_alerts.alert(160, condition="fire", device_kind="fire_sensor", raised_at=fake_people.ago(1))]
    page = (await nurse.get("/alerts")).text
    cards = re.findall(r'<li id="alert-([\w-]+)" class="([^"]+)"', page)
    assert [uid for uid, _ in cards[:3]] == [str(UUID(int=each)) for each in (160, 140, 150)]
    assert [uid for uid, look in cards if "urgent" in look] == [str(UUID(int=160))]
    assert "29 uten svar" in page


async def test_many_deaf_sites_leave_room_for_the_alerts(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.site_views = [each.model_copy(update={"deaf": True}) for each in front.site_views * 4]
    assert "8 områder er ikke hørt." in (await nurse.get("/alerts")).text


async def test_an_empty_list_says_so(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.alerts = []
    page = (await nurse.get("/alerts")).text
    assert "Ingen åpne varsler" in page
    assert "kl. 03:14" in page


async def test_closed_alerts_have_their_tab(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get("/alerts?state=closed")).text
    assert 'href="/alerts?state=closed" aria-current="page"' in page
    assert "Kari Nordbø" in page


async def test_a_fragment_is_the_main_part_only(nurse: httpx.AsyncClient) -> None:
    fragment = (await nurse.get("/alerts?fragment=1")).text.strip()
    assert fragment.startswith('<main id="main"')
    assert fragment.endswith("</main>")
    assert "<html" not in fragment
    whole = (await nurse.get("/alerts")).text
    assert fragment in whole


# A desk ---------------------------------------------------------------------------------------------------------------


async def test_a_desk_shows_who_has_what_and_who_is_on_duty(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    page = (await nurse.get("/desk")).text
    rows = re.findall(r'<tr id="alert-[^"]*" class="([^"]*)">.*?</tr>', page, re.DOTALL)
    assert [("urgent" in each, "waits" in each) for each in rows] == [
        (True, True),
        (True, True),
        (False, True),
        (False, False),
        (False, False),
        (False, False),
        (False, True),
    ]
    assert "På pause til 03:26" in page
    for told in ("På vei siden 02:42", "Ingen har svart siden 03:08", "Ingen er på vakt her nå.", "Leder: Ole-Jakob"):
        assert told in page


async def test_a_desk_asks_for_what_was_chosen_and_keeps_it(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    zone = fake_people.ZONES[1].id
    asked = {"zone": str(zone), "severity": "30", "track": "care", "waiting": "yes", "sort": "zone"}
    page = (await nurse.get("/desk", params=asked)).text
    assert front.desk_asked == [schemas.DeskQuery(zone=zone, severity=30, track="care", waiting=True)]  # type: ignore[arg-type]
    assert f'href="/desk?zone={zone}&amp;severity=30&amp;track=care&amp;waiting=yes&amp;sort=raised"' in page
    assert 'aria-sort="ascending"><a href' in page
    nonsense = {"zone": "'", "severity": "99", "track": "x", "waiting": "x", "sort": "x", "state": "x"}
    assert (await nurse.get("/desk", params=nonsense)).status_code == 200
    assert front.desk_asked[-1] == schemas.DeskQuery()
    assert (await nurse.get("/desk", params={"zone": str(UUID(int=9))})).status_code == 404


async def test_a_desk_is_not_for_care_staff(nurse: httpx.AsyncClient) -> None:
    assert (await nurse.get("/desk")).status_code == 403


# How it works ---------------------------------------------------------------------------------------------------------


async def test_how_it_works_tells_the_steps_of_this_installation(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    (urgent, *_) = front.ladder_policies
    slower = urgent.model_copy(update={"repeat_seconds": 240, "steps": urgent.steps[1:]})
    front.ladder_policies = [slower]
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", (await nurse.get("/how-it-works")).text))
    for told in (
        "Pleie · fra Alvorlig med en gang alle på vakt etter 2 min soneleder",
        "så hvert 4 min",
        "på 10 min (på vei 30 min",
    ):
        assert told in page
    assert "første på vakt" not in page


async def test_whoever_is_not_signed_in_reads_how_it_works_but_no_steps(guest: httpx.AsyncClient) -> None:
    page = await guest.get("/how-it-works")
    assert page.status_code == 200
    assert "Logg inn for å se trinnene" in page.text
    assert "soneleder" not in page.text
    assert 'href="/how-it-works"' in (await guest.get("/sign-in")).text


def test_how_it_works_explains_every_button_but_undo() -> None:
    assert {name for name, _ in BUTTONS} >= {text for answer, text in LABELS.items() if answer != "undo_close"}


async def test_how_it_works_leads_to_where_one_sees_to_it_that_one_is_called(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get("/how-it-works")).text
    assert "slått det på under «Denne telefonen»" in page
    for at, name in (("/phone", "Denne telefonen"), ("/me/contacts", "Mine kontaktmåter")):
        assert f'<dt><a href="{at}">{name}</a></dt>' in page


# An alert -------------------------------------------------------------------------------------------------------------


async def test_an_alert_tells_who_where_how_to_get_in_and_what_the_device_said(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get(f"/alerts/{FALL}")).text
    for told in (
        "Solveig Haugland",
        'href="tel:51550142"',
        "Bruker rullator",
        "Tastarustå 14, H0203",
        'href="geo:58.9901,5.6789',
        "Slik kommer du inn",
        "Nøkkelboks til venstre",
        "Fall oppdaget",
        "4.2 g",
        "93 %",
        "Trinn 2, alle på vakt",
        "Flere varsles kl. 03:15.",
    ):
        assert told in page


async def test_flags_and_lateness_are_explained(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get(f"/alerts/{fake_alerts.late_button().id}")).text
    assert "Skjedde 02:43, kom til oss 20 min forsinket" in page
    assert "Klokka i enheten går for fort." in page
    assert "Meldingen lå lagret på meldingstjeneren" in page


async def test_an_alert_without_resident_address_or_device_is_still_a_page(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    front.alerts = [
        fake_alerts.alert(resident=None, address=None, resident_details=None, dwelling=None, device=None, due_at=None)
    ]
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert "Ingen beboer er registrert her." in page
    assert "Ingen adresse er registrert." in page


@pytest.mark.parametrize(
    ("stage", "answers", "first"),
    [
        ("claimed", ["release", "need_help", "arrived", "on_way"], "På vei"),
        ("on_way", ["hand_over", "close", "need_help", "arrived"], "Framme"),
        ("arrived", ["hand_over", "release", "close"], "Ferdig …"),
        ("closing", ["undo_close"], "Angre"),
    ],
)
async def test_the_holders_next_step_is_the_large_button(
    nurse: httpx.AsyncClient, front: fake.FakeFront, stage: str, answers: list[str], first: str
) -> None:
    front.alerts = [fake_alerts.alert(stage=stage, answers=answers, holder=fake_people.ME, mine=True)]
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert _primary(page) == first
    assert set(re.findall(r'name="answer" value="(\w+)"', page)) == set(answers)


@pytest.mark.parametrize(
    ("changed", "answers", "first"),
    [
        ({"stage": "open"}, ["close", "arrived", "claim"], "Jeg tar den"),
        ({"stage": "on_way", "holder": fake_people.KARI}, ["claim", "arrived"], "Jeg kommer også"),
        ({"stage": "claimed", "holder": fake_people.KARI, "offered_to": fake_people.ME}, ["claim"], "Jeg tar den"),
        ({"stage": "claimed", "holder": fake_people.ME}, ["claim"], "Jeg har den fortsatt"),
        ({"stage": "claimed", "holder": fake_people.KARI}, ["take_over"], "Ta over"),
    ],
)
async def test_what_taking_it_is_called_depends_on_who_has_it(
    nurse: httpx.AsyncClient, front: fake.FakeFront, changed: dict[str, Any], answers: list[str], first: str
) -> None:
    front.alerts = [fake_alerts.alert(answers=answers, **changed)]
    assert _primary((await nurse.get(f"/alerts/{FALL}")).text) == first


async def test_nothing_to_answer_shows_no_buttons(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.alerts = [fake_alerts.alert(stage="closed", answers=[], closed_at=fake_people.NOW, due_at=None)]
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert 'id="answer-' not in page
    assert '<button class="button primary' not in page
    assert 'id="standing"' in page


def _primary(page: str) -> str:
    found = re.search(r'<div class="first">.*?class="button \w+">(.*?)</(?:button|summary)>', page, re.DOTALL)
    assert found
    return re.sub(r"<[^>]*>", "", found[1]).strip()


# Answering ------------------------------------------------------------------------------------------------------------


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


# Roles ----------------------------------------------------------------------------------------------------------------


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


# Safety ---------------------------------------------------------------------------------------------------------------


async def test_nothing_that_people_or_devices_write_becomes_a_page(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    evil = "<script>alert(1)</script>\"' onload=x"
    told = fake_signs.evidence("<img src=x>", 4, **dict[str, Any]({"<b>": evil, "dose_at": "<i>"}))
    changed = fake_alerts.alert(
        resident=evil,
        address=evil,
        zone=evil,
        condition=evil,
        evidence=[told],
        resident_details=schemas.ResidentView(id=UUID(int=1), name=evil, phone=evil, notes=evil),
        unanswered_since=fake_people.NOW,
        holder=schemas.PersonRef(id=UUID(int=9), name=evil),
        offered_to=fake_people.ME,
        mine=True,
    )
    front.alerts = [changed]
    for path in ("/alerts", f"/alerts/{FALL}", f"/alerts/{FALL}?fragment=1"):
        page = (await nurse.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "<b>" not in page
        assert "&lt;script&gt;" in page
        assert not re.search(r'="[^"]*"\' onload', page)


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_template_has_script_or_style_of_its_own(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|\| *safe\b|https?://", text)


async def test_no_page_is_kept_in_a_cache(nurse: httpx.AsyncClient) -> None:
    for path in ("/alerts", f"/alerts/{FALL}", "/sites", "/quarantine", "/sign-in"):
        assert (await nurse.get(path)).headers.get("cache-control", "no-store") == "no-store"


async def test_static_files_change_their_address_with_their_content(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get("/alerts")).text
    for address in re.findall(r'"(/static/[^"]+)"', page):
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
        assert (await nurse.get(address)).status_code == 200


# The stream -----------------------------------------------------------------------------------------------------------


async def test_the_stream_is_for_those_signed_in(guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/events")).status_code == 401


# Where somebody is ----------------------------------------------------------------------------------------------------

OUT_OF_DOORS = f"/alerts/{fake_alerts.out_of_doors().id}"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"


async def test_the_last_position_is_told_with_how_sure_it_is(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get(OUT_OF_DOORS)).text.replace("\N{NO-BREAK SPACE}", " ")
    for told in (
        "Siste posisjon",
        "Nøyaktig til 850 m, <time",
        "3 min siden",
        "Grov posisjon: let innenfor 850 m.",
        "Minst 2,4 km hjemmefra",
        "Funnet med: mobilmaster",
        "58.97410, 5.74020",
        'href="geo:58.9741,5.7402?q=58.9741,5.7402"',
        "Da varselet kom",
        "Nøyaktig til 8 m, <time",
        'href="geo:58.969923,5.733187?q=58.969923,5.733187"',
    ):
        assert told in page
    assert page.count("Grov posisjon") == 1
    assert page.index("Siste posisjon") < page.index("Tastarustå 14"), "who is out is looked for there first"
    assert 'data-shows-at="2026-11-22T02:26:00+00:00" hidden>' in page, "it gets old at 03:26"


async def test_an_old_position_is_said_to_be_old(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    old = fake_signs.position(47, own=False, distance_from_home_m=0, source="galileo-hs", accuracy_m=None)
    front.alerts = [fake_alerts.alert(positions=[old])]
    page = (await nurse.get(f"/alerts/{FALL}")).text
    for told in (
        "Gammel: funnet 02:27. Kan være et annet sted nå.",
        "Ukjent nøyaktighet, <time",
        "Hjemme eller like ved",
        "Fra en annen enhet: Mobil trygghetsalarm",
        "Funnet med: galileo-hs",
    ):
        assert told in page
    assert 'data-shows-at="2026-11-22T01:42:00+00:00">' in page, "for all to see"
    assert "Grov posisjon" not in page
    assert page.index("Tastarustå 14") < page.index("Siste posisjon"), "who is at home is looked for there"


async def test_nobody_is_told_of_a_position_that_nobody_knows(nurse: httpx.AsyncClient) -> None:
    assert "Siste posisjon" not in (await nurse.get(f"/alerts/{FALL}")).text


async def test_a_map_is_the_phones_own(nurse: httpx.AsyncClient) -> None:
    page = (await nurse.get(OUT_OF_DOORS, headers={"User-Agent": IPHONE})).text
    assert 'href="maps:?ll=58.9741,5.7402&amp;q=58.9741,5.7402"' in page
    assert 'href="maps:?ll=58.9901,5.6789&amp;q=58.9901,5.6789"' in page, "the dwelling's, too"
    assert "geo:" not in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("user_agent", "link"),
    [
        ("Mozilla/5.0 (Linux; Android 16; SM-S931B) AppleWebKit/537.36", "geo:-0.00001,5.7?q=-0.00001,5.7"),
        ("Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X)", "maps:?ll=-0.00001,5.7&q=-0.00001,5.7"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.6 Safari/605", "maps:?ll=-0.00001,5.7&q=-0.00001,5.7"),
        ("", "geo:-0.00001,5.7?q=-0.00001,5.7"),
    ],
)  # fmt: skip
def test_map_links(user_agent: str, link: str) -> None:
    assert map_link(-0.00001, 5.7, user_agent) == link


# The door -------------------------------------------------------------------------------------------------------------


async def test_the_door_is_shown_where_there_is_a_lock_and_buttons_where_one_may_ask(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    assert 'class="box door"' not in (await nurse.get(f"/alerts/{FALL}")).text
    front.change(FALL, locks=[fake_signs.lock(commands=[], parts=[])])
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert "Låsen har ikke sagt noe ennå." in page
    assert f'action="/alerts/{FALL}/command"' not in page
    front.change(FALL, locks=[fake_signs.lock(), fake_signs.lock(device=UUID(int=202), placed="kjellerdør")])
    page = (await nurse.get(f"/alerts/{FALL}")).text
    assert "Døra, kjellerdør" in page
    assert page.count(f'action="/alerts/{FALL}/command"') == 6
    assert len(re.findall(r'value="get_in" required checked', page)) == 4
    assert len(re.findall(r'value="secure" required checked', page)) == 2


@pytest.mark.parametrize(
    ("state", "outcome", "told"),
    [
        (State.REQUESTED, None, "Bedt om; blir sendt"),
        (State.SENT, None, "Sendt; venter på låsen"),
        (State.DONE, "locked", "Døra ble låst"),
        (State.FAILED, "jammed", "Låsen sitter fast"),
        (State.FAILED, "alert_closed", "Ikke sendt: varselet var lukket."),
        (State.EXPIRED, "not_sent", "Ingen forbindelse til låsen: bruk nøkkelen."),
        (State.EXPIRED, "no_answer", "Låsen svarte ikke: bruk nøkkelen."),
        (State.EXPIRED, "done_late", "Låsen har gjort det likevel, for sent."),
    ],
)
async def test_what_became_of_a_command(
    nurse: httpx.AsyncClient, front: fake.FakeFront, state: State, outcome: str | None, told: str
) -> None:
    text = said(outcome, "e_lock", "nb") if outcome in ("locked", "jammed") else None
    given = fake_signs.command(
        "lock", state, outcome=outcome, outcome_text=text, settled_at=fake_people.NOW if outcome else None
    )
    front.change(FALL, locks=[fake_signs.lock(given=[given], parts=[])])
    assert told in (await nurse.get(f"/alerts/{FALL}")).text


async def test_a_command_is_a_form_of_this_session_and_a_refusal_is_told(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    front.change(FALL, locks=[fake_signs.lock()])
    page = (await nurse.get(f"/alerts/{FALL}")).text
    found = re.search(r'<form[^>]*id="command-unlock-[^"]*".*?</form>', page, re.DOTALL)
    assert found
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[0]))
    path = f"/alerts/{FALL}/command"
    assert (await nurse.post(path, data={**sent, "reason": "get_in", "csrf_token": "x"})).status_code == 403
    unchosen = await nurse.post(path, data=sent)
    assert unchosen.status_code == 422
    assert "du må velge noe først" in unchosen.text
    assert front.asked == []
    front.refuse = "busy"
    refused = await nurse.post(path, data={**sent, "reason": "get_in"})
    assert refused.status_code == 409
    assert "Låsen er opptatt med noe annet." in refused.text
    front.refuse = None
    taken = await nurse.post(path, data={**sent, "reason": "get_in"})
    assert (taken.status_code, taken.headers["location"]) == (303, f"/alerts/{FALL}")
    assert [(each.command, each.reason, key) for _, each, key in front.asked] == [("unlock", "get_in", sent["key"])]
    assert (await nurse.get(path)).headers["location"] == f"/alerts/{FALL}"


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
