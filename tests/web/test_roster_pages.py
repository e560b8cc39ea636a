"""The pages of rosters: what a week tells, and that each form asks for what is in it."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest

from gateway.api import schemas
from gateway.web.rosterview import Day, Slot, gaps
from tests.web import fake, fake_people
from tests.web.fake_rosters import ABSENCE, OVERRIDE, STAFF, SWAP, ZONE
from tests.web.places import EVERYTHING

OSLO = ZoneInfo("Europe/Oslo")
CSRF = fake_people.Who().csrf_token
EVENING, NIGHT = "2026-11-24T15:00", "2026-11-24T22:00"


async def post(nurse: httpx.AsyncClient, path: str, **form: object) -> httpx.Response:
    return await nurse.post(path, data={"csrf_token": CSRF, **{name: str(value) for name, value in form.items()}})


def oslo(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OSLO)


def test_what_is_over_is_no_gap() -> None:
    empty = [Slot("00:00–07:00", (), now=False, over=True), Slot("07:00–24:00", (), now=True)]
    assert gaps([Day(date(2026, 11, 22), "i dag", True, (), tuple(empty))]) == (["i dag 07:00–24:00"], 0)


async def test_a_week_tells_who_serves_and_why_and_where_nobody_does(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    page = (await nurse.get("/rosters")).text
    assert 'Ole-Jakob Tjensvoll <span class="why">vikar for Kari Nordbø</span>' in page
    assert ("byttet med Kari Nordbø" in page, "bare én" in page, "I dag" in page) == (True, True, True)
    gaps = page[page.index('id="gaps"') : page.index('id="week"')]
    assert "søndag 22. november 15:00–22:00" in gaps
    assert ("Syk" in page, "Planlegg" in page) == (False, False), "care staff neither see why nor plan"
    christmas = (await nurse.get("/rosters?week=2026-12-24")).text
    assert all(day in christmas for day in ("torsdag 24. desember", "Julaften", "Første juledag", "Andre juledag"))
    assert (await nurse.get("/rosters?week=9999-12-31&zone=nonsense&role=x")).status_code == 200


@pytest.mark.parametrize(("form", "asked", "told"), [
    ({"do": "override", "leaves": STAFF[0].id, "comes": STAFF[1].id, "begins": EVENING, "ends": NIGHT}, "override",
     {"leaves": STAFF[0].id, "comes": STAFF[1].id, "begins": oslo(EVENING), "ends": oslo(NIGHT)}),
    ({"do": "withdraw", "id": OVERRIDE, "version": 3}, "withdraw", {"version": 3}),
    ({"do": "withdraw_swap", "id": SWAP, "version": 2}, "answer", {"answer": "withdraw", "version": 2}),
    ({"do": "absence", "person": STAFF[1].id, "kind": "leave", "begins": EVENING, "cover": STAFF[2].id}, "absence",
     {"person": STAFF[1].id, "kind": "leave", "begins": oslo(EVENING), "ends": None, "cover": STAFF[2].id}),
    ({"do": "change_absence", "id": ABSENCE, "version": 1, "what": "cover", "cover": STAFF[2].id}, "change_absence",
     {"version": 1, "cover": STAFF[2].id}),
    ({"do": "check_in", "minutes": 15}, "grace", {"minutes": 15}),
    ({"do": "check_in"}, "grace", {"minutes": None}),
])  # fmt: skip
async def test_a_planners_forms(
    nurse: httpx.AsyncClient, front: fake.FakeFront, form: dict[str, object], asked: str, told: dict[str, object]
) -> None:
    front.sessions["token"] = EVERYTHING
    done = await post(nurse, "/rosters", zone=ZONE.id, role="responder", week="2026-11-23", **form)
    assert (done.status_code, done.headers["location"]) == (
        303,
        f"/rosters?zone={ZONE.id}&role=responder&week=2026-11-23",
    )
    ((what, request),) = front.rostered
    assert (what, request.model_dump(exclude_unset=True).items() >= told.items()) == (asked, True)


@pytest.mark.parametrize(("form", "words"), [
    ({"do": "override", "begins": EVENING, "ends": NIGHT}, "du må velge noe først"),
    ({"do": "override", "comes": STAFF[0].id, "begins": NIGHT, "ends": EVENING}, "Slutten er ikke etter begynnelsen"),
    ({"do": "override", "comes": STAFF[0].id, "begins": "25. mai", "ends": EVENING}, "Oppgi en tid"),
    ({"do": "absence", "person": "nonsense"}, "du må velge noe først"),
    ({"do": "dance"}, "du må velge noe først"),
])  # fmt: skip
async def test_what_cannot_be_read_is_said_on_the_page(
    nurse: httpx.AsyncClient, front: fake.FakeFront, form: dict[str, object], words: str
) -> None:
    front.sessions["token"] = EVERYTHING
    shown = await post(nurse, "/rosters", zone=ZONE.id, **form)
    assert (shown.status_code, words in shown.text, front.rostered) == (422, True, []), shown.text[:3000]


async def test_a_refusal_is_told_where_it_was_asked_for(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.roster_refusal = "two_places"
    shown = await post(nurse, "/my-shifts", do="absence")
    assert (shown.status_code, "er allerede på vakt da" in shown.text) == (409, True)


async def test_ones_own_page(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    page = (await nurse.get("/my-shifts")).text
    assert ("Kari Nordbø vil bytte vakt med deg" in page, "søn. 22. nov. 22:00–07:00" in page) == (True, True)
    mine = f"{oslo('2026-11-22T22:00').isoformat()}|{oslo('2026-11-23T07:00').isoformat()}"
    theirs = page[page.index('id="theirs"') :].split('value="')[1].split('"')[0].replace("&#43;", "+")
    await post(nurse, "/my-shifts", do="swap", mine=mine, theirs=theirs)
    await post(nurse, "/my-shifts", do="accept", id=SWAP, version=1)
    await post(nurse, "/my-shifts", do="absence", kind="sick", begins=NIGHT)
    await post(nurse, "/my-shifts", do="change_absence", id=ABSENCE, version=1, what="back", ends=NIGHT)
    asked = dict(front.rostered)
    assert (asked["swap"].other, asked["swap"].mine.begins) == (STAFF[1].id, oslo("2026-11-22T22:00"))
    assert (asked["answer"].answer, asked["absence"].person, asked["change_absence"].ends) == (
        "accept",
        None,
        oslo(NIGHT),
    )
    feed = await post(nurse, "/my-shifts", do="feed")
    assert "http://hjemmevakt.test/calendar/secret.ics" in feed.text
    assert (await nurse.get("/calendar/secret.ics")).headers["content-type"].startswith("text/calendar")
    assert (await nurse.get("/calendar/other.ics")).status_code == 404


async def test_one_checks_in_on_the_list_of_alerts(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    assert 'id="check-in"' not in (await nurse.get("/alerts")).text
    front.checks_in = True
    page = (await nurse.get("/alerts")).text
    assert ("Jeg er på vakt" in page, "Du har ikke meldt deg på" in page) == (True, True)
    done = await post(nurse, "/my-shifts", do="check_in", next="/alerts")
    assert (done.headers["location"], front.rostered) == ("/alerts", [("check_in", None)])
    assert "Jeg går av vakt" in (await nurse.get("/alerts")).text


async def test_a_calendar_is_looked_at_before_it_is_brought_in(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    assert (await nurse.get("/rosters/import")).status_code == 404, "for those who plan"
    front.sessions["token"] = EVERYTHING
    given = {
        "zone": ZONE.id,
        "source": "turnus",
        "since": "2026-12-01",
        "until": "2027-01-01",
        "calendar": "BEGIN:VCALENDAR",
    }
    shown = await post(nurse, "/rosters/import", do="preview", **given)
    assert ("ukjent@example.org" in shown.text, "Hent den inn" in shown.text, "BEGIN:VCALENDAR" in shown.text) == (
        True,
    ) * 3
    assert (await post(nurse, "/rosters/import", do="apply", **given)).status_code == 303
    (looked, brought) = [request for _, request in front.rostered]
    assert isinstance(looked, schemas.ImportRequest)
    assert (looked.apply, brought.apply, brought.source) == (False, True, "turnus")
    assert (await post(nurse, "/rosters/import", do="preview", **{**given, "until": "2026-11-01"})).status_code == 422
