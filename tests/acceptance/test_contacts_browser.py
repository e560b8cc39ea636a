"""A new phone, in a real browser without scripts: added by the code that a desk shows, a contact on it tested and confirmed."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, expect

from gateway.embedded import LOOPBACK, Broker, free_port
from tests.acceptance.test_phone_browser import _sign_in, site
from tests.support.mail import MailServer
from tests.support.world import world

PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=900)
KARIS = "kari@example.org"


async def test_a_phone_is_added_by_a_code_and_a_contact_tested_on_it(
    migrated_url: str, broker: Broker, smtp: MailServer, browser: Browser, screenshots: Path
) -> None:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    async with world(migrated_url, broker, smtp, listen_port=port, public_url=url) as town, site(town) as address:
        desk = await (await browser.new_context(viewport=DESK, locale="nb-NO", java_script_enabled=False)).new_page()
        await _sign_in(desk, address, "Kari")
        await desk.goto(f"{address}/me/contacts")
        await desk.get_by_role("button", name="Vis en kode").click()
        await expect(desk.locator(".code-box svg")).to_be_visible()
        await desk.screenshot(path=screenshots / "contacts-1-code.png")
        link = await desk.locator("#link").inner_text()
        assert link.startswith(f"{address}/add-phone/")

        phone = await (await browser.new_context(viewport=PHONE, locale="nb-NO", java_script_enabled=False)).new_page()
        await phone.goto(link)
        await expect(phone.get_by_text("Kari").first).to_be_visible()
        await phone.screenshot(path=screenshots / "contacts-2-is-it-you.png")
        await phone.get_by_role("button", name="Ja, logg inn på denne telefonen").click()
        await expect(phone.get_by_role("heading", name="Denne telefonen", exact=True)).to_be_visible()

        await phone.goto(f"{address}/me/contacts")
        await _adds_mail(phone)
        await phone.get_by_role("button", name=f"Bruk E-post {KARIS} tidligere").click()
        await expect(phone.locator("#contacts h2").first).to_have_text("1. E-post")
        await phone.get_by_role("button", name=f"Send prøvevarsel: E-post {KARIS}").click()
        await expect(phone.get_by_text("Venter på å bli bekreftet")).to_be_visible()
        await town.settle()
        await phone.screenshot(path=screenshots / "contacts-3-waits.png", full_page=True)

        (message,) = smtp.messages
        (confirm,) = re.findall(r"https?://\S+/confirm/\S+", message.get_content())
        await phone.goto(confirm)
        await phone.get_by_role("button", name="Ja, det kom til telefonen min").click()
        await expect(phone.get_by_text("Bekreftet. Du kan nås på denne måten.")).to_be_visible()
        await phone.goto(f"{address}/me/contacts")
        await expect(phone.locator("#contacts .state").first).to_contain_text("Virker – bekreftet")
        await phone.screenshot(path=screenshots / "contacts-4-works.png", full_page=True)

        # The desk ends the phone's session, as if it were lost.
        await desk.goto(f"{address}/me/contacts")
        there = desk.get_by_role("button", name=re.compile("^Logg ut der"))
        await there.click()
        await expect(there).to_have_count(0)
        await phone.reload()
        await expect(phone.get_by_label("Passord")).to_be_visible()


async def _adds_mail(phone: Page) -> None:
    await phone.locator("#add-email summary").click()
    await phone.get_by_label("E-postadresse").fill("kari")
    await phone.get_by_role("button", name="Legg til: E-post").click()
    await expect(phone.get_by_role("alert")).to_contain_text("Dette er ingen e-postadresse")
    await phone.get_by_label("E-postadresse").fill(KARIS)
    await phone.get_by_role("button", name="Legg til: E-post").click()
    await expect(phone.get_by_text(KARIS).first).to_be_visible()
