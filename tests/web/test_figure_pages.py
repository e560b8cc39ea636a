"""The page of figures: what it asks for, what it says of it, and for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.figureview import day_of, hours, period, seconds, share
from tests.web import fake, fake_people
from tests.web.fake_figures import _LINES, OTHER
from tests.web.places import EVERYTHING

TECHNICAL = replace(fake_people.Who(), roles=frozenset({"technical"}))


@given(st.sampled_from(["week", "month", "quarter"]), st.dates(date(2000, 2, 1), date(2199, 1, 1)))
def test_periods_follow_each_other_without_a_gap(name: str, day: date) -> None:
    each = period(name, day, "nb")
    assert each.since <= day <= each.until
    assert period(name, each.before, "nb").until == each.since - timedelta(days=1)
    assert period(name, each.after, "nb").since == each.until + timedelta(days=1)


def test_what_periods_are_called() -> None:
    titles = [
        period(name, date(2026, 11, 22), language).title
        for name in ("week", "month", "quarter")
        for language in ("nb", "en")
    ]
    assert titles == [
        "Uke 47, 2026",
        "Week 47, 2026",
        "november 2026",
        "November 2026",
        "4. kvartal 2026",
        "4th quarter 2026",
    ]
    assert period("week", date(2027, 1, 1), "nb").title == "Uke 53, 2026"
    assert period("nonsense", date(2026, 2, 3), "nb").until == date(2026, 2, 28)


@pytest.mark.parametrize("text", [None, "", "i går", "2026-11-23", "9999-12-31", "1814-05-17"])
def test_a_day_that_makes_no_sense_or_is_to_come_is_today(text: str | None) -> None:
    assert day_of(text, date(2026, 11, 22)) == date(2026, 11, 22)
    assert day_of("2026-11-01", date(2026, 11, 22)) == date(2026, 11, 1)


def test_shares_and_durations() -> None:
    assert (share(0, 0, "nb", 0.9).reached, share(0, 0, "nb", 0.9).text) == (None, "–")
    assert (share(975, 1000, "en", 0.975).reached, share(974, 1000, "en", 0.975).reached) == (True, False)
    assert (share(1, 3, "en").text, share(1, 3, "en").reached) == ("33.3 %", None)
    assert [seconds(each, "en") for each in (None, 0, 59, 61, 3600, 4000)] == [
        "–",
        "0 s",
        "59 s",
        "1 min 1 s",
        "1 h",
        "1 h 6 min",
    ]


def test_the_chart_has_every_hour_where_it_belongs() -> None:
    drawn = hours(_LINES["hour",], "nb")
    assert [len(row.bars) for row in drawn.chart.rows] == [22, 21, 0, 0]
    first = drawn.chart.rows[0].bars
    assert (first[0].x, first[-1].bucket, drawn.titles[23]) == (0, 23, "23–24")
    assert 3 not in [bar.bucket for bar in first], "in hour three nothing happened"
    assert len(drawn.chart.rows[2].pieces) < 23, "between hours without an answer there is no line"


async def test_what_a_lead_reads(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.sessions["token"] = EVERYTHING
    page = (await nurse.get("/figures")).text
    whole = page[page.index('id="whole"') : page.index("</dl>")]
    assert ("95,0" in whole, "ikke nådd" in whole, "34 s" in whole, "1 min 42 s" in whole) == (True,) * 4
    residents = page[page.index('id="residents"') : page.index('id="devices-heading"')]
    assert ("for mange" in residents, residents.count('class="marked"'), "Bjørg &lt;Mæland&gt;" in residents) == (
        True,
        1,
        True,
    )
    asked = [query for what, query in front.figured]
    assert {(each.since, each.until) for each in asked} == {(date(2026, 11, 1), date(2026, 11, 30))}
    assert [each.per for what, each in front.figured if what == "answers"] == [(), ("hour",), ("zone",), ("cause",)]
    assert "Perioden er ikke over ennå" in page
    assert 'id="after"' not in page


async def test_every_table_is_there_as_csv_of_the_same_question(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    front.sessions["token"] = EVERYTHING
    page = (await nurse.get(f"/figures?period=week&day=2026-11-10&zone={OTHER.id}")).text
    links = [each.split('"')[0].replace("&amp;", "&") for each in page.split('href="') if each.startswith("/api/v1/")]
    told = [(urlsplit(each).path.rpartition("/")[2], parse_qs(urlsplit(each).query)) for each in links]
    week = {"since": ["2026-11-09"], "until": ["2026-11-15"], "zone": [str(OTHER.id)]}
    care = {"track": ["care"]}
    assert told == [
        ("answers.csv", week | care),
        *(("answers.csv", week | care | {"per": [per]}) for per in ("hour", "zone", "cause")),
        ("residents.csv", week | care | {"limit": ["1000"]}),
        ("devices.csv", week | {"limit": ["1000"]}),
    ]
    assert (f"zone={OTHER.id}&amp;period=week&amp;day=2026-11-08" in page, 'id="after"' in page) == (True, True)
    assert f'<option value="{OTHER.id}" selected' in page


async def test_technical_services_see_devices_and_others_nothing(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    front.sessions["token"] = TECHNICAL
    page = (await nurse.get("/figures")).text
    assert ("sa-0000" in page, "Solveig" in page, "Teknisk" in page or "tekniske" in page) == (True, False, True)
    assert [what for what, _ in front.figured] == ["devices"]
    front.sessions["token"] = fake_people.Who()
    assert (await nurse.get("/figures")).status_code == 403


async def test_nothing_is_said_of_nothing(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.sessions["token"] = EVERYTHING
    page = (await nurse.get("/figures?day=2025-02-01")).text
    assert ('id="nothing"' in page, '<svg class="chart"' in page, "februar 2025" in page) == (True, False, True)
