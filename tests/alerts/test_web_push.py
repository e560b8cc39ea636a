"""Web Push against a push service that decrypts, and against servers out of their minds."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from alerts.channels import Outgoing, Recalls, load_channel
from alerts.channels.web_push import WebPush, payload
from alerts.delivery import Failed, HandedOver, SendResult
from alerts.model import Severity
from alerts.subscription import Subscription, check, is_public
from alerts.vapid import fresh_key, public_key
from gateway.embedded import free_port
from tests.alerts.mail_servers import drips, hangs_up, says_nothing, speaks_garbage, talking
from tests.support.push_service import Phone, PushService

KEY = fresh_key()
PAGE = Outgoing(
    page_id="0199c0de-0000-7000-8000-000000000001",
    address="",
    subject="Kritisk varsel i Madla og Tjensvoll",
    text="Kritisk varsel i Madla og Tjensvoll.\n\nMeldt 03:10. Åpne varselet og svar:\nhttps://h.example/alerts/1\n",
    severity=Severity.CRITICAL,
    url="https://h.example/alerts/1",
    base_url="https://h.example",
    page_key="a-key-of-this-page",
)
Talk = Callable[[socket.socket, threading.Event], None]


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as made:
        yield made
        assert made.faults == []


def channel(**settings: Any) -> WebPush:
    made = load_channel("web_push", {"private_key": KEY, "private_endpoints": True, **settings})
    assert isinstance(made, WebPush)
    return made


def to(phone: Phone, page: Outgoing = PAGE) -> Outgoing:
    return replace(page, address=phone.subscription.address)


async def test_a_phone_reads_what_it_needs_and_nothing_of_anybody(service: PushService) -> None:
    phone = service.phone()
    assert await channel().send(to(phone)) == HandedOver("accepted by the push service with 201")
    assert service.told == [
        {
            "kind": "page",
            "page": "a-key-of-this-page",
            "title": "Kritisk varsel i Madla og Tjensvoll",
            "body": "Meldt 03:10. Åpne varselet og svar.",
            "url": "/alerts/1",
            "severity": 40,
            "language": "nb",
        }
    ]


async def test_only_this_phone_can_read_it(service: PushService) -> None:
    phone, other = service.phone(), service.phone()
    keys_of_another = replace(other.subscription, endpoint=phone.endpoint)
    await channel().send(replace(PAGE, address=keys_of_another.address))
    assert service.pushed == []
    assert len(service.faults) == 1
    service.faults.clear()


async def test_it_wakes_the_phone_waits_for_it_and_is_signed_by_us(service: PushService) -> None:
    phone = service.phone()
    await channel(ttl_seconds=1800, subject="mailto:drift@h.example").send(to(phone))
    (pushed,) = service.pushed
    assert (pushed.headers["ttl"], pushed.headers["urgency"]) == ("1800", "high")
    assert pushed.headers["content-encoding"] == "aes128gcm"
    assert pushed.claims["k"] == public_key(KEY)
    assert pushed.claims["sub"] == "mailto:drift@h.example"
    assert pushed.claims["aud"] == f"http://127.0.0.1:{service.server_port}"
    assert time() < pushed.claims["exp"] < time() + 24 * 3600 - 60, "a service refuses what holds for more than a day"


@pytest.mark.parametrize(("severity", "urgency"), [(0, "normal"), (10, "normal"), (20, "high"), (30, "high")])
async def test_what_can_wait_does_not_wake_a_phone(service: PushService, severity: int, urgency: str) -> None:
    await channel().send(to(service.phone(), replace(PAGE, severity=Severity(severity))))
    assert service.pushed[0].headers["urgency"] == urgency


async def test_what_comes_later_of_a_page_replaces_what_still_waits(service: PushService) -> None:
    phone, pushing = service.phone(), channel()
    assert isinstance(pushing, Recalls)
    await pushing.send(to(phone))
    await pushing.send(to(phone))
    await pushing.recall(to(phone))
    await pushing.send(to(phone, replace(PAGE, page_id="0199c0de-0000-7000-8000-000000000002")))
    first, again, recalled, another = (each.headers["topic"] for each in service.pushed)
    assert first == again == recalled != another
    assert len(first) <= 32
    assert first.replace("-", "").replace("_", "").isalnum()
    assert [each["kind"] for each in service.told] == ["page", "page", "recall", "page"]


@pytest.mark.parametrize(
    ("status", "permanent", "broken"),
    [
        (404, True, True),
        (410, True, True),
        (400, True, False),
        (401, True, True),
        (403, True, True),
        (413, True, False),
        (301, False, False),
        (408, False, False),
        (429, False, False),
        (500, False, False),
        (502, False, False),
        (503, False, False),
    ],
)
async def test_what_the_service_says_decides(
    service: PushService, status: int, *, permanent: bool, broken: bool
) -> None:
    service.answers = [status]
    result = await channel().send(to(service.phone()))
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (permanent, broken)
    assert str(status) in result.reason
    assert len(service.pushed) == 1, "nothing is tried again here, and no redirect is followed"


@pytest.mark.parametrize(
    ("status", "said", "after"),
    [(429, "120", 120), (503, "7", 7), (503, "", None), (429, "soon", None), (500, "30", 30), (400, "30", None)],
)
async def test_a_service_that_wants_time_gets_it(
    service: PushService, status: int, said: str, after: int | None
) -> None:
    service.answers, service.retry_after = [status], said
    result = await channel().send(to(service.phone()))
    assert isinstance(result, Failed)
    assert result.after == (timedelta(seconds=after) if after is not None else None)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_yes_is_a_yes(service: PushService, status: int) -> None:
    service.answers = [status]
    assert isinstance(await channel().send(to(service.phone())), HandedOver)


async def test_a_service_that_says_nothing_is_left_in_time(service: PushService) -> None:
    service.answers = [None]
    result = await channel(time_out_seconds=0.3).send(to(service.phone()))
    assert result == Failed("the push service did not answer within 0.3 s")


@pytest.mark.parametrize("talk", [says_nothing, drips, speaks_garbage, hangs_up])
async def test_a_server_out_of_its_mind_is_left_in_time_and_tried_again(talk: Talk) -> None:
    with talking(talk) as port:
        async with asyncio.timeout(60):
            phone = Phone(f"http://127.0.0.1:{port}/push/1")
            result = await channel(time_out_seconds=0.3).send(to(phone))
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (False, False)


async def test_nobody_listens() -> None:
    result = await channel().send(to(Phone(f"http://127.0.0.1:{free_port()}/push/1")))
    assert isinstance(result, Failed)
    assert not result.permanent


async def test_the_service_has_to_be_the_one_that_its_certificate_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is called was looked up before; the certificate is still that of the name."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for named, taken in (("localhost", True), ("push.example.com", False)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(named).configure_cert(context)
        with PushService(context) as service:
            service.host = "localhost"
            result = await channel(time_out_seconds=30).send(to(service.phone()))
            assert isinstance(result, HandedOver if taken else Failed), result
            assert len(service.pushed) == int(taken)


# Whom we call -----------------------------------------------------------------------------------------------------------


INSIDE = [
    "https://127.0.0.1/push",
    "https://10.1.2.3/push",
    "https://192.168.1.1/push",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/push",
    "https://[fe80::1]/push",
    "https://[::ffff:10.0.0.1]/push",
    "https://[fd00::1]/push",
    "https://localhost/push",
    "https://postgres/push",
    "https://gateway.internal/push",
]
NO_ADDRESS = [
    "",
    "push",
    "http://push.example.com/1",
    "ftp://push.example.com/1",
    "file:///etc/passwd",
    "https:///push",
    "https://me:secret@push.example.com/1",
    "https://push.example.com/1#here",
    "https://push.example.com:0/1",
    "https://push.example.com:99999/1",
    "https://[::1/push",
    "https://push.example.com/one two",
    "https://push.example.com/\r\nHost: other",
    "https://push.example.com/å",
    "https://push.example.com/" + "x" * 2000,
]


@pytest.mark.parametrize("endpoint", [*INSIDE, *NO_ADDRESS])
async def test_no_phone_makes_us_call_our_own_network(endpoint: str) -> None:
    subscription = replace(Phone("https://push.example.com/1").subscription, endpoint=endpoint)
    with pytest.raises(ValueError, match="endpoint"):
        check(subscription)
    result = await channel(private_endpoints=False).send(replace(PAGE, address=subscription.address))
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (True, True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:4700::1111", True),
        ("64:ff9b::5db8:d70e", True),
        ("2002:5db8:d70e::1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b:1::5db8:d70e", False),
        ("::127.0.0.1", False),
        ("::5db8:d70e", False),
        ("2002:a00:1::", False),
        ("2002:7f00:1::1", False),
        ("fec0::1", False),
        ("fe80::1%eth0", False),
        ("224.0.0.1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_name_that_leads_inside_is_not_called(service: PushService, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name leads to can change after it was stored."""
    phone = service.phone()
    away = replace(phone.subscription, endpoint=f"https://push.example.com:{service.server_port}/push/1")
    loop = asyncio.get_running_loop()

    async def leads_inside(host: str, port: int, **_: Any) -> list[Any]:
        return [(None, None, None, "", ("203.0.113.9", port)), (None, None, None, "", ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", leads_inside)
    result = await channel(private_endpoints=False).send(replace(PAGE, address=away.address))
    assert isinstance(result, Failed)
    assert "private network" in result.reason
    assert service.pushed == []


def test_public_hosts_are_called() -> None:
    for endpoint in ("https://push.example.com/1", "https://8.8.8.8/1", "https://[2001:4860:4860::8888]/1"):
        check(replace(Phone("").subscription, endpoint=endpoint))


def test_a_stored_subscription_is_read_as_it_was_written() -> None:
    phone = Phone("https://push.example.com/1?a=\"b'").subscription
    assert Subscription.of(phone.address) == phone
    assert "\n" not in phone.address


POINT_OFF_THE_CURVE = urlsafe_b64encode(b"\x04" + bytes(63) + b"\x07").rstrip(b"=").decode()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"endpoint":1,"p256dh":2,"auth":3}',
        json.dumps({"endpoint": "https://push.example.com/1", "p256dh": POINT_OFF_THE_CURVE, "auth": "A" * 22}),
        json.dumps({"endpoint": "https://push.example.com/1", "p256dh": "AAAA", "auth": "A" * 22}),
        replace(Phone("https://push.example.com/1").subscription, auth="AAAA").address,
        replace(Phone("https://push.example.com/1").subscription, p256dh="å").address,
    ],
    ids=range(9),
)
async def test_what_is_no_subscription_is_a_broken_contact(address: str) -> None:
    result = await channel().send(replace(PAGE, address=address))
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (True, True)


# What is sent -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        replace(PAGE, subject="🚨" * 3000, text="å" * 9000, url="https://h.example/" + "x" * 4000),
        replace(PAGE, subject='"\\' * 2000, text='"\\' * 2000),
        replace(PAGE, subject="\x00\x07" * 2000, text="\ud800 lone \u2028 surrogate" * 300),
        replace(PAGE, subject="", text="", url=""),
    ],
)
async def test_whatever_it_is_given_it_fits_into_a_push(service: PushService, page: Outgoing) -> None:
    assert len(payload(page, "page")) <= 3000
    assert isinstance(await channel().send(to(service.phone(), page)), HandedOver)
    assert service.pushed[0].size < 4096


def test_it_never_pushes_without_a_key() -> None:
    result: SendResult = asyncio.run(
        load_channel("web_push", {}).send(to(Phone("https://push.example.com/1"))),
    )
    assert result == Failed("there is no key to sign pushes with")


@pytest.mark.parametrize(
    "wrong",
    [
        {"private_key": "secret"},
        {"private_key": "A" * 43},
        {"private_key": f"{KEY}="},
        {"private_key": "_" * 43},
        {"subject": "drift@h.example"},
        {"subject": "http://h.example"},
        {"subject": "mailto:a@b.c\r\nX: y"},
        {"ttl_seconds": 0},
        {"ttl_seconds": 100_000},
        {"time_out_seconds": 0},
    ],
    ids=lambda wrong: f"{next(iter(wrong))}",
)
def test_settings_that_cannot_work_are_refused_and_no_key_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        load_channel("web_push", wrong)
    assert "secret" not in str(refused.value)


def test_every_gateway_makes_a_key_of_its_own_that_browsers_take() -> None:
    one, other = fresh_key(), fresh_key()
    assert one != other
    assert len(public_key(one)) == 87
