"""Settings of the channels to phones: which are set up, and what is wrong with them, in the words of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError

from alerts.channels import load_channel


def from_json(example: str) -> BeforeValidator:
    """What an environment variable can only say as JSON, as ``example`` is."""

    def read(value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError(f"this is no JSON object; an example is {example}") from None

    return BeforeValidator(read)


def _words(value: object) -> object:
    """What an environment variable can only say as a list with commas."""
    return frozenset(value.replace(",", " ").split()) if isinstance(value, str) else value


Table = Annotated[dict[str, Any], from_json('{"platform": "COOL"}')]
Words = Annotated[frozenset[str], BeforeValidator(_words)]


class PhoneSettings(BaseModel):
    """The channels to phones. A channel is set up by its first setting: ``ntfy_url``, ``sms_provider``, …"""

    callback_secret: SecretStr | None = None
    ntfy_url: str | None = None
    ntfy_token: SecretStr | None = None
    ntfy_username: str | None = None
    ntfy_password: SecretStr | None = None
    ntfy_shortest_topic: Annotated[int, Field(ge=1, le=64)] = 16
    sms_provider: str | None = None
    sms_custom: Table | None = None
    sms_url: str | None = None
    sms_username: str | None = None
    sms_password: SecretStr | None = None
    sms_sender: str | None = None
    sms_options: Table | None = None
    sms_replies: bool = False
    voice_provider: str | None = None
    voice_custom: Table | None = None
    voice_url: str | None = None
    voice_username: str | None = None
    voice_password: SecretStr | None = None
    voice_sender: str | None = None
    voice_options: Table | None = None
    apprise_schemes: Words | None = None
    apprise_hosts: Words | None = None

    @property
    def phone_channels(self) -> dict[str, dict[str, Any]]:
        """Those that are set up, by name."""
        channels: dict[str, dict[str, Any]] = {}
        if self.ntfy_url is not None:
            names = ("url", "token", "username", "password", "shortest_topic")
            channels["ntfy"] = {name: _of(self, "ntfy", name) for name in names}
        if self.sms_provider is not None:
            channels["sms"] = self._account("sms") | {"replies": self.sms_replies}
        if self.voice_provider is not None:
            channels["voice"] = self._account("voice")
        if self.apprise_schemes:
            channels["apprise"] = {"schemes": self.apprise_schemes, "hosts": self.apprise_hosts or frozenset()}
        return channels

    def _account(self, channel: str) -> dict[str, Any]:
        names = ("provider", "custom", "url", "username", "password", "sender", "options")
        account = {name: given for name in names if (given := _of(self, channel, name)) is not None}
        return account | {"callback_secret": self.callback_secret}


def problems(channels: Mapping[str, dict[str, Any]], prefix: str) -> Iterator[str]:
    """A line for each thing that is wrong with settings of these channels."""
    for channel, config in channels.items():
        try:
            load_channel(channel, config)
        except ValidationError as error:
            for each in error.errors(include_url=False, include_context=False, include_input=False):
                yield _line(channel, prefix, each["loc"], each["msg"])


def _line(channel: str, prefix: str, where: tuple[int | str, ...], message: str) -> str:
    told = message.removeprefix("Value error, ")
    if not where:
        return f"settings {channel}_… ({prefix}{channel.upper()}_…): {told}"
    place = ".".join(str(part) for part in where[1:])
    name = "callback_secret" if where[0] == "callback_secret" else f"{channel}_{where[0]}"
    return f"setting {name} ({prefix}{name.upper()}): {f'{place}: ' if place else ''}{told}"


def _of(settings: PhoneSettings, channel: str, name: str) -> Any:
    return getattr(settings, f"{channel}_{name}")
