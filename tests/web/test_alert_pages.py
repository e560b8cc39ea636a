"""An alert: what is shown of it, of where somebody is, and of doors."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import httpx
import pytest

from alerts.command import State
from alerts.words import said
from gateway.web.maps import map_link
from tests.web import fake, fake_alerts, fake_people, fake_signs

FALL = fake_alerts.alert().id


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
