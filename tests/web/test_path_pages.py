"""The page of an alert's way and the test alarms on the page of sites: what they say, to whom, and how they look on a phone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.async_api import Browser

from gateway.web.paths import took
from tests.support import axe
from tests.web import fake, fake_alerts, fake_people
from tests.web.conftest import Served
from tests.web.places import EVERYTHING

WAY = f"/alerts/{fake_alerts.alert().id}/path"


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
async def test_every_leg_is_in_the_table(nurse: httpx.AsyncClient, front: fake.FakeFront, language: str) -> None:
    front.sessions["token"] = replace(EVERYTHING, language=language)
    page = (await nurse.get(WAY)).text
    for text in (
        "200\N{NO-BREAK SPACE}ms",
        "1\N{NO-BREAK SPACE}min 10\N{NO-BREAK SPACE}s",
        fake_people.KARI.name,
        fake_people.OLE.name,
    ):
        assert text in page
    assert "<script" not in page.split("<main")[1]
    assert "style=" not in page


async def test_who_oversees_finds_it_from_the_alert_and_care_staff_do_not(
    nurse: httpx.AsyncClient, front: fake.FakeFront
) -> None:
    alert = f"/alerts/{fake_alerts.alert().id}"
    front.sessions["token"] = EVERYTHING
    assert f'href="{WAY}"' in (await nurse.get(alert)).text
    front.sessions["token"] = replace(EVERYTHING, roles=frozenset({"responder"}))
    assert f'href="{WAY}"' not in (await nurse.get(alert)).text


async def test_a_site_tells_of_its_test_alarm(nurse: httpx.AsyncClient, front: fake.FakeFront) -> None:
    front.sessions["token"] = replace(EVERYTHING, language="en")
    page = (await nurse.get("/sites")).text
    assert "Test alarm answered" in page
    assert "The test alarm does not get through" in page
    assert "the broker may refuse it" in page
    assert "1.3\N{NO-BREAK SPACE}s" in page


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 ms"), (0.0124, "12 ms"), (1.26, "1,3 s"), (59.9, "59,9 s"), (60, "1 min"), (3599, "59 min 59 s"), (7260, "2 h 1 min")],
)  # fmt: skip
def test_how_long_it_took(seconds: float, told: str) -> None:
    assert took(seconds, "nb").replace("\N{NO-BREAK SPACE}", " ") == told


@pytest.mark.parametrize("place", [WAY, f"/alerts/{fake_alerts.battery().id}/path", "/sites"])
async def test_it_can_be_read_on_a_phone_by_everybody(
    browser: Browser, served: Served, front: fake.FakeFront, screenshots: Path, place: str
) -> None:
    axe.source()
    front.sessions["token"] = EVERYTHING
    context = await browser.new_context(locale="nb-NO", timezone_id="Europe/Oslo", bypass_csp=True)
    await context.add_cookies([{"name": "hjemmevakt_session", "value": "token", "url": served.url}])
    page = await context.new_page()
    found: list[str] = []
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(served.url + place)
    await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        found += await axe.violations(page)
        await page.screenshot(path=screenshots / f"{place.split('/')[1]}-{scheme}.png", full_page=True)
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    await context.close()
    assert (found, wide) == ([], 0)
