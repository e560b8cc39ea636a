"""ntfy: what is published and deleted, and which topics are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.channels import Outgoing, Recalls, load_channel
from alerts.delivery import Failed, HandedOver
from alerts.model import Severity
from alerts.render import LANGUAGES
from tests.alerts.http_servers import Got, Service, serving
from tests.alerts.pages import PAGE

TOPIC = "vakt-kari-6fP0x2mQ9sLr"
PUSH = replace(PAGE, address=TOPIC, subject="Kritisk varsel i Hundvåg")
TAKEN = b'{"id": "xE73Iyuabi", "event": "message"}'


async def published(outgoing: Outgoing = PUSH, **more: Any) -> Got:
    with serving(Service(body=TAKEN)) as service:
        channel = load_channel("ntfy", {"url": service.url, **more})
        assert await channel.send(outgoing) == HandedOver("taken as xE73Iyuabi")
    (got,) = service.got
    return got


async def test_what_is_published_and_nothing_else() -> None:
    got = await published(token="tk_sesame")
    assert (got.method, got.path, got.headers["authorization"]) == ("POST", "/", "Bearer tk_sesame")
    assert got.said == {
        "topic": TOPIC,
        "sequence_id": PAGE.page_id,
        "title": "Kritisk varsel i Hundvåg",
        "message": "Utløst kl. 03:10.",
        "priority": 5,
        "tags": ["rotating_light"],
        "click": PAGE.url,
        "actions": [
            {
                "action": "http",
                "label": "Jeg tar den",
                "url": "https://h.example/api/v1/pages/k3y-of-this-page-and-no-other/claim",
                "method": "POST",
                "clear": True,
            },
            {"action": "view", "label": "Åpne", "url": PAGE.url},
        ],
    }


@pytest.mark.parametrize(
    ("severity", "priority"),
    [
        (Severity.CRITICAL, 5),
        (Severity.SERIOUS, 5),
        (Severity.MODERATE, 4),
        (Severity.NORMAL, 3),
        (Severity.NOT_REPORTED, 3),
    ],
)
async def test_what_is_serious_passes_do_not_disturb(severity: Severity, priority: int) -> None:
    assert (await published(replace(PUSH, severity=severity))).said["priority"] == priority


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_buttons_are_in_the_language_of_the_person(language: str) -> None:
    labels = [each["label"] for each in (await published(replace(PUSH, language=language))).said["actions"]]
    assert (
        labels == {"nb": ["Jeg tar den", "Åpne"], "nn": ["Eg tek den", "Opne"], "en": ["I take it", "Open"]}[language]
    )


async def test_a_page_without_a_key_can_be_opened_only() -> None:
    said = (await published(replace(PUSH, page_key=""))).said
    assert [each["action"] for each in said["actions"]] == ["view"]
    bare = (await published(replace(PUSH, page_key="", url="", at=""))).said
    assert (bare["actions"], bare["message"]) == ([], PAGE.text)
    assert "click" not in bare


async def test_it_is_taken_from_the_phone_by_the_id_it_came_with() -> None:
    with serving(Service(body=b'{"id": "aB", "event": "message_delete"}')) as service:
        channel = load_channel("ntfy", {"url": f"{service.url}/below", "username": "vakt", "password": "sesame"})
        assert isinstance(channel, Recalls)
        assert await channel.recall(PUSH) == HandedOver("deleted")
    (got,) = service.got
    assert (got.method, got.path) == ("DELETE", f"/below/{TOPIC}/{PAGE.page_id}")
    assert got.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(("status", "permanent"), [(404, True), (405, True), (503, False)])
async def test_a_server_that_cannot_delete_says_so_and_breaks_nothing(status: int, permanent: bool) -> None:
    with serving(Service(status, b'{"code": 40401, "error": "page not found"}')) as service:
        channel = load_channel("ntfy", {"url": service.url})
        assert isinstance(channel, Recalls)
        result = await channel.recall(PUSH)
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (permanent, False)
    assert "page not found" in result.reason


@pytest.mark.parametrize(
    "topic", ["", "short", "a/b" * 10, "æ" * 20, "x" * 65, "mytopic?auth=x-and-more", "../../etc/passwd-and-more"]
)
async def test_a_topic_that_is_none_or_can_be_guessed_is_a_broken_contact(topic: str) -> None:
    with serving(Service(body=TAKEN)) as service:
        result = await load_channel("ntfy", {"url": service.url}).send(replace(PUSH, address=topic))
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (True, True)
    assert service.got == []


async def test_where_a_login_guards_topics_they_can_be_short() -> None:
    assert (await published(replace(PUSH, address="kari"), token="tk_sesame", shortest_topic=4)).said["topic"] == "kari"


@pytest.mark.parametrize(("code", "broken"), [(40009, True), (40010, True), (40301, False), (40007, False)])
async def test_only_a_topic_that_the_server_will_not_have_breaks_the_contact(code: int, broken: bool) -> None:
    with serving(Service(400, b'{"code": %d, "http": 400, "error": "invalid request"}' % code)) as service:
        result = await load_channel("ntfy", {"url": service.url}).send(PUSH)
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (True, broken)
    assert result.reason == "400: invalid request"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://ntfy.example.org"},
        {"url": "ntfy.example.org"},
        {"username": "vakt"},
        {"password": "sesame"},
        {"token": "sesame", "username": "vakt", "password": "sesame"},
        {"shortest_topic": 0},
    ],
)
def test_settings_that_cannot_work_are_refused_and_no_secret_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        load_channel("ntfy", {"url": "https://ntfy.example.org", **wrong})
    assert "sesame" not in str(refused.value)
