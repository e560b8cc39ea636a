"""The pages of devices: how one is, what it said, which need somebody – and the whole way on a real gateway."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from devices.model import MessageClass
from gateway.api import schemas
from gateway.embedded import Broker
from gateway.web import told
from gateway.web.html import Times
from tests.gateway.served import served
from tests.support.rules import uid_of
from tests.support.town import PASSWORD
from tests.web import fake, fake_people, fake_rules, fake_said

PAGE = f"/devices/{fake_rules.DEVICE.id}"


@pytest.fixture
async def technician(nurse: httpx.AsyncClient, front: fake.FakeFront) -> httpx.AsyncClient:
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"technical"}))
    return nurse


def listed(page: str) -> list[str]:
    """The messages on a page, by number."""
    return re.findall(r'<li id="message-(\d+)"', page)


def link(page: str, text: str) -> str | None:
    found = re.search(rf'href="([^"]*)"[^>]*>{text}</a>', page)
    return found[1].replace("&amp;", "&") if found else None


async def test_what_it_said_is_drawn_and_told(technician: httpx.AsyncClient) -> None:
    page = (await technician.get(f"{PAGE}?range=7d")).text
    (drawing,) = re.findall(r"<svg class=\"chart\".*?</svg>", page, re.DOTALL)
    assert "style=" not in drawing
    assert 'role="img" aria-labelledby="chart-title chart-told"' in drawing
    for name in ("Livstegn · 16", "Fall oppdaget · 1", "of tomorrow · 1", "Batteri: 89 %"):
        assert name in drawing, name
    assert drawing.count('class="event"') == 2
    assert re.findall(r'fill="url\(#hatch-(\w+)\)"', drawing) == ["deaf", "silent"]
    assert "Enheten var stille: " in page
    assert "Området ble ikke hørt: " in page
    table = re.search(r'<table class="fields numbers">.*?</table>', page, re.DOTALL)
    assert table
    assert len(re.findall(r"<tr>", table[0])) > 50
    assert re.search(r"<td>3</td><td>–</td>", table[0])
    for name, label in (("24h", "24 timer"), ("30d", "30 døgn")):
        assert (await technician.get(str(link(page, label)))).status_code == 200, name
    assert 'data-every="30"' in page
    assert "<noscript><meta http-equiv" in page


async def test_messages_are_in_words_with_what_was_odd(technician: httpx.AsyncClient) -> None:
    page = (await technician.get(PAGE)).text
    assert "Kom 3 t 0 min for sent, " in page
    assert "Enheten meldte noe vi ikke kjenner. Se til beboeren." in page
    assert '<span class="label">Radiostyrke</span> -71 dBm' in page
    assert fake_said.EVIL not in page
    assert "&lt;script&gt;alert" in page
    assert "&#34;id&#34;: &#34;m-5&#34;" in page, "the message as it came"
    assert page.index('id="message-1"') < page.index('id="message-2"')


async def test_older_and_newer_lead_through_all_of_them(technician: httpx.AsyncClient) -> None:
    page = (await technician.get(PAGE)).text
    assert link(page, "Nyere") is None
    seen, ways = listed(page), []
    while older := link(page, "Eldre"):
        ways.append(older)
        page = (await technician.get(older)).text
        seen += listed(page)
    assert seen == [str(number) for number in range(1, fake_said.ALL + 1)]
    newer = link(page, "Nyere")
    page = (await technician.get(str(newer))).text
    before = (await technician.get(ways[-2])).text
    assert listed(page) == listed(before), "back on the page before"
    while newer := link(page, "Nyere"):
        page = (await technician.get(newer)).text
    assert listed(page)[0] == "1"


@pytest.mark.parametrize(
    ("type_", "numbers"),
    [("fall", ["5"]), ("but-signs", ["5", "6"]), ("never", []), ("<b>", []), ("x" * 300, [])],
    ids=["fall", "all but signs", "unknown", "rubbish", "long"],
)
async def test_messages_are_filtered_by_type(technician: httpx.AsyncClient, type_: str, numbers: list[str]) -> None:
    page = await technician.get(PAGE, params={"type": type_, "range": "7d"})
    assert page.status_code == 200
    assert listed(page.text) == numbers
    assert ("Ingen meldinger i denne tiden." in page.text) == (numbers == [])
    assert "<b>" not in page.text


@pytest.mark.parametrize("query", ["range=1y", "range=7d&type=&before=&after=", "range=", "before=1&after=5"])
async def test_an_odd_address_still_leads_to_the_page(technician: httpx.AsyncClient, query: str) -> None:
    assert (await technician.get(f"{PAGE}?{query}")).status_code == 200


async def test_the_list_says_which_is_silent_and_since_when(technician: httpx.AsyncClient) -> None:
    page = (await technician.get("/devices?state=silent&kind=fall_alarm")).text
    assert "Stille siden tor. 19. nov. 03:14" in page
    assert "Batteri 7 %: lavt" in page
    assert "Åpne varsler: 1" in page
    assert page.index("fa-0099") < page.index("fa-0017")
    assert f'<option value="{fake_rules.ZONE.id}">Eiganes og Tasta' in page
    assert re.search(r'aria-current="page">Stille&nbsp;<span class="count">1<', page)
    assert 'href="/devices?kind=fall_alarm&amp;state=attention"' in page
    assert (await technician.get("/devices?state=x&zone=y&order=z")).status_code == 200


# In plain words -------------------------------------------------------------------------------------------------------

STANDING: dict[str, tuple[dict[str, Any], list[str]]] = {
    "well": (
        {"online": True, "state": {"battery": 71, "rssi": -60, "mains": True}},
        ["Hørt 4 min siden", "Sier den ingenting før tors. 04:10, blir teknisk tjeneste varslet.", "Batteri 71 %",
         "På strøm fra nettet", "Radiostyrke -60 dBm"],
    ),
    "silent": ({"silent": True}, ["!Stille siden 03:10", "Den skulle vært hørt innen", "!Ikke tilkoblet"]),
    "never heard": (
        {"silent": True, "last_seen": None, "online": None}, ["!Aldri hørt siden den ble montert, 03:10"],
    ),
    "fitted nowhere": ({"silent_at": None, "last_seen": None}, ["Aldri hørt", "Den er ikke montert noe sted"]),
    "no rule": ({"rules": []}, ["Hørt 4 min siden", "Ingen regel varsler noen"]),
    "deaf": (
        {"heard_until": fake_people.NOW - timedelta(hours=2)}, ["Hørt 4 min siden", "Området har ikke vært hørt siden"],
    ),
    "low": ({"state": {"battery": 4.0, "firmware": "1"}}, ["!Batteri 4 %: lavt", "Fastvare 1"]),
    "rubbish": ({"state": {"battery": "?", "rssi": None, "mains": "no", "x": 1}, "online": None}, ["Hørt 4 min siden"]),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "expected"), STANDING.values(), ids=list(STANDING))
def test_how_a_device_is_in_plain_words(changed: dict[str, Any], expected: list[str]) -> None:
    device = fake_rules.FakeRules().device(fake_people.NOW, "nb").model_copy(update=changed)
    lines = told.standing(device, "nb", Times(fake_people.NOW, "nb"))
    text = "\n".join(f"{'!' if each.bad else ''}{each.text}\n{each.more}" for each in lines)
    for part in expected:
        assert re.search(re.escape(part).replace(r"tors\.\ 04:10", ".*"), text), (part, text)


def test_a_day_on_the_axis_is_a_date_and_many_types_share_a_row() -> None:
    now = datetime(2026, 3, 30, 10, tzinfo=fake_people.NOW.tzinfo)
    query = schemas.BucketQuery(device=fake_rules.DEVICE.id, since=now - timedelta(days=30), bucket="1d")
    counted = fake_said.counted(query, now, "nb")
    many = [each.model_copy(update={"types": {f"t{n}": n + 1 for n in range(12)}}) for each in counted.buckets]
    drawn = told.picture(
        counted.model_copy(update={"buckets": many}),
        now - timedelta(days=30),
        3600,
        "nb",
        Times(now, "nb"),
        by_day=True,
    )
    assert [each.name for each in drawn.chart.rows][-3].startswith("Alt annet · ")
    assert len(drawn.chart.rows) == told.MOST_ROWS + 3
    assert [each.text for each in drawn.marks] == ["28. feb.", "7. mars", "14. mars", "21. mars", "28. mars"]
    assert drawn.titles[-2].startswith("søn. 29. mars"), "the day of 23 hours"


# The whole way --------------------------------------------------------------------------------------------------------


async def test_the_whole_way_from_a_message_to_the_page(migrated_url: str, broker: Broker) -> None:
    async with served(migrated_url, broker, deaf_seconds=86_400) as it:
        town = it.town
        home = await town.home()
        for battery in (60, 40, 12):
            await town.says(home.dispenser, "heartbeat", message_class=MessageClass.STATUS, battery=battery, rssi=-88)
            await town.passes(minutes=45)
        await town.says(home.dispenser, "of_tomorrow", hat="<i>red</i>", pin="my pin")
        it.http.headers["Origin"] = "http://gateway.test"
        uid = await uid_of(town, "device", home.dispenser.id)
        for name, status, raw in (("tek", 200, True), ("siri", 200, False), ("kari", 403, False)):
            it.http.cookies.clear()
            await it.http.post("/sign-in", data={"username": name, "password": PASSWORD})
            reply = await it.http.get(f"/devices/{uid}")
            assert reply.status_code == status
            assert ("Slik den kom" in reply.text) == raw, name
        it.http.cookies.clear()
        await it.http.post("/sign-in", data={"username": "tek", "password": PASSWORD})
        page = (await it.http.get(f"/devices/{uid}?range=24h")).text
        for part in ("Batteri 12 %: lavt", "Livstegn · 3", "of tomorrow · 1", "Lavt batteri", "&lt;i&gt;red"):
            assert part in page, part
        assert page.count('class="measured"') == 4, "two lines of two pieces"
        assert "my pin" not in page
        page = (await it.http.get("/devices?state=attention")).text
        assert re.findall(r'<h2><a href="[^"]*">([^<]*)', page) == ["disp-1"]
