"""SMS: what each provider is asked, what its answers mean, what a message says and how long it is, and what is called back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.channels import Channel, Outgoing, load_channel
from alerts.channels._callback import CalledBack, Hears, Reported, Said, is_twilios, signed_url
from alerts.channels.sms import BASIC, EXTENSION, PRESETS, gsm, text_of
from alerts.delivery import Failed, HandedOver, Receipt
from alerts.model import Severity
from alerts.phone import e164, told
from alerts.phoned import says_yes
from alerts.render import ABOUT, LANGUAGES, SEVERITIES, TEST, translations
from tests.alerts.http_servers import Got, Service, serving
from tests.alerts.pages import PAGE
from tests.alerts.speakers import CALLBACK_SECRET, SECRET, SPEAKERS

PHONE = replace(PAGE, address="901 23 456", subject="Kritisk varsel i Hundvåg")
TEXT = "Kritisk varsel i Hundvåg, kl. 03:10.\nhttps://h.example/alerts/0199c0de-0000-7000-8000-000000000002"
STATUS = signed_url("https://h.example", CALLBACK_SECRET, "sms", "status", PAGE.page_id)

ONE, ONE_OF_SEVERAL = 160, 153
UNICODE_ONE, UNICODE_ONE_OF_SEVERAL = 70, 67


def parts(text: str) -> int:
    """How many SMS a text takes."""
    known = BASIC | EXTENSION
    if not all(each in known for each in text):
        units, one, several = len(text.encode("utf-16-le")) // 2, UNICODE_ONE, UNICODE_ONE_OF_SEVERAL
    else:
        units, one, several = sum(2 if each in EXTENSION else 1 for each in text), ONE, ONE_OF_SEVERAL
    return 1 if units <= one else -(-units // several)


async def asked(provider: str, outgoing: Outgoing = PHONE, **more: Any) -> tuple[Got, HandedOver | Failed]:
    """What a provider is asked, and what became of it."""
    speaker = SPEAKERS[f"sms by {provider}"]
    with serving(Service(body=speaker.taken)) as service:
        result = await speaker.channel_at(service.url, **more).send(outgoing)
    (got,) = service.got
    return got, result


# What is asked --------------------------------------------------------------------------------------------------------


async def test_twilio_is_asked_as_its_documentation_says() -> None:
    got, result = await asked("twilio")
    assert (got.method, got.path) == ("POST", "/2010-04-01/Accounts/AC0123/Messages.json")
    assert got.headers["authorization"].startswith("Basic ")
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    assert got.said == {"To": "+4790123456", "From": "+4759440000", "Body": TEXT, "StatusCallback": STATUS}
    assert result == HandedOver("taken as SM0123")


async def test_46elks_is_asked_as_its_documentation_says() -> None:
    got, _ = await asked("46elks")
    assert (got.method, got.path) == ("POST", "/a1/sms")
    assert got.said == {"to": "+4790123456", "from": "+4759440000", "message": TEXT, "whendelivered": STATUS}


async def test_link_mobility_is_asked_as_its_documentation_says() -> None:
    got, _ = await asked("link")
    assert (got.method, got.path, got.headers["content-type"]) == ("POST", "/sms/send", "application/json")
    assert got.said == {
        "source": "+4759440000",
        "sourceTON": "MSISDN",
        "destination": "+4790123456",
        "userData": TEXT,
        "platformId": "COMMON_API",
        "platformPartnerId": "4711",
        "refId": PAGE.page_id,
        "useDeliveryReport": True,
        "deliveryReportGates": ["XYZ"],
    }


@pytest.mark.parametrize(
    ("sender", "kind"), [("Vakt", "ALPHANUMERIC"), ("2229", "SHORTNUMBER"), ("+4759440000", "MSISDN")]
)
async def test_link_mobility_is_told_what_kind_of_sender_it_is(sender: str, kind: str) -> None:
    got, _ = await asked("link", sender=sender)
    assert (got.said["source"], got.said["sourceTON"]) == (sender, kind)


async def test_sveve_is_asked_as_its_documentation_says() -> None:
    got, result = await asked("sveve")
    assert (got.method, got.path) == ("POST", "/SMS/SendMessage")
    assert "authorization" not in got.headers
    assert got.said == {
        "user": "AC0123",
        "passwd": SECRET,
        "to": "4790123456",
        "msg": TEXT,
        "from": "+4759440000",
        "ref": PAGE.page_id,
        "f": "json",
    }
    assert result == HandedOver("taken as 42824112")


async def test_another_provider_is_a_description_and_no_code() -> None:
    got, result = await asked("custom")
    assert (got.method, got.path, got.headers["authorization"]) == ("POST", "/v2/messages", f"Bearer {SECRET}")
    assert got.said == {"recipients": ["4790123456"], "content": {"text": TEXT}}, "who does not report is not asked to"
    assert result == HandedOver("taken as m-1")


async def test_without_a_secret_nobody_is_asked_to_call_back() -> None:
    got, _ = await asked("twilio", callback_secret=None)
    assert "StatusCallback" not in got.said
    got, _ = await asked("twilio", replace(PHONE, base_url=""))
    assert "StatusCallback" not in got.said


async def test_a_page_that_is_tried_again_is_the_same_to_its_provider() -> None:
    first, _ = await asked("link")
    again, _ = await asked("link")
    assert first.said == again.said


@pytest.mark.parametrize(
    ("provider", "status", "body", "permanent", "broken"),
    [
        ("twilio", 400, b'{"code": 21211, "message": "Invalid To number", "status": 400}', True, True),
        ("twilio", 400, b'{"code": 21614, "message": "not a mobile number", "status": 400}', True, True),
        ("twilio", 400, b'{"code": 21606, "message": "From is not yours", "status": 400}', True, False),
        ("twilio", 401, b'{"code": 20003, "message": "Authenticate", "status": 401}', True, False),
        ("twilio", 429, b'{"code": 20429, "message": "Too Many Requests", "status": 429}', False, False),
        ("twilio", 201, b'{"status": "queued"}', False, False),
        ("46elks", 403, b"Not enough credits", True, False),
        ("link", 403, b'{"resultCode": 106101, "description": "Access denied"}', True, False),
        ("sveve", 200, b'{"response": {"fatalError": "Feil brukernavn/passord"}}', False, False),
        ("sveve", 200, b'{"response": {"msgOkCount": 0, "ids": [], "errors": [{"message": "Ugyldig nummer"}]}}', False, False),
        ("sveve", 200, b'[1, 2, {"response": null}]', False, False),
    ],
)  # fmt: skip
async def test_why_it_is_not_taken(provider: str, status: int, body: bytes, permanent: bool, broken: bool) -> None:
    with serving(Service(status, body)) as service:
        result = await SPEAKERS[f"sms by {provider}"].channel_at(service.url).send(PHONE)
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (permanent, broken)
    assert str(status) in result.reason


@pytest.mark.parametrize(
    "address", ["", "anne", "1234567", "+47 123", "+0123456789", "12345678", "+47 901 23 4567", "112"]
)
async def test_what_is_no_number_is_a_broken_contact_and_nothing_is_sent(address: str) -> None:
    with serving(Service()) as service:
        result = await SPEAKERS["sms by twilio"].channel_at(service.url).send(replace(PHONE, address=address))
    assert isinstance(result, Failed)
    assert result.contact_broken
    assert service.got == []


# Numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("90123456", "+4790123456"),
        (" 901 23 456 ", "+4790123456"),
        ("+47 90 12 34 56", "+4790123456"),
        ("0047 901-23-456", "+4790123456"),
        ("22\u00a033\u00a044\u00a055", "+4722334455"),
        ("+46 (70) 123 45 67", "+46701234567"),
        ("580012345678", None),
        ("+47580012345678", "+47580012345678"),
        ("02800", None),
        ("+47", None),
        ("+4790123456;+4790123457", None),
        ("９０１２３４５６", None),
    ],
)
def test_numbers_as_people_write_them(written: str, number: str | None) -> None:
    if number is None:
        with pytest.raises(ValueError, match="901 23 456"):
            e164(written)
    else:
        assert e164(written) == number


def test_numbers_as_providers_tell_them() -> None:
    assert {told(each) for each in ("+4790123456", "4790123456", "90123456", "004790123456")} == {"+4790123456"}
    assert told("46701234567") == "+46701234567"
    assert told("Telenor") is None
    assert told("2229") is None


# Texts ----------------------------------------------------------------------------------------------------------------

ZONES = ("Madla og Tjensvoll", "Hundvåg", "Øyane", "Kárášjohka", "Sør-Varanger, Øksfjord")
"""Of the length that zones have, and with the letters of the country."""


def outgoing(language: str, severity: Severity, zone: str, about: str | None = None) -> Outgoing:
    """As the dispatcher makes it, at a long address."""
    _ = translations(language).gettext
    alert = _("{severity} alert in {zone}").format(severity=_(SEVERITIES[severity]), zone=zone)
    subject = f"{_(ABOUT[about])} {alert}" if about else alert
    url = "https://vakt.stavanger.kommune.no/alerts/0199c0de-0000-7000-8000-000000000002"
    return replace(PAGE, subject=subject, url=url, severity=severity, language=language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("severity", Severity)
def test_an_alert_is_one_sms_in_every_language(language: str, zone: str, severity: Severity) -> None:
    for replies in (False, True):
        text = text_of(outgoing(language, severity, zone), replies=replies)
        assert set(text) <= BASIC | EXTENSION
        assert parts(text) == 1, (len(text), text)
        assert text.endswith("/alerts/0199c0de-0000-7000-8000-000000000002"), "the link comes last"
        assert "03:10" in text
        assert (translations(language).gettext("Reply 1 to take it.") in text) == replies


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_test_is_confirmed_and_not_taken(language: str) -> None:
    _ = translations(language).gettext
    url = "https://vakt.stavanger.kommune.no/confirm/k3y-of-this-page-and-no-other-page-at-all"
    text = text_of(replace(PAGE, subject=_(TEST), url=url, language=language, test=True), replies=True)
    assert _("Reply 1 to confirm.") in text
    assert _("Reply 1 to take it.") not in text
    assert text.endswith(url)
    assert parts(text) <= 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("about", ABOUT)
def test_with_a_word_about_a_lock_it_is_two_at_most(language: str, about: str) -> None:
    assert parts(text_of(outgoing(language, Severity.CRITICAL, "Madla og Tjensvoll", about), replies=True)) <= 2


def test_letters_that_cost_are_replaced_and_other_scripts_stay() -> None:
    assert gsm("Kárášjohka – «ny» ŋ đ 🚨 €") == 'Karasjohka - "ny" n d ? €'
    assert gsm("Æøå ÆØÅ é ü ñ") == "Æøå ÆØÅ é ü ñ"
    assert gsm("Пожар в доме") == "Пожар в доме"
    assert parts("Пожар " * 12) == 2
    assert [parts("a" * n) for n in (0, 160, 161, 306, 307)] == [1, 1, 2, 2, 3]
    assert [parts("€" * n) for n in (80, 81)] == [1, 2], "signs of the extension take two"
    assert parts("я" * 70) == 1
    assert parts("🚨" * 36) == 2, "a sign beyond the first plane takes two"


# Settings -------------------------------------------------------------------------------------------------------------

ACCOUNT: dict[str, Any] = {"provider": "twilio", "username": "AC0", "password": "sesame", "sender": "Vakt"}


@pytest.mark.parametrize(
    ("wrong", "told_so"),
    [
        ({"provider": "pigeon"}, "no provider 'pigeon'; there are twilio, 46elks, link, sveve, custom"),
        ({"provider": "custom"}, "needs its description"),
        ({"provider": "link"}, "each customer's own"),
        ({"provider": "link", "url": "https://wsx.example.net"}, "gate, partner, platform"),
        ({"sender": "Hjemmetjenesten i Stavanger"}, "at most 11"),
        ({"sender": "+47; DROP"}, "at most 11"),
        ({"password": ""}, "the password is missing"),
        ({"replies": True}, "nobody can reply to a name"),
        ({"replies": True, "sender": "+4759440000"}, "need callback_secret"),
        ({"callback_secret": "short"}, "16"),
        ({"url": "http://sms.example.org"}, "must be https"),
        ({"time_out_seconds": 0}, "greater than 0"),
    ],
)
def test_settings_that_cannot_work_say_why_and_tell_no_password(wrong: dict[str, Any], told_so: str) -> None:
    with pytest.raises(ValidationError) as refused:
        load_channel("sms", {**ACCOUNT, **wrong})
    assert told_so in str(refused.value)
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "told_so"),
    [
        ({"body": {"text": "{txt}"}}, "nothing is called txt"),
        ({"path": "/send/{password}"}, "a password does not stand in an address"),
        ({"path": "send"}, "path"),
        ({"id_at": ""}, "id_at"),
        ({"url": "http://sms.example.org"}, "must be https"),
        ({"color": "red"}, "color"),
    ],
)
def test_a_description_that_cannot_work_says_why(wrong: dict[str, Any], told_so: str) -> None:
    custom = {
        "url": "https://sms.example.org",
        "path": "/send",
        "encoding": "json",
        "body": {"t": "{text}"},
        "id_at": "id",
    }
    load_channel("sms", {**ACCOUNT, "provider": "custom", "custom": custom})
    with pytest.raises(ValidationError, match=told_so):
        load_channel("sms", {**ACCOUNT, "provider": "custom", "custom": {**custom, **wrong}})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_goes_over_tls_reports_and_takes_answers(name: str) -> None:
    preset = PRESETS[name]
    assert preset.url.startswith("https://") or name == "link"
    assert preset.reports is not None
    assert (preset.inbound is None) == (name == "link")
    assert preset.reports.received
    assert not preset.reports.received & preset.reports.failed


# Called back ----------------------------------------------------------------------------------------------------------


def hearing(provider: str) -> Hears:
    channel: Channel = SPEAKERS[f"sms by {provider}"].channel_at("https://sms.example.org")
    assert isinstance(channel, Hears)
    return channel


def call(said: Any, page: str = PAGE.page_id) -> CalledBack:
    return CalledBack("https://h.example", "/api/v1/callbacks/sms/status", page=page, said=said)


@pytest.mark.parametrize(
    ("provider", "said", "wanted"),
    [
        ("twilio", {"MessageSid": "SM1", "MessageStatus": "delivered"}, Reported(PAGE.page_id, Receipt.RECEIVED)),
        ("twilio", {"MessageStatus": "sent"}, None),
        (
            "twilio",
            {"MessageStatus": "undelivered", "ErrorCode": "30003"},
            Reported(PAGE.page_id, Receipt.FAILED, "undelivered 30003"),
        ),
        (
            "twilio",
            {"MessageStatus": "failed", "ErrorCode": "21614"},
            Reported(PAGE.page_id, Receipt.FAILED, "failed 21614", permanent=True),
        ),
        ("46elks", {"id": "s1", "status": "delivered", "delivered": "2026-11-26"}, Reported(PAGE.page_id, Receipt.RECEIVED)),
        ("46elks", {"id": "s1", "status": "failed"}, Reported(PAGE.page_id, Receipt.FAILED, "failed")),
        ("link", {"refId": "p", "id": "x", "resultCode": 1001}, Reported("p", Receipt.RECEIVED)),
        ("link", {"refId": "p", "id": "x", "resultCode": 1000}, None),
        ("link", {"refId": "p", "resultCode": 1002}, Reported("p", Receipt.FAILED, "1002 1002")),
        ("link", {"refId": "p", "resultCode": 2104}, Reported("p", Receipt.FAILED, "2104 2104", permanent=True)),
        ("sveve", {"ref": "p", "status": "true", "number": "4790123456"}, Reported("p", Receipt.RECEIVED)),
        ("sveve", {"ref": "p", "status": False, "errorCode": "7"}, Reported("p", Receipt.FAILED, "false 7")),
        ("custom", {"status": "delivered"}, None),
    ],
)  # fmt: skip
def test_what_became_of_a_message(provider: str, said: dict[str, Any], wanted: Reported | None) -> None:
    assert hearing(provider).report(call(said)) == wanted


@pytest.mark.parametrize("said", [None, [], {}, "x", {"MessageStatus": {"a": 1}}, {"MessageStatus": None}, 7])
def test_a_report_that_cannot_be_read_is_a_plain_error(said: Any) -> None:
    with pytest.raises(ValueError, match="MessageStatus"):
        hearing("twilio").report(call(said))
    with pytest.raises(ValueError, match="refId"):
        hearing("link").report(call({"resultCode": 1001}))


@pytest.mark.parametrize(
    ("provider", "said", "wanted"),
    [
        ("twilio", {"From": "+4790123456", "Body": " 1 ", "MessageSid": "SM9"}, Said("1", "+4790123456", id="SM9")),
        ("46elks", {"from": "+4790123456", "message": "Ja", "id": "s9"}, Said("Ja", "+4790123456", id="s9")),
        ("sveve", {"number": "4790123456", "msg": "VAKT 1", "prefix": "Vakt"}, Said("1", "+4790123456")),
        ("sveve", {"number": "90123456", "msg": "1", "prefix": ""}, Said("1", "+4790123456")),
        ("twilio", {"From": "Telenor", "Body": "1"}, None),
        ("twilio", None, None),
        ("custom", {"from": "90123456", "text": "1"}, None),
    ],
)
def test_what_somebody_wrote(provider: str, said: Any, wanted: Said | None) -> None:
    assert hearing(provider).inbound(call(said, page="")) == wanted


@pytest.mark.parametrize("yes", ["1", "1.", " 1 ", "ja", "Ja!", "JA 1", "ja, 1", "1 ja", "yes", "Yes 1."])
def test_a_yes(yes: str) -> None:
    assert says_yes(yes)


@pytest.mark.parametrize(
    "no", ["", "0", "2", "11", "nei", "1 nei", "ikke 1", "ja men jeg er syk", "kl 1", "STOP", "?", "🚨"]
)
def test_no_yes(no: str) -> None:
    assert not says_yes(no)


@pytest.mark.parametrize(
    ("caller", "signature"),
    [("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")],
)
def test_twilios_signature_as_its_documentation_and_its_library_have_it(caller: str, signature: str) -> None:
    fields = (
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", caller),
        ("Digits", "1234"),
        ("From", caller),
        ("To", "+18005551212"),
    )
    called = CalledBack("https://mycompany.com", "/myapp.php", "foo=1&bar=2", pairs=fields)
    signed = replace(called, headers={"x-twilio-signature": signature})
    assert is_twilios(signed, "12345")
    assert not is_twilios(signed, "12346")
    assert not is_twilios(called, "12345")
    assert not is_twilios(replace(signed, pairs=(*fields, ("Digits", "1"))), "12345")
    assert not is_twilios(replace(signed, query="foo=1&bar=3"), "12345")


def test_how_an_answer_reaches_who_wrote() -> None:
    zone = 'Øyane & "Holmen"'
    kind, xml = hearing("twilio").reply(zone, "nb")
    assert (kind, xml) == ("text/xml", '<Response><Message>Øyane &amp; "Holmen"</Message></Response>')
    assert hearing("46elks").reply(zone, "nb") == ("text/plain", zone)
    assert hearing("link").reply(zone, "nb") == ("text/plain", "")
    assert hearing("twilio").reply("", "nb") == ("text/plain", "")
