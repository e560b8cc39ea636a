"""axe finds nothing on any page: on a phone and at a desk, in light and in dark, folded in and folded out."""

from __future__ import annotations

from typing import Any, Literal

from playwright.async_api import Browser, Page

from tests.support import axe
from tests.web import fake, fake_demo
from tests.web.conftest import Served
from tests.web.places import EVERYTHING, FOR_GUESTS, OURS_AND_THE_DEMOS, places

PHONE, DESK = (390, 844), (1280, 900)
PLANTED = {"color-contrast", "button-name", "label", "heading-order", "html-has-lang"}
PLANT = """() => {
  const faults = "<p>Grått på grått</p><button></button><input><h2>to</h2><h4>fire</h4>";
  document.getElementById("main").insertAdjacentHTML("beforeend", faults);
  document.querySelector("main > p:last-of-type").style.color = "#999";
  document.querySelector("main > button").style.width = "3rem";
  document.documentElement.removeAttribute("lang");
}"""


async def _page(browser: Browser, served: Served) -> Page:
    context = await browser.new_context(locale="nb-NO", timezone_id="Europe/Oslo", bypass_csp=True)
    await context.add_cookies([{"name": "hjemmevakt_session", "value": "token", "url": served.url}])
    return await context.new_page()


async def _look(page: Page, scheme: Literal["light", "dark"], size: tuple[int, int], options: Any) -> list[str]:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    return [f"{page.url} {size[0]} {scheme} {each}" for each in await axe.violations(page, options)]


@OURS_AND_THE_DEMOS
async def test_axe_finds_nothing_on_any_page(
    browser: Browser, served: Served, front: fake.FakeFront, demo_stage: fake_demo.FakeStage | None
) -> None:
    axe.source()
    front.sessions["token"] = EVERYTHING
    page, found = await _page(browser, served), []
    for place in places(demo_stage):
        if place in FOR_GUESTS:
            await page.goto("about:blank")  # a page that is still open would go to the sign-in by itself
            await page.context.clear_cookies()
        await page.goto(served.url + place)
        found += await _look(page, "light", PHONE, axe.RULES)
        await axe.open_everything(page)
        found += await _look(page, "dark", DESK, axe.RULES)
        found += await _look(page, "dark", PHONE, axe.COLOURS)
        found += await _look(page, "light", DESK, axe.COLOURS)
    assert not found, "\n".join(found)


async def test_planted_faults_are_found(browser: Browser, served: Served) -> None:
    axe.source()
    page = await _page(browser, served)
    await page.goto(f"{served.url}/alerts")
    before = {each.partition(":")[0] for each in await axe.violations(page)}
    await page.evaluate(PLANT)
    found = {each.partition(":")[0] for each in await axe.violations(page)}
    assert (before & PLANTED, found & PLANTED) == (set(), PLANTED)
