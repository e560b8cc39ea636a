"""What leaves for phones, by every channel, in every language: zone, severity, time and a link, and nothing of anybody.

Every template is walked: those of a page and those of the channels, for every severity and every word about a lock; of tests, of
several alerts in one message, and what a phone shows by itself. And a whole
gateway sends about everything that every kind of device has rules for, to real servers that keep all they get.
"""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_from_file

import alerts.channels
from alerts import phoned
from alerts.channels import load_channel
from alerts.channels.web_push import Kind, payload
from alerts.contacts import PAGE_TEST
from alerts.delivery import HandedOver
from alerts.model import Severity
from alerts.render import (
    ABOUT,
    CONDITIONS,
    LANGUAGES,
    PUSH_TEST,
    TEST,
    bundle_text,
    condition_text,
    page_text,
    translations,
)
from devices.health import HEALTH_WORDS
from devices.kinds import kinds
from gateway.embedded import LOOPBACK, Broker
from gateway.web.phone import WORDS, words
from tests.alerts.http_servers import Got, Service, serving
from tests.alerts.mail_servers import PostOffice, opened
from tests.alerts.pages import PAGE
from tests.alerts.speakers import SPEAKERS
from tests.support.mail import MailServer
from tests.support.world import world

ZONE = "Madla og Tjensvoll"
MAY_SAY = {"alert", "time", "zone", "severity"}
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None}
KEPT_APART = (
    "Beboer",
    "Granveien",
    "Nøkkelboks",
    "51 00 00 00",
    "51000000",
    "Kari",
    "Ola",
    "Siri",
    "stue",
    "fall-",
    "disp-",
)
"""Of the world's people, homes and devices."""


def diagnoses(language: str) -> set[str]:
    """What a condition or a kind is called: whoever reads it knows what is wrong with somebody, or what hangs on their wall."""
    names = (
        {name for kind in kinds().values() for name in kind.words.conditions}
        | set(HEALTH_WORDS.conditions)
        | set(CONDITIONS)
    )
    said = {condition_text(name, kind, language) for name in names for kind in (None, *kinds())}
    called = set(kinds()) | {name.replace("_", " ") for name in kinds()}
    called |= {translations(language).gettext(kind.words.name) for kind in kinds().values()}
    return {each.casefold() for each in said | called if len(each) > 3}


def words_in(got: Got) -> str:
    """All that a server got, as somebody would read it."""
    return (
        unquote_plus(got.body.decode()).encode().decode("unicode_escape", "replace")
        + unquote_plus(got.path)
        + got.body.decode()
    )


def betrayed(text: str, language: str) -> list[str]:
    """What of all that must not be said is said, as words of their own."""
    read = text.casefold()
    found = [each for each in diagnoses(language) if re.search(rf"(?<!\w){re.escape(each)}(?!\w)", read)]
    return [*found, *(each for each in KEPT_APART if each in text)]


def test_the_search_finds_what_it_looks_for() -> None:
    assert "fall" in diagnoses("nb")
    assert betrayed("Fall hos Beboer 1", "nb") == ["fall", "Beboer"]
    assert betrayed("Dose ikke bekreftet.", "nb") == ["dose ikke bekreftet"]
    assert betrayed("Kritisk varsel i Fallvika", "nb") == []


def test_every_template_of_a_channel_has_room_for_nothing_personal() -> None:
    folder = Path(next(iter(alerts.channels.__path__)))
    found = {text for _, _, text, _, _ in extract_from_dir(folder, [("**.py", "python")], keywords=KEYWORDS)}
    found |= {text for _, text, _, _ in extract_from_file("python", str(phoned.__file__), KEYWORDS)}
    assert {"Reply 1 to take it.", "You have the alert in {zone}."} <= found
    for text in (*found, *ABOUT.values()):
        assert set(re.findall(r"\{(\w+)\}", str(text))) <= MAY_SAY, text
    for language in LANGUAGES:
        for text in (*found, *ABOUT.values()):
            assert betrayed(translations(language).gettext(str(text)), language) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("about", [None, *ABOUT])
async def test_every_page_by_every_channel(language: str, about: str | None) -> None:
    at = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
    for severity in Severity:
        text = page_text(language, severity, ZONE, at, PAGE.url, ZoneInfo("Europe/Oslo"), about)
        page = replace(PAGE, subject=text.subject, text=text.text, severity=severity, language=language)
        for name, speaker in SPEAKERS.items():
            with serving(Service(body=speaker.taken)) as service:
                sent = replace(page, address=speaker.address(service.url))
                assert isinstance(await speaker.channel_at(service.url).send(sent), HandedOver)
            said = words_in(service.got[0])
            assert ZONE in said, (name, said)
            assert "03:10" in said or speaker.channel == "voice"
            assert PAGE.url in said or speaker.channel == "voice"
            assert betrayed(said, language) == [], name
        office = PostOffice()
        with opened(office):
            mail = load_channel("email", {"host": LOOPBACK, "port": office.port})
            assert isinstance(await mail.send(page), HandedOver)
        content = office.taken[0].content
        assert isinstance(content, bytes)
        read = message_from_bytes(content, policy=policy.default)
        assert betrayed(f"{read['Subject']} {read.get_content()}", language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_browsers_push_service_passes_on_says_nothing_of_anybody(language: str) -> None:
    at = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
    kinds_of_push: tuple[Kind, ...] = ("page", "recall", "test")
    for about, severity in product((None, PAGE_TEST, *ABOUT), Severity):
        text = page_text(language, severity, ZONE, at, PAGE.url, ZoneInfo("Europe/Oslo"), about)
        page = replace(PAGE, subject=text.subject, text=text.text, severity=severity, language=language)
        for kind in kinds_of_push:
            told = json.loads(payload(page, kind))
            assert set(told) == {"kind", "page", "title", "body", "url", "severity", "language"}
            assert betrayed(f"{told['title']} {told['body']}", language) == []
            assert (ZONE in told["title"]) == (about != PAGE_TEST)
            assert told["url"] == urlsplit(PAGE.url).path, "a path of ours, and an id"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_about_several_alerts_says_how_many_and_where(language: str) -> None:
    for zones in ([ZONE, ZONE], [ZONE, "Hundvåg"]):
        text = bundle_text(language, zones, "https://h.example/alerts")
        assert (ZONE in text.subject) == (len(set(zones)) == 1)
        assert "2" in text.subject
        assert betrayed(f"{text.subject} {text.text}", language) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_test_says_that_it_is_one_and_nothing_else(language: str) -> None:
    at = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
    url = f"{PAGE.base_url}/confirm/{PAGE.page_key}"
    text = page_text(language, Severity.MODERATE, ZONE, at, url, ZoneInfo("Europe/Oslo"), PAGE_TEST)
    page = replace(PAGE, subject=text.subject, text=text.text, url=url, language=language, test=True)
    gettext = translations(language).gettext
    for name, speaker in SPEAKERS.items():
        with serving(Service(body=speaker.taken)) as service:
            sent = replace(page, address=speaker.address(service.url))
            assert isinstance(await speaker.channel_at(service.url).send(sent), HandedOver)
        said = words_in(service.got[0])
        assert gettext(TEST).partition(": ")[2] in said, name
        assert ZONE not in said, name
        assert betrayed(said, language) == [], name
        assert gettext("I take it") not in said, "nobody is asked to take it"
    for each in PUSH_TEST:
        assert betrayed(gettext(each), language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_phone_says_by_itself_has_nobody_in_it(language: str) -> None:
    said = words(language)
    own = [said[name] for name in WORDS]
    for text in (*own, *said["claims"].values(), *said["refusals"].values()):
        assert set(re.findall(r"\{(\w+)\}", text)) <= MAY_SAY, text
        assert betrayed(text.replace("was not taken", ""), language) == [], "an answer; a dose is called so, too"


async def test_nothing_of_anybody_leaves_a_gateway_whatever_happens(
    migrated_url: str, broker: Broker, smtp: MailServer
) -> None:
    names = ["ntfy", "sms by 46elks", "voice by twilio", "apprise"]
    async with AsyncExitStack() as servers:
        services = {name: servers.enter_context(serving(Service(body=SPEAKERS[name].taken))) for name in names}
        settings: dict[str, Any] = {
            "public_url": "https://vakt.example.org",
            "callback_secret": "a secret of this gateway",
            "ntfy_url": services["ntfy"].url,
            "apprise_schemes": "json",
            "apprise_hosts": "127.0.0.1",
            **_account("sms", "46elks", services["sms by 46elks"]),
            **_account("voice", "twilio", services["voice by twilio"]),
        }
        async with world(migrated_url, broker, smtp, **settings) as town:
            for position, name in enumerate(names, 1):
                await town.contact("Kari", SPEAKERS[name].channel, SPEAKERS[name].address(services[name].url), position)
            await town.contact("Kari", "email", "k@example.org", 9)
            await town.rows("UPDATE zone SET name = %s WHERE name = 'Sone'", ZONE)
            home = await town.home()
            await town.says(home.fall_alarm, "fall", impact_g=4.5)
            await town.says(home.fall_alarm, "button_pressed")
            await town.says(home.dispenser, "jammed")
            await town.publishes(
                f"hv/v1/{town.site}/fall_alarm/{home.fall_alarm.address.address}/alarm", b"\xff rubbish"
            )
            await town.passes(minutes=4)
            raised = {each["condition"] for each in await town.alerts()}
            assert {"fall", "button_pressed", "uninterpretable_alarm"} <= raised
            for name, service in services.items():
                assert service.got, name
                for got in service.got:
                    said = re.sub(r"/pages/[\w-]+", "", words_in(got))  # keys of chance
                    said = said.replace("vakt-kari-6fP0x2mQ9sLr", "").replace("kari:", "")
                    assert ZONE in said, name
                    assert betrayed(said, "nb") == [], (name, said)
            assert smtp.messages
            for mail in smtp.messages:
                assert betrayed(str(mail), "nb") == []


def _account(channel: str, provider: str, service: Service) -> dict[str, str]:
    account = {
        "provider": provider,
        "url": service.url,
        "username": "AC1",
        "password": "sesame",
        "sender": "+4759440000",
    }
    return {f"{channel}_{name}": value for name, value in account.items()}
