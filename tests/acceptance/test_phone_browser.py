"""One night on a phone: a real browser, the real gateway, a real broker – from the fall to the closed alert."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, expect

from gateway.embedded import LOOPBACK, Broker, free_port
from gateway.serve import serve_web
from tests.support.world import PASSWORD, World, world

PHONE = ViewportSize(width=390, height=844)


@asynccontextmanager
async def site(town: World) -> AsyncIterator[str]:
    """The gateway's pages on a port; answers their address."""
    port, stop = town.gateway.settings.listen_port, asyncio.Event()
    web = asyncio.create_task(serve_web(town.gateway, stop))
    try:
        await _until_open(port)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        stop.set()
        await web


async def _until_open(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def _sign_in(page: Page, address: str, name: str) -> None:
    await page.goto(address)
    await page.get_by_label("Brukernavn").fill(name.lower())
    await page.get_by_label("Passord").fill(PASSWORD)
    await page.get_by_role("button", name="Logg inn").click()
    await expect(page.get_by_role("heading", name="Varsler")).to_be_visible()


async def test_from_the_fall_to_the_closed_alert(
    migrated_url: str, broker: Broker, phone: Page, browser: Browser, screenshots: Path
) -> None:
    async with world(migrated_url, broker, listen_port=free_port()) as town, site(town) as address:
        home = await town.home()
        await _sign_in(phone, address, "Kari")
        await phone.screenshot(path=screenshots / "1-quiet.png")

        await town.says(home.fall_alarm, "fall", impact_g=4.2)
        card = phone.get_by_role("link", name=re.compile("Fall"))
        await expect(card).to_be_visible()  # without a reload
        await phone.screenshot(path=screenshots / "2-it-comes.png")
        await card.click()
        for told in ("Beboer 1", "Granveien 1", "Nøkkelboks ved døra", "Ingen har den ennå"):
            await expect(phone.get_by_text(told).first).to_be_visible()
        await phone.screenshot(path=screenshots / "3-the-alert.png")

        await phone.get_by_role("button", name="Jeg tar den").click()
        await expect(phone.get_by_text("Du har den").first).to_be_visible()
        assert (await town.alert("fall"))["stage"] == "claimed"

        await _colleague_sees(browser, address, screenshots)

        for answer in ("På vei", "Framme"):
            await phone.get_by_role("button", name=answer).click()
            await expect(phone.get_by_role("button", name=answer)).to_have_count(0)
        await phone.get_by_text("Ferdig", exact=False).first.click()
        await phone.screenshot(path=screenshots / "5-what-was-it.png")
        await phone.get_by_role("radio", name="Reelt behov").check()
        await phone.get_by_role("radio", name="Besøk").check()
        await phone.get_by_role("button", name=re.compile("Ferdig, lukk")).click()
        standing = phone.get_by_role("group", name="Hvem har den").get_by_role("strong")
        await expect(standing).to_have_text("Lukkes om noen sekunder")
        await phone.screenshot(path=screenshots / "6-closing.png")

        await town.passes(seconds=6)
        fall = await town.alert("fall")
        assert (fall["stage"], fall["cause"], fall["action"]) == ("closed", "real", "visited")
        await expect(standing).to_have_text("Lukket")
        await phone.screenshot(path=screenshots / "7-closed.png", full_page=True)
        assert await town.pages() == [("Kari", "in_app", 1)]
        codes = await town.timeline(fall["uid"])
        assert codes == ["raised", "step_reached", "claimed", "on_way", "arrived", "closing", "closed"]


async def _colleague_sees(browser: Browser, address: str, screenshots: Path) -> None:
    """Ola, whose browser runs no scripts, sees who has it, and may take it over."""
    context = await browser.new_context(viewport=PHONE, locale="nb-NO", java_script_enabled=False)
    page = await context.new_page()
    await _sign_in(page, address, "Ola")
    await page.get_by_role("link", name=re.compile("Fall")).click()
    await expect(page.get_by_text("Kari").first).to_be_visible()
    await page.screenshot(path=screenshots / "4-without-scripts.png")
    await context.close()


async def test_without_scripts_a_fall_is_answered_by_reloading(
    migrated_url: str, broker: Broker, browser: Browser
) -> None:
    async with world(migrated_url, broker, listen_port=free_port()) as town, site(town) as address:
        home = await town.home()
        context = await browser.new_context(viewport=PHONE, locale="nb-NO", java_script_enabled=False)
        page = await context.new_page()
        await _sign_in(page, address, "Kari")
        await town.says(home.fall_alarm, "fall")
        await page.reload()
        await page.get_by_role("link", name=re.compile("Fall")).click()
        await page.get_by_role("button", name="Jeg tar den").click()
        await expect(page.get_by_text("Du har den").first).to_be_visible()
        assert (await town.alert("fall"))["holder_id"] == town.staff["Kari"]
        await context.close()
