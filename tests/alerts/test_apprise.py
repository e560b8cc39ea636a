"""Apprise: which addresses are called and which are not, and what becomes of services that hang."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.channels import load_channel
from alerts.channels._outward import outward_only
from alerts.channels.apprise import HERE, SLOTS
from alerts.delivery import Failed, HandedOver
from gateway.clock import pause
from tests.alerts.http_servers import Service, drips_a_body, serving
from tests.alerts.mail_servers import talking
from tests.alerts.pages import PAGE

WIDE = {"schemes": ["json", "jsons", "mailto", "matrix", "gotify", "tgram", "signal", "zulip"]}


async def test_a_page_reaches_a_service_with_what_it_was_given() -> None:
    with serving(Service()) as service:
        host = service.url.removeprefix("http://")
        channel = load_channel("apprise", {**WIDE, "hosts": ["127.0.0.1"]})
        assert await channel.send(replace(PAGE, address=f"json://{host}/hook")) == HandedOver("taken by json")
    (got,) = service.got
    assert (got.said["title"], got.said["type"]) == (PAGE.subject, "failure")
    assert got.said["message"] == PAGE.text.strip()
    assert got.said["attachments"] == []


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1/",
        "json://127.0.0.1:{port}/",
        "json://localhost:{port}/",
        "json://LOCALHOST:{port}/",
        "json://kari:pw@127.0.0.1:{port}/",
        "json://2130706433:{port}/",
        "json://0x7f000001:{port}/",
        "json://0177.0.0.1:{port}/",
        "json://[::1]:{port}/",
        "json://[::ffff:127.0.0.1]:{port}/",
        "json://0.0.0.0:{port}/",
        "json://10.0.0.1/",
        "json://192.168.1.1/",
        "json://172.16.0.1/",
        "json://169.254.169.254/latest/meta-data",
        "json://[fd00::1]/",
        "json://[fe80::1%25eth0]/",
        "matrix://kari:pw@127.0.0.1:{port}/#room",
        "gotify://127.0.0.1:{port}/AbCdEf",
        "signal://127.0.0.1:{port}/+4790123456/+4790123457",
        "mailto://kari:pw@[127.0.0.1]",
        "zulip://bot@127.0.0.1/abcdefghijklmnopqrstuvwxyz012345",
    ],
)
async def test_no_address_leads_into_this_machine_or_a_private_network(address: str) -> None:
    with serving(Service()) as service:
        port = service.url.rpartition(":")[2]
        result = await load_channel("apprise", WIDE).send(replace(PAGE, address=address.format(port=port)))
    assert isinstance(result, Failed)
    assert result.permanent
    assert result.contact_broken
    assert service.got == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "json",
        "json://",
        "exec://rm",
        "file:///etc/passwd",
        "syslog://",
        "JSON+x://example.org",
        "slack://a/b/c",
        "json://example.org/?redirect=yes",
        "json://example.org/?verify=no",
        "json://example.org/?template=/etc/passwd",
        "mailto://a:b@example.org?smtp=10.0.0.1",
        "tgram://1:abc/1/?template=file:///etc/passwd",
        "json://example.org/?to=http://10.0.0.1/",
        "json://example.org/#x",
        "json://example.org/\njson://example.com/",
        "json://" + "a" * 3000,
    ],
)
async def test_what_may_not_be_said_is_refused_before_anybody_is_called(address: str) -> None:
    result = await load_channel("apprise", WIDE).send(replace(PAGE, address=address))
    assert isinstance(result, Failed)
    assert (result.permanent, result.contact_broken) == (True, True)


def test_only_public_hosts_are_connected_to_and_those_that_are_named(tmp_path: Path) -> None:
    with serving(Service()) as service:
        port = int(service.url.rpartition(":")[2])
        with outward_only(()) as minded:
            for to in (("127.0.0.1", port), ("localhost", port), ("10.0.0.1", 80)):
                with pytest.raises(PermissionError):
                    socket.create_connection(to, timeout=1)
            with pytest.raises(PermissionError), socket.socket(socket.AF_UNIX) as here:
                here.connect(str(tmp_path / "bus"))
            with pytest.raises(PermissionError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sends:
                sends.sendto(b"x", ("127.0.0.1", port))
        assert minded.refused
        with outward_only({"localhost"}) as minded:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        assert not minded.refused
        socket.create_connection(("127.0.0.1", port), timeout=1).close()


async def test_a_host_that_cannot_be_found_is_tried_again() -> None:
    result = await load_channel("apprise", WIDE).send(replace(PAGE, address="json://nowhere.invalid/"))
    assert result == Failed("the host of the address cannot be found")


async def test_services_that_hang_take_their_slots_and_no_more() -> None:
    with talking(drips_a_body) as port:
        channel = load_channel("apprise", {"schemes": ["json"], "hosts": ["127.0.0.1"], "time_out_seconds": 0.3})
        page = replace(PAGE, address=f"json://127.0.0.1:{port}/")
        first = await asyncio.gather(*(channel.send(page) for _ in range(SLOTS)))
        assert set(first) == {Failed("json did not answer within 0.3 s")}
        came_back, slots = 0, channel._slots  # type: ignore[attr-defined]
        while slots.acquire(blocking=False):  # where a service gave up meanwhile
            came_back += 1
        assert came_back < SLOTS
        assert await channel.send(page) == Failed(f"{SLOTS} pages are on their way and their services do not answer")
    for _ in range(came_back):
        slots.release()
    with serving(Service()) as service:  # the others have hung up: their slots come back
        page = replace(PAGE, address=f"json://{service.url.removeprefix('http://')}/")
        async with asyncio.timeout(20):
            while not isinstance(await channel.send(page), HandedOver):
                await pause(0.1)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"schemes": []}, {"schemes": ["json://"]}, {"schemes": ["Json"]}, *({"schemes": [each]} for each in HERE)],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        load_channel("apprise", wrong)


def test_what_stays_on_this_machine_cannot_be_named() -> None:
    """Every scheme of the package that has no place to go to."""
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 - it takes a second

    made: Any = NotificationManager
    manager = made()
    manager.load_modules()
    local = {
        scheme
        for plugin in manager.plugins()
        if all("{" not in template.replace("{schema}", "") for template in plugin.templates or ())
        for scheme in (plugin.protocol, plugin.secure_protocol)
        for scheme in ((scheme,) if isinstance(scheme, str) else scheme or ())
    }
    assert local
    assert local <= HERE
