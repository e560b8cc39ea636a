"""From a fall to a phone that rings, and back: a real browser, the real gateway, a push service that decrypts what it gets.

A test's browser has no push service of its own. So subscribing answers with a subscription of ours; what the gateway pushes to it,
encrypted, is handed to the service worker as the browser would.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.embedded import LOOPBACK, Broker, free_port
from tests.acceptance.test_phone_browser import PHONE, _sign_in, site
from tests.support.push_service import Phone, PushService
from tests.support.ringing import Ringing, ringing, taken_over
from tests.support.world import World, world

SUBSCRIBING = """(subscriptions) => {
  const used = () => Number(localStorage.getItem("given up") ?? 0);
  const made = () => {
    const subscription = subscriptions[Math.min(used(), subscriptions.length - 1)];
    return {
      endpoint: subscription.endpoint,
      options: { userVisibleOnly: true },
      toJSON: () => ({ ...subscription, expirationTime: null }),
      unsubscribe: async () => {
        localStorage.removeItem("subscribed");
        localStorage.setItem("given up", used() + 1);
        return true;
      },
    };
  };
  PushManager.prototype.subscribe = async (options) => {
    localStorage.setItem("subscribed", options.applicationServerKey);
    return made();
  };
  PushManager.prototype.getSubscription = async () => (localStorage.getItem("subscribed") ? made() : null);
}"""


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as made:
        yield made
        assert made.faults == []


@asynccontextmanager
async def phone_of(
    browser: Browser, address: str, device: Phone, name: str, *anew: Phone, context: BrowserContext | None = None
) -> AsyncIterator[Page]:
    """Somebody's phone, signed in, with a push service behind it. ``anew``: what it gets when it subscribes again."""
    made = context or await browser.new_context(viewport=PHONE, locale="nb-NO", has_touch=True, is_mobile=True)
    each = [one.subscription for one in (device, *anew)]
    given = [{"endpoint": of.endpoint, "keys": {"p256dh": of.p256dh, "auth": of.auth}} for of in each]
    await made.add_init_script(f"({SUBSCRIBING})({json.dumps(given)})")
    page = await made.new_page()
    page.set_default_timeout(30_000)
    await _sign_in(page, address, name)
    yield page
    await made.close()


async def turned_on(page: Page, address: str) -> Ringing:
    """They let it ring; the list is open in front."""
    await page.goto(f"{address}/phone")
    await expect(page.get_by_text("Denne telefonen varsler ikke om alarmer.")).to_be_visible()
    await page.context.grant_permissions(["notifications"])
    await page.get_by_role("button", name="Varsle om alarmer på denne telefonen").tap()
    await expect(page.get_by_text("Denne telefonen varsler om alarmer.")).to_be_visible()
    await page.goto(f"{address}/alerts")
    return await ringing(page.context, page, address)


async def contacts(town: World) -> list[tuple[str, bool]]:
    rows = await town.rows(
        """SELECT p.name, c.active FROM contact c JOIN person p ON p.id = c.person_id
           WHERE c.channel = 'web_push' ORDER BY c.id"""
    )
    return [(row["name"], row["active"]) for row in rows]


@asynccontextmanager
async def at_work(migrated_url: str, broker: Broker) -> AsyncIterator[tuple[World, str]]:
    settings: dict[str, Any] = {"listen_port": free_port(), "push_private_endpoints": True}
    async with world(migrated_url, broker, **settings) as town, site(town) as address:
        yield town, address.replace(LOOPBACK, "localhost")


class Karis(NamedTuple):
    """Her phone, signed in, in a town where she is on duty."""

    town: World
    address: str
    page: Page


@pytest_asyncio.fixture(loop_scope="session")
async def karis(migrated_url: str, broker: Broker, browser: Browser, service: PushService) -> AsyncIterator[Karis]:
    async with (
        at_work(migrated_url, broker) as (town, address),
        phone_of(browser, address, service.phone(), "Kari") as page,
    ):
        yield Karis(town, address, page)


async def test_a_fall_rings_on_the_phone_of_whoever_is_on_duty(
    karis: Karis, service: PushService, screenshots: Path
) -> None:
    town, address, page = karis
    home = await town.home()
    await page.goto(f"{address}/phone")
    await expect(page.get_by_text("Denne telefonen varsler ikke om alarmer.")).to_be_visible()
    await page.screenshot(path=screenshots / "1-off.png")
    assert await contacts(town) == [], "nothing is asked for, and nothing kept, before somebody says so"
    app = await turned_on(page, address)
    assert await contacts(town) == [("Kari", True)]

    await town.says(home.fall_alarm, "fall")
    await town.settle()
    (told,) = service.told
    await app.push(dict(told))
    (shown,) = await app.shows(told["title"])
    assert shown["title"] == "Kritisk varsel i Sone"
    assert "Beboer" not in json.dumps(shown)
    await becomes(town, page, "shown")

    await app.tap("take")
    await app.shows("Du har den")
    fall = await town.alert("fall")
    assert (fall["stage"], fall["holder_id"]) == ("claimed", town.staff["Kari"])
    await becomes(town, page, "answered")


async def becomes(town: World, page: Page, state: str) -> None:
    """Of the page that was pushed; wait for it."""
    found: list[str] = []
    query = "SELECT p.state FROM page p JOIN contact c ON c.id = p.contact_id WHERE c.channel = 'web_push'"
    for _ in range(600):
        found = [row["state"] for row in await town.rows(query)]
        if found == [state]:
            return
        await page.wait_for_timeout(50)
    raise AssertionError(found)


async def test_what_a_colleague_takes_goes_from_the_phone(karis: Karis, service: PushService) -> None:
    town, address, page = karis
    home = await town.home()
    app = await turned_on(page, address)
    await page.goto("about:blank")
    await town.says(home.fall_alarm, "fall")
    await town.settle()
    (pushed,) = service.pushed
    await app.push(dict(pushed.told))
    await app.shows("Kritisk varsel i Sone")
    await town.answers("Ola", (await town.alert("fall"))["uid"], "claim")
    await town.settle()
    _, recalled = service.pushed
    assert (recalled.told["kind"], recalled.told["page"]) == ("recall", pushed.told["page"])
    assert recalled.headers["topic"] == pushed.headers["topic"], "it takes the page's place where the phone is away"
    await app.push(dict(recalled.told))
    await app.shows("Ikke nødvendig lenger: noen har svart.")
    await becomes(town, page, "withdrawn")


async def test_taken_by_a_colleague_before_the_tap_is_said_on_the_notification(
    karis: Karis, service: PushService
) -> None:
    town, address, page = karis
    home = await town.home()
    app = await turned_on(page, address)
    await town.says(home.fall_alarm, "fall")
    await town.settle()
    await app.push(dict(service.told[0]))
    await app.shows("Kritisk varsel i Sone")
    await town.answers("Ola", (await town.alert("fall"))["uid"], "claim")
    await app.tap("take")
    await app.shows("En kollega har den. Du trenger ikke gjøre mer.")
    assert (await town.alert("fall"))["holder_id"] == town.staff["Ola"]


async def test_opening_the_app_renews_the_phone_and_trying_it_rings(
    migrated_url: str, broker: Broker, browser: Browser, service: PushService, screenshots: Path
) -> None:
    async with (
        at_work(migrated_url, broker) as (town, address),
        phone_of(browser, address, service.phone(), "Kari", service.phone()) as page,
    ):
        app = await turned_on(page, address)
        await page.goto(f"{address}/phone")
        async with page.expect_response("**/test"):
            await page.get_by_role("button", name="Send en prøve hit nå").tap()
        (told,) = service.told
        await app.push(dict(told))
        await app.shows("Prøve: denne telefonen varsler om alarmer")
        await page.screenshot(path=screenshots / "on.png", full_page=True)

        await page.goto(f"{address}/alerts")
        while not await app.worker.evaluate("keptList().then(Boolean)"):
            await page.wait_for_timeout(50)
        await page.context.set_offline(True)
        await page.goto(f"{address}/alerts")
        await expect(page.locator("#connection")).to_contain_text("Ingen forbindelse siden")
        await expect(page.locator("#does-not-ring")).to_be_hidden()
        await page.context.set_offline(False)

        await town.rows("UPDATE contact SET broken_reason = 'gone' WHERE channel = 'web_push'")
        await app.worker.evaluate("outbox.known('renewed').then((was) => outbox.know('renewed', { ...was, at: 0 }))")
        await page.goto(f"{address}/alerts")
        for _ in range(600):
            if await town.rows("SELECT 1 AS n FROM contact WHERE channel = 'web_push' AND broken_reason IS NULL"):
                break
            await page.wait_for_timeout(50)
        else:
            raise AssertionError("the contact is still broken")
        assert await contacts(town) == [("Kari", True)]

        await page.goto(f"{address}/phone")
        await page.get_by_role("button", name="Slå av varsling på denne telefonen").tap()
        await expect(page.get_by_text("Denne telefonen varsler ikke om alarmer.")).to_be_visible()
        assert await contacts(town) == [("Kari", False)]
        await page.goto(f"{address}/alerts")
        await expect(page.locator("#does-not-ring")).to_be_visible()
        assert await contacts(town) == [("Kari", False)], "what was turned off stays off"


async def test_a_phone_that_changes_hands_rings_for_its_new_owner_alone(karis: Karis) -> None:
    town, address, page = karis
    await turned_on(page, address)
    await page.get_by_text("Meny").tap()
    await page.get_by_role("button", name="Logg ut").tap()
    await expect(page).to_have_url(re.compile("/sign-in"))
    assert await contacts(town) == [("Kari", True)], "alarms reach a phone whose session has ended"
    await _sign_in(page, address, "Ola")
    for _ in range(600):
        if await contacts(town) == [("Kari", False), ("Ola", True)]:
            return
        await page.wait_for_timeout(50)
    raise AssertionError(await contacts(town))


async def test_a_phone_that_its_person_has_removed_is_off_for_them_until_the_button_is_pressed(karis: Karis) -> None:
    town, address, page = karis
    app = await turned_on(page, address)
    kari, front = await town.who("Kari"), town.gateway.front
    (mine,) = [each for each in (await front.contacts(kari)).contacts if each.channel == "web_push"]
    assert mine.machine == "Linux"
    await front.remove_contact(kari, mine.id, confirmed=True)
    await app.worker.evaluate("outbox.known('renewed').then((was) => outbox.know('renewed', { ...was, at: 0 }))")
    for _ in range(2):
        await page.goto(f"{address}/phone")
        await expect(page.get_by_text("Denne telefonen varsler ikke om alarmer.")).to_be_visible()
    assert await contacts(town) == [("Kari", False)]
    await page.get_by_role("button", name="Varsle om alarmer på denne telefonen").tap()
    await expect(page.get_by_text("Denne telefonen varsler om alarmer.")).to_be_visible()
    assert await contacts(town) == [("Kari", True)]


async def test_an_answer_without_a_network_reaches_the_gateway_later_with_its_time(karis: Karis) -> None:
    town, address, page = karis
    home = await town.home()
    await town.says(home.fall_alarm, "fall")
    fall = await town.alert("fall")
    await page.goto(f"{address}/alerts/{fall['uid']}")
    await taken_over(page)
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Jeg tar den").tap()
    await expect(page.locator("#outbox .waits")).to_contain_text("venter på nett")
    given = town.now
    assert (await town.alert("fall"))["stage"] == "open"
    await town.passes(minutes=3)
    await page.context.set_offline(False)
    await expect(page.locator("#outbox .taken")).to_contain_text("Svaret ditt er sendt")
    fall = await town.alert("fall")
    assert (fall["stage"], fall["holder_id"]) == ("claimed", town.staff["Kari"])
    (entry,) = await town.rows("SELECT given_at, at FROM alert_entry WHERE code = 'claimed'")
    assert abs((entry["given_at"] - given).total_seconds()) < 30
    assert (entry["at"] - given).total_seconds() >= 180


async def test_a_colleague_who_took_it_meanwhile_is_told_of_plainly(karis: Karis, screenshots: Path) -> None:
    town, address, page = karis
    home = await town.home()
    await town.says(home.fall_alarm, "fall")
    fall = await town.alert("fall")
    await page.goto(f"{address}/alerts/{fall['uid']}")
    await taken_over(page)
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Jeg tar den").tap()
    await expect(page.locator("#outbox .waits")).to_have_count(1)
    await town.answers("Ola", fall["uid"], "claim")
    await page.context.set_offline(False)
    await expect(page.locator("#outbox .refused")).to_contain_text("En kollega har dette varselet.")
    await expect(page.locator("#standing")).to_contain_text("Ola")
    await page.screenshot(path=screenshots / "conflict.png")
    assert (await town.alert("fall"))["holder_id"] == town.staff["Ola"]


async def test_an_answer_of_which_the_reply_was_lost_is_no_second_answer(karis: Karis) -> None:
    """The gateway has it; the phone does not know, and tells it again with its time."""
    town, address, page = karis
    home = await town.home()
    await town.says(home.fall_alarm, "fall")
    fall = await town.alert("fall")
    await page.goto(f"{address}/alerts/{fall['uid']}")
    await taken_over(page)
    lost = asyncio.Event()

    async def lose_the_reply(route: Any) -> None:
        await route.fetch(max_redirects=0)
        await route.abort()
        lost.set()

    await page.route("**/answer", lose_the_reply)
    await page.get_by_role("button", name="Jeg tar den").tap()
    await asyncio.wait_for(lost.wait(), 60)
    await expect(page.locator("#outbox li")).to_have_count(1)
    assert (await town.alert("fall"))["stage"] == "claimed"
    await page.reload()
    await expect(page.locator("#outbox .taken")).to_contain_text("Svaret ditt er sendt")
    assert (await town.timeline(fall["uid"])).count("claimed") == 1
