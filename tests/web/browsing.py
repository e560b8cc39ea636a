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
