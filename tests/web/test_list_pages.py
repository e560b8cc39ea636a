"""The list of alerts, and a desk's."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

import httpx

from gateway.api import schemas
from tests.web import fake, fake_alerts, fake_people

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
