"""SMS and calls, through a provider that is a real HTTP server: what is sent, what is reported, what people answer."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from xml.etree import ElementTree as ET

import httpx
import pytest

from alerts.channels._callback import signed_url
from alerts.contacts import State
from alerts.delivery import Receipt
from gateway.embedded import Broker
from gateway.metrics import METRICS
from tests.alerts.http_servers import Service, serving
from tests.gateway.served import Served, problem, served
from tests.support.phones import Phones

OURS = "https://vakt.example.org"
SECRET = "a secret of this gateway"
PASSWORD = "the password at the provider"
KARI, OLA = "901 23 456", "+47 901 23 457"
FORM = "application/x-www-form-urlencoded"
TAKEN = {"46elks": b'{"id": "s1"}', "twilio": b'{"sid": "SM1"}'}


@asynccontextmanager
async def reached_by(
    channel: str, provider: str, url: str, broker: Broker, **more: Any
) -> AsyncIterator[tuple[Served, Service]]:
    """Kari and Ola can be reached by this channel only; the service is its provider."""
    with serving(Service(body=TAKEN[provider])) as service:
        account = {
            "provider": provider, "url": service.url, "username": "AC1", "password": PASSWORD, "sender": "+4759440000"
        }  # fmt: skip
        settings = {f"{channel}_{name}": value for name, value in account.items()}
        async with served(url, broker, public_url=OURS, callback_secret=SECRET, **settings, **more) as it:
            await it.town.unreachable("Kari", "Ola")
            await it.town.contact("Kari", channel, KARI)
            await it.town.contact("Ola", channel, OLA)
            yield it, service


def ours(url: str) -> str:
    """The path of an address that we gave out."""
    assert url.startswith(f"{OURS}/")
    return url.removeprefix(OURS)


async def told(it: Served, path: str, signed_with: str = "", **fields: str) -> httpx.Response:
    """A provider calls back; as Twilio does where it signs."""
    headers = {"Content-Type": FORM}
    if signed_with:
        data = f"{OURS}{path}" + "".join(f"{name}{fields[name]}" for name in sorted(fields))
        headers["X-Twilio-Signature"] = b64encode(
            hmac.digest(signed_with.encode(), data.encode(), hashlib.sha1)
        ).decode()
    reply = await it.http.post(path, content=urlencode(fields), headers=headers)
    await it.town.settle()
    return reply


async def writes(it: Served, number: str, text: str, id_: str) -> str:
    """Somebody writes an SMS to us; what they get back."""
    path = ours(signed_url(OURS, SECRET, "sms", "inbound"))
    reply = await told(it, path, **{"from": number, "message": text, "id": id_, "direction": "incoming"})
    assert reply.status_code == 200, reply.text
    return reply.text


async def page_of(it: Served, name: str) -> dict[str, Any]:
    """Somebody's first page."""
    query = "SELECT * FROM page WHERE person_id = %s ORDER BY id LIMIT 1"
    (row,) = await it.town.rows(query, it.town.staff[name])
    return row


async def holder(it: Served, alert: UUID) -> tuple[str, str | None]:
    (row,) = await it.town.rows(
        "SELECT a.stage, p.name FROM alert a LEFT JOIN person p ON p.id = a.holder_id WHERE a.uid = %s", alert
    )
    return row["stage"], row["name"]


# SMS ------------------------------------------------------------------------------------------------------------------


async def test_an_sms_is_sent_reported_and_answered(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, service):
        fall = await it.fall()
        assert await it.town.news() == ["Kari (sms)"]
        (got,) = service.got
        first, link = got.said["message"].split("\n")
        assert first == "Kritisk varsel i Sone, kl. 12:00. Svar 1 for å ta det."
        assert link == f"{OURS}/alerts/{fall}"
        assert got.said["to"] == "+4790123456"

        # Its provider says where it is: it is on the phone. Late and again, that is no news.
        status = ours(got.said["whendelivered"])
        for state in ("sent", "delivered", "sent", "delivered"):
            assert (await told(it, status, id="s1", status=state)).status_code == 204
        page = await page_of(it, "Kari")
        assert (page["state"], page["received_at"], page["shown_at"]) == ("received", it.town.now, None)

        # A provider that is not sure that we heard says it again: one answer, the same words.
        assert await writes(it, "+4790123456", "Ja, 1.", "in-1") == "Du har varselet i Sone."
        assert await writes(it, "+4790123456", "Ja, 1.", "in-1") == "Du har varselet i Sone."
        assert await holder(it, fall) == ("claimed", "Kari")
        assert (await it.town.timeline(fall)).count("claimed") == 1
        assert "confirmed" not in await it.town.timeline(fall)
        await it.town.passes(minutes=4)
        assert len(service.got) == 1, "nobody else is called"


async def test_who_answers_gets_the_words_in_their_language(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, service):
        await it.town.rows("UPDATE person SET language = 'nn' WHERE id = %s", it.town.staff["Kari"])
        await it.town.rows("UPDATE person SET language = 'en' WHERE id = %s", it.town.staff["Ola"])
        assert await writes(it, "+4790123456", "1", "in-0") == "Det er ikkje noko varsel du kan ta no."
        fall = await it.fall()
        await it.town.passes(seconds=61)
        assert await it.town.news() == ["Kari (sms)", "Kari (sms)", "Ola (sms)"]
        (olas,) = [each.said["message"] for each in service.got if each.said["to"] == "+4790123457"]
        assert "12:00. Reply 1 to take it." in olas
        assert await writes(it, "4790123457", "yes", "in-1") == "You have the alert in Sone."
        assert await writes(it, "+4790123456", "1", "in-2") == "Ein annan har varselet i Sone."
        assert await holder(it, fall) == ("claimed", "Ola")
        await it.town.done("Ola", fall)
        assert await writes(it, "+4790123456", "1", "in-3") == "Varselet i Sone er lukka."


async def test_several_alerts_are_taken_one_by_one_the_severest_first(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, _):
        home = await it.town.home()
        await it.town.says(home.dispenser, "jammed")
        await it.town.says(home.fall_alarm, "fall", impact_g=4.5)
        await it.town.passes(seconds=10)
        await it.town.says((await it.town.home()).fall_alarm, "button_pressed")
        opened = await it.town.alerts()
        paged = await it.town.rows(
            "SELECT DISTINCT alert_id FROM page WHERE person_id = %s AND state = 'handed_over'", it.town.staff["Kari"]
        )
        assert len(paged) == len(opened) > 1
        order = sorted(opened, key=lambda each: (-each["severity"], -each["id"]))
        for count, alert in enumerate(order):
            assert await writes(it, "+4790123456", "1", f"in-{count}") == "Du har varselet i Sone."
            assert await holder(it, alert["uid"]) == ("claimed", "Kari")
        assert {(await holder(it, each["uid"]))[1] for each in opened} == {"Kari"}


async def test_an_answer_takes_nothing_whose_sms_was_never_sent(migrated_url: str, broker: Broker) -> None:
    phones = Phones()
    more = {"sms_replies": True, "channels": {"push": phones}}
    async with reached_by("sms", "46elks", migrated_url, broker, **more) as (it, service):
        await it.town.rows("UPDATE contact SET position = 2 WHERE channel = 'sms'")
        push = await it.town.contact("Kari", "push", "kari-phone")
        fall = await it.fall()
        await it.town.gateway.front.page_heard(phones.key(), Receipt.RECEIVED)
        await it.town.settle()
        assert sorted(await it.town.states(fall)) == [("Kari", "received"), ("Kari", "withdrawn")]
        assert service.got == [], "her phone had it: no SMS"

        await it.town.rows("UPDATE contact SET active = false WHERE id = %s", push)
        lesser = await it.fall()
        await it.town.rows(
            "UPDATE page SET severity = 20 WHERE alert_id = (SELECT id FROM alert WHERE uid = %s)", lesser
        )
        assert len(service.got) == 1
        assert await writes(it, "+4790123456", "1", "in-1") == "Du har varselet i Sone."
        assert await holder(it, lesser) == ("claimed", "Kari")
        assert await holder(it, fall) == ("open", None)


async def test_what_is_no_answer_takes_nothing_and_gets_none(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, _):
        fall = await it.fall()
        counted = METRICS.text().decode()
        for count, text in enumerate(("Jeg er på ferie til mandag", "2", "", "nei", "1 nei", "🚨", "x" * 5000, "\x00")):
            assert await writes(it, "+4790123456", text, f"in-{count}") == ""
        assert await writes(it, "+4790000000", "1", "in-8") == "", "strangers learn nothing"
        assert await writes(it, "Telenor", "1", "in-9") == ""
        assert await holder(it, fall) == ("open", None)
        after = METRICS.text().decode()
        for outcome in ("not_understood", "nobody"):
            assert f'hjemmevakt_called_back_total{{channel="sms",outcome="{outcome}"}}' in after
        assert after != counted


async def test_an_answer_to_an_old_page_takes_nothing(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, _):
        fall = await it.fall()
        await it.town.answers("Siri", fall, "claim")
        await it.town.passes(minutes=31)
        await it.town.rows("UPDATE page SET created_at = created_at - interval '1 hour'")
        assert await writes(it, "+4790123456", "1", "in-1") == "Det er ikke noe varsel du kan ta nå."
        await it.town.rows("UPDATE page SET created_at = %s", it.town.now)
        await it.town.rows("UPDATE contact SET active = false WHERE person_id = %s", it.town.staff["Kari"])
        assert await writes(it, "+4790123456", "1", "in-2") == "", "a number that is not theirs any more"


async def test_a_message_that_cannot_be_delivered_sends_the_alert_on_at_once(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker) as (it, service):
        fall = await it.fall()
        assert await it.town.news() == ["Kari (sms)"]
        status = ours(service.got[0].said["whendelivered"])
        assert "Svar 1" not in service.got[0].said["message"], "who can't be answered is not asked to"
        assert (await told(it, status, id="s1", status="failed")).status_code == 204
        assert await it.town.news() == ["Kari (sms)", "Ola (sms)"], "the next step, which calls both, does not wait"
        assert await it.town.states(fall) == [("Kari", "failed"), ("Kari", "handed_over"), ("Ola", "handed_over")]
        assert await it.town.entries(fall, "page_failed") == [{"persons": [it.town.staff["Kari"]], "channel": "sms"}]
        # Out of order: it was delivered after all. That is noted, and moves nothing.
        assert (await told(it, status, id="s1", status="delivered")).status_code == 204
        page = await page_of(it, "Kari")
        assert (page["state"], page["received_at"]) == ("failed", it.town.now)
        assert await it.town.rows("SELECT 1 FROM contact WHERE broken_reason IS NOT NULL") == []


async def test_what_arrived_does_not_fail_afterwards(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker) as (it, service):
        await it.fall()
        assert await it.town.news() == ["Kari (sms)"]
        status = ours(service.got[0].said["whendelivered"])
        for state in ("delivered", "failed"):
            await told(it, status, id="s1", status=state)
        assert (await page_of(it, "Kari"))["state"] == "received"
        assert await it.town.news() == []


async def test_a_number_that_is_none_breaks_the_contact(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "twilio", migrated_url, broker) as (it, service):
        await it.fall()
        status = ours(service.got[0].said["StatusCallback"])
        reply = await told(it, status, PASSWORD, MessageSid="SM1", MessageStatus="undelivered", ErrorCode="21614")
        assert reply.status_code == 204, reply.text
        (broken,) = await it.town.rows("SELECT broken_reason FROM contact WHERE broken_reason IS NOT NULL")
        assert broken["broken_reason"] == "undelivered 21614"
        assert (await it.town.health())[0] != "green"
        audited = await it.town.rows("SELECT params FROM audit WHERE action = 'contact.broken'")
        assert [each["params"] for each in audited] == [{"channel": "sms"}], "no number in the audit"


async def test_twilio_has_to_sign_and_answers_in_its_own_words(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "twilio", migrated_url, broker, sms_replies=True) as (it, _):
        fall = await it.fall()
        path = ours(signed_url(OURS, SECRET, "sms", "inbound"))
        said = {"From": "+4790123456", "To": "+4759440000", "Body": "1", "MessageSid": "SMin"}
        problem(await told(it, path, **said), 403, "signature")
        problem(await told(it, path, "another password", **said), 403, "signature")
        assert await holder(it, fall) == ("open", None)
        reply = await told(it, path, PASSWORD, **said)
        assert reply.headers["content-type"].startswith("text/xml")
        assert ET.fromstring(reply.text).findtext("Message") == "Du har varselet i Sone."
        assert await holder(it, fall) == ("claimed", "Kari")


# Calls ----------------------------------------------------------------------------------------------------------------


async def test_a_call_is_answered_by_a_key(migrated_url: str, broker: Broker) -> None:
    async with reached_by("voice", "twilio", migrated_url, broker) as (it, service):
        fall = await it.fall()
        assert await it.town.news() == ["Kari (voice)"]
        (got,) = service.got
        gather = ET.fromstring(got.said["Twiml"]).find("Gather")
        assert gather is not None
        assert gather.findtext("Say") == (
            "Dette er varslingen for hjemmetjenesten. Kritisk varsel i Sone. Trykk 1 for å ta det."
        )
        pressed, status = ours(str(gather.get("action"))), ours(got.said["StatusCallback"])

        # A voicemail answers: nobody has heard it. Another key: somebody has, and has not taken it.
        await told(it, status, PASSWORD, CallSid="CA1", CallStatus="in-progress")
        assert ET.fromstring((await told(it, pressed, PASSWORD, CallSid="CA1", Digits="")).text).findtext("Say") is None
        assert (await page_of(it, "Kari"))["state"] == "handed_over"
        reply = await told(it, pressed, PASSWORD, CallSid="CA1", Digits="7")
        assert ET.fromstring(reply.text).findtext("Say") == "Du har ikke varselet i Sone."
        assert await holder(it, fall) == ("open", None)
        assert (await page_of(it, "Kari"))["state"] == "shown"

        reply = await told(it, pressed, PASSWORD, CallSid="CA1", Digits="1")
        assert [each.tag for each in ET.fromstring(reply.text)] == ["Say", "Hangup"]
        assert ET.fromstring(reply.text).findtext("Say") == "Du har varselet i Sone."
        assert await holder(it, fall) == ("claimed", "Kari")
        problem(await told(it, pressed, CallSid="CA1", Digits="1"), 403, "signature")


async def test_who_does_not_pick_up_is_not_waited_for(migrated_url: str, broker: Broker) -> None:
    async with reached_by("voice", "twilio", migrated_url, broker) as (it, service):
        await it.fall()
        await it.town.news()
        status = ours(service.got[0].said["StatusCallback"])
        await told(it, status, PASSWORD, CallSid="CA1", CallStatus="no-answer")
        assert await it.town.news() == ["Kari (voice)", "Ola (voice)"], "the next step calls both, at once"


# Tests of a contact ---------------------------------------------------------------------------------------------------


async def sends_a_test(it: Served, name: str, channel: str) -> UUID:
    """Somebody tests their contact; the test, which is an alert."""
    who = await it.town.who(name)
    (contact,) = [each for each in (await it.town.gateway.front.contacts(who)).contacts if each.channel == channel]
    await it.town.gateway.front.test_contact(who, contact.id)
    await it.town.settle()
    (test,) = await it.town.rows("SELECT uid FROM alert WHERE condition = 'page_test' ORDER BY id DESC LIMIT 1")
    found: UUID = test["uid"]
    return found


async def how_it_stands(it: Served, name: str, channel: str) -> State:
    listed = await it.town.gateway.front.contacts(await it.town.who(name))
    return next(each.state for each in listed.contacts if each.channel == channel)


@pytest.mark.parametrize(
    ("language", "asked", "said", "over"),
    [
        ("nb", "Svar 1 for å bekrefte.", "Bekreftet: varsler kommer til denne telefonen.", "Denne prøven er over."),
        ("nn", "Svar 1 for å stadfeste.", "Stadfesta: varsel kjem til denne telefonen.", "Denne prøven er over."),
        ("en", "Reply 1 to confirm.", "Confirmed: alerts come to this phone.", "This test is over."),
    ],
)
async def test_a_test_by_sms_is_confirmed_by_a_reply(
    migrated_url: str, broker: Broker, language: str, asked: str, said: str, over: str
) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, service):
        await it.town.rows("UPDATE person SET language = %s WHERE id = %s", language, it.town.staff["Kari"])
        test = await sends_a_test(it, "Kari", "sms")
        first, link = service.got[-1].said["message"].split("\n")
        assert first.endswith(asked)
        assert link.startswith(f"{OURS}/confirm/")
        assert await how_it_stands(it, "Kari", "sms") is State.WAITS
        for _ in range(2):
            assert await writes(it, "+4790123456", "1", "in-1") == said
        assert await how_it_stands(it, "Kari", "sms") is State.WORKS
        assert (await it.town.timeline(test)).count("test_confirmed") == 1
        assert "claimed" not in await it.town.timeline(test)
        assert await holder(it, test) == ("closed", None)
        await it.town.passes(minutes=10)
        assert await it.town.news() == ["Kari (sms)"], "the lead is not told"
        # One that is called off is over, and what is said to it takes nothing.
        await sends_a_test(it, "Kari", "sms")
        kari = await it.town.who("Kari")
        (contact,) = [each for each in (await it.town.gateway.front.contacts(kari)).contacts if each.channel == "sms"]
        await it.town.gateway.front.call_off_test(kari, contact.id)
        assert (await writes(it, "+4790123456", "1", "in-2")).startswith(over)


async def test_a_test_by_a_call_is_confirmed_by_a_key(migrated_url: str, broker: Broker) -> None:
    async with reached_by("voice", "twilio", migrated_url, broker) as (it, service):
        test = await sends_a_test(it, "Kari", "voice")
        gather = ET.fromstring(service.got[-1].said["Twiml"]).find("Gather")
        assert gather is not None
        assert str(gather.findtext("Say")).endswith("Bekreft at det kom fram. Trykk 1 for å bekrefte.")
        pressed = ours(str(gather.get("action")))
        for digits, said, state in (
            ("7", "Du har ikke bekreftet prøven.", State.WAITS),
            ("1", "Bekreftet: varsler kommer til denne telefonen.", State.WORKS),
            ("1", "Bekreftet: varsler kommer til denne telefonen.", State.WORKS),
        ):
            reply = await told(it, pressed, PASSWORD, CallSid="CA1", Digits=digits)
            assert ET.fromstring(reply.text).findtext("Say") == said
            assert await how_it_stands(it, "Kari", "voice") is state
        assert await holder(it, test) == ("closed", None)


async def test_an_alert_that_is_taken_by_phone_shows_as_well_that_the_phone_works(
    migrated_url: str, broker: Broker
) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, _):
        counted = METRICS.text().decode()
        await it.fall()
        assert await writes(it, "+4790123456", "1", "in-1") == "Du har varselet i Sone."
        assert await how_it_stands(it, "Kari", "sms") is State.WORKS
        leg = 'hjemmevakt_page_leg_seconds_count{channel="sms",leg="answered",severity="40"}'
        assert counted_of(METRICS.text().decode(), leg) == counted_of(counted, leg) + 1


def counted_of(text: str, name: str) -> float:
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name)), 0.0)


async def test_whose_role_has_ended_takes_nothing_by_phone(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, _):
        fall = await it.fall()
        ended = "UPDATE assignment SET during = tstzrange(lower(during), %s) WHERE person_id = %s"
        await it.town.rows(ended, it.town.now, it.town.staff["Kari"])
        assert await writes(it, "+4790123456", "1", "in-1") == "Det er ikke noe varsel du kan ta nå."
        assert await holder(it, fall) == ("open", None)
        assert await it.town.rows("SELECT 1 FROM contact WHERE confirmed_at IS NOT NULL") == []


# Enemies --------------------------------------------------------------------------------------------------------------


async def test_nobody_says_anything_with_an_address_that_was_not_given_to_them(
    migrated_url: str, broker: Broker
) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, service):
        fall = await it.fall()
        status = ours(service.got[0].said["whendelivered"])
        sig = status.rpartition("sig=")[2]
        other = "0199c0de-0000-7000-8000-000000000001"
        forged = [
            "/api/v1/callbacks/sms/status",
            status.replace(sig, ""),
            status.replace(sig, "0" * 64),
            status.replace(sig, sig.upper()),
            status.replace(sig, "æ"),
            status.replace(str((await page_of(it, "Kari"))["uid"]), other),
            f"/api/v1/callbacks/sms/inbound?sig={sig}",
            f"/api/v1/callbacks/sms/pressed?sig={sig}",
            ours(signed_url(OURS, "another secret entirely", "sms", "inbound")),
            ours(signed_url(OURS, SECRET, "voice", "inbound")).replace("/voice/", "/sms/"),
        ]
        for path in forged:
            for fields in ({"status": "failed"}, {"from": "+4790123456", "message": "1", "id": "x"}):
                problem(await told(it, path, **fields), 403, "signature")
        for channel in ("in_app", "email", "voice", "pigeon", "_http", "%2e%2e"):
            reply = await told(it, ours(signed_url(OURS, SECRET, channel, "inbound")), message="1")
            assert reply.status_code == 404, channel
        assert await holder(it, fall) == ("open", None)
        assert (await page_of(it, "Kari"))["state"] == "handed_over"


async def test_rubbish_is_a_plain_error_and_what_is_gone_is_taken(migrated_url: str, broker: Broker) -> None:
    async with reached_by("sms", "46elks", migrated_url, broker, sms_replies=True) as (it, _):
        await it.fall()
        page = "0199c0de-0000-7000-8000-000000000001"
        status = ours(signed_url(OURS, SECRET, "sms", "status", page))
        inbound = ours(signed_url(OURS, SECRET, "sms", "inbound"))
        assert (await told(it, status, status="delivered")).status_code == 204, "or it is told again and again"
        odd = ours(signed_url(OURS, SECRET, "sms", "status", "no-uuid"))
        assert (await told(it, odd, status="failed")).status_code == 204
        deep = b"[" * 20_000
        for body, kind in (
            (b"", FORM),
            (b"\xff\xfe", FORM),
            (b"&".join(b"a=1" for _ in range(300)), FORM),
            (b"{", "application/json"),
            (deep, "application/json"),
            (b"x" * 70_000, FORM),
            (b"status=", FORM),
            (json.dumps({"status": {"a": 1}}).encode(), "application/json"),
        ):
            problem(await it.http.post(status, content=body, headers={"Content-Type": kind}), 422)
        for body, kind in (
            (b"", FORM),
            (b"[]", "application/json"),
            (b"null", "application/json"),
            (b"7", "text/json"),
        ):
            reply = await it.http.post(inbound, content=body, headers={"Content-Type": kind})
            assert (reply.status_code, reply.text) == (200, "")
        for method in ("GET", "PUT", "DELETE"):
            assert (await it.http.request(method, inbound)).status_code in (404, 405)


@pytest.mark.parametrize("provider", ["46elks"])
async def test_no_number_and_no_name_is_in_the_log_or_the_timeline(
    migrated_url: str, broker: Broker, provider: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with reached_by("sms", provider, migrated_url, broker, sms_replies=True) as (it, service):
        fall = await it.fall()
        await told(it, ours(service.got[0].said["whendelivered"]), id="s1", status="delivered")
        await writes(it, "+4790123456", "1", "in-1")
        kept = json.dumps(
            [
                await it.town.rows("SELECT params FROM audit"),
                await it.town.rows("SELECT params FROM alert_entry"),
                await it.town.rows("SELECT key, reply FROM answer"),
            ],
            default=str,
        )
        written = kept + "".join(capfd.readouterr())
        for secret in ("90123456", KARI, PASSWORD, SECRET, "Beboer"):
            assert secret not in written
        assert str(fall) not in service.url
