"""Voice: what a call says, which keys it waits for, and what is called back of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from pydantic import ValidationError

from alerts.channels import load_channel
from alerts.channels._callback import CalledBack, Hears, Reported, Said, signed_url
from alerts.delivery import Failed, Receipt
from tests.alerts.http_servers import Service, serving
from tests.alerts.pages import PAGE
from tests.alerts.speakers import ACCOUNT, CALLBACK_SECRET, SPEAKERS

CALL = replace(PAGE, address="+4790123456", subject='Kritisk varsel i Øyane & "Holmen" <x>')
SPEAKER = SPEAKERS["voice by twilio"]
SAYS = {
    "nb": ("nb-NO", "Dette er varslingen for hjemmetjenesten. {}. Trykk 1 for å ta det."),
    "nn": ("nb-NO", "Dette er varslinga for heimetenesta. {}. Trykk 1 for å ta det."),
    "en": ("en-GB", "This is the home care alarm. {}. Press 1 to take it."),
}


@pytest.mark.parametrize("language", SAYS)
async def test_it_says_twice_what_and_where_and_waits_for_a_key(language: str) -> None:
    with serving(Service(body=SPEAKER.taken)) as service:
        await SPEAKER.channel_at(service.url).send(replace(CALL, language=language))
    (got,) = service.got
    assert got.path == "/2010-04-01/Accounts/AC0123/Calls.json"
    assert {name: got.said[name] for name in ("To", "From", "Timeout")} == {
        "To": "+4790123456",
        "From": "+4759440000",
        "Timeout": "25",
    }
    assert got.said["StatusCallback"] == signed_url(
        "https://h.example", CALLBACK_SECRET, "voice", "status", PAGE.page_id
    )
    assert len(got.said["Twiml"]) < 4000
    response = ET.fromstring(got.said["Twiml"])
    gather = response.find("Gather")
    assert gather is not None
    assert (gather.get("numDigits"), gather.get("input")) == ("1", "dtmf")
    assert gather.get("action") == signed_url("https://h.example", CALLBACK_SECRET, "voice", "pressed", PAGE.page_id)
    voice, words = SAYS[language]
    assert [(each.get("language"), each.text) for each in gather.findall("Say")] == [
        (voice, words.format(CALL.subject))
    ] * 2
    assert [each.tag for each in response] == ["Gather", "Hangup"]


async def test_what_is_long_still_fits() -> None:
    with serving(Service(body=SPEAKER.taken)) as service:
        await SPEAKER.channel_at(service.url).send(replace(CALL, subject="&" * 5000))
    assert ET.fromstring(service.got[0].said["Twiml"]) is not None


async def test_without_an_address_of_ours_nobody_is_called() -> None:
    with serving(Service(body=SPEAKER.taken)) as service:
        result = await SPEAKER.channel_at(service.url).send(replace(CALL, base_url=""))
    assert isinstance(result, Failed)
    assert not result.permanent
    assert service.got == []


def hearing() -> Hears:
    channel = SPEAKER.channel_at("https://calls.example.org")
    assert isinstance(channel, Hears)
    return channel


def call(**said: str) -> CalledBack:
    return CalledBack("https://h.example", "/api/v1/callbacks/voice/pressed", page=PAGE.page_id, said=said)


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
def test_who_was_not_reached_is_told_at_once(status: str) -> None:
    assert hearing().report(call(CallStatus=status)) == Reported(PAGE.page_id, Receipt.FAILED, status)


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "completed"])
def test_that_somebody_or_a_voicemail_answered_is_no_receipt(status: str) -> None:
    assert hearing().report(call(CallStatus=status)) is None


def test_a_key() -> None:
    assert hearing().inbound(call(Digits="1", CallSid="CA7")) == Said("1", page=PAGE.page_id, id="CA7")
    kind, xml = hearing().reply("Du har varselet i Øyane & Holmen.", "nn")
    assert kind == "text/xml"
    response = ET.fromstring(xml)
    assert [(each.tag, each.text) for each in response] == [
        ("Say", "Du har varselet i Øyane & Holmen."),
        ("Hangup", None),
    ]


@pytest.mark.parametrize(
    "wrong", [{"callback_secret": None}, {"provider": "46elks"}, {"url": "http://calls.example.org"}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    load_channel("voice", {**ACCOUNT, "provider": "twilio"})
    with pytest.raises(ValidationError):
        load_channel("voice", {**ACCOUNT, "provider": "twilio", **wrong})
