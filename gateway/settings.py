"""Settings: from the environment (``HJEMMEVAKT_…``), a secret also from a file named by ``HJEMMEVAKT_…_FILE``, and a
TOML file named by ``HJEMMEVAKT_CONFIG``. The environment wins. Everything is checked at start; what is wrong is one
clear line each.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AnyHttpUrl,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from alerts.vapid import check_key
from devices.kinds import kinds
from devices.model import MessageClass
from gateway import canary, channelsettings
from gateway.channelsettings import PhoneSettings, from_json
from gateway.errors import SettingError
from gateway.mqtt import BrokerSettings
from gateway.passages import Pace
from gateway.retention import BUFFERED, DEFAULT, Keep
from gateway.store.db import conninfo

PREFIX = "HJEMMEVAKT_"
CONFIG = PREFIX + "CONFIG"
Port = Annotated[int, Field(ge=1, le=65535)]
Role = Literal["ingest", "engine", "web"]


def _number(value: object) -> object:
    """What an environment variable can only say as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


CANARY_RESIDENT_SECONDS = 60
LONGEST_KEPT = 36_525
"""Days: a hundred years."""
Days = Annotated[int, BeforeValidator(_number), Field(ge=1, le=LONGEST_KEPT)]


class Settings(PhoneSettings, BaseModel):
    """Every setting. The environment variable is ``HJEMMEVAKT_`` and the name in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: Literal["production", "demo", "test"] = "production"
    data_folder: Path = Path("var")
    database_url: SecretStr | None = None
    mqtt_host: str = "127.0.0.1"
    mqtt_port: Port = 1883
    mqtt_version: Annotated[Literal[3, 5], BeforeValidator(_number)] = 5
    mqtt_username: str | None = None
    mqtt_password: SecretStr | None = None
    mqtt_tls: bool = False
    mqtt_ca_file: Path | None = None
    listen_host: str = "127.0.0.1"
    listen_port: Port = 8080
    public_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8080")
    time_zone: str = "Europe/Oslo"
    push_private_key: SecretStr | None = None
    push_subject: str | None = None
    push_ttl_seconds: Annotated[int, BeforeValidator(_number), Field(ge=60, le=24 * 3600)] = 3600
    push_private_endpoints: bool = False
    smtp_host: str | None = None
    smtp_port: Port = 25
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_sender: str = "hjemmevakt@localhost"
    canary_seconds: Annotated[float, Field(ge=0.1, le=60)] = 5
    deaf_seconds: Annotated[float, Field(ge=1, le=7 * 24 * 3600)] = 60
    settle_seconds: Annotated[float, Field(ge=0, le=3600)] = 60
    canary_resident_seconds: Annotated[float, Field(ge=0, le=3600)] | None = None
    canary_resident_within: Annotated[float, Field(ge=1, le=600)] = 30
    heartbeat_url: SecretStr | None = None
    heartbeat_seconds: Annotated[float, Field(ge=1, le=3600)] = 60
    position_days: Annotated[int, BeforeValidator(_number), Field(ge=1, le=90)] = 7
    keep_alarm_days: Days = DEFAULT.alarm
    keep_event_days: Days = DEFAULT.event
    keep_result_days: Days = DEFAULT.result
    keep_status_days: Days = DEFAULT.status
    keep_raw_days: Days = DEFAULT.raw
    keep_quarantine_days: Days = DEFAULT.quarantine
    keep_alert_days: Annotated[int, BeforeValidator(_number), Field(ge=BUFFERED.days, le=LONGEST_KEPT)] = DEFAULT.alert
    keep_audit_days: Annotated[int, BeforeValidator(_number), Field(ge=90, le=LONGEST_KEPT)] = DEFAULT.audit
    keep_hourly_days: Annotated[int, BeforeValidator(_number), Field(ge=3, le=LONGEST_KEPT)] = DEFAULT.hourly
    keep_daily_days: Days = DEFAULT.daily
    keep_duty_days: Annotated[int, BeforeValidator(_number), Field(ge=BUFFERED.days, le=LONGEST_KEPT)] = DEFAULT.duty
    keep: Annotated[dict[str, Days], from_json('{"door_sensor.event": 30}')] = {}
    page_test_seconds: Annotated[float, Field(ge=30, le=3600)] = 300
    page_test_hours: Annotated[float, Field(ge=0, le=168)] = 12
    device_per_minute: Annotated[int, BeforeValidator(_number), Field(ge=0, le=1_000_000)] = 3000
    controlled_clock: AwareDatetime | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no time zone; an example is Europe/Oslo") from None
        return name

    @field_validator("database_url")
    @classmethod
    def _an_address(cls, url: SecretStr | None) -> SecretStr | None:
        try:
            conninfo(url.get_secret_value() if url else "")
        except ValueError:  # what it says would show the password
            example = "postgresql://user@host:5432/hjemmevakt"
            raise ValueError(f"this is no address of a PostgreSQL database; an example is {example}") from None
        return url

    @field_validator("heartbeat_url")
    @classmethod
    def _safe_to_call(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _is_safe(url.get_secret_value()):
            example = "https://hc.example.org/ping/0f5c"  # what it is would show the secret in it
            raise ValueError(f"this is no address to call: https, or http on this machine; an example is {example}")
        return url

    @field_validator("mqtt_ca_file")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @field_validator("keep")
    @classmethod
    def _kinds_and_classes(cls, keep: dict[str, int]) -> dict[str, int]:
        for name in keep:
            kind, _, message_class = name.partition(".")
            if kind not in kinds():
                raise ValueError(f"{name!r}: there is no kind {kind!r}; the kinds are {', '.join(sorted(kinds()))}")
            if message_class not in set(MessageClass):
                raise ValueError(
                    f"{name!r} does not end with a class: {', '.join(f'{kind}.{c}' for c in MessageClass)}"
                )
        return keep

    @field_validator("push_private_key")
    @classmethod
    def _a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            check_key(key.get_secret_value())
        return key

    @field_validator("push_subject")
    @classmethod
    def _somebody(cls, subject: str | None) -> str | None:
        if subject is not None and not subject.startswith(("mailto:", "https://")):
            raise ValueError(f"{subject!r} is no address; an example is mailto:drift@example.org")
        return subject

    @model_validator(mode="after")
    def _private_endpoints_only_in_trials(self) -> Self:
        if self.push_private_endpoints and self.environment == "production":
            raise ValueError(
                "push_private_endpoints is for demo and test: a phone could make the gateway call servers of its own network"
            )
        return self

    @model_validator(mode="after")
    def _bytes_go_first(self) -> Self:
        days = {f"keep_{each}_days": self.keeping.of(each) for each in MessageClass} | self.keep
        first = min(days, key=days.__getitem__)
        if self.keep_raw_days > days[first]:
            raise ValueError(
                f"{first} is {days[first]}, so keep_raw_days must not be {self.keep_raw_days}: messages as they came are not"
                " kept longer than what was made of them"
            )
        return self

    @model_validator(mode="after")
    def _clock_only_in_trials(self) -> Self:
        if self.controlled_clock is not None and self.environment == "production":
            raise ValueError("controlled_clock is for demo and test: a gateway in production keeps the real time")
        if self.controlled_clock is not None and self.canary_resident_seconds:
            raise ValueError(
                "canary_resident_seconds must be 0 with a controlled clock: the canary resident lives in real time"
            )
        if self.deaf_seconds < 2 * self.canary_seconds:
            raise ValueError(
                "deaf_seconds must be at least twice canary_seconds, or a site is deaf between two canaries"
            )
        return self

    @property
    def local(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def broker(self) -> BrokerSettings:
        return BrokerSettings(
            host=self.mqtt_host,
            port=self.mqtt_port,
            version=self.mqtt_version,
            username=self.mqtt_username,
            password=_reveal(self.mqtt_password),
            tls=self.mqtt_tls or self.mqtt_ca_file is not None,
            ca_file=str(self.mqtt_ca_file) if self.mqtt_ca_file else None,
        )

    @property
    def limits(self) -> canary.Limits:
        return canary.Limits(timedelta(seconds=self.deaf_seconds), timedelta(seconds=self.settle_seconds))

    @property
    def canary_pace(self) -> Pace | None:
        """Of the canary resident; None where there is none. Where nothing is said it lives in production alone."""
        seconds = self.canary_resident_seconds
        if seconds is None:
            seconds = CANARY_RESIDENT_SECONDS if self.environment == "production" else 0
        return Pace(timedelta(seconds=seconds), timedelta(seconds=self.canary_resident_within)) if seconds else None

    @property
    def keeping(self) -> Keep:
        """How long what is stored is kept."""
        own = {name.partition(".")[::2]: days for name, days in self.keep.items()}
        return Keep(
            alarm=self.keep_alarm_days,
            event=self.keep_event_days,
            result=self.keep_result_days,
            status=self.keep_status_days,
            raw=self.keep_raw_days,
            position=self.position_days,
            quarantine=self.keep_quarantine_days,
            alert=self.keep_alert_days,
            audit=self.keep_audit_days,
            hourly=self.keep_hourly_days,
            daily=self.keep_daily_days,
            duty=self.keep_duty_days,
            said={(kind, MessageClass(each)): days for (kind, each), days in own.items()},
        )

    @property
    def channel_settings(self) -> dict[str, dict[str, Any]]:
        """The channels that are set up, by name."""
        channels: dict[str, dict[str, Any]] = {"in_app": {}}
        if self.smtp_host is not None:
            channels["email"] = {
                "host": self.smtp_host,
                "port": self.smtp_port,
                "security": self.smtp_security,
                "username": self.smtp_username,
                "password": _reveal(self.smtp_password),
                "sender": self.smtp_sender,
            }
        channels["web_push"] = self._push
        return channels | self.phone_channels

    @property
    def _push(self) -> dict[str, Any]:
        """Web Push. Without a key of its own it gets the one in the database; a push service may turn to whoever runs us."""
        us = str(self.public_url) if self.public_url.scheme == "https" else "mailto:hjemmevakt@localhost"
        return {
            "private_key": _reveal(self.push_private_key),
            "subject": self.push_subject or us.rstrip("/"),
            "ttl_seconds": self.push_ttl_seconds,
            "private_endpoints": self.push_private_endpoints,
        }


def load(variables: Mapping[str, str] | None = None, /, **overrides: Any) -> Settings:
    """The settings. SettingError with a line for each that is wrong."""
    given = os.environ if variables is None else variables
    try:
        settings = Settings(**{**_from_file(given), **_from_environment(given), **overrides})
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)
        lines = [_line(each["loc"], each["type"], each["msg"]) for each in wrong]
        raise SettingError("\n".join(lines)) from None
    if wrong_channels := [*channelsettings.problems(settings.phone_channels, PREFIX)]:
        raise SettingError("\n".join(wrong_channels))
    return settings


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name == CONFIG:
            continue
        field = name.removeprefix(PREFIX).lower()
        secret = field.removesuffix("_file")
        if field not in Settings.model_fields and field != secret and secret in Settings.model_fields:
            found[secret] = _read(name, value)
        elif value != "":
            found[field] = value
    return found


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise SettingError(f"{name}: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingError(f"{name}: {path} cannot be read: it is not UTF-8 text") from None


def _from_file(environment: Mapping[str, str]) -> dict[str, Any]:
    path = environment.get(CONFIG)
    if not path:
        return {}
    try:
        return tomllib.loads(_read(CONFIG, path))
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{CONFIG}: {path} is not TOML: {error}") from None


def _line(where: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for part in where)
    told = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        like = get_close_matches(name, Settings.model_fields, n=1)
        told = "there is no such setting" + (f"; did you mean {like[0]}?" if like else "")
    return f"setting {name} ({PREFIX}{str(where[0]).upper()}): {told}" if name else f"settings: {told}"


def _is_safe(url: str) -> bool:
    try:
        found = AnyHttpUrl(url)
    except ValidationError:
        return False
    return found.scheme == "https" or found.host in {"localhost", "127.0.0.1", "[::1]"}


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def start_of(settings: Settings) -> datetime | None:
    """Where a controlled clock begins, in UTC."""
    return settings.controlled_clock.astimezone(UTC) if settings.controlled_clock else None
