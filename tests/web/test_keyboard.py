"""Without a mouse and without eyes: where the focus goes, and what is said aloud."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from playwright.async_api import Browser, Page, expect

from tests.web import fake, fake_alerts, fake_people, fake_signs
from tests.web.browsing import open_page, watching
from tests.web.conftest import Served

FALL = fake_alerts.alert().id
LEAD = replace(fake_people.Who(), roles=frozenset({"lead"}))
FOCUSED = "document.activeElement.innerText.trim().split('\\n')[0]"
SEEN = """() => {
  const box = document.activeElement.getBoundingClientRect();
  const dock = document.getElementById("answers").getBoundingClientRect();
  return document.activeElement.closest("#answers, .top") !== null || (box.top >= 52 && box.bottom <= dock.top);
}"""
SAID = """() => {
  window.said = [];
  new MutationObserver(() => window.said.push(document.getElementById("announce").textContent))
    .observe(document.getElementById("announce"), { childList: true, characterData: true, subtree: true });
}"""


async def _steps(page: Page, keys: int) -> list[str]:
    """What Tab leads to, one after another."""
    found: list[str] = []
    for _ in range(keys):
        await page.keyboard.press("Tab")
        found.append(await page.evaluate(FOCUSED))
    return found


async def test_tab_goes_through_an_alert_as_it_is_read(browser: Browser, served: Served, front: fake.FakeFront) -> None:
    """And never hides what it leads to below the answers."""
    front.change(FALL, locks=[fake_signs.lock()])
    async for page in open_page(browser, served, viewport={"width": 390, "height": 700}):
        await page.goto(f"{served.url}/alerts/{FALL}")
        found = await _steps(page, 3)
        assert found == ["Gå til innholdet", "Alle varsler", "Meny"]
        seen = []
        for _ in range(9):
            found += await _steps(page, 1)
            seen.append((found[-1], await page.evaluate(SEEN)))
        assert found[3:] == [
            "Ring",
            "Kart",
            "Lås opp …",
            "Lås opp og åpne …",
            "Lås …",
            "Jeg tar den",
            "På vei",
            "Framme",
            "Mer",
        ]
        assert [what for what, visible in seen if not visible] == []
        await page.keyboard.press("Tab")
        outline = await page.evaluate("getComputedStyle(document.querySelector('.first .button')).outlineStyle")
        assert outline == "none"
        await page.locator(".first .button").focus()
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Tab")
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


async def test_skipping_leads_behind_the_menu(browser: Browser, served: Served) -> None:
    async for page in open_page(browser, served):
        await page.goto(f"{served.url}/alerts")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"


async def test_a_new_alert_is_said_once(browser: Browser, served: Served, front: fake.FakeFront) -> None:
    """On a desk too; what was there already, and what only changes, is not said again."""
    front.sessions["token"] = LEAD
    for place in ("/alerts", "/desk"):
        front.alerts = [fake_alerts.late_button()]
        async for page in open_page(browser, served, viewport={"width": 1280, "height": 800}):
            await page.goto(served.url + place)
            await page.evaluate(SAID)
            await watching(page, front)
            front.alerts = [fake_alerts.late_button(), fake_alerts.alert()]
            front.tell()
            await expect(page.get_by_role("link", name="Fall, Solveig Haugland")).to_be_visible()
            front.change(FALL, stage="claimed", holder=fake_people.KARI)
            await expect(page.get_by_text("Kari Nordbø").first).to_be_visible()
            assert await page.evaluate("window.said") == ["Nytt varsel: Fall, Solveig Haugland"]
            assert (await page.title()).startswith("(2) ")
        while front.watching:  # the other page has gone, and its stream goes
            await asyncio.sleep(0.01)


async def test_a_desk_is_walked_with_the_arrows(browser: Browser, served: Served, front: fake.FakeFront) -> None:
    """Also while it changes: the focus stays on the alert that it was on."""
    front.sessions["token"] = LEAD
    front.alerts = [fake_alerts.alert(), fake_alerts.late_button()]
    async for page in open_page(browser, served, viewport={"width": 1280, "height": 800}):
        await page.goto(f"{served.url}/desk")
        await watching(page, front)
        await page.locator("tbody [data-name]").first.focus()
        await page.keyboard.press("ArrowDown")
        assert await page.evaluate(FOCUSED) == "Knapp trykket inn, Bjørg Mæland"
        front.alerts = [fake_alerts.alert(16, resident="Ola By"), *front.alerts]
        front.tell()
        await expect(page.locator("tbody tr")).to_have_count(3)
        assert await page.evaluate(FOCUSED) == "Knapp trykket inn, Bjørg Mæland"
        await page.keyboard.press("ArrowUp")
        assert (await page.evaluate(FOCUSED)).startswith("Fall")
        await page.keyboard.press("Enter")
        await expect(page.locator("#standing")).to_be_visible()
