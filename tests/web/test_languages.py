"""Whoever reads bokmål or nynorsk meets no English on any page: nothing that has a translation is shown without it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import httpx
import pytest
from babel.messages.pofile import read_po

from tests.web import fake, fake_alerts, fake_demo, fake_people
from tests.web.places import EVERYTHING, FOR_GUESTS, OURS_AND_THE_DEMOS, places
from tests.web.test_translations import CODE, PLACEHOLDER

SPOKEN = ("aria-label", "placeholder", "title", "alt", "content")
OTHERS_WORDS = {"pre", "code", "style", "script"}
"""What devices and programs say is shown as it is."""
EMPTY = {"meta", "link", "input", "br", "img", "path", "circle", "rect", "hr"}


class Spoken(HTMLParser):
    """The texts of a page that are for its reader: words between tags, and those that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._foreign: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        foreign = any(self._foreign[-1:]) or tag in OTHERS_WORDS or given.get("lang") == "en"
        if tag not in EMPTY:
            self._foreign.append(foreign)
        if not foreign:
            self.texts += [value for name, value in attrs if value and (name in SPOKEN or name.startswith("data-"))]

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY and self._foreign:
            self._foreign.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(self._foreign[-1:]):
            self.texts.append(" ".join(data.split()))


@cache
def english(language: str) -> Mapping[str, re.Pattern[str]]:
    """Every text that reads otherwise in a language, as a pattern: a phrase anywhere, a single word alone."""
    with (CODE / "locale" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    found: dict[str, re.Pattern[str]] = {}
    for message in catalogue:
        text = str(message.id)
        if text == message.string or not re.search(r"\w", PLACEHOLDER.sub("", text)):
            continue
        pattern = r".+?".join(re.escape(part) for part in PLACEHOLDER.split(text))
        words = PLACEHOLDER.sub("", text).split()
        found[text] = re.compile(rf"(?<!\w){pattern}(?!\w)" if len(words) > 1 else rf"^{pattern}\W*$")
    return found


def left(page: str, language: str) -> set[str]:
    """The texts of a page that are English still."""
    spoken = Spoken()
    spoken.feed(page)
    return {text for text, pattern in english(language).items() for said in spoken.texts if pattern.search(said)}


@OURS_AND_THE_DEMOS
@pytest.mark.parametrize("language", ["nb", "nn"])
async def test_no_page_speaks_english_to_whoever_reads_norwegian(
    guest: httpx.AsyncClient, front: fake.FakeFront, demo_stage: fake_demo.FakeStage | None, language: str
) -> None:
    front.sessions["token"] = replace(EVERYTHING, language=language)
    guest.headers["Accept-Language"] = language
    front.alerts += [
        fake_alerts.alert(
            30, stage="arrived", holder=fake_people.ME, mine=True, answers=["close", "hand_over", "release"]
        )
    ]
    found = {}
    for place in [*places(demo_stage), f"/alerts/{fake_alerts.alert(30).id}"]:
        cookie = {} if place in FOR_GUESTS else {"Cookie": "hjemmevakt_session=token"}
        page = await guest.get(place, headers=cookie)
        assert f'<html lang="{language}">' in page.text
        found[place] = left(page.text, language)
    assert {place: texts for place, texts in found.items() if texts} == {}


@pytest.mark.parametrize("demo_stage", [fake_demo.FakeStage()])
async def test_one_click_in_the_demo_keeps_the_visitors_language(
    guest: httpx.AsyncClient, front: fake.FakeFront, demo_stage: fake_demo.FakeStage
) -> None:
    assert front.sessions["token"].language == "nb"
    guest.headers["Accept-Language"] = "en-GB,en;q=0.9"
    reply = await guest.post("/demo/be", data={"as": "nurse"})
    assert reply.headers["location"] == "/alerts"
    page = await guest.get("/happen", headers={"Cookie": "hjemmevakt_session=token"})
    assert "Make something happen" in page.text


def test_a_planted_text_is_found() -> None:
    page = "<main><h1>Varsler</h1><p>Nobody has answered since 03:08</p><pre>No open alerts</pre><b aria-label='Call 99'></b>"
    assert left(page, "nb") == {"Nobody has answered since %(time)s", "Call %(number)s"}
