"""A browser as a nurse's phone, or as a desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, Page

from tests.support.ringing import taken_over
from tests.web import fake
from tests.web.conftest import Served

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const part = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(1)}: ${element.textContent.trim().slice(0, 40)}`);
  }
  return weak;
}"""
"""What has too little contrast."""
COUNTS = "timesShown = 0; document.addEventListener('shown', () => { timesShown += 1; });"
"""How often a page has had itself anew since it was opened."""


async def open_page(browser: Browser, served: Served, **options: Any) -> AsyncIterator[Page]:
    """A page with Ingrid Aase signed in. What it complains of fails the test."""
    context = await browser.new_context(locale="nb-NO", timezone_id="Europe/Oslo", **options)
    await context.add_cookies([{"name": "hjemmevakt_session", "value": "token", "url": served.url}])
    await context.add_init_script(COUNTS)
    page = await context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert [each for each in complaints if "Failed to load resource" not in each] == []


async def watching(page: Page, front: fake.FakeFront) -> None:
    """Wait until the page listens and has had itself anew, as it does then, and its service worker has its requests."""
    await taken_over(page)
    for _ in range(1200):
        if front.watching and await page.evaluate("timesShown"):
            return
        await page.wait_for_timeout(25)
    raise AssertionError("the page does not listen")
