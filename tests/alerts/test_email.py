"""E-mail, against real mail servers: what is an address, what breaks a contact, what is tried again."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.channels import Outgoing, load_channel
from alerts.delivery import Failed, HandedOver
from gateway.embedded import LOOPBACK, free_port
from tests.alerts.mail_servers import (
    PostOffice,
    drips,
    hangs_up,
    opened,
    says_nothing,
    speaks_garbage,
    takes_and_never_says_goodbye,
    talking,
)
from tests.alerts.pages import PAGE

Talk = Callable[[socket.socket, threading.Event], None]


async def send(office: PostOffice, outgoing: Outgoing = PAGE, **settings: Any) -> HandedOver | Failed:
    with opened(office):
        channel = load_channel("email", {"host": LOOPBACK, "port": office.port, "sender": "vakt@h.example", **settings})
        return await channel.send(outgoing)


def received(office: PostOffice) -> EmailMessage:
    (envelope,) = office.taken
    assert isinstance(envelope.content, bytes)
    return message_from_bytes(envelope.content, policy=policy.default)


async def test_a_message_arrives_with_what_it_was_given_and_nothing_else() -> None:
    office = PostOffice()
    assert await send(office) == HandedOver("accepted by the mail server")
    message = received(office)
    assert office.taken[0].rcpt_tos == ["anne@example.org"]
    assert office.taken[0].mail_from == "vakt@h.example"
    assert message.get_content().replace("\r\n", "\n") == PAGE.text
    assert (message["Subject"], message["To"], message["From"]) == (PAGE.subject, PAGE.address, "vakt@h.example")
    assert (message["Auto-Submitted"], message["X-Priority"]) == ("auto-generated", "1")
    assert message["Message-ID"] == f"<{PAGE.page_id}@h.example>"
    told = {"from", "to", "subject", "message-id", "auto-submitted", "x-priority", "x-peer", "x-mailfrom", "x-rcptto"}
    assert {name.lower() for name in message} <= told | {"content-type", "content-transfer-encoding", "mime-version"}


async def test_a_message_that_is_tried_again_is_the_same_message() -> None:
    ids = set()
    for _ in range(2):
        office = PostOffice()
        await send(office)
        ids.add(received(office)["Message-ID"])
    assert len(ids) == 1


async def test_norwegian_letters_and_lone_dots_survive() -> None:
    office = PostOffice()
    await send(office, replace(PAGE, subject="Kritisk: Hundvåg", text="Hundvåg\n.\nKlokka 03:10 ✓\n"))
    message = received(office)
    assert message["Subject"] == "Kritisk: Hundvåg"
    assert message.get_content().replace("\r\n", "\n") == "Hundvåg\n.\nKlokka 03:10 ✓\n"


async def test_a_subject_brings_no_header_along() -> None:
    office = PostOffice()
    await send(office, replace(PAGE, subject="Alert\r\nBcc: everybody@example.org\nX: y"))
    message = received(office)
    assert message["Bcc"] is None
    assert message["Subject"] == "Alert Bcc: everybody@example.org X: y"
    assert office.taken[0].rcpt_tos == ["anne@example.org"]


@pytest.mark.parametrize(
    "address",
    [
        "anne@example.org, bjarte@example.org",
        "anne@example.org\r\nBcc: bjarte@example.org",
        "anne@example.org\nRCPT TO:<bjarte@example.org>",
        "Anne <anne@example.org>",
        "anne@example.org\x00",
        "anne",
        "@example.org",
        "anne@",
        "",
    ],
)
async def test_what_is_not_one_plain_address_is_a_broken_contact_and_nothing_is_sent(address: str) -> None:
    office = PostOffice()
    result = await send(office, replace(PAGE, address=address))
    assert isinstance(result, Failed)
    assert result.permanent
    assert office.taken == []


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        ("550 no such user", True),
        ("550 5.1.1 unknown", True),
        ("553 5.1.3 bad address", True),
        ("550 5.2.1 mailbox disabled", True),
        ("552 5.2.2 mailbox full", False),
        ("550 5.7.1 relaying denied", False),
        ("554 your account is blocked", False),
        ("503 bad sequence", False),
        ("450 4.2.1 greylisted", False),
        ("451 try again", False),
    ],
)
async def test_only_an_address_that_is_not_there_breaks_the_contact(reply: str, *, permanent: bool) -> None:
    result = await send(PostOffice(at_recipient=reply))
    assert isinstance(result, Failed)
    assert result.permanent == permanent
    assert reply[4:] in result.reason


@pytest.mark.parametrize(
    "refusal",
    [
        {"at_sender": "550 5.1.0 sender not wanted"},
        {"at_sender": "451 later"},
        {"at_data": "554 5.7.1 account blocked"},
        {"at_data": "554 looks like spam"},
        {"at_data": "452 4.3.1 disk full"},
        {"at_recipient": "421 4.3.2 closing down"},
    ],
    ids=str,
)
async def test_what_is_about_us_or_the_server_is_tried_again(refusal: dict[str, Any]) -> None:
    result = await send(PostOffice(**refusal))
    assert isinstance(result, Failed)
    assert not result.permanent


async def test_a_password_is_used_and_a_wrong_one_is_no_broken_contact() -> None:
    office = PostOffice(password="right")
    taken = await send(office, username="vakt", password="right")
    assert len(office.taken) == 1
    refused = await send(office, username="vakt", password="wrong")
    assert isinstance(taken, HandedOver)
    assert isinstance(refused, Failed)
    assert not refused.permanent
    assert "wrong" not in refused.reason


async def test_a_server_that_cannot_do_tls_gets_nothing_in_the_clear() -> None:
    for security in ("starttls", "tls"):
        office = PostOffice()
        result = await send(office, security=security, time_out_seconds=2)
        assert isinstance(result, Failed)
        assert not result.permanent
        assert office.taken == []


async def test_nobody_listens() -> None:
    result = await load_channel("email", {"host": LOOPBACK, "port": free_port()}).send(PAGE)
    assert isinstance(result, Failed)
    assert not result.permanent


@pytest.mark.parametrize("talk", [says_nothing, drips, speaks_garbage, hangs_up])
async def test_a_server_out_of_its_mind_is_left_in_time(talk: Talk) -> None:
    with talking(talk) as port:
        channel = load_channel("email", {"host": LOOPBACK, "port": port, "time_out_seconds": 0.3})
        async with asyncio.timeout(30):
            result = await channel.send(PAGE)
    assert isinstance(result, Failed)
    assert not result.permanent
    assert result.reason


async def test_once_taken_it_is_handed_over_whatever_the_farewell() -> None:
    with talking(takes_and_never_says_goodbye) as port:
        channel = load_channel("email", {"host": LOOPBACK, "port": port, "time_out_seconds": 30})
        assert isinstance(await channel.send(PAGE), HandedOver)


@pytest.mark.parametrize(
    "wrong",
    [
        {"security": "ssl"},
        {"port": 0},
        {"port": 70_000},
        {"host": ""},
        {"sender": "Vakt <vakt@h.example>"},
        {"sender": "vakt"},
        {"time_out_seconds": 0},
        {"username": "vakt"},
        {"password": "secret"},
        {"host": "mail.example.org", "username": "vakt", "password": "secret"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused_and_no_password_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        load_channel("email", wrong)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_password_travels_over_tls(security: str) -> None:
    load_channel("email", {"host": "mail.example.org", "username": "vakt", "password": "secret", "security": security})
