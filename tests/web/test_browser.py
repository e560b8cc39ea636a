"""The pages on a phone, as a nurse has them in her hand: light and dark, live, by keyboard."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from alerts.command import State
from tests.conftest import CHROMIUM_FLAGS
from tests.support.ringing import taken_over
from tests.web import fake, fake_alerts, fake_people, fake_rules, fake_signs
from tests.web.browsing import CONTRAST, PHONE, open_page, watching
from tests.web.conftest import Served
from tests.web.fake_silences import DOOR
from tests.web.places import EVERYTHING, FOR_GUESTS, name, places

FALL = fake_alerts.alert().id
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SMALL = """() => [...document.querySelectorAll("main .button, main .tabs a, .top a, .top summary, .choices label, .chips a, .links a, .switch, .backlink")]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.textContent.trim(), each.getBoundingClientRect()])
  .filter(([, box]) => box.height < 47.5 || box.width < 47.5)
  .map(([text, box]) => `${text}: ${box.width} x ${box.height}`)"""


@pytest_asyncio.fixture(loop_scope="session")
async def nurse(browser: Browser, served: Served) -> AsyncIterator[Page]:
    """Ingrid Aase's phone."""
    async for page in open_page(browser, served, **PHONE):
        yield page


async def test_every_page_fits_every_screen(
    browser: Browser, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    """A phone, a very small one, a desk; what can be tapped is large enough. Contrast is looked at by axe. With PICTURES in
    the environment each page is kept as it looks, to be looked at: that takes longer than all the rest."""
    front.sessions["token"] = EVERYTHING
    async for page in open_page(browser, served, **PHONE):
        for number, place in enumerate(places()):
            if place in FOR_GUESTS:
                await page.goto("about:blank")  # a page that is still open would go to the sign-in by itself
                await page.context.clear_cookies()
            await page.set_viewport_size({"width": 390, "height": 844})
            await page.goto(served.url + place)
            assert await page.evaluate(SMALL) == []
            for width, height in ((390, 844), (320, 568), (1280, 900)):
                await page.set_viewport_size({"width": width, "height": height})
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, place
            await page.set_viewport_size({"width": 390, "height": 844})
            for scheme in SCHEMES if os.environ.get("PICTURES") else ():
                await page.emulate_media(color_scheme=scheme)
                await page.screenshot(path=screenshots / f"{number}-{name(place)}-{scheme}.png", full_page=True)


async def test_a_preview_fits_every_screen(
    browser: Browser, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    front.sessions["token"] = EVERYTHING
    async for page in open_page(browser, served, viewport={"width": 320, "height": 568}):
        await page.goto(f"{served.url}/rules/edit?kind=door_sensor&name=not_back")
        await page.get_by_role("button", name="Forhåndsvis").click()
        await expect(page.locator("#preview")).to_be_visible()
        for width in (320, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            await page.screenshot(path=screenshots / f"{width}-rule.png", full_page=True)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_from_fall_to_done_with_one_thumb(
    nurse: Page, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    await nurse.goto(f"{served.url}/alerts")
    await expect(nurse.locator("#does-not-ring")).to_be_visible()  # what is below it moves once
    await nurse.get_by_role("link", name="Fall, Solveig Haugland").tap()
    for answer, shows in (
        ("Jeg tar den", "Du har den"),
        ("På vei", "Du har den · På vei"),
        ("Framme", "Du har den · Framme"),
    ):
        button = nurse.locator("#answers").get_by_role("button", name=answer, exact=True)
        box = await button.bounding_box()
        assert box is not None
        assert box["y"] > 844 * 0.7, "the next step is where the thumb is"
        await button.tap()
        await expect(nurse.locator("#standing .now")).to_have_text(shows)
        await expect(nurse.locator("#answers[data-settling]")).to_have_count(0)
    await nurse.locator("#ask-close > summary").tap()
    await nurse.get_by_role("radio", name="Reelt behov").tap()
    await nurse.get_by_role("radio", name="Ambulanse tilkalt").tap()
    await nurse.screenshot(path=screenshots / "done.png")
    await nurse.get_by_role("button", name="Ferdig, lukk varselet").tap()
    await expect(nurse.get_by_role("button", name="Angre")).to_be_visible()
    assert [request.answer for _, request, _ in front.taken] == ["claim", "on_way", "arrived", "close"]


async def test_a_new_alert_appears_by_itself_and_is_announced(
    nurse: Page, served: Served, front: fake.FakeFront
) -> None:
    front.alerts = []
    await nurse.goto(f"{served.url}/alerts")
    await expect(nurse.get_by_text("Ingen åpne varsler")).to_be_visible()
    await watching(nurse, front)
    front.alerts = [fake_alerts.alert()]
    front.tell()
    await expect(nurse.get_by_role("link", name="Fall, Solveig Haugland")).to_be_visible()
    await expect(nurse.locator("#announce")).to_have_text("Nytt varsel: Fall, Solveig Haugland")
    assert (await nurse.title()).startswith("(1) Varsler")


async def test_an_answer_does_not_move_the_page_away_from_who_and_where(nurse: Page, served: Served) -> None:
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    box = await nurse.get_by_role("button", name="Jeg tar den").bounding_box()
    assert box is not None
    # a finger, not Playwright's tap on the button, which scrolls to it
    await nurse.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(nurse.locator("#standing")).to_contain_text("Du har den")
    assert await nurse.evaluate("scrollY") == 0


async def test_what_is_half_filled_stays_when_the_page_changes(
    nurse: Page, served: Served, front: fake.FakeFront
) -> None:
    front.alerts = [
        fake_alerts.alert(
            stage="arrived", holder=fake_people.ME, mine=True, answers=["close", "need_help", "hand_over"]
        )
    ]
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await nurse.locator("#ask-close > summary").tap()
    await nurse.get_by_role("radio", name="Reelt behov").tap()
    await nurse.locator("input[value=talked]").focus()
    await watching(nurse, front)
    front.change(FALL, version=8, timeline=[fake_signs.entry(fake_people.NOW, "evidence_joined", severity=40)])
    await expect(nurse.get_by_text("Det skjedde igjen (alvorlighet: Kritisk)")).to_be_visible()
    await expect(nurse.locator("input[value=real]")).to_be_checked()
    await expect(nurse.locator("input[value=talked]")).to_be_focused()
    assert await nurse.locator("#ask-close").get_attribute("open") is not None
    assert await nurse.locator("#answer-close input[name=version]").input_value() == "8"


async def test_whoever_stands_at_the_door_asks_the_lock(
    nurse: Page, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    """Asked, sent, done: each shown as it comes, while the page stays where it is."""
    front.change(
        FALL, stage="claimed", holder=fake_people.ME, mine=True, answers=["on_way", "close"], locks=[fake_signs.lock()]
    )
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    door = nurse.locator(".door")
    await expect(door).to_contain_text("Døra ble låst")
    await nurse.locator(".access").scroll_into_view_if_needed()
    await nurse.screenshot(path=screenshots / "door.png", full_page=True)
    assert await nurse.evaluate(CONTRAST) == []
    await door.get_by_text("Lås opp …", exact=True).tap()
    await expect(door.get_by_role("radio", name="For å komme inn")).to_be_checked()
    await door.scroll_into_view_if_needed()
    await nurse.screenshot(path=screenshots / "why.png")
    assert await nurse.evaluate(SMALL) == []
    await door.get_by_role("button", name="Lås opp", exact=True).tap()
    await expect(door.locator(".command")).to_contain_text("Bedt om; blir sendt")
    await expect(door.get_by_role("button")).to_have_count(0)
    await expect(door).to_be_in_viewport(ratio=0.5)
    assert [(each.command, each.reason, key is not None) for _, each, key in front.asked] == [
        ("unlock", "get_in", True)
    ]
    await nurse.screenshot(path=screenshots / "asked.png")
    front.change(FALL, locks=[fake_signs.lock(given=[fake_signs.command("unlock", State.SENT)], commands=[])])
    await expect(door.locator(".command")).to_contain_text("Sendt; venter på låsen")
    done = fake_signs.command(
        "unlock", State.DONE, outcome="unlocked", outcome_text="Døra ble låst opp", settled_at=fake_people.NOW
    )
    front.change(FALL, locks=[fake_signs.lock(given=[done], parts=[fake_signs.part("bolt", "unlocked", 0)])])
    await expect(door.locator(".command .good")).to_contain_text("Døra ble låst opp")
    await nurse.screenshot(path=screenshots / "done.png", full_page=True)
    silent = fake_signs.command("unlock", State.EXPIRED, outcome="no_answer", settled_at=fake_people.NOW)
    front.change(FALL, locks=[fake_signs.lock(given=[silent], online=False)])
    await expect(door.locator(".command .bad")).to_contain_text("Låsen svarte ikke: bruk nøkkelen.")
    await nurse.screenshot(path=screenshots / "silent.png", full_page=True)
    assert await nurse.evaluate(CONTRAST) == []


async def test_the_lock_is_asked_without_javascript(browser: Browser, served: Served, front: fake.FakeFront) -> None:
    front.change(FALL, locks=[fake_signs.lock()])
    async for page in open_page(browser, served, java_script_enabled=False, **PHONE):
        await page.goto(f"{served.url}/alerts/{FALL}")
        await page.get_by_text("Lås …", exact=True).click()
        door = page.locator(".door")
        await expect(door.locator("input[value=secure]:visible")).to_be_checked()
        await door.locator("input[value=test]:visible").check()
        await door.get_by_role("button", name="Lås", exact=True).click()
        await expect(door.locator(".command")).to_contain_text("Bedt om; blir sendt")
        assert [(each.command, each.reason) for _, each, _ in front.asked] == [("lock", "test")]


async def test_a_button_that_has_just_changed_takes_no_tap(nurse: Page, served: Served, front: fake.FakeFront) -> None:
    settling = nurse.locator("#answers[data-settling]")
    await nurse.clock.install(time=fake_people.NOW)
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    await nurse.clock.pause_at(fake_people.NOW + timedelta(minutes=5))
    front.change(FALL, holder=fake_people.KARI, stage="claimed", answers=["take_over"])
    await expect(settling).to_have_count(1)
    assert await nurse.locator("#answers").evaluate("each => getComputedStyle(each).pointerEvents") == "none"
    await nurse.clock.run_for(600)
    front.change(FALL, answers=["take_over", "close"])
    await expect(nurse.locator("#answer-close")).to_be_attached()
    await nurse.clock.run_for(600)
    await expect(settling).to_have_count(1)
    await nurse.clock.run_for(200)
    await expect(settling).to_have_count(0)
    await nurse.get_by_role("button", name="Ta over").tap()
    await expect(nurse.locator("#standing .now")).to_have_text("Du har den")


async def test_a_phone_that_does_not_ring_goes_on_saying_so(nurse: Page, served: Served, front: fake.FakeFront) -> None:
    await nurse.goto(f"{served.url}/alerts")
    await expect(nurse.locator("#does-not-ring")).to_be_visible()
    await watching(nurse, front)
    front.change(FALL, holder=fake_people.KARI, stage="claimed", answers=["take_over"])
    await expect(nurse.locator(f"#alert-{FALL} .stage")).to_contain_text("Kari Nordbø")
    assert await nurse.locator("#does-not-ring").is_visible()


async def test_nothing_moves_under_a_finger(nurse: Page, served: Served, front: fake.FakeFront) -> None:
    front.alerts = [fake_alerts.alert(11)]
    await nurse.clock.set_fixed_time(fake_people.NOW)  # a finger does not tire while the clock stands
    await nurse.goto(f"{served.url}/alerts")
    await watching(nurse, front)
    async with nurse.expect_response("**/alerts?fragment=1"):
        await nurse.locator("#main").dispatch_event("pointerdown")
        front.alerts = [fake_alerts.alert(12, resident="Ola By"), *front.alerts]
        front.tell()
    await nurse.wait_for_timeout(200)
    await expect(nurse.locator("#mine .card")).to_have_count(1)
    await nurse.locator("#main").dispatch_event("pointerup")
    await expect(nurse.locator("#mine .card")).to_have_count(2)


@pytest.mark.parametrize("size", [(390, 844), (320, 568)])
async def test_who_where_and_how_to_get_in_are_seen_without_scrolling(
    browser: Browser, served: Served, front: fake.FakeFront, screenshots: Path, size: tuple[int, int]
) -> None:
    width, height = size
    front.change(FALL, resident_details=fake_alerts.alert().resident_details.model_copy(update={"notes": ""}))  # type: ignore[union-attr]
    async for page in open_page(browser, served, **{**PHONE, "viewport": {"width": width, "height": height}}):
        await page.goto(f"{served.url}/alerts/{FALL}")
        await page.screenshot(path=screenshots / f"{width}.png")
        dock = await page.locator("#answers").bounding_box()
        assert dock is not None
        for what in (
            "h1",
            ".meta",
            "[aria-labelledby=resident-heading]",
            "[aria-labelledby=where-heading]",
            ".access h2",
        ):
            box = await page.locator(f"#main {what}").first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= dock["y"] + 1, what
        assert round(dock["y"] + dock["height"]) == height


async def test_with_large_text_the_next_step_stays_in_sight(chromium: str, served: Served, screenshots: Path) -> None:
    """Text of twice the size, as a phone's settings give it."""
    async with async_playwright() as playwright:
        flags = [*CHROMIUM_FLAGS, "--blink-settings=defaultFontSize=32"]
        browser = await playwright.chromium.launch(executable_path=chromium, headless=True, args=flags)
        async for page in open_page(browser, served, **PHONE):
            for place in (f"/alerts/{FALL}", "/alerts"):
                await page.goto(served.url + place)
                await page.screenshot(path=screenshots / f"{name(place)}-{len(place)}.png")
                assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            await page.goto(f"{served.url}/alerts/{FALL}")
            await expect(page.get_by_role("button", name="Jeg tar den")).to_be_in_viewport(ratio=0.9)
            await expect(page.get_by_role("heading", name="Fall")).to_be_in_viewport(ratio=0.9)
        await browser.close()


async def test_a_refused_answer_is_told_where_the_eyes_are(
    nurse: Page, served: Served, front: fake.FakeFront, screenshots: Path
) -> None:
    """And stays there for long enough to be read, whatever else is announced."""
    await nurse.clock.set_fixed_time(fake_people.NOW)
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    front.refuse = "held_by_other"
    await nurse.get_by_role("button", name="Jeg tar den").tap()
    await expect(nurse.locator("#refused")).to_be_in_viewport()
    await expect(nurse.locator("#refused")).to_contain_text("En kollega har dette varselet.")
    front.change(FALL, timeline=[fake_signs.entry(fake_people.NOW, "evidence_joined", severity=40)])
    await expect(nurse.get_by_text("Det skjedde igjen (alvorlighet: Kritisk)")).to_be_visible()
    await expect(nurse.locator("#answers > #refused:first-child")).to_contain_text("En kollega har dette varselet.")
    front.change(FALL, holder=fake_people.KARI, stage="claimed", answers=["take_over"])
    await expect(nurse.locator("#standing")).to_contain_text("Kari")
    await expect(nurse.locator("#answers > #refused:first-child")).to_have_count(1)
    await nurse.screenshot(path=screenshots / "refused.png")
    await nurse.clock.set_fixed_time(fake_people.NOW + timedelta(seconds=21))
    front.tell()
    await expect(nurse.locator("#refused")).to_have_count(0)


async def test_a_page_that_a_refused_form_led_to_goes_on_being_true(
    nurse: Page, served: Served, front: fake.FakeFront
) -> None:
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    front.silenced.refuse = "stale"
    await nurse.goto(f"{served.url}/silences/{DOOR}")
    await watching(nurse, front)
    await nurse.get_by_role("button", name="Avslutt nå").tap()
    await expect(nurse.locator("#refused")).to_contain_text("Dempingen er endret")
    await watching(nurse, front)
    await expect(nurse.locator(".backlink + #refused")).to_have_count(1)


async def test_signing_out_elsewhere_ends_the_open_page(nurse: Page, served: Served, front: fake.FakeFront) -> None:
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await watching(nurse, front)
    front.sessions.clear()
    front.tell()
    await expect(nurse).to_have_url(f"{served.url}/sign-in?next=/alerts/{FALL}")


async def test_all_of_it_works_without_javascript(browser: Browser, served: Served, front: fake.FakeFront) -> None:
    async for page in open_page(browser, served, java_script_enabled=False, **PHONE):
        await page.goto(f"{served.url}/alerts")
        await page.get_by_role("link", name="Fall, Solveig Haugland").click()
        await page.get_by_role("button", name="Jeg tar den").click()
        await expect(page.locator("#standing .now")).to_have_text("Du har den")
        await page.get_by_text("Mer", exact=True).click()
        await page.locator("#ask-hand_over > summary").click()
        await page.get_by_label("Gi videre til").select_option("Kari Nordbø")
        async with page.expect_response(lambda response: response.request.method == "POST"):
            await page.locator("#answer-hand_over button").click()
        assert [request.answer for _, request, _ in front.taken] == ["claim", "hand_over"]
        await expect(page.locator("noscript meta")).to_have_count(1)


async def test_all_of_it_works_with_a_keyboard(browser: Browser, served: Served, front: fake.FakeFront) -> None:
    async for page in open_page(browser, served, viewport={"width": 1280, "height": 900}):
        await page.goto(f"{served.url}/alerts")
        await expect(page.locator("#does-not-ring")).to_be_visible()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Gå til innholdet")).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Forbindelse")).to_be_focused()
        for _ in range(5):  # past a phone that does not ring, what is silenced, and what is closed
            await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Fall, Solveig Haugland")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Jeg tar den").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#standing .now")).to_have_text("Du har den")
        await page.locator("#more > summary").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#answer-release button")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#more > summary")).to_be_focused()
        await expect(page.locator("#answer-release button")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_rule_is_previewed_and_saved_without_javascript(
    browser: Browser, served: Served, front: fake.FakeFront, screenshots: Path, scheme: str
) -> None:
    """Out at night and not back: fifteen minutes instead of ten, and not on Sundays."""
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"lead"}))
    async for page in open_page(browser, served, java_script_enabled=False, color_scheme=scheme, **PHONE):
        await page.goto(f"{served.url}/rules?kind=door_sensor")
        await page.locator("#not_back").get_by_role("link", name="Sett den for en sone").click()
        await page.get_by_label("Innen hvor mange minutter").fill("15")
        await page.locator("#field-window").get_by_role("checkbox", name="søn.").uncheck(force=True)
        await page.get_by_role("button", name="Forhåndsvis").click()
        await expect(page.locator("#before")).to_have_text("45")
        await expect(page.locator("#after")).to_have_text("15")
        await expect(page.locator("#preview .when")).to_contain_text("innen 15 min, mellom 22:00 og 06:00")
        await page.screenshot(path=screenshots / "preview.png", full_page=True)
        assert await page.locator("script[src*=live]").count() == 0, "what is half filled is not fetched away"
        await page.get_by_role("button", name="Lagre").click()
        await expect(page).to_have_url(f"{served.url}/rules?kind=door_sensor#not_back")
    (asked,), (saved,) = front.ruled.asked, front.ruled.set
    assert asked == saved
    assert saved.spec["within_seconds"] == 15 * 60
    assert saved.spec["window"] == {"from_time": "22:00", "to_time": "06:00", "weekdays": [0, 1, 2, 3, 4, 5]}
    assert saved.scope.zone == fake_rules.ZONE.id


async def test_minutes_tick(nurse: Page, served: Served) -> None:
    await nurse.clock.install(time=fake_people.NOW + timedelta(days=3))
    await nurse.goto(f"{served.url}/alerts/{FALL}")
    await expect(nurse.locator("time[data-ago]")).to_have_text("4 min siden")
    await taken_over(nurse)
    await nurse.route("**/*fragment=1", lambda route: route.abort())
    await nurse.clock.fast_forward(3 * 60_000)
    await expect(nurse.locator("time[data-ago]")).to_have_text("7 min siden")


async def test_a_position_gets_old_before_the_eyes(nurse: Page, served: Served) -> None:
    await nurse.clock.install(time=fake_people.NOW)
    await nurse.goto(f"{served.url}/alerts/{fake_alerts.out_of_doors().id}")
    old = nurse.locator("#position [data-shows-at]")
    await expect(old).to_be_hidden()
    await taken_over(nurse)
    await nurse.route("**/*fragment=1", lambda route: route.abort())
    await nurse.clock.fast_forward(13 * 60_000)
    await expect(old).to_be_visible()
    await expect(old).to_contain_text("Gammel: funnet 03:11.")


async def test_a_device_page_asks_again_while_somebody_looks(
    nurse: Page, served: Served, front: fake.FakeFront
) -> None:
    """A sign of life is announced to nobody; what is open stays open."""
    front.sessions["token"] = replace(fake_people.Who(), roles=frozenset({"technical"}))
    await nurse.clock.install()
    await nurse.goto(f"{served.url}/devices/{fake_rules.DEVICE.id}")
    await watching(nurse, front)
    await nurse.locator("#raw-3 summary").tap()
    await nurse.locator("#numbers summary").tap()
    front.ruled.battery = 17
    await nurse.clock.run_for(31_000)
    await expect(nurse.locator("#standing")).to_contain_text("Batteri 17 %: lavt")
    await expect(nurse.locator("#raw-3 pre")).to_be_visible()
    await expect(nurse.locator("#numbers table")).to_be_visible()
