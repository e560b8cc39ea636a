"""The pages on a phone whose network goes and comes back: what is said of it, what is kept, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.web import fake, fake_alerts, fake_people, fake_signs
from tests.web.browsing import CONTRAST, PHONE, open_page, watching
from tests.web.conftest import Served

FALL = fake_alerts.alert().id


@pytest_asyncio.fixture(loop_scope="session")
async def nurse(browser: Browser, served: Served) -> AsyncIterator[Page]:
    """Ingrid Aase's phone."""
    async for page in open_page(browser, served, **PHONE):
        yield page


async def test_without_a_network_the_page_says_since_when_and_an_answer_is_kept_until_it_is_back(
    nurse: Page, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    await nurse.context.set_offline(True)
    await expect(nurse.locator("#connection")).to_contain_text("Ingen forbindelse siden")
    await nurse.get_by_role("button", name="Jeg tar den").tap()
    await expect(nurse.locator("#unsent")).to_contain_text("Lagret på denne telefonen.")
    await expect(nurse.locator("#outbox")).to_contain_text(re.compile(r"Gitt \d\d:\d\d, venter på nett"))
    await expect(nurse.locator("#outbox .waits strong")).to_be_in_viewport(ratio=1)
    await nurse.screenshot(path=screenshots / "waiting.png")
    assert await nurse.evaluate(CONTRAST) == []
    assert (await nurse.title()).startswith("Ingen forbindelse – Fall")
    key = await nurse.locator("#answer-claim input[name=key]").input_value()
    await nurse.context.set_offline(False)
    await expect(nurse.locator("#standing .now")).to_have_text("Du har den")
    await expect(nurse.locator("#outbox")).to_contain_text("Svaret ditt er sendt, og er tatt imot.")
    await nurse.get_by_role("button", name="OK").tap()
    await expect(nurse.locator("#outbox")).to_be_hidden()
    await expect(nurse.locator("#connection")).to_be_hidden()
    await expect(nurse.locator("#unsent")).to_be_hidden()
    ((request, sent),) = [(request, sent) for _, request, sent in front.taken]
    assert (request.answer, sent) == ("claim", key)
    assert request.given_at is not None
    assert abs(request.given_at - fake_people.NOW) < timedelta(minutes=1), (
        "by the gateway's clock, whatever the phone's says"
    )


async def test_tapping_again_before_it_is_sent_is_one_answer(
    nurse: Page, served: Served, front: fake.FakeFront
) -> None:
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    await served.stop()
    for _ in range(2):
        await nurse.get_by_role("button", name="Jeg tar den").tap()
        await expect(nurse.locator("#outbox li")).to_have_count(1)
    await served.start()
    await expect(nurse.locator("#standing .now")).to_have_text("Du har den")
    assert len({key for *_, key in front.taken}) == 1


HELD_UP = """async () => {
  const { told } = outbox;
  const looking = new Promise((looks) => {
    outbox.told = () => { looks(); outbox.told = told; return new Promise((go) => { self.goOn = () => go([]); }); };
  });
  new BroadcastChannel("hjemmevakt-outbox").postMessage("changed");
  await looking;
}"""
KEPT = """async () => {
  const shown = { label: "Jeg tar den", title: "Fall", path: location.pathname };
  await outbox.keep(outbox.answer("no such alert", {}, "key", await outbox.known("person"), shown, Date.now()));
}"""


async def test_whoever_looked_first_at_what_waits_hides_nothing_that_came_later(
    nurse: Page, served: Served, front: fake.FakeFront
) -> None:
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    await nurse.context.set_offline(True)
    await nurse.evaluate(HELD_UP)
    await nurse.evaluate(KEPT)
    await expect(nurse.locator("#outbox .waits")).to_have_count(1)
    await nurse.evaluate("goOn()")
    await nurse.wait_for_timeout(200)
    await expect(nurse.locator("#outbox .waits")).to_have_count(1)


async def test_what_a_colleague_did_meanwhile_is_told_plainly(
    nurse: Page, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    await nurse.context.set_offline(True)
    await nurse.get_by_role("button", name="Jeg tar den").tap()
    await expect(nurse.locator("#outbox .waits")).to_have_count(1)
    front.change(FALL, holder=fake_people.KARI, stage="claimed", answers=["take_over"])
    front.refuse = "held_by_other"
    await nurse.context.set_offline(False)
    await expect(nurse.locator("#outbox .refused")).to_contain_text("En kollega har dette varselet.")
    await expect(nurse.locator("#standing")).to_contain_text("Kari")
    await expect(nurse.locator("#outbox .refused strong")).to_be_in_viewport(ratio=1)
    await nurse.screenshot(path=screenshots / "conflict.png")
    assert await nurse.evaluate(CONTRAST) == []


async def test_what_a_lock_is_asked_for_is_not_kept(nurse: Page, served: Served, front: fake.FakeFront) -> None:
    front.change(
        FALL, stage="claimed", holder=fake_people.ME, mine=True, answers=["on_way", "close"], locks=[fake_signs.lock()]
    )
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    await nurse.context.set_offline(True)
    await nurse.locator(".door").get_by_text("Lås opp …", exact=True).tap()
    await nurse.locator(".door").get_by_role("button", name="Lås opp", exact=True).tap()
    await expect(nurse.locator("#unsent")).to_have_text(
        "Ikke sendt: ingen forbindelse. Trykk igjen for å prøve på nytt."
    )
    await nurse.context.set_offline(False)
    await expect(nurse.locator("#connection")).to_be_hidden()
    assert front.asked == []


async def test_a_gateway_that_goes_away_and_comes_back(nurse: Page, served: Served, front: fake.FakeFront) -> None:
    await nurse.goto(f"{served.url}/alerts")
    await watching(nurse, front)
    await served.stop()
    await expect(nurse.locator("#connection")).to_contain_text("Ingen forbindelse siden")
    front.alerts = []
    await served.start()
    await expect(nurse.locator("#connection")).to_be_hidden()
    await expect(nurse.locator("body[data-stale]")).to_have_count(0)
    await expect(nurse.get_by_text("Ingen åpne varsler")).to_be_visible()


async def test_the_next_answer_takes_the_refusal_of_the_last_away(
    nurse: Page, served: Served, front: fake.FakeFront
) -> None:
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    front.refuse = "held_by_other"
    await nurse.get_by_role("button", name="Jeg tar den").tap()
    await expect(nurse.locator("#refused")).to_be_visible()
    await served.stop()
    await nurse.get_by_role("button", name="Jeg tar den").tap()
    await expect(nurse.locator("#unsent")).to_contain_text("Lagret på denne telefonen.")
    await expect(nurse.locator("#refused")).to_have_count(0)
