"""Every channel, found by itself, keeps the promises of ``alerts.channels``; those that speak HTTP against real servers."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from alerts import channels
from alerts.channels import Channel, channel_names, load_channel
from alerts.channels.canary import ADDRESS, MOST_WAITING, Canary
from alerts.delivery import Failed, HandedOver
from alerts.model import Severity
from alerts.render import LANGUAGES, page_text
from gateway.embedded import LOOPBACK, free_port
from tests.alerts.http_servers import (
    Service,
    drips_a_body,
    drips_headers,
    hangs_up_in_the_middle,
    never_ends,
    packs_nonsense,
    sends_a_page,
    serving,
    speaks_garbage_after_a_request,
)
from tests.alerts.mail_servers import hangs_up, says_nothing, talking
from tests.alerts.pages import HOSTILE, PAGE
from tests.alerts.speakers import CALLBACK_SECRET, CONFIGS, SECRET, SPEAKERS, Speaker

Talk = Callable[[socket.socket, threading.Event], None]
every_speaker = pytest.mark.parametrize("name", SPEAKERS)


# Every channel --------------------------------------------------------------------------------------------------------


def unanswered(name: str) -> dict[str, Any]:
    """Settings that lead to a port where nobody listens, where a channel has such."""
    fields = config_of(name).model_fields
    known = {"host": LOOPBACK, "port": free_port(), "time_out_seconds": 0.5}
    own = CONFIGS[name](f"http://{LOOPBACK}:{free_port()}") if name in CONFIGS else {}
    return own | {field: value for field, value in known.items() if field in fields}


def config_of(name: str) -> Any:
    return import_module(f"{channels.__name__}.{name}").CHANNEL.Config


def checked(channel: Channel, address: str) -> tuple[str | None, str]:
    """The form in which an address is kept; or why it is not."""
    try:
        return channel.check_address(address), ""
    except ValueError as error:
        return None, str(error)


def test_there_are_channels() -> None:
    assert {"apprise", "email", "in_app", "ntfy", "sms", "voice"} <= set(channel_names())
    assert not [name for name in channel_names() if name.startswith("_")]


@pytest.mark.parametrize("name", channel_names())
def test_whoever_speaks_http_is_in_the_suite(name: str) -> None:
    assert "url" not in config_of(name).model_fields or name in CONFIGS, (
        "say in tests/alerts/speakers.py how it is set up"
    )


@pytest.mark.parametrize("name", channel_names())
def test_it_refuses_a_setting_that_it_does_not_know(name: str) -> None:
    with pytest.raises(ValidationError, match="colour"):
        load_channel(name, {**unanswered(name), "colour": "red"})


@pytest.mark.parametrize("name", channel_names())
async def test_it_never_raises_whatever_it_is_given(name: str) -> None:
    channel = load_channel(name, unanswered(name))
    for outgoing in (PAGE, *HOSTILE):
        assert isinstance(await channel.send(outgoing), HandedOver | Failed)
        if isinstance(channel, channels.Recalls):
            assert isinstance(await channel.recall(outgoing), HandedOver | Failed)


@pytest.mark.parametrize("name", channel_names())
def test_it_keeps_an_address_in_one_form_or_says_what_it_must_be(name: str) -> None:
    channel = load_channel(name, unanswered(name))
    for outgoing in (PAGE, *HOSTILE):
        kept, wrong = checked(channel, outgoing.address)
        if kept is None:
            assert wrong.startswith("must ")
            assert wrong.isprintable()
        else:
            assert kept.isprintable()
            assert checked(channel, kept) == (kept, "")


def test_an_unknown_channel_says_which_there_are() -> None:
    with pytest.raises(KeyError, match="in_app"):
        load_channel("pigeon", {})
    with pytest.raises(KeyError, match="in_app"):
        load_channel("_http", {})


async def test_in_app_is_handed_over_by_being_stored() -> None:
    assert await load_channel("in_app", {}).send(PAGE) == HandedOver("in app")


async def test_the_canarys_phone_is_nobody_elses_and_is_not_full_for_ever() -> None:
    phone = Canary(Canary.Config())
    other = await phone.send(PAGE)
    assert isinstance(other, Failed)
    assert (other.permanent, other.contact_broken, phone.arrived.empty()) == (True, True, True)
    own = replace(PAGE, address=ADDRESS)
    assert {type(await phone.send(own)) for _ in range(MOST_WAITING)} == {HandedOver}
    full = await phone.send(own)
    assert isinstance(full, Failed)
    assert not full.permanent
    assert phone.arrived.get_nowait() == own
    assert isinstance(await phone.send(own), HandedOver)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_says_where_how_bad_and_when_and_nothing_of_anybody(language: str) -> None:
    at = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
    page = page_text(language, Severity.CRITICAL, "Madla", at, "https://h.example/a/1", ZoneInfo("Europe/Oslo"))
    assert "Madla" in page.subject
    assert "03:10" in page.text
    assert page.text.strip().endswith("https://h.example/a/1")
    assert "\n" not in page.subject


# Those that speak HTTP ------------------------------------------------------------------------------------------------


async def sent(speaker: Speaker, service: Service, **more: Any) -> HandedOver | Failed:
    """One page, to a service."""
    with serving(service):
        page = replace(PAGE, address=speaker.address(service.url))
        return await speaker.channel_at(service.url, **more).send(page)


@every_speaker
async def test_it_is_handed_over_when_the_service_takes_it(name: str) -> None:
    service = Service(body=SPEAKERS[name].taken)
    assert isinstance(await sent(SPEAKERS[name], service), HandedOver)
    assert len(service.got) == 1, "one page, one request: nobody but alerts.delivery tries again"


@every_speaker
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
async def test_what_the_service_will_say_again_is_not_tried_again(name: str, status: int) -> None:
    result = await sent(SPEAKERS[name], Service(status))
    assert isinstance(result, Failed)
    assert result.reason
    assert result.permanent == SPEAKERS[name].thorough
    assert not result.contact_broken, "a status says nothing about a contact"


@every_speaker
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 301, 302, 307, 308])
async def test_what_passes_is_tried_again(name: str, status: int) -> None:
    result = await sent(SPEAKERS[name], Service(status, SPEAKERS[name].taken))
    assert isinstance(result, Failed)
    assert not result.permanent
    assert result.reason


@every_speaker
@pytest.mark.parametrize("status", [429, 503])
async def test_it_waits_as_long_as_it_is_asked_to(name: str, status: int) -> None:
    date = {"Date": "Thu, 26 Nov 2026 03:00:00 GMT"}
    asked = [({"Retry-After": "7"}, 7), (date | {"Retry-After": "Thu, 26 Nov 2026 03:00:09 GMT"}, 9)]
    for headers, seconds in asked if SPEAKERS[name].thorough else []:
        result = await sent(SPEAKERS[name], Service(status, headers=headers))
        assert isinstance(result, Failed)
        assert result.after == timedelta(seconds=seconds)
    for nonsense in ("soon", "-1", "Thu, 99 Nov 2026", "9" * 400, ""):
        result = await sent(SPEAKERS[name], Service(status, headers={"Retry-After": nonsense}))
        assert isinstance(result, Failed)
        assert result.after is None


@every_speaker
async def test_a_redirect_is_not_followed(name: str) -> None:
    speaker = SPEAKERS[name]
    with serving(Service(body=speaker.taken)) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            result = await sent(speaker, Service(status, headers={"Location": f"{elsewhere.url}/collect"}))
            assert isinstance(result, Failed)
        assert elsewhere.got == [], "what a page says goes to whom the settings name"


MAD: list[Talk] = [
    says_nothing,
    hangs_up,
    hangs_up_in_the_middle,
    speaks_garbage_after_a_request,
    drips_headers,
    drips_a_body,
    packs_nonsense,
]
MAD_IN_WHAT_IT_SAYS: list[Talk] = [never_ends, sends_a_page]
"""For those that look at what is said; Apprise reads all that comes, and takes any 2xx for a yes."""


@pytest.mark.parametrize(
    ("name", "talk"),
    [
        (name, talk)
        for name, speaker in SPEAKERS.items()
        for talk in (*MAD, *(MAD_IN_WHAT_IT_SAYS if speaker.thorough else ()))
    ],
)
async def test_a_service_out_of_its_mind_is_left_in_time(name: str, talk: Talk) -> None:
    speaker = SPEAKERS[name]
    with talking(talk) as port:
        url = f"http://{LOOPBACK}:{port}"
        channel = speaker.channel_at(url, time_out_seconds=0.4)
        async with asyncio.timeout(30):  # its own holds for the whole conversation, which would never end
            result = await channel.send(replace(PAGE, address=speaker.address(url)))
    assert isinstance(result, Failed)
    assert not result.permanent
    assert result.reason


@every_speaker
async def test_no_secret_is_told_whatever_a_service_answers(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service = Service(400, repeats=True)
    result = await sent(SPEAKERS[name], service)
    assert isinstance(result, Failed)
    told = result.reason + caplog.text
    (got,) = service.got
    encoded = got.headers.get("authorization", "").rpartition(" ")[2]
    for secret in filter(None, (SECRET, CALLBACK_SECRET, PAGE.page_key, encoded)):
        assert secret not in told


@every_speaker
async def test_hostile_texts_reach_the_service_or_are_refused(name: str) -> None:
    """An alarm is not lost for a strange letter; nothing in a text is read as a template or as a field of its own."""
    speaker = SPEAKERS[name]
    with serving(Service(body=speaker.taken)) as service:
        for outgoing in (each for each in HOSTILE if each.address == PAGE.address):
            page = replace(outgoing, address=speaker.address(service.url))
            assert isinstance(await speaker.channel_at(service.url).send(page), HandedOver), outgoing
    for got in service.got:
        assert "\r\n" not in str(got.headers)
        assert SECRET not in str(got.said.get("text", "")) + str(got.said.get("Body", "")) + str(
            got.said.get("msg", "")
        )


@every_speaker
async def test_a_password_is_not_sent_in_the_clear(name: str) -> None:
    if "url" in config_of(SPEAKERS[name].channel).model_fields:
        for url in (
            "http://sms.example.org",
            "ftp://sms.example.org",
            "https://kari:pw@sms.example.org",
            "sms",
            "https://",
        ):
            with pytest.raises(ValidationError) as wrong:
                SPEAKERS[name].channel_at(url)
            assert SECRET not in str(wrong.value)
        SPEAKERS[name].channel_at("https://sms.example.org/below")
