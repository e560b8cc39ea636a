"""The app on a phone: what a push shows and reports, what is answered from a notification, and what there is without a network."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from playwright.async_api import Browser, Page, expect

from gateway.web import phone
from gateway.web.html import STATIC, static
from tests.support.ringing import Ringing, ringing
from tests.web import fake, fake_alerts
from tests.web.browsing import PHONE, open_page
from tests.web.conftest import Served

ALERT = f"/alerts/{fake_alerts.alert().id}"
TITLE = "Kritisk varsel i Madla og Tjensvoll"
PUSH: dict[str, Any] = {
    "kind": "page",
    "page": "key-of-a-page",
    "title": TITLE,
    "body": "Meldt 03:10.",
    "url": ALERT,
    "severity": 40,
    "language": "nb",
}


@dataclass
class Gateway:
    """Hears of pages as the gateway does, and answers a claim with ``claim``: a status, and a problem's reason."""

    heard: list[tuple[str, str, str]] = field(default_factory=list)
    claim: tuple[int, str] = (200, "")

    def of(self, page: str = "key-of-a-page") -> list[str]:
        return [what for key, what, _ in self.heard if key == page]


@pytest.fixture
def gateway(web: FastAPI) -> Gateway:
    made = Gateway()

    @web.post("/api/v1/pages/{key}/{what}")
    async def hear(key: str, what: str, request: Request) -> Response:
        made.heard.append((key, what, (await request.json())["given_at"]))
        status, reason = made.claim if what == "claim" else (200, "")
        return JSONResponse({"reason": reason}, status)

    return made


@pytest_asyncio.fixture(loop_scope="session")
async def app(browser: Browser, served: Served, gateway: Gateway) -> AsyncIterator[Ringing]:
    """Ingrid Aase's phone, with the app open in front."""
    async for page in open_page(browser, served, permissions=["notifications"], **PHONE):
        await page.goto(f"{served.url}/alerts")
        yield await ringing(page.context, page, served.url)


async def until(page: Page, condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        await page.wait_for_timeout(25)
    raise AssertionError("it does not happen")


async def in_background(app: Ringing) -> None:
    """Nothing of ours is in front."""
    await app.page.goto("about:blank")


# Pushes ----------------------------------------------------------------------------------------------------------------


async def test_a_push_rings_and_both_receipts_are_sent(app: Ringing, gateway: Gateway) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # a phone's clock has no more places
    await app.push(PUSH)
    (shown,) = await app.shows(TITLE)
    assert (shown["body"], shown["tag"], shown["stays"], shown["silent"]) == ("Meldt 03:10.", ALERT, True, False)
    assert shown["actions"] == [["take", "Jeg tar den"], ["open", "Åpne"]]
    await until(app.page, lambda: sorted(gateway.of()) == ["received", "shown"])
    for _, _, at in gateway.heard:
        assert before <= datetime.fromisoformat(at) <= datetime.now(UTC)


@pytest.mark.parametrize(("language", "take"), [("nn", "Eg tek den"), ("en", "I take it"), ("xx", "Jeg tar den")])
async def test_the_buttons_are_in_the_language_of_whoever_is_called(app: Ringing, language: str, take: str) -> None:
    await app.push({**PUSH, "language": language})
    (shown,) = await app.shows(TITLE)
    assert shown["actions"][0] == ["take", take]


@pytest.mark.parametrize("rubbish", ["", "no json", "[]", "null", '{"kind":"page"}', '{"kind":1,"title":"x"}', "\x00"])
async def test_whatever_comes_something_is_shown(app: Ringing, gateway: Gateway, rubbish: str) -> None:
    await app.push(rubbish)
    (shown,) = await app.shows("Det kan være en alarm")
    assert shown["actions"] == [["open", "Åpne"]]
    assert gateway.heard == []


async def test_a_push_leads_nowhere_but_to_us(app: Ringing) -> None:
    await app.push({**PUSH, "url": "https://elsewhere.example/alerts/1"})
    (shown,) = await app.shows(TITLE)
    assert shown["data"]["url"] == "/alerts"


async def test_without_a_network_it_rings_and_the_receipts_are_kept(
    app: Ringing, gateway: Gateway, served: Served
) -> None:
    await served.stop()
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # a phone's clock has no more places
    await app.push(PUSH)
    await app.shows(TITLE)
    await until_kept(app, 2)
    rang = datetime.now(UTC)
    await app.page.wait_for_timeout(300)
    await served.start()
    await app.push({**PUSH, "page": "another"})
    await until(app.page, lambda: len(gateway.heard) == 4)
    times = {(key, what): datetime.fromisoformat(at) for key, what, at in gateway.heard}
    for what in ("received", "shown"):
        assert before <= times["key-of-a-page", what] <= rang, "the time at which it was, not when there was a network"


async def until_kept(app: Ringing, count: int) -> None:
    for _ in range(1200):
        if len(await app.worker.evaluate("outbox.waiting()")) == count:
            return
        await app.page.wait_for_timeout(25)
    raise AssertionError(f"kept are {await app.worker.evaluate('outbox.waiting()')}")


async def test_receipts_are_of_no_interest_after_a_day(app: Ringing, gateway: Gateway) -> None:
    for page, hours in (("old", 25), ("new", 23)):
        said = f"{{ ...outbox.receipt('{page}', 'shown', Date.now()), kept: Date.now() - {hours} * 3600_000 }}"
        await app.worker.evaluate(f"outbox.keep({said})")
    await app.worker.evaluate("outbox.flush()")
    assert [key for key, *_ in gateway.heard] == ["new"]
    assert await app.worker.evaluate("outbox.waiting()") == []


async def test_after_a_day_an_answer_is_not_sent_and_told(app: Ringing, gateway: Gateway) -> None:
    claim = "outbox.claim('k', { label: 'Jeg tar den', title: 'Fall', path: '/alerts' }, Date.now())"
    await app.worker.evaluate(f"outbox.keep({{ ...{claim}, kept: Date.now() - 25 * 3600_000 }})")
    await app.page.reload()
    await expect(app.page.locator("#outbox .refused")).to_contain_text("Svaret ditt ble ikke tatt imot.")
    assert gateway.heard == []


async def test_what_cannot_be_done_now_holds_up_nothing_else(app: Ringing, gateway: Gateway) -> None:
    gateway.claim = (500, "bug")
    keep = "(key, hours) => outbox.keep(outbox.claim(key, { label: 'x', title: 'x', path: '/' }, Date.now() - hours * 3600_000))"
    await app.worker.evaluate(f"({keep})('first', 2)")
    await app.worker.evaluate("outbox.keep(outbox.receipt('second', 'shown', Date.now()))")
    await app.worker.evaluate("outbox.flush()")
    assert [(key, what) for key, what, _ in gateway.heard] == [("first", "claim"), ("second", "shown")]


async def test_nobody_sends_what_somebody_else_has_answered(app: Ringing, front: fake.FakeFront) -> None:
    shown = "{ label: 'Jeg tar den', title: 'Fall', path: '/alerts' }"
    answer = f"outbox.answer('{fake_alerts.alert().id}', {{ answer: 'claim' }}, 'a-key', 'somebody else', {shown}, Date.now())"
    await app.worker.evaluate(f"outbox.keep({answer})")
    await app.page.reload()
    await app.page.wait_for_timeout(500)
    assert front.taken == []
    await expect(app.page.locator("#outbox")).to_be_hidden()


async def test_what_somebody_else_has_answered_is_dropped_after_a_day_and_told_to_nobody(
    app: Ringing, gateway: Gateway
) -> None:
    shown = "{ label: 'Jeg tar den', title: 'Fall', path: '/alerts' }"
    answer = f"outbox.answer('{fake_alerts.alert().id}', {{ answer: 'claim' }}, 'a-key', 'somebody else', {shown}, Date.now())"
    await app.worker.evaluate(f"outbox.keep({{ ...{answer}, kept: Date.now() - 25 * 3600_000 }})")
    await in_background(app)
    await app.worker.evaluate("flush()")
    assert await app.notifications() == []
    for store in ("waiting", "told"):
        assert await app.worker.evaluate(f"outbox.{store}()") == []


async def test_what_is_kept_of_an_answer_and_shown_by_a_locked_phone_names_no_resident(
    app: Ringing, served: Served, front: fake.FakeFront
) -> None:
    await app.page.goto(f"{served.url}{ALERT}")
    await expect(app.page).to_have_title(re.compile("^Fall, Solveig Haugland"))
    await served.stop()
    await app.page.get_by_role("button", name="Jeg tar den").tap()
    await expect(app.page.locator("#outbox .waits")).to_contain_text("Jeg tar den")
    (kept,) = await app.worker.evaluate("outbox.waiting()")
    assert (kept["kind"], kept["title"]) == ("answer", "Fall")
    assert "Haugland" not in str(kept)
    await in_background(app)
    # The gateway does not know its way: whatever it says, what is shown of it has no name in it.
    await served.start()
    await app.worker.evaluate("flush()")
    (shown,) = await app.notifications()
    assert shown["body"] == "Jeg tar den · Fall"
    assert "Haugland" not in str(shown)


async def test_one_notification_an_alert(app: Ringing) -> None:
    await app.push(PUSH)
    await app.shows(TITLE)
    await app.push({**PUSH, "page": "again", "body": "Meldt igjen 03:15."})
    shown = await of_page(app, "again")
    assert (shown["title"], shown["body"]) == (TITLE, "Meldt igjen 03:15.")
    await app.push({**PUSH, "page": "other", "url": "/alerts/other"})
    await app.shows(TITLE, TITLE)


async def of_page(app: Ringing, page: str) -> dict[str, Any]:
    """The notification, as soon as it is that of this page."""
    async with asyncio.timeout(60):
        while True:
            shown = await app.notifications()
            if [each["data"]["page"] for each in shown] == [page]:
                return shown[0]
            await app.page.wait_for_timeout(25)


# Answers from the notification ------------------------------------------------------------------------------------------


async def test_taken_from_the_notification(app: Ringing, gateway: Gateway) -> None:
    await app.push(PUSH)
    await app.shows(TITLE)
    await app.tap("take")
    (shown,) = await app.shows("Du har den")
    assert (shown["body"], shown["silent"], shown["actions"]) == (TITLE, True, [])
    assert "claim" in gateway.of()


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        (409, "held_by_other", "En kollega har den. Du trenger ikke gjøre mer."),
        (410, "over", "Varselet er allerede lukket. Du trenger ikke gjøre mer."),
        (404, "page", "Svaret ditt ble ikke tatt imot. Åpne varselet og se."),
    ],
)
async def test_not_taken_is_said_and_why(app: Ringing, gateway: Gateway, status: int, reason: str, told: str) -> None:
    gateway.claim = (status, reason)
    await app.push(PUSH)
    await app.shows(TITLE)
    await app.tap("take")
    (shown,) = await app.notifications()
    assert shown["title"] == told


async def test_taken_without_a_network_is_kept_sent_later_and_told(
    app: Ringing, gateway: Gateway, served: Served
) -> None:
    await app.push(PUSH)
    await app.shows(TITLE)
    await until(app.page, lambda: len(gateway.heard) == 2)
    await in_background(app)
    await served.stop()
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # a phone's clock has no more places
    await app.tap("take")
    after = datetime.now(UTC)
    (shown,) = await app.notifications()
    assert (shown["title"][:22], shown["stays"]) == ("Lagret på denne telefo", True)
    gateway.claim = (409, "held_by_other")
    await served.start()
    await app.worker.evaluate("flush()")
    (shown,) = await app.notifications()
    assert shown["title"] == "En kollega har den. Du trenger ikke gjøre mer."
    assert shown["body"] == f"Jeg tar den · {TITLE}"
    key, what, at = gateway.heard[-1]
    assert (key, what) == ("key-of-a-page", "claim")
    assert before <= datetime.fromisoformat(at) <= after
    await app.page.goto(f"{served.url}/alerts")
    await expect(app.page.locator("#outbox")).to_contain_text("En kollega har den.")
    await app.page.get_by_role("button", name="OK").tap()
    await expect(app.page.locator("#outbox")).to_be_hidden()


async def test_a_server_that_is_ill_gets_it_again(app: Ringing, gateway: Gateway) -> None:
    gateway.claim = (503, "database")
    await app.push(PUSH)
    await app.shows(TITLE)
    await until(app.page, lambda: len(gateway.of()) == 2)
    await app.tap("take")
    (shown,) = await app.notifications()
    assert shown["title"].startswith("Lagret på denne telefonen")
    assert await app.worker.evaluate("outbox.flush()") == [], "behind that of the push"
    gateway.claim = (200, "")
    assert [each["outcome"] for each in await app.worker.evaluate("outbox.flush()")] == ["taken"]


async def test_a_tap_opens_the_alert(app: Ringing) -> None:
    await app.push(PUSH)
    await app.shows(TITLE)
    await app.tap()
    await expect(app.page).to_have_url(f"{app.origin}{ALERT}")
    assert await app.notifications() == []


# Taken back -------------------------------------------------------------------------------------------------------------


RECALL = {**PUSH, "kind": "recall"}


async def test_what_nobody_needs_any_more_is_taken_away(app: Ringing, gateway: Gateway) -> None:
    """With the app in front the browser demands nothing."""
    await app.push(PUSH)
    await app.shows(TITLE)
    await until(app.page, lambda: len(gateway.of()) == 2)
    await app.push(RECALL)
    await app.shows()
    assert sorted(gateway.of()) == ["received", "shown"], "a recall is no page"


async def test_in_the_background_a_silent_word_takes_its_place(app: Ringing) -> None:
    await app.push(PUSH)
    await app.shows(TITLE)
    await in_background(app)
    await app.push(RECALL)
    (shown,) = await app.shows("Ikke nødvendig lenger: noen har svart.")
    assert (shown["tag"], shown["silent"], shown["stays"], shown["actions"]) == (ALERT, True, False, [])


async def test_a_page_that_comes_after_its_recall_does_not_ring(app: Ringing) -> None:
    await app.push(RECALL)
    await app.page.wait_for_timeout(200)
    await app.push(PUSH)
    (shown,) = await app.shows("Ikke nødvendig lenger: noen har svart.")
    assert shown["silent"]


async def test_the_recall_of_an_old_page_leaves_a_newer_one(app: Ringing) -> None:
    await app.push(PUSH)
    await app.shows(TITLE)
    await app.push({**PUSH, "page": "newer"})
    await of_page(app, "newer")
    await app.push(RECALL)
    while PUSH["page"] not in (await app.worker.evaluate("recalled()")):
        await app.page.wait_for_timeout(25)
    (shown,) = await app.shows(TITLE)
    assert shown["data"]["page"] == "newer"


# Without a network ------------------------------------------------------------------------------------------------------


NOTED = """() => {
  self.noted = [];
  for (const name of ["keepList", "renewList"]) {
    const work = self[name];
    self[name] = (...given) => { const done = work(...given); noted.push(done); return done; };
  }
}"""
"""What is done to the list is noted before the page has the response that it is done with. The times at which the page had it and at
which it was kept would not tell: either can be first."""


async def kept_list(app: Ringing) -> None:
    """The list is kept, as the page has it anew; the first time the app was opened there was no service worker yet."""
    await app.worker.evaluate(NOTED)
    await app.page.goto(f"{app.origin}/alerts")
    await expect(app.page.get_by_role("link", name="Fall, Solveig Haugland")).to_be_visible()
    await app.page.wait_for_function("timesShown > 0")
    assert await app.worker.evaluate("Promise.all(noted).then(keptList).then(Boolean)")


async def test_the_list_is_there_without_a_network_and_says_from_when(
    app: Ringing, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    await kept_list(app)
    await served.stop()
    await app.page.wait_for_timeout(1100)
    await app.page.goto(f"{served.url}/alerts")
    await expect(app.page.get_by_role("link", name="Fall, Solveig Haugland")).to_be_visible()
    connection = app.page.locator("#connection")
    await expect(connection).to_contain_text("Ingen forbindelse siden")
    await expect(connection).to_contain_text("Det du ser, er fra da")
    await app.page.screenshot(path=screenshots / "list.png")
    front.alerts = []
    await served.start()
    await expect(app.page.get_by_text("Ingen åpne varsler")).to_be_visible()
    await expect(connection).to_be_hidden()


async def test_what_changed_since_the_page_was_opened_is_kept_too(
    app: Ringing, served: Served, front: fake.FakeFront
) -> None:
    await kept_list(app)
    front.alerts = [fake_alerts.alert(12, resident="Ola By"), *front.alerts]
    front.tell()
    await expect(app.page.get_by_role("link", name="Fall, Ola By")).to_be_visible()
    await app.worker.evaluate("Promise.all(noted)")
    await served.stop()
    await app.page.goto(f"{served.url}/alerts")
    await expect(app.page.get_by_role("link", name="Fall, Ola By")).to_be_visible()
    assert await app.page.locator("main").count() == 1


async def test_nothing_else_is_kept(app: Ringing, served: Served, screenshots: Path) -> None:
    await kept_list(app)
    await app.page.goto(f"{served.url}{ALERT}")
    await served.stop()
    await app.page.goto(f"{served.url}{ALERT}")
    await expect(app.page.get_by_role("heading", name="Uten nett")).to_be_visible()
    assert "Solveig" not in await app.page.content()
    await app.page.screenshot(path=screenshots / "offline.png")


async def test_signed_out_the_list_is_gone(app: Ringing, served: Served) -> None:
    await kept_list(app)
    await app.page.get_by_text("Meny").tap()
    await app.page.get_by_role("button", name="Logg ut").tap()
    await expect(app.page).to_have_url(f"{served.url}/sign-in")
    await served.stop()
    await app.page.goto(f"{served.url}/alerts")
    await expect(app.page.get_by_role("heading", name="Uten nett")).to_be_visible()
    assert await app.worker.evaluate("caches.has('hjemmevakt-list')") is False


LATE = """async () => {
  const asked = forgotten;
  let come;
  const body = new ReadableStream({ start: (it) => { come = () => { it.enqueue(new TextEncoder().encode("<main>")); it.close(); }; } });
  const kept = keepList(new Response(body), asked);
  await forget();
  come();
  await kept;
}"""


async def test_a_list_that_was_on_its_way_when_somebody_signed_out_is_not_kept(app: Ringing) -> None:
    await kept_list(app)
    await app.worker.evaluate(LATE)
    assert await app.worker.evaluate("caches.has('hjemmevakt-list')") is False


async def test_a_session_that_has_ended_takes_the_list_along(
    app: Ringing, served: Served, front: fake.FakeFront
) -> None:
    await kept_list(app)
    front.sessions.clear()
    await app.page.goto(f"{served.url}/alerts")
    await expect(app.page).to_have_url(f"{served.url}/sign-in?next=/alerts")
    await app.page.wait_for_timeout(200)
    assert await app.worker.evaluate("caches.has('hjemmevakt-list')") is False


@pytest.mark.parametrize(("hours", "there"), [(11.9, True), (12.1, False), (-1.0, False)])
async def test_the_list_is_kept_for_twelve_hours(app: Ringing, served: Served, hours: float, there: bool) -> None:
    await kept_list(app)
    age = f"""async () => {{
      const cache = await caches.open("hjemmevakt-list");
      const kept = await cache.match("/alerts");
      const headers = new Headers(kept.headers);
      headers.set("X-As-Of", new Date(Date.now() - {hours} * 3600_000).toISOString());
      await cache.put("/alerts", new Response(await kept.text(), {{ headers }}));
    }}"""
    await app.page.goto("about:blank")
    await app.worker.evaluate(age)
    await served.stop()
    await app.page.goto(f"{served.url}/alerts")
    told = app.page.get_by_role("link", name="Fall, Solveig Haugland")
    await expect(told if there else app.page.get_by_role("heading", name="Uten nett")).to_be_visible()


# Installing -------------------------------------------------------------------------------------------------------------


async def test_it_can_be_installed(app: Ringing) -> None:
    found = await app.devtools.send("Page.getAppManifest")
    assert found["errors"] == []
    errors = (await app.devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [each["errorId"] for each in errors] in ([], ["in-incognito"])


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
def test_the_manifest_names_icons_that_are_there_and_as_large_as_it_says(language: str) -> None:
    told = phone.manifest(language)
    assert {"id", "name", "start_url", "scope", "display", "icons", "shortcuts"} <= told.keys()
    sizes = set()
    for icon in [*told["icons"], *(each for shortcut in told["shortcuts"] for each in shortcut["icons"])]:
        data = (STATIC / icon["src"].removeprefix("/static/").partition("?")[0]).read_bytes()
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", data[16:24])
            assert icon["sizes"] == f"{width}x{height}"
            sizes.add((width, icon["purpose"]))
    assert {(192, "any"), (512, "any"), (192, "maskable"), (512, "maskable")} <= sizes


async def test_the_service_worker_is_looked_for_anew_and_changes_with_the_app(app: Ringing) -> None:
    reply = await app.page.request.get(f"{app.origin}/sw.js")
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["content-type"].startswith("text/javascript")
    text = await reply.text()
    for name in phone.SHELL:
        assert static(name) in text
