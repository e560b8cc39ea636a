"""axe-core in a page: what keeps people from using it, by WCAG 2.1 A and AA and by good practice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.support import parts

SOURCE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
RULES: dict[str, Any] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    "resultTypes": ["violations"],
}
COLOURS: dict[str, Any] = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What another colour scheme can change."""

RUN = """async (options) => (await axe.run(document, options)).violations.map((each) =>
  `${each.id}: ${each.help}: ${each.nodes.slice(0, 5).map((node) => node.html.slice(0, 160)).join("  |  ")}`)"""
OPEN = """() => document.querySelectorAll("details").forEach((each) => { each.removeAttribute("name"); each.open = true; })"""


@cache
def source() -> str:
    """The library. Without it the test ends here, and says so."""
    if not SOURCE.is_file():
        parts.missing("tests/support/axe/node_modules (npm ci)")
    return SOURCE.read_text(encoding="utf-8")


async def violations(page: Page, options: dict[str, Any] = RULES) -> Sequence[str]:
    """What is wrong with the page as it stands: rule, what it asks for, and where."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(source())
    found: list[str] = await page.evaluate(RUN, options)
    return found


async def open_everything(page: Page) -> None:
    """Every part that can be folded out is."""
    await page.evaluate(OPEN)
