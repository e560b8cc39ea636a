"""How each channel is set up so that a test can be its service: the one table that the conformance suite needs to know.

A new channel that has a ``url`` among its settings, or one of an own kind, gets an entry here; a test says when it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.channels import Channel, load_channel
from alerts.channels.sms import PRESETS as SMS
from alerts.channels.voice import PRESETS as CALLS

SECRET = "sesame-open-yourself"
CALLBACK_SECRET = "a secret of this gateway"
LINK = {"platform": "COMMON_API", "partner": "4711", "gate": "XYZ"}
ACCOUNT: dict[str, Any] = {
    "username": "AC0123",
    "password": SECRET,
    "sender": "+4759440000",
    "callback_secret": CALLBACK_SECRET,
}
CUSTOM: dict[str, Any] = {
    "path": "/v2/messages",
    "auth": "bearer",
    "encoding": "json",
    "body": {"recipients": ["{digits}"], "content": {"text": "{text}"}, "callback": "{status_url}"},
    "id_at": "messages.0.id",
    "why_at": ["error"],
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """A channel that speaks HTTP. ``taken``: what its service answers when it takes a page; ``address``: given its port.

    ``thorough``: it looks at what is answered, and at why not; Apprise only says yes or no.
    """

    channel: str
    config: Callable[[str], dict[str, Any]]
    address: Callable[[str], str]
    taken: bytes
    thorough: bool = True

    def channel_at(self, url: str, **more: Any) -> Channel:
        return load_channel(self.channel, {**self.config(url), **more})


def _account(provider: str) -> Callable[[str], dict[str, Any]]:
    options = {"options": LINK} if provider == "link" else {}
    custom = {"custom": CUSTOM} if provider == "custom" else {}
    return lambda url: {**ACCOUNT, **options, **custom, "provider": provider, "url": url}


def _number(_: str) -> str:
    return "901 23 456"


_TAKEN = {
    "twilio": b'{"sid": "SM0123", "status": "queued"}',
    "46elks": b'{"id": "s70df59406a1b4643b96f3f91e0bfb7b0", "status": "created"}',
    "link": b'{"messageId": "Dcshuhod0PMAAAFQ", "resultCode": 1005, "description": "Queued"}',
    "sveve": b'{"response": {"msgOkCount": 1, "stdSMSCount": 1, "ids": [42824112]}}',
    "custom": b'{"messages": [{"id": "m-1"}]}',
}
SPEAKERS: Mapping[str, Speaker] = {
    "ntfy": Speaker(
        "ntfy",
        lambda url: {"url": url, "token": SECRET},
        lambda _: "vakt-kari-6fP0x2mQ9sLr",
        b'{"id": "xE73Iyuabi", "event": "message"}',
    ),
    **{f"sms by {name}": Speaker("sms", _account(name), _number, _TAKEN[name]) for name in (*SMS, "custom")},
    **{f"voice by {name}": Speaker("voice", _account(name), _number, _TAKEN[name]) for name in CALLS},
    "apprise": Speaker(
        "apprise",
        lambda _: {"schemes": ["json"], "hosts": ["127.0.0.1"]},
        lambda url: f"json://kari:{SECRET}@{url.removeprefix('http://')}/hook",
        b"",
        thorough=False,
    ),
}
CONFIGS: Mapping[str, Callable[[str], dict[str, Any]]] = {each.channel: each.config for each in SPEAKERS.values()}
"""By channel: settings with which it goes to a service at an address."""
